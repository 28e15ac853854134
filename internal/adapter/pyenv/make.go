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
	dir := filepath.Join(p.opt.Dir, key)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, fmt.Errorf("environment %s: %w", key, err)
	}
	say(fmt.Sprintf("building environment %s: Python %s with %s", key, s.Python.Version, describeList(s.Requirements())))
	e, err := p.fill(ctx, dir, s, lock, say)
	if err != nil {
		if rmErr := os.RemoveAll(dir); rmErr != nil {
			p.opt.Logger.Warn("what is left of a failed environment could not be removed", "path", dir, "error", rmErr)
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

// fill makes the venv and installs into it.
func (p *Provider) fill(ctx context.Context, dir string, s Spec, lock string, say func(string)) (*Environment, error) {
	venv := filepath.Join(dir, "venv")
	uv := p.tool.uv(ctx, s.Python, say)
	if err := p.tool.venv(ctx, uv, s.Python, venv, say); err != nil {
		return nil, err
	}
	if lock != "" {
		path := filepath.Join(dir, lockFile)
		if err := os.WriteFile(path, []byte(lock), 0o644); err != nil {
			return nil, err
		}
		if err := p.tool.installLock(ctx, uv, venv, path, s, say); err != nil {
			return nil, err
		}
	} else {
		for _, in := range s.Installs {
			if err := p.tool.install(ctx, uv, venv, in, say); err != nil {
				return nil, err
			}
		}
	}
	frozen, err := p.tool.freeze(ctx, uv, venv)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, lockFile), []byte(frozen), 0o600); err != nil {
		return nil, err
	}
	size, err := treeSize(venv)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(frozen + "\n" + s.Python.Version + "\n" + s.Python.Platform))
	return &Environment{
		Requirements: s.Requirements(), Python: s.Python.Version, Digest: "sha256:" + hex.EncodeToString(sum[:]),
		SizeBytes: size, State: Ready,
	}, nil
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
	b := p.start(key, r.Spec, string(lock)+"\n")
	id := b.join(log)
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
	if err := p.tool.venv(ctx, p.tool.uv(ctx, s.Python, say), s.Python, dir, say); err != nil {
		return err
	}
	site := filepath.Join("lib", "python"+s.Python.Minor(), "site-packages")
	link := filepath.Join(env.Path, "venv", site) + "\n"
	if err := os.WriteFile(filepath.Join(dir, site, "levada.pth"), []byte(link), 0o644); err != nil {
		return fmt.Errorf("make the step's own environment: %w", err)
	}
	return nil
}
