package modelhost

import (
	"context"
	"net/url"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/adapter/pyenv"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
)

// environment is what a model asks for.
type environment struct {
	python   string // version, such as 3.11.7; empty where it does not say
	installs []pyenv.Install
	notes    []string // what of it is left out
}

// wanted is what files of requirements say.
type wanted struct {
	pyenv.Install
	notes []string
}

// environment reads what a version asks for: python_env.yaml with requirements.txt, else conda.yaml, else requirements.txt alone.
func (h *Host) environment(ctx context.Context, d endpoint.Deployed, m mlmodel) (environment, error) {
	e, err := h.declared(ctx, d)
	if err != nil {
		return e, fault.Invalidf("the environment of version %s of model %q: %w", d.Version, d.Model, err)
	}
	if e.python == "" {
		e.python, _ = m.Flavors["python_function"]["python_version"].(string)
	}
	if len(e.installs) == 0 {
		return e, fault.Invalidf("the environment of version %s of model %q: it has no requirements.txt and no conda.yaml that names packages", d.Version, d.Model)
	}
	return e, nil
}

func (h *Host) declared(ctx context.Context, d endpoint.Deployed) (environment, error) {
	text, err := h.text(ctx, d, "python_env.yaml")
	switch {
	case err == nil:
		return h.pythonEnv(ctx, d, text)
	case fault.KindOf(err) != fault.NotFound:
		return environment{}, err
	}
	text, err = h.text(ctx, d, "conda.yaml")
	switch {
	case err == nil:
		if e, err := h.condaEnv(ctx, d, text); err != nil || len(e.installs) > 0 {
			return e, err
		}
	case fault.KindOf(err) != fault.NotFound:
		return environment{}, err
	}
	in, err := h.requirements(ctx, d, "requirements.txt", 0)
	if fault.KindOf(err) == fault.NotFound {
		return environment{}, nil
	}
	return environment{installs: installs(in.Install), notes: in.notes}, err
}

