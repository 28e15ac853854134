package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/expect"
	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// checkFlags are the flags of levada data check.
type checkFlags struct {
	suite, suiteText, environment, format, level string
	schema, schemaText, training, previous       string
	parameters, tables, index                    []string
	all                                          bool
	examples, mostValues                         int
}

func (a *app) dataCheckCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check PATH --suite FILE | --schema FILE",
		Short: "Check a table against expectations or a schema",
		Long: "Check a table against expectations, in the short YAML form or in Great Expectations' JSON form (see docs/data-checks.md).\n" +
			"What fails is listed first, with examples and row numbers; row 1 is the first. The exit status is 0 when all expectations\n" +
			"hold, 1 when some do not, and 2 when the suite or the table cannot be read.\n\n" +
			"With --schema, against a schema as levada data schema writes it, or TensorFlow Data Validation's own (schema.pbtxt).",
		Example: "  levada data check flights.parquet --suite flights.yaml\n" +
			"  levada data check batch.csv --suite suite.json --environment serving --format gx > result.json\n" +
			"  levada data check requests.jsonl --schema schema.yaml --environment serving --training train.parquet",
		Args: cobra.ExactArgs(1),
	}
	f.add(cmd)
	g := addGate(cmd)
	asJSON := dataOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.format != "" && f.format != "gx" {
			return fault.Invalidf("--format %q: want gx", f.format)
		}
		if err := g.check(); err != nil {
			return err
		}
		if err := f.one(); err != nil {
			return err
		}
		if f.training+f.previous != "" && f.schema+f.schemaText == "" {
			return fault.Invalidf("--training and --previous go with --schema; for more about change see levada data drift")
		}
		if f.schema+f.schemaText != "" {
			return a.checkSchema(cmd.Context(), args[0], f, g, asJSON())
		}
		suite, err := f.readSuite()
		if err != nil {
			return err
		}
		return a.openTable(args[0], func(src table.Source) error {
			if few, err := a.tooFew(cmd.Context(), g, src, "the table", asJSON() || f.format != "", unchecked); few || err != nil {
				return err
			}
			report, err := a.check(cmd.Context(), src, suite, f)
			if err != nil {
				return err
			}
			switch {
			case f.format == "gx":
				err = a.printJSON(report.GX())
			case asJSON():
				err = a.printJSON(report.JSON())
			default:
				err = a.printReport(args[0], report, f)
			}
			if err != nil {
				return err
			}
			return a.settle(g, report.Success, report.JSON(), failedExpectations(report))
		})
	}
	return cmd
}

// one reports whether there is one suite or schema. What is empty is as what is not given: components pass all of their inputs.
func (f *checkFlags) one() error {
	var given []string
	for _, g := range [][2]string{{"--suite", f.suite}, {"--suite-text", f.suiteText}, {"--schema", f.schema}, {"--schema-text", f.schemaText}} {
		if g[1] != "" {
			given = append(given, g[0])
		}
	}
	switch len(given) {
	case 0:
		return fault.Invalidf("name the expectations with --suite FILE, which levada data suggest writes, or a schema with --schema FILE")
	case 1:
		return nil
	}
	return fault.Invalidf("%s: a table is checked against one suite or schema at a time", strings.Join(given, ", "))
}

