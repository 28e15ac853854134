package pyenv

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

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

// work is the making of one environment.
type work struct {
	*builder
	uv    string // "" where there is only pip
	place string // marks the tools, see endLeftovers
	say   func(string)
}

// venv makes an empty environment with pip in it, for steps that install something themselves.
func (w work) venv(ctx context.Context, py Interpreter, dir string) error {
	if w.uv == "" {
		return broken("make", w.run(ctx, nil, py.Path, "-m", "venv", dir))
	}
	quiet := w
	quiet.say = func(string) {}
	err := quiet.run(ctx, nil, w.uv, "venv", "--quiet", "--seed", "--no-project", "--python", py.Path, dir)
	if err != nil && ctx.Err() == nil {
		// Without a package index there is no pip to put in, which matters to few steps.
		err = w.run(ctx, nil, w.uv, "venv", "--quiet", "--clear", "--no-project", "--python", py.Path, dir)
	}
	return broken("make", err)
}

// bare makes an environment with nothing in it. That needs neither uv nor a package index.
func (w work) bare(ctx context.Context, py Interpreter, dir string) error {
	return broken("make", w.run(ctx, nil, py.Path, "-m", "venv", "--without-pip", dir))
}

func (w work) install(ctx context.Context, venv string, in Install) error {
	var args []string
	if in.NoDeps {
		args = append(args, "--no-deps")
	}
	if len(in.Constraints) > 0 {
		path := filepath.Join(w.place, "constraints.txt")
		if err := os.WriteFile(path, []byte(strings.Join(in.Constraints, "\n")+"\n"), 0o600); err != nil {
			return err
		}
		args = append(args, "-c", path)
	}
	args = append(args, "--")
	args = append(args, in.Packages...)
	return failed("install "+Redact(strings.Join(in.Packages, " "))+" into", w.pip(ctx, venv, in, args))
}

func (w work) installLock(ctx context.Context, venv, lock string, s Spec) error {
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
	return failed("install the locked packages into", w.pip(ctx, venv, where, []string{"--no-deps", "-r", lock}))
}

// pip installs with uv or pip. Index URLs travel in the environment, where other users of the machine cannot see them.
func (w work) pip(ctx context.Context, venv string, in Install, args []string) error {
	python := filepath.Join(venv, "bin", "python")
	if w.uv == "" {
		base := []string{"-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"}
		if in.Pre {
			base = append(base, "--pre")
		}
		for _, h := range in.TrustedHosts {
			base = append(base, "--trusted-host", hostOf(h))
		}
		return w.run(ctx, sources("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", " ", in), python, append(base, args...)...)
	}
	base := []string{"pip", "install", "--python", python, "--index-strategy", "unsafe-best-match", "--compile-bytecode", "--no-progress", "--color", "never"}
	if in.Pre {
		base = append(base, "--prerelease", "allow")
	}
	for _, h := range in.TrustedHosts {
		base = append(base, "--allow-insecure-host", hostOf(h))
	}
	env := slices.Concat(w.pipSettings(), sources("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", " ", in))
	return w.run(ctx, env, w.uv, append(base, args...)...)
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
func (w work) freeze(ctx context.Context, venv string) (string, error) {
	python := filepath.Join(venv, "bin", "python")
	var lines []string
	w.say = func(line string) {
		// Tools also print notes; a package is name==version, name @ url or -e url.
		if pinned.MatchString(line) && RequirementName(line) != "pip" {
			lines = append(lines, line)
		}
	}
	var err error
	if w.uv == "" {
		err = w.run(ctx, nil, python, "-m", "pip", "freeze", "--all", "--quiet", "--disable-pip-version-check")
	} else {
		err = w.run(ctx, w.pipSettings(), w.uv, "pip", "freeze", "--python", python, "--color", "never")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), broken("list the packages of", err)
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
