package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/table"
	"levada/internal/dataset"
)

func (a *app) dataDiffCommand() *cobra.Command {
	var key []string
	var status bool
	cmd := &cobra.Command{
		Use:   "diff A B | ARTIFACT ARTIFACT",
		Short: "Say how a table differs from an earlier one",
		Long: "Say how table B differs from table A: columns that came and went, types, and figures of the columns that both have. With\n" +
			"--key also the rows that were added, removed and changed, with examples. The tables may be in different formats. What does\n" +
			"not fit into memory goes to a temporary directory. Artifacts are compared by the server that has them.",
		Example: "  levada data diff january.parquet february.parquet\n  levada data diff old.csv new.csv --key id -o json",
		Args:    cobra.ExactArgs(2),
	}
	cmd.Flags().StringSliceVar(&key, "key", nil, "compare rows by the columns `NAME,NAME`, which tell rows apart")
	cmd.Flags().BoolVar(&status, "exit-code", false, "end with status 1 when the tables differ")
	asJSON := dataOutput(cmd)
	show := func(was, is string, c dataset.Comparison) (err error) {
		if asJSON() {
			err = a.printJSON(c)
		} else {
			err = a.printComparison(was, is, c)
		}
		if err == nil && status && !c.Same() {
			err = exitStatus(ExitFailed)
		}
		return err
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if isArtifact(args[0]) && isArtifact(args[1]) {
			c, err := a.artifactComparison(cmd, args[0], args[1], key)
			if err != nil {
				return err
			}
			return show(args[0], args[1], c)
		}
		return a.openTable(args[0], func(was table.Source) error {
			return a.openTable(args[1], func(is table.Source) error {
				c, err := dataset.Compare(cmd.Context(), was, is, key, "")
				if err != nil {
					return err
				}
				return show(args[0], args[1], c)
			})
		})
	}
	return cmd
}

func (a *app) printComparison(was, is string, c dataset.Comparison) error {
	if err := a.printDifferences(was, is, c); err != nil {
		return err
	}
	return printMisread(a.deps.Stdout, []string{was, is}, c.WasFindings, c.IsFindings)
}

func (a *app) printDifferences(was, is string, c dataset.Comparison) error {
	out := a.deps.Stdout
	fmt.Fprintf(out, "%s: %s\n%s: %s\n", console.Clean(was), counted(c.Rows[0], "row"), console.Clean(is), counted(c.Rows[1], "row"))
	if c.Same() {
		what := "columns, types and figures are the same"
		if c.ByKey != nil {
			what = "columns, types, figures and rows are the same"
		}
		_, err := fmt.Fprintf(out, "\nNothing differs: %s.\n", what)
		return err
	}
	for _, list := range []struct {
		what  string
		names []string
	}{{"New columns", c.Added}, {"Columns that are gone", c.Removed}} {
		if len(list.names) > 0 {
			fmt.Fprintf(out, "\n%s: %s\n", list.what, console.Clean(strings.Join(list.names, ", ")))
		}
	}
	if changes := append(typed(c.Types), c.Figures...); len(changes) > 0 {
		fmt.Fprintln(out)
		t := console.NewTable("COLUMN", "WHAT", "WAS", "IS")
		t.Flexible = 0
		for _, x := range changes {
			t.Add(short(x.Column, 40), x.What, short(x.Was, 40), short(x.Is, 40))
		}
		if err := a.printTable(t); err != nil {
			return err
		}
	}
	if c.ByKey != nil {
		return printRows(out, *c.ByKey)
	}
	return nil
}

func typed(changes []dataset.Change) []dataset.Change {
	out := slices.Clone(changes)
	for i := range out {
		out[i].What = "type"
	}
	return out
}

func printRows(w io.Writer, r dataset.Rows) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nRows by %s: %s the same, %s changed, %s added, %s removed\n", console.Clean(strings.Join(r.Key, ", ")), grouped(r.Same), grouped(r.Changed),
		grouped(r.Added), grouped(r.Removed))
	if r.Twice[0]+r.Twice[1] > 0 {
		fmt.Fprintf(&b, "The key does not tell all rows apart: %s of the first table and %s of the second share theirs with others.\n", grouped(r.Twice[0]), grouped(r.Twice[1]))
	}
	if len(r.Columns) > 0 {
		names := make([]string, 0, len(r.Columns))
		for name := range r.Columns {
			names = append(names, name)
		}
		slices.SortFunc(names, func(x, y string) int {
			if d := r.Columns[y] - r.Columns[x]; d != 0 {
				return int(d)
			}
			return strings.Compare(x, y)
		})
		of := "the changed rows"
		if r.Examined < r.Changed {
			of = fmt.Sprintf("the first %s changed rows", grouped(r.Examined))
		}
		fmt.Fprintf(&b, "Columns that differ in %s:", of)
		for i, name := range names {
			if i == 10 {
				fmt.Fprintf(&b, " … and %d more", len(names)-i)
				break
			}
			fmt.Fprintf(&b, " %s %s", short(name, 30), grouped(r.Columns[name]))
		}
		b.WriteString("\n")
	}
	for _, x := range r.ChangedRows {
		fmt.Fprintf(&b, "  ~ %s:", keyText(r.Key, x.Key))
		for i, c := range x.Changes {
			if i == 5 {
				fmt.Fprintf(&b, " … and %d more", len(x.Changes)-i)
				break
			}
			fmt.Fprintf(&b, " %s %s → %s", short(c.Column, 30), short(c.Was, 30), short(c.Is, 30))
		}
		b.WriteString("\n")
	}
	for _, x := range r.AddedRows {
		fmt.Fprintf(&b, "  + %s (row %d)\n", keyText(r.Key, x.Key), x.Row+1)
	}
	for _, x := range r.RemovedRows {
		fmt.Fprintf(&b, "  - %s (row %d)\n", keyText(r.Key, x.Key), x.Row+1)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// keyText shows the values of a key.
func keyText(names, values []string) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = short(name, 30) + " " + short(values[i], 40)
	}
	return strings.Join(parts, ", ")
}
