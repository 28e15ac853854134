package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/partition"
)

// backfillFlags are those of `levada backfill`.
type backfillFlags struct {
	definition               definitionFlags
	version, name            string
	experiment, order        string
	only                     []string
	parallel                 int
	noCache, dryRun, waiting bool
	output                   *output
}

// definitionFlags say how a pipeline is partitioned, and other parameters.
type definitionFlags struct {
	parameters         []string
	every, zone        string
	from, to           string
	keys               []string
	numbers, keyFormat string
}

func (f *definitionFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.every, "every", "", "partitions of time: hourly, daily, weekly or monthly; needed once for a pipeline")
	flags.StringVar(&f.zone, "time-zone", "", "`NAME` of the time zone of days and hours, such as Europe/Lisbon (default: UTC)")
	flags.StringVar(&f.keyFormat, "format", "", "how the partition of a time is written, such as %Y%m%d (default: 2013-01-31)")
	flags.StringSliceVar(&f.keys, "keys", nil, "partitions by a list of `KEYS`, separated by commas")
	flags.StringVar(&f.numbers, "numbers", "", "partitions by numbers: `FROM-TO` or FROM-TO/STEP")
}

// definition is what the flags say, nil when they say nothing of it.
func (f *definitionFlags) definition(parameter string) (*partition.Definition, error) {
	if f.every == "" && len(f.keys) == 0 && f.numbers == "" {
		if f.zone != "" || f.keyFormat != "" {
			return nil, fault.Invalidf("--time-zone and --format are for partitions of time; give --every with them")
		}
		return nil, nil
	}
	if parameter == "" {
		return nil, fault.Invalidf("give the parameter that takes the partition: --param NAME")
	}
	d := &partition.Definition{Parameter: parameter, Every: partition.Every(f.every), TimeZone: f.zone, Format: f.keyFormat, Keys: f.keys}
	if f.every != "" {
		if f.from == "" {
			return nil, fault.Invalidf("--every needs the first partition: --from 2013-01-01")
		}
		d.Start = f.from
	}
	if f.numbers != "" {
		n, err := readNumbers(f.numbers)
		if err != nil {
			return nil, err
		}
		d.Numbers = n
	}
	return d, nil
}

// readNumbers reads FROM-TO or FROM-TO/STEP.
func readNumbers(text string) (*partition.Numbers, error) {
	span, step, stepped := strings.Cut(text, "/")
	// A minus sign may stand at the beginning of either.
	middle := strings.Index(strings.TrimPrefix(span, "-"), "-")
	if middle < 0 {
		return nil, fault.Invalidf("--numbers %q: want FROM-TO or FROM-TO/STEP, such as 0-99", text)
	}
	middle += len(span) - len(strings.TrimPrefix(span, "-"))
	n := partition.Numbers{Step: 1}
	texts, into := []string{span[:middle], span[middle+1:]}, []*int64{&n.From, &n.To, &n.Step}
	if stepped {
		texts = append(texts, step)
	}
	for i, t := range texts {
		v, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			return nil, fault.Invalidf("--numbers %q: %q is not a whole number", text, t)
		}
		*into[i] = v
	}
	return &n, nil
}

// partitionParameter splits the values of --param: the one without "=" names the parameter that takes the partition.
func (f *definitionFlags) partitionParameter() (name string, others []string, err error) {
	for _, p := range f.parameters {
		if strings.Contains(p, "=") || strings.HasPrefix(p, "@") {
			others = append(others, p)
			continue
		}
		if name != "" {
			return "", nil, fault.Invalidf("--param names two parameters that take the partition, %q and %q; give other parameters as KEY=VALUE", name, p)
		}
		name = p
	}
	return name, others, nil
}

