package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/declare"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/monitor"
	"levada/internal/core/observe"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
)

func (a *app) monitorsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "monitors",
		Short: "Look after data: check it by a schedule or as it comes, without a pipeline of one's own",
		Long: "Look after data: check a table against expectations or a schema and compare it with a reference, by a schedule or whenever a file comes. A monitor\n" +
			"is a pipeline that the server makes of its own components, what starts it, and what is done when it finds something. It can be\n" +
			"declared in files as well (kind: monitor, see docs/automation.md).",
		Example: "  levada monitors set bookings --table '/data/bookings/*.parquet' --suite bookings.yaml --every 1h\n  levada monitors list",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.monitorsSetCommand(), a.monitorsListCommand(), a.monitorsDeleteCommand())
	return cmd
}

// monitorFlags are those of levada monitors set.
type monitorFlags struct {
	resource                   declare.Resource
	suite, schema, cron, zone  string
	artifact, made             string
	requests                   declare.Requests
	every                      time.Duration
	drift                      monitor.Drift
	slack, webhook, then, when string
	email                      []string
	smtp                       string
}

func (a *app) monitorsSetCommand() *cobra.Command {
	var f monitorFlags
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Make a monitor, or change the one of the name",
		Long: "Make a monitor, or change the one of the name, and show what that changes. It looks at the table by a schedule (--every, --cron), or\n" +
			"without one whenever a file is new or has other content. Its run fails when an expectation does not hold or the table has drifted.",
		Example: "  levada monitors set bookings --table '/data/bookings/*.parquet' --suite bookings.yaml --every 1h --slack alarms\n" +
			"  levada monitors set asked --endpoint flights --window 24h --reference training --every 1h\n" +
			"  levada monitors set drift --table '/data/[[ScheduledTime.2006-01-02]].csv' --reference /data/train.csv --cron '0 0 6 * * *' --then retrain",
		Args: cobra.ExactArgs(1),
	}
	flags, r := cmd.Flags(), &f.resource
	flags.StringVar(&r.Description, "description", "", "what it is for")
	flags.StringVar(&r.Data, "table", "", "`PATH` of the table on the machine of the server, its address s3://BUCKET/KEY, or a pattern for the newest of several files")
	flags.StringVar(&f.artifact, "artifact", "", "look at each artifact of this `NAME` when it is made")
	flags.StringVar(&f.made, "pipeline", "", "with --artifact: only those that the pipeline of this `NAME` makes")
	flags.StringVar(&f.requests.Endpoint, "endpoint", "", "look at requests that the endpoint `NAME` logs, and at its answers; needs --every or --cron")
	flags.StringVar(&f.requests.Window, "window", "", "with --endpoint: how long back, such as 24h or 7d (default 24h)")
	flags.StringVar(&f.requests.Earlier, "earlier", "", "with --endpoint: compare with a window as long that ended so long ago, such as 7d")
	flags.StringVar(&f.requests.Version, "version", "", "with --endpoint: only requests that this `VERSION` answered")
	flags.Int64Var(&r.MinRows, "min-rows", 0, "judge nothing with fewer `ROWS` (default 500 of requests, 0 of other tables)")
	flags.StringVar(&f.suite, "suite", "", "`FILE` with the expectations, YAML or JSON")
	flags.StringVar(&f.schema, "schema", "", "instead of --suite: `FILE` with a schema, YAML or TFDV's text form; skew is measured from --reference, drift from --earlier")
	flags.StringVar(&r.Environment, "environment", "", "leave out what is of other environments than `NAME`")
	flags.StringVar(&r.Reference, "reference", "", "`PATH` of the table, on the machine of the server or in a bucket, that the data is compared with; with --endpoint also training, for what the model learned from")
	flags.StringVar(&f.drift.Ignore, "ignore", "", "columns that are not compared, by `NAME,NAME`")
	flags.StringVar(&f.drift.Target, "target", "", "`COLUMN` of the target")
	flags.StringVar(&f.drift.Prediction, "prediction", "", "`COLUMN` of the model's prediction")
	flags.Float64Var(&f.drift.Share, "share", 0, "the `SHARE` of drifted columns from which on the table has drifted (default 0.5)")
	flags.DurationVar(&f.every, "every", 0, "how often to look, such as 1h")
	flags.StringVar(&f.cron, "cron", "", "when to look, with six fields, the first of which is the second")
	flags.StringVar(&f.zone, "time-zone", "", "`NAME` of the time zone of --cron (default: UTC)")
	flags.StringVar(&f.slack, "slack", "", "tell Slack of what it finds; its address is the key url of the `SECRET`")
	flags.StringVar(&f.webhook, "webhook", "", "post what it finds to a `URL`")
	flags.StringSliceVar(&f.email, "email", nil, "write what it finds to these `ADDRESSES`; needs --smtp")
	flags.StringVar(&f.smtp, "smtp", "", "`SECRET` with server, from, user and password of the mail server")
	flags.StringVar(&f.then, "then", "", "the `PIPELINE` that runs when it finds something")
	flags.StringVar(&f.when, "when", "", "with --then: a condition in CEL over event, such as 'event.task == \"drift\"'")
	flags.StringVar(&r.Experiment, "experiment", "", "`NAME` of the experiment of its runs; made if it is missing")
	flags.BoolVar(&r.Paused, "paused", false, "look at nothing until it is resumed")
	cmd.MarkFlagsMutuallyExclusive("every", "cron")
	cmd.MarkFlagsMutuallyExclusive("slack", "webhook", "email")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		resource, err := f.monitor(args[0])
		if err != nil {
			return err
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			return a.apply(ctx, s, client.Declaration{Set: declare.MonitorPrefix + args[0], Resources: []declare.Resource{resource}}, out)
		})
	}
	return cmd
}

