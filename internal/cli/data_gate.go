package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/fault"
)

// gate is what a command does with its verdict about data, beside printing it: the steps of pipelines are told in files.
type gate struct{ onFailure, passed, report string }

// addGate adds the flags of a gate.
func addGate(cmd *cobra.Command) *gate {
	var g gate
	cmd.Flags().StringVar(&g.onFailure, "on-failure", "fail", "`fail` ends with status 1 where the data does not pass, warn with 0")
	cmd.Flags().StringVar(&g.passed, "passed", "", "write true or false to `FILE`")
	cmd.Flags().StringVar(&g.report, "report", "", "write the report as JSON to `FILE`")
	return &g
}

// check looks at the flags before any work is done.
func (g *gate) check() error {
	if g.onFailure != "fail" && g.onFailure != "warn" {
		return fault.Invalidf("--on-failure %q: want fail or warn", g.onFailure)
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
	if !passed && g.onFailure == "fail" {
		if g.passed != "" {
			fmt.Fprintln(a.deps.Stderr, console.Clean(why))
		}
		return exitStatus(ExitFailed)
	}
	return nil
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
