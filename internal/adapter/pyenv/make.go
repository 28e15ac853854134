package pyenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"levada/internal/core/fault"
)

// An environment on disk is <dir>/<key>/ with venv/, lock.txt and env.json. A venv cannot be moved, so it is built where it
// stays; env.json is written last, by a rename, and says that the rest is whole.
const (
	recordFile = "env.json"
	lockFile   = "lock.txt"
)

// record is the content of env.json. It is readable by its owner only: index URLs may hold credentials.
type record struct {
	Spec        Spec        `json:"spec"`
	Environment Environment `json:"environment"`
}

func recordPath(dir, key string) string { return filepath.Join(dir, key, recordFile) }

// make returns the environment under the lock that all processes on this directory share.
func (p *Provider) make(ctx context.Context, key string, s Spec, lock string, say func(string)) (*Environment, error) {
	if err := os.MkdirAll(p.opt.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("environment %s: %w", key, err)
	}
	unlock, err := lockFileExclusive(ctx, filepath.Join(p.opt.Dir, key+".lock"), func() {
		say("environment " + key + " is being built by another process; waiting")
	})
	if err != nil {
		return nil, fmt.Errorf("environment %s: %w", key, err)
	}
	defer unlock()
	if lock == "" {
		if r, err := readRecord(p.opt.Dir, key); err == nil && r.usable() {
			p.touch(&r.Environment)
			return &r.Environment, nil
		}
	}
	return p.build(ctx, key, s, lock, say)
}

// usable reports whether the interpreter behind a venv is still there.
func (r *record) usable() bool {
	_, err := os.Stat(r.Environment.Executable())
	return err == nil
}

func (p *Provider) build(ctx context.Context, key string, s Spec, lock string, say func(string)) (*Environment, error) {
	began := p.opt.Clock()
	dir, err := filepath.Abs(filepath.Join(p.opt.Dir, key))
	if err != nil {
		return nil, fmt.Errorf("environment %s: %w", key, err)
	}
	say(fmt.Sprintf("building environment %s: Python %s with %s", key, s.Python.Version, describeList(s.Requirements())))
	w := work{builder: &p.tool, place: dir, say: say}
	e, err := p.attempt(ctx, w, s, lock)
	if err != nil && ctx.Err() == nil && fault.KindOf(err) != fault.Invalid {
		p.opt.Logger.Warn("an environment could not be built, trying once more", "environment", key, "error", Redact(err.Error()))
		say("trying once more, because the requirements are not the reason: " + Redact(err.Error()))
		e, err = p.attempt(ctx, w, s, lock)
	}
	if err != nil {
		if rmErr := os.RemoveAll(dir); rmErr != nil {
			p.opt.Logger.Warn("what is left of a failed environment could not be removed", "path", dir, "error", rmErr)
		}
		if fault.KindOf(err) == fault.Internal {
			err = fmt.Errorf("environment %s: %w", key, err)
		}
		return nil, err
	}
	e.Key, e.Path = key, dir
	e.CreatedAt = p.opt.Clock().UTC()
	if err := writeRecord(dir, record{Spec: s, Environment: *e}); err != nil {
		return nil, fmt.Errorf("environment %s: %w", key, err)
	}
	say(fmt.Sprintf("environment %s is ready after %.1f s", key, p.opt.Clock().Sub(began).Seconds()))
	return e, nil
}

// attempt builds in a clean directory.
func (p *Provider) attempt(ctx context.Context, w work, s Spec, lock string) (*Environment, error) {
	if err := w.endLeftovers(ctx); err != nil {
		return nil, err
	}
	if err := errors.Join(os.RemoveAll(w.place), os.MkdirAll(w.place, 0o755)); err != nil {
		return nil, err
	}
	frozen, err := w.fill(ctx, s, lock)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(w.place, lockFile), []byte(frozen), 0o600); err != nil {
		return nil, err
	}
	size, err := treeSize(filepath.Join(w.place, "venv"))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(frozen + "\n" + s.Python.Version + "\n" + s.Python.Platform))
	return &Environment{
		Requirements: s.Requirements(), Python: s.Python.Version, Digest: "sha256:" + hex.EncodeToString(sum[:]),
		SizeBytes: size, State: Ready,
	}, nil
}