func (f *checkFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.suite, "suite", "", "`FILE` with the expectations, YAML or JSON")
	flags.StringVar(&f.suiteText, "suite-text", "", "the expectations themselves, as `TEXT`")
	flags.StringVar(&f.schema, "schema", "", "`FILE` with a schema, YAML or TFDV's text form")
	flags.StringVar(&f.schemaText, "schema-text", "", "the schema itself, as `TEXT`")
	flags.StringVar(&f.training, "training", "", "with --schema: the table at `PATH` is the training data that skew is measured from")
	flags.StringVar(&f.previous, "previous", "", "with --schema: the table at `PATH` is the previous one that drift is measured from")
	flags.StringVar(&f.environment, "environment", "", "leave out the expectations of other environments than `NAME`")
	flags.StringVar(&f.format, "format", "", "print JSON: `gx` for validation results as Great Expectations has them")
	flags.StringVar(&f.level, "result-format", string(expect.Summary), "how much JSON holds: `LEVEL` is BOOLEAN_ONLY, BASIC, SUMMARY or COMPLETE")
	flags.StringArrayVar(&f.parameters, "parameter", nil, "`NAME=VALUE` of a $PARAMETER in the suite")
	flags.StringArrayVar(&f.tables, "table", nil, "`NAME=PATH` of another table that the suite names")
	flags.StringSliceVar(&f.index, "index", nil, "columns that identify a row, by `NAME,NAME`")
	flags.IntVar(&f.examples, "examples", 5, "how many unexpected rows are shown of each expectation")
	flags.IntVar(&f.mostValues, "most-values", 0, "how many values one expectation keeps in memory (default 20 million)")
	flags.BoolVar(&f.all, "all", false, "list what holds, too")
}

func (f checkFlags) readSuite() (expect.Suite, error) {
	if f.suiteText != "" {
		return expect.Parse([]byte(f.suiteText))
	}
	return readSuite(f.suite)
}

// readText reads a suite or a schema, which a command writes.
func readText(path, what, command string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.NotFoundf("there is no %s %q; %s writes one", what, path, command)
	}
	if err != nil {
		return nil, fault.Invalidf("read the %s: %w", what, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fault.Invalidf("read the %s %q: %w", what, path, err)
	}
	return text, nil
}

// suiteText reads the file of a suite.
func suiteText(path string) (string, error) {
	text, err := readText(path, "suite", "levada data suggest", expect.MostBytes)
	return string(text), err
}

func readSuite(path string) (expect.Suite, error) {
	text, err := suiteText(path)
	if err != nil {
		return expect.Suite{}, err
	}
	suite, err := expect.Parse([]byte(text))
	if err != nil {
		return suite, fault.Invalidf("%s: %w", path, err)
	}
	return suite, nil
}

func (a *app) check(ctx context.Context, src table.Source, suite expect.Suite, f checkFlags) (*expect.Report, error) {
	o := expect.Options{Environment: f.environment, Now: a.deps.Now(), Parameters: map[string]any{}, MostValues: f.mostValues, Each: eachProcessor,
		Format: expect.Format{Level: expect.Level(f.level), Partial: max(f.examples, 0), Index: f.index}}
	if f.examples == 0 {
		o.Format.Partial = -1
	}
	for _, p := range f.parameters {
		name, text, ok := strings.Cut(p, "=")
		if !ok {
			return nil, fault.Invalidf("--parameter %q: want NAME=VALUE", p)
		}
		v, err := expect.DecodeJSON([]byte(text))
		if err != nil {
			v = text
		}
		o.Parameters[name] = v
	}
	var opening sync.Mutex
	var closers []io.Closer
	defer func() {
		for _, c := range closers {
			_ = c.Close()
		}
	}()
	o.Table = func(name string) (table.Source, error) {
		for _, t := range f.tables {
			if n, path, ok := strings.Cut(t, "="); ok && n == name {
				other, closer, err := a.deps.OpenTable(path)
				if err == nil {
					opening.Lock()
					closers = append(closers, closer)
					opening.Unlock()
				}
				return other, err
			}
		}
		return nil, fault.NotFoundf("give --table %s=PATH", name)
	}
	return expect.Check(ctx, src, suite, o)
}

// mostListed is how many expectations are listed.
const mostListed = 200

