package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// runFlags are those of `levada run`.
type runFlags struct {
	parameters []string
	name       string
	experiment string
	noCache    bool
	detach     bool
	pipeline   string
	python     string
	output     *output
}

// runResult is what `levada run -o json` prints.
type runResult struct {
	Run   run.Run    `json:"run"`
	Tasks []run.Task `json:"tasks"`
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a pipeline and follow it",
		Long: "Run a pipeline and follow it to its end. FILE is a compiled pipeline (YAML or JSON), or a Python file that defines one.\n\n" +
			"With a server the run is the server's, and Ctrl-C leaves it going. Without one the run happens inside this command,\n" +
			"on the same data directory, and Ctrl-C cancels it.\n\n" +
			"Exit status: 0 succeeded, 1 failed or canceled, 2 wrong usage or input, 3 server unreachable, 130 interrupted.",
		Example: "  levada run pipeline.py -p learning_rate=0.1 -p 'layers=[64, 32]'\n" +
			"  levada run pipeline.yaml --experiment tuning -p @values.json -o json",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd, args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.parameters, "param", "p", nil, "parameter `KEY=VALUE`, or @FILE with a JSON object; may be given several times")
	flags.StringVar(&f.name, "name", "", "display name of the run (default: the pipeline's name and the time)")
	flags.StringVar(&f.experiment, "experiment", "", "`NAME` of the experiment to file the run under, created if it is missing")
	flags.BoolVar(&f.noCache, "no-cache", false, "run every step, also those whose results are known")
	flags.BoolVar(&f.detach, "detach", false, "start the run and return; needs a running server")
	flags.StringVar(&f.pipeline, "pipeline", "", "`NAME` of the pipeline, when a Python file defines several")
	flags.StringVar(&f.python, "python", "", "`INTERPRETER` with kfp that compiles a Python file")
	f.output = addOutput(cmd)
	a.addServer(cmd)
	a.addSettings(cmd, "max_parallel", "warm_python", "cache_max_age", "log_level", "log_format")
	return cmd
}

func (a *app) run(cmd *cobra.Command, file string, f runFlags) error {
	cfg, err := a.load(cmd)
	if err != nil {
		return err
	}
	spec, err := a.specification(cmd.Context(), compileRequest{file: file, pipeline: f.pipeline, python: f.python, config: cfg.Config})
	if err != nil {
		return err
	}
	p, err := ir.Parse(spec)
	if err != nil {
		return fault.Invalidf("%s: %w", file, err)
	}
	values, err := parameters(f.parameters, p)
	if err != nil {
		return err
	}
	sub := client.Submission{Spec: string(spec), Parameters: values, DisplayName: f.name, Experiment: f.experiment, Cache: !f.noCache}
	return a.with(cmd, func(ctx context.Context, s *session) error {
		if f.detach && s.local {
			return detachNeedsServer()
		}
		r, err := s.Submit(ctx, sub)
		if err != nil {
			return err
		}
		if f.detach {
			return a.printStarted(r, f.output.json())
		}
		return a.follow(ctx, s, r, f.output.json())
	})
}

func detachNeedsServer() error {
	return fault.Invalidf("--detach needs a server that goes on with the run; start one with \"levada up\"")
}

func (a *app) printStarted(r run.Run, asJSON bool) error {
	if asJSON {
		return a.printJSON(runResult{Run: r, Tasks: []run.Task{}})
	}
	_, err := fmt.Fprintf(a.deps.Stdout, "Started %s (%s)\nFollow it with: levada logs %s -f\n", console.Clean(r.DisplayName), r.ID, console.ShortID(r.ID))
	return err
}

// follow shows a run until it ends, and turns its end into the exit status.
func (a *app) follow(ctx context.Context, s *session, r run.Run, asJSON bool) error {
	shown := a.newProgress(s, r, asJSON)
	result, err := shown.watch(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return a.interrupted(ctx, s, r, shown)
	}
	if err != nil {
		return err
	}
	if asJSON {
		err = a.printJSON(result)
	} else {
		err = a.printSummary(ctx, s, result)
	}
	if err == nil && result.Run.State != run.Succeeded {
		return exitStatus(ExitFailed)
	}
	return err
}

// interrupted leaves a server's run alone. A run inside this command would be taken up again by the next command, which
// is not what Ctrl-C means: it is canceled and waited for.
func (a *app) interrupted(ctx context.Context, s *session, r run.Run, shown *progress) error {
	ctx = context.WithoutCancel(ctx)
	if !s.local {
		fmt.Fprintf(a.deps.Stderr, "levada: the run goes on; follow it with \"levada logs %[1]s -f\", stop it with \"levada runs cancel %[1]s\"\n",
			console.ShortID(r.ID))
		return exitStatus(ExitInterrupted)
	}
	fmt.Fprintln(a.deps.Stderr, "levada: canceling the run; press Ctrl-C again to leave at once")
	if _, err := s.Cancel(ctx, r.ID); err != nil && fault.KindOf(err) != fault.Conflict {
		return err
	}
	result, err := shown.watch(ctx)
	if err != nil {
		return err
	}
	if shown.asJSON {
		if err := a.printJSON(result); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.deps.Stdout, "%s: %s\n", console.Clean(result.Run.DisplayName), result.Run.State)
	}
	return exitStatus(ExitInterrupted)
}
