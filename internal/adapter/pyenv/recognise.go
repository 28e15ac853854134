package pyenv

import (
	"regexp"
	"slices"
	"strings"
)

// Install is one "pip install": what it names and where it looks.
type Install struct {
	// Packages are requirements in pip's syntax.
	Packages []string `json:"packages"`
	// Constraints bound versions of packages, in pip's syntax, and ask for none.
	Constraints []string `json:"constraints,omitempty"`
	// NoDeps installs the packages without what they need.
	NoDeps bool `json:"no_deps,omitempty"`
	// Pre also accepts pre-releases.
	Pre bool `json:"pre,omitempty"`
	// IndexURL replaces the package index; ExtraIndexURLs are searched too. They may hold credentials.
	IndexURL       string   `json:"index_url,omitempty"`
	ExtraIndexURLs []string `json:"extra_index_urls,omitempty"`
	// FindLinks are further places that hold package files.
	FindLinks []string `json:"find_links,omitempty"`
	// TrustedHosts are hosts whose certificate is not checked.
	TrustedHosts []string `json:"trusted_hosts,omitempty"`
}

// Lightweight is a Python component whose whole source is in its command.
type Lightweight struct {
	// Installs are run in this order to make its environment.
	Installs []Install
	// Source is the text of the component's module.
	Source string
	// Args are the arguments of kfp's executor after the module's path.
	Args []string
	// Whole is set for kfp 2.0, whose executor (kfp.components.executor_main) imports the whole SDK and what that needs.
	Whole bool
}

// The fixed parts of the commands that kfp SDKs 2.0 to 2.17 write, with white space squeezed.
const (
	ensurePip  = `if ! [ -x "$(command -v pip)" ]; then python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip fi`
	quietPip   = `PIP_DISABLE_PIP_VERSION_CHECK=1 `
	goOn       = `&& "$0" "$@"`
	runProgram = `program_path=$(mktemp -d) printf "%s" "$0" > "$program_path/ephemeral_component.py" ` +
		`_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@"`
	// kfp 2.0 had its executor elsewhere.
	runProgram20 = `program_path=$(mktemp -d) printf "%s" "$0" > "$program_path/ephemeral_component.py" ` +
		`python3 -m kfp.components.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@"`
	useVenv = `export PIP_DISABLE_PIP_VERSION_CHECK=1 tmp=$(mktemp -d) python3 -m venv "$tmp/venv" --system-site-packages . "$tmp/venv/bin/activate" `
)

// Recognise finds the lightweight component behind a container's command and arguments, placeholders resolved. ok is false
// when the command is anything else, even slightly: then only a shell knows what it does.
func Recognise(command, args []string) (l Lightweight, ok bool) {
	switch {
	case len(command) == 7 && slices.Equal(command[:2], []string{"sh", "-c"}):
		if l.Installs, ok = parseInstallScript(command[2]); !ok {
			return Lightweight{}, false
		}
		command = command[3:]
	case len(command) != 4:
		return Lightweight{}, false
	}
	program := squeeze(command[2])
	if command[0] != "sh" || command[1] != "-ec" || program != runProgram && program != runProgram20 {
		return Lightweight{}, false
	}
	l.Whole = program == runProgram20
	if !slices.Contains(args, "--function_to_execute") || !slices.Contains(args, "--executor_input") {
		return Lightweight{}, false
	}
	l.Source, l.Args = command[3], args
	return l, true
}

// squeeze makes one space of what a shell takes for white space.
func squeeze(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\n\f\r", r) }), " ")
}

