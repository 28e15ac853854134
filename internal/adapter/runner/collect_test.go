package runner_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// reports makes a step that writes an executor output file of its own.
func (f *fixture) reports(text string) *run.Step {
	return f.command("alpine", "sh", "-c", `mkdir -p "$(dirname "$0")" && printf %s "$1" > "$0"`, "{{$.outputs.output_file}}", text)
}

func TestAParameterFileWithANumberThatIsNotFiniteIsRefused(t *testing.T) {
	f := newFixture(t, nil)
	for _, written := range []string{"nan", "inf\n", "-Infinity", "1e999"} {
		s := f.command("alpine", "sh", "-c", `printf %s "$1" > "$0"`, "{{$.outputs.parameters['loss'].output_file}}", written)
		parameter(s, "loss", ir.NumberDouble)
		message := f.fails(t.Context(), s, run.ReasonOutput).Message
		contains(t, message, `"loss"`, "want NUMBER_DOUBLE")
		if written != "1e999" {
			contains(t, message, "return a finite number")
		}
	}
}

func TestAReportedParameterFitsItsDeclaredType(t *testing.T) {
	f := newFixture(t, nil)
	for _, tt := range []struct {
		t       ir.ParameterType
		written string
		want    any
		bad     string
	}{
		{ir.NumberInteger, "3", 3.0, ""},
		{ir.NumberInteger, "3.0", 3.0, ""},
		{ir.NumberDouble, "3", 3.0, ""},
		{ir.NumberDouble, "0.5", 0.5, ""},
		{ir.Boolean, "true", true, ""},
		{ir.String, `"number NaN"`, "number NaN", ""},
		{ir.String, "4.5", "4.5", ""},
		{ir.List, `[1, "NaN"]`, []any{1.0, "NaN"}, ""},
		{ir.Struct, `{"a": {"b": []}}`, map[string]any{"a": map[string]any{"b": []any{}}}, ""},

		{ir.NumberInteger, "3.5", nil, "want NUMBER_INTEGER"},
		{ir.NumberInteger, "true", nil, "want NUMBER_INTEGER"},
		{ir.NumberDouble, `"much"`, nil, "want NUMBER_DOUBLE"},
		{ir.Boolean, "1", nil, "want BOOLEAN"},
		{ir.List, "{}", nil, "want LIST"},
		{ir.Struct, "[]", nil, "want STRUCT"},

		{ir.NumberDouble, "NaN", nil, "got NaN: JSON has no such number; return a finite number"},
		{ir.NumberInteger, "Infinity", nil, "got Infinity"},
		{ir.NumberDouble, "-Infinity", nil, "got -Infinity"},
		{ir.List, `["number ", NaN]`, nil, "got NaN"},
		{ir.Struct, `{"a": [{"b": Infinity}]}`, nil, "got Infinity"},
	} {
		s := f.reports(`{"parameterValues": {"x": ` + tt.written + `}}`)
		parameter(s, "x", tt.t)
		if tt.bad != "" {
			contains(t, f.fails(t.Context(), s, run.ReasonOutput).Message, `"x"`, tt.bad)
			continue
		}
		if diff := cmp.Diff(tt.want, f.must(s).Parameters["x"]); diff != "" {
			t.Errorf("%s %s: %s", tt.t, tt.written, diff)
		}
	}
}

// A metric of a model that diverged must not cost the step: only its text can be kept.
func TestANumberThatIsNotFiniteInMetadataIsKeptAsText(t *testing.T) {
	f := newFixture(t, nil)
	s := f.reports(`{"parameterValues": {"undeclared": NaN, "x": "NaN"}, "artifacts": {"m": {"artifacts": [
		{"name": "m", "metadata": {"loss": NaN, "best": -Infinity, "curve": [1, {"y": Infinity}], "acc": 0.5}}]}}}`)
	parameter(s, "x", ir.String)
	artifact(s, "m", "system.Metrics")
	out := f.must(s)
	want := map[string]any{"loss": "NaN", "best": "-Infinity", "curve": []any{1.0, map[string]any{"y": "Infinity"}}, "acc": 0.5}
	if diff := cmp.Diff(want, out.Artifacts["m"][0].Metadata); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"x": "NaN"}, out.Parameters); diff != "" {
		t.Error(diff)
	}
}

func TestAComponentThatReturnsNaNIsToldWhatToDo(t *testing.T) {
	f := newFixture(t, nil)
	s := f.python("def f() -> float:\n    return float('nan')")
	parameter(s, "Output", ir.NumberDouble)
	contains(t, f.fails(t.Context(), s, run.ReasonOutput).Message, `"Output"`, "NaN", "return a finite number")
}
