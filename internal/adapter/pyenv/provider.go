// Package pyenv turns what a step asks for (an image name, packages, a Python version) into Python environments on this
// machine: built once, locked, and found again by what they were made of.
//
// The package knows requirements and interpreters. It knows nothing of runs, steps or the engine. Start reading at
// Provider.Plan, which reads a container's command, and Provider.Ensure, which makes what the plan needs.
package pyenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"levada/internal/core/fault"
)

// Options configure a Provider. Dir and Environ are required.
type Options struct {
	// Dir holds the environments; ToolsDir holds uv when it is not on the search path. Default of ToolsDir: Dir/../tools.
	Dir      string
	ToolsDir string
	// Environ is the environment of the server process ("NAME=value"): its PATH is searched for Pythons and uv; its proxy,
	// certificate, PIP_ and UV_ variables reach the builds.
	Environ []string
	// Python is the interpreter to use for every environment. Default: the version that the image names, else python3.
	Python string
	// Images adds requirements to the steps of an image.
	Images map[string][]string
	// KFP is the requirement that stands in for the kfp package of an image that should contain it. Default kfp==2.14.6.
	KFP string
	// NoUV builds with venv and pip even where uv is found.
	NoUV bool
	// NoBootstrap does not install uv when it is not found.
	NoBootstrap bool
	Logger      *slog.Logger
	Clock       func() time.Time
}

// Provider makes and keeps environments. It is safe for concurrent use, also by several processes on one Dir.
type Provider struct {
	opt     Options
	pythons interpreters
	tool    builder

	mu     sync.Mutex
	ready  map[string]*Environment
	builds map[string]*build
	wg     sync.WaitGroup
	closed bool
}

