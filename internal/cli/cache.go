package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/cachekey"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

func (a *app) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Show, explain and forget results that may be reused",
		Long: "Show, explain and forget results that may be reused. A step is not run again when its code, its environment and the\n" +
			"content of its inputs are those of a step that succeeded before, in whatever run or pipeline.",
		Example: "  levada cache explain latest train\n  levada cache list --component train\n  levada cache prune --component train",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.cacheListCommand(), a.cacheExplainCommand(), a.cachePruneCommand())
	return cmd
}

func (a *app) cacheListCommand() *cobra.Command {
	var q client.CacheQuery
	var older, size string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the results that may be reused, newest first",
		Example: "  levada cache list --component train\n  levada cache list --older-than 30d --min-size 100MB --largest -o json",
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Component, "component", "", "only results of the component `NAME`")
	flags.StringVar(&q.Pipeline, "pipeline", "", "only results that the pipeline `NAME` made")
	flags.StringVar(&q.Key, "key", "", "only results whose key begins with `KEY`")
	flags.StringVar(&older, "older-than", "", "only results of at least this `AGE`, such as 12h or 30d")
	flags.StringVar(&size, "min-size", "", "only results of at least this `SIZE`, such as 500kB or 2GB")
	flags.BoolVar(&q.Largest, "largest", false, "the largest first")
	flags.IntVar(&limit, "limit", 50, "most results to list")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if q.CreatedBefore, err = a.before(older); err != nil {
			return err
		}
		if q.MinSize, err = parseSize(size); err != nil {
			return err
		}
		if limit < 1 {
			return fault.Invalidf("--limit %d: want a number from 1 on", limit)
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			list, err := s.Cache(ctx, q, limit)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(list)
			}
			return a.printCache(list)
		})
	}
	return cmd
}

// before turns an age into the time that long ago.
func (a *app) before(age string) (time.Time, error) {
	if age == "" {
		return time.Time{}, nil
	}
	d, err := cachekey.ParseAge(age)
	if err != nil {
		return time.Time{}, fault.Invalidf("--older-than: %w", err)
	}
	return a.deps.Now().Add(-d), nil
}

// parseSize reads a number of bytes with an optional decimal unit, in which sizes are shown as well.
func parseSize(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	number := strings.TrimRight(strings.ToUpper(text), "B")
	factor := 1.0
	for i, unit := range []string{"K", "M", "G", "T"} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number = rest
			for range i + 1 {
				factor *= 1000
			}
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || n < 0 || n*factor >= 1<<62 {
		return 0, fault.Invalidf("--min-size %q: want a size such as 500kB or 2GB", text)
	}
	return int64(n * factor), nil
}

func (a *app) printCache(list client.CacheList) error {
	if len(list.Entries) == 0 {
		_, err := fmt.Fprintln(a.deps.Stdout, "No results in the cache match.")
		return err
	}
	now := a.deps.Now()
	table := console.NewTable("KEY", "COMPONENT", "PIPELINE", "RUN", "TASK", "MADE", "SIZE", "REUSED")
	table.Flexible = 4
	for _, e := range list.Entries {
		reused := "never"
		if e.UsedAt != nil {
			reused = fmt.Sprintf("%d×, %s", e.Hits, console.Ago(*e.UsedAt, now))
		}
		table.Add(shortKey(e.Key), console.Clean(e.Component), console.Clean(e.PipelineName), console.ShortID(e.RunID), console.Clean(e.Path),
			console.Ago(e.CreatedAt, now), console.Bytes(e.Size), reused)
	}
	if err := a.printTable(table); err != nil {
		return err
	}
	if more := list.Total - len(list.Entries); more > 0 {
		fmt.Fprintf(a.deps.Stdout, "… and %d more; see --limit\n", more)
	}
	return nil
}

// shortKey is long enough to name a key.
func shortKey(key string) string { return key[:min(len(key), len("sha256:")+10)] }