// monitor is what the flags declare.
func (f *monitorFlags) monitor(name string) (declare.Resource, error) {
	r := f.resource
	r.Kind, r.Name = declare.Monitor, name
	var err error
	if f.suite != "" {
		if r.Suite, err = suiteText(f.suite); err != nil {
			return r, err
		}
	}
	if f.schema != "" {
		if r.Schema, err = schemaText(f.schema); err != nil {
			return r, err
		}
	}
	if f.artifact != "" || f.made != "" {
		r.Artifact = &event.ArtifactSource{Name: f.artifact, Pipeline: f.made}
	}
	if f.requests != (declare.Requests{}) {
		if f.requests.Endpoint == "" {
			return r, fault.Invalidf("--window, --earlier and --version are for --endpoint")
		}
		r.Requests = &f.requests
	}
	if f.drift != (monitor.Drift{}) {
		r.Drift = &f.drift
	}
	switch {
	case f.every != 0 && (f.every < time.Second || f.every%time.Second != 0):
		return r, fault.Invalidf("--every %s: want whole seconds, at least one", f.every)
	case f.every != 0:
		r.Schedule = &schedule.Trigger{IntervalSeconds: int64(f.every / time.Second)}
	case f.cron != "":
		r.Schedule = &schedule.Trigger{Cron: f.cron, TimeZone: f.zone}
	}
	if f.zone != "" && f.cron == "" {
		return r, fault.Invalidf("--time-zone is that of --cron")
	}
	switch {
	case f.slack != "":
		r.Notify = &event.Notify{Slack: &event.SecretKey{Secret: f.slack}}
	case f.webhook != "":
		r.Notify = &event.Notify{Webhook: &event.WebhookReceiver{URL: f.webhook}}
	case len(f.email) > 0:
		r.Notify = &event.Notify{Email: &event.EmailReceiver{To: f.email, Secret: f.smtp}}
	case f.smtp != "":
		return r, fault.Invalidf("--smtp is for --email")
	}
	if f.then != "" {
		r.Then = &declare.Then{Pipeline: f.then, When: f.when}
	} else if f.when != "" {
		return r, fault.Invalidf("--when is for --then")
	}
	return r, r.Check()
}

