package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"levada/internal/cli/console"
	"levada/internal/core/drift"
	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// driftFlags are the flags of `levada data drift`.
type driftFlags struct {
	columns, ignore, embeddings            []string
	methods, thresholds, kinds, importance map[string]string
	numerical, categorical, text           string
	target, prediction, season, time       string
	share, fdr                             float64
	seed                                   uint64
	multivariate                           bool
	all                                    bool
	html, vanished                         string
}

func (a *app) dataDriftCommand() *cobra.Command {
	var f driftFlags
	cmd := &cobra.Command{
		Use:   "drift REFERENCE CURRENT",
		Short: "Say whether a table has changed against another",
		Long: "Compare each column of CURRENT with that of REFERENCE (Parquet, CSV, JSON lines, or a directory of them) by the test that fits its\n" +
			"type and size, and list the columns: what changed most and matters most first.\n\n" +
			"The exit status is 0 where the table has not drifted, 1 where at least the share --share of its columns has, and 2 for bad input.",
		Example: "  levada data drift january.parquet february.parquet\n" +
			"  levada data drift train.csv today.csv --target delay --prediction predicted --method carrier=psi --html drift.html\n" +
			"  levada data drift 2012.parquet july.parquet --season month --time day",
		Args: cobra.ExactArgs(2),
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.columns, "columns", nil, "compare these columns only, by `NAME,NAME`")
	flags.StringSliceVar(&f.ignore, "ignore", nil, "compare all but these columns, by `NAME,NAME`")
	flags.StringToStringVar(&f.methods, "method", nil, "a method for a column, as `COLUMN=METHOD`; may be repeated")
	flags.StringToStringVar(&f.thresholds, "threshold", nil, "a limit for a column's score, as `COLUMN=NUMBER`")
	flags.StringToStringVar(&f.kinds, "kind", nil, "how a column is compared, as `COLUMN=KIND`: numerical, categorical or text")
	flags.StringVar(&f.numerical, "numerical-method", "", "`METHOD` for all numerical columns")
	flags.StringVar(&f.categorical, "categorical-method", "", "`METHOD` for all categorical columns")
	flags.StringVar(&f.text, "text-method", "", "`METHOD` for all columns of text")
	flags.StringVar(&f.target, "target", "", "`COLUMN` of the target; features are then ranked by how much of it they explain")
	flags.StringVar(&f.prediction, "prediction", "", "`COLUMN` of the model's prediction")
	flags.StringToStringVar(&f.importance, "importance", nil, "the weight of a column in the ranking, as `COLUMN=NUMBER`")
	flags.Float64Var(&f.share, "share", drift.DefaultShare, "the `SHARE` of drifted columns from which on the table has drifted")
	flags.Float64Var(&f.fdr, "fdr", 0, "hold the share of false alarms among columns with p-values to `RATE` (Benjamini-Hochberg)")
	flags.StringVar(&f.season, "season", "", "compare with rows of the same `PERIOD` only: month, weekday, hour or weekday-hour")
	flags.StringVar(&f.time, "time", "", "`COLUMN` of the time, for --season")
	flags.StringArrayVar(&f.embeddings, "embedding", nil, "compare columns together as a vector, as `NAME=COLUMN,COLUMN` or NAME=PREFIX*")
	flags.BoolVar(&f.multivariate, "multivariate", false, "also compare all columns together (PCA reconstruction, domain classifier)")
	flags.Uint64Var(&f.seed, "seed", 0, "`SEED` of the methods that draw at random")
	flags.BoolVar(&f.all, "all", false, "list all columns")
	flags.StringVar(&f.vanished, "vanished", "drift", "what columns that only REFERENCE has count as: `drift`, or note to say so and no more")
	flags.StringVar(&f.html, "html", "", "write the report as a web page to `FILE`")
	g, asJSON := addGate(cmd), dataOutput(cmd)
	cmd.MarkFlagsMutuallyExclusive("columns", "ignore")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := g.check(); err != nil {
			return err
		}
		defer collectOften()()
		return a.openTable(args[0], func(reference table.Source) error {
			return a.openTable(args[1], func(current table.Source) error {
				r, err := compareForDrift(cmd.Context(), reference, current, f, g.minRows, args)
				switch {
				case err != nil:
					return err
				case asJSON():
					err = a.printJSON(r)
				default:
					err = a.printDrift(r, f.all, args)
				}
				if err != nil {
					return err
				}
				return a.settle(g, !r.Drifted, r, driftedColumns(r))
			})
		})
	}
	return cmd
}

