package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
)

// MLmodel is what the file MLmodel of a model says of it.
type MLmodel struct {
	// Flavors are the libraries that can load the model, in the order of their names.
	Flavors []string
	// MLflow is the version of the client that wrote the model, Python the interpreter's.
	MLflow, Python string
	// Inputs, Outputs and Params are the signature: what the model takes and gives. They are empty where it has none.
	Inputs, Outputs, Params []Field
}

// Field is a column, a tensor or a parameter of a signature.
type Field struct {
	Name     string
	Type     string
	Optional bool
	// Default is that of a parameter, as JSON.
	Default string
}

// ParseMLmodel reads a file MLmodel.
func ParseMLmodel(text []byte) (MLmodel, error) {
	var file struct {
		Flavors   map[string]map[string]any `yaml:"flavors"`
		MLflow    string                    `yaml:"mlflow_version"`
		Signature struct {
			Inputs  string `yaml:"inputs"`
			Outputs string `yaml:"outputs"`
			Params  string `yaml:"params"`
		} `yaml:"signature"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return MLmodel{}, fault.Invalidf("the file MLmodel cannot be read: %w", err)
	}
	out := MLmodel{Flavors: slices.Sorted(maps.Keys(file.Flavors)), MLflow: file.MLflow}
	if python := file.Flavors["python_function"]["python_version"]; python != nil {
		out.Python = fmt.Sprint(python)
	}
	var err error
	for _, part := range []struct {
		name, text string
		into       *[]Field
	}{{"inputs", file.Signature.Inputs, &out.Inputs}, {"outputs", file.Signature.Outputs, &out.Outputs}, {"params", file.Signature.Params, &out.Params}} {
		if *part.into, err = parseFields(part.text); err != nil {
			return out, fault.Invalidf("the signature of the file MLmodel cannot be read: %s: %w", part.name, err)
		}
	}
	return out, nil
}

// parseFields reads the JSON in which a signature lists columns and tensors.
func parseFields(text string) ([]Field, error) {
	if text == "" || text == "null" {
		return nil, nil
	}
	var list []struct {
		Name     string          `json:"name"`
		Type     json.RawMessage `json:"type"`
		Dtype    string          `json:"dtype"`
		Required *bool           `json:"required"`
		Optional bool            `json:"optional"`
		Default  json.RawMessage `json:"default"`
		Shape    []int           `json:"shape"`
		Tensor   struct {
			Dtype string `json:"dtype"`
			Shape []int  `json:"shape"`
		} `json:"tensor-spec"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	out := make([]Field, len(list))
	for i, f := range list {
		kind := strings.Trim(string(f.Type), `"`)
		switch {
		case f.Tensor.Dtype != "":
			kind = f.Tensor.Dtype + shapeText(f.Tensor.Shape)
		case kind == "" && f.Dtype != "":
			kind = f.Dtype
		}
		if f.Shape != nil {
			kind += shapeText(f.Shape)
		}
		out[i] = Field{Name: f.Name, Type: kind, Optional: f.Optional || f.Required != nil && !*f.Required, Default: string(f.Default)}
	}
	return out, nil
}

func shapeText(shape []int) string {
	parts := make([]string, len(shape))
	for i, n := range shape {
		if parts[i] = fmt.Sprint(n); n < 0 {
			parts[i] = "any"
		}
	}
	return " [" + strings.Join(parts, ", ") + "]"
}
