package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/schedule"
)

func (a *app) schedulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedules",
		Short: "List, show, pause, resume and delete recurring runs",
		Long: "List, show, pause, resume and delete recurring runs. They are made by \"levada apply\", on the web page or with\n" +
			"kfp.Client.create_recurring_run, and followed by \"levada up\".\n" +
			"SCHEDULE is its id, the unique beginning of one, or its name.",
		Example: "  levada schedules list\n  levada schedules pause nightly",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.schedulesListCommand(), a.scheduleShowCommand(), a.scheduleSwitch("pause", "Stop a recurring run from starting runs", false),
		a.scheduleSwitch("resume", "Let a recurring run start runs again", true), a.scheduleDeleteCommand())
	return cmd
}

func (a *app) schedulesListCommand() *cobra.Command {
	var text string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List recurring runs, newest first",
		Example: "  levada schedules list\n  levada schedules list --search nightly -o json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&text, "search", "", "only recurring runs whose name contains `TEXT`")
	cmd.Flags().IntVar(&limit, "limit", 50, "most recurring runs to list, up to 200")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 || limit > 200 {
			return fault.Invalidf("--limit %d: want a number from 1 to 200", limit)
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			list, err := s.Schedules(ctx, text, "", limit)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(list)
			}
			return a.printSchedules(list)
		})
	}
	return cmd
}

func (a *app) printSchedules(list client.ScheduleList) error {
	if len(list.RecurringRuns) == 0 {
		_, err := fmt.Fprintln(a.deps.Stdout, "No recurring runs. Make one with levada apply, on the web page or with kfp.Client.create_recurring_run.")
		return err
	}
	table := console.NewTable("SCHEDULE", "NAME", "WHEN (UTC)", "STATE", "RUNS", "NEXT (UTC)", "TROUBLE")
	table.Flexible = 6
	for _, r := range list.RecurringRuns {
		state, next := "enabled", "never"
		switch {
		case !r.Enabled:
			state, next = "paused", ""
		case r.NextAt != nil:
			next = r.NextAt.UTC().Format(time.DateTime)
		}
		table.Add(console.ShortID(r.ID), console.Clean(r.DisplayName), console.Clean(when(r.Trigger)), state, fmt.Sprint(r.Index), next,
			console.Clean(trouble(r.Failure, r.Warnings)))
	}
	if err := a.printTable(table); err != nil {
		return err
	}
	if more := list.Total - len(list.RecurringRuns); more > 0 {
		fmt.Fprintf(a.deps.Stdout, "… and %d more; see --limit\n", more)
	}
	return nil
}

func (a *app) scheduleShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show SCHEDULE",
		Short:   "Show a recurring run with the next five times",
		Example: "  levada schedules show nightly",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			r, err := findSchedule(ctx, s, args[0])
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(r)
			}
			plan, err := schedule.Parse(r.Trigger)
			if err != nil {
				return err
			}
			state := "enabled"
			if !r.Enabled {
				state = "paused"
			}
			fmt.Fprintf(a.deps.Stdout, "%s (%s): %s, %s, %s so far\n", console.Clean(r.DisplayName), r.ID, console.Clean(when(r.Trigger)), state, count(int(r.Index), "run"))
			if what := trouble(r.Failure, r.Warnings); what != "" {
				fmt.Fprintf(a.deps.Stdout, "trouble: %s\n", console.Clean(what))
			}
			for _, t := range r.NextTimes {
				fmt.Fprintf(a.deps.Stdout, "next  %s %s\n", t.In(plan.Zone()).Format(time.DateTime), plan.Zone())
			}
			return nil
		})
	}
	return cmd
}

// when shows a trigger in one line.
func when(t schedule.Trigger) string {
	switch {
	case t.Cron != "" && t.TimeZone != "":
		return fmt.Sprintf("%s (%s)", t.Cron, t.TimeZone)
	case t.Cron != "":
		return t.Cron
	case t.At != nil:
		return "once, " + t.At.UTC().Format(time.DateTime)
	}
	return "every " + console.Duration(time.Duration(t.IntervalSeconds)*time.Second)
}

func (a *app) scheduleSwitch(verb, short string, enabled bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:     verb + " SCHEDULE",
		Short:   short,
		Long:    short + ". Runs that are active go on. What was missed while paused is caught up, unless the recurring run was made with no_catchup.",
		Example: "  levada schedules " + verb + " nightly",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			r, err := findSchedule(ctx, s, args[0])
			if err != nil {
				return err
			}
			if r, err = s.SwitchSchedule(ctx, r.ID, enabled); err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(r)
			}
			_, err = fmt.Fprintf(a.deps.Stdout, "%s is %s\n", console.Clean(r.DisplayName), map[bool]string{true: "enabled", false: "paused"}[r.Enabled])
			return err
		})
	}
	return cmd
}

func (a *app) scheduleDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete SCHEDULE",
		Short:   "Delete a recurring run; the runs that it started stay",
		Example: "  levada schedules delete nightly",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.look(cmd, func(ctx context.Context, s *session) error {
				r, err := findSchedule(ctx, s, args[0])
				if err != nil {
					return err
				}
				if err := s.DeleteSchedule(ctx, r.ID); err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.deps.Stdout, "Deleted %s (%s)\n", console.Clean(r.DisplayName), r.ID)
				return err
			})
		},
	}
}

// findSchedule takes an id, the unique beginning of one, or a name.
func findSchedule(ctx context.Context, s *session, name string) (catalog.RecurringRun, error) {
	found := map[string]catalog.RecurringRun{}
	if prefix := strings.ToLower(name); prefix != "" && len(prefix) <= 36 && strings.Trim(prefix, "0123456789abcdef-") == "" {
		list, err := s.Schedules(ctx, "", prefix, 200)
		if err != nil {
			return catalog.RecurringRun{}, err
		}
		for _, r := range list.RecurringRuns {
			found[r.ID] = r
		}
	}
	list, err := s.Schedules(ctx, name, "", 200)
	if err != nil {
		return catalog.RecurringRun{}, err
	}
	for _, r := range list.RecurringRuns {
		if r.DisplayName == name {
			found[r.ID] = r
		}
	}
	switch len(found) {
	case 0:
		return catalog.RecurringRun{}, fault.NotFoundf("there is no recurring run %q; \"levada schedules list\" shows them", name)
	case 1:
		for _, r := range found {
			return r, nil
		}
	}
	return catalog.RecurringRun{}, fault.Invalidf("%q means %d recurring runs; name one by its id, see \"levada schedules list\"", name, len(found))
}
