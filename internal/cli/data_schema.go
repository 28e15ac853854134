package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/schema"
	"levada/internal/core/table"
)

func (a *app) dataSchemaCommand() *cobra.Command {
	var o schema.InferOptions
	cmd := &cobra.Command{
		Use:   "schema PATH",
		Short: "Write the schema that a table has",
		Long: "Write the schema that a table has, for levada data check --schema: the type of each column, in how many rows it has a value, how\n" +
			"many values a row has, and the texts that it may have. Read what is written before you rely on it.",
		Example: "  levada data schema train.parquet --training-only price --skew > schema.yaml\n" +
			"  levada data check requests.jsonl --schema schema.yaml --environment serving --training train.parquet",
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringSliceVar(&o.TrainingOnly, "training-only", nil, "columns that are not there in serving, such as the label, by `NAME,NAME`")
	cmd.Flags().IntVar(&o.MaxDomain, "max-domain", 100, "a column of at most `N` different texts has them as its domain")
	cmd.Flags().BoolVar(&o.Ranges, "ranges", false, "have the lowest and the highest number be bounds")
	cmd.Flags().BoolVar(&o.Compare, "skew", false, "compare distributions, too: L-infinity for categories, Jensen-Shannon for numbers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.MaxDomain < 0 {
			return fault.Invalidf("--max-domain %d: want a number from 0 on", o.MaxDomain)
		}
		facts, err := a.facts(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		s, err := schema.Infer(facts, o)
		if err != nil {
			return err
		}
		text, err := s.YAML()
		if err == nil {
			_, err = a.deps.Stdout.Write(text)
		}
		if err == nil { // a schema of what was misread is wrong, and its text goes to a file
			err = printFindings(a.deps.Stderr, facts.Findings)
		}
		return err
	}
	return cmd
}

// facts sums up the table at a path; none where there is no path.
func (a *app) facts(ctx context.Context, path string) (*schema.Table, error) {
	if path == "" {
		return nil, nil
	}
	var out *schema.Table
	err := a.openTable(path, func(src table.Source) (err error) {
		out, err = factsOf(ctx, src)
		return err
	})
	return out, err
}

func factsOf(ctx context.Context, src table.Source) (*schema.Table, error) {
	p, err := readProfile(ctx, src, nil)
	if err != nil {
		return nil, err
	}
	out := schema.FactsOf(p.Rows, p.Columns, p.States)
	out.Findings = p.Findings
	return &out, nil
}

// schemaText reads the file of a schema.
func schemaText(path string) (string, error) {
	text, err := readText(path, "schema", "levada data schema", schema.MostBytes)
	return string(text), err
}

func (f checkFlags) readSchema() (*schema.Schema, error) {
	if f.schemaText != "" {
		return schema.Parse([]byte(f.schemaText))
	}
	text, err := schemaText(f.schema)
	if err != nil {
		return nil, err
	}
	s, err := schema.Parse([]byte(text))
	if err != nil {
		return nil, fault.Invalidf("%s: %w", f.schema, err)
	}
	return s, nil
}

// checkSchema checks a table against a schema.
func (a *app) checkSchema(ctx context.Context, path string, f checkFlags, g *gate, asJSON bool) error {
	if f.format != "" {
		return fault.Invalidf("--format %s is for suites; a schema's report is printed with -o json", f.format)
	}
	s, err := f.readSchema()
	if err != nil {
		return err
	}
	return a.openTable(path, func(src table.Source) error {
		few, err := a.tooFew(ctx, g, src, "the table", asJSON, func(rows int64, why string) any { return schema.NotJudged(rows, why) })
		if few || err != nil {
			return err
		}
		return a.fits(ctx, path, src, s, f, g, asJSON)
	})
}

// fits says whether a table is as a schema has it.
func (a *app) fits(ctx context.Context, path string, src table.Source, s *schema.Schema, f checkFlags, g *gate, asJSON bool) error {
	o := schema.Options{Environment: f.environment}
	facts, err := factsOf(ctx, src)
	if err == nil {
		o.Training, err = a.facts(ctx, f.training)
	}
	if err == nil {
		o.Previous, err = a.facts(ctx, f.previous)
	}
	if err != nil {
		return err
	}
	report, err := schema.Check(s, facts, o)
	if err != nil {
		return err
	}
	if asJSON {
		err = a.printJSON(report)
	} else {
		err = a.printAnomalies(path, report)
	}
	if err != nil {
		return err
	}
	return a.settle(g, report.Success, report, anomaliesInALine(report))
}

// anomaliesInALine says what is wrong with a table in one line.
func anomaliesInALine(r *schema.Report) string {
	var told []string
	for _, x := range r.Anomalies[:min(len(r.Anomalies), mostTold)] {
		subject := x.Feature
		if subject == "" {
			subject = "table"
		}
		told = append(told, fmt.Sprintf("%s: %s", console.Cut(subject, 60), console.Cut(x.Description, 150)))
	}
	line := "the table does not fit the schema: " + strings.Join(told, "; ")
	if more := len(r.Anomalies) - len(told); more > 0 {
		line += fmt.Sprintf("; and %d more", more)
	}
	return line
}

func (a *app) printAnomalies(path string, r *schema.Report) error {
	style, w := a.style(a.deps.Stdout), a.deps.Stdout
	head := fmt.Sprintf("%s: %s, %s of the schema", console.Clean(path), counted(r.Rows, "row"), plural(r.Features, "feature"))
	if r.Environment != "" {
		head += " in " + console.Clean(r.Environment)
	}
	if r.Success {
		fmt.Fprintf(w, "%s; %s\n", head, style.Good("no anomaly"))
	} else {
		found := "anomalies"
		if len(r.Anomalies) == 1 {
			found = "anomaly"
		}
		fmt.Fprintf(w, "%s; %s\n\n", head, style.Bad(fmt.Sprintf("%d %s", len(r.Anomalies), found)))
		t := console.NewTable("FEATURE", "ANOMALY", "")
		t.Flexible = 2
		for i, x := range r.Anomalies {
			if i == mostListed {
				break
			}
			t.Add(short(x.Feature, 40), x.Type, console.Clean(x.Description))
		}
		if err := a.printTable(t); err != nil {
			return err
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", console.Clean(n))
	}
	return printFindings(w, r.Findings)
}
