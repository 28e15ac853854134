package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/traffic"
)

// deployCommand is "levada deploy".
func (a *app) deployCommand() *cobra.Command {
	var name, file, as, secret, protocol, report string
	var percent float64
	var wait bool
	var limit time.Duration
	var settings endpoint.Settings
	cmd := &cobra.Command{
		Use:     "deploy MODEL --endpoint NAME | -f FILE",
		Short:   "Serve a version of a registered model at an endpoint, or the endpoints and inference graphs of a file",
		Long:    deployLong,
		Example: deployExamples,
		Args:    cobra.MaximumNArgs(1),
	}
	a.addServer(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&name, "endpoint", "e", "", "`NAME` of the endpoint")
	flags.Float64Var(&percent, "percent", 100, "`SHARE` of the requests that the version gets; the others keep theirs in proportion")
	flags.StringVar(&as, "as", "", "`NAME` of what another server serves, in place of the number of a version (\"remote\" without it)")
	flags.StringVar(&secret, "secret", "", "`SECRET` whose key token is sent to that server as bearer token")
	flags.StringVar(&protocol, "protocol", "", "`PROTOCOL` of that server: oip (Open Inference Protocol over REST, the default), oip-grpc or mlflow")
	flags.BoolVar(&wait, "wait", false, "return when the version answers, or cannot be loaded")
	flags.DurationVar(&limit, "wait-limit", 15*time.Minute, "how long to wait")
	flags.StringVar(&report, "report", "", "write how the endpoint is as JSON to `FILE`, for the step of a pipeline")
	changed := addServeSettings(flags, &settings)
	out := addOutput(cmd)
	flags.StringVarP(&file, "file", "f", "", "`FILE` or directory that declares endpoints and inference graphs")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if file != "" {
			if len(args) > 0 || name != "" || as != "" || secret != "" || protocol != "" || report != "" || cmd.Flags().Changed("percent") || changed() {
				return fault.Invalidf("-f takes everything from the file: leave out the model, --endpoint, --percent, --as, --secret, --protocol, --report and settings")
			}
			return a.deployFile(cmd, file, wait, limit, out)
		}
		if err := checkDeployed(name, args); err != nil {
			return err
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			ask := client.DeployModel{Model: args[0], As: as, Secret: secret, Protocol: protocol}
			if cmd.Flags().Changed("percent") {
				ask.Percent = &percent
			}
			if changed() {
				merged, err := settingsOf(ctx, s, name, cmd.Flags(), settings)
				if err != nil {
					return err
				}
				ask.Settings = &merged
			}
			if !wait {
				limit = 0
			}
			return a.deploy(ctx, s, name, ask, limit, report, out)
		})
	}
	return cmd
}

const deployLong = "Serve a version of a registered model at an endpoint. MODEL is models:/NAME@ALIAS or models:/NAME/VERSION; or what another\n" +
	"server serves over the Open Inference Protocol: https://HOST/v2/models/NAME, under a name in place of the number of a version.\n\n" +
	"The endpoint is made if it is not there. If it is, the version is loaded beside what is served, and gets the requests when it is\n" +
	"ready: all of them, or with --percent a share. An alias is resolved once, now.\n\n" +
	"With -f the endpoints and inference graphs that FILE declares are made or changed; docs/inference-graphs.md describes them. Endpoints come\n" +
	"first. Unlike with \"levada apply\" nothing is deleted."

const deployExamples = "  levada deploy models:/flights@champion --endpoint flights --wait\n  levada deploy models:/flights/4 --endpoint flights --percent 10\n" +
	"  levada deploy models:/flights/5 --endpoint flights --percent 0      # dark: answers only who asks for it\n" +
	"  levada deploy https://models.example.com/v2/models/flights --endpoint flights --as old --secret models --percent 90\n" +
	"  levada deploy -f graph.yaml --wait"

