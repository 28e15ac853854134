package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/cli/mlflow"
	"levada/internal/core/fault"
)

func (a *app) importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import", Short: "Bring what you have elsewhere",
		Example: "  levada import mlflow http://127.0.0.1:5000\n  levada import mlflow ./mlruns --dry-run",
		Args:    cobra.NoArgs, RunE: showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.importMLflowCommand())
	return cmd
}

func (a *app) importMLflowCommand() *cobra.Command {
	var dryRun, recheck bool
	var roots []string
	cmd := &cobra.Command{
		Use:   "mlflow SOURCE",
		Short: "Bring experiments, runs, metrics, files and models from MLflow",
		Long: "Reads SOURCE and writes what is in it to Levada: the URL of a running MLflow server, a database of one (sqlite:///PATH, a path to\n" +
			"a file, or postgresql://USER@HOST/DATABASE), or an mlruns directory. SOURCE is never changed.\n\n" +
			"Ids of runs stay the same, so links and models:/ and runs:/ addresses go on working. Run it again at any time, also after it\n" +
			"was interrupted: nothing is doubled, and what has not changed is passed over.\n\n" +
			"A server with authentication takes MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.\n" +
			"A database's password is better in PGPASSWORD than on the command line.",
		Example: "  levada import mlflow http://127.0.0.1:5000\n  levada import mlflow sqlite:///mlflow.db --artifact-root ./mlartifacts\n" +
			"  levada import mlflow ./mlruns --dry-run",
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "read everything and count, write nothing")
	cmd.Flags().BoolVar(&recheck, "recheck", false, "look again at what earlier imports brought whole, and copy its files again")
	cmd.Flags().StringArrayVar(&roots, "artifact-root", nil, "`[URI=]DIR` that files of runs and models may be read from; may be repeated")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report := mlflow.NewReport()
		options := mlflow.Options{Report: report, User: a.environ["MLFLOW_TRACKING_USERNAME"], Password: a.environ["MLFLOW_TRACKING_PASSWORD"],
			Token: a.environ["MLFLOW_TRACKING_TOKEN"]}
		for _, text := range roots {
			root, err := mlflow.ParseRoot(text)
			if err != nil {
				return err
			}
			options.Roots = append(options.Roots, root)
		}
		source, err := mlflow.Open(cmd.Context(), args[0], options)
		if err != nil {
			return err
		}
		defer source.Close()
		stop := a.showImport(report)
		defer stop()
		bring := func(ctx context.Context, to mlflow.Target) error {
			err := mlflow.Import(ctx, source, to, recheck, report)
			stop()
			if err != nil {
				a.warnBroken(err)
				return err
			}
			return a.printImport(source.Name(), report, dryRun, out)
		}
		if dryRun {
			return bring(cmd.Context(), nil)
		}
		return a.look(cmd, func(ctx context.Context, s *session) error { return bring(ctx, s.Client) })
	}
	return cmd
}

// warnBroken says that an import that broke off may be repeated.
func (a *app) warnBroken(err error) {
	if errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Invalid {
		fmt.Fprintln(a.deps.Stderr, "The import broke off. Run the same command again: it goes on where it was.")
	}
}

// showImport shows on a terminal how far an import is, until the function that it returns is called.
func (a *app) showImport(report *mlflow.Report) (stop func()) {
	columns, _, terminal := console.Size(a.deps.Stderr)
	if !terminal {
		return func() {}
	}
	screen := console.NewScreen(a.deps.Stderr)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				line := fmt.Sprintf("%d runs, %d points, %d files (%s), %d models read", report.Count(mlflow.Runs).Read, report.Count(mlflow.Points).Read,
					report.Count(mlflow.Files).Read, console.Bytes(report.Count(mlflow.Bytes).Read), report.Count(mlflow.Versions).Read)
				_ = screen.Draw([]string{console.Cut(line, columns-1)}) // a terminal that is gone needs no progress
			case <-quit:
				_ = screen.Erase()
				return
			}
		}
	}()
	stopped := false
	return func() {
		if !stopped {
			stopped = true
			close(quit)
			<-done
		}
	}
}

// importReport is what the command prints as JSON.
type importReport struct {
	Source string                       `json:"source"`
	DryRun bool                         `json:"dry_run"`
	Counts map[mlflow.Kind]mlflow.Count `json:"counts"`
	Notes  []mlflow.Note                `json:"notes"`
}

// printImport prints what was read and written, and what was not and why. Things that failed make the command fail.
func (a *app) printImport(source string, report *mlflow.Report, dryRun bool, out *output) error {
	notes, failed := report.Notes(), false
	for _, n := range notes {
		failed = failed || n.Failed
	}
	if out.json() {
		all := importReport{Source: source, DryRun: dryRun, Counts: map[mlflow.Kind]mlflow.Count{}, Notes: notes}
		for _, k := range mlflow.Kinds {
			all.Counts[k] = report.Count(k)
		}
		if err := a.printJSON(all); err != nil {
			return err
		}
	} else if err := a.printImportTable(report, notes, dryRun); err != nil {
		return err
	}
	if failed {
		return exitStatus(ExitFailed)
	}
	return nil
}

func (a *app) printImportTable(report *mlflow.Report, notes []mlflow.Note, dryRun bool) error {
	header := []string{"KIND", "READ", "WRITTEN", "HERE BEFORE"}
	if dryRun {
		header = header[:2]
	}
	table := console.NewTable(header...)
	for _, k := range mlflow.Kinds {
		c := report.Count(k)
		cells := []string{string(k)}
		for _, n := range []int64{c.Read, c.Written, c.Before}[:len(header)-1] {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		table.Add(cells...)
	}
	if err := a.printTable(table); err != nil {
		return err
	}
	style := a.style(a.deps.Stdout)
	for n, note := range notes {
		if n == 0 {
			fmt.Fprintln(a.deps.Stdout, "\nNot brought, or not as it was:")
		}
		word := style.Dim("note  ")
		if note.Failed {
			word = style.Bad("failed")
		}
		fmt.Fprintf(a.deps.Stdout, "%s  %d %s %s\n", word, note.Count, console.Clean(note.Kind), console.Clean(note.Reason))
		for _, e := range note.Examples {
			fmt.Fprintf(a.deps.Stdout, "          %s\n", console.Clean(e))
		}
	}
	if dryRun {
		fmt.Fprintln(a.deps.Stdout, "\nNothing was written.")
	}
	return nil
}
