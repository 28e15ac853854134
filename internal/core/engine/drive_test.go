package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/engine"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// driver plays the outside world for an engine: it launches what is ready and reports what outcome says.
type driver struct {
	t        *testing.T
	pipeline *ir.Pipeline
	state    *engine.State
	now      time.Time
	log      []run.Event
	launches map[string]int
	// rows are the tasks as a store would hold them.
	rows map[string]run.Task
	// outcome returns the outputs of an attempt, or a failure.
	outcome func(step *run.Step) (run.Values, *run.Failure)
	// after is called after each decision.
	after func()
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newDriver(t *testing.T, spec string) *driver {
	t.Helper()
	p, err := ir.Parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	return &driver{t: t, pipeline: p, state: engine.New(p), now: start, launches: map[string]int{}, rows: map[string]run.Task{}, outcome: succeed}
}

// succeed gives each declared output a plausible value.
func succeed(step *run.Step) (run.Values, *run.Failure) {
	out := run.Values{Parameters: map[string]any{}, Artifacts: map[string][]run.Artifact{}}
	for k, d := range step.Component.OutputDefinitions.Parameters {
		out.Parameters[k] = map[ir.ParameterType]any{
			ir.String: step.TaskName + "-" + k, ir.NumberInteger: 1.0, ir.NumberDouble: 1.5, ir.Boolean: true,
			ir.List: []any{"a", "b", "c"}, ir.Struct: map[string]any{"A": 1.0},
		}[d.ParameterType]
	}
	for k := range step.Component.OutputDefinitions.Artifacts {
		out.Artifacts[k] = []run.Artifact{{Name: k, ID: run.ArtifactID(step.TaskID, k, 0), URI: "levada://" + step.TaskPath + "/" + k}}
	}
	return out, nil
}

func (d *driver) decide(c engine.Command) []engine.Event {
	d.t.Helper()
	events, err := d.state.Decide(c, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range events {
		r, err := e.Encode(int64(len(d.log) + 1))
		if err != nil {
			d.t.Fatal(err)
		}
		d.log = append(d.log, r)
	}
	for _, path := range d.state.TakeRemoved() {
		delete(d.rows, path)
	}
	for _, t := range d.state.TakeChanged() {
		d.rows[t.Path] = t
	}
	if d.after != nil {
		d.after()
	}
	return events
}

func (d *driver) start(params map[string]any) {
	d.t.Helper()
	p, err := d.pipeline.CheckParameters(params)
	if err != nil {
		d.t.Fatal(err)
	}
	d.decide(engine.Start{Parameters: p, Job: run.Job{
		RunID: "11111111-1111-1111-1111-111111111111", ResourceName: "pipe-1", CreatedAt: start, ScheduledAt: start,
	}})
}

// finish runs everything until the run is final and returns its state.
func (d *driver) finish() run.State {
	d.t.Helper()
	for range 100_000 {
		if s, _ := d.state.Status(); s.Final() {
			return s
		}
		due := d.state.Due()
		switch {
		case len(due.Ready) > 0:
			d.attempt(due.Ready[0])
		case !due.WakeAt.IsZero():
			d.now = due.WakeAt
			d.decide(engine.Wake{})
		default:
			d.t.Fatalf("the run is stuck: nothing is due, and it is not final\n%s", d.states())
		}
	}
	d.t.Fatal("the run does not end")
	return ""
}

func (d *driver) attempt(task string) {
	d.t.Helper()
	d.now = d.now.Add(time.Second)
	d.decide(engine.Launch{Task: task, Key: "key"})
	step := d.state.Step(task)
	d.launches[task]++
	d.now = d.now.Add(time.Second)
	out, failure := d.outcome(step)
	if failure != nil {
		d.decide(engine.Failed{Task: task, Attempt: step.Attempt, Failure: *failure})
		return
	}
	d.decide(engine.Succeeded{Task: task, Attempt: step.Attempt, Outputs: out})
}

// states renders the newest state of each task, one per line, in order of creation.
func (d *driver) states() string {
	d.t.Helper()
	s, err := engine.Replay(d.pipeline, d.log)
	if err != nil {
		d.t.Fatal(err)
	}
	var b strings.Builder
	for _, t := range s.TakeChanged() {
		fmt.Fprintf(&b, "%s %s\n", t.Path, t.State)
	}
	return b.String()
}

func (d *driver) task(path string) run.Task {
	d.t.Helper()
	s, err := engine.Replay(d.pipeline, d.log)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, t := range s.TakeChanged() {
		if t.Path == path {
			return t
		}
	}
	d.t.Fatalf("no task %q", path)
	return run.Task{}
}

func (d *driver) wantStates(want string) {
	d.t.Helper()
	if diff := cmp.Diff(strings.TrimSpace(strings.ReplaceAll(want, "\t", "")), strings.TrimSpace(d.states())); diff != "" {
		d.t.Errorf("states (-want +got):\n%s", diff)
	}
}

// spec builds a pipeline whose leaves are all of the component "op": any number of inputs, output parameter "out".
func spec(root, components string) string {
	return `
schemaVersion: 2.1.0
pipelineInfo: {name: pipe}
deploymentSpec: {executors: {exec: {container: {image: x, command: [run]}}, set: {container: {image: x, command: [run]}}}}
components:
  op: {executorLabel: exec, outputDefinitions: {parameters: {out: {parameterType: STRING}}}}
  op1:
    executorLabel: exec
    inputDefinitions: {parameters: {in: {parameterType: STRING}}}
    outputDefinitions: {parameters: {out: {parameterType: STRING}}, artifacts: {file: {artifactType: {schemaTitle: system.Artifact}}}}
  list:
    executorLabel: exec
    inputDefinitions: {parameters: {in: {parameterType: LIST}}}
  status:
    executorLabel: exec
    inputDefinitions: {parameters: {status: {parameterType: TASK_FINAL_STATUS, isOptional: true}}}
` + components + `
root:
` + root
}
