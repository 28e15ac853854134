package runner

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// isolation is what this machine allows: mounts that only one step sees, and so paths that steps do not share.
type isolation struct {
	once sync.Once
	user bool // takes a user namespace
	err  error
}

// ErrNoIsolation is why steps share paths when the setting says so.
var ErrNoIsolation = errors.New("it is switched off by the setting isolation")

// ProbeIsolation says why steps cannot have views of their own on this machine; nil when they can. dir is an empty directory.
func ProbeIsolation(dir string) error {
	_, err := probeViews(dir)
	return err
}

// Isolation returns nil when each step gets a file system view of its own, and else why it does not. The first call tries it.
func (r *Runner) Isolation() error {
	i := &r.isolation
	i.once.Do(func() {
		if r.opt.NoIsolation {
			i.err = ErrNoIsolation
			return
		}
		dir, err := os.MkdirTemp(r.opt.DataDir, "probe-")
		if err == nil {
			i.user, err = probeViews(dir)
			err = errors.Join(err, removeAll(dir))
		}
		i.err = err
		if err != nil {
			r.opt.Logger.Warn("steps share /tmp: this machine allows no mount namespaces", "error", err)
		}
	})
	return i.err
}

// arrange gives the job a view with a /tmp of its own and everything that the step asked for at a path.
func (a *attempt) arrange(j *job, wanted []placed) error {
	if err := a.Isolation(); err != nil {
		for _, w := range wanted {
			a.log.System("nothing can be mounted at %s on this machine (levada doctor says why): the step finds it at %s", w.Target, w.Source)
		}
		return nil
	}
	tmp := realPath("/tmp")
	if realPath(a.opt.DataDir) != tmp {
		wanted = append(wanted, placed{Target: tmp, Source: a.layout.tmp()})
		wanted = append(wanted, a.shared(tmp)...)
	}
	v, err := planView(filepath.Join(a.layout.root, "view"), wanted)
	if err != nil {
		return inputError("%v", err)
	}
	v.UserNamespace = a.isolation.user
	a.view = v
	j.View = &v
	for _, name := range []string{"HOME", "TMPDIR"} {
		if j.Env[name] == a.layout.tmp() {
			j.Env[name] = "/tmp" // short enough for the names of sockets
		}
	}
	return nil
}

// shared lists what of the machine's /tmp a step sees all the same: the directories there in which Levada's own data and the
// step's Python lie, the programs that Levada gives it, and what its parameters name, because who wrote such a path meant this machine.
func (a *attempt) shared(tmp string) []placed {
	var out []placed
	share := func(path string) {
		if !slices.ContainsFunc(out, func(p placed) bool { return within(path, p.Target) }) {
			out = slices.DeleteFunc(out, func(p placed) bool { return within(p.Target, path) })
			out = append(out, placed{Target: path, Source: path})
		}
	}
	for _, path := range []string{a.opt.DataDir, a.env.Path, a.env.Executable()} {
		for _, p := range []string{path, realPath(path)} {
			if first, ok := firstBelow(tmp, p); ok {
				share(first)
			}
		}
	}
	commands, _ := os.ReadDir(a.opt.Commands) // none, where it is empty
	for _, c := range commands {
		if path := realPath(filepath.Join(a.opt.Commands, c.Name())); within(path, tmp) {
			share(path)
		}
	}
	for _, name := range sortedKeys(a.step.Inputs.Parameters) {
		value, _ := a.step.Inputs.Parameters[name].(string)
		if !strings.HasPrefix(value, "/tmp/") || strings.Contains(value, "\n") {
			continue
		}
		path := filepath.Clean(value)
		for path != "/tmp" {
			if _, err := os.Lstat(path); err == nil {
				break
			}
			path = filepath.Dir(path)
		}
		if path == "/tmp" {
			a.log.System("parameter %q names %s, which is not on this machine: the step's own /tmp is empty at first and removed with it", name, value)
			continue
		}
		share(resolveExisting(path))
	}
	return out
}

// firstBelow returns the entry of dir in which path lies.
func firstBelow(dir, path string) (string, bool) {
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	first, _, _ := strings.Cut(rel, "/")
	return filepath.Join(dir, first), true
}
