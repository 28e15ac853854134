// Package rehearsal prepares the run of a pipeline in which chosen steps are replaced by canned outputs: what a test of a pipeline
// runs.
//
// It checks that what replaces a step is what the step's component declares, feeds fixtures to a specification whose inputs are
// artifacts, and says for a step what stands in for it. The package is pure: it stores no fixture and runs nothing. Start
// reading at Prepare.
package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// Request asks for a rehearsal.
type Request struct {
	// Name is the display name of the run.
	Name string `json:"name,omitempty"`
	// Spec is a compiled pipeline or component.
	Spec string `json:"spec"`
	// Inputs are the pipeline's parameters and input artifacts.
	Inputs map[string]Given `json:"inputs,omitempty"`
	// Replace says what stands in for steps. A key is the name of a task, wherever it is, its path ("for-loop-1/train" for every
	// iteration, "for-loop-1/0/train" for one).
	Replace map[string]Replacement `json:"replace,omitempty"`
	// Rest stands in for every other step; without it they run.
	Rest *Replacement `json:"rest,omitempty"`
}

// Given is a value handed in by a test: that of a parameter, or artifacts.
type Given struct {
	Value any `json:"value,omitempty"`
	// Artifacts is not nil for an artifact or a list of them.
	Artifacts []Fixture `json:"artifacts,omitempty"`
	// List is true when a list was given, also of one.
	List bool `json:"list,omitempty"`
}

// Fixture is an artifact handed in by a test.
type Fixture struct {
	// Path is a file or directory on this machine; it is copied. Without one the artifact has no content, or, when Empty is true,
	// that of an empty file.
	Path     string         `json:"path,omitempty"`
	Empty    bool           `json:"empty,omitempty"`
	Metadata map[string]any `json:"metadata,omitempty"`
	// URI is the address of content that is elsewhere.
	URI string `json:"uri,omitempty"`
}

// Replacement stands in for a step. At most one of Outputs with Placeholders, Failure, Call and Attempts is given.
type Replacement struct {
	Outputs map[string]Given `json:"outputs,omitempty"`
	// Placeholders gives the outputs that are not named an empty value of their type.
	Placeholders bool     `json:"placeholders,omitempty"`
	Failure      *Failure `json:"failure,omitempty"`
	// Call asks the test for an answer when the step's inputs are known.
	Call bool `json:"call,omitempty"`
	// Attempts are the answers to the first, second, … attempt; the last one also answers later ones.
	Attempts []Replacement `json:"attempts,omitempty"`
}

// Failure is how a replaced step fails.
type Failure struct {
	Message  string `json:"message"`
	ExitCode int    `json:"exit_code"`
}

// Call asks the test what a step gives.
type Call struct {
	ID string `json:"id"`
	// Path is that of the task, with the indices of loops.
	Path      string     `json:"path"`
	Name      string     `json:"name"`
	Attempt   int        `json:"attempt"`
	Iteration int        `json:"iteration"`
	Inputs    run.Values `json:"inputs"`
}

// Of returns what answers an attempt, which counts from 1.
func (r Replacement) Of(attempt int) Replacement {
	if len(r.Attempts) == 0 {
		return r
	}
	return r.Attempts[min(max(attempt, 1), len(r.Attempts))-1]
}

// Prepared is a rehearsal that was checked and can be run.
type Prepared struct {
	// Spec is the specification to run and Parameters its parameters.
	Spec       []byte
	Parameters map[string]any
	// Hidden are the tasks that only hand in fixtures.
	Hidden []string
	// Steps are those of the specification, without the iterations of loops and without the hidden ones.
	Steps []Step

	replace map[string]Replacement // by normal key
	rest    *Replacement
}

// Prepare checks a request whole. Its errors are Invalid and say what to write instead.
func Prepare(req Request) (*Prepared, error) {
	p, err := ir.Parse([]byte(req.Spec))
	if err != nil {
		return nil, err
	}
	out := &Prepared{Parameters: map[string]any{}, Steps: stepsOf(p), replace: map[string]Replacement{}, rest: req.Rest}
	if err := out.replacements(req); err != nil {
		return nil, err
	}
	fixtures := map[string]Given{}
	if err := out.inputs(req, p, fixtures); err != nil {
		return nil, err
	}
	out.Spec, out.Hidden, err = edit(p, fixtures)
	if err != nil {
		return nil, err
	}
	for name, given := range fixtures {
		out.replace[normal(fixtureTask(name))] = Replacement{Outputs: map[string]Given{fixtureOutput: given}}
	}
	return out, nil
}

