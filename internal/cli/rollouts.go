package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/rollout"
)

// rolloutCommand is "levada rollout".
func (a *app) rolloutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "Take a new version of a model through the traffic of an endpoint, and back when it does harm",
		Long: "Take a new version of a model through the traffic of an endpoint: shadow, canary, A/B test or bandit, promotion, watch. A plan says how;\n" +
			"docs/canary.md describes it.",
		Example: "  levada rollout start flights --to @challenger -f plan.yaml --alias champion\n  levada rollout status flights",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.rolloutStartCommand(), a.rolloutStatusCommand(), a.rolloutEventsCommand(), a.rolloutExportCommand(), a.rolloutVerifyCommand(), a.rolloutSimulateCommand(), a.rolloutSizeCommand(),
		a.rolloutDoCommand("pause", "Stop deciding; traffic stays as it is, and harm still ends the rollout"),
		a.rolloutDoCommand("resume", "Go on with the stage, which takes its time once more"),
		a.rolloutDoCommand("abort", "Give all traffic back to the baseline"),
		a.rolloutDoCommand("promote", "Give all traffic to the candidate without waiting"))
	return cmd
}

// readPlan reads a plan and checks it.
func readPlan(file string) (string, rollout.Plan, error) {
	if file == "" {
		return "", rollout.Plan{}, fault.Invalidf("name the plan: -f plan.yaml")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", rollout.Plan{}, fault.Invalidf("read the plan: %w", err)
	}
	p, err := rollout.ParsePlan(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return string(text), p, err
}

func (a *app) rolloutStartCommand() *cobra.Command {
	var file, planText, alias, by string
	var to []string
	var ends outcomeFiles
	cmd := &cobra.Command{
		Use:   "start ENDPOINT --to VERSION [-f PLAN]",
		Short: "Start a rollout; it goes on in the server",
		Long: "Deploy the version without traffic, wait until it answers, and begin the first stage of the plan. The version is a number, @ALIAS, latest or\n" +
			"models:/NAME/VERSION; several are compared by a bandit. Without a plan that of the endpoint is followed (levada deploy --rollout-plan).\n\n" +
			"With --wait it returns at the end of the rollout, with status 1 where no version was promoted. --promoted and --report write how it ended to\n" +
			"files, for the steps of pipelines; with --promoted the status is 0 then.",
		Example: "  levada rollout start flights --to @challenger -f plan.yaml --alias champion",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the `PLAN`, YAML or JSON")
	cmd.Flags().StringSliceVar(&to, "to", nil, "`VERSION` that is to have the traffic; may be repeated for a bandit")
	cmd.Flags().StringVar(&alias, "alias", "", "`ALIAS` of the model that is moved to the version which is promoted")
	cmd.Flags().StringVar(&by, "by", "", "`NAME` that the events say who asked for it")
	cmd.Flags().StringVar(&planText, "plan-text", "", "the plan itself as `TEXT`, in place of -f")
	cmd.Flags().BoolVar(&ends.wait, "wait", false, "return when the rollout has ended")
	cmd.Flags().StringVar(&ends.promoted, "promoted", "", "write true or false to `FILE` at the end")
	cmd.Flags().StringVar(&ends.report, "report", "", "write the decisions with their evidence as JSON to `FILE` at the end")
	cmd.Flags().StringVar(&ends.page, "html", "", "write the evidence with its plots as a page to `FILE` at the end")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := planText, error(nil)
		switch {
		case text != "":
			_, err = rollout.ParsePlan([]byte(text))
		case file != "":
			text, _, err = readPlan(file)
		}
		if err != nil {
			return err
		}
		if len(to) == 0 {
			return fault.Invalidf("name the version: --to @challenger")
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			r, err := s.StartRollout(ctx, args[0], client.StartRollout{Plan: text, Candidates: to, Alias: alias, By: by})
			if err != nil || !ends.wanted() {
				return a.printRollout(r, err, out.json())
			}
			return a.awaitRollout(ctx, s, r, ends, out.json())
		})
	}
	return cmd
}

