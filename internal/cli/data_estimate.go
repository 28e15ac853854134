package cli

import (
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/drift"
	"levada/internal/core/estimate"
	"levada/internal/core/fault"
	"levada/internal/core/table"
)

func (a *app) dataEstimateCommand() *cobra.Command {
	var c estimate.Columns
	var period string
	cmd := &cobra.Command{
		Use:   "estimate REFERENCE CURRENT",
		Short: "Say how well a model does on data without labels",
		Long: "Estimate the metrics of a model on CURRENT, whose true values need not be known, from REFERENCE, whose are: CBPE for classifiers\n" +
			"(--score, or --scores for several classes), DLE for regression. Chunks that are not as usual on the reference are marked.\n\n" +
			"The exit status is 1 where a chunk of CURRENT is not as usual.",
		Example: "  levada data estimate test.parquet july.parquet --truth churned --score probability\n" +
			"  levada data estimate test.csv july.csv --truth kind --prediction predicted --scores cat=p_cat,dog=p_dog --chunk-size 500\n" +
			"  levada data estimate test.csv july.csv --truth delay --prediction predicted --time day --period week",
		Args: cobra.ExactArgs(2),
	}
	flags := cmd.Flags()
	flags.StringVar(&c.Truth, "truth", "", "`COLUMN` of the true values; CURRENT may lack it")
	flags.StringVar(&c.Prediction, "prediction", "", "`COLUMN` of the model's predictions; with --score, a score of at least 0.5 stands for it")
	flags.StringVar(&c.Score, "score", "", "`COLUMN` of the score of class 1 of a classifier of two classes")
	flags.StringToStringVar(&c.Scores, "scores", nil, "columns of the scores of several classes, as `CLASS=COLUMN`")
	flags.StringSliceVar(&c.Features, "features", nil, "columns that errors are learned from, by `NAME,NAME` (default: all others)")
	flags.IntVar(&c.Size, "chunk-size", 0, "`ROWS` of a chunk")
	flags.IntVar(&c.Count, "chunks", 0, "`NUMBER` of chunks of REFERENCE, whose size all chunks have (default 10)")
	flags.StringVar(&c.Time, "time", "", "`COLUMN` of the time, by which the rows are ordered; chunks are then periods")
	flags.StringVar(&period, "period", string(estimate.Daily), "`PERIOD` of a chunk by time: day, week or month")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c.Period = estimate.Period(period)
		if c.Period != estimate.Daily && c.Period != estimate.Weekly && c.Period != estimate.Monthly {
			return fault.Invalidf("--period %s: chunks are of a day, week or month", period)
		}
		if c.Score != "" && len(c.Scores) > 0 {
			return fault.Invalidf("--score is for two classes, --scores for more; give one of them")
		}
		return a.openTable(args[0], func(reference table.Source) error {
			return a.openTable(args[1], func(current table.Source) error {
				results, err := estimate.Tables(cmd.Context(), reference, current, c)
				if err != nil {
					return err
				}
				return a.printEstimates(results, out.json())
			})
		})
	}
	return cmd
}

func (a *app) printEstimates(results []estimate.Result, asJSON bool) error {
	unusual := 0
	for _, r := range results {
		for _, f := range r.Current {
			if f.Alert {
				unusual++
			}
		}
	}
	if err := a.showEstimates(results, asJSON); err != nil {
		return err
	}
	if unusual > 0 {
		return exitStatus(ExitFailed)
	}
	return nil
}

func (a *app) showEstimates(results []estimate.Result, asJSON bool) error {
	if asJSON {
		return a.printJSON(map[string]any{"metrics": results})
	}
	style := a.style(a.deps.Stdout)
	t := console.NewTable("METRIC", "USUAL", "CHUNK", "ESTIMATED", "REALIZED", "")
	for _, r := range results {
		usual := fmt.Sprintf("%s to %s", drift.Figure(r.Low), strings.Replace(drift.Figure(r.High), "+Inf", "∞", 1))
		for _, f := range r.Current {
			realized, alert := "", ""
			if !math.IsNaN(f.Realized) {
				realized = drift.Figure(f.Realized)
			}
			if f.Alert {
				alert = style.Bad("unusual")
			}
			t.Add(r.Metric, usual, f.Chunk.Key, drift.Figure(f.Estimated), realized, alert)
		}
	}
	return a.printTable(t)
}
