package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/engine"
	"levada/internal/core/run"
)

func TestATaskTellsWhenItWasReadyAndWhenItStarted(t *testing.T) {
	d := newDriver(t, spec(diamond, ""))
	d.start(nil)
	d.now = d.now.Add(5 * time.Second)
	d.decide(engine.Launch{Task: "a"})
	d.now = d.now.Add(20 * time.Second)
	d.decide(engine.Succeeded{Task: "a", Attempt: 1, Outputs: mustSucceed(d, "a")})
	a, b := d.task("a"), d.task("b")
	got := []*time.Time{a.ReadyAt, a.StartedAt, a.FinishedAt, b.ReadyAt, b.StartedAt}
	want := []*time.Time{at(0), at(5), at(25), at(25), nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	if a.Tries != nil {
		t.Errorf("one attempt is told twice: %v", a.Tries)
	}
}

func TestEachAttemptHasItsOwnTimes(t *testing.T) {
	d := newDriver(t, spec(`
  dag:
    tasks:
      a: {componentRef: {name: op}, retryPolicy: {maxRetryCount: 1, backoffDuration: 10s}}
`, ""))
	d.start(nil)
	d.now = d.now.Add(time.Second)
	d.decide(engine.Launch{Task: "a"})
	d.now = d.now.Add(time.Second)
	d.decide(engine.Failed{Task: "a", Attempt: 1, Failure: run.Failure{Reason: run.ReasonExit, Message: "no"}})
	first := run.Try{Attempt: 1, ReadyAt: *at(0), StartedAt: *at(1), FinishedAt: at(2), Reason: run.ReasonExit}
	if diff := cmp.Diff([]run.Try{first}, d.task("a").Tries); diff != "" {
		t.Errorf("while it waits for the second attempt (-want +got):\n%s", diff)
	}
	d.now = d.now.Add(10 * time.Second)
	d.decide(engine.Wake{})
	d.now = d.now.Add(3 * time.Second)
	d.decide(engine.Launch{Task: "a"})
	d.decide(engine.Lost{Task: "a", Attempt: 2, Failure: run.Failure{Reason: run.ReasonLost, Message: "gone"}})
	d.now = d.now.Add(time.Second)
	d.decide(engine.Launch{Task: "a"})
	d.now = d.now.Add(time.Second)
	d.decide(engine.Succeeded{Task: "a", Attempt: 3, Outputs: mustSucceed(d, "a")})
	want := []run.Try{
		first,
		{Attempt: 2, ReadyAt: *at(12), StartedAt: *at(15), FinishedAt: at(15), Reason: run.ReasonLost},
		{Attempt: 3, ReadyAt: *at(15), StartedAt: *at(16), FinishedAt: at(17)},
	}
	a := d.task("a")
	if diff := cmp.Diff(want, a.Tries); diff != "" {
		t.Errorf("tries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]*time.Time{at(0), at(1), at(17)}, []*time.Time{a.ReadyAt, a.StartedAt, a.FinishedAt}); diff != "" {
		t.Errorf("times of the task (-want +got):\n%s", diff)
	}
}

// at is a time after the start of the run.
func at(seconds int) *time.Time {
	t := start.Add(time.Duration(seconds) * time.Second)
	return &t
}

func mustSucceed(d *driver, task string) run.Values {
	out, _ := succeed(d.state.Step(task))
	return out
}
