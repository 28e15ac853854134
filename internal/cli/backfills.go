package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/partition"
	"levada/internal/core/run"
)

func (a *app) backfillsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backfills",
		Short: "List, show, pause, resume, cancel and retry backfills",
		Long: "List, show, pause, resume, cancel and retry backfills. They are made with \"levada backfill PIPELINE\".\n" +
			"BACKFILL is its id or the unique beginning of one.",
		Example: "  levada backfills list\n  levada backfills retry 5f2a",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.backfillsListCommand(), a.backfillShowCommand(),
		a.backfillChange("pause", "Keep a backfill from starting runs; active ones go on"),
		a.backfillChange("resume", "Let a paused backfill go on"),
		a.backfillChange("cancel", "End a backfill and cancel its active runs"),
		a.backfillRetryCommand())
	return cmd
}

func (a *app) backfillsListCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List backfills, newest first",
		Example: "  levada backfills list -o json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "most backfills to list, up to 200")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 || limit > 200 {
			return fault.Invalidf("--limit %d: want a number from 1 to 200", limit)
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			list, err := s.Backfills(ctx, "", limit)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(list)
			}
			if len(list.Backfills) == 0 {
				_, err := fmt.Fprintln(a.deps.Stdout, "No backfills. Make one with \"levada backfill PIPELINE\".")
				return err
			}
			table := console.NewTable("BACKFILL", "NAME", "RANGE", "STATE", "PROGRESS", "AGE", "TROUBLE")
			table.Flexible = 6
			for _, b := range list.Backfills {
				table.Add(console.ShortID(b.ID), console.Clean(b.DisplayName), console.Clean(rangeOf(b)), string(b.State), progressWords(b.Progress),
					console.Ago(b.CreatedAt, a.deps.Now()), console.Clean(b.Failure))
			}
			if err := a.printTable(table); err != nil {
				return err
			}
			if more := list.Total - len(list.Backfills); more > 0 {
				fmt.Fprintf(a.deps.Stdout, "… and %d more; see --limit\n", more)
			}
			return nil
		})
	}
	return cmd
}

func rangeOf(b catalog.Backfill) string {
	switch {
	case b.From == "" && b.To == "":
		return "all"
	case b.To == "":
		return "from " + b.From
	case b.From == "":
		return "to " + b.To
	}
	return b.From + " to " + b.To
}

func (a *app) backfillShowCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "show BACKFILL",
		Short:   "Show a backfill with its partitions",
		Long:    "Show a backfill with those of its partitions that did not succeed or are going on; with --all, all of them.",
		Example: "  levada backfills show 5f2a --all",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&all, "all", false, "also what has succeeded and what waits")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			b, err := findBackfill(ctx, s, args[0])
			if err != nil {
				return err
			}
			parts, err := partitionsOf(ctx, s, b.ID)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(struct {
					Backfill   catalog.Backfill            `json:"backfill"`
					Partitions []catalog.BackfillPartition `json:"partitions"`
				}{b, parts})
			}
			fmt.Fprintf(a.deps.Stdout, "%s (%s) is %s: %s\n", console.Clean(b.DisplayName), b.ID, b.State, progressWords(b.Progress))
			if b.Failure != "" {
				fmt.Fprintln(a.deps.Stdout, console.Clean(b.Failure))
			}
			return a.printBackfillPartitions(parts, all)
		})
	}
	return cmd
}

// partitionsOf reads all partitions of a backfill.
func partitionsOf(ctx context.Context, s *session, id string) ([]catalog.BackfillPartition, error) {
	const page = 1000
	all := []catalog.BackfillPartition{}
	for after := -1; ; {
		some, err := s.BackfillPartitions(ctx, id, after, page)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < page {
			return all, nil
		}
		after = some[len(some)-1].Position
	}
}

func (a *app) printBackfillPartitions(parts []catalog.BackfillPartition, all bool) error {
	table := console.NewTable("PARTITION", "STATE", "RUN")
	shown := 0
	for _, p := range parts {
		state, id := strings.ToLower(string(p.State)), console.ShortID(p.RunID)
		quiet := p.State == run.Succeeded || p.State == run.Skipped
		switch {
		case p.Waiting && p.State == "":
			state, id, quiet = "waiting", "", true
		case p.Waiting && p.State.Final():
			state, quiet = "waiting to be tried again", false
		case p.State == "":
			state = "deleted"
		}
		if quiet && !all {
			continue
		}
		table.Add(console.Clean(p.Key), state, id)
		shown++
	}
	if shown == 0 {
		return nil
	}
	return a.printTable(table)
}

func (a *app) backfillChange(word, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     word + " BACKFILL",
		Short:   short,
		Example: "  levada backfills " + word + " 5f2a",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			b, err := findBackfill(ctx, s, args[0])
			if err != nil {
				return err
			}
			if b, err = s.ChangeBackfill(ctx, b.ID, word); err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(b)
			}
			_, err = fmt.Fprintf(a.deps.Stdout, "%s is %s\n", console.Clean(b.DisplayName), b.State)
			return err
		})
	}
	return cmd
}