func (a *app) monitorsDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a monitor that levada monitors set has made; its runs stay",
		Example: "  levada monitors delete bookings",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			d := client.Declaration{Set: declare.MonitorPrefix + args[0], Resources: []declare.Resource{}}
			planned, err := s.Plan(ctx, d)
			if err == nil && !planned.Changed {
				err = fault.NotFoundf("there is no monitor %q that levada monitors set has made; one that files declare goes with its declaration", args[0])
			}
			if err != nil {
				return err
			}
			return a.apply(ctx, s, d, out)
		})
	}
	return cmd
}

// monitorLine is a monitor in the list.
type monitorLine struct {
	Name    string `json:"name"`
	Looks   string `json:"looks"`
	Paused  bool   `json:"paused,omitempty"`
	Runs    int    `json:"runs"`
	RunID   string `json:"run_id,omitempty"`
	State   string `json:"state,omitempty"`
	Failure string `json:"failure,omitempty"`
	// NotJudged says why the last run that has ended came to no verdict.
	NotJudged string `json:"not_judged,omitempty"`
}

func (a *app) monitorsListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List monitors with what they found last",
		Example: "  levada monitors list",
		Args:    cobra.NoArgs,
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			list, err := monitorLines(ctx, s)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(map[string]any{"monitors": list})
			}
			table := console.NewTable("MONITOR", "LOOKS", "RUNS", "LAST RUN", "STATE", "FOUND")
			table.Flexible = 5
			for _, m := range list {
				state := strings.ToLower(m.State)
				if m.Paused {
					state = "paused"
				}
				found, _, _ := strings.Cut(m.Failure, "\n")
				if found == "" && m.NotJudged != "" {
					found = "not judged: " + m.NotJudged
				}
				table.Add(console.Clean(m.Name), console.Clean(m.Looks), fmt.Sprint(m.Runs), console.ShortID(m.RunID), state, console.Clean(found))
			}
			return a.printTable(table)
		})
	}
	return cmd
}

// monitorLines finds what starts monitors, and the last run of each.
func monitorLines(ctx context.Context, s *session) ([]monitorLine, error) {
	schedules, err := s.Schedules(ctx, declare.MonitorPrefix, "", 200)
	if err != nil {
		return nil, err
	}
	triggers, err := s.Triggers(ctx, declare.MonitorPrefix, "", 200)
	if err != nil {
		return nil, err
	}
	var reports []observe.Stored
	for _, kind := range []observe.Kind{observe.Drift, observe.Check} {
		of, err := s.Reports(ctx, kind)
		if err != nil {
			return nil, err
		}
		reports = append(reports, of...)
	}
	list := []monitorLine{}
	add := func(name, looks string, paused bool) error {
		runs, err := s.Runs(ctx, client.RunQuery{Pipeline: name, PageSize: 1, Archived: "any"})
		if err != nil {
			return err
		}
		m := monitorLine{Name: strings.TrimPrefix(name, declare.MonitorPrefix), Looks: looks, Paused: paused, Runs: runs.Total}
		if len(runs.Runs) > 0 {
			last := runs.Runs[0]
			m.RunID, m.State = last.ID, string(last.State)
			if last.Failure != nil {
				m.Failure = last.Failure.Message
			}
			for _, r := range reports {
				if r.Pipeline == name && last.State != run.Failed { // of one that goes on, the one before it
					m.NotJudged = cmp.Or(m.NotJudged, r.NotJudged)
				}
			}
		}
		list = append(list, m)
		return nil
	}
	for _, r := range schedules.RecurringRuns {
		if strings.HasPrefix(r.DisplayName, declare.MonitorPrefix) {
			if err := add(r.DisplayName, when(r.Trigger), !r.Enabled); err != nil {
				return nil, err
			}
		}
	}
	for _, t := range triggers.Triggers {
		looks := "when a file comes"
		if t.On.Artifact != nil {
			looks = "when an artifact is made"
		}
		if strings.HasPrefix(t.Name, declare.MonitorPrefix) && (t.On.File != nil || t.On.Artifact != nil) {
			if err := add(t.Name, looks, t.Paused); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