func (a *app) rolloutStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status ENDPOINT",
		Short:   "Show the rollout of an endpoint that goes on, or its last one",
		Example: "  levada rollout status flights",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			r, err := s.Rollout(ctx, args[0])
			return a.printRollout(r, err, out.json())
		})
	}
	return cmd
}

func (a *app) rolloutDoCommand(do, short string) *cobra.Command {
	var reason, by, version string
	cmd := &cobra.Command{
		Use:     do + " ENDPOINT",
		Short:   short,
		Example: "  levada rollout " + do + " flights",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that the events keep")
	cmd.Flags().StringVar(&by, "by", "", "`NAME` that the events say who asked for it")
	if do == "promote" {
		cmd.Flags().StringVar(&version, "version", "", "`VERSION`, where there are several candidates")
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			r, err := s.CommandRollout(ctx, args[0], do, version, reason, by)
			return a.printRollout(r, err, out.json())
		})
	}
	return cmd
}

func (a *app) printRollout(r client.Rollout, err error, asJSON bool) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return a.printJSON(r)
	}
	s := r.State
	out := a.deps.Stdout
	fmt.Fprintf(out, "%s: rollout %s of version %s, compared with %s\n", console.Clean(r.Endpoint), r.ID, console.Clean(strings.Join(r.Candidates, ", ")), r.Baseline)
	switch {
	case r.Outcome != "":
		fmt.Fprintf(out, "It has ended, %s: %s\n", strings.ReplaceAll(string(r.Outcome), "_", " "), cleanLines(r.Reason))
		if r.Outcome == rollout.OutcomeRolledBack {
			fmt.Fprintf(out, "Its plots: /endpoints/%[1]s/rollouts/%[2]s on the web page, or levada rollout export %[1]s --id %[2]s -o evidence.html\n", console.Clean(r.Endpoint), r.ID)
		}
	case s.Paused:
		fmt.Fprintf(out, "It is paused in %s: %s\n", s.Stage, cleanLines(s.Reason))
	default:
		fmt.Fprintf(out, "%s is judged at %s, in %s\n", s.Stage, s.Until.Local().Format(time.TimeOnly), s.Until.Sub(a.deps.Now()).Round(time.Second))
	}
	fmt.Fprintf(out, "Traffic: %s\n", s.Traffic)
	table := console.NewTable("VERSION", "REQUESTS", "ERRORS")
	for i, arm := range s.Arms {
		table.Add(arm, fmt.Sprint(s.Requests[i]), fmt.Sprint(s.Errors[i]))
	}
	if err := a.printTable(table); err != nil || len(s.Last) == 0 {
		return err
	}
	fmt.Fprintln(out)
	return a.printEvidence(s.Last)
}

func (a *app) printEvidence(list []rollout.Evidence) error {
	table := console.NewTable("METRIC", "VERDICT", "BECAUSE")
	table.Flexible = 2
	for _, e := range list {
		table.Add(console.Clean(e.Metric), strings.ReplaceAll(string(e.Verdict), "_", " "), console.Clean(e.Reason))
	}
	return a.printTable(table)
}

func (a *app) rolloutEventsCommand() *cobra.Command {
	var observed bool
	cmd := &cobra.Command{
		Use:   "events ENDPOINT",
		Short: "List the decisions of the last rollout of an endpoint with their evidence",
		Long: "List the decisions of the last rollout of an endpoint. With -o json each has its evidence. --observed adds what was observed, which\n" +
			"\"levada rollout simulate\" reads.",
		Example: "  levada rollout events flights\n  levada rollout events flights -o json --observed > past.json",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&observed, "observed", false, "also what was observed; with -o json")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			r, err := s.Rollout(ctx, args[0])
			if err != nil {
				return err
			}
			list, err := s.RolloutEvents(ctx, r.ID, observed)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(list)
			}
			return a.printRolloutEvents(list.Events)
		})
	}
	return cmd
}

func (a *app) printRolloutEvents(events []rollout.Event) error {
	table := console.NewTable("TIME (UTC)", "WHAT")
	table.Flexible = 1
	for _, e := range events {
		if e.Type != rollout.Observed {
			table.Add(e.At.UTC().Format(time.DateTime), console.Clean(e.Words()))
		}
	}
	return a.printTable(table)
}
