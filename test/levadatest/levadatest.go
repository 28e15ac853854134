// Package levadatest starts real levada processes for tests.
//
// It builds the binary once per test process and gives each test a server on a free port with its own data directory. It
// is for tests only and must not know Levada's packages: what it tests is the program from outside.
package levadatest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// ready bounds how long a server may take to start.
const ready = 60 * time.Second

// Root returns the root of the repository: the folder with go.mod above that of the test, where go test starts it. (Where this file
// was compiled is not known with -trimpath.)
var Root = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	panic("no go.mod above the folder of the test")
})

// Build returns the path of a levada binary built from this checkout once per test process, or of the one that LEVADA_BIN names.
var Build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("LEVADA_BIN"); bin != "" {
		return bin, nil
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	// One name per checkout: the next build writes over it, and nothing piles up.
	sum := sha256.Sum256([]byte(Root()))
	bin := filepath.Join(cache, "bin-"+hex.EncodeToString(sum[:6]), "levada")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", bin, "./cmd/levada")
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build levada: %w\n%s", err, out)
	}
	return bin, nil
})

// Binary is Build for a test.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Server is a running `levada up`.
type Server struct {
	URL  string
	Data string

	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{}
}

// Start runs a server on a data directory of its own until the test ends. The Python environments that its steps need are kept
// in the cache between test runs. env are additional environment variables, "KEY=value" each.
func Start(t testing.TB, env ...string) *Server {
	t.Helper()
	data := t.TempDir()
	ShareEnvironments(t, data)
	return StartOn(t, data, env...)
}

// ShareEnvironments makes a data directory use the Python environments in the cache.
func ShareEnvironments(t testing.TB, data string) {
	t.Helper()
	cache, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	envs := filepath.Join(cache, "envs")
	if err := os.MkdirAll(envs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(envs, filepath.Join(data, "envs")); err != nil {
		t.Fatal(err)
	}
}

// StartOn runs a server on the given data directory until the test ends.
func StartOn(t testing.TB, data string, env ...string) *Server {
	t.Helper()
	s := &Server{Data: data, t: t, done: make(chan struct{})}
	s.cmd = exec.Command(Binary(t), "up", "--data", data, "--listen", "127.0.0.1:0")
	s.cmd.Env = append(os.Environ(), env...)
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(data, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	urls := make(chan string, 1)
	go func() {
		defer close(s.done)
		defer log.Close()
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if m := regexp.MustCompile(`http://\S+`).FindString(lines.Text()); m != "" {
				select {
				case urls <- m:
				default:
				}
			}
		}
		_ = s.cmd.Wait() // a test that wants the status uses Stop
	}()
	t.Cleanup(s.Stop)
	select {
	case s.URL = <-urls:
	case <-s.done:
		t.Fatalf("levada up ended before it listened:\n%s", s.Log())
	case <-time.After(ready):
		t.Fatalf("levada up does not listen after %s:\n%s", ready, s.Log())
	}
	return s
}

// Stop asks the server to stop and waits for it; its steps end with it. Stopping twice is safe.
func (s *Server) Stop() { s.StopWith(os.Interrupt) }

// StopWith is Stop with another signal.
func (s *Server) StopWith(signal os.Signal) {
	select {
	case <-s.done:
		return
	default:
	}
	_ = s.cmd.Process.Signal(signal) // it may have ended by itself
	select {
	case <-s.done:
	case <-time.After(ready):
		s.t.Errorf("levada up does not stop; killed\n%s", s.Log())
		s.Kill()
	}
}

// Kill ends the server at once, as kill -9 does.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.done
}

// PID is the server's process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// PeakMemory is the most memory that the server's process has held so far, in bytes. It is known on Linux only.
func (s *Server) PeakMemory(t testing.TB) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kB int64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatalf("the system does not say how much memory process %d has held: %v", s.PID(), err)
	}
	return kB << 10
}

// Log returns what the server logged.
func (s *Server) Log() string {
	b, err := os.ReadFile(filepath.Join(s.Data, "server.log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Get fetches a path of the server.
func (s *Server) Get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(req)
}
