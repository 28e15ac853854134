package ir_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

var told = &ir.ExecutorInput{
	Inputs: ir.ExecutorInputs{
		ParameterValues: map[string]any{"s": "a \"b\"", "n": 3.0, "f": 0.1, "l": []any{1.0, "x"}, "m": map[string]any{"k": true}, "big": 1e15, "huge": 1e21, "tiny": 5e-324, "t": "{{$.pipeline_job_name}}"},
		Artifacts: map[string]ir.ArtifactList{"data": {Artifacts: []ir.RuntimeArtifact{{
			Name: "d", URI: "/steps/d", Metadata: map[string]any{"rows": 7.0}}}}},
	},
	Outputs: ir.ExecutorOutputs{
		Parameters: map[string]ir.OutputFile{"p": {OutputFile: "/out/p"}},
		Artifacts:  map[string]ir.ArtifactList{"model": {Artifacts: []ir.RuntimeArtifact{{Name: "model", URI: "gs://bucket/m"}}}},
		OutputFile: "/out/executor_output.json",
	},
}

var job = ir.Placeholders{JobName: "job", JobResourceName: "pipe-1", JobUUID: "u", TaskName: "t", TaskUUID: "tu", PipelineRoot: "/root", WorkspacePath: "/ws",
	CreateTime: "2026-01-01T00:00:00Z", ScheduleTime: "2026-01-02T00:00:00Z"}

func TestPlaceholdersInCommandsAreReplaced(t *testing.T) {
	for _, c := range []struct {
		word string
		want []string
	}{
		{"plain", []string{"plain"}},
		{"{{$.inputs.parameters['s']}}", []string{`a "b"`}},
		{`x={{$.inputs.parameters["n"]}};{{$.inputs.parameters['f']}}`, []string{"x=3;0.1"}},
		{"{{$.inputs.parameters['big']}} {{$.inputs.parameters['huge']}} {{$.inputs.parameters['tiny']}}",
			[]string{"1000000000000000 1000000000000000000000 5e-324"}},
		{"{{$.inputs.artifacts['data']}}", []string{`[{"name":"d","type":{},"uri":"/steps/d","metadata":{"rows":7}}]`}},
		{"{{$.inputs.artifacts['not-given']}} {{$.inputs.artifacts['not-given'].path}}", []string{"[] "}},
		{"{{$.outputMetadataUri}} {{$ }} {{$x}} {{}}", []string{"/out/executor_output.json {{$ }} {{$x}} {{}}"}},
		{"{{$.inputs.parameters['l']}} {{$.inputs.parameters['m']}}", []string{`[1,"x"] {"k":true}`}},
		{"{{$.inputs.parameters['not-given']}}", []string{""}},
		{"{{$.inputs.parameters['t']}}", []string{"{{$.pipeline_job_name}}"}},
		{"{{$.json_escape[1].inputs.parameters['s']}}", []string{`a \"b\"`}},
		{"{{$.inputs.artifacts['data'].path}} {{$.inputs.artifacts['data'].uri}} {{$.inputs.artifacts['data'].name}}", []string{"/steps/d /steps/d d"}},
		{"{{$.inputs.artifacts['data'].metadata}} {{$.inputs.artifacts['data'].metadata['rows']}}", []string{`{"rows":7} 7`}},
		{"{{$.outputs.artifacts['model'].path}} {{$.outputs.artifacts['model'].uri}}", []string{"/gcs/bucket/m gs://bucket/m"}},
		{"{{$.outputs.parameters['p'].output_file}} {{$.outputs.output_file}}", []string{"/out/p /out/executor_output.json"}},
		{"{{$.pipeline_job_name}}/{{$.pipeline_job_resource_name}}/{{$.pipeline_job_uuid}}/{{$.pipeline_task_name}}/{{$.pipeline_task_uuid}}", []string{"job/pipe-1/u/t/tu"}},
		{"{{$.pipeline_root}} {{$.workspace_path}} {{$.pipeline_job_create_time_utc}} {{$.pipeline_job_schedule_time_utc}}",
			[]string{"/root /ws 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z"}},
		{`{"IfPresent": {"InputName": "n", "Then": ["--n", "{{$.inputs.parameters['n']}}"]}}`, []string{"--n", "3"}},
		{`{"IfPresent": {"InputName": "no", "Then": ["--n"], "Else": "none"}}`, []string{"none"}},
		{`{"IfPresent": {"InputName": "no", "Then": ["--n"]}}`, nil},
		{`{"IfPresent": {"InputName": "data", "Then": "has data"}}`, []string{"has data"}},
		{`{"IfPresent": {"InputName": "model", "Then": ["--model", "{{$.outputs.artifacts['model'].path}}"]}}`, []string{"--model", "/gcs/bucket/m"}},
		{`{"IfPresent": {"InputName": "n", "Then": [{"IfPresent": {"InputName": "no", "Then": "x", "Else": ["a", {"Concat": ["b", "c"]}]}}]}}`, []string{"a", "bc"}},
		{`{"Concat": ["a=", "{{$.inputs.parameters['n']}}", {"IfPresent": {"InputName": "s", "Then": {"Concat": [",s=", "{{$.inputs.parameters['s']}}"]}}}]}`, []string{`a=3,s=a "b"`}},
	} {
		got, err := ir.ResolveContainer(&ir.Container{Image: "i", Command: []string{c.word}}, told, job)
		if err != nil {
			t.Errorf("%s: %v", c.word, err)
		} else if diff := cmp.Diff(append([]string{}, c.want...), got.Command); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.word, diff)
		}
	}
}

