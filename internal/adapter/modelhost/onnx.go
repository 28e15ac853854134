package modelhost

import (
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"levada/internal/adapter/pyenv"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
)

// ONNXOptions say how models in the format ONNX are run without Python.
type ONNXOptions struct {
	// Program is the worker (cmd/levada-onnx); empty where there is none.
	Program string
	// Library is the shared library of ONNX Runtime; empty means that of the model's own environment.
	Library string
	// Off has Python run them.
	Off bool
}

// ONNXProgram finds the worker for ONNX models: beside a program, or on a search path. Empty where there is none.
func ONNXProgram(beside string) string {
	const name = "levada-onnx"
	if at := filepath.Join(filepath.Dir(beside), name); beside != "" {
		if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return at
		}
	}
	at, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return at
}

// onnxModel is what is known of a model in the format ONNX.
type onnxModel struct {
	file string // within the version
	bare bool   // it is nothing but that file: Python has no environment for it

	mu sync.Mutex
	// why says why Python runs it; empty while ONNX Runtime does.
	why string
	// library is what runs it, once it was found.
	library string
}

// onnxOf returns what is known of a version in the format ONNX, and nil for others.
func (h *Host) onnxOf(d endpoint.Deployed, m mlmodel) *onnxModel {
	o := &onnxModel{file: m.bare, bare: m.bare != "", library: h.opt.ONNX.Library}
	if !o.bare {
		function := m.Flavors["python_function"]
		if m.Flavors["onnx"] == nil || function["loader_module"] != "mlflow.onnx" {
			return nil
		}
		for _, name := range []any{m.Flavors["onnx"]["data"], function["data"]} {
			if text := asText(name); text != "" && o.file == "" {
				o.file = path.Clean(text)
			}
		}
		if _, err := fileOf(d, o.file); err != nil {
			return nil // Python's worker says what is wrong
		}
	}
	switch {
	case h.opt.ONNX.Off:
		o.why = "the setting onnxruntime is off"
	case h.opt.ONNX.Program == "":
		o.why = "the program levada-onnx is neither beside levada nor on the search path"
	}
	return o
}

// reason says why Python runs the model; empty where ONNX Runtime does.
func (o *onnxModel) reason() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.why
}

func (o *onnxModel) unfit(why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.why = why
}

// findLibrary finds ONNX Runtime in the model's own environment.
func (p *Prepared) findLibrary(ctx context.Context, say func(string)) (string, error) {
	p.onnx.mu.Lock()
	library := p.onnx.library
	p.onnx.mu.Unlock()
	if library != "" || p.onnx.bare {
		return library, nil
	}
	env, err := p.python(ctx, say)
	if err != nil {
		return "", err
	}
	library = libraryIn(env)
	p.onnx.mu.Lock()
	defer p.onnx.mu.Unlock()
	p.onnx.library = library
	return library, nil
}

// libraryIn is the shared library in a Python environment that has the package onnxruntime.
func libraryIn(env *pyenv.Environment) string {
	capi := filepath.Join(env.Path, "venv", "lib", "python*", "site-packages", "onnxruntime", "capi")
	for _, name := range []string{"libonnxruntime.so.*", "libonnxruntime.*dylib"} {
		if found, err := filepath.Glob(filepath.Join(capi, name)); err == nil && len(found) > 0 {
			return slices.Max(found)
		}
	}
	return ""
}

// bareONNX is the only file of a version that is no MLflow model, where that is one in the format ONNX; empty otherwise. Files beside it may
// hold its weights.
func bareONNX(d endpoint.Deployed) string {
	found := ""
	for _, f := range d.Files {
		if path.Ext(f.Path) == ".onnx" {
			if found != "" {
				return ""
			}
			found = f.Path
		}
	}
	return found
}

// needsRuntime is the error of a model that only ONNX Runtime can run, where it cannot.
func needsRuntime(d endpoint.Deployed, why string) error {
	return fault.Invalidf("version %s of model %q is a file in the format ONNX without an environment for Python, and ONNX Runtime cannot run it here: %s",
		d.Version, d.Model, why)
}