// driftedColumns says in a line how many columns have drifted, and which of them matter most.
func driftedColumns(r drift.Report) string {
	var names []string
	for _, c := range r.Columns {
		if c.Drifted && len(names) < mostTold {
			how := c.Note // of one that could not be compared
			if c.Label != "" {
				how = c.Label + " " + scoreOf(c.Score)
			}
			names = append(names, fmt.Sprintf("%s (%s)", console.Cut(c.Name, 60), how))
		}
	}
	line := r.Verdict()
	if len(names) > 0 {
		line += "; first " + strings.Join(names, ", ")
	}
	return line
}

// compareForDrift makes the report, and the page of it where one is wanted.
func compareForDrift(ctx context.Context, reference, current table.Source, f driftFlags, minRows int64, paths []string) (drift.Report, error) {
	o, err := f.options(reference, current)
	if err != nil {
		return drift.Report{}, err
	}
	o.MinRows = minRows
	r, err := drift.Compare(ctx, reference, current, o)
	if err != nil || f.html == "" {
		return r, err
	}
	var page bytes.Buffer
	if err := drift.WritePage(&page, r, filepath.Base(paths[0]), filepath.Base(paths[1])); err != nil {
		return r, err
	}
	return r, writeReport(f.html, page.Bytes())
}

func (f driftFlags) options(reference, current table.Source) (drift.Options, error) {
	o := drift.Options{
		Columns: f.columns, Methods: f.methods, Method: map[drift.Kind]string{}, Kinds: map[string]drift.Kind{},
		Target: f.target, Prediction: f.prediction, Share: f.share, FalseDiscovery: f.fdr, Multivariate: f.multivariate,
		Season: drift.Season(f.season), TimeColumn: f.time, Seed: f.seed, Each: eachProcessor,
		AtOnce: int64(runtime.GOMAXPROCS(0)) * driftMemory, SparesVanished: f.vanished == "note",
	}
	if f.vanished != "note" && f.vanished != "drift" {
		return o, fault.Invalidf("--vanished %q: want drift or note", f.vanished)
	}
	for kind, method := range map[drift.Kind]string{drift.Numerical: f.numerical, drift.Categorical: f.categorical, drift.Text: f.text} {
		if method != "" {
			o.Method[kind] = method
		}
	}
	if len(f.ignore) > 0 {
		for _, c := range append(reference.Columns(), current.Columns()...) {
			if !slices.Contains(f.ignore, c.Name) && !slices.Contains(o.Columns, c.Name) {
				o.Columns = append(o.Columns, c.Name)
			}
		}
	}
	for column, kind := range f.kinds {
		o.Kinds[column] = drift.Kind(kind)
		if k := o.Kinds[column]; k != drift.Numerical && k != drift.Categorical && k != drift.Text {
			return o, fault.Invalidf("--kind %s=%s: a column is numerical, categorical or text", column, kind)
		}
	}
	if f.season != "" && f.time == "" {
		return o, fault.Invalidf("--season needs --time, the column of the time")
	}
	var err error
	if o.Thresholds, err = numbers("threshold", f.thresholds); err != nil {
		return o, err
	}
	if o.Importance, err = numbers("importance", f.importance); err != nil {
		return o, err
	}
	for _, e := range f.embeddings {
		embedding, err := embeddingOf(e, reference)
		if err != nil {
			return o, err
		}
		o.Embeddings = append(o.Embeddings, embedding)
	}
	return o, nil
}

// numbers reads COLUMN=NUMBER.
func numbers(flag string, given map[string]string) (map[string]float64, error) {
	out := map[string]float64{}
	for _, column := range slices.Sorted(maps.Keys(given)) {
		v, err := strconv.ParseFloat(given[column], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fault.Invalidf("--%s %s=%s: a number is wanted", flag, column, given[column])
		}
		out[column] = v
	}
	return out, nil
}

// embeddingOf reads NAME=COLUMN,COLUMN or NAME=PREFIX*, with a method as NAME:METHOD.
func embeddingOf(text string, reference table.Source) (drift.Embedding, error) {
	name, list, found := strings.Cut(text, "=")
	if !found || name == "" || list == "" {
		return drift.Embedding{}, fault.Invalidf("--embedding %s: want NAME=COLUMN,COLUMN or NAME=PREFIX*", text)
	}
	name, method, _ := strings.Cut(name, ":")
	e := drift.Embedding{Name: name, Method: method}
	for part := range strings.SplitSeq(list, ",") {
		prefix, wild := strings.CutSuffix(part, "*")
		if !wild {
			e.Columns = append(e.Columns, part)
			continue
		}
		for _, c := range reference.Columns() {
			if strings.HasPrefix(c.Name, prefix) {
				e.Columns = append(e.Columns, c.Name)
			}
		}
	}
	return e, nil
}

