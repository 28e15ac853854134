// Package cli holds Levada's commands.
//
// Commands speak to an engine through the HTTP API only: to a server that is running, or to one inside the command
// itself. The package reads no environment and builds no services; what it needs is in Deps. It must not know
// storage or how runs are decided. Start reading at Execute, then run.go.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/config"
	"levada/internal/core/fault"
	"levada/internal/core/secret"
	"levada/internal/core/table"
)

// The exit statuses.
const (
	ExitOK          = 0
	ExitFailed      = 1   // the run failed or was canceled, or the command could not do its work
	ExitUsage       = 2   // the command line or its input is wrong
	ExitUnreachable = 3   // no server answered where one was expected
	ExitInterrupted = 130 // Ctrl-C
)

// Deps are what the commands need from outside.
type Deps struct {
	// Serve runs the server until ctx is done. It calls ready once, when the server listens. An address in use is
	// reported with an error that wraps syscall.EADDRINUSE.
	Serve func(ctx context.Context, cfg config.Config, ready func(url string)) error
	// Open starts the engine inside the process on cfg.DataDir. Ctx bounds the opening, not the engine.
	Open func(ctx context.Context, cfg config.Config) (Local, error)
	// Look is Open for commands that only read: runs that an earlier process left unfinished stay as they are. Without it
	// those commands use Open.
	Look func(ctx context.Context, cfg config.Config) (Local, error)
	// KFPPython returns a Python interpreter that can import kfp, building its environment first if need be.
	KFPPython func(ctx context.Context, cfg config.Config) (string, error)
	// TestEngine serves an engine for tests of pipelines until input ends. It says where in a line on output.
	TestEngine func(ctx context.Context, cfg config.Config, input io.Reader, output io.Writer) error
	// TestPython returns a Python interpreter that has kfp, pytest and the given requirements, building its environment first if need
	// be; say gets what the build prints.
	TestPython func(ctx context.Context, cfg config.Config, requirements []string, say func(line string)) (string, error)
	// TestLibrary returns the directory from which tests import the package levada.
	TestLibrary func(ctx context.Context, cfg config.Config) (string, error)
	// OpenTable opens the table at a path: a file, or a directory of files of one format.
	OpenTable func(path string) (table.Source, io.Closer, error)
	// OpenKept is OpenTable for profiles: files of which enough is kept in dir are not read. Images have no Keeper.
	OpenKept func(ctx context.Context, path, dir string) (table.Source, Keeper, error)
	// OpenDatabase opens the database of an existing data directory, checks it and closes it. Doctor calls it.
	OpenDatabase func(ctx context.Context, cfg config.Config) error
	// FindUV returns the uv program that environments would be built with. Doctor calls it.
	FindUV func(ctx context.Context, cfg config.Config) (string, error)
	// Isolation says why steps cannot have a /tmp and mounts of their own here; nil when they can. Doctor calls it.
	Isolation func(cfg config.Config) error

	Version, Commit, GoVersion string

	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Environ is the process's environment, "KEY=value" each. It is handed on to the Python that compiles.
	Environ []string
	// Now is the clock; the default is time.Now.
	Now func() time.Time
}

// Local is an engine inside the process.
type Local struct {
	// Handler serves the API, at least /api/v1.
	Handler http.Handler
	// Close stops the engine and waits for it.
	Close func(ctx context.Context) error
}

// app is what one invocation of a command shares.
type app struct {
	deps    Deps
	environ map[string]string
	flags   globalFlags
	// started is set once the command line was understood: an error before is a usage error.
	started bool
}

// Execute runs a command line (without the program's name) and returns the exit status. The first interrupt should
// cancel ctx; the caller should then stop catching it, so that a second one ends the process.
func Execute(ctx context.Context, deps Deps, args []string) int {
	a := newApp(deps)
	root := a.command()
	root.SetArgs(args)
	root.SetIn(deps.Stdin)
	root.SetOut(deps.Stdout)
	root.SetErr(deps.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	var silent exitStatus
	if errors.As(err, &silent) {
		return int(silent)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Fprintln(deps.Stderr, "levada: interrupted")
		return ExitInterrupted
	}
	fmt.Fprintf(deps.Stderr, "levada: %s\n", cleanLines(err.Error()))
	if !a.started {
		fmt.Fprintln(deps.Stderr, "Try \"levada --help\", or --help after a command.")
		return ExitUsage
	}
	return exitOf(err)
}

// New returns the root command, for tools that walk the tree of commands. To run a command line, use Execute.
func New(deps Deps) *cobra.Command { return newApp(deps).command() }

func newApp(deps Deps) *app {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	environ := map[string]string{}
	for _, pair := range deps.Environ {
		if k, v, ok := strings.Cut(pair, "="); ok {
			environ[k] = v
		}
	}
	return &app{deps: deps, environ: environ}
}

// exitStatus ends a command whose message has been printed already.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func exitOf(err error) int {
	var unreachable *client.Unreachable
	switch {
	case errors.As(err, &unreachable):
		return ExitUnreachable
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.TooLarge:
		return ExitUsage
	default:
		return ExitFailed
	}
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "levada",
		Short: "Run machine learning pipelines on this machine",
		Long: "Levada runs Kubeflow Pipelines (KFP v2) on this machine: one program, one data directory.\n\n" +
			"Start with \"levada run pipeline.py\", or with \"levada up\" for the server and its web page.",
		Example:           "  levada run pipeline.py -p learning_rate=0.1\n  levada up",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { a.started = true; return nil },
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	a.flags.register(root)
	root.AddCommand(a.upCommand(), a.runCommand(), a.runsCommand(), a.schedulesCommand(), a.backfillCommand(), a.backfillsCommand(), a.partitionsCommand(),
		a.logsCommand(), a.artifactsCommand(), a.dataCommand(), a.cacheCommand(),
		a.gcCommand(), a.testCommand(), a.testEngineCommand(), a.envCommand(), a.secretCommand(secret.Secret), a.secretCommand(secret.ConfigMap),
		a.importCommand(), a.deployCommand(), a.endpointsCommand(), a.undeployCommand(), a.trafficCommand(), a.rolloutCommand(), a.requestsCommand(), a.truthCommand(), a.qualityCommand(), a.triggersCommand(), a.monitorsCommand(), a.planCommand(), a.applyCommand(), a.doctorCommand(), a.configCommand(), a.versionCommand())
	return root
}

// showHelp is what a command does that only groups others. Without it a misspelt subcommand would go unnoticed.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// cleanLines makes each line of a message safe for a terminal and keeps the line breaks.
func cleanLines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = console.Clean(l)
	}
	return strings.Join(lines, "\n")
}

// printJSON writes a value on standard output, and is the only thing that does when the output is JSON.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.deps.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// style says whether what goes to w is coloured (https://no-color.org).
func (a *app) style(w io.Writer) console.Style {
	_, _, terminal := console.Size(w)
	return console.Style{Color: terminal && a.environ["NO_COLOR"] == "" && a.environ["TERM"] != "dumb"}
}

// printTable writes a table on standard output, cut to the terminal when there is one.
func (a *app) printTable(t *console.Table) error {
	columns, _, _ := console.Size(a.deps.Stdout)
	return t.Write(a.deps.Stdout, columns, a.style(a.deps.Stdout))
}