// New returns a provider.
func New(opt Options) *Provider {
	if opt.ToolsDir == "" {
		opt.ToolsDir = filepath.Join(filepath.Dir(opt.Dir), "tools")
	}
	if opt.KFP == "" {
		opt.KFP = "kfp==2.14.6"
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	return &Provider{
		opt:     opt,
		pythons: interpreters{environ: opt.Environ, chosen: opt.Python},
		tool:    builder{environ: opt.Environ, toolsDir: opt.ToolsDir, noUV: opt.NoUV, noBootstrap: opt.NoBootstrap},
		ready:   make(map[string]*Environment),
		builds:  make(map[string]*build),
	}
}

// Close ends the builds under way and waits for them.
func (p *Provider) Close() {
	p.mu.Lock()
	p.closed = true
	for _, b := range p.builds {
		b.cancel()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// Spec says what an environment is made of.
type Spec struct {
	Installs []Install   `json:"installs"`
	Python   Interpreter `json:"python"`
}

// Key identifies an environment by what it is made of.
func (s Spec) Key() string {
	sorted := make([]Install, len(s.Installs))
	for i, in := range s.Installs {
		in.Packages, in.Constraints = slices.Sorted(slices.Values(in.Packages)), slices.Sorted(slices.Values(in.Constraints))
		sorted[i] = in
	}
	h := sha256.New()
	// Encoding plain structs to a hash cannot fail.
	_ = json.NewEncoder(h).Encode([]any{sorted, s.Python.Version, s.Python.Platform})
	return hex.EncodeToString(h.Sum(nil))[:20]
}

// Requirements lists what the environment is made of, for a person: no credentials, kfp's own marker left out.
func (s Spec) Requirements() []string {
	out := []string{}
	for _, in := range s.Installs {
		for _, p := range in.Packages {
			if !in.NoDeps || RequirementName(p) != "typing-extensions" {
				out = append(out, Redact(p))
			}
		}
	}
	return out
}

// KFP returns the version of a pinned kfp requirement, or "".
func (s Spec) KFP() string {
	for _, in := range s.Installs {
		for _, p := range in.Packages {
			if _, version, ok := strings.Cut(p, "=="); ok && RequirementName(p) == "kfp" {
				return strings.TrimSpace(version)
			}
		}
	}
	return ""
}

// Plan is what a container needs to run as a process.
type Plan struct {
	Spec Spec
	// Lightweight is set when the command is a lightweight component that needs neither shell nor pip.
	Lightweight *Lightweight
	// Notes are things that the author of the step should know.
	Notes []string
}

// Plan reads a container's image, command and arguments.
func (p *Provider) Plan(ctx context.Context, image string, command, args []string) (Plan, error) {
	py, note, err := p.pythons.forImage(ctx, image)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Spec: Spec{Python: py}}
	if note != "" {
		plan.Notes = append(plan.Notes, note)
	}
	mapped := p.opt.Images[image]
	if len(mapped) > 0 {
		plan.Spec.Installs = append(plan.Spec.Installs, Install{Packages: mapped})
	}
	l, ok := Recognise(command, args)
	if !ok {
		return plan, nil
	}
	plan.Lightweight = &l
	plan.Spec.Installs = append(plan.Spec.Installs, l.Installs...)
	if !plan.Spec.hasKFP() {
		plan.Spec.Installs = append(plan.Spec.Installs, Install{Packages: []string{p.opt.KFP}, NoDeps: true})
		plan.Notes = append(plan.Notes, "the component relies on the kfp of its image "+image+": "+p.opt.KFP+" stands in for it")
	}
	return plan, nil
}

func (s Spec) hasKFP() bool {
	for _, in := range s.Installs {
		for _, r := range in.Packages {
			if RequirementName(r) == "kfp" || strings.Contains(r, "://") && strings.Contains(r, "kfp") {
				return true
			}
		}
	}
	return false
}

// State is the state of an environment.
type State string

// The states of an environment.
const (
	Ready    State = "READY"
	Building State = "BUILDING"
	Broken   State = "BROKEN" // what is on disk is not usable; it is built anew when it is needed
)

// Environment is a Python environment on disk.
type Environment struct {
	Key          string    `json:"key"`
	Requirements []string  `json:"requirements"`
	Python       string    `json:"python"`
	Digest       string    `json:"digest,omitempty"`
	Path         string    `json:"path"`
	SizeBytes    int64     `json:"size_bytes"`
	CreatedAt    time.Time `json:"created_at"`
	LastUsedAt   time.Time `json:"last_used_at"`
	State        State     `json:"state"`

	touched time.Time
}

// Bin is the directory of the environment's commands.
func (e *Environment) Bin() string { return filepath.Join(e.Path, "venv", "bin") }

// Executable is the environment's Python.
func (e *Environment) Executable() string { return filepath.Join(e.Bin(), "python") }

// Ensure returns the environment of a spec, building it if need be. What the build says goes to log, line by line. An error
// that is about the spec is Invalid and complete in itself; several callers share one build.
func (p *Provider) Ensure(ctx context.Context, s Spec, log func(line string)) (*Environment, error) {
	key := s.Key()
	p.mu.Lock()
	if e := p.ready[key]; e != nil {
		touch := p.opt.Clock().Sub(e.touched) > time.Minute
		if touch {
			e.touched = p.opt.Clock()
		}
		p.mu.Unlock()
		if touch {
			p.touch(e)
		}
		return e, nil
	}
	if p.closed {
		p.mu.Unlock()
		return nil, fault.Unavailablef("environment %s: shutting down", key)
	}
	b, id := p.builds[key], 0
	if b != nil {
		id = b.join(log)
	} else {
		b, id = p.start(key, s, "", log)
	}
	p.mu.Unlock()
	return b.wait(ctx, id)
}

// Built reports whether an environment is known to be there, without looking further.
func (p *Provider) Built(s Spec) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready[s.Key()] != nil
}

// touch records the use of an environment as the time of its record.
func (p *Provider) touch(e *Environment) {
	now := p.opt.Clock()
	if err := os.Chtimes(recordPath(p.opt.Dir, e.Key), now, now); err != nil && !errors.Is(err, os.ErrNotExist) {
		p.opt.Logger.Warn("the last use of an environment could not be recorded", "environment", e.Key, "error", err)
	}
}

// start begins a build in a goroutine that Close waits for, and joins it before it says anything; p.mu is held. lock, if
// given, names the exact packages.
func (p *Provider) start(key string, s Spec, lock string, log func(string)) (*build, int) {
	ctx, cancel := context.WithCancel(context.Background())
	b := &build{cancel: cancel, done: make(chan struct{}), logs: make(map[int]func(string))}
	p.builds[key] = b
	id := b.join(log)
	p.wg.Go(func() {
		defer cancel()
		e, err := p.make(ctx, key, s, lock, b.say)
		p.mu.Lock()
		if err == nil {
			e.touched = p.opt.Clock()
			p.ready[key] = e
		}
		delete(p.builds, key)
		p.mu.Unlock()
		b.env, b.err = e, err
		close(b.done)
	})
	return b, id
}

// build is one build and those who wait for it. It is cancelled when the last of them has gone.
type build struct {
	cancel context.CancelFunc
	done   chan struct{}
	env    *Environment
	err    error

	mu   sync.Mutex
	next int
	logs map[int]func(string) // one for each who waits
}

func (b *build) join(log func(string)) int {
	if log == nil {
		log = func(string) {}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	b.logs[b.next] = log
	return b.next
}

func (b *build) say(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, log := range b.logs {
		log(line)
	}
}

func (b *build) wait(ctx context.Context, id int) (*Environment, error) {
	select {
	case <-b.done:
		return b.env, b.err
	case <-ctx.Done():
	}
	b.mu.Lock()
	delete(b.logs, id)
	last := len(b.logs) == 0
	b.mu.Unlock()
	if last {
		b.cancel()
		<-b.done
	}
	return nil, ctx.Err()
}