func (a *app) cacheExplainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain RUN [TASK]",
		Short: "Say why a step was reused, or what differed",
		Long: "Say for a step of a run, or for all of them, why an earlier result was reused or why the step had to run: what differs\n" +
			"from the nearest result of the same component that was in the cache.",
		Example: "  levada cache explain latest\n  levada cache explain latest train",
		Args:    cobra.RangeArgs(1, 2),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			r, err := findRun(ctx, s, args[0])
			if err != nil {
				return err
			}
			if len(args) == 2 {
				x, err := s.ExplainTask(ctx, r.ID, args[1])
				if err != nil || out.json() {
					return firstError(err, func() error { return a.printJSON(x) })
				}
				return a.printExplanation(x)
			}
			list, err := s.ExplainRun(ctx, r.ID)
			if err != nil || out.json() {
				return firstError(err, func() error { return a.printJSON(map[string]any{"explanations": list}) })
			}
			return a.printExplanations(list)
		})
	}
	return cmd
}

// firstError does the work when nothing failed before it.
func firstError(err error, work func() error) error {
	if err != nil {
		return err
	}
	return work()
}

func (a *app) printExplanations(list []run.CacheExplanation) error {
	table := console.NewTable("TASK", "CACHE", "WHY")
	for _, x := range list {
		why := x.Summary
		if len(x.Differences) > 0 {
			texts := make([]string, len(x.Differences))
			for i, d := range x.Differences {
				texts[i] = d.Text
			}
			why = strings.Join(texts, "; ")
		}
		table.Add(console.Clean(x.Path), outcomeWord(x.Outcome), console.Clean(why))
	}
	return a.printTable(table)
}

func outcomeWord(outcome string) string {
	return strings.ToLower(strings.ReplaceAll(outcome, "_", " "))
}

func (a *app) printExplanation(x run.CacheExplanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Task    %s\nCache   %s\n", console.Clean(x.Path), outcomeWord(x.Outcome))
	if x.Key != "" {
		fmt.Fprintf(&b, "Key     %s\n", x.Key)
	}
	if len(x.Differences) == 0 {
		fmt.Fprintf(&b, "\n%s\n", console.Clean(x.Summary))
	} else {
		fmt.Fprintf(&b, "\nNothing with this key was in the cache. What differs from the nearest entry, task %s of run %s (%s, %s):\n\n",
			console.Clean(x.Entry.Path), console.ShortID(x.Entry.RunID), console.Clean(x.Entry.PipelineName), console.Ago(x.Entry.CreatedAt, a.deps.Now()))
		for _, d := range x.Differences {
			fmt.Fprintf(&b, "  %s\n", console.Clean(d.Text))
			if len(d.Lines) == 1 && strings.HasSuffix(d.Text, d.Lines[0]) {
				continue // the text has said it
			}
			for _, line := range d.Lines {
				fmt.Fprintf(&b, "      %s\n", console.Clean(line))
			}
		}
	}
	_, err := a.deps.Stdout.Write([]byte(b.String()))
	return err
}

