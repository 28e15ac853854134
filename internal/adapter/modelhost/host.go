// Package modelhost runs models: it puts the files of a registered version on disk, makes the environment that the version asks for, and
// starts worker processes that load it.
//
// Only files of a version are loaded, each checked against the digest it was registered with. The package knows nothing of endpoints'
// traffic or of who asks. Start reading at Host.Prepare, then worker.go; python/modelworker.py is the other side of frame.go.
package modelhost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"levada/internal/adapter/modelwire"
	"levada/internal/adapter/pyenv"
	"levada/internal/adapter/subprocess"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
)

// Blobs is content by digest.
type Blobs interface {
	Open(ctx context.Context, digest, path string) (io.ReadSeekCloser, error)
	Materialise(ctx context.Context, digest, dest string) error
	Verify(ctx context.Context, digest string) error
}

// Environments makes Python environments.
type Environments interface {
	Plan(ctx context.Context, image string, command, args []string) (pyenv.Plan, error)
	Ensure(ctx context.Context, s pyenv.Spec, log func(line string)) (*pyenv.Environment, error)
}

// Options are what a host is made of.
type Options struct {
	// Dir is the host's own: files of models and working directories of workers. It is emptied by New.
	Dir     string
	Scripts *subprocess.Scripts
	Blobs   Blobs
	Envs    Environments
	ONNX    ONNXOptions
	// Environ is the environment of the server; workers see the harmless part of it.
	Environ []string
	Logger  *slog.Logger
}

// Host starts workers. Its methods may be called from any goroutine.
type Host struct {
	opt    Options
	thread subprocess.Thread

	mu     sync.Mutex
	models map[string]*files
	next   int
}

// files are the files of a version on disk, for as long as somebody uses them.
type files struct {
	mu   sync.Mutex
	dir  string
	uses int // guarded by Host.mu
	made bool
}

// New returns a host. What an earlier one has left in its directory is removed.
func New(o Options) (*Host, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(os.RemoveAll(o.Dir), os.MkdirAll(o.Dir, 0o700)); err != nil {
		return nil, fmt.Errorf("prepare the directory of model workers: %w", err)
	}
	return &Host{opt: o, models: make(map[string]*files)}, nil
}

// Close is called when all workers have been closed.
func (h *Host) Close() error {
	h.thread.End()
	return os.RemoveAll(h.opt.Dir)
}

// Prepared is a version that workers can be started for.
type Prepared struct {
	host     *Host
	deployed endpoint.Deployed
	files    *files
	key      string
	order    modelwire.Order
	needs    environment
	onnx     *onnxModel // nil for models of other formats
	once     sync.Once

	building sync.Mutex         // one build at a time
	env      *pyenv.Environment // nil until it is needed
	note     string
}

// Prepare puts the files of a version on disk, each checked against its digest, and makes its environment if running it takes one. say gets
// what the making prints.
func (h *Host) Prepare(ctx context.Context, d endpoint.Deployed, say func(line string)) (_ *Prepared, err error) {
	if len(d.Files) == 0 {
		return nil, fault.Invalidf("version %s of model %q: its files are not kept by this server, and only files that it keeps, with their digests, are "+
			"loaded: log the model to this server and register that", d.Version, d.Model)
	}
	m, err := h.mlmodel(ctx, d)
	if err != nil {
		return nil, err
	}
	p := &Prepared{host: h, deployed: d, onnx: h.onnxOf(d, m)}
	if m.bare == "" {
		if p.needs, err = h.environment(ctx, d, m); err != nil {
			return nil, err
		}
	}
	if err := p.decide(ctx, say); err != nil {
		return nil, err
	}
	if err := p.place(ctx, d); err != nil {
		return nil, err
	}
	p.order = modelwire.Order{Path: p.files.dir, Flavors: m.Flavors, Example: m.Example,
		Signature: modelwire.Signature{Inputs: raw(m.Signature.Inputs), Outputs: raw(m.Signature.Outputs), Params: raw(m.Signature.Params)}}
	return p, nil
}

