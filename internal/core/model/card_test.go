package model

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
)

const card = `artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
    loader_module: mlflow.sklearn
    python_version: 3.11.2
  sklearn:
    serialization_format: cloudpickle
mlflow_version: 3.1.0
model_size_bytes: 720
run_id: 9f
signature:
  inputs: '[{"type": "double", "name": "hour", "required": true}, {"type": "string", "name": "<b>carrier</b>", "required": false},
    {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "long"}}}, "name": "rows", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]'
  params: '[{"name": "threshold", "type": "double", "default": 0.5, "shape": null}]'
utc_time_created: '2026-01-02 03:04:05.123456'
`

func TestACardHasFlavoursSignatureAndFacts(t *testing.T) {
	got, err := ParseCard([]byte(card))
	if err != nil {
		t.Fatal(err)
	}
	want := Card{
		Flavors: []Flavor{
			{Name: "python_function", Facts: map[string]string{"loader_module": "mlflow.sklearn", "python_version": "3.11.2"}},
			{Name: "sklearn", Facts: map[string]string{"serialization_format": "cloudpickle"}},
		},
		Inputs: []Field{
			{Name: "hour", Type: "double"}, {Name: "<b>carrier</b>", Type: "string", Optional: true}, {Name: "rows", Type: "list of {x: long}"},
		},
		Outputs:  []Field{{Type: "float64 [-1,2]"}},
		Params:   []Field{{Name: "threshold", Type: "double", Default: "0.5"}},
		Metadata: map[string]string{},
		Facts: map[string]string{"artifact_path": "model", "mlflow_version": "3.1.0", "model_size_bytes": "720", "run_id": "9f",
			"utc_time_created": "2026-01-02 03:04:05.123456"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoCardIsRefused(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'k'; i++ {
		bomb += string(i) + ": &" + string(i) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(i-1)+",", 9), ",") + "]\n"
	}
	for _, text := range []string{"", "[1]", "a: 1", "flavors: [", "\x00", bomb} {
		if _, err := ParseCard([]byte(text)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func FuzzParseCard(f *testing.F) {
	f.Add([]byte(card))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := ParseCard(text); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Error(err)
		}
	})
}