// checkDeployed refuses a deployment that does not say what, or where.
func checkDeployed(name string, args []string) error {
	if len(args) == 0 {
		return fault.Invalidf("nothing to deploy is named: give a model, such as models:/NAME@ALIAS, or -f FILE")
	}
	if name == "" {
		return fault.Invalidf("no endpoint is named: add --endpoint NAME")
	}
	if endpoint.IsRemote(args[0]) {
		return nil
	}
	_, _, err := endpoint.ParseReference(args[0])
	return err
}

// deploy deploys a version, and waits up to limit until it answers, unless that is 0.
func (a *app) deploy(ctx context.Context, s *session, name string, ask client.DeployModel, limit time.Duration, report string, out *output) error {
	if limit > 0 && s.local {
		return noServer("wait for a version that answers")
	}
	e, err := s.Deploy(ctx, name, ask)
	if err == nil && limit > 0 {
		e, err = a.awaitEndpoint(ctx, s, e, limit, out.json())
	}
	if err == nil {
		err = writeJSON(report, e)
	}
	if err != nil {
		return err
	}
	if out.json() {
		return a.printJSON(e)
	}
	return a.printDeployed(e, s.local)
}

func noServer(what string) error {
	return fault.Unavailablef("no server is running that could %s: start one with \"levada up\"", what)
}

func (a *app) printDeployed(e client.Endpoint, local bool) error {
	text := fmt.Sprintf("Endpoint %s: %s\n", e.Name, describeEndpoint(e))
	if local {
		text += "No server is running: the next \"levada up\" serves it.\n"
	}
	_, err := fmt.Fprint(a.deps.Stdout, text)
	return err
}

// describeEndpoint says in one line who gets which share.
func describeEndpoint(e client.Endpoint) string {
	var parts []string
	for _, share := range e.Spec.Traffic.Split {
		parts = append(parts, fmt.Sprintf("version %s %.4g %%", share.Version, share.Percent))
	}
	what := strings.Join(parts, ", ")
	if e.Spec.Model != "" {
		what += " of model " + console.Clean(e.Spec.Model)
	}
	return fmt.Sprintf("%s (%s)", what, strings.ToLower(e.State))
}

// serveSettings are the settings of an endpoint as flags.
func addServeSettings(flags *pflag.FlagSet, s *endpoint.Settings) (changed func() bool) {
	flags.StringVar(&s.Description, "description", "", "what the endpoint is for")
	flags.IntVar(&s.Workers, "workers", 0, "`PROCESSES` for each version (default 1)")
	flags.IntVar(&s.MaxWorkers, "max-workers", 0, "most `PROCESSES` while requests wait (default: as many as --workers)")
	flags.IntVar(&s.Threads, "threads", 0, "`THREADS` of numerical libraries in a worker (default 1)")
	flags.IntVar(&s.MaxBatch, "max-batch", 0, "most `ROWS` that are given to the model at once (default 256)")
	flags.IntVar(&s.BatchLatencyMS, "batch-latency-ms", 0, "batches are kept small enough to take no longer than `MS` (default 100)")
	flags.Float64Var(&s.BatchDelayMS, "batch-delay-ms", 0, "wait up to `MS` for others to join a request (default 0)")
	flags.IntVar(&s.QueueLimit, "queue-limit", 0, "`REQUESTS` that may wait; more are refused at once (default 512)")
	flags.IntVar(&s.TimeoutMS, "timeout-ms", 0, "how long a request may take (default 30000)")
	flags.IntVar(&s.LoadTimeoutSeconds, "load-timeout-seconds", 0, "how long loading the model may take (default 300)")
	flags.IntVar(&s.MemoryMB, "memory-mb", 0, "`MIB` that a worker may use (default: no limit)")
	flags.IntVar(&s.IdleSeconds, "idle-seconds", 0, "end the workers after `SECONDS` without a request, until the next one (default: never)")
	addLogSettings(flags, s)
	addLookupSettings(flags, s)
	flags.String("rollout-plan", "", "`PLAN` of rollouts that bring none, a file of YAML or JSON; none has none")
	return func() bool { return slices.ContainsFunc(serveFlags, flags.Changed) }
}