// decide chooses what runs the model, and makes what that needs.
func (p *Prepared) decide(ctx context.Context, say func(string)) error {
	if p.onnx == nil || p.onnx.reason() != "" && !p.onnx.bare {
		_, err := p.python(ctx, say)
		return err
	}
	if why := p.onnx.reason(); why != "" {
		return needsRuntime(p.deployed, why)
	}
	library, err := p.findLibrary(ctx, say)
	switch {
	case err != nil:
		return err
	case library == "" && p.onnx.bare:
		return needsRuntime(p.deployed, "no library was found: name one in the setting onnxruntime")
	case library == "":
		p.onnx.unfit("the model's environment has no shared library of ONNX Runtime, and the setting onnxruntime names none")
	}
	return nil
}

// python makes the environment, once.
func (p *Prepared) python(ctx context.Context, say func(string)) (*pyenv.Environment, error) {
	p.building.Lock()
	defer p.building.Unlock()
	if p.env != nil {
		return p.env, nil
	}
	var err error
	p.env, p.note, err = p.host.build(ctx, p.needs, say)
	return p.env, err
}

// raw is a part of a signature, which is JSON inside of the file.
func raw(text string) json.RawMessage {
	if !json.Valid([]byte(text)) {
		return json.RawMessage("null")
	}
	return json.RawMessage(text)
}

// build makes the environment.
func (h *Host) build(ctx context.Context, e environment, say func(string)) (*pyenv.Environment, string, error) {
	image := ""
	if parts := strings.Split(e.python, "."); len(parts) >= 2 {
		image = "python:" + parts[0] + "." + parts[1]
	}
	plan, err := h.opt.Envs.Plan(ctx, image, nil, nil)
	if err != nil {
		return nil, "", err
	}
	notes := slices.Clone(e.notes)
	if want, _, _ := strings.Cut(strings.TrimPrefix(image, "python:"), "-"); image != "" && plan.Spec.Python.Minor() != want {
		notes = append(notes, fmt.Sprintf("the model was made with Python %s, which is not on the search path: Python %s is used", want, plan.Spec.Python.Version))
	}
	for _, note := range notes {
		say(note)
	}
	env, err := h.opt.Envs.Ensure(ctx, pyenv.Spec{Python: plan.Spec.Python, Installs: e.installs}, say)
	return env, joined(notes...), err
}

// place takes the files of a version, and puts them on disk if they are not there.
func (p *Prepared) place(ctx context.Context, d endpoint.Deployed) error {
	h := p.host
	p.key = contentKey(d)
	h.mu.Lock()
	if p.files = h.models[p.key]; p.files == nil {
		p.files = &files{dir: filepath.Join(h.opt.Dir, "models", p.key)}
		h.models[p.key] = p.files
	}
	p.files.uses++
	h.mu.Unlock()
	p.files.mu.Lock()
	defer p.files.mu.Unlock()
	if p.files.made {
		return nil
	}
	if err := h.materialise(ctx, d, p.files.dir); err != nil {
		err = errors.Join(err, os.RemoveAll(p.files.dir))
		p.Release()
		return fmt.Errorf("put the files of version %s of model %q on disk: %w", d.Version, d.Model, err)
	}
	p.files.made = true
	return nil
}

// contentKey names the content of a version.
func contentKey(d endpoint.Deployed) string {
	sum := sha256.New()
	for _, f := range d.Files {
		fmt.Fprintf(sum, "%q %s\n", f.Path, f.Digest)
	}
	return hex.EncodeToString(sum.Sum(nil))[:32]
}

func (h *Host) materialise(ctx context.Context, d endpoint.Deployed, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	checked := map[string]bool{}
	for _, f := range d.Files {
		local, err := filepath.Localize(f.Path)
		if err != nil || !fs.ValidPath(f.Path) {
			return fault.Invalidf("this system cannot have a file named %q", f.Path)
		}
		if !checked[f.Digest] {
			if err := h.opt.Blobs.Verify(ctx, f.Digest); err != nil {
				return fmt.Errorf("%s: %w", f.Path, err)
			}
			checked[f.Digest] = true
		}
		dest := filepath.Join(dir, local)
		if err := os.MkdirAll(filepath.Dir(dest), 0o700); err != nil {
			return err
		}
		if err := h.opt.Blobs.Materialise(ctx, f.Digest, dest); err != nil {
			return err
		}
	}
	return nil
}

// Release says that no more workers are started. The files go with the last who uses them. Releasing twice is the same as once.
func (p *Prepared) Release() {
	p.once.Do(func() {
		h := p.host
		h.mu.Lock()
		defer h.mu.Unlock()
		if p.files.uses--; p.files.uses > 0 {
			return
		}
		delete(h.models, p.key)
		if err := os.RemoveAll(p.files.dir); err != nil {
			h.opt.Logger.Warn("the files of a model could not be removed", "path", p.files.dir, "error", err)
		}
	})
}

