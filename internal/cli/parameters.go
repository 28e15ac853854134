package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

// parameters reads the values of -p: each is KEY=VALUE or @FILE, and later ones win. The pipeline says how a value is
// to be read.
func parameters(given []string, p *ir.Pipeline) (map[string]any, error) {
	declared := map[string]*ir.InputParameter{}
	if p.Spec.Root.InputDefinitions != nil {
		declared = p.Spec.Root.InputDefinitions.Parameters
	}
	return parametersOf(given, declared)
}

// parametersOf is parameters for what is declared.
func parametersOf(given []string, declared map[string]*ir.InputParameter) (map[string]any, error) {
	values := map[string]any{}
	for _, g := range given {
		if file, ok := strings.CutPrefix(g, "@"); ok {
			if err := parameterFile(file, declared, values); err != nil {
				return nil, err
			}
			continue
		}
		key, text, ok := strings.Cut(g, "=")
		if !ok || key == "" {
			return nil, fault.Invalidf("parameter %q: want KEY=VALUE, or @FILE with a JSON object", g)
		}
		d, known := declared[key]
		if !known {
			return nil, unknownParameter(key, declared)
		}
		v, err := parameterValue(text, d.ParameterType)
		if err != nil {
			return nil, fault.Invalidf("parameter %q: %w", key, err)
		}
		values[key] = v
	}
	return values, nil
}

// parameterFile reads a JSON object of values.
func parameterFile(file string, declared map[string]*ir.InputParameter, values map[string]any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fault.Invalidf("parameters: %w", err)
	}
	var object map[string]any
	if err := decodeJSON(text, &object); err != nil || object == nil {
		return fault.Invalidf("parameters: %s does not hold a JSON object", file)
	}
	for key, v := range object {
		if _, known := declared[key]; !known {
			return unknownParameter(key, declared)
		}
		values[key] = v
	}
	return nil
}

func unknownParameter(key string, declared map[string]*ir.InputParameter) error {
	if len(declared) == 0 {
		return fault.Invalidf("parameter %q: this pipeline takes no parameters", key)
	}
	known := make([]string, 0, len(declared))
	for name, d := range declared {
		known = append(known, fmt.Sprintf("%s (%s)", name, d.ParameterType))
	}
	slices.Sort(known)
	return fault.Invalidf("parameter %q is not known to this pipeline; it takes: %s", key, strings.Join(known, ", "))
}

// parameterValue reads the text of a value: a STRING as it stands, everything else as JSON of the declared type.
func parameterValue(text string, kind ir.ParameterType) (any, error) {
	var v any
	err := decodeJSON([]byte(text), &v)
	switch kind {
	case ir.NumberInteger:
		if n, ok := v.(float64); err == nil && ok {
			if _, parseErr := strconv.ParseInt(strings.TrimSpace(text), 10, 64); parseErr == nil {
				return n, nil
			}
		}
		return nil, fmt.Errorf("want %s, got %q", kind, text)
	case ir.NumberDouble:
		_, ok := v.(float64)
		return matching(v, err == nil && ok, kind, text, "a number such as 0.1")
	case ir.Boolean:
		_, ok := v.(bool)
		return matching(v, err == nil && ok, kind, text, "true or false")
	case ir.List:
		_, ok := v.([]any)
		return matching(v, err == nil && ok, kind, text, `a JSON list such as '["a", 1]'`)
	case ir.Struct:
		_, ok := v.(map[string]any)
		return matching(v, err == nil && ok, kind, text, `a JSON object such as '{"a": 1}'`)
	default:
		return text, nil
	}
}

func matching(v any, ok bool, kind ir.ParameterType, text, example string) (any, error) {
	if !ok {
		return nil, fmt.Errorf("want %s (%s), got %q", kind, example, text)
	}
	return v, nil
}

// decodeJSON reads exactly one JSON value.
func decodeJSON(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
