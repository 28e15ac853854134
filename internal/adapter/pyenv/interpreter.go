package pyenv

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"levada/internal/core/fault"
)

// Interpreter is a Python that environments can be made from.
type Interpreter struct {
	Path     string `json:"path"`     // the real executable, not a shim
	Version  string `json:"version"`  // 3.11.7
	Platform string `json:"platform"` // linux-x86_64
}

// Minor returns "3.11" for version 3.11.7.
func (p Interpreter) Minor() string {
	parts := strings.SplitN(p.Version, ".", 3)
	if len(parts) < 2 {
		return p.Version
	}
	return parts[0] + "." + parts[1]
}

// interpreters finds Pythons on the search path and remembers what it found.
type interpreters struct {
	environ []string
	chosen  string // the configured default, or ""

	mu    sync.Mutex
	known map[string]found
}

type found struct {
	py  Interpreter
	err error
}

// Upstream images say their Python as python:3.11-slim or ubi9/python-311.
var imageVersion = regexp.MustCompile(`(?:^|/)python(?::3\.(\d+)|-3(\d+)(?::|$|@))`)

// forImage returns the interpreter for an image and, when that is not the version the image names, a sentence that says so.
func (i *interpreters) forImage(ctx context.Context, image string) (Interpreter, string, error) {
	if i.chosen == "" {
		if m := imageVersion.FindStringSubmatch(image); m != nil {
			minor := "3." + m[1] + m[2]
			if py, err := i.inspect(ctx, "python"+minor); err == nil && py.Minor() == minor {
				return py, "", nil
			}
			py, err := i.standard(ctx)
			if err == nil && py.Minor() != minor {
				return py, fmt.Sprintf("image %s asks for Python %s, which is not on the search path: Python %s is used", image, minor, py.Version), nil
			}
			return py, "", err
		}
	}
	py, err := i.standard(ctx)
	return py, "", err
}

// standard returns the default interpreter.
func (i *interpreters) standard(ctx context.Context) (Interpreter, error) {
	name := i.chosen
	if name == "" {
		name = "python3"
	}
	py, err := i.inspect(ctx, name)
	if err != nil {
		return py, err
	}
	var minor int
	if _, err := fmt.Sscanf(py.Version, "3.%d", &minor); err != nil || minor < 9 {
		return py, fault.Unavailablef("%s is Python %s: want 3.9 or newer", py.Path, py.Version)
	}
	return py, nil
}

const describe = `import sys, sysconfig, json
print(json.dumps({"path": getattr(sys, "_base_executable", None) or sys.executable,
"version": "%d.%d.%d" % sys.version_info[:3], "platform": sysconfig.get_platform()}))`

func (i *interpreters) inspect(ctx context.Context, name string) (Interpreter, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f, ok := i.known[name]; ok {
		return f.py, f.err
	}
	path := lookPath(name, i.environ)
	if path == "" {
		return Interpreter{}, fault.Unavailablef("no %s on the search path: install Python 3.9 or newer, or configure which one to use", name)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-I", "-S", "-c", describe)
	cmd.Env = i.environ
	out, err := cmd.Output()
	var py Interpreter
	if err == nil {
		err = json.Unmarshal(out, &py)
	}
	if ctx.Err() != nil {
		return py, ctx.Err()
	}
	if err != nil {
		// A version manager's shim may be there for a version that is not.
		err = fault.Unavailablef("%s does not work: %v", path, err)
	}
	if i.known == nil {
		i.known = make(map[string]found)
	}
	i.known[name] = found{py, err}
	return py, err
}

// lookPath finds an executable in the PATH of an environment.
func lookPath(name string, environ []string) string {
	if strings.ContainsRune(name, filepath.Separator) {
		return name
	}
	for _, dir := range filepath.SplitList(lookup(environ, "PATH")) {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); filepath.IsAbs(path) && err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// lookup returns the last value of a variable, as the C library would.
func lookup(environ []string, name string) string {
	for i := len(environ) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(environ[i], "="); ok && k == name {
			return v
		}
	}
	return ""
}