// collectOften has the collector run often until the function that it returns is called: most of the memory is columns of numbers, which it
// need not look into, so that it costs little.
func collectOften() (end func()) {
	before := debug.SetGCPercent(20)
	if before != 100 { // GOGC says otherwise
		debug.SetGCPercent(before)
	}
	return func() { debug.SetGCPercent(before) }
}

// driftMemory is how many bytes of numbers are held for each processor.
const driftMemory = 128 << 20

// eachProcessor calls do for 0 to n-1, as many at a time as there are processors.
func eachProcessor(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		if inner.Err() != nil {
			break
		}
		g.Go(func() error { return do(inner, i) })
	}
	return cmp.Or(g.Wait(), ctx.Err()) // it may have ended between two of them
}

// mostCalm is how many columns that have not drifted are listed without --all.
const mostCalm = 20

// printDrift prints a report about the tables at two paths.
func (a *app) printDrift(r drift.Report, all bool, paths []string) error {
	if err := a.printDrifted(r, all); err != nil {
		return err
	}
	return printMisread(a.deps.Stdout, paths, r.ReferenceFindings, r.CurrentFindings)
}

func (a *app) printDrifted(r drift.Report, all bool) error {
	style := a.style(a.deps.Stdout)
	verdict := style.Good(r.Verdict())
	if r.Drifted {
		verdict = style.Bad(r.Verdict())
	}
	fmt.Fprintf(a.deps.Stdout, "%s\n%d rows of the reference, %d current rows\n", verdict, r.ReferenceRows, r.CurrentRows)
	if r.Season != "" {
		fmt.Fprintln(a.deps.Stdout, console.Clean(r.Season))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(a.deps.Stdout, "%s %s: %s\n", style.Warn(f.Kind), console.Cut(console.Clean(f.Column), 60), console.Clean(f.Text))
	}
	if r.NotJudged != "" {
		return nil
	}
	fmt.Fprintln(a.deps.Stdout)
	for _, j := range r.Together {
		fmt.Fprintf(a.deps.Stdout, "%s (%d columns): %s %s, limit %s%s\n", console.Cut(console.Clean(j.Name), 40), j.Columns, j.Label,
			scoreOf(j.Score), drift.Figure(j.Threshold), driftWord(j.Drifted, style))
	}
	t := console.NewTable("COLUMN", "", "METHOD", "SCORE", "LIMIT", "DRIFT", "EFFECT", "IMPORTANCE", "REFERENCE", "CURRENT", "NOTE")
	t.Flexible = 10
	calm, left := 0, 0
	for _, c := range r.Columns {
		if !c.Drifted && !all {
			if calm++; calm > mostCalm {
				left++
				continue
			}
		}
		role := ""
		if c.Role != "feature" {
			role = c.Role
		}
		limit := ""
		if c.Method != "" {
			limit = drift.Figure(c.Threshold)
		}
		t.Add(console.Cut(console.Clean(c.Name), 32), role, c.Label, scoreOf(c.Score), limit, strings.TrimPrefix(driftWord(c.Drifted, style), ": "),
			scoreOf(c.Effect), scoreOf(c.Importance), shownSummary(c.Reference), shownSummary(c.Current), console.Clean(c.Note))
	}
	if err := a.printTable(t); err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintf(a.deps.Stdout, "%d more columns have not drifted; --all lists them\n", left)
	}
	return nil
}

func scoreOf(v *float64) string {
	if v == nil {
		return ""
	}
	return drift.Figure(*v)
}

func driftWord(drifted bool, style console.Style) string {
	if drifted {
		return ": " + style.Bad("drift")
	}
	return ""
}

// shownSummary is mean and standard deviation of numbers, and the count of different values of others.
func shownSummary(s drift.Summary) string {
	switch {
	case s.Mean != nil && s.SD != nil:
		return strconv.FormatFloat(*s.Mean, 'g', 4, 64) + " ± " + strconv.FormatFloat(*s.SD, 'g', 3, 64)
	case s.Distinct > 0:
		return strconv.FormatInt(s.Distinct, 10) + " values"
	}
	return ""
}
