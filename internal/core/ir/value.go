package ir

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
)

// Text renders a parameter as it appears inside a command or a string: a string as it is, everything else as JSON. Whole
// numbers have no decimal point.
func Text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return formatNumber(v)
	case nil:
		return ""
	}
	return JSON(v)
}

// JSON renders a value as compact JSON without HTML escapes.
func JSON(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func formatNumber(f float64) string {
	if f == math.Trunc(f) {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// Convert fits a value to a declared type; without a type it stays as it is. A STRING takes anything as JSON text; a
// number, boolean, list or mapping is also taken from a string that holds it, as loop items and templates give it. Null
// passes: whether it is allowed is the caller's business. Numbers that are not finite are refused, at any depth.
func Convert(v any, t ParameterType) (any, error) {
	if _, bad := nonFinite(v); bad {
		return nil, mismatch(v, t)
	}
	if v == nil || t == "" {
		return v, nil
	}
	if t == String {
		return Text(v), nil
	}
	if s, ok := v.(string); ok && t != TaskFinalStatus {
		var parsed any
		if json.Unmarshal([]byte(s), &parsed) != nil || parsed == nil {
			return nil, mismatch(v, t)
		}
		v = parsed
	}
	if !fits(v, t) {
		return nil, mismatch(v, t)
	}
	return v, nil
}

// Fit converts a value to the parameter's type and refuses one that is none of its literals. Null passes.
func (p *InputParameter) Fit(v any) (any, error) {
	v, err := Convert(v, p.ParameterType)
	if err == nil && v != nil {
		err = checkLiteral(v, p)
	}
	return v, err
}

// nonFinite finds a number in a value that JSON cannot hold: NaN or an infinity.
func nonFinite(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, math.IsNaN(v) || math.IsInf(v, 0)
	case []any:
		for _, e := range v {
			if f, bad := nonFinite(e); bad {
				return f, true
			}
		}
	case map[string]any:
		for _, e := range v {
			if f, bad := nonFinite(e); bad {
				return f, true
			}
		}
	}
	return 0, false
}

func fits(v any, t ParameterType) bool {
	if _, bad := nonFinite(v); bad {
		return false
	}
	switch t {
	case NumberDouble:
		_, ok := v.(float64)
		return ok
	case NumberInteger:
		f, ok := v.(float64)
		return ok && f == math.Trunc(f)
	case String:
		_, ok := v.(string)
		return ok
	case Boolean:
		_, ok := v.(bool)
		return ok
	case List:
		_, ok := v.([]any)
		return ok
	case Struct, TaskConfig, TaskFinalStatus:
		_, ok := v.(map[string]any)
		return ok
	}
	return true
}

func mismatch(v any, t ParameterType) error {
	if t == "" {
		t = "a value"
	}
	if f, bad := nonFinite(v); bad {
		return invalidf("want %s, got %s, which JSON cannot hold", t, formatNumber(f))
	}
	return invalidf("want %s, got %s", t, kindOf(v))
}

// ParameterError is what is wrong with one parameter of a submission.
type ParameterError struct {
	Name string
	// Message says it without the name.
	Message string
}

// ParameterErrors are all the parameters of a submission that are wrong, in the order of their names.
type ParameterErrors []ParameterError

// Error names the first few.
func (e ParameterErrors) Error() string {
	const most = 5
	var parts []string
	for _, one := range e[:min(most, len(e))] {
		parts = append(parts, message("parameter %q: %s", shorten(one.Name), one.Message))
	}
	if more := len(e) - most; more > 0 {
		parts = append(parts, message("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

// CheckParameters compares the parameters of a submission with the pipeline's inputs and returns them with defaults filled in.
// Missing, unknown and wrongly typed ones are an Invalid error, whose cause is ParameterErrors; types are not converted, as in
// KFP's API.
func (p *Pipeline) CheckParameters(given map[string]any) (map[string]any, error) {
	return p.CheckParametersBut(given, nil)
}

// CheckParametersBut is CheckParameters where some parameters get their values later: of those only the names are checked.
func (p *Pipeline) CheckParametersBut(given map[string]any, later []string) (map[string]any, error) {
	defs := p.Spec.Root.InputDefinitions.Parameters
	pipeline := shorten(p.Spec.PipelineInfo.Name)
	var wrong ParameterErrors
	fail := func(name, format string, args ...any) {
		wrong = append(wrong, ParameterError{name, message(format, args...)})
	}
	for _, name := range append(sortedKeys(given), later...) {
		if defs[name] == nil {
			known := strings.Join(sortedKeys(defs), ", ")
			if known == "" {
				known = "none"
			}
			fail(name, "pipeline %q has no such input; its inputs are: %s", pipeline, known)
		}
	}
	out := make(map[string]any, len(defs))
	for _, name := range sortedKeys(defs) {
		def := defs[name]
		v, ok := given[name]
		if !ok || v == nil {
			d, has := def.Default()
			switch {
			case slices.Contains(later, name):
			case has:
				out[name] = d
			case !def.IsOptional:
				fail(name, "missing; pipeline %q needs it (%s) and it has no default", pipeline, def.ParameterType)
			}
			continue
		}
		if !fits(v, def.ParameterType) {
			fail(name, "%v", mismatch(v, def.ParameterType))
			continue
		}
		if err := checkLiteral(v, def); err != nil {
			fail(name, "%v", err)
			continue
		}
		out[name] = v
	}
	if wrong != nil {
		return nil, fault.Invalidf("%w", wrong)
	}
	return out, nil
}

// checkLiteral tests a value against the declared literals.
func checkLiteral(v any, def *InputParameter) error {
	if len(def.Literals) == 0 || slices.ContainsFunc(def.Literals, func(l any) bool { return reflect.DeepEqual(l, v) }) {
		return nil
	}
	return invalidf("want one of %s, got %s", JSON(def.Literals), clip(JSON(v), maxPart/2))
}
