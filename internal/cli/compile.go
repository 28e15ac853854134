package cli

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"levada/internal/config"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

//go:embed compile.py
var compileScript []byte

// noKFP is the exit status with which the script says that its interpreter has no kfp.
const noKFP = 77

// compileRequest says what to compile and with what.
type compileRequest struct {
	file     string
	pipeline string // empty when the file has only one
	python   string // empty to look for one
	config   config.Config
}

// specification reads a compiled pipeline, or compiles a Python file.
func (a *app) specification(ctx context.Context, req compileRequest) ([]byte, error) {
	info, err := os.Stat(req.file)
	if err != nil {
		return nil, fault.Invalidf("read the pipeline: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fault.Invalidf("read the pipeline: %s is not a file; want a compiled pipeline (.yaml, .json) or a Python file (.py)", req.file)
	}
	if strings.EqualFold(filepath.Ext(req.file), ".py") {
		return a.compile(ctx, req)
	}
	if req.pipeline != "" || req.python != "" {
		return nil, fault.Invalidf("%s is compiled already: --pipeline and --python are for Python files", req.file)
	}
	if info.Size() > ir.MaxBytes {
		return nil, fault.TooLargef("read the pipeline: %s has %d bytes; at most %d are accepted", req.file, info.Size(), ir.MaxBytes)
	}
	return os.ReadFile(req.file)
}

// compile tries the interpreters in turn: the one that was named; else the python3 of the PATH, in which the file's
// imports are most likely to work; else one of Levada's own.
func (a *app) compile(ctx context.Context, req compileRequest) ([]byte, error) {
	if req.python != "" {
		spec, err := a.compileWith(ctx, req.python, req)
		if errors.Is(err, errNoKFP) {
			return nil, fault.Invalidf("compile %s: %s cannot import kfp; install it there (pip install kfp), or leave --python out", req.file, req.python)
		}
		return spec, err
	}
	if python, ok := lookPath("python3", a.environ["PATH"]); ok {
		spec, err := a.compileWith(ctx, python, req)
		if !errors.Is(err, errNoKFP) {
			return spec, err
		}
	}
	if a.deps.KFPPython == nil {
		return nil, fault.Invalidf("compile %s: no python3 with kfp was found; name one with --python, or give a compiled pipeline", req.file)
	}
	python, err := a.deps.KFPPython(ctx, req.config)
	if err != nil {
		return nil, fmt.Errorf("compile %s: prepare a Python environment with kfp: %w", req.file, err)
	}
	spec, err := a.compileWith(ctx, python, req)
	if errors.Is(err, errNoKFP) {
		return nil, fmt.Errorf("compile %s: the Python environment %s cannot import kfp", req.file, python)
	}
	if err != nil && strings.Contains(err.Error(), "ModuleNotFoundError") {
		return nil, fault.Invalidf("%w\nThe file was compiled with an environment that holds kfp only; name an interpreter that has the "+
			"rest with --python", err)
	}
	return spec, err
}

var errNoKFP = errors.New("the interpreter has no kfp")

// compileWith runs the embedded script in one interpreter.
func (a *app) compileWith(ctx context.Context, python string, req compileRequest) ([]byte, error) {
	dir, err := os.MkdirTemp("", "levada-compile-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	script, pkg, answer := filepath.Join(dir, "compile.py"), filepath.Join(dir, "pipeline.yaml"), filepath.Join(dir, "answer.json")
	if err := os.WriteFile(script, compileScript, 0o600); err != nil {
		return nil, err
	}
	var messages bytes.Buffer
	cmd := exec.CommandContext(ctx, python, script, req.file, req.pipeline, pkg, answer)
	cmd.Env = append(append([]string{}, a.deps.Environ...), "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	cmd.Stdout, cmd.Stderr = &messages, &messages
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() == noKFP:
		return nil, errNoKFP
	case errors.As(err, &exit):
		return nil, fault.Invalidf("compile %s: Python failed:\n%s", req.file, lastLines(messages.String(), 12))
	case err != nil:
		return nil, fault.Invalidf("compile %s: start %s: %w", req.file, python, err)
	}
	return readPackage(pkg, answer, req)
}

func readPackage(pkg, answer string, req compileRequest) ([]byte, error) {
	body, err := os.ReadFile(answer)
	if err != nil {
		return nil, fault.Invalidf("compile %s: the file ended Python before the pipeline was compiled", req.file)
	}
	var got struct {
		Status    string
		Pipelines []string
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return nil, fmt.Errorf("compile %s: read the compiler's answer: %w", req.file, err)
	}
	names := strings.Join(got.Pipelines, ", ")
	switch got.Status {
	case "compiled":
		return os.ReadFile(pkg)
	case "none":
		return nil, fault.Invalidf("compile %s: it defines no pipeline; want a function decorated with @dsl.pipeline at the top level", req.file)
	case "several":
		return nil, fault.Invalidf("compile %s: it defines several pipelines; choose one with --pipeline: %s", req.file, names)
	default:
		return nil, fault.Invalidf("compile %s: it defines no pipeline %q; it has: %s", req.file, req.pipeline, names)
	}
}

// lastLines keeps the end of a text, where a traceback says what happened.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > n {
		lines = append([]string{"…"}, lines[len(lines)-n:]...)
	}
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return strings.Join(lines, "\n")
}

// lookPath finds a program in a PATH. Relative entries are passed over, as by exec.LookPath.
func lookPath(name, path string) (string, bool) {
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, true
		}
	}
	return "", false
}