// For returns what stands in for a step, if anything does: by its path, its path without indices of loops, its name, in this order.
func (p *Prepared) For(s *run.Step) (Replacement, bool) {
	for _, key := range []string{normal(s.TaskPath), normal(static(s.TaskPath)), normal(s.TaskName)} {
		if r, ok := p.replace[key]; ok {
			return r.Of(s.Attempt), true
		}
	}
	if p.rest != nil {
		return p.rest.Of(s.Attempt), true
	}
	return Replacement{}, false
}

// normal makes the name of a Python function that of its task.
func normal(key string) string { return strings.ToLower(strings.ReplaceAll(key, "_", "-")) }

// static leaves the indices of iterations out of a path.
func static(path string) string {
	parts := strings.Split(path, "/")
	return strings.Join(slices.DeleteFunc(parts, isIndex), "/")
}

func isIndex(part string) bool { return part != "" && strings.Trim(part, "0123456789") == "" }

// Step is a task of the specification that runs something.
type Step struct {
	// Path is without indices of loops.
	Path string   `json:"path"`
	Name string   `json:"name"`
	Kind run.Kind `json:"kind"`

	component *ir.Component
}

func (l Step) answersTo(key string) bool {
	return key == normal(l.Name) || key == normal(l.Path) || strings.Contains(key, "/") && normal(static(key)) == normal(l.Path)
}

// stepsOf lists the steps of a specification, without the iterations of loops.
func stepsOf(p *ir.Pipeline) []Step {
	out := []Step{}
	var walk func(c *ir.Component, prefix string)
	walk = func(c *ir.Component, prefix string) {
		for _, name := range slices.Sorted(maps.Keys(c.DAG.Tasks)) {
			inner := p.Spec.Component(c.DAG.Tasks[name])
			if inner.DAG != nil {
				walk(inner, prefix+name+"/")
				continue
			}
			kind := run.KindContainer
			if p.Spec.Executor(inner).Importer != nil {
				kind = run.KindImporter
			}
			out = append(out, Step{prefix + name, name, kind, inner})
		}
	}
	if p.Spec.Root.DAG != nil {
		walk(p.Spec.Root, "")
	}
	return out
}

// replacements checks what stands in for steps against what these declare.
func (p *Prepared) replacements(req Request) error {
	for _, key := range slices.Sorted(maps.Keys(req.Replace)) {
		found := false
		for _, l := range p.Steps {
			if !l.answersTo(normal(key)) {
				continue
			}
			found = true
			if err := Check(req.Replace[key], l.component); err != nil {
				return fault.Invalidf("replace %q: %w", key, err)
			}
		}
		if !found {
			return fault.Invalidf("replace %q: the pipeline has no such step; it has: %s", key, pathsOf(p.Steps))
		}
		p.replace[normal(key)] = req.Replace[key]
	}
	if req.Rest == nil {
		return nil
	}
	for _, l := range p.Steps {
		if err := Check(*req.Rest, l.component); err != nil {
			return fault.Invalidf("the rest, which step %s is a part of: %w", l.Path, err)
		}
	}
	return nil
}

func pathsOf(steps []Step) string {
	paths := make([]string, len(steps))
	for i, l := range steps {
		paths[i] = l.Path
	}
	return strings.Join(paths, ", ")
}

// inputs sorts what was given into parameters and fixtures.
func (p *Prepared) inputs(req Request, spec *ir.Pipeline, fixtures map[string]Given) error {
	defs := spec.Spec.Root.InputDefinitions
	if defs == nil {
		defs = &ir.InputDefinitions{}
	}
	for _, name := range slices.Sorted(maps.Keys(req.Inputs)) {
		given := req.Inputs[name]
		if def, ok := defs.Artifacts[name]; ok {
			given, err := checkArtifact(given, def.ArtifactType, def.IsArtifactList)
			if err != nil {
				return fault.Invalidf("input %q: %w", name, err)
			}
			fixtures[name] = given
			continue
		}
		if given.Artifacts != nil {
			return fault.Invalidf("input %q: the pipeline has no such input artifact; it takes: %s", name, describeInputs(defs))
		}
		p.Parameters[name] = given.Value
	}
	for _, name := range slices.Sorted(maps.Keys(defs.Artifacts)) {
		if _, given := fixtures[name]; !given && !defs.Artifacts[name].IsOptional {
			return fault.Invalidf("input %q is missing: give the %s as a path, bytes or artifact(…)", name, defs.Artifacts[name].ArtifactType.SchemaTitle)
		}
	}
	_, err := spec.CheckParameters(p.Parameters)
	return err
}

func describeInputs(defs *ir.InputDefinitions) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(defs.Parameters)) {
		out = append(out, fmt.Sprintf("%s (%s)", name, defs.Parameters[name].ParameterType))
	}
	for _, name := range slices.Sorted(maps.Keys(defs.Artifacts)) {
		out = append(out, fmt.Sprintf("%s (%s)", name, defs.Artifacts[name].ArtifactType.SchemaTitle))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}
