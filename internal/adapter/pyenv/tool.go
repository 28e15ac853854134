package pyenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"levada/internal/core/fault"
)

// failed makes the error of an installation, which the author of the step reads.
func failed(what string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if !exited(err) {
		return broken(what, err)
	}
	return fault.Invalidf("could not %s the step's Python environment: %w", what, err)
}

// broken makes the error of a tool that failed for no reason in the requirements: another attempt may go well.
func broken(what string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.Unavailablef("could not %s the step's Python environment: %w", what, err)
}

// exited reports whether a tool ended by itself, with a status, rather than by a signal or not at all.
func exited(err error) bool {
	var e *exec.ExitError
	return errors.As(err, &e) && e.Exited()
}

// toolError is a command that failed, with the lines that say why.
type toolError struct {
	name  string
	cause error
	lines []string
}

func (e *toolError) Error() string {
	said := strings.Join(e.lines, "\n")
	switch {
	case said == "":
		return e.name + ": " + e.cause.Error()
	case !exited(e.cause):
		return e.name + ": " + e.cause.Error() + "\n" + said
	}
	return said
}

func (e *toolError) Unwrap() error { return e.cause }

// run runs a command and hands each line that it prints to say.
func (w work) run(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = slices.Concat(w.buildEnviron(), env, []string{placeVariable + "=" + w.place})
	// Builds start compilers: all of it must end with the build.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	r, out, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Start()
	out.Close()
	if err != nil {
		r.Close()
		return fmt.Errorf("start %s: %w", name, err)
	}
	last := make(chan []string, 1)
	go func() { last <- readLines(r, w.say) }()
	err = cmd.Wait()
	if err != nil {
		// What the tool started must not keep the pipe open.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	lines := <-last
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &toolError{filepath.Base(name), err, essential(lines)}
	}
	return nil
}

var ansi = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// readLines hands over each line without colours and credentials and returns the last ones.
func readLines(r io.ReadCloser, say func(string)) []string {
	defer r.Close()
	var last []string
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := Redact(strings.TrimRight(ansi.ReplaceAllString(s.Text(), ""), " \r"))
		say(line)
		if last = append(last, line); len(last) > 200 {
			last = slices.Delete(last, 0, 100)
		}
	}
	// A line too long for the scanner must not block the tool.
	_, _ = io.Copy(io.Discard, r)
	return last
}

// essential picks the lines that say why a tool failed: from the first error on, at most twelve.
func essential(lines []string) []string {
	from := slices.IndexFunc(lines, func(l string) bool {
		l = strings.ToLower(strings.TrimSpace(l))
		return strings.HasPrefix(l, "error") || strings.HasPrefix(l, "×") || strings.HasPrefix(l, "fatal")
	})
	if from < 0 {
		from = max(0, len(lines)-6)
	}
	out := slices.DeleteFunc(slices.Clone(lines[from:]), func(l string) bool { return strings.TrimSpace(l) == "" })
	return out[:min(len(out), 12)]
}
