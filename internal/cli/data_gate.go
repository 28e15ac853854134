package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/drift"
	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// gate is what a command does with its verdict about data, beside printing it: the steps of pipelines are told in files.
type gate struct {
	onFailure, passed, report, why string
	minRows                        int64
}

// addGate adds the flags of a gate.
func addGate(cmd *cobra.Command) *gate {
	var g gate
	cmd.Flags().StringVar(&g.onFailure, "on-failure", "fail", "`fail` ends with status 1 where the data does not pass, warn with 0")
	cmd.Flags().StringVar(&g.passed, "passed", "", "write true or false to `FILE`")
	cmd.Flags().StringVar(&g.why, "why", "", "write why the data does not pass to `FILE`; nothing where it does")
	cmd.Flags().StringVar(&g.report, "report", "", "write the report as JSON to `FILE`")
	cmd.Flags().Int64Var(&g.minRows, "min-rows", 0, "judge nothing with fewer `ROWS`; the report then says so, and the data passes")
	return &g
}

// check looks at the flags before any work is done.
func (g *gate) check() error {
	if g.onFailure != "fail" && g.onFailure != "warn" {
		return fault.Invalidf("--on-failure %q: want fail or warn", g.onFailure)
	}
	if g.minRows < 0 {
		return fault.Invalidf("--min-rows %d: want 0 or more", g.minRows)
	}
	return nil
}

// settle writes the files and returns the exit status. why says in a line why the data does not pass: of a step that failed the last line
// on standard error becomes the reason.
func (a *app) settle(g *gate, passed bool, report any, why string) error {
	if err := writeJSON(g.report, report); err != nil {
		return err
	}
	if g.passed != "" {
		if err := writeReport(g.passed, []byte(strconv.FormatBool(passed))); err != nil {
			return err
		}
	}
	if g.why != "" {
		text := ""
		if !passed {
			text = console.Clean(why)
		}
		if err := writeReport(g.why, []byte(text)); err != nil {
			return err
		}
	}
	if !passed && g.onFailure == "fail" {
		if g.passed != "" {
			fmt.Fprintln(a.deps.Stderr, console.Clean(why))
		}
		return exitStatus(ExitFailed)
	}
	return nil
}

// dataGateCommand is the step of a pipeline that fails for what another one has found, which keeps its report so.
func (a *app) dataGateCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "gate WHY",
		Short:   "Fail with a reason, where there is one",
		Long:    "End with status 1 and print WHY on standard error, or with 0 where it is empty. It is for steps of pipelines: the step that looks at\ndata writes --why and does not fail, so that its report is kept, and this one does.",
		Example: "  levada data drift train.csv today.csv --on-failure warn --why why.txt && levada data gate \"$(cat why.txt)\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if args[0] == "" {
				return nil
			}
			fmt.Fprintln(a.deps.Stderr, console.Clean(args[0]))
			return exitStatus(ExitFailed)
		},
	}
}

// tooFew settles what is said of a table that has fewer rows than are wanted, with the report that says no more.
func (a *app) tooFew(ctx context.Context, g *gate, src table.Source, name string, asJSON bool, report func(rows int64, why string) any) (few bool, err error) {
	if g.minRows == 0 {
		return false, nil
	}
	rows, err := table.CountRows(ctx, src, 0)
	if err != nil || rows >= g.minRows {
		return false, err
	}
	why := drift.TooFew(name, rows, g.minRows)
	if asJSON {
		err = a.printJSON(report(rows, why))
	} else {
		_, err = fmt.Fprintf(a.deps.Stdout, "not judged: %s\n", why)
	}
	return true, errors.Join(err, a.settle(g, true, report(rows, why), ""))
}

// unchecked is the report of a check in which nothing was evaluated.
func unchecked(rows int64, why string) any {
	return struct {
		Success   bool   `json:"success"`
		Rows      int64  `json:"rows"`
		Passed    int    `json:"passed"`
		Failed    int    `json:"failed"`
		NotJudged string `json:"not_judged"`
		Results   []any  `json:"results"`
	}{Success: true, Rows: rows, NotJudged: why, Results: []any{}}
}

// writeReport writes a file.
func writeReport(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // a report is for others to read
		return fault.Invalidf("write the report: %w", err)
	}
	return nil
}

// writeJSON writes a report to a file, where one is named.
func writeJSON(path string, report any) error {
	if path == "" {
		return nil
	}
	encoded, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return writeReport(path, append(encoded, '\n'))
}