func (a *app) backfillCommand() *cobra.Command {
	var f backfillFlags
	cmd := &cobra.Command{
		Use:   "backfill PIPELINE",
		Short: "Run a pipeline for each of a range of partitions",
		Long: "Run an uploaded pipeline for each of a range of partitions: days, hours, weeks, months, keys or numbers.\n\n" +
			"The first time say by which parameter it is partitioned, and how: --param day --every daily --from 2013-01-01. From then on\n" +
			"\"levada partitions PIPELINE\" shows what is there, failed, stale or missing. Only what is missing is run, unless --only says otherwise.\n" +
			"The server goes on with it, also after a restart. PIPELINE is the id or the name of the pipeline.",
		Example: "  levada backfill flights --param day --every daily --from 2013-01-01 --to 2013-03-31 --parallel 4\n" +
			"  levada backfill flights --from 2013-03 --only failed,stale --dry-run\n" +
			"  levada backfill flights --param day -p rows=1000 --order newest --wait",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.backfill(cmd, args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.definition.parameters, "param", "p", nil, "`NAME` of the parameter that takes the partition, or KEY=VALUE for another one; may be given several times")
	flags.StringVar(&f.definition.from, "from", "", "the first partition, or a time in it (default: the first there is)")
	flags.StringVar(&f.definition.to, "to", "", "the last partition, or a time in it (default: the last there is)")
	f.definition.register(cmd)
	flags.StringSliceVar(&f.only, "only", nil, "`STATES` of the partitions to run: missing, failed, stale, done, or all (default: missing)")
	flags.StringVar(&f.order, "order", "", "which partition comes first: oldest or newest (default: oldest)")
	flags.IntVar(&f.parallel, "parallel", 0, "how many of its runs may be active at once, 1 to 100 (default: 4)")
	flags.StringVar(&f.version, "version", "", "`ID` of the pipeline's version (default: the newest of now)")
	flags.StringVar(&f.name, "name", "", "display name of the backfill, with which the names of its runs begin")
	flags.StringVar(&f.experiment, "experiment", "", "`NAME` of the experiment to file the runs under, created if it is missing")
	flags.BoolVar(&f.noCache, "no-cache", false, "run every step, also those whose results are known")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would run, and run nothing")
	flags.BoolVar(&f.waiting, "wait", false, "wait for the end; the exit status is 1 when a run did not succeed")
	f.output = addOutput(cmd)
	a.addServer(cmd)
	return cmd
}

func (a *app) backfill(cmd *cobra.Command, name string, f backfillFlags) error {
	parameter, others, err := f.definition.partitionParameter()
	if err != nil {
		return err
	}
	definition, err := f.definition.definition(parameter)
	if err != nil {
		return err
	}
	only, err := readStates(f.only)
	if err != nil {
		return err
	}
	return a.look(cmd, func(ctx context.Context, s *session) error {
		if s.local && !f.dryRun {
			return fault.Invalidf("a backfill needs a server that goes on with it; start one with \"levada up\"")
		}
		p, err := findPipeline(ctx, s, name)
		if err != nil {
			return err
		}
		ask := client.Backfill{PipelineID: p.ID, VersionID: f.version, DisplayName: f.name, Experiment: f.experiment, Cache: !f.noCache,
			Parameter: parameter, Partitions: definition, From: f.definition.from, To: f.definition.to, Only: only,
			Order: catalog.BackfillOrder(f.order), Parallel: f.parallel}
		if len(others) > 0 {
			inputs, err := s.PipelineInputs(ctx, p.ID, f.version)
			if err != nil {
				return err
			}
			if ask.Parameters, err = parametersOf(others, inputs); err != nil {
				return err
			}
		}
		if f.dryRun {
			return a.planBackfill(ctx, s, p, ask, f.output.json())
		}
		b, err := s.CreateBackfill(ctx, ask)
		if err != nil {
			return err
		}
		return a.startedBackfill(ctx, s, b, f)
	})
}

// readStates reads the value of --only.
func readStates(words []string) ([]partition.State, error) {
	var out []partition.State
	for _, w := range words {
		switch state := partition.State(strings.TrimSpace(w)); state {
		case "all":
			out = append(out, partition.Missing, partition.Failed, partition.Stale, partition.Done)
		case partition.Missing, partition.Failed, partition.Stale, partition.Done:
			out = append(out, state)
		default:
			return nil, fault.Invalidf("--only %q: want missing, failed, stale, done or all", w)
		}
	}
	return out, nil
}

// planBackfill prints what a backfill would run.
func (a *app) planBackfill(ctx context.Context, s *session, p catalog.Pipeline, ask client.Backfill, asJSON bool) error {
	plan, err := s.PlanBackfill(ctx, ask)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(plan)
	}
	table := console.NewTable("PARTITION", "IS", "BECAUSE")
	for _, st := range plan.Partitions {
		table.Add(console.Clean(st.Key), string(st.State), console.Clean(st.Why))
	}
	if len(plan.Partitions) > 0 {
		if err := a.printTable(table); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(a.deps.Stdout, "%s of %s would run, %d at once%s. Nothing was started.\n", count(len(plan.Partitions), "partition"),
		console.Clean(p.DisplayName), plan.Backfill.Parallel, leftOut(plan.Left))
	return err
}

// leftOut says how many partitions of a range are left out, and why.
func leftOut(left map[partition.State]int) string {
	var parts []string
	for _, state := range partition.States() {
		if n := left[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if parts == nil {
		return ""
	}
	return "; left out: " + strings.Join(parts, ", ")
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// startedBackfill says that a backfill was made, and waits for its end if that is asked for.
func (a *app) startedBackfill(ctx context.Context, s *session, b catalog.Backfill, f backfillFlags) error {
	if !f.output.json() {
		if b.Progress.Total == 0 {
			_, err := fmt.Fprintln(a.deps.Stdout, "Nothing to do: no partition of the range is in such a state.")
			return err
		}
		fmt.Fprintf(a.deps.Stdout, "Started %s (%s): %s, %d at once\n", console.Clean(b.DisplayName), b.ID, count(b.Progress.Total, "partition"), b.Parallel)
	}
	if !f.waiting {
		if f.output.json() {
			return a.printJSON(b)
		}
		_, err := fmt.Fprintf(a.deps.Stdout, "Follow it with: levada backfills show %s\n", console.ShortID(b.ID))
		return err
	}
	b, err := a.awaitBackfill(ctx, s, b, f.output.json())
	if err != nil {
		return err
	}
	if f.output.json() {
		err = a.printJSON(b)
	} else {
		_, err = fmt.Fprintf(a.deps.Stdout, "%s: %s\n", b.State, progressWords(b.Progress))
	}
	if err == nil && b.State != catalog.BackfillSucceeded {
		if b.Failure != "" {
			fmt.Fprintf(a.deps.Stderr, "levada: %s\n", console.Clean(b.Failure))
		}
		return exitStatus(ExitFailed)
	}
	return err
}

// awaitBackfill asks for a backfill until it has come to rest, and says how far it is when that changes.
func (a *app) awaitBackfill(ctx context.Context, s *session, b catalog.Backfill, quiet bool) (catalog.Backfill, error) {
	const pause, between = 300 * time.Millisecond, 2 * time.Second
	said, last := a.deps.Now(), ""
	for {
		now, err := s.Backfill(ctx, b.ID)
		if err != nil {
			return b, err
		}
		if now.State.Ended() || now.State == catalog.BackfillPaused {
			return now, nil
		}
		if words := progressWords(now.Progress); !quiet && words != last && a.deps.Now().Sub(said) >= between {
			fmt.Fprintln(a.deps.Stderr, words)
			said, last = a.deps.Now(), words
		}
		select {
		case <-ctx.Done():
			fmt.Fprintf(a.deps.Stderr, "levada: the backfill goes on; stop it with \"levada backfills cancel %s\"\n", console.ShortID(b.ID))
			return now, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// progressWords says how far a backfill is: "12 of 90 done, 4 running, 1 failed, 73 waiting".
func progressWords(p catalog.BackfillProgress) string {
	words := fmt.Sprintf("%d of %d done", p.Succeeded, p.Total)
	for _, part := range []struct {
		n    int
		word string
	}{{p.Running, "running"}, {p.Failed, "failed"}, {p.Canceled, "canceled"}, {p.Deleted, "deleted"}, {p.Waiting, "waiting"}} {
		if part.n > 0 {
			words += fmt.Sprintf(", %d %s", part.n, part.word)
		}
	}
	return words
}

// findPipeline takes an id or a name.
func findPipeline(ctx context.Context, s *session, name string) (catalog.Pipeline, error) {
	all, err := s.Pipelines(ctx, "")
	if err != nil {
		return catalog.Pipeline{}, err
	}
	named, err := s.Pipelines(ctx, name) // where there are more than a page
	if err != nil {
		return catalog.Pipeline{}, err
	}
	var found []catalog.Pipeline
	for _, p := range append(all, named...) {
		if (p.ID == name || p.Name == name || p.DisplayName == name) && !slices.ContainsFunc(found, func(f catalog.Pipeline) bool { return f.ID == p.ID }) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return catalog.Pipeline{}, fault.NotFoundf("there is no pipeline %q on the server; upload it first, on the page Pipelines or with kfp.Client.upload_pipeline", name)
	case 1:
		return found[0], nil
	}
	return catalog.Pipeline{}, fault.Invalidf("%q means %d pipelines; name one by its id, such as %s", name, len(found), found[0].ID)
}
