package pyenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"levada/internal/core/fault"
)

// uvRequirement is the uv that is installed where none is found.
const uvRequirement = "uv==0.13.8"

// builder runs the tools that make environments: uv where there is one, else venv and pip.
type builder struct {
	environ     []string
	toolsDir    string
	noUV        bool
	noBootstrap bool

	mu    sync.Mutex
	asked bool
	path  string
}

// uv returns the path of uv, or "" when environments are made without it.
func (b *builder) uv(ctx context.Context, py Interpreter, say func(string)) string {
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

// bootstrap installs uv once for all environments of the data directory.
func (b *builder) bootstrap(ctx context.Context, py Interpreter, say func(string)) (string, error) {
	dir := filepath.Join(b.toolsDir, "uv")
	if err := os.MkdirAll(b.toolsDir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFileExclusive(ctx, dir+".lock", func() {})
	if err != nil {
		return "", err
	}
	defer unlock()
	tool, done := filepath.Join(dir, "bin", "uv"), filepath.Join(dir, ".ready")
	if _, err := os.Stat(done); err == nil {
		return tool, nil
	}
	say("installing " + uvRequirement + ", which makes environments faster")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := b.run(ctx, nil, say, py.Path, "-m", "venv", dir); err != nil {
		return "", err
	}
	if err := b.run(ctx, nil, say, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", uvRequirement); err != nil {
		return "", err
	}
	return tool, os.WriteFile(done, nil, 0o644)
}

// venv makes an empty environment with pip in it, for steps that install something themselves.
func (b *builder) venv(ctx context.Context, uv string, py Interpreter, dir string, say func(string)) error {
	if uv == "" {
		return failed("make", b.run(ctx, nil, say, py.Path, "-m", "venv", dir))
	}
	err := b.run(ctx, nil, func(string) {}, uv, "venv", "--quiet", "--seed", "--no-project", "--python", py.Path, dir)
	if err != nil && ctx.Err() == nil {
		// Without a package index there is no pip to put in, which matters to few steps.
		err = b.run(ctx, nil, say, uv, "venv", "--quiet", "--clear", "--no-project", "--python", py.Path, dir)
	}
	return failed("make", err)
}

func (b *builder) install(ctx context.Context, uv, venv string, in Install, say func(string)) error {
	var args []string
	if in.NoDeps {
		args = append(args, "--no-deps")
	}
	args = append(args, "--")
	args = append(args, in.Packages...)
	return failed("install "+Redact(strings.Join(in.Packages, " "))+" into", b.pip(ctx, uv, venv, in, args, say))
}

func (b *builder) installLock(ctx context.Context, uv, venv, lock string, s Spec, say func(string)) error {
	var where Install
	for _, in := range s.Installs {
		if in.IndexURL != "" {
			where.IndexURL = in.IndexURL
		}
		where.ExtraIndexURLs = append(where.ExtraIndexURLs, in.ExtraIndexURLs...)
		where.FindLinks = append(where.FindLinks, in.FindLinks...)
		where.TrustedHosts = append(where.TrustedHosts, in.TrustedHosts...)
		where.Pre = where.Pre || in.Pre
	}
	return failed("install the locked packages into", b.pip(ctx, uv, venv, where, []string{"--no-deps", "-r", lock}, say))
}

// pip installs with uv or pip. Index URLs travel in the environment, where other users of the machine cannot see them.
func (b *builder) pip(ctx context.Context, uv, venv string, in Install, args []string, say func(string)) error {
	python := filepath.Join(venv, "bin", "python")
	if uv == "" {
		base := []string{"-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"}
		if in.Pre {
			base = append(base, "--pre")
		}
		for _, h := range in.TrustedHosts {
			base = append(base, "--trusted-host", hostOf(h))
		}
		return b.run(ctx, sources("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", " ", in), say, python, append(base, args...)...)
	}
	base := []string{"pip", "install", "--python", python, "--index-strategy", "unsafe-best-match", "--compile-bytecode", "--no-progress", "--color", "never"}
	if in.Pre {
		base = append(base, "--prerelease", "allow")
	}
	for _, h := range in.TrustedHosts {
		base = append(base, "--allow-insecure-host", hostOf(h))
	}
	env := slices.Concat(b.pipSettings(), sources("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", " ", in))
	return b.run(ctx, env, say, uv, append(base, args...)...)
}

// pipSettings hands the machine's pip settings to uv, which does not read them itself.
func (b *builder) pipSettings() []string {
	env := []string{"UV_PYTHON_DOWNLOADS=never", "UV_NO_CONFIG=1"}
	for _, m := range []struct{ pip, uv, old string }{
		{"PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"},
		{"PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"},
		{"PIP_FIND_LINKS", "UV_FIND_LINKS", ""},
		{"PIP_CERT", "SSL_CERT_FILE", ""},
	} {
		v := lookup(b.environ, m.pip)
		if m.uv == "UV_FIND_LINKS" {
			v = strings.ReplaceAll(v, " ", ",")
		}
		if v != "" && lookup(b.environ, m.uv) == "" && (m.old == "" || lookup(b.environ, m.old) == "") {
			env = append(env, m.uv+"="+v)
		}
	}
	return env
}

func sources(index, extra, links, sep string, in Install) []string {
	var env []string
	if in.IndexURL != "" {
		env = append(env, index+"="+in.IndexURL)
	}
	if len(in.ExtraIndexURLs) > 0 {
		env = append(env, extra+"="+strings.Join(in.ExtraIndexURLs, sep))
	}
	if len(in.FindLinks) > 0 {
		if strings.HasPrefix(links, "UV") {
			sep = ","
		}
		env = append(env, links+"="+strings.Join(in.FindLinks, sep))
	}
	return env
}

// hostOf returns the host of what a component calls a trusted host; the SDK passes whole URLs by default.
func hostOf(h string) string {
	if u, err := url.Parse(h); err == nil && u.Host != "" {
		return u.Host
	}
	return h
}

var pinned = regexp.MustCompile(`^[A-Za-z0-9._-]+(==| @ )\S|^-e `)

// freeze lists the installed packages with their exact versions, sorted. pip itself changes nothing that a step computes.
func (b *builder) freeze(ctx context.Context, uv, venv string) (string, error) {
	python := filepath.Join(venv, "bin", "python")
	var lines []string
	keep := func(line string) {
		// Tools also print notes; a package is name==version, name @ url or -e url.
		if pinned.MatchString(line) && RequirementName(line) != "pip" {
			lines = append(lines, line)
		}
	}
	var err error
	if uv == "" {
		err = b.run(ctx, nil, keep, python, "-m", "pip", "freeze", "--all", "--quiet", "--disable-pip-version-check")
	} else {
		err = b.run(ctx, b.pipSettings(), keep, uv, "pip", "freeze", "--python", python, "--color", "never")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), failed("list the packages of", err)
}

// failed makes the error that the author of the step reads.
func failed(what string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.Invalidf("could not %s the step's Python environment: %w", what, err)
}

// toolError is a command that failed, with the lines that say why.
type toolError struct {
	cause error
	lines []string
}

func (e *toolError) Error() string {
	if len(e.lines) == 0 {
		return e.cause.Error()
	}
	return strings.Join(e.lines, "\n")
}

func (e *toolError) Unwrap() error { return e.cause }

// run runs a command and hands each line that it prints to say.
func (b *builder) run(ctx context.Context, env []string, say func(string), name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = slices.Concat(b.buildEnviron(), env)
	// Builds start compilers: all of it must end with the build.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return fmt.Errorf("start %s: %w", name, err)
	}
	last := make(chan []string, 1)
	go func() { last <- readLines(r, say) }()
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
		return &toolError{err, essential(lines)}
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

// buildEnviron is the environment of the tools: what finds the index and the compiler. The code that a build runs sees no
// other variable of the server.
func (b *builder) buildEnviron() []string {
	var env []string
	for _, kv := range b.environ {
		k, _, _ := strings.Cut(kv, "=")
		switch {
		case k == "PIP_REQUIRE_VIRTUALENV" || k == "PIP_TARGET" || k == "PIP_USER" || k == "PIP_PREFIX":
		case hasAnyPrefix(k, "PIP_", "UV_", "LC_", "XDG_", "SSL_") || slices.Contains(buildVariables, k) || isProxy(k):
			env = append(env, kv)
		}
	}
	return append(env, "PIP_DISABLE_PIP_VERSION_CHECK=1")
}

var buildVariables = []string{
	"PATH", "HOME", "LANG", "TZ", "TMPDIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC",
	"CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "CUDA_HOME", "RUSTUP_HOME", "CARGO_HOME",
}

func isProxy(k string) bool {
	switch strings.ToLower(k) {
	case "http_proxy", "https_proxy", "no_proxy", "all_proxy":
		return true
	}
	return false
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

var userInfo = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@'"]+@`)

// Redact removes the credentials of URLs from a text.
func Redact(s string) string { return userInfo.ReplaceAllString(s, "${1}***@") }
