package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
)

func TestAnMLmodelTellsFlavorsAndSignature(t *testing.T) {
	got, err := ParseMLmodel([]byte(`
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.13.5}
  sklearn: {sklearn_version: 1.7.0}
mlflow_version: 3.1.0
signature:
  inputs: '[{"name": "distance", "type": "double"}, {"name": "<b>", "type": "string", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]'
  params: '[{"name": "cut", "dtype": "double", "default": 0.5, "shape": null}]'
`))
	want := MLmodel{Flavors: []string{"python_function", "sklearn"}, MLflow: "3.1.0", Python: "3.13.5",
		Inputs:  []Field{{Name: "distance", Type: "double"}, {Name: "<b>", Type: "string", Optional: true}},
		Outputs: []Field{{Type: "float64 [any, 2]"}},
		Params:  []Field{{Name: "cut", Type: "double", Default: "0.5"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, bad := range []string{"a: [", "signature: {inputs: 'no json'}", "- 1"} {
		if _, err := ParseMLmodel([]byte(bad)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v, want an invalid file", bad, err)
		}
	}
	if got, err := ParseMLmodel(nil); err != nil || got.Inputs != nil {
		t.Error(got, err)
	}
}
