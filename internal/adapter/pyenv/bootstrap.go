package pyenv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// uvRequirement is the uv that is installed where none is found.
const uvRequirement = "uv==0.13.8"

// findUV returns the path of uv, or "" when environments are made without it.
func (b *builder) findUV(ctx context.Context, py Interpreter, say func(string)) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked || b.noUV {
		return b.path
	}
	b.path = lookPath("uv", b.environ)
	if b.path == "" && !b.noBootstrap {
		path, err := b.bootstrap(ctx, py, say)
		if ctx.Err() != nil {
			return "" // try again with the next build
		}
		if err != nil {
			say("uv could not be installed, going on with pip: " + Redact(err.Error()))
		}
		b.path = path
	}
	b.asked = true
	return b.path
}

// UV returns the program that environments would be made with, or "" when there is only pip. It installs nothing.
func (p *Provider) UV(context.Context) (string, error) {
	if path := lookPath("uv", p.opt.Environ); path != "" || p.opt.NoUV {
		return path, nil
	}
	tool := filepath.Join(p.opt.ToolsDir, "uv", "bin", "uv")
	if _, err := os.Stat(tool); err == nil {
		return tool, nil
	}
	return "", nil
}

// uvReady says that the uv beside it is whole. It appears with the directory, by a rename.
const uvReady = ".ready"

// bootstrap installs uv once for all environments of the data directory.
func (b *builder) bootstrap(ctx context.Context, py Interpreter, say func(string)) (string, error) {
	dir, err := filepath.Abs(filepath.Join(b.toolsDir, "uv"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFileExclusive(ctx, dir+".lock", func() {})
	if err != nil {
		return "", err
	}
	defer unlock()
	tool := filepath.Join(dir, "bin", "uv")
	if isFile(filepath.Join(dir, uvReady)) && isFile(tool) {
		return tool, nil
	}
	w := work{builder: b, place: dir, say: say}
	say("installing " + uvRequirement + ", which makes environments faster")
	if err := w.endLeftovers(ctx); err != nil {
		return "", err
	}
	old, err := filepath.Glob(dir + ".new-*")
	if err != nil {
		return "", err
	}
	for _, d := range append(old, dir) {
		if err := os.RemoveAll(d); err != nil {
			return "", err
		}
	}
	return tool, w.installUV(ctx, py, dir)
}

// installUV installs uv in a directory of its own and moves only the program to dir: it stands alone, a venv does not.
func (w work) installUV(ctx context.Context, py Interpreter, dir string) (err error) {
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".new-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	venv, whole := filepath.Join(tmp, "venv"), filepath.Join(tmp, "uv")
	if err := w.run(ctx, nil, py.Path, "-m", "venv", venv); err != nil {
		return err
	}
	if err := w.run(ctx, nil, filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "--quiet", uvRequirement); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(whole, "bin"), 0o755); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(venv, "bin", "uv"), filepath.Join(whole, "bin", "uv")); err != nil {
		return err
	}
	// A program that does not work here, for want of the right C library say, must not be chosen for every build.
	if err := w.run(ctx, nil, filepath.Join(whole, "bin", "uv"), "--version"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(whole, uvReady), nil, 0o644); err != nil {
		return err
	}
	return os.Rename(whole, dir)
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
