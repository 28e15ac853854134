package ir_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

// addFiles seeds a fuzz test with the compiled pipelines of this repository, and with those of the corpus where it is.
func addFiles(f *testing.F) {
	f.Helper()
	for _, glob := range []string{"../../../ui/e2e/pipelines/*.yaml", "../../../bench/testdata/chain-10.yaml", "../../adapter/pyenv/testdata/kfp-2.17.0.yaml", corpus + "/*/*", corpus + "/valid/*/*"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			if data, err := os.ReadFile(name); err == nil && len(data) < 20_000 {
				f.Add(data)
			}
		}
	}
}

// refused fails the test when an error is not one that a client can be told of.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
		t.Fatalf("%s: an error of kind %v: %v", what, k, err)
	}
	if n := len(err.Error()); n > 4096 {
		t.Fatalf("%s: a message of %d bytes", what, n)
	}
}

func FuzzASpecificationIsReadTheSameAgainOrRefused(f *testing.F) {
	addFiles(f)
	f.Add([]byte(`{"schemaVersion": "2.1.0", "pipelineInfo": {"name": "p"}, "root": {"dag": {"tasks": {}}}}`))
	f.Add([]byte(valid))
	f.Add([]byte(strings.Replace(valid, "name: pipe\n", "name: pipe\n"+bomb(), 1)))
	f.Add([]byte(`{"pipeline_spec": {"schemaVersion": "2.1.0", "root": {"dag": {"tasks": {"a": {}}}}}}`))
	f.Add([]byte("a: &a [*a]\n---\n? {b: c}\n: !!binary x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ir.Parse(data)
		if err != nil {
			refused(t, "the text", err)
			return
		}
		again, err := ir.Parse(p.Canonical)
		if err != nil {
			t.Fatalf("the canonical form is refused: %v\n%s", err, p.Canonical)
		}
		if again.Digest != p.Digest {
			t.Fatalf("the canonical form\n%s\nhas another canonical form:\n%s", p.Canonical, again.Canonical)
		}
	})
}

func FuzzPlaceholdersAreReplacedOrRefused(f *testing.F) {
	for _, s := range []string{
		"{{$}}", "{{$.inputs.parameters['p']}} and {{$.inputs.parameters[\"list\"]}}", "{{$.inputs.artifacts['a'].path}}", "{{$.inputs.artifacts['a'].metadata['k']}}",
		"{{$.outputs.parameters['o'].output_file}}", "{{$.outputs.output_file}}", "{{$.json_escape[2].inputs.parameters['p']}}", "{{$.pipeline_job_name}}{{$.workspace_path}}",
		`{"IfPresent": {"InputName": "p", "Then": ["--p", {"Concat": ["a", "{{$.inputs.parameters['p']}}"]}], "Else": "none"}}`,
		`{"Concat": ["a", {"IfPresent": {"InputName": "a", "Then": "{{$.inputs.artifacts['a'].uri}}"}}]}`, "{{$.inputs.parameters['{{$}}']}}", "{{{{$}}}}",
	} {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, word, value string) {
		in := &ir.ExecutorInput{
			Inputs: ir.ExecutorInputs{
				ParameterValues: map[string]any{"p": value, "list": []any{value, 1.0, nil}, "none": nil},
				Artifacts:       map[string]ir.ArtifactList{"a": {Artifacts: []ir.RuntimeArtifact{{Name: "a", URI: value, Metadata: map[string]any{"k": value}}}}},
			},
			Outputs: ir.ExecutorOutputs{OutputFile: "/out", Parameters: map[string]ir.OutputFile{"o": {OutputFile: "/o"}}},
		}
		c := &ir.Container{Image: word, Command: []string{word}, Args: []string{word, "x" + word}, Env: []ir.EnvVar{{Name: "E", Value: word}}}
		out, err := ir.ResolveContainer(c, in, ir.Placeholders{JobName: value})
		if err != nil {
			refused(t, "the word", err)
			return
		}
		// What was put in is not looked at again, so a value cannot smuggle a placeholder in.
		if word == "{{$.inputs.parameters['p']}}" && out.Image != value {
			t.Fatalf("the value %q became %q", value, out.Image)
		}
		if !strings.Contains(word, "{{$") && out.Image != word {
			t.Fatalf("%q has no placeholder and became %q", word, out.Image)
		}
	})
}

func FuzzExpressionsGiveAValueOrAreRefused(f *testing.F) {
	for _, s := range []string{
		`inputs.parameter_values['s'] == 'heads'`, `!(int(inputs.parameter_values["n"]) > 1) && true`, `parseJson(string_value)["a"][0]`, `string_value + "!"`,
		`'a' in inputs.parameter_values['list']`, `[1, 2].map(x, x * 2)`, `{"a": 1.5, "b": [null]}`, `double("inf")`, `9223372036854775807 + 1`, `timestamp("2020-01-01T00:00:00Z")`,
	} {
		f.Add(s, `{"a": [1]}`)
	}
	f.Fuzz(func(t *testing.T, expr, value string) {
		value = strings.ToValidUTF8(value, "?") // what comes as JSON is valid
		p := new(ir.Pipeline)
		if _, err := p.Condition(expr, map[string]any{"s": value, "n": 2.0, "list": []any{"a"}}); err != nil {
			refused(t, "the condition", err)
		}
		got, err := p.Select(expr, value)
		if err != nil {
			refused(t, "the selector", err)
			return
		}
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%s gives %v, which JSON cannot hold: %v", expr, got, err)
		}
		var back any
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(back); err != nil || !reflect.DeepEqual(again, b) {
			t.Fatalf("%s gives %s, and read back %s", expr, b, again)
		}
	})
}
