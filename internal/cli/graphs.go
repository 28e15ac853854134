package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/declare"
	"levada/internal/core/fault"
)

// deployFile makes the endpoints and graphs that a file declares. Unlike apply it knows no sets: nothing is deleted, and nobody owns them.
func (a *app) deployFile(cmd *cobra.Command, path string, wait bool, limit time.Duration, out *output) error {
	cfg, err := a.load(cmd)
	if err != nil {
		return err
	}
	resources, err := a.declarations(cmd.Context(), path, cfg.Config)
	if err != nil {
		return err
	}
	for _, r := range resources {
		if r.Kind != declare.Endpoint && r.Kind != declare.Graph {
			return fault.Invalidf("%s: a %s is not deployed; \"levada apply -f %s\" makes what files declare", r.At, r.Kind, path)
		}
	}
	slices.SortStableFunc(resources, func(x, y declare.Resource) int {
		return slices.Index(declare.Kinds(), x.Kind) - slices.Index(declare.Kinds(), y.Kind)
	})
	return a.look(cmd, func(ctx context.Context, s *session) error {
		if wait && s.local {
			return noServer("wait for what answers")
		}
		var made []any
		for _, r := range resources {
			one, err := a.deployDeclared(ctx, s, r)
			if err != nil {
				return &fault.Error{Kind: fault.KindOf(err), Message: r.At + ": " + err.Error(), Cause: err}
			}
			made = append(made, one)
		}
		for i := range made {
			if wait {
				if made[i], err = a.awaitDeployed(ctx, s, made[i], limit, out.json()); err != nil {
					return err
				}
			}
			if out.json() {
				continue
			}
			if err := a.printMade(made[i], s.local); err != nil {
				return err
			}
		}
		if out.json() {
			return a.printJSON(map[string]any{"deployed": made})
		}
		return nil
	})
}

func (a *app) deployDeclared(ctx context.Context, s *session, r declare.Resource) (any, error) {
	if r.Kind == declare.Graph {
		return s.PutGraph(ctx, r.Name, *r.Graph)
	}
	return s.PutEndpoint(ctx, r.Name, *r.Endpoint)
}

func (a *app) awaitDeployed(ctx context.Context, s *session, made any, limit time.Duration, quiet bool) (any, error) {
	if e, ok := made.(client.Endpoint); ok {
		return a.awaitEndpoint(ctx, s, e, limit, quiet)
	}
	g, _ := made.(client.Graph)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fault.Unavailablef("graph %s is not ready after %s; \"levada endpoints %s\" shows how it is", g.Name, limit, g.Name))
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for said := ""; g.State != "READY"; {
		if g.Trouble != said && !quiet {
			said = g.Trouble
			fmt.Fprintln(a.deps.Stderr, console.Clean(said))
		}
		select {
		case <-ctx.Done():
			return g, context.Cause(ctx)
		case <-tick.C:
		}
		name := g.Name
		var err error
		if g, err = s.Graph(ctx, name); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return g, err
		}
	}
	return g, nil
}

func (a *app) printMade(made any, local bool) error {
	if e, ok := made.(client.Endpoint); ok {
		return a.printDeployed(e, local)
	}
	g, _ := made.(client.Graph)
	text := fmt.Sprintf("Graph %s: version %d, %s (%s)\n", g.Name, g.Generation, plural(len(g.Spec.Nodes), "node"), strings.ToLower(g.State))
	if local {
		text += "No server is running: the next \"levada up\" serves it.\n"
	}
	_, err := fmt.Fprint(a.deps.Stdout, text)
	return err
}

// addGraphs adds graphs to a table of endpoints.
func addGraphs(table *console.Table, list []client.Graph) {
	for _, g := range list {
		following := ""
		if g.Following > 0 {
			following = fmt.Sprintf("%d=100 %%", g.Following)
		}
		table.Add(g.Name, "graph of "+plural(len(g.Spec.Nodes), "node"), g.State, following, "", "", milliseconds(g.P99MS))
	}
}

// showGraph prints a graph with its steps and what happened to it.
func (a *app) showGraph(ctx context.Context, s *session, g client.Graph, limit int, asJSON bool) error {
	if asJSON {
		return a.printJSON(g)
	}
	fmt.Fprintf(a.deps.Stdout, "%s: graph, version %d of %d, %s\n", g.Name, g.Following, g.Generation, g.State)
	if g.Trouble != "" {
		fmt.Fprintln(a.deps.Stdout, cleanLines(g.Trouble))
	}
	fmt.Fprintln(a.deps.Stdout)
	table := console.NewTable("NODE", "STEP", "ASKS", "OK", "REJECTED", "FAILED", "MEAN", "LAST FAILURE")
	table.Flexible = 7
	spec := g.Spec
	if g.Active != nil {
		spec = *g.Active
	}
	for _, st := range g.Steps {
		asks := ""
		for _, step := range spec.Nodes[st.Node].Steps {
			if step.Called() != st.Step {
				continue
			}
			switch asks = step.Endpoint; {
			case step.Version != "":
				asks += " version " + step.Version
			case step.Node != "":
				asks = "node " + step.Node
			}
		}
		table.Add(st.Node, st.Step, asks, fmt.Sprint(st.Requests["ok"]), fmt.Sprint(st.Requests["rejected"]),
			fmt.Sprint(st.Requests["failed"]+st.Requests["timeout"]+st.Requests["shed"]), milliseconds(st.MeanMS), console.Clean(st.Failure))
	}
	if err := a.printTable(table); err != nil {
		return err
	}
	return a.printHistory(ctx, s, g.Name, limit)
}
