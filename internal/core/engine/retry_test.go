package engine_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// retry starts the run again, and the counts of launches.
func (d *driver) retry() {
	d.t.Helper()
	clear(d.launches)
	if got := d.decide(engine.Retry{}); len(got) == 0 {
		d.t.Fatal("the retry causes no events")
	}
}

func TestARetryDoesWhatDidNotSucceedAndKeepsTheRest(t *testing.T) {
	tests := []struct {
		name, spec string
		broken     []string
		want       map[string]int
	}{
		{"a failed task and what came after it", spec(diamond, ""), []string{"b"}, map[string]int{"b": 1, "d": 1}},
		{
			"one iteration of a loop, and only what is missing in it", spec(`
  dag:
    tasks:
      each:
        componentRef: {name: two}
        parameterIterator: {itemInput: item, items: {raw: '["x", "y", "z"]'}}
        iteratorPolicy: {parallelismLimit: 1}
      after: {componentRef: {name: op}, dependentTasks: [each]}
`, `
  two:
    inputDefinitions: {parameters: {item: {parameterType: STRING}}}
    dag:
      tasks:
        first: {componentRef: {name: op1}, inputs: {parameters: {in: {componentInputParameter: item}}}}
        then: {componentRef: {name: op}, dependentTasks: [first]}
`), []string{"then"}, map[string]int{"each/0/then": 1, "each/1/then": 1, "each/2/then": 1, "after": 1},
		},
		{
			"the exit handler, which is told of the new end", spec(`
  dag:
    tasks:
      body: {componentRef: {name: work}}
      bye:
        componentRef: {name: status}
        dependentTasks: [body]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: body}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
`, `
  work: {dag: {tasks: {a: {componentRef: {name: op}}, b: {componentRef: {name: op}, dependentTasks: [a]}}}}
`), []string{"b"}, map[string]int{"body/b": 1, "bye": 1},
		},
		{
			"nothing below a condition that was false", spec(`
  dag:
    tasks:
      a: {componentRef: {name: op}}
      never:
        componentRef: {name: op1}
        inputs: {parameters: {in: {taskOutputParameter: {producerTask: a, outputParameterKey: out}}}}
        triggerPolicy: {condition: "inputs.parameter_values['in'] == 'other'"}
      anyway: {componentRef: {name: op}, dependentTasks: [never], triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}}
      broken: {componentRef: {name: op}}
`, ""), []string{"broken"}, map[string]int{"broken": 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, tt.spec)
			d.outcome = fail(tt.broken...)
			d.start(nil)
			if got := d.finish(); got != run.Failed {
				t.Fatalf("the first try is %s, want FAILED\n%s", got, d.states())
			}
			d.outcome = succeed
			d.retry()
			if got := d.finish(); got != run.Succeeded {
				t.Errorf("the retried run is %s\n%s", got, d.states())
			}
			if diff := cmp.Diff(tt.want, d.launches); diff != "" {
				t.Errorf("launches of the retry (-want +got):\n%s", diff)
			}
			for path := range tt.want {
				if task := d.task(path); task.State != run.Succeeded || task.Failure != nil {
					t.Errorf("%s is %s, %v", path, task.State, task.Failure)
				}
			}
		})
	}
}

func TestTheExitHandlerOfARetryReadsItsStatus(t *testing.T) {
	d := newDriver(t, spec(`
  dag:
    tasks:
      body: {componentRef: {name: op}}
      bye:
        componentRef: {name: status}
        dependentTasks: [body]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: body}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
`, ""))
	d.outcome = fail("body")
	d.start(nil)
	d.finish()
	d.outcome = succeed
	d.retry()
	d.finish()
	status, _ := d.task("bye").Inputs.Parameters["status"].(map[string]any)
	if status["state"] != "SUCCEEDED" {
		t.Errorf("the exit handler was told %v", status)
	}
}

