package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/expect/suggest"
	"levada/internal/core/fault"
	"levada/internal/core/table"
)

func (a *app) dataSuggestCommand() *cobra.Command {
	var format string
	var o suggest.Options
	cmd := &cobra.Command{
		Use:   "suggest PATH...",
		Short: "Write expectations that good tables meet",
		Long: "Write expectations that good tables meet, for levada data check. Name tables that are known to be good; several are batches\n" +
			"of one stream in their order. Read what is written before you rely on it: it holds what was seen, not what is right.",
		Example: "  levada data suggest january.parquet february.parquet > flights.yaml\n" +
			"  levada data suggest train.csv --training-only price --skew > train.yaml\n" +
			"  levada data suggest train.csv --format gx > suite.json",
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().StringVar(&format, "format", "yaml", "`yaml` for the short form, gx for Great Expectations' JSON form")
	cmd.Flags().StringVar(&o.Name, "name", "", "the suite's `NAME`")
	cmd.Flags().StringSliceVar(&o.TrainingOnly, "training-only", nil, "columns that are not there in serving, such as the target, by `NAME,NAME`")
	cmd.Flags().BoolVar(&o.Skew, "skew", false, "compare distributions, too: L-infinity for categories, Jensen-Shannon for numbers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if format != "yaml" && format != "gx" {
			return fault.Invalidf("--format %q: want yaml or gx", format)
		}
		return a.openTables(args, nil, func(sources []table.Source) error {
			sources = watched(sources)
			suite, err := suggest.Suite(cmd.Context(), sources, o)
			if err != nil {
				return err
			}
			text, err := suite.YAML()
			if format == "gx" {
				if text, err = suite.GX(); err == nil {
					text = append(text, '\n')
				}
			}
			if err == nil {
				_, err = a.deps.Stdout.Write(text)
			}
			if err == nil { // expectations of what was misread are wrong, and their text goes to a file
				err = printMisread(a.deps.Stderr, args, findingsOf(sources)...)
			}
			return err
		})
	}
	return cmd
}

// watched are sources that remember what was misread of them.
func watched(sources []table.Source) []table.Source {
	out := make([]table.Source, len(sources))
	for i, s := range sources {
		out[i] = table.Watch(s)
	}
	return out
}

// findingsOf are what was misread of tables.
func findingsOf(sources []table.Source) [][]table.Finding {
	out := make([][]table.Finding, len(sources))
	for i, s := range sources {
		out[i] = table.Findings(s)
	}
	return out
}

// printMisread prints what was misread of tables, by their paths.
func printMisread(w io.Writer, paths []string, tables ...[]table.Finding) error {
	for i, found := range tables {
		if len(found) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "\n%s:", console.Clean(paths[i])); err != nil {
			return err
		}
		if err := printFindings(w, found); err != nil {
			return err
		}
	}
	return nil
}

// openTables opens the tables at some paths one after the other, and calls do with all of them.
func (a *app) openTables(paths []string, open []table.Source, do func(sources []table.Source) error) error {
	if len(paths) == 0 {
		return do(open)
	}
	return a.openTable(paths[0], func(src table.Source) error { return a.openTables(paths[1:], append(open, src), do) })
}
