// Package kfpclient drives a running server with unmodified kfp.Client objects, one SDK version after the other. The
// tests themselves are in Python; this driver builds and starts the server and makes the Python environments.
package kfpclient

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sdkVersions are the ends of the range that is promised to work; each has its requirements file.
var sdkVersions = []string{"2.17.0", "2.7.0"}

func TestKFPClientsWorkUnchanged(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not on the PATH: the real kfp.Client cannot be run without it")
	}
	cache := cacheFolder(t)
	binary := buildServer(t)
	for _, version := range sdkVersions {
		t.Run("kfp "+version, func(t *testing.T) {
			interpreter := environment(t, python, cache, version)
			url := startServer(t, binary)
			runTests(t, interpreter, url)
		})
	}
}

// runTests runs the Python tests in an own home, because the client keeps settings there.
func runTests(t *testing.T, interpreter, url string) {
	cmd := exec.CommandContext(t.Context(), interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", ".")
	cmd.Env = append(os.Environ(), "LEVADA_URL="+url, "HOME="+t.TempDir(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore::FutureWarning")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pytest: %v\n%s", err, out)
	}
	t.Logf("%s", lastLine(out))
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func buildServer(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "levada")
	run(t, []string{"CGO_ENABLED=0"}, "go", "build", "-tags", "grpcnotrace", "-o", binary, "levada/cmd/levada")
	return binary
}

// startServer starts the server on a free port and an empty data directory, and stops it when the test ends.
func startServer(t *testing.T, binary string) string {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "up", "--data", t.TempDir(), "--listen", "127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	lines := make(chan string)
	go func() { // ends with the server's standard output
		defer close(lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			if _, url, ok := strings.Cut(s.Text(), "listening on "); ok {
				lines <- strings.TrimSpace(url)
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range lines { // Wait may close the pipe only after the reader is through
		}
		_ = cmd.Wait() // interrupted, so the status says nothing
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("the server's log:\n%s", tail(text, 20_000))
		}
		_ = log.Close()
	})
	select {
	case url, ok := <-lines:
		if !ok {
			t.Fatal("the server ended without saying where it listens")
		}
		return url
	case <-time.After(time.Minute):
		t.Fatal("the server did not say within a minute where it listens")
	}
	return ""
}

func tail(text []byte, most int) []byte {
	if len(text) > most {
		return text[len(text)-most:]
	}
	return text
}

func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