func TestACancelledRunGoesOnWhereItStood(t *testing.T) {
	d := newDriver(t, spec(diamond, ""))
	d.start(nil)
	d.attempt("a")
	d.decide(engine.Launch{Task: "b"})
	d.decide(engine.Cancel{})
	d.decide(engine.Stopped{Task: "b", Attempt: 1})
	if s, _ := d.state.Status(); s != run.Canceled {
		t.Fatalf("run is %s", s)
	}
	d.retry()
	if s, canceling := d.state.Status(); s != run.Running || canceling {
		t.Fatalf("run is %s, canceling %v", s, canceling)
	}
	if got := d.finish(); got != run.Succeeded {
		t.Errorf("run is %s", got)
	}
	if diff := cmp.Diff(map[string]int{"b": 1, "c": 1, "d": 1}, d.launches); diff != "" {
		t.Errorf("launches (-want +got):\n%s", diff)
	}
	if got := d.task("b").Attempts; got != 2 {
		t.Errorf("b has %d attempts, want 2: attempt numbers must not repeat", got)
	}
	var r run.Run
	d.state.Describe(&r)
	var states []run.State
	for _, h := range r.History {
		states = append(states, h.State)
	}
	want := []run.State{run.Pending, run.Running, run.Canceling, run.Canceled, run.Running, run.Succeeded}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestARetryKeepsTheLimitOfALoop(t *testing.T) {
	d := newDriver(t, spec(loop, loopBody))
	d.outcome = fail("w")
	d.start(nil)
	d.finish()
	d.outcome = succeed
	d.after = func() {
		if n := len(d.state.Due().Ready); n > 2 {
			t.Errorf("%d iterations at once, want at most 2", n)
		}
	}
	d.retry()
	if got := d.finish(); got != run.Succeeded {
		t.Errorf("run is %s\n%s", got, d.states())
	}
}

func TestOnlyARunThatDidNotSucceedCanBeRetried(t *testing.T) {
	d := newDriver(t, spec(diamond, ""))
	refused := func(when string) {
		t.Helper()
		if events, err := d.state.Decide(engine.Retry{}, d.now); fault.KindOf(err) != fault.Conflict || events != nil {
			t.Errorf("%s: a retry gives %v, %v; want a Conflict", when, events, err)
		}
	}
	refused("before it starts")
	d.start(nil)
	refused("while it runs")
	d.finish()
	refused("after it succeeded")
}

// A run that was given up has tasks that are not final: a retry takes up those too.
func TestARunThatWasGivenUpCanBeRetried(t *testing.T) {
	d := newDriver(t, spec(diamond, ""))
	d.start(nil)
	d.attempt("a")
	d.decide(engine.Launch{Task: "b"})
	end, err := engine.Event{Type: engine.RunFinished, At: d.now, State: run.Failed}.Encode(int64(len(d.log) + 1))
	if err != nil {
		t.Fatal(err)
	}
	d.log = append(d.log, end)
	if d.state, err = engine.Replay(d.pipeline, d.log); err != nil {
		t.Fatal(err)
	}
	d.retry()
	if got := d.finish(); got != run.Succeeded {
		t.Errorf("run is %s", got)
	}
	if diff := cmp.Diff(map[string]int{"b": 1, "c": 1, "d": 1}, d.launches); diff != "" {
		t.Errorf("launches (-want +got):\n%s", diff)
	}
}

// keptWhatHadSucceeded checks, from the rows alone, that a retry has not touched a task that need not be done again: one that
// succeeded or was skipped, after nothing but such tasks, in groups of which the same holds or that go on with their members.
func keptWhatHadSucceeded(rt *rapid.T, d *driver, before map[string]run.Task) {
	var kept, reached func(path string) bool
	kept = func(path string) bool {
		s := before[path].State
		return (s == run.Succeeded || s == run.Skipped) && reached(path)
	}
	reached = func(path string) bool {
		t := before[path]
		return !slices.ContainsFunc(t.DependsOn, func(p string) bool { return !kept(p) }) && (t.Parent == "" || reached(t.Parent))
	}
	for path, row := range before {
		if kept(path) {
			if diff := cmp.Diff(row, d.rows[path], cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("the retry changed %q, which was %s (-before +after):\n%s", path, row.State, diff)
			}
		}
	}
}

func attemptsNeverRepeat(rt *rapid.T, d *driver) {
	type attempt struct {
		task   string
		number int
	}
	seen := map[attempt]bool{}
	for _, r := range d.log {
		e, err := engine.DecodeEvent(r)
		if err != nil {
			rt.Fatal(err)
		}
		if e.Type != engine.TaskLaunched {
			continue
		}
		a := attempt{e.Task, e.Attempt}
		if seen[a] {
			rt.Fatalf("attempt %d of %q was launched twice", a.number, a.task)
		}
		seen[a] = true
	}
}