// pythonEnv reads python_env.yaml: {python, build_dependencies, dependencies}.
func (h *Host) pythonEnv(ctx context.Context, d endpoint.Deployed, text []byte) (environment, error) {
	var file struct {
		Python       string   `yaml:"python"`
		Dependencies []string `yaml:"dependencies"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return environment{}, fault.Invalidf("python_env.yaml cannot be read: %s", fault.Shorten(err.Error(), 300))
	}
	var all wanted
	for _, line := range file.Dependencies {
		if err := h.line(ctx, d, &all, line, 0); err != nil {
			return environment{}, err
		}
	}
	return environment{python: file.Python, installs: installs(all.Install), notes: all.notes}, nil
}

// condaEnv reads what pip can install of a conda.yaml. Packages of conda's own are not pip's, but MLflow names only python and pip there.
func (h *Host) condaEnv(ctx context.Context, d endpoint.Deployed, text []byte) (environment, error) {
	var file struct {
		Dependencies []any `yaml:"dependencies"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return environment{}, fault.Invalidf("conda.yaml cannot be read: %s", fault.Shorten(err.Error(), 300))
	}
	var e environment
	var all wanted
	for _, dep := range file.Dependencies {
		switch dep := dep.(type) {
		case string:
			if v, ok := strings.CutPrefix(dep, "python="); ok {
				e.python = strings.TrimLeft(v, "=")
			}
		case map[string]any:
			list, _ := dep["pip"].([]any)
			for _, line := range list {
				if err := h.line(ctx, d, &all, asText(line), 0); err != nil {
					return e, err
				}
			}
		}
	}
	e.installs, e.notes = installs(all.Install), all.notes
	return e, nil
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

// requirements reads a file of requirements, and those that it names.
func (h *Host) requirements(ctx context.Context, d endpoint.Deployed, name string, depth int) (wanted, error) {
	var all wanted
	if depth > 5 {
		return all, fault.Invalidf("%s: files of requirements name each other too deep", name)
	}
	if shown, is := address(name); is {
		return all, fault.Invalidf("%s is an address, and what is there may change: log the file with the model", shown)
	}
	text, err := h.text(ctx, d, path.Clean(name))
	if err != nil {
		return all, err
	}
	joined := strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\\\n", " ")
	for line := range strings.Lines(joined) {
		if err := h.line(ctx, d, &all, line, depth); err != nil {
			return all, fault.Invalidf("%s: %w", name, err)
		}
	}
	return all, nil
}

// line reads a line, and the file that it names.
func (h *Host) line(ctx context.Context, d endpoint.Deployed, all *wanted, line string, depth int) error {
	if name, ok := named(line, "-r", "--requirement"); ok {
		more, err := h.requirements(ctx, d, name, depth+1)
		if err != nil {
			return err
		}
		all.Packages = append(all.Packages, more.Packages...)
		all.Constraints = append(all.Constraints, more.Constraints...)
		all.ExtraIndexURLs = append(all.ExtraIndexURLs, more.ExtraIndexURLs...)
		all.FindLinks = append(all.FindLinks, more.FindLinks...)
		all.TrustedHosts = append(all.TrustedHosts, more.TrustedHosts...)
		if more.IndexURL != "" {
			all.IndexURL = more.IndexURL
		}
		all.Pre = all.Pre || more.Pre
		all.notes = append(all.notes, more.notes...)
		return nil
	}
	if name, ok := named(line, "-c", "--constraint"); ok {
		more, err := h.requirements(ctx, d, name, depth+1)
		switch kind := fault.KindOf(err); {
		case err == nil:
			all.Constraints = append(append(all.Constraints, more.Packages...), more.Constraints...)
			all.notes = append(all.notes, more.notes...)
		case kind == fault.NotFound || kind == fault.Invalid: // the model can do without
			shown, _ := address(name)
			all.notes = append(all.notes, "the constraints of "+shown+" are left out: "+fault.Shorten(err.Error(), 300))
		default:
			return err
		}
		return nil
	}
	return add(&all.Install, line)
}

// named is the file that a line names with one of the options: pip takes the short one without a blank too.
func named(line, short, long string) (name string, ok bool) {
	line = strings.TrimSpace(line)
	rest, ok := strings.CutPrefix(line, short)
	if !ok {
		if rest, ok = strings.CutPrefix(line, long); !ok || strings.TrimLeft(rest, " =\t") == rest {
			return "", false
		}
	}
	rest, _, _ = strings.Cut(rest, " #")
	return strings.Trim(rest, " =\t"), true
}

// address reports whether a file is named by its address, and how to show the name: without what may be a secret.
func address(name string) (shown string, is bool) {
	if !strings.Contains(name, "://") && !strings.HasPrefix(name, "file:") {
		return name, false
	}
	u, err := url.Parse(name)
	if err != nil {
		return "another server", true
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String(), true
}

// add reads one line of a file of requirements (https://pip.pypa.io/en/stable/reference/requirements-file-format/).
func add(all *pyenv.Install, line string) error {
	line = strings.TrimSpace(line)
	if i := strings.Index(line, " #"); i >= 0 {
		line = strings.TrimSpace(line[:i])
	}
	if line == "" || line[0] == '#' {
		return nil
	}
	if line[0] == '-' {
		return addOption(all, line)
	}
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "/") || strings.Contains(line, "file:") || pyenv.RequirementName(line) == "" {
		return fault.Invalidf("%q is a file or address and no package of an index: log the model with code_paths or publish the package", fault.Shorten(line, 200))
	}
	// Hashes are pip's own check of what the index gives; uv knows them only in files.
	if i := strings.Index(line, " --hash"); i >= 0 {
		line = strings.TrimSpace(line[:i])
	}
	all.Packages = append(all.Packages, line)
	return nil
}

func addOption(all *pyenv.Install, line string) error {
	name, value, _ := strings.Cut(strings.Replace(line, "=", " ", 1), " ")
	value = strings.TrimSpace(value)
	switch name {
	case "-i", "--index-url":
		all.IndexURL = value
	case "--extra-index-url":
		all.ExtraIndexURLs = append(all.ExtraIndexURLs, value)
	case "-f", "--find-links":
		all.FindLinks = append(all.FindLinks, value)
	case "--trusted-host":
		all.TrustedHosts = append(all.TrustedHosts, value)
	case "--pre":
		all.Pre = true
	case "--prefer-binary", "--no-cache-dir":
	default:
		return fault.Invalidf("the option %q cannot be used here", fault.Shorten(line, 200))
	}
	return nil
}

func installs(in pyenv.Install) []pyenv.Install {
	if len(in.Packages) == 0 {
		return nil
	}
	return []pyenv.Install{in}
}