// fill makes the venv, installs into it and returns the list of what is in it.
func (w work) fill(ctx context.Context, s Spec, lock string) (string, error) {
	venv := filepath.Join(w.place, "venv")
	if len(s.Installs) == 0 {
		return "", w.bare(ctx, s.Python, venv)
	}
	w.uv = w.findUV(ctx, s.Python, w.say)
	if err := w.venv(ctx, s.Python, venv); err != nil {
		return "", err
	}
	if lock == "" {
		for _, in := range s.Installs {
			if err := w.install(ctx, venv, in); err != nil {
				return "", err
			}
		}
		return w.freeze(ctx, venv)
	}
	path := filepath.Join(w.place, lockFile)
	if err := os.WriteFile(path, []byte(lock), 0o600); err != nil {
		return "", err
	}
	if err := w.installLock(ctx, venv, path, s); err != nil {
		return "", err
	}
	return w.freeze(ctx, venv)
}

func describeList(requirements []string) string {
	if len(requirements) == 0 {
		return "no packages"
	}
	return strings.Join(requirements, ", ")
}

func treeSize(root string) (int64, error) {
	var total int64
	err := filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		st, err := d.Info()
		if err == nil {
			total += st.Size()
		}
		return err
	})
	return total, err
}

func writeRecord(dir string, r record) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, recordFile+".new")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, recordFile))
}

func readRecord(dir, key string) (*record, error) {
	path := recordPath(dir, key)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	r.Environment.LastUsedAt = st.ModTime().UTC()
	// The data directory may have been moved; its venv then does not work, and usable says so.
	r.Environment.Path = filepath.Join(dir, key)
	return &r, nil
}

// List returns the environments on disk, in no particular order.
func (p *Provider) List() ([]Environment, error) {
	entries, err := os.ReadDir(p.opt.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	var out []Environment
	for _, d := range entries {
		if !d.IsDir() || !isKey(d.Name()) {
			continue
		}
		e := Environment{Key: d.Name(), Path: filepath.Join(p.opt.Dir, d.Name()), State: Broken}
		if r, err := readRecord(p.opt.Dir, d.Name()); err == nil {
			e = r.Environment
			if !r.usable() {
				e.State = Broken
			}
		}
		p.mu.Lock()
		if p.builds[d.Name()] != nil {
			e.State = Building
		}
		p.mu.Unlock()
		out = append(out, e)
	}
	return out, nil
}

func isKey(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 20
}

// Remove deletes an environment. It is built anew when a step needs it.
func (p *Provider) Remove(ctx context.Context, key string) error {
	if !isKey(key) {
		return fault.Invalidf("environment %q: want a key of 20 hexadecimal digits", key)
	}
	dir := filepath.Join(p.opt.Dir, key)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fault.NotFoundf("environment %s: not found", key)
	}
	unlock, err := lockFileExclusive(ctx, dir+".lock", func() {})
	if err != nil {
		return fmt.Errorf("remove environment %s: %w", key, err)
	}
	defer unlock()
	p.forget(key)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove environment %s: %w", key, err)
	}
	return nil
}

// Rebuild makes an environment anew with exactly the package versions of its lock.
func (p *Provider) Rebuild(ctx context.Context, key string, log func(line string)) (*Environment, error) {
	if !isKey(key) {
		return nil, fault.Invalidf("environment %q: want a key of 20 hexadecimal digits", key)
	}
	r, err := readRecord(p.opt.Dir, key)
	if err != nil {
		return nil, fault.NotFoundf("environment %s: not found, or its record is damaged: %w", key, err)
	}
	lock, err := os.ReadFile(filepath.Join(p.opt.Dir, key, lockFile))
	if err != nil {
		return nil, fmt.Errorf("rebuild environment %s: %w", key, err)
	}
	p.mu.Lock()
	if p.closed || p.builds[key] != nil {
		p.mu.Unlock()
		return nil, fault.Conflictf("environment %s: it is being built", key)
	}
	delete(p.ready, key)
	b, id := p.start(key, r.Spec, string(lock)+"\n", log)
	p.mu.Unlock()
	return b.wait(ctx, id)
}

func (p *Provider) forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.ready, key)
}

// Scratch makes an environment that belongs to one step, which installs packages itself. It sees those of env.
func (p *Provider) Scratch(ctx context.Context, env *Environment, s Spec, dir string, say func(string)) error {
	w := work{builder: &p.tool, place: dir, say: say, uv: p.tool.findUV(ctx, s.Python, say)}
	// A step that is started again after a server was killed has its directory again.
	if err := w.endLeftovers(ctx); err != nil {
		return fmt.Errorf("make the step's own environment: %w", err)
	}
	if err := w.venv(ctx, s.Python, dir); err != nil {
		return err
	}
	site := filepath.Join("lib", "python"+s.Python.Minor(), "site-packages")
	link := filepath.Join(env.Path, "venv", site) + "\n"
	if err := os.WriteFile(filepath.Join(dir, site, "levada.pth"), []byte(link), 0o644); err != nil {
		return fmt.Errorf("make the step's own environment: %w", err)
	}
	return nil
}
