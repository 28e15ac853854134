package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/config"
	"levada/internal/core/fault"
)

// pytestPlugin shows the runs of a test that failed.
const pytestPlugin = "levada.testing.plugin"

// testFlags are those of `levada test`.
type testFlags struct {
	python       string
	requirements []string
	packages     []string
	pythonPath   bool
}

func (a *app) testCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [FILE...] [-- PYTEST ARGUMENTS]",
		Short: "Test pipelines like software, with pytest",
		Long: "Run test files with pytest, which may import levada.testing to run pipelines in which chosen steps are replaced by canned\n" +
			"outputs. FILE is a test file or a directory, by default the current one; what follows -- goes to pytest as it is.\n\n" +
			"The Python is the first of: --python; the python3 of the PATH, if it has kfp and pytest; an environment that Levada makes\n" +
			"with kfp, pytest and what --requirements and --with name. No server is needed, and none is touched.\n\n" +
			"To use plain pytest: PYTHONPATH=$(levada test --pythonpath) pytest -p " + pytestPlugin,
		Example: "  levada test test_pipeline.py\n  levada test tests -- -k deploy -x\n  levada test tests --requirements requirements.txt",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.test(cmd, args, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.python, "python", "", "`INTERPRETER` with kfp and pytest")
	flags.StringArrayVar(&f.requirements, "requirements", nil, "`FILE` with requirements that the test files import: use an environment that Levada makes")
	flags.StringArrayVar(&f.packages, "with", nil, "`REQUIREMENT` that the test files import, such as pandas==2.2.3")
	flags.BoolVar(&f.pythonPath, "pythonpath", false, "only print the directory that holds the Python package levada")
	a.addSettings(cmd, "max_parallel", "warm_python")
	return cmd
}

func (a *app) test(cmd *cobra.Command, args []string, f testFlags) error {
	cfg, err := a.load(cmd)
	if err != nil {
		return err
	}
	if a.deps.TestLibrary == nil {
		return fault.Unimplementedf("this program cannot run tests")
	}
	library, err := a.deps.TestLibrary(cmd.Context(), cfg.Config)
	if err != nil {
		return err
	}
	if f.pythonPath {
		_, err := fmt.Fprintln(a.deps.Stdout, library)
		return err
	}
	for i, path := range args {
		if n := cmd.ArgsLenAtDash(); n >= 0 && i >= n {
			break
		}
		file, _, _ := strings.Cut(path, "::") // pytest's way to name one test
		if _, err := os.Stat(file); err != nil {
			return fault.Invalidf("test %s: %w", path, err)
		}
	}
	python, err := a.testPython(cmd.Context(), cfg.Config, f)
	if err != nil {
		return err
	}
	return a.pytest(cmd.Context(), cfg.Config, python, library, args)
}

// testPython finds the interpreter for tests.
func (a *app) testPython(ctx context.Context, cfg config.Config, f testFlags) (string, error) {
	wanted, err := requirements(f)
	if err != nil {
		return "", err
	}
	if f.python != "" {
		if len(wanted) > 0 {
			return "", fault.Invalidf("--python names an interpreter that has everything; --requirements and --with are for one that Levada makes")
		}
		if missing := a.missingModules(ctx, f.python); missing != "" {
			return "", fault.Invalidf("%s cannot import %s; install it there (%s -m pip install %s), or leave --python out", f.python, missing, f.python, missing)
		}
		return f.python, nil
	}
	if python, ok := lookPath("python3", a.environ["PATH"]); ok && len(wanted) == 0 {
		switch missing := a.missingModules(ctx, python); missing {
		case "":
			return python, nil
		case "pytest": // the test files need what is installed beside kfp there
			return "", fault.Invalidf("%s has kfp but not pytest; install it there (%s -m pip install pytest), or name another interpreter with --python", python, python)
		}
	}
	if a.deps.TestPython == nil {
		return "", fault.Invalidf("no python3 with kfp and pytest was found; name one with --python")
	}
	python, err := a.deps.TestPython(ctx, cfg, wanted, func(line string) { fmt.Fprintln(a.deps.Stderr, cleanLines(line)) })
	if err != nil {
		return "", fmt.Errorf("prepare a Python environment for the tests: %w", err)
	}
	return python, nil
}

