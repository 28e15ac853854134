package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/leak"
	"levada/internal/core/table"
)

func (a *app) dataLeakageCommand() *cobra.Command {
	var o leak.Options
	cmd := &cobra.Command{
		Use:   "leakage TRAIN TEST",
		Short: "Look for what a test table should not share with its training table",
		Long: "Look for what a test table should not share with its training table: rows that are in both, exactly or nearly (numbers\n" +
			"rounded to three digits; long texts by MinHash), features that alone tell the target suspiciously well, and, in a split by\n" +
			"time, test rows that are older than training rows. Of two directories of images: images that are in both, or look the same.\n\n" +
			"The exit status is 1 when something is found, 0 when not.",
		Example: "  levada data leakage train/ test/\n  levada data leakage train.parquet test.parquet --target price\n  levada data leakage train.csv test.csv --target y --time at --ignore id",
		Args:    cobra.ExactArgs(2),
	}
	cmd.Flags().StringVar(&o.Target, "target", "", "the `COLUMN` that a model is to predict")
	cmd.Flags().StringVar(&o.Time, "time", "", "the `COLUMN` that the tables are split by")
	cmd.Flags().StringSliceVar(&o.Ignore, "ignore", nil, "columns that do not tell rows apart, such as ids, by `NAME,NAME`")
	cmd.Flags().Float64Var(&o.Suspicious, "suspicious", 0, "the `AUC` (or the square root of R²) from which a feature is suspicious (default 0.98)")
	g, asJSON := addGate(cmd), dataOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := g.check(); err != nil {
			return err
		}
		return a.openTables(args, nil, func(sources []table.Source) error {
			for i, name := range []string{"the training table", "the test table"} {
				if few, err := a.tooFew(cmd.Context(), g, sources[i], name, asJSON(), func(_ int64, why string) any { return leakage{NotJudged: why} }); few || err != nil {
					return err
				}
			}
			if leaks, ok, err := imageLeaks(cmd.Context(), sources[0], sources[1]); ok || err != nil {
				if err != nil {
					return err
				}
				return a.reportImageLeaks(leaks, g, asJSON())
			}
			sources = watched(sources)
			report, err := leak.Find(cmd.Context(), sources[0], sources[1], o)
			if err != nil {
				return err
			}
			out := leakage{Leaks: report.Leaks(), Report: report, TrainFindings: table.Findings(sources[0]), TestFindings: table.Findings(sources[1])}
			if asJSON() {
				err = a.printJSON(out)
			} else {
				a.printLeaks(report)
				err = printMisread(a.deps.Stdout, args, out.TrainFindings, out.TestFindings)
			}
			if err != nil {
				return err
			}
			return a.settle(g, !out.Leaks, out, leaksInALine(report))
		})
	}
	return cmd
}

// leakage is a report for programs.
type leakage struct {
	Leaks bool `json:"leaks"`
	// NotJudged says that one of the tables has too few rows, and nothing was compared.
	NotJudged string `json:"not_judged,omitempty"`
	*leak.Report
	// What was misread of the tables.
	TrainFindings []table.Finding `json:"train_findings,omitempty"`
	TestFindings  []table.Finding `json:"test_findings,omitempty"`
}

// leaksInALine says what two tables share that they should not.
func leaksInALine(r *leak.Report) string {
	var told []string
	if r.Exact.Rows > 0 {
		told = append(told, fmt.Sprintf("%s of %s of the test table are in the training table", grouped(r.Exact.Rows), counted(r.Exact.Of, "row")))
	}
	if r.Near.Rows > 0 {
		told = append(told, fmt.Sprintf("%s nearly so", grouped(r.Near.Rows)))
	}
	if r.Future != nil && r.Future.Rows > 0 {
		told = append(told, fmt.Sprintf("%s of the test table are before the last of the training table", counted(r.Future.Rows, "row")))
	}
	for _, f := range r.Features {
		if f.Suspicious && len(told) < mostTold {
			told = append(told, fmt.Sprintf("%s alone tells the target (%s %.3f)", console.Cut(f.Column, 60), f.Measure, f.Score))
		}
	}
	return "leakage: " + strings.Join(told, "; ")
}

func (a *app) printLeaks(r *leak.Report) {
	style, w := a.style(a.deps.Stdout), a.deps.Stdout
	mark := func(bad bool) string {
		if bad {
			return style.Bad("LEAK")
		}
		return style.Good("ok  ")
	}
	shared := func(what string, s leak.Shared) {
		fmt.Fprintf(w, "%s %s: %s of %s of the test table", mark(s.Rows > 0), what, grouped(s.Rows), counted(s.Of, "row"))
		if s.Rows > 0 {
			fmt.Fprintf(w, " (%s)", percent(s.Rows, s.Of))
		}
		fmt.Fprintln(w)
		for i, p := range s.Examples {
			if i == 3 {
				break
			}
			fmt.Fprintf(w, "     test row %s is training row %s", grouped(p.Test+1), grouped(p.Train+1))
			if p.Alike > 0 && p.Alike < 1 {
				fmt.Fprintf(w, ", %.0f %% of the words", 100*p.Alike)
			}
			fmt.Fprintln(w)
		}
	}
	shared("the same rows", r.Exact)
	shared("nearly the same rows", r.Near)
	if f := r.Future; f != nil {
		fmt.Fprintf(w, "%s time: %s of %s of the test table are before the last of the training table (%s); the first is %s\n", mark(f.Rows > 0),
			grouped(f.Rows), counted(f.Of, "row"), console.Clean(f.LastTrain), console.Clean(f.FirstTest))
	}
	for i, f := range r.Features {
		if !f.Suspicious && i >= 3 {
			break
		}
		what := "alone tells the target"
		if f.Suspicious {
			what = "alone tells the target suspiciously well"
		}
		fmt.Fprintf(w, "%s %s %s: %s %.3f (chance: %.3f)\n", mark(f.Suspicious), short(f.Column, 40), what, f.Measure, f.Score, f.Chance)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", console.Clean(n))
	}
}