// serveFlags are the flags that addServeSettings declares.
var serveFlags = []string{"description", "workers", "max-workers", "threads", "max-batch", "batch-latency-ms", "batch-delay-ms", "queue-limit",
	"timeout-ms", "load-timeout-seconds", "memory-mb", "idle-seconds", "log-sample", "log-drop", "log-keep-pii", "log-prediction", "log-keep-days", "log-keep-mb",
	"lookup", "lookup-key", "lookup-columns", "lookup-missing", "lookup-default", "lookup-max-mb", "rollout-plan"}

// settingsOf are the settings of an endpoint, where it is there, with what the flags change.
func settingsOf(ctx context.Context, s *session, name string, flags *pflag.FlagSet, given endpoint.Settings) (endpoint.Settings, error) {
	e, err := s.Endpoint(ctx, name)
	if fault.KindOf(err) == fault.NotFound {
		if given.Log, given.Lookup, err = logAndLookup(endpoint.Settings{}, given, flags); err == nil {
			given.Rollout, err = rolloutOf(nil, flags)
		}
		return given, err
	}
	if err != nil {
		return given, err
	}
	before := e.Spec.Settings
	if before.Log, before.Lookup, err = logAndLookup(before, given, flags); err != nil {
		return given, err
	}
	if before.Rollout, err = rolloutOf(before.Rollout, flags); err != nil {
		return given, err
	}
	take := func(flag string, f func()) {
		if flags.Changed(flag) {
			f()
		}
	}
	take("description", func() { before.Description = given.Description })
	take("workers", func() { before.Workers = given.Workers })
	take("max-workers", func() { before.MaxWorkers = given.MaxWorkers })
	take("threads", func() { before.Threads = given.Threads })
	take("max-batch", func() { before.MaxBatch = given.MaxBatch })
	take("batch-latency-ms", func() { before.BatchLatencyMS = given.BatchLatencyMS })
	take("batch-delay-ms", func() { before.BatchDelayMS = given.BatchDelayMS })
	take("queue-limit", func() { before.QueueLimit = given.QueueLimit })
	take("timeout-ms", func() { before.TimeoutMS = given.TimeoutMS })
	take("load-timeout-seconds", func() { before.LoadTimeoutSeconds = given.LoadTimeoutSeconds })
	take("memory-mb", func() { before.MemoryMB = given.MemoryMB })
	take("idle-seconds", func() { before.IdleSeconds = given.IdleSeconds })
	return before, nil
}

// awaitEndpoint waits until what was asked for is followed and its other versions, which get no requests, are loaded too. It says on
// standard error what goes on meanwhile.
func (a *app) awaitEndpoint(ctx context.Context, s *session, e client.Endpoint, limit time.Duration, quiet bool) (client.Endpoint, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fault.Unavailablef("endpoint %s is not ready after %s; \"levada endpoints %s\" shows how it is", e.Name, limit, e.Name))
	defer cancel()
	said := ""
	failedBefore := map[string]bool{}
	for _, v := range e.Versions {
		failedBefore[v.Version] = v.State == endpoint.Failed
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		switch e.State {
		case "READY":
			if loaded, err := allLoaded(e, failedBefore); loaded || err != nil {
				return e, err
			}
		case "FAILED":
			return e, fault.Unavailablef("endpoint %s: %s", e.Name, e.Trouble)
		}
		if now := progressOf(e); now != said && !quiet {
			said = now
			fmt.Fprintln(a.deps.Stderr, now)
		}
		select {
		case <-ctx.Done():
			return e, context.Cause(ctx)
		case <-tick.C:
		}
		name := e.Name
		var err error
		if e, err = s.Endpoint(ctx, name); err != nil {
			if ctx.Err() != nil {
				return e, context.Cause(ctx)
			}
			return e, err
		}
	}
}

