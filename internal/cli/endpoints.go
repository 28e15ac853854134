package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/fault"
)

// endpointsCommand is "levada endpoints".
func (a *app) endpointsCommand() *cobra.Command {
	var events int
	cmd := &cobra.Command{
		Use: "endpoints [NAME]", Aliases: []string{"endpoint"},
		Short:   "Show endpoints and inference graphs, or one with its versions or steps and what happened to it",
		Example: "  levada endpoints\n  levada endpoints flights --events 20\n  levada endpoints flights -o json",
		Args:    cobra.MaximumNArgs(1),
	}
	a.addServer(cmd)
	cmd.Flags().IntVar(&events, "events", 5, "most `EVENTS` of the one endpoint, the newest first")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if events < 0 || events > 1000 {
			return fault.Invalidf("--events %d: want a number from 0 to 1000", events)
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			if len(args) == 1 {
				return a.showEndpoint(ctx, s, args[0], events, out.json())
			}
			list, err := s.Endpoints(ctx)
			if err != nil {
				return err
			}
			graphs, err := s.Graphs(ctx)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(map[string]any{"endpoints": append([]client.Endpoint{}, list...), "graphs": append([]client.Graph{}, graphs...)})
			}
			return a.printEndpoints(list, graphs)
		})
	}
	return cmd
}

func (a *app) printEndpoints(list []client.Endpoint, graphs []client.Graph) error {
	if len(list)+len(graphs) == 0 {
		_, err := fmt.Fprintln(a.deps.Stdout, "No endpoints. Make one with \"levada deploy models:/NAME@ALIAS --endpoint NAME\".")
		return err
	}
	table := console.NewTable("ENDPOINT", "MODEL", "STATE", "TRAFFIC", "WORKERS", "MEMORY", "P99")
	table.Flexible = 3
	for _, e := range list {
		var shares []string
		workers, memory, p99 := 0, int64(0), 0.0
		for _, v := range e.Versions {
			workers += v.Workers
			memory += v.MemoryBytes
			p99 = max(p99, v.P99MS)
			if v.Percent > 0 {
				shares = append(shares, fmt.Sprintf("%s=%.4g %%", v.Version, v.Percent))
			}
		}
		table.Add(e.Name, console.Clean(e.Spec.Model), e.State, strings.Join(shares, " "), fmt.Sprint(workers), mib(memory), milliseconds(p99))
	}
	addGraphs(table, graphs)
	return a.printTable(table)
}

func mib(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

func milliseconds(ms float64) string {
	if ms == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g ms", ms)
}

func (a *app) showEndpoint(ctx context.Context, s *session, name string, limit int, asJSON bool) error {
	e, err := s.Endpoint(ctx, name)
	if fault.KindOf(err) == fault.NotFound {
		if g, graphErr := s.Graph(ctx, name); graphErr == nil {
			return a.showGraph(ctx, s, g, limit, asJSON)
		}
	}
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(e)
	}
	serves := "on other servers"
	if e.Spec.Model != "" {
		serves = "model " + console.Clean(e.Spec.Model)
	}
	fmt.Fprintf(a.deps.Stdout, "%s: %s, %s\n", e.Name, serves, e.State)
	switch {
	case e.Trouble == "":
	case e.State == "FAILED":
		fmt.Fprintf(a.deps.Stdout, "What was asked for last could not be brought about: %s\n", cleanLines(e.Trouble))
	default:
		fmt.Fprintln(a.deps.Stdout, cleanLines(e.Trouble))
	}
	fmt.Fprintln(a.deps.Stdout)
	table := console.NewTable("VERSION", "STATE", "TRAFFIC", "WORKERS", "MEMORY", "OK", "REJECTED", "FAILED", "P50", "P99", "NOTE")
	table.Flexible = 10
	for _, v := range e.Versions {
		note := v.Error
		if note == "" {
			if note = v.Runtime; v.Note != "" {
				note += "; " + v.Note
			}
		}
		table.Add(v.Version, string(v.State), fmt.Sprintf("%.4g %%", v.Percent), fmt.Sprint(v.Workers), mib(v.MemoryBytes), fmt.Sprint(v.Requests["ok"]),
			fmt.Sprint(v.Requests["rejected"]), fmt.Sprint(v.Requests["failed"]+v.Requests["timeout"]+v.Requests["shed"]),
			milliseconds(v.P50MS), milliseconds(v.P99MS), console.Clean(note))
	}
	if err := a.printTable(table); err != nil {
		return err
	}
	return a.printHistory(ctx, s, name, limit)
}

// printHistory prints what happened to an endpoint or a graph, the newest first.
func (a *app) printHistory(ctx context.Context, s *session, name string, limit int) error {
	if limit == 0 {
		return nil
	}
	events, err := s.EndpointEvents(ctx, name, limit)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.deps.Stdout)
	history := console.NewTable("WHEN", "WHAT", "MESSAGE")
	history.Flexible = 2
	for _, ev := range events {
		history.Add(ev.At.Local().Format(time.DateTime), string(ev.Kind), console.Clean(ev.Message))
	}
	return a.printTable(history)
}

// undeployCommand is "levada undeploy".
func (a *app) undeployCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "undeploy ENDPOINT",
		Short:   "Delete an endpoint or an inference graph; requests that it has are answered, its history stays",
		Example: "  levada undeploy flights",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.look(cmd, func(ctx context.Context, s *session) error {
				what := "endpoint"
				err := s.DeleteEndpoint(ctx, args[0])
				if fault.KindOf(err) == fault.NotFound {
					if graphErr := s.DeleteGraph(ctx, args[0]); fault.KindOf(graphErr) != fault.NotFound {
						what, err = "graph", graphErr
					}
				}
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.deps.Stdout, "Deleted %s %s\n", what, args[0])
				return err
			})
		},
	}
	a.addServer(cmd)
	return cmd
}