// Loaded is what a worker says once it has loaded its model.
type Loaded = modelwire.Loaded

// Start starts a worker and waits until it has loaded the model.
func (p *Prepared) Start(ctx context.Context, s endpoint.Settings) (*Worker, Loaded, error) {
	var why string
	if p.onnx != nil {
		if p.onnx.reason() == "" {
			w, said, err := p.startONNX(ctx, s)
			if !errors.Is(err, errUnfit) {
				return w, said, err
			}
			if p.onnx.bare {
				return nil, said, needsRuntime(p.deployed, err.Error())
			}
			p.onnx.unfit(err.Error())
		}
		why = "it runs in Python, because " + p.onnx.reason()
	}
	env, err := p.python(ctx, func(line string) { p.host.opt.Logger.Debug("an environment is made", "said", line) })
	if err != nil {
		return nil, Loaded{}, err
	}
	script, err := p.host.opt.Scripts.Path("modelworker.py")
	if err != nil {
		return nil, Loaded{}, err
	}
	w, said, err := p.start(ctx, s, p.order, env, env.Executable(), "-u", script)
	said.Note = joined(why, p.note, said.Note)
	return w, said, err
}

// joined joins notes that are not empty.
func joined(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(s string) bool { return s == "" }), "; ")
}

// startONNX starts a worker that runs the model with ONNX Runtime.
func (p *Prepared) startONNX(ctx context.Context, s endpoint.Settings) (*Worker, Loaded, error) {
	order := p.order
	p.onnx.mu.Lock()
	order.ONNX = &modelwire.ONNX{Library: p.onnx.library, Model: p.onnx.file, Threads: s.Threads}
	p.onnx.mu.Unlock()
	return p.start(ctx, s, order, nil, p.host.opt.ONNX.Program)
}

// start starts a program that answers frames; env is nil for one that needs no Python.
func (p *Prepared) start(ctx context.Context, s endpoint.Settings, order modelwire.Order, env *pyenv.Environment, program ...string) (*Worker, Loaded, error) {
	h := p.host
	load, err := json.Marshal(order)
	if err != nil {
		return nil, Loaded{}, fault.Invalidf("MLmodel of version %s of model %q: %w", p.deployed.Version, p.deployed.Model, err)
	}
	h.mu.Lock()
	h.next++
	home := filepath.Join(h.opt.Dir, "home", strconv.Itoa(h.next))
	h.mu.Unlock()
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, Loaded{}, fault.Unavailablef("make the working directory of a model worker: %w", err)
	}
	w, err := start(command{thread: &h.thread, program: program, dir: home, env: h.environ(env, home, s.Threads), limit: int64(s.MemoryMB) << 20})
	if err != nil {
		return nil, Loaded{}, errors.Join(err, os.RemoveAll(home))
	}
	w.parts.Go(func() {
		<-w.gone
		if err := os.RemoveAll(home); err != nil {
			h.opt.Logger.Warn("the working directory of a model worker could not be removed", "path", home, "error", err)
		}
	})
	said, err := w.load(ctx, load, time.Duration(s.LoadTimeoutSeconds)*time.Second)
	if err != nil {
		w.Close()
		return nil, said, err
	}
	w.rows = said.Rows
	return w, said, nil
}

// environ is the environment of a worker: what the server hands on, and how many threads the libraries may use.
func (h *Host) environ(env *pyenv.Environment, home string, threads int) []string {
	n := strconv.Itoa(max(threads, 1))
	out := []string{"HOME=" + home, "TMPDIR=" + home, "PYTHONDONTWRITEBYTECODE=1", "TOKENIZERS_PARALLELISM=false", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION=true", "MLFLOW_TRACKING_URI=file://" + home}
	for _, name := range []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"} {
		out = append(out, name+"="+n)
	}
	for _, kv := range h.opt.Environ {
		k, v, _ := strings.Cut(kv, "=")
		if k == "PATH" && env != nil {
			out = append(out, "PATH="+env.Bin()+":"+v)
		} else if subprocess.Passed(k) {
			out = append(out, kv)
		}
	}
	slices.Sort(out)
	return out
}