// parseInstallScript reads the script that installs a component's packages. White space inside a requirement has no meaning,
// so the script may be squeezed before its words are split.
func parseInstallScript(script string) ([]Install, bool) {
	line, ok := strings.CutPrefix(squeeze(script), ensurePip+" ")
	if !ok {
		return nil, false
	}
	line, ok = strings.CutSuffix(line, goOn)
	if !ok {
		return nil, false
	}
	line = strings.TrimPrefix(line, quietPip)
	// A component with use_venv isolates what it installs from its image; its environment here is its own anyway.
	line = strings.Replace(line, useVenv, "", 1)
	commands, ok := shellCommands(line)
	if !ok || len(commands) == 0 {
		return nil, false
	}
	var installs []Install
	for _, words := range commands {
		in, ok := parseInstall(words)
		if !ok {
			return nil, false
		}
		installs = append(installs, in...)
	}
	return installs, true
}

// parseInstall reads the words of one "python3 -m pip install". SDKs before 2.2 put kfp's --no-deps beside the
// component's own packages, which then lacked what they need; those are installed with their dependencies here.
func parseInstall(words []string) ([]Install, bool) {
	if len(words) < 5 || !slices.Equal(words[:4], []string{"python3", "-m", "pip", "install"}) {
		return nil, false
	}
	var in Install
	for i := 4; i < len(words); i++ {
		name, value, inline := strings.Cut(words[i], "=")
		if !strings.HasPrefix(words[i], "-") {
			in.Packages = append(in.Packages, words[i])
			continue
		}
		if takesValue(name) && !inline {
			if i++; i == len(words) {
				return nil, false
			}
			value = words[i]
		}
		if !in.option(name, value) {
			return nil, false
		}
	}
	if len(in.Packages) == 0 || slices.ContainsFunc(in.Packages, isLocalPath) {
		return nil, false
	}
	return splitNoDeps(in), true
}

func takesValue(option string) bool {
	switch option {
	case "--index-url", "-i", "--extra-index-url", "--trusted-host", "--find-links", "-f":
		return true
	}
	return false
}

func (in *Install) option(name, value string) bool {
	switch name {
	case "--quiet", "-q", "--no-warn-script-location", "--no-cache-dir", "--upgrade", "-U", "--disable-pip-version-check", "--no-input":
	case "--no-deps":
		in.NoDeps = true
	case "--pre":
		in.Pre = true
	case "--index-url", "-i":
		in.IndexURL = value
	case "--extra-index-url":
		in.ExtraIndexURLs = append(in.ExtraIndexURLs, value)
	case "--find-links", "-f":
		in.FindLinks = append(in.FindLinks, value)
	case "--trusted-host":
		in.TrustedHosts = append(in.TrustedHosts, value)
	default:
		return false
	}
	return true
}

// isLocalPath reports whether a requirement names a file of the image, which is not here.
func isLocalPath(p string) bool {
	return strings.HasPrefix(p, "/") || strings.HasPrefix(p, ".") ||
		(strings.HasSuffix(p, ".whl") || strings.HasSuffix(p, ".tar.gz")) && !strings.Contains(p, "://")
}

func splitNoDeps(in Install) []Install {
	own := func(p string) bool { n := RequirementName(p); return n != "kfp" && n != "typing-extensions" }
	if !in.NoDeps || !slices.ContainsFunc(in.Packages, own) {
		return []Install{in}
	}
	user := in
	user.NoDeps = false
	user.Packages = nil
	var kfp []string
	for _, p := range in.Packages {
		if own(p) {
			user.Packages = append(user.Packages, p)
		} else {
			kfp = append(kfp, p)
		}
	}
	if len(kfp) == 0 {
		return []Install{in} // no SDK wrote this: the author did, and means it
	}
	in.Packages = kfp
	return []Install{user, in}
}

var requirementName = regexp.MustCompile(`^\s*([A-Za-z0-9][A-Za-z0-9._-]*)`)

// RequirementName returns the normalised name of the package that a requirement asks for, or "".
func RequirementName(requirement string) string {
	m := requirementName.FindStringSubmatch(requirement)
	if m == nil || strings.Contains(requirement, "://") && !strings.Contains(requirement, "@ ") {
		return ""
	}
	return strings.ToLower(regexp.MustCompile(`[-_.]+`).ReplaceAllString(m[1], "-"))
}
