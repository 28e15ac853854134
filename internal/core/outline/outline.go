// Package outline says what a pipeline is made of, in words for a person: its inputs, its tasks and what each of them runs.
//
// It is what a graph of a pipeline is drawn from and what two versions are compared by. It is as long as the specification: a
// component that is used in many places is told once. It is pure, and knows no runs. Start reading at Of.
package outline

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"levada/internal/core/ir"
)

// Outline is a whole pipeline.
type Outline struct {
	Name        string    `json:"name"`
	DisplayName string    `json:"display_name,omitempty"`
	Description string    `json:"description,omitempty"`
	SDK         string    `json:"sdk,omitempty" doc:"the SDK that compiled it"`
	Root        Component `json:"root"`
	// Components are those that tasks name.
	Components map[string]Component `json:"components"`
}

// The kinds of a Component.
const (
	DAG       = "dag"
	Container = "container"
	Importer  = "importer"
)

// Component is something with inputs and outputs.
type Component struct {
	Kind    string   `json:"kind" enum:"dag,container,importer"`
	Inputs  []Input  `json:"inputs" nullable:"false"`
	Outputs []Output `json:"outputs" nullable:"false"`
	Tasks   []Node   `json:"tasks,omitempty" doc:"of a dag, in the order of their names"`
	Step    *Step    `json:"step,omitempty" doc:"of a container"`
	URI     string   `json:"uri,omitempty" doc:"of an importer: the address, or the input that holds it"`
}

// Input is a parameter or an artifact that a component takes.
type Input struct {
	Name string `json:"name"`
	// Type is a type of parameters (NUMBER_DOUBLE, …) or the title of a type of artifacts.
	Type     string `json:"type"`
	Artifact bool   `json:"artifact,omitempty"`
	List     bool   `json:"list,omitempty" doc:"a list of artifacts"`
	Required bool   `json:"required" doc:"there is no run without it"`
	Default  any    `json:"default,omitempty"`
	Literals []any  `json:"literals,omitempty" doc:"the values it may have; any where there are none"`

	Description string `json:"description,omitempty"`
}

// Output is a parameter or an artifact that a component gives.
type Output struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Artifact bool   `json:"artifact,omitempty"`
	List     bool   `json:"list,omitempty"`
}

// Step is what a container runs.
type Step struct {
	Image string `json:"image"`
	// Requirements and Code are those of a Python component; of any other, Command says all.
	Requirements []string  `json:"requirements,omitempty"`
	Code         string    `json:"code,omitempty"`
	Command      []string  `json:"command,omitempty"`
	Settings     []Setting `json:"settings,omitempty" doc:"resources, environment variables and platform settings"`
}

