package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

func (a *app) runsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "runs",
		Short:   "List, show, cancel, retry and delete runs",
		Long:    "List, show, cancel, retry and delete runs. RUN is a run's id, the unique beginning of one, or \"latest\".",
		Example: "  levada runs list\n  levada runs show latest\n  levada runs cancel 3f2a\n  levada runs retry latest",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.runsListCommand(), a.runsShowCommand(), a.runsCancelCommand(), a.runsRetryCommand(), a.runsDeleteCommand())
	return cmd
}

func (a *app) runsListCommand() *cobra.Command {
	var states []string
	var q client.RunQuery
	var all bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List runs, newest first",
		Example: "  levada runs list --state FAILED --limit 50\n  levada runs list --pipeline flights -o json",
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&states, "state", nil, "only runs in these `STATES`: PENDING, RUNNING, CANCELING, SUCCEEDED, FAILED, CANCELED")
	flags.StringVar(&q.Text, "search", "", "only runs whose name contains `TEXT`")
	flags.StringVar(&q.Pipeline, "pipeline", "", "only runs of the pipeline `NAME`")
	flags.BoolVar(&all, "archived", false, "archived runs too")
	flags.IntVar(&q.PageSize, "limit", 20, "most runs to list, up to 200")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if q.PageSize < 1 || q.PageSize > 200 {
			return fault.Invalidf("--limit %d: want a number from 1 to 200", q.PageSize)
		}
		for _, s := range states {
			q.States = append(q.States, strings.ToUpper(s))
		}
		if all {
			q.Archived = "any"
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			list, err := s.Runs(ctx, q)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(list)
			}
			return a.printRuns(list)
		})
	}
	return cmd
}

func (a *app) printRuns(list client.RunList) error {
	if len(list.Runs) == 0 {
		_, err := fmt.Fprintln(a.deps.Stdout, "No runs. Start one with: levada run FILE")
		return err
	}
	style, now := a.style(a.deps.Stdout), a.deps.Now()
	table := console.NewTable("RUN", "NAME", "PIPELINE", "STATE", "STARTED", "TOOK")
	table.Flexible = 1
	for _, r := range list.Runs {
		end := now
		if r.FinishedAt != nil {
			end = *r.FinishedAt
		}
		table.Add(console.ShortID(r.ID), console.Clean(r.DisplayName), console.Clean(r.PipelineName), stateWord(r.State, style),
			console.Ago(r.CreatedAt, now), console.Duration(end.Sub(r.CreatedAt)))
	}
	if err := a.printTable(table); err != nil {
		return err
	}
	if more := list.Total - len(list.Runs); more > 0 {
		fmt.Fprintf(a.deps.Stdout, "… and %d more; see --limit\n", more)
	}
	return nil
}

func (a *app) runsShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show RUN",
		Short:   "Show a run and its tasks",
		Example: "  levada runs show latest\n  levada runs show 3f2a -o json",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			r, err := findRun(ctx, s, args[0])
			if err != nil {
				return err
			}
			tasks, err := s.Tasks(ctx, r.ID)
			if err != nil {
				return err
			}
			result := runResult{Run: r, Tasks: tasks}
			if out.json() {
				return a.printJSON(result)
			}
			if err := a.printRunHead(r); err != nil {
				return err
			}
			return a.printSummary(ctx, s, result)
		})
	}
	return cmd
}

func (a *app) printRunHead(r run.Run) error {
	var b strings.Builder
	now := a.deps.Now()
	fmt.Fprintf(&b, "Run       %s\nName      %s\nPipeline  %s\nStarted   %s\n", r.ID, console.Clean(r.DisplayName),
		console.Clean(r.PipelineName), console.Ago(r.CreatedAt, now))
	if len(r.Parameters) > 0 {
		b.WriteString("Values    " + shortValue(r.Parameters) + "\n")
	}
	b.WriteByte('\n')
	_, err := io.WriteString(a.deps.Stdout, b.String())
	return err
}

func (a *app) runsCancelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cancel RUN",
		Short:   "Ask a run to stop",
		Example: "  levada runs cancel latest",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.with(cmd, func(ctx context.Context, s *session) error {
			r, err := findRun(ctx, s, args[0])
			if err != nil {
				return err
			}
			if r, err = s.Cancel(ctx, r.ID); err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(r)
			}
			_, err = fmt.Fprintf(a.deps.Stdout, "%s is %s\n", console.Clean(r.DisplayName), r.State)
			return err
		})
	}
	return cmd
}

func (a *app) runsRetryCommand() *cobra.Command {
	var detach bool
	cmd := &cobra.Command{
		Use:   "retry RUN",
		Short: "Let a run that failed or was canceled go on, and follow it",
		Long: "Let a run that failed or was canceled go on, and follow it to its end. Tasks that succeeded are kept, the others are done again;\n" +
			"exit handlers run again. The exit status is that of \"levada run\".",
		Example: "  levada runs retry latest",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&detach, "detach", false, "start the run again and return; needs a running server")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.with(cmd, func(ctx context.Context, s *session) error {
			if detach && s.local {
				return detachNeedsServer()
			}
			r, err := findRun(ctx, s, args[0])
			if err != nil {
				return err
			}
			if r, err = s.Retry(ctx, r.ID); err != nil {
				return err
			}
			if detach {
				return a.printStarted(r, out.json())
			}
			return a.follow(ctx, s, r, out.json())
		})
	}
	return cmd
}

// findRun takes an id, the unique beginning of one, or "latest".
func findRun(ctx context.Context, s *session, name string) (run.Run, error) {
	if name == "latest" {
		list, err := s.Runs(ctx, client.RunQuery{PageSize: 1})
		if err != nil {
			return run.Run{}, err
		}
		if len(list.Runs) == 0 {
			return run.Run{}, fault.NotFoundf("there are no runs yet")
		}
		return list.Runs[0], nil
	}
	prefix := strings.ToLower(name)
	if prefix == "" || len(prefix) > 36 || strings.Trim(prefix, "0123456789abcdef-") != "" {
		return run.Run{}, fault.Invalidf("%q is not a run: want an id, the beginning of one, or \"latest\"; \"levada runs list\" shows them", name)
	}
	list, err := s.Runs(ctx, client.RunQuery{IDPrefix: prefix, Archived: "any", PageSize: 5})
	if err != nil {
		return run.Run{}, err
	}
	switch len(list.Runs) {
	case 0:
		return run.Run{}, fault.NotFoundf("there is no run %q; \"levada runs list\" shows them", name)
	case 1:
		return list.Runs[0], nil
	}
	ids := make([]string, len(list.Runs))
	for i, r := range list.Runs {
		ids[i] = r.ID
	}
	return run.Run{}, fault.Invalidf("%q is the beginning of %d runs; write more of it: %s", name, list.Total, strings.Join(ids, ", "))
}
