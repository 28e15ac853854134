// Package cli_test drives the real levada program through the scripts in testdata/script, each with a data directory
// of its own. The commands that scripts have besides testscript's own are described at their functions.
package cli_test

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"levada/test/levadatest"
)

// kfpPython is an interpreter with kfp, for the scripts that compile.
var kfpPython string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

// buildAndRun puts the program first on the PATH, and uv behind it: each script has a data directory of its own, and each of
// those would fetch uv for itself.
func buildAndRun(m *testing.M) int {
	bin, err := levadatest.Build()
	if err == nil {
		var uv string
		if uv, err = levadatest.UV(); err == nil {
			path := []string{filepath.Dir(bin), os.Getenv("PATH"), filepath.Dir(uv)}
			err = os.Setenv("PATH", strings.Join(path, string(os.PathListSeparator)))
		}
	}
	if err == nil {
		kfpPython, err = levadatest.KFPPython("2.17.0")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("LEVADA_DATA", filepath.Join(e.WorkDir, "data"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("KFP_PYTHON", kfpPython)
			e.Setenv("TABLES", filepath.Join(levadatest.Root(), "internal", "adapter", "tabular", "testdata"))
			e.Values[serverKey{}] = &server{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "up": up, "down": down, "keep": keep, "interrupted": interrupted, "picture": picture},
	})
}

// exits runs a program and checks its exit status: exits STATUS PROGRAM [ARG...].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// picture draws an image: picture FILE SEED LEAST MOST. Each seed gives another one; the values of its colours are from LEAST to MOST.
func picture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: picture FILE SEED LEAST MOST")
	}
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(args[1+i])
		ts.Check(err)
		numbers[i] = n
	}
	seed, least, most := numbers[0], numbers[1], numbers[2]
	m := image.NewNRGBA(image.Rect(0, 0, 160, 120))
	for i := range m.Pix {
		x, y := i/4%160, i/640
		v := (x/(7+seed)*31 + y/(5+seed)*17 + i%4*40 + x*y%13 + seed*57) % 256
		m.Pix[i] = uint8(least + v*(most-least)/255)
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o750))
	f, err := os.Create(path)
	ts.Check(err)
	ts.Check(png.Encode(f, m))
	ts.Check(f.Close())
}

// serverKey finds the server of a script among its values.
type serverKey struct{}

// server is a levada that runs beside a script; its fields are empty before `up` and after `down`.
type server struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
}

// program prepares levada to run beside the script, with its standard error shown when the script fails.
func program(ts *testscript.TestScript, args ...string) *server {
	path, err := exec.LookPath("levada")
	ts.Check(err)
	cmd := exec.Command(path, args...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "HOME", "LEVADA_DATA", "TMPDIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	log, err := os.CreateTemp(ts.Getenv("WORK"), "stderr-")
	ts.Check(err)
	ts.Defer(func() { log.Close() })
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	s := &server{cmd: cmd, stdout: bufio.NewReader(out)}
	ts.Defer(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // the script failed before it stopped the program itself
			_ = cmd.Wait()
		}
		if b, err := os.ReadFile(log.Name()); err == nil {
			ts.Logf("standard error of levada %s:\n%s", strings.Join(args, " "), b)
		}
	})
	return s
}

// up starts a server on a free port and waits until it listens: up [ARG...]. Its address is in $URL then.
func up(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("up cannot be negated")
	}
	s := program(ts, append([]string{"up", "--listen", "127.0.0.1:0"}, args...)...)
	line, err := s.stdout.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "Levada is listening on ")
	if err != nil || !ok {
		ts.Fatalf("levada up did not start: %v, printed %q", err, line)
	}
	ts.Setenv("URL", url)
	ts.Setenv("PORT", url[strings.LastIndex(url, ":")+1:])
	*ts.Value(serverKey{}).(*server) = *s
}

// down stops the server with an interrupt and wants exit status 0.
func down(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serverKey{}).(*server)
	if s.cmd == nil || neg || len(args) != 0 {
		ts.Fatalf("usage: down, after up")
	}
	ts.Check(s.cmd.Process.Signal(syscall.SIGINT))
	_, err := io.Copy(io.Discard, s.stdout)
	ts.Check(err)
	if err := s.cmd.Wait(); err != nil {
		ts.Fatalf("levada up ended with: %v", err)
	}
	*s = server{}
}

// keep puts what the last program printed, without the line break, into a variable: keep NAME.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// interrupted runs levada until it prints a text, interrupts it, and checks exit status 130 and a text at the end:
// interrupted AT WANT ARG...
func interrupted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupted AT WANT ARG...")
	}
	s := program(ts, args[2:]...)
	for {
		line, err := s.stdout.ReadString('\n')
		if err != nil {
			ts.Fatalf("levada ended before it printed %q: %v", args[0], err)
		}
		if strings.Contains(line, args[0]) {
			break
		}
	}
	ts.Check(s.cmd.Process.Signal(syscall.SIGINT))
	rest, err := io.ReadAll(s.stdout)
	ts.Check(err)
	err = s.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 130 {
		ts.Fatalf("ended with %v, want exit status 130; printed %s", err, rest)
	}
	if !strings.Contains(string(rest), args[1]) {
		ts.Fatalf("no %q in what was printed at the end: %s", args[1], rest)
	}
}
