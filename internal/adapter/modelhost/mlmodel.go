package modelhost

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/model"
)

// mlmodel is what is read of a file MLmodel
// (https://mlflow.org/docs/latest/ml/model/#mlmodel-file-structure).
type mlmodel struct {
	Flavors   map[string]map[string]any `yaml:"flavors"`
	Signature struct {
		Inputs  string `yaml:"inputs"`
		Outputs string `yaml:"outputs"`
		Params  string `yaml:"params"`
	} `yaml:"signature"`
	Example map[string]any `yaml:"saved_input_example_info"`
	// bare is the only file of what is no MLflow model but one in the format ONNX.
	bare string
}

// maxText bounds the small files of a model that are read into memory.
const maxText = 8 << 20

// fileOf returns a file of a version; NotFound when it has none of that name.
func fileOf(d endpoint.Deployed, path string) (model.File, error) {
	i := slices.IndexFunc(d.Files, func(f model.File) bool { return f.Path == path })
	if i < 0 {
		return model.File{}, fault.NotFoundf("version %s of model %q has no file %s", d.Version, d.Model, path)
	}
	return d.Files[i], nil
}

// text reads a small file of a version.
func (h *Host) text(ctx context.Context, d endpoint.Deployed, path string) ([]byte, error) {
	f, err := fileOf(d, path)
	if err != nil {
		return nil, err
	}
	if f.Size > maxText {
		return nil, fault.Invalidf("file %s of version %s of model %q has %d bytes; at most %d are read", path, d.Version, d.Model, f.Size, maxText)
	}
	r, err := h.opt.Blobs.Open(ctx, f.Digest, "")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxText))
}

func (h *Host) mlmodel(ctx context.Context, d endpoint.Deployed) (mlmodel, error) {
	var m mlmodel
	text, err := h.text(ctx, d, "MLmodel")
	if fault.KindOf(err) == fault.NotFound {
		if m.bare = bareONNX(d); m.bare != "" {
			return m, nil
		}
		return m, fault.Invalidf("version %s of model %q is no MLflow model: it has no file MLmodel", d.Version, d.Model)
	}
	if err != nil {
		return m, err
	}
	if err := yaml.Unmarshal(text, &m); err != nil {
		return m, fault.Invalidf("MLmodel of version %s of model %q cannot be read: %s", d.Version, d.Model, fault.Shorten(err.Error(), 300))
	}
	if m.Flavors["python_function"] == nil {
		return m, fault.Invalidf("version %s of model %q has the flavors %s: a worker needs python_function, which MLflow's flavors for Python write",
			d.Version, d.Model, strings.Join(slices.Sorted(maps.Keys(m.Flavors)), ", "))
	}
	return m, nil
}

// platform is the kind of model: the loader's module where it is one of MLflow's.
func (m mlmodel) platform() string {
	if m.bare != "" {
		return "onnx"
	}
	loader, _ := m.Flavors["python_function"]["loader_module"].(string)
	if name, ok := strings.CutPrefix(loader, "mlflow."); ok {
		return "mlflow_" + strings.Split(name, ".")[0]
	}
	return "mlflow_pyfunc"
}

// Describe reads what a version says about itself, without running anything of it.
func (h *Host) Describe(ctx context.Context, d endpoint.Deployed) (endpoint.Described, error) {
	m, err := h.mlmodel(ctx, d)
	if err != nil {
		return endpoint.Described{}, err
	}
	s, err := infer.ParseSignature(m.Signature.Inputs, m.Signature.Outputs, m.Signature.Params)
	if err != nil {
		return endpoint.Described{}, fault.Invalidf("the signature of version %s of model %q: %w", d.Version, d.Model, err)
	}
	return endpoint.Described{Platform: m.platform(), Signature: s}, nil
}