// allLoaded says whether no version of an endpoint is on its way, and fails where one could not be loaded that had not failed before.
func allLoaded(e client.Endpoint, failedBefore map[string]bool) (bool, error) {
	loaded := true
	for _, v := range e.Versions {
		if !slices.Contains(e.Spec.Versions, v.Version) {
			continue
		}
		switch v.State {
		case endpoint.Building, endpoint.Loading:
			loaded = false
		case endpoint.Failed:
			if !failedBefore[v.Version] {
				return false, fault.Unavailablef("endpoint %s: version %s could not be loaded: %s", e.Name, v.Version, v.Error)
			}
		}
	}
	return loaded, nil
}

func progressOf(e client.Endpoint) string {
	var parts []string
	for _, v := range e.Versions {
		if v.State == endpoint.Ready || !slices.Contains(e.Spec.Versions, v.Version) {
			continue
		}
		text := "version " + v.Version + ": " + strings.ToLower(string(v.State))
		if v.Error != "" {
			text += ": " + console.Clean(v.Error)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// trafficCommand is "levada traffic".
func (a *app) trafficCommand() *cobra.Command {
	var sticky, wait bool
	var shadows []string
	var keyHeader string
	cmd := &cobra.Command{
		Use:   "traffic ENDPOINT VERSION=PERCENT...",
		Short: "Share an endpoint's requests between its versions",
		Long: "Share an endpoint's requests between versions that are deployed there. The percents add up to 100. With --sticky, requests with the same\n" +
			"key (header X-Levada-Key) get the same version, and a version that grows takes only the keys it needs. Rules stay as they are.",
		Example: "  levada traffic flights 3=90 4=10 --sticky\n  levada traffic flights 3=100 --shadow 4=20",
		Args:    cobra.MinimumNArgs(2),
	}
	a.addServer(cmd)
	cmd.Flags().BoolVar(&sticky, "sticky", false, "requests with the same key get the same version")
	cmd.Flags().StringVar(&keyHeader, "key-header", "", "`HEADER` whose value is the key (default X-Levada-Key)")
	cmd.Flags().StringArrayVar(&shadows, "shadow", nil, "`VERSION=PERCENT` of the requests that a version gets copies of")
	cmd.Flags().BoolVar(&wait, "wait", false, "return when requests follow it")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		split, err := readShares(args[1:])
		if err != nil {
			return err
		}
		copies, err := readShares(shadows)
		if err != nil {
			return err
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			e, err := s.Endpoint(ctx, args[0])
			if err != nil {
				return err
			}
			plan := e.Spec.Traffic
			plan.Split = split
			if cmd.Flags().Changed("sticky") {
				plan.Sticky = sticky
			}
			if keyHeader != "" {
				plan.KeyHeader = keyHeader
			}
			if cmd.Flags().Changed("shadow") {
				plan.Shadows = nil
				for _, c := range copies {
					plan.Shadows = append(plan.Shadows, traffic.Shadow(c))
				}
			}
			if e, err = s.SetTraffic(ctx, args[0], plan); err != nil {
				return err
			}
			if wait && !s.local {
				if e, err = a.awaitEndpoint(ctx, s, e, 15*time.Minute, out.json()); err != nil {
					return err
				}
			}
			if out.json() {
				return a.printJSON(e)
			}
			return a.printDeployed(e, s.local)
		})
	}
	return cmd
}

func readShares(args []string) ([]traffic.Share, error) {
	var out []traffic.Share
	for _, arg := range args {
		version, text, ok := strings.Cut(arg, "=")
		percent, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
		if !ok || err != nil || version == "" {
			return nil, fault.Invalidf("%q: want VERSION=PERCENT, such as 4=10", arg)
		}
		out = append(out, traffic.Share{Version: version, Percent: percent})
	}
	return out, nil
}
