package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/rollout"
)

// maxPastBytes bounds a file of what was observed.
const maxPastBytes = 1 << 30

func (a *app) rolloutSimulateCommand() *cobra.Command {
	var file string
	var versions []string
	cmd := &cobra.Command{
		Use:   "simulate -f PLAN PAST",
		Short: "Say what a plan would have decided on what was observed before; no server is asked",
		Long: "Say what a plan would have decided on what was observed before. PAST is what \"levada rollout events --observed -o json\" prints, or windows as\n" +
			"JSON, one a line, or logged requests: what \"levada requests ENDPOINT --with-truth -o jsonl\" prints. Traffic was divided as it was: each stage\n" +
			"of the plan takes the windows of its time. A single version is compared with itself, its requests divided by lot: what a plan says\n" +
			"of a version that is as good as the present one.\n\n" +
			"The exit status is 0 where the candidate would have been promoted, and 1 where not.",
		Example: "  levada rollout simulate -f stricter.yaml past.json\n  levada rollout simulate -f plan.yaml --versions 3,4 requests.jsonl\n  levada rollout simulate -f plan.yaml --versions 3 requests.jsonl",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the `PLAN`, YAML or JSON")
	cmd.Flags().StringSliceVar(&versions, "versions", nil, "of logged requests: `VERSION,VERSION` that are compared, the baseline first; one is compared with itself")
	out := addOutput(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		_, plan, err := readPlan(file)
		if err != nil {
			return err
		}
		past, err := readPast(args[0], versions, time.Duration(plan.Interval))
		if err != nil {
			return err
		}
		s, events, err := rollout.Rehearse(rollout.Start{At: past.windows[0].From, Plan: plan, Baseline: past.arms[0], Candidates: past.arms[1:]}, past.windows)
		if err != nil {
			return err
		}
		if out.json() {
			err = a.printJSON(map[string]any{"state": s, "events": events})
		} else {
			err = a.printRolloutEvents(events)
		}
		if err == nil && !s.Done() && !out.json() {
			_, err = fmt.Fprintf(a.deps.Stdout, "\nWhat was observed ends in %s, before the plan does.\n", s.Stage)
		}
		if err == nil && len(s.Last) > 0 && !out.json() {
			fmt.Fprintln(a.deps.Stdout)
			err = a.printEvidence(s.Last)
		}
		if err == nil && s.Outcome != rollout.OutcomePromoted {
			return exitStatus(ExitFailed)
		}
		return err
	}
	return cmd
}

// past is what was observed of versions.
type past struct {
	arms    []string
	windows []rollout.Window
}

// add takes what one value of a file says: a request goes to the log.
func (p *past) add(value json.RawMessage, log *logged) error {
	var record struct {
		ID     string          `json:"request_id"`
		Events []rollout.Event `json:"events"`
		rollout.Window
	}
	if err := json.Unmarshal(value, &record); err != nil {
		return err
	}
	for _, e := range record.Events {
		switch {
		case e.Type == rollout.Started:
			p.arms = e.Arms
		case e.Window != nil:
			p.windows = append(p.windows, *e.Window)
		}
	}
	if len(record.Arms) > 0 {
		p.windows = append(p.windows, record.Window)
	}
	if record.ID != "" {
		return log.add(value)
	}
	return nil
}

// readPast reads the events of a rollout, windows one a line, or logged requests one a line.
func readPast(file string, versions []string, every time.Duration) (past, error) {
	f, err := os.Open(file)
	if err != nil {
		return past{}, fault.Invalidf("read what was observed: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(bufio.NewReader(f), maxPastBytes+1))
	if err != nil {
		return past{}, fault.Invalidf("read what was observed: %w", err)
	}
	if len(b) > maxPastBytes {
		return past{}, fault.TooLargef("%s has more than %d bytes", file, maxPastBytes)
	}
	var out past
	var log logged
	d := json.NewDecoder(bytes.NewReader(b))
	for n := 1; ; n++ {
		var value json.RawMessage
		err := d.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = out.add(value, &log)
		}
		if err != nil {
			return past{}, fault.Invalidf("%s: value %d: %w", file, n, err)
		}
	}
	if len(log.requests) > 0 {
		return log.past(versions, every)
	}
	if len(versions) > 0 {
		return past{}, fault.Invalidf("--versions are those of logged requests, and %s has none", file)
	}
	if len(out.windows) == 0 {
		return past{}, fault.Invalidf("%s has no windows: it is made by \"levada rollout events ENDPOINT --observed -o json\", or by \"levada requests ENDPOINT -o jsonl\"", file)
	}
	for i := len(out.arms); i < len(out.windows[0].Arms); i++ {
		name := "baseline"
		if i > 0 {
			name = "candidate"
		}
		if i > 1 {
			name += " " + strconv.Itoa(i)
		}
		out.arms = append(out.arms, name)
	}
	return out, nil
}

func (a *app) rolloutSizeCommand() *cobra.Command {
	var file string
	var mean, sd float64
	var metric string
	cmd := &cobra.Command{
		Use:   "size -f PLAN --mean NUMBER",
		Short: "Say how many values an A/B test of fixed size would need for its minimum effect",
		Long: "Say how many values each arm of an A/B test of fixed size would need to find the minimum effect of the plan at its alpha and power. The\n" +
			"test of a rollout may be looked at all the time; it needs more at the most, and fewer where the effect is larger.",
		Example: "  levada rollout size -f plan.yaml --mean 0.1\n  levada rollout size -f plan.yaml --metric revenue --mean 12.5 --sd 30",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the `PLAN`, YAML or JSON")
	cmd.Flags().StringVar(&metric, "metric", "", "`METRIC` of the experiment; all without it")
	cmd.Flags().Float64Var(&mean, "mean", 0, "the baseline's mean, or its rate, as a `NUMBER`")
	cmd.Flags().Float64Var(&sd, "sd", 0, "the standard deviation of a mean's values, as a `NUMBER`")
	cmd.RunE = func(*cobra.Command, []string) error {
		_, plan, err := readPlan(file)
		if err != nil {
			return err
		}
		if plan.Experiment == nil {
			return fault.Invalidf("%s has no experiment", file)
		}
		table := console.NewTable("METRIC", "MINIMUM EFFECT", "VALUES OF EACH ARM")
		for _, d := range plan.Experiment.Decide {
			if metric != "" && d.Metric != metric {
				continue
			}
			n, err := plan.SampleSize(d, mean, sd)
			if err != nil {
				return err
			}
			table.Add(console.Clean(d.Metric), strconv.FormatFloat(d.MinimumEffect, 'g', 4, 64), strconv.FormatInt(n, 10))
		}
		return a.printTable(table)
	}
	return cmd
}