func (a *app) printReport(path string, r *expect.Report, f checkFlags) error {
	style := a.style(a.deps.Stdout)
	head := fmt.Sprintf("%s: %s, %s; ", console.Clean(path), counted(r.Rows, "row"), plural(r.Columns, "column"))
	failed := len(r.Results) - r.Passed
	if failed == 0 {
		head += style.Good(fmt.Sprintf("all %s hold", plural(len(r.Results), "expectation")))
	} else {
		head += style.Bad(fmt.Sprintf("%d of %s", failed, plural(len(r.Results), "expectation"))) + map[bool]string{true: " fails", false: " fail"}[failed == 1]
	}
	fmt.Fprintln(a.deps.Stdout, head)
	results := slices.Clone(r.Results)
	slices.SortStableFunc(results, func(x, y expect.Result) int { return rank(x) - rank(y) })
	for i, x := range results {
		if x.Success && !f.all {
			break
		}
		if i == mostListed {
			fmt.Fprintf(a.deps.Stdout, "\n… and %d more; see --json\n", len(results)-i)
			break
		}
		printResult(a.deps.Stdout, style, x, f.examples)
	}
	return printFindings(a.deps.Stdout, r.Findings)
}

// rank puts what fails first, and of that what could not be evaluated last.
func rank(r expect.Result) int {
	switch {
	case r.Success:
		return 2
	case r.Failure != nil:
		return 1
	}
	return 0
}

func printResult(w io.Writer, style console.Style, x expect.Result, examples int) {
	mark := style.Good("ok   ")
	if !x.Success {
		mark = style.Bad("FAIL ")
	}
	if x.Failure != nil {
		mark = style.Warn("ERROR")
	}
	subject := console.Clean(x.Expectation.Column())
	if subject == "" {
		subject = "table"
	}
	fmt.Fprintf(w, "\n%s %s: %s\n", mark, style.Bold(console.Cut(subject, 60)), console.Cut(console.Clean(x.Expectation.Statement()), 160))
	if x.Failure != nil {
		fmt.Fprintf(w, "      %s\n", console.Cut(console.Clean(firstLine(x.Failure.Message)), 300))
		return
	}
	if n, missing, unexpected, ok := x.Counts(); ok && unexpected > 0 {
		fmt.Fprintf(w, "      %s of %s not as expected (%s)\n", grouped(unexpected), counted(n-missing, "value"), percent(unexpected, n-missing))
	}
	if seen, ok := x.Observed(); ok {
		fmt.Fprintf(w, "      observed %s\n", console.Cut(console.Clean(seenText(seen)), 200))
	}
	for i, u := range x.Unexpected() {
		if i == examples || len(u.Values) == 0 {
			break
		}
		fmt.Fprintf(w, "      row %s: %s\n", grouped(u.Row+1), console.Cut(console.Clean(x.Shown(u)), 120))
	}
}

// mostTold is how many failures the reason of a step names.
const mostTold = 5

// failedExpectations says in a line which expectations do not hold, and what was seen instead.
func failedExpectations(r *expect.Report) string {
	var told []string
	failed := len(r.Results) - r.Passed
	for _, x := range r.Results {
		if x.Success || len(told) == mostTold {
			continue
		}
		subject := x.Expectation.Column()
		if subject == "" {
			subject = "table"
		}
		seen := ""
		if x.Failure != nil {
			seen = firstLine(x.Failure.Message)
		} else if n, missing, unexpected, ok := x.Counts(); ok && unexpected > 0 {
			seen = fmt.Sprintf("%s of %s not as expected", grouped(unexpected), counted(n-missing, "value"))
		} else if v, ok := x.Observed(); ok {
			seen = "observed " + seenText(v)
		}
		told = append(told, fmt.Sprintf("%s: %s (%s)", console.Cut(subject, 60), console.Cut(x.Expectation.Statement(), 100), console.Cut(seen, 80)))
	}
	line := fmt.Sprintf("%d of %s %s: %s", failed, plural(len(r.Results), "expectation"), map[bool]string{true: "fails", false: "fail"}[failed == 1],
		strings.Join(told, "; "))
	if more := failed - len(told); more > 0 {
		line += fmt.Sprintf("; and %d more", more)
	}
	return line
}

func firstLine(s string) string {
	before, _, _ := strings.Cut(s, "\n")
	return before
}

func seenText(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', 0, 64)
		}
		return strconv.FormatFloat(v, 'g', 6, 64)
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