func (a *app) backfillRetryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retry BACKFILL",
		Short: "Try those partitions again that did not succeed",
		Long: "Try those partitions again whose runs failed, were canceled or were deleted. Tasks that succeeded are kept, and the version is that of the\n" +
			"backfill. To run failed partitions with a newer version: levada backfill PIPELINE --only failed.",
		Example: "  levada backfills retry 5f2a",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			b, err := findBackfill(ctx, s, args[0])
			if err != nil {
				return err
			}
			b, n, err := s.RetryBackfill(ctx, b.ID)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(b)
			}
			_, err = fmt.Fprintf(a.deps.Stdout, "%s of %s to be tried again\n", count(n, "partition"), console.Clean(b.DisplayName))
			return err
		})
	}
	return cmd
}

// findBackfill takes an id or the unique beginning of one.
func findBackfill(ctx context.Context, s *session, id string) (catalog.Backfill, error) {
	prefix := strings.ToLower(id)
	if prefix == "" || len(prefix) > 36 || strings.Trim(prefix, "0123456789abcdef-") != "" {
		return catalog.Backfill{}, fault.NotFoundf("there is no backfill %q; \"levada backfills list\" shows them", id)
	}
	list, err := s.Backfills(ctx, prefix, 2)
	switch {
	case err != nil:
		return catalog.Backfill{}, err
	case len(list.Backfills) == 0:
		return catalog.Backfill{}, fault.NotFoundf("there is no backfill %q; \"levada backfills list\" shows them", id)
	case len(list.Backfills) > 1:
		return catalog.Backfill{}, fault.Invalidf("%q is the beginning of %d backfills; give more of the id", id, list.Total)
	}
	return list.Backfills[0], nil
}

func (a *app) partitionsCommand() *cobra.Command {
	var f definitionFlags
	var state string
	var limit int
	cmd := &cobra.Command{
		Use:   "partitions PIPELINE",
		Short: "Show which partitions of a pipeline are done, failed, stale, running or missing",
		Long: "Show in what state the partitions of a pipeline are, the newest ones first.\n\n" +
			"With --every, --keys or --numbers say how the pipeline is partitioned. The runs that it has count as those of the partitions they were for.\n" +
			"A partition is stale when the pipeline has a newer version, or a file that its run imported has another content now.",
		Example: "  levada partitions flights\n  levada partitions flights --state failed\n" +
			"  levada partitions flights --param day --every daily --from 2013-01-01 --time-zone America/New_York",
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&state, "state", "", "only those that are missing, failed, stale, running or done")
	cmd.Flags().IntVar(&limit, "limit", 50, "most partitions to list, up to 5000")
	cmd.Flags().StringArrayVarP(&f.parameters, "param", "p", nil, "`NAME` of the parameter that takes the partition")
	cmd.Flags().StringVar(&f.from, "from", "", "a time in the first partition")
	cmd.Flags().StringVar(&f.to, "to", "", "a time in the last partition (default: they go on as time does)")
	f.register(cmd)
	out := addOutput(cmd)
	a.addServer(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if limit < 1 || limit > 5000 {
			return fault.Invalidf("--limit %d: want a number from 1 to 5000", limit)
		}
		name, others, err := f.partitionParameter()
		if err == nil && len(others) > 0 {
			err = fault.Invalidf("--param %q: want only the name of the parameter that takes the partition", others[0])
		}
		if err != nil {
			return err
		}
		d, err := f.definition(name)
		if err != nil {
			return err
		}
		if d != nil {
			d.End = f.to
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			p, err := findPipeline(ctx, s, args[0])
			if err != nil {
				return err
			}
			if d != nil {
				if _, err := s.SetPartitions(ctx, p.ID, *d); err != nil {
					return err
				}
			}
			return a.printPartitions(ctx, s, p, partition.State(state), limit, out.json())
		})
	}
	return cmd
}

// printPartitions prints the newest partitions of a pipeline.
func (a *app) printPartitions(ctx context.Context, s *session, p catalog.Pipeline, state partition.State, limit int, asJSON bool) error {
	list, err := s.Partitions(ctx, p.ID, state, 0, 1)
	if err == nil {
		list, err = s.Partitions(ctx, p.ID, state, max(0, list.Total-limit), limit)
	}
	switch {
	case err != nil:
		return err
	case asJSON:
		return a.printJSON(list)
	case list.Definition == nil:
		_, err := fmt.Fprintf(a.deps.Stdout, "%s is not partitioned. Say how with --param NAME --every daily --from 2013-01-01.\n", console.Clean(p.DisplayName))
		return err
	}
	table := console.NewTable("PARTITION", "STATE", "RUN", "STARTED", "WHY")
	table.Flexible = 4
	for i := len(list.Partitions) - 1; i >= 0; i-- {
		st := list.Partitions[i]
		id, at := "", ""
		if st.RunID != "" {
			id = console.ShortID(st.RunID)
		}
		if st.At != nil {
			at = st.At.UTC().Format(time.DateTime)
		}
		table.Add(console.Clean(st.Key), string(st.State), id, at, console.Clean(st.Why))
	}
	if err := a.printTable(table); err != nil {
		return err
	}
	if more := list.Total - len(list.Partitions); more > 0 {
		fmt.Fprintf(a.deps.Stdout, "… and %d older; see --limit\n", more)
	}
	var parts []string
	for _, st := range partition.States() {
		if n := list.Counts[st]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, st))
		}
	}
	_, err = fmt.Fprintf(a.deps.Stdout, "By %s: %s\n", console.Clean(list.Definition.Parameter), strings.Join(parts, ", "))
	return err
}
