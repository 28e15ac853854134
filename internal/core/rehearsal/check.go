package rehearsal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

// Check refuses a replacement that is not what a component declares.
func Check(r Replacement, c *ir.Component) error {
	for i, attempt := range r.Attempts {
		if len(attempt.Attempts) > 0 {
			return fault.Invalidf("attempt %d: attempts cannot hold attempts", i+1)
		}
		if err := Check(attempt, c); err != nil {
			return fault.Invalidf("attempt %d: %w", i+1, err)
		}
	}
	if r.Call || r.Failure != nil || len(r.Attempts) > 0 {
		return nil
	}
	_, err := Outputs(r, c)
	return err
}

// Outputs returns the outputs of a replaced step: checked against what its component declares, with artifacts in the one form, and
// with placeholders where they are asked for.
func Outputs(r Replacement, c *ir.Component) (map[string]Given, error) {
	defs := c.OutputDefinitions
	if defs == nil {
		defs = &ir.OutputDefinitions{}
	}
	out := make(map[string]Given, len(r.Outputs))
	for _, name := range slices.Sorted(maps.Keys(r.Outputs)) {
		given := r.Outputs[name]
		var err error
		if def, ok := defs.Parameters[name]; ok {
			given, err = checkParameter(given, def.ParameterType)
		} else if def, ok := defs.Artifacts[name]; ok {
			given, err = checkArtifact(given, def.ArtifactType, def.IsArtifactList)
		} else {
			return nil, fault.Invalidf("there is no output %q; it has: %s", name, describeOutputs(defs))
		}
		if err != nil {
			return nil, fault.Invalidf("output %q: %w", name, err)
		}
		out[name] = given
	}
	var missing []string
	for name, def := range defs.Parameters {
		if _, given := out[name]; !given && r.Placeholders {
			out[name] = Given{Value: zero(def.ParameterType)}
		} else if !given {
			missing = append(missing, name)
		}
	}
	for name, def := range defs.Artifacts {
		if _, given := out[name]; !given && r.Placeholders {
			out[name] = Given{Artifacts: []Fixture{{Empty: true}}, List: def.IsArtifactList}
		} else if !given {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fault.Invalidf("outputs are missing: %s; give them, or use placeholders(…), which fills in the rest", strings.Join(missing, ", "))
	}
	return out, nil
}

// zero is the placeholder of a type.
func zero(t ir.ParameterType) any {
	switch t {
	case ir.NumberDouble, ir.NumberInteger:
		return 0.0
	case ir.Boolean:
		return false
	case ir.List:
		return []any{}
	case ir.Struct, ir.TaskConfig, ir.TaskFinalStatus:
		return map[string]any{}
	default:
		return ""
	}
}

// checkParameter is stricter than the conversion of a step's outputs: a test that gives "0.5" for a number is wrong.
func checkParameter(given Given, t ir.ParameterType) (Given, error) {
	if given.Artifacts != nil {
		return given, fault.Invalidf("it is a parameter (%s), and a file or artifact was given", t)
	}
	if given.Value == nil {
		return given, nil
	}
	_, text := given.Value.(string)
	if text != (t == ir.String) && t != "" {
		return given, fault.Invalidf("want %s, got %s", t, shown(given.Value))
	}
	v, err := ir.Convert(given.Value, t)
	given.Value = v
	return given, err
}

func shown(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 80 {
		return string(b[:80]) + "…"
	}
	return string(b)
}

// checkArtifact takes artifacts, or a mapping as the metadata of one without content, as metrics are.
func checkArtifact(given Given, t ir.ArtifactType, list bool) (Given, error) {
	if metadata, ok := given.Value.(map[string]any); ok && given.Artifacts == nil {
		given = Given{Artifacts: []Fixture{{Metadata: metadata}}}
	}
	switch {
	case given.Artifacts == nil:
		return given, fault.Invalidf("it is an artifact (%s), got %s; give a pathlib.Path, bytes, a dict (its metadata) or artifact(…)",
			t.SchemaTitle, shown(given.Value))
	case list && !given.List:
		return given, fault.Invalidf("it is a list of artifacts (%s), and one was given; put it into a list", t.SchemaTitle)
	case !list && (given.List || len(given.Artifacts) != 1):
		return given, fault.Invalidf("it is one artifact (%s), and a list was given", t.SchemaTitle)
	}
	for _, a := range given.Artifacts {
		if a.Path != "" && a.URI != "" {
			return given, fault.Invalidf("an artifact has either content here (a path or bytes) or an address elsewhere (uri), not both")
		}
	}
	return given, nil
}

func describeOutputs(defs *ir.OutputDefinitions) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(defs.Parameters)) {
		out = append(out, fmt.Sprintf("%s (%s)", name, defs.Parameters[name].ParameterType))
	}
	for _, name := range slices.Sorted(maps.Keys(defs.Artifacts)) {
		out = append(out, fmt.Sprintf("%s (%s)", name, defs.Artifacts[name].ArtifactType.SchemaTitle))
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}
