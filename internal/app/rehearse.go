package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"levada/internal/adapter/pyenv"
	"levada/internal/adapter/runner"
	"levada/internal/adapter/standin"
	"levada/internal/api/rehearse"
	"levada/internal/config"
	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/python"
)

// pytestRequirement is the pytest of the environment that tests run in when the user has none.
const pytestRequirement = "pytest==9.2.0"

// rehearsing lets canned outputs stand in for steps.
type rehearsing struct {
	*runner.Runner
	stands *standin.Steps
}

// Reserve lets a step that is replaced start at once: it takes no room.
func (r rehearsing) Reserve(ctx context.Context, s *run.Step) (func(), error) {
	takes, err := r.stands.Takes(ctx, s)
	if err != nil || takes {
		return func() {}, err
	}
	return r.Runner.Reserve(ctx, s)
}

// Run executes a step, or gives what stands in for it.
func (r rehearsing) Run(ctx context.Context, s *run.Step) (run.Values, error) {
	takes, err := r.stands.Takes(ctx, s)
	if err != nil {
		return run.Values{}, err
	}
	if takes {
		return r.stands.Run(ctx, s)
	}
	return r.Runner.Run(ctx, s)
}

// rehearse serves an engine for tests of pipelines until input ends, which it does with the process that holds its other end. The
// engine has a data directory of its own, which goes with it, and the Python environments of the user's. It says on output, in a line
// of JSON, which socket it listens on.
func (b builder) rehearse(ctx context.Context, cfg config.Config, input io.Reader, output io.Writer) (err error) {
	dir, err := os.MkdirTemp(socketDir(), "levada-test-")
	if err != nil {
		return fmt.Errorf("make a directory for the test engine: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.users = cfg.DataDir
	cfg.DataDir = filepath.Join(dir, "data")
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		return err
	}
	s, err := b.open(ctx, cfg, openOptions{does: running, ephemeral: true, standIns: work})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	socket := filepath.Join(dir, "socket")
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", socket, err)
	}
	base, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	srv := &http.Server{Handler: rehearse.NewHandler(s.service, s.stands), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), BaseContext: func(net.Listener) context.Context { return base }}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	if err := json.NewEncoder(output).Encode(map[string]string{"socket": socket, "version": Version}); err != nil {
		return errors.Join(err, srv.Close(), ignoreClosed(<-served))
	}
	gone := make(chan struct{})
	go func() { // ends with the process at the latest: a read cannot be given up
		_, _ = io.Copy(io.Discard, input)
		close(gone)
	}()
	select {
	case err := <-served:
		return err
	case <-gone:
	case <-ctx.Done():
	}
	end()
	return errors.Join(srv.Close(), ignoreClosed(<-served))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// socketDir is the directory for temporary files, or /tmp where the path of a socket in it would be too long for the system.
func socketDir() string {
	const room = 60 // of about 104 bytes
	if dir := os.TempDir(); len(dir) <= room {
		return dir
	}
	return "/tmp"
}

// testPython returns an interpreter that has kfp, pytest and the given requirements.
func (b builder) testPython(ctx context.Context, cfg config.Config, requirements []string, say func(string)) (string, error) {
	envs := b.environments(cfg, b.logger(cfg))
	defer envs.Close()
	plan, err := envs.Plan(ctx, "", nil, nil)
	if err != nil {
		return "", err
	}
	packages := []string{pytestRequirement}
	if !slices.ContainsFunc(requirements, func(r string) bool { return pyenv.RequirementName(r) == "kfp" }) {
		packages = append(packages, kfpRequirement)
	}
	plan.Spec.Installs = []pyenv.Install{{Packages: append(packages, requirements...)}}
	env, err := envs.Ensure(ctx, plan.Spec, say)
	if err != nil {
		return "", err
	}
	return env.Executable(), nil
}

// testLibrary writes the Python package levada to the disk and returns the directory to import it from. The directory is named by
// content, so that versions do not disturb each other.
func (b builder) testLibrary(_ context.Context, cfg config.Config) (string, error) {
	files := map[string][]byte{}
	h := sha256.New()
	err := fs.WalkDir(python.Library, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := python.Library.ReadFile(name)
		files[name] = body
		fmt.Fprintf(h, "%s %d\n%s", name, len(body), body)
		return err
	})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cfg.DataDir, "tools", "library-"+hex.EncodeToString(h.Sum(nil))[:16])
	for name, body := range files {
		if err := writeWhole(filepath.Join(dir, filepath.FromSlash(path.Clean(name))), body); err != nil {
			return "", fault.Unavailablef("write the Python package: %w", err)
		}
	}
	return dir, nil
}

// writeWhole writes a file that others see complete or not at all.
func writeWhole(path string, body []byte) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(body) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(body)
	return errors.Join(err, tmp.Chmod(0o644), tmp.Close(), os.Rename(tmp.Name(), path))
}
