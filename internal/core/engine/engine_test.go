package engine_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"levada/internal/core/engine"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

func fail(names ...string) func(*run.Step) (run.Values, *run.Failure) {
	return func(step *run.Step) (run.Values, *run.Failure) {
		for _, n := range names {
			if step.TaskName == n {
				return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: n + " broke", ExitCode: 1, Task: step.TaskPath}
			}
		}
		return succeed(step)
	}
}

const diamond = `
  dag:
    tasks:
      a: {componentRef: {name: op}, taskInfo: {name: a}}
      b: {componentRef: {name: op1}, taskInfo: {name: b}, inputs: {parameters: {in: {taskOutputParameter: {producerTask: a, outputParameterKey: out}}}}}
      c: {componentRef: {name: op}, taskInfo: {name: c}, dependentTasks: [a]}
      d: {componentRef: {name: op}, taskInfo: {name: d}, dependentTasks: [b, c]}
`

func TestTasksRunWhenWhatComesBeforeHasSucceeded(t *testing.T) {
	d := newDriver(t, spec(diamond, ""))
	d.start(nil)
	if got := d.state.Due().Ready; !reflect.DeepEqual(got, []string{"a"}) {
		t.Fatalf("ready at first: %v, want only a", got)
	}
	d.attempt("a")
	if got := d.state.Due().Ready; !reflect.DeepEqual(got, []string{"b", "c"}) {
		t.Fatalf("ready after a: %v, want b and c", got)
	}
	if got := d.finish(); got != run.Succeeded {
		t.Errorf("run is %s", got)
	}
	if got := d.task("b").Inputs.Parameters["in"]; got != "a-out" {
		t.Errorf("input of b is %v, want the output of a", got)
	}
}

func TestAFailureSkipsWhatComesAfterAndLetsTheRestFinish(t *testing.T) {
	d := newDriver(t, spec(diamond, ""))
	d.outcome = fail("b")
	d.start(nil)
	if got := d.finish(); got != run.Failed {
		t.Errorf("run is %s", got)
	}
	d.wantStates("a SUCCEEDED\nb FAILED\nc SUCCEEDED\nd SKIPPED")
	var r run.Run
	d.state.Describe(&r)
	if r.Failure == nil || r.Failure.Task != "b" || r.Failure.Message != "b broke" {
		t.Errorf("failure of the run: %+v", r.Failure)
	}
}