func TestUnknownPlaceholdersAreInvalid(t *testing.T) {
	for _, word := range []string{"{{$.nonsense}}", "{{$.outputs.parameters['x'].output_file}}", "{{$.inputs.artifacts['data'].size}}", "{{$.inputs.parameters['n'].x}}"} {
		if got, err := ir.ResolveContainer(&ir.Container{Args: []string{word}}, told, job); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v, %v; want an Invalid error", word, got, err)
		}
	}
}

func TestResourcesAreReadInBothSpellings(t *testing.T) {
	for _, c := range []struct {
		in   ir.Resources
		want ir.Limits
	}{
		{ir.Resources{CPULimit: 2, MemoryLimit: 1.5}, ir.Limits{CPULimit: 2, MemoryLimit: 1.5e9}},
		{ir.Resources{ResourceCPURequest: "500m", ResourceMemoryRequest: "1Gi", ResourceMemoryLimit: "2G"}, ir.Limits{CPURequest: 0.5, MemoryRequest: 1 << 30, MemoryLimit: 2e9}},
		{ir.Resources{ResourceCPULimit: "{{$.inputs.parameters['n']}}"}, ir.Limits{CPULimit: 3}},
		{ir.Resources{Accelerator: &ir.Accelerator{Type: "tpu", Count: "2"}}, ir.Limits{Accelerators: 2, AcceleratorType: "tpu"}},
		{ir.Resources{Accelerator: &ir.Accelerator{ResourceType: "nvidia.com/gpu", ResourceCount: "1"}}, ir.Limits{Accelerators: 1, AcceleratorType: "nvidia.com/gpu"}},
	} {
		got, err := ir.ResolveLimits(&c.in, told, job)
		if err != nil {
			t.Errorf("%+v: %v", c.in, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.in, diff)
		}
	}
	for _, bad := range []string{"many", "-1", "1Zi", "NaN", "1e400"} {
		if _, err := ir.ResolveLimits(&ir.Resources{ResourceCPULimit: bad}, told, job); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v, want an Invalid error", bad, err)
		}
	}
}

func TestValuesConvertToTheDeclaredType(t *testing.T) {
	for _, c := range []struct {
		value any
		typ   ir.ParameterType
		want  any
	}{
		{3.0, ir.String, "3"}, {true, ir.String, "true"}, {[]any{1.0}, ir.String, "[1]"}, {"3", ir.NumberInteger, 3.0}, {"[1]", ir.List, []any{1.0}},
		{`{"a": 1}`, ir.Struct, map[string]any{"a": 1.0}}, {"true", ir.Boolean, true}, {nil, ir.NumberDouble, nil},
	} {
		got, err := ir.Convert(c.value, c.typ)
		if err != nil || !cmp.Equal(c.want, got) {
			t.Errorf("%v as %s: got %v, %v; want %v", c.value, c.typ, got, err, c.want)
		}
	}
	for _, c := range []struct {
		value any
		typ   ir.ParameterType
	}{{"x", ir.NumberInteger}, {1.5, ir.NumberInteger}, {"null", ir.List}, {true, ir.NumberDouble}, {1.0, ir.Boolean}, {[]any{}, ir.Struct}} {
		if got, err := ir.Convert(c.value, c.typ); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v as %s: got %v, %v; want an Invalid error", c.value, c.typ, got, err)
		}
	}
}