// missingModules returns which of kfp and pytest an interpreter cannot import, kfp first.
func (a *app) missingModules(ctx context.Context, python string) string {
	const script = `import importlib.util as u
print(next((m for m in ("kfp", "pytest") if u.find_spec(m) is None), "none"))`
	cmd := exec.CommandContext(ctx, python, "-c", script)
	cmd.Env, cmd.WaitDelay = a.deps.Environ, 5*time.Second
	out, err := cmd.Output()
	if err != nil {
		return "kfp"
	}
	return strings.TrimSuffix(strings.TrimSpace(string(out)), "none")
}

// requirements reads what the test files need. Options of pip are refused: they could change where packages come from.
func requirements(f testFlags) ([]string, error) {
	wanted := append([]string{}, f.packages...)
	for _, file := range f.requirements {
		body, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.Invalidf("--requirements: %w", err)
		}
		for line := range strings.Lines(string(bytes.TrimPrefix(body, []byte("\ufeff")))) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				wanted = append(wanted, line)
			}
		}
	}
	for _, r := range wanted {
		if strings.HasPrefix(r, "-") || strings.HasSuffix(r, "\\") {
			return nil, fault.Invalidf("requirement %q: want a package such as pandas==2.2.3; options of pip are not supported here, make an environment yourself and name it with --python", r)
		}
	}
	return wanted, nil
}

// pytest runs pytest with the package levada and this program at hand. Its exit status is the command's.
func (a *app) pytest(ctx context.Context, cfg config.Config, python, library string, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	path := library
	if old := a.environ["PYTHONPATH"]; old != "" {
		path += string(filepath.ListSeparator) + old
	}
	cmd := exec.Command(python, append([]string{"-m", "pytest", "-p", pytestPlugin}, args...)...)
	cmd.Env = append(append([]string{}, a.deps.Environ...), "PYTHONPATH="+path, "LEVADA_BIN="+self, "LEVADA_DATA="+cfg.DataDir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.deps.Stdin, a.deps.Stdout, a.deps.Stderr
	if err := cmd.Start(); err != nil {
		return fault.Invalidf("start %s: %w", python, err)
	}
	// Ctrl-C reaches pytest by itself, which then says what it has tested so far.
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return exitStatus(ExitInterrupted)
	case errors.As(err, &exit):
		return exitStatus(exitOfPytest(exit.ExitCode()))
	}
	return err
}

// exitOfPytest keeps to the exit statuses of the other commands: pytest ends with 1 when tests failed, with 2 to 5 when it could not
// test (https://docs.pytest.org/en/stable/reference/exit-codes.html).
func exitOfPytest(code int) int {
	switch code {
	case 4, 5: // wrong usage, no tests
		return ExitUsage
	case 2:
		return ExitInterrupted
	}
	return ExitFailed
}

func (a *app) testEngineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "test-engine",
		Short:   "Serve the engine that levada.testing talks to, until standard input ends",
		Example: "  levada test-engine < /dev/null",
		Args:    cobra.NoArgs,
		Hidden:  true,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(cmd)
		if err != nil {
			return err
		}
		if a.deps.TestEngine == nil {
			return fault.Unimplementedf("this program cannot run an engine for tests")
		}
		if cfg.Origin["log_level"] == "default" {
			cfg.LogLevel = "warn"
		}
		return a.deps.TestEngine(cmd.Context(), cfg.Config, a.deps.Stdin, a.deps.Stdout)
	}
	a.addSettings(cmd, "max_parallel", "warm_python", "log_level")
	return cmd
}