func TestRetriesPauseLongerEachTimeAndThenGiveUp(t *testing.T) {
	d := newDriver(t, spec(`
  dag:
    tasks:
      a: {componentRef: {name: op}, retryPolicy: {maxRetryCount: 3, backoffDuration: 10s, backoffFactor: 3, backoffMaxDuration: 60s}}
`, ""))
	d.outcome = fail("a")
	d.start(nil)
	var pauses []time.Duration
	for range 3 {
		d.attempt("a")
		at := d.state.Due().WakeAt
		pauses = append(pauses, at.Sub(d.now))
		d.now = at
		d.decide(engine.Wake{})
	}
	d.attempt("a")
	if diff := cmp.Diff([]time.Duration{10 * time.Second, 30 * time.Second, 60 * time.Second}, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	if got := d.task("a"); got.State != run.Failed || got.Attempts != 4 {
		t.Errorf("a is %s after %d attempts, want FAILED after 4", got.State, got.Attempts)
	}
}

func TestAnExitHandlerRunsAfterAFailureAndIsToldOfIt(t *testing.T) {
	d := newDriver(t, spec(`
  dag:
    tasks:
      body: {componentRef: {name: work}, taskInfo: {name: body}}
      exit:
        componentRef: {name: status}
        taskInfo: {name: exit}
        dependentTasks: [body]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: body}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
`, `
  work: {dag: {tasks: {w: {componentRef: {name: op}}}}}
`))
	d.outcome = fail("w")
	d.start(nil)
	if got := d.finish(); got != run.Failed {
		t.Errorf("run is %s", got)
	}
	d.wantStates("body FAILED\nexit SUCCEEDED\nbody/w FAILED")
	want := map[string]any{
		"state": "FAILED", "pipelineTaskName": "body", "pipelineJobResourceName": "pipe-1",
		"error": map[string]any{"code": 9.0, "message": "w broke"},
	}
	if diff := cmp.Diff(want, d.task("exit").Inputs.Parameters["status"]); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestAFalseConditionSkipsItsGroupAndWhatNeedsIt(t *testing.T) {
	d := newDriver(t, spec(`
  dag:
    tasks:
      a: {componentRef: {name: op}}
      yes:
        componentRef: {name: work}
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: a, outputParameterKey: out}}}}
        triggerPolicy: {condition: "inputs.parameter_values['x'] == 'a-out'"}
      no:
        componentRef: {name: work}
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: a, outputParameterKey: out}}}}
        triggerPolicy: {condition: "!(inputs.parameter_values['x'] == 'a-out')"}
      after: {componentRef: {name: op}, dependentTasks: [no]}
`, `
  work: {inputDefinitions: {parameters: {x: {parameterType: STRING}}}, dag: {tasks: {w: {componentRef: {name: op}}}}}
`))
	d.start(nil)
	if got := d.finish(); got != run.Succeeded {
		t.Errorf("run is %s", got)
	}
	d.wantStates("a SUCCEEDED\nno SKIPPED\nyes SUCCEEDED\nafter SKIPPED\nyes/w SUCCEEDED")
}

const loop = `
  dag:
    tasks:
      each:
        componentRef: {name: body}
        parameterIterator: {itemInput: item, items: {raw: '["x", "y", "z"]'}}
        iteratorPolicy: {parallelismLimit: 2}
      gather:
        componentRef: {name: list}
        inputs: {parameters: {in: {taskOutputParameter: {producerTask: each, outputParameterKey: all}}}}
`
const loopBody = `
  body:
    inputDefinitions: {parameters: {item: {parameterType: STRING}}}
    outputDefinitions: {parameters: {all: {parameterType: LIST}}}
    dag:
      outputs: {parameters: {all: {valueFromParameter: {producerSubtask: w, outputParameterKey: out}}}}
      tasks: {w: {componentRef: {name: op1}, inputs: {parameters: {in: {componentInputParameter: item}}}}}
`

func TestALoopKeepsItsLimitAndCollectsInOrder(t *testing.T) {
	d := newDriver(t, spec(loop, loopBody))
	d.outcome = func(step *run.Step) (run.Values, *run.Failure) {
		out, _ := succeed(step)
		if in, ok := step.Inputs.Parameters["in"].(string); ok {
			out.Parameters["out"] = in + "!"
		}
		return out, nil
	}
	d.after = func() {
		if due := d.state.Due(); len(due.Ready)+len(due.Running) > 2 {
			t.Errorf("%d iterations at once, want at most 2", len(due.Ready)+len(due.Running))
		}
	}
	d.start(nil)
	if got := d.finish(); got != run.Succeeded {
		t.Fatalf("run is %s\n%s", got, d.states())
	}
	if diff := cmp.Diff([]any{"x!", "y!", "z!"}, d.task("gather").Inputs.Parameters["in"]); diff != "" {
		t.Errorf("collected (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"item": "y"}, d.task("each/1").Inputs.Parameters); diff != "" {
		t.Errorf("inputs of an iteration (-want +got):\n%s", diff)
	}
}

// A group that is tried again, with a loop inside whose list may differ each time.
const retriedLoop = `
  dag:
    tasks:
      g: {componentRef: {name: group}, retryPolicy: {maxRetryCount: 3, backoffDuration: 5s}}
      after: {componentRef: {name: op}, dependentTasks: [g]}
`
const retriedGroup = `
  lister: {executorLabel: exec, outputDefinitions: {parameters: {items: {parameterType: LIST}}}}
  group:
    dag:
      tasks:
        items: {componentRef: {name: lister}}
        each:
          componentRef: {name: body}
          inputs: {parameters: {list: {taskOutputParameter: {producerTask: items, outputParameterKey: items}}}}
          parameterIterator: {itemInput: item, items: {inputParameter: list}}
        last: {componentRef: {name: op}, dependentTasks: [each], retryPolicy: {maxRetryCount: 1, backoffDuration: 1s}}
`

func TestWhatAnEarlierTryOfAGroupLeftIsRemoved(t *testing.T) {
	d := newDriver(t, spec(retriedLoop, loopBody+retriedGroup))
	d.outcome = func(step *run.Step) (run.Values, *run.Failure) {
		out, _ := succeed(step)
		if _, ok := out.Parameters["items"]; ok && step.Attempt > 1 {
			out.Parameters["items"] = []any{"only"}
		}
		if step.TaskName == "w" && step.Attempt == 1 && step.Iteration == 2 {
			return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: "once", Task: step.TaskPath}
		}
		return out, nil
	}
	d.start(nil)
	if got := d.finish(); got != run.Succeeded {
		t.Fatalf("run is %s\n%s", got, d.states())
	}
	for path, row := range d.rows {
		if row.State != run.Succeeded {
			t.Errorf("%s is %s although the run succeeded", path, row.State)
		}
	}
	if _, there := d.rows["g/each/2"]; there {
		t.Error("an iteration of the first try is still there")
	}
}

func TestValuesThatComeFromStepsAndUsersAreNotTemplates(t *testing.T) {
	const text = "see {{$.inputs.parameters['secret']}} and {{$.nonsense}}"
	d := newDriver(t, spec(`
  inputDefinitions: {parameters: {text: {parameterType: STRING}, list: {parameterType: LIST}, secret: {parameterType: STRING}}}
  dag:
    tasks:
      a: {componentRef: {name: op1}, inputs: {parameters: {in: {runtimeValue: {runtimeParameter: text}}}}}
      each:
        componentRef: {name: body}
        inputs: {parameters: {list: {componentInputParameter: list}, secret: {componentInputParameter: secret}}}
        parameterIterator: {itemInput: item, items: {inputParameter: list}}
`, loopBody))
	d.start(map[string]any{"text": text, "list": []any{text}, "secret": "hunter2"})
	if got := d.finish(); got != run.Succeeded {
		t.Fatalf("run is %s\n%s", got, d.states())
	}
	for _, path := range []string{"a", "each/0/w"} {
		if got := d.task(path).Inputs.Parameters["in"]; got != text {
			t.Errorf("%s got %q", path, got)
		}
	}
}

func TestAGroupIsTriedAgainWhole(t *testing.T) {
	d := newDriver(t, spec(`
  dag:
    tasks:
      g: {componentRef: {name: work}, retryPolicy: {maxRetryCount: 1, backoffDuration: 5s}}
`, `
  work: {dag: {tasks: {a: {componentRef: {name: op}}, b: {componentRef: {name: op}, dependentTasks: [a]}}}}
`))
	d.outcome = func(step *run.Step) (run.Values, *run.Failure) {
		if step.TaskName == "b" && step.Attempt == 1 {
			return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: "once", Task: step.TaskPath}
		}
		return succeed(step)
	}
	d.start(nil)
	if got := d.finish(); got != run.Succeeded {
		t.Errorf("run is %s", got)
	}
	if diff := cmp.Diff(map[string]int{"g/a": 2, "g/b": 2}, d.launches); diff != "" {
		t.Errorf("launches (-want +got):\n%s", diff)
	}
	if got := d.task("g/b"); got.Attempts != 2 {
		t.Errorf("b has %d attempts, want 2: attempt numbers must not repeat", got.Attempts)
	}
}

func TestCancelStopsWhatRunsAndStartsNothingMore(t *testing.T) {
	d := newDriver(t, spec(diamond, ""))
	d.start(nil)
	d.attempt("a")
	d.decide(engine.Launch{Task: "b"})
	d.decide(engine.Cancel{})
	if s, canceling := d.state.Status(); s != run.Canceling || !canceling {
		t.Fatalf("run is %s", s)
	}
	if got := d.decide(engine.Launch{Task: "c"}); got != nil {
		t.Errorf("launch after cancel caused %v", got)
	}
	d.decide(engine.Stopped{Task: "b", Attempt: 1})
	if s, _ := d.state.Status(); s != run.Canceled {
		t.Errorf("run is %s", s)
	}
	d.wantStates("a SUCCEEDED\nb CANCELED\nc CANCELED\nd CANCELED")
}

func TestALateReportOfAnEarlierAttemptIsIgnored(t *testing.T) {
	d := newDriver(t, spec(diamond, ""))
	d.start(nil)
	d.decide(engine.Launch{Task: "a"})
	d.decide(engine.Lost{Task: "a", Attempt: 1})
	d.decide(engine.Launch{Task: "a"})
	if got := d.decide(engine.Succeeded{Task: "a", Attempt: 1}); got != nil {
		t.Errorf("a report of attempt 1 caused %v while attempt 2 runs", got)
	}
	if got := d.task("a"); got.State != run.Running || got.Attempts != 2 {
		t.Errorf("a is %s in attempt %d", got.State, got.Attempts)
	}
}

func TestPlaceholdersInInputsAreFilledIn(t *testing.T) {
	d := newDriver(t, spec(`
  inputDefinitions: {parameters: {who: {parameterType: STRING, defaultValue: you}}}
  dag:
    tasks:
      a:
        componentRef: {name: op1}
        taskInfo: {name: greet}
        inputs:
          parameters:
            pipelinechannel--who: {componentInputParameter: who}
            in: {runtimeValue: {constant: "hello {{$.inputs.parameters['pipelinechannel--who']}} from {{$.pipeline_task_name}} of {{$.pipeline_job_resource_name}}"}}
`, ""))
	d.start(map[string]any{"who": "{{$.pipeline_job_uuid}}"})
	d.finish()
	want := "hello {{$.pipeline_job_uuid}} from greet of pipe-1"
	if got := d.task("a").Inputs.Parameters["in"]; got != want {
		t.Errorf("got %q, want %q: replaced text must not be expanded again", got, want)
	}
}

// Every pipeline of the corpus, driven in random order with random failures, crashes and cancels, ends; and at every moment its
// log gives back its state.
func TestAnyPipelineEndsAndItsLogGivesBackItsState(t *testing.T) {
	files, err := filepath.Glob("../../../../shared/conformance/kfp/valid/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := filepath.Glob("../../../test/pipelines/compiled/*.yaml")
	if err != nil || len(ours) == 0 {
		t.Fatal(ours, err)
	}
	files = append(files, ours...)
	specs := []string{spec(diamond, ""), spec(loop, loopBody), spec(retriedLoop, loopBody+retriedGroup)}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		specs = append(specs, string(b))
	}
	rapid.Check(t, func(rt *rapid.T) {
		d := newDriver(t, rapid.SampledFrom(specs).Draw(rt, "spec"))
		d.start(anyParameters(d.pipeline))
		playToTheEnd(rt, d)
		for range rapid.IntRange(0, 2).Draw(rt, "retries") {
			if s, _ := d.state.Status(); s == run.Succeeded {
				break
			}
			before := maps.Clone(d.rows)
			d.decide(engine.Retry{})
			keptWhatHadSucceeded(rt, d, before)
			playToTheEnd(rt, d)
		}
		attemptsNeverRepeat(rt, d)
		again, err := engine.Replay(d.pipeline, d.log)
		if err != nil {
			rt.Fatal(err)
		}
		var a, b run.Run
		d.state.Describe(&a)
		again.Describe(&b)
		if diff := cmp.Diff(a, b, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("replay differs (-state +replay):\n%s", diff)
		}
		replayed := map[string]run.Task{}
		for _, task := range again.TakeChanged() {
			replayed[task.Path] = task
		}
		if diff := cmp.Diff(d.rows, replayed, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("the rows that were stored on the way differ from the log's (-rows +replay):\n%s", diff)
		}
		for _, task := range replayed {
			if !task.State.Final() {
				rt.Errorf("the run is %s but task %q is %s", a.State, task.Path, task.State)
			}
		}
	})
}

func playToTheEnd(rt *rapid.T, d *driver) {
	for range 2000 {
		if s, _ := d.state.Status(); s.Final() {
			return
		}
		randomStep(rt, d)
	}
	rt.Fatalf("the run does not end:\n%s", d.states())
}

func randomStep(rt *rapid.T, d *driver) {
	due := d.state.Due()
	d.now = d.now.Add(time.Second)
	if rapid.IntRange(0, 60).Draw(rt, "chaos") == 0 {
		if rapid.Bool().Draw(rt, "cancel") {
			d.decide(engine.Cancel{})
			return
		}
		s, err := engine.Replay(d.pipeline, d.log)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(due, s.Due()); diff != "" {
			rt.Fatalf("what is due differs after a replay (-state +replay):\n%s", diff)
		}
		s.TakeChanged()
		s.TakeRemoved()
		d.state = s
		return
	}
	switch {
	case len(due.Ready) > 0 && (len(due.Running) == 0 || rapid.Bool().Draw(rt, "launch")):
		task := rapid.SampledFrom(due.Ready).Draw(rt, "ready")
		out, _ := succeed(d.state.Step(task))
		if rapid.IntRange(0, 4).Draw(rt, "cached") == 0 {
			d.decide(engine.Cached{Task: task, From: "earlier", Outputs: out})
		} else {
			d.decide(engine.Launch{Task: task, Key: "key"})
		}
	case len(due.Running) > 0:
		task := rapid.SampledFrom(due.Running).Draw(rt, "running")
		step := d.state.Step(task)
		out, _ := succeed(step)
		switch rapid.IntRange(0, 9).Draw(rt, "how") {
		case 0:
			d.decide(engine.Failed{Task: task, Attempt: step.Attempt, Failure: run.Failure{Reason: run.ReasonExit, Message: "x"}})
		case 1:
			d.decide(engine.Lost{Task: task, Attempt: step.Attempt})
		case 2:
			if _, canceling := d.state.Status(); canceling {
				d.decide(engine.Stopped{Task: task, Attempt: step.Attempt})
			}
		default:
			d.decide(engine.Succeeded{Task: task, Attempt: step.Attempt, Outputs: out})
		}
	case !due.WakeAt.IsZero():
		d.now = due.WakeAt
		d.decide(engine.Wake{})
	default:
		rt.Fatalf("the run is stuck:\n%s", d.states())
	}
}

func anyParameters(p *ir.Pipeline) map[string]any {
	out := map[string]any{}
	for k, d := range p.Spec.Root.InputDefinitions.Parameters {
		if _, has := d.Default(); has || d.IsOptional {
			continue
		}
		out[k] = map[ir.ParameterType]any{
			ir.String: "s", ir.NumberInteger: 2.0, ir.NumberDouble: 0.5, ir.Boolean: true, ir.List: []any{"a"}, ir.Struct: map[string]any{},
		}[d.ParameterType]
	}
	return out
}