// Setting is one thing that a step asks for.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Node is a task of a dag.
type Node struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"display_name"`
	Component   string   `json:"component"`
	DependsOn   []string `json:"depends_on,omitempty" doc:"names of tasks of the same dag"`
	Condition   string   `json:"condition,omitempty" doc:"the expression under which it runs"`
	Loop        *Loop    `json:"loop,omitempty"`
	// Always is true for a task that runs however those before it ended.
	Always  bool      `json:"always,omitempty"`
	Cache   bool      `json:"cache"`
	Retries int       `json:"retries,omitempty"`
	Inputs  []Binding `json:"inputs,omitempty"`
}

// Loop says over what a task is repeated.
type Loop struct {
	Items       string `json:"items"`
	Parallelism int    `json:"parallelism,omitempty" doc:"most iterations at once; 0 means no limit"`
}

// Binding says where an input of a task comes from.
type Binding struct {
	Name string `json:"name"`
	From string `json:"from" doc:"task.output, an input of the dag, or a constant as JSON"`
}

// Python finds what is in the command of a Python component; ok is false for every other command.
type Python func(command, args []string) (requirements []string, code string, ok bool)

// Of makes the outline of a pipeline. python may be nil.
func Of(p *ir.Pipeline, python Python) Outline {
	if python == nil {
		python = func([]string, []string) ([]string, string, bool) { return nil, "", false }
	}
	o := outliner{pipeline: p, python: python}
	info := p.Spec.PipelineInfo
	out := Outline{Name: info.Name, DisplayName: info.DisplayName, Description: info.Description, SDK: p.Spec.SDKVersion,
		Root: o.component(p.Spec.Root), Components: make(map[string]Component, len(p.Spec.Components))}
	for name, c := range p.Spec.Components {
		out.Components[name] = o.component(c)
	}
	return out
}

type outliner struct {
	pipeline *ir.Pipeline
	python   Python
}

func (o outliner) component(c *ir.Component) Component {
	out := Component{Kind: Container, Inputs: inputs(c.InputDefinitions), Outputs: outputs(c.OutputDefinitions)}
	if c.DAG != nil {
		out.Kind = DAG
		for _, name := range sorted(c.DAG.Tasks) {
			out.Tasks = append(out.Tasks, task(name, c.DAG.Tasks[name]))
		}
		return out
	}
	switch e := o.pipeline.Spec.Executor(c); {
	case e == nil:
	case e.Importer != nil:
		out.Kind, out.URI = Importer, value(&e.Importer.ArtifactURI)
	case e.Container != nil:
		out.Step = o.step(c.ExecutorLabel, e.Container)
	}
	return out
}

func inputs(d *ir.InputDefinitions) []Input {
	out := []Input{}
	for _, name := range sorted(d.Parameters) {
		p := d.Parameters[name]
		given, has := p.Default()
		out = append(out, Input{Name: name, Type: string(p.ParameterType), Required: !has && !p.IsOptional, Default: given,
			Literals: p.Literals, Description: p.Description})
	}
	for _, name := range sorted(d.Artifacts) {
		a := d.Artifacts[name]
		out = append(out, Input{Name: name, Type: a.ArtifactType.SchemaTitle, Artifact: true, List: a.IsArtifactList,
			Required: !a.IsOptional, Description: a.Description})
	}
	return out
}

func outputs(d *ir.OutputDefinitions) []Output {
	out := []Output{}
	for _, name := range sorted(d.Parameters) {
		out = append(out, Output{Name: name, Type: string(d.Parameters[name].ParameterType)})
	}
	for _, name := range sorted(d.Artifacts) {
		a := d.Artifacts[name]
		out = append(out, Output{Name: name, Type: a.ArtifactType.SchemaTitle, Artifact: true, List: a.IsArtifactList})
	}
	return out
}

func (o outliner) step(label string, c *ir.Container) *Step {
	s := &Step{Image: c.Image}
	if requirements, code, ok := o.python(c.Command, c.Args); ok {
		s.Requirements, s.Code = requirements, code
	} else {
		s.Command = slices.Concat(c.Command, c.Args)
	}
	set := func(name, value string) {
		if value != "" && value != "0" {
			s.Settings = append(s.Settings, Setting{name, value})
		}
	}
	if r := c.Resources; r != nil {
		set("CPU request", first(r.ResourceCPURequest, ir.Text(r.CPURequest)))
		set("CPU limit", first(r.ResourceCPULimit, ir.Text(r.CPULimit)))
		set("memory request", first(r.ResourceMemoryRequest, gigabytes(r.MemoryRequest)))
		set("memory limit", first(r.ResourceMemoryLimit, gigabytes(r.MemoryLimit)))
		if a := r.Accelerator; a != nil {
			set("accelerator", strings.TrimSpace(first(a.ResourceCount, a.Count.String())+" "+first(a.ResourceType, a.Type)))
		}
	}
	for _, e := range c.Env {
		s.Settings = append(s.Settings, Setting{"variable " + e.Name, e.Value})
	}
	return s.withPlatform(o.pipeline, label)
}

// withPlatform adds what the second document of a package says of an executor, one setting for each of its keys.
func (s *Step) withPlatform(p *ir.Pipeline, label string) *Step {
	if p.Platform == nil || p.Platform.Platforms["kubernetes"] == nil {
		return s
	}
	var extras map[string]json.RawMessage
	if json.Unmarshal(p.Platform.Platforms["kubernetes"].DeploymentSpec.Executors[label], &extras) != nil {
		return s // Parse has read it already: there is nothing for this executor
	}
	for _, name := range sorted(extras) {
		s.Settings = append(s.Settings, Setting{"kubernetes " + name, string(extras[name])})
	}
	return s
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func gigabytes(n float64) string {
	if n == 0 {
		return ""
	}
	return ir.Text(n) + "G"
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