func (a *app) cachePruneCommand() *cobra.Command {
	var p client.Prune
	var older, runName string
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Forget results, so that their steps run again",
		Long: "Forget results, so that their steps run again. Several conditions must all hold. Runs and their artifacts stay: content\n" +
			"becomes free when no run holds it any more, and is removed by \"levada gc\" or, by a server, within the hour.",
		Example: "  levada cache prune --component train\n  levada cache prune --older-than 30d --dry-run\n  levada cache prune --all",
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&p.Component, "component", "", "results of the component `NAME`")
	flags.StringVar(&p.Pipeline, "pipeline", "", "results that the pipeline `NAME` made")
	flags.StringVar(&p.Key, "key", "", "results with the `KEY`, or the unique beginning of one")
	flags.StringVar(&runName, "run", "", "results that the `RUN` made")
	flags.StringVar(&older, "older-than", "", "results of at least this `AGE`, such as 12h or 30d")
	flags.BoolVar(&p.All, "all", false, "every result")
	flags.BoolVar(&p.DryRun, "dry-run", false, "only say what would be forgotten")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if p.CreatedBefore, err = a.before(older); err != nil {
			return err
		}
		narrowed := p.Component+p.Pipeline+p.Key+runName+older != ""
		if narrowed == p.All {
			return fault.Invalidf("say which results to forget: --component, --pipeline, --key, --run, --older-than; or --all, alone")
		}
		// Nothing has to run for this, so unfinished runs are left as they are.
		return a.look(cmd, func(ctx context.Context, s *session) error {
			if runName != "" {
				r, err := findRun(ctx, s, runName)
				if err != nil {
					return err
				}
				p.RunID = r.ID
			}
			pruned, err := s.PruneCache(ctx, p)
			if err != nil || out.json() {
				return firstError(err, func() error { return a.printJSON(pruned) })
			}
			verb := "Forgot"
			if pruned.DryRun {
				verb = "Would forget"
			}
			_, err = fmt.Fprintf(a.deps.Stdout, "%s %s, which refer to %s. Runs and their artifacts stay; \"levada runs delete\" and \"levada gc\" free space.\n",
				verb, plural(pruned.Entries, "result"), console.Bytes(pruned.Bytes))
			return err
		})
	}
	return cmd
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (a *app) gcCommand() *cobra.Command {
	var minAge string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove stored content that no run needs any more",
		Long: "Remove stored content that no artifact refers to: what deleted runs and failed steps left. Nothing is removed that a stored\n" +
			"artifact or an unfinished run may need. A server does this by itself, every hour in which something was deleted.",
		Example: "  levada gc --dry-run\n  levada gc",
		Args:    cobra.NoArgs,
	}
	a.addServer(cmd)
	cmd.Flags().StringVar(&minAge, "min-age", "1h", "keep content that is younger than this `AGE`; 0s while nothing else stores content")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be removed")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := cachekey.ParseAge(minAge); err != nil {
			return fault.Invalidf("--min-age: %w", err)
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			swept, err := s.CollectGarbage(ctx, minAge, dryRun)
			if err != nil || out.json() {
				return firstError(err, func() error { return a.printJSON(swept) })
			}
			verb := "Freed"
			if dryRun {
				verb = "Would free"
			}
			fmt.Fprintf(a.deps.Stdout, "%s %s in %s. %s in %s stay in use.\n", verb, console.Bytes(swept.Bytes), plural(swept.Files, "file"),
				console.Bytes(swept.KeptBytes), plural(swept.KeptFiles, "file"))
			if swept.Young > 0 {
				fmt.Fprintf(a.deps.Stdout, "%s in %s are not in use, but younger than %s or than the oldest unfinished run.\n",
					console.Bytes(swept.YoungBytes), plural(swept.Young, "file"), minAge)
			}
			return nil
		})
	}
	return cmd
}

func (a *app) runsDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete RUN...",
		Short: "Delete finished runs",
		Long: "Delete finished runs with their tasks, logs and cached results. Artifacts that another run has reused stay; the rest is\n" +
			"removed from the disk by the next \"levada gc\" or, by a server, within the hour.",
		Example: "  levada runs delete 3f2a 77b0",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			runs := make([]run.Run, len(args))
			for i, name := range args { // all are known before the first is deleted
				var err error
				if runs[i], err = findRun(ctx, s, name); err != nil {
					return err
				}
				if runs[i].State == run.Canceling {
					return fault.Conflictf("run %s is %s; delete it when it is CANCELED", runs[i].ID, runs[i].State)
				}
				if !runs[i].State.Final() {
					return fault.Conflictf("run %s is %s; cancel it before deleting it", runs[i].ID, runs[i].State)
				}
			}
			for _, r := range runs {
				if err := s.DeleteRun(ctx, r.ID); err != nil {
					return err
				}
				fmt.Fprintf(a.deps.Stdout, "Deleted %s (%s)\n", console.Clean(r.DisplayName), r.ID)
			}
			return nil
		})
	}
	return cmd
}
