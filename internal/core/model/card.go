package model

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
)

// Card is what a model says about itself in its MLmodel file
// (https://mlflow.org/docs/latest/ml/model/#mlmodel-file-structure).
type Card struct {
	Flavors []Flavor `json:"flavors" nullable:"false" doc:"in which forms the model can be loaded"`
	// Inputs, Outputs and Params are the signature; each is absent where the model has none.
	Inputs  []Field `json:"inputs,omitempty"`
	Outputs []Field `json:"outputs,omitempty"`
	Params  []Field `json:"params,omitempty"`
	// Facts are the other entries that are plain values.
	Facts    map[string]string `json:"facts,omitempty" doc:"other entries: run_id, mlflow_version, utc_time_created, ..."`
	Metadata map[string]string `json:"metadata,omitempty" doc:"what its author noted"`
}

// Flavor is a form in which a model can be loaded.
type Flavor struct {
	Name  string            `json:"name"`
	Facts map[string]string `json:"facts,omitempty"`
}

// Field is an input, an output or a parameter of a model.
type Field struct {
	Name     string `json:"name" doc:"empty where the signature names none"`
	Type     string `json:"type" doc:"such as double, or float64 [-1, 4] for a tensor"`
	Optional bool   `json:"optional,omitempty"`
	Default  string `json:"default,omitempty" doc:"of a parameter"`
}

// maxFields bounds how many fields of a signature are given.
const maxFields = 2000

// ParseCard reads an MLmodel file.
func ParseCard(text []byte) (Card, error) {
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return Card{}, fault.Invalidf("the file is no MLmodel file: %s", fault.Shorten(err.Error(), 300))
	}
	c := Card{Flavors: []Flavor{}, Facts: plainFacts(file), Metadata: facts(file["metadata"])}
	flavors, ok := file["flavors"].(map[string]any)
	if !ok {
		return Card{}, fault.Invalidf("the file is no MLmodel file: it has no flavors")
	}
	for name, f := range flavors {
		c.Flavors = append(c.Flavors, Flavor{Name: name, Facts: facts(f)})
	}
	slices.SortFunc(c.Flavors, func(a, b Flavor) int { return strings.Compare(a.Name, b.Name) })
	signature, _ := file["signature"].(map[string]any)
	c.Inputs, c.Outputs, c.Params = fields(signature["inputs"]), fields(signature["outputs"]), fields(signature["params"])
	return c, nil
}

func facts(v any) map[string]string {
	m, _ := v.(map[string]any)
	return plainFacts(m)
}

// plainFacts are the entries whose value is one line of text.
func plainFacts(m map[string]any) map[string]string {
	out := map[string]string{}
	for key, v := range m {
		switch v.(type) {
		case nil, map[string]any, []any:
			continue
		}
		if text := plainText(v); text != "" {
			out[key] = text
		}
	}
	return out
}

// longest bounds a value in bytes.
const longest = 500

func plainText(v any) string {
	if s, ok := v.(string); ok {
		return fault.Shorten(s, longest)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return fault.Shorten(strings.Trim(string(b), `"`), longest)
}

// fields reads a part of a signature, which is JSON inside of the YAML. What cannot be read is shown as one field.
func fields(v any) []Field {
	text, ok := v.(string)
	if !ok {
		return nil
	}
	var list []map[string]any
	if json.Unmarshal([]byte(text), &list) != nil {
		return []Field{{Type: fault.Shorten(text, longest)}}
	}
	out := make([]Field, 0, min(len(list), maxFields))
	for _, f := range list[:min(len(list), maxFields)] {
		name, _ := f["name"].(string)
		required, said := f["required"].(bool)
		field := Field{Name: fault.Shorten(name, longest), Type: typeOf(f, 0), Optional: said && !required}
		if d, ok := f["default"]; ok {
			field.Default = plainText(d)
		}
		out = append(out, field)
	}
	return out
}

// typeOf is the type of a field in words.
func typeOf(f map[string]any, depth int) string {
	kind, _ := f["type"].(string)
	if inner, ok := f["tensor-spec"].(map[string]any); ok {
		dtype, _ := inner["dtype"].(string)
		return dtype + " " + plainText(inner["shape"])
	}
	if inner, ok := f["items"].(map[string]any); ok && depth < 5 {
		return "list of " + typeOf(inner, depth+1)
	}
	if shape, ok := f["shape"]; ok && shape != nil {
		return kind + " " + plainText(shape)
	}
	if inner, ok := f["properties"].(map[string]any); ok && depth < 5 {
		parts := make([]string, 0, len(inner))
		for name, v := range inner {
			m, _ := v.(map[string]any)
			parts = append(parts, name+": "+typeOf(m, depth+1))
		}
		slices.Sort(parts)
		return fault.Shorten("{"+strings.Join(parts, ", ")+"}", longest)
	}
	return kind
}
