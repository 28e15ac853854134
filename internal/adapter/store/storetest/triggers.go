package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// Triggers is the part of a store that knows triggers, what happens, and what they made of it.
type Triggers interface {
	CreateTrigger(ctx context.Context, t event.Trigger, marks []event.Mark, limit int) error
	ReplaceTrigger(ctx context.Context, t event.Trigger, marks []event.Mark) error
	NoteTrigger(ctx context.Context, id, failure string) error
	GetTrigger(ctx context.Context, id string) (event.Trigger, error)
	ListTriggers(ctx context.Context, q listing.Query) (listing.Page[event.Trigger], error)
	AllTriggers(ctx context.Context) ([]event.Trigger, error)
	DeleteTrigger(ctx context.Context, id string) error
	EventSignal() <-chan struct{}
	Happened(ctx context.Context, limit int) (events []event.Event, last int64, err error)
	Record(ctx context.Context, firings []event.Firing, upTo int64, window map[string]time.Duration, triggerID string, marks []event.Mark) error
	Unsettled(ctx context.Context, triggerID string) ([]event.Firing, error)
	Begin(ctx context.Context, triggerID string, firings []event.Firing, runID string, cause []string, at time.Time) error
	Settle(ctx context.Context, firings []event.Firing, state event.FiringState, reason string, at time.Time, happened ...event.Event) error
	TriggerRuns(ctx context.Context, triggerID string, limit int) (active int, started []time.Time, err error)
	GetFiring(ctx context.Context, id string) (event.Firing, error)
	LastFirings(ctx context.Context, triggerIDs []string) (map[string]event.Firing, error)
	ListFirings(ctx context.Context, triggerID string, q listing.Query) (listing.Page[event.Firing], error)
	Marks(ctx context.Context, id string) (map[string]string, error)
	LateRuns(ctx context.Context, pipeline string, before time.Time) ([]event.LateRun, error)
	CauseOf(ctx context.Context, runID string) ([]string, error)
}

// TriggerStore is a store with the part of it that is for triggers.
type TriggerStore struct {
	Triggers
	Runs Store
}

// RunTriggers checks that the stores that open returns keep the promises about triggers. Each call of open gives a store with nothing in
// it.
func RunTriggers(t *testing.T, open func(t testing.TB) TriggerStore) {
	for name, test := range map[string]func(*testing.T, TriggerStore){
		"triggers keep what changes, and their names are unique":      triggersRoundTrip,
		"what a trigger remembers is changed and forgotten":           triggerMarks,
		"what happens is noted with it, for triggers of its kind":     happenings,
		"a firing is recorded once, and by its key once in a window":  firingsOnce,
		"what waits is bounded":                                       firingsBounded,
		"a firing goes from waiting to its run, which has its causes": firingsToRuns,
		"the oldest firings of each final state are forgotten":        firingsForgotten,
		"firings are listed, and the newest of each trigger is found": firingsListed,
		"runs that are late are found":                                lateRuns,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func sampleTrigger(n int) event.Trigger {
	line := 0.3
	return event.Trigger{
		ID: fmt.Sprintf("trigger-%d", n), Name: fmt.Sprintf("On Data %d", n), Description: "nightly",
		On:   event.Source{Metric: &event.MetricSource{Experiment: "e", Metric: "m", Above: &line, PollSeconds: 5}},
		When: "event.value > 1.0", Run: run.Submission{PipelineID: "pipe-1", ExperimentID: "exp-1", Parameters: map[string]any{"n": 1.0, "deep": []any{"a", nil}}},
		ParametersFrom: map[string]string{"x": "event.run_id"},
		Policy:         event.Policy{DebounceSeconds: 1, BatchSize: 2, DedupKey: "event.run_id", MaxRuns: 3, MaxConcurrency: 4},
		CreatedAt:      at(n), UpdatedAt: at(n),
	}
}

func sampleFiring(t event.Trigger, n int, state event.FiringState) event.Firing {
	id := fmt.Sprintf("e%05d", n)
	return event.Firing{ID: event.FiringID(t.ID, id), TriggerID: t.ID, State: state, CreatedAt: at(n), UpdatedAt: at(n),
		Event: event.Event{ID: id, Kind: event.Metric, At: at(n), Cause: []string{"other"}, Data: map[string]any{"n": float64(n), "text": "é\u0000"}}}
}

func triggersRoundTrip(t *testing.T, s TriggerStore) {
	ctx := t.Context()
	one, two := sampleTrigger(1), sampleTrigger(2)
	must(t, s.CreateTrigger(ctx, one, nil, 2))
	must(t, s.CreateTrigger(ctx, two, nil, 2))
	same(t, "a trigger", got[event.Trigger](t)(s.GetTrigger(ctx, one.ID)), one)
	wantKind(t, s.CreateTrigger(ctx, sampleTrigger(3), nil, 2), fault.Conflict, "2 triggers")
	taken := sampleTrigger(3)
	taken.Name = two.Name
	wantKind(t, s.CreateTrigger(ctx, taken, nil, 9), fault.Conflict, two.Name)
	taken.ID = one.ID
	wantKind(t, s.ReplaceTrigger(ctx, taken, nil), fault.Conflict, two.Name)
	wantKind(t, s.ReplaceTrigger(ctx, sampleTrigger(9), nil), fault.NotFound, "trigger-9")
	_, err := s.GetTrigger(ctx, "trigger-9")
	wantKind(t, err, fault.NotFound, "trigger-9")
	wantKind(t, s.DeleteTrigger(ctx, "trigger-9"), fault.NotFound, "trigger-9")

	one.Paused, one.UpdatedAt, one.Name, one.When = true, at(5), "renamed", ""
	one.On = event.Source{File: &event.FileSource{Path: "/data"}}
	must(t, s.ReplaceTrigger(ctx, one, nil))
	must(t, s.NoteTrigger(ctx, one.ID, "no such directory"))
	must(t, s.NoteTrigger(ctx, "trigger-9", "gone"))
	one.Failure = "no such directory"
	same(t, "a changed trigger", got[event.Trigger](t)(s.GetTrigger(ctx, one.ID)), one)
	same(t, "all", got[[]event.Trigger](t)(s.AllTriggers(ctx)), []event.Trigger{one, two})
	for name, q := range map[string]listing.Query{
		"newest first":   {},
		"by name":        where("display_name", listing.IsSubstring, "DATA"),
		"by kind":        where("kind", listing.Equals, "metric"),
		"those that run": where("paused", listing.Equals, false),
	} {
		page := got[listing.Page[event.Trigger]](t)(s.ListTriggers(ctx, q))
		want := []event.Trigger{two}
		if name == "newest first" {
			want = []event.Trigger{two, one}
		}
		same(t, name, page.Items, want)
		same(t, "the total "+name, page.Total, len(want))
	}
	must(t, s.DeleteTrigger(ctx, two.ID))
	same(t, "what is left", got[[]event.Trigger](t)(s.AllTriggers(ctx)), []event.Trigger{one})
}

func triggerMarks(t *testing.T, s TriggerStore) {
	ctx := t.Context()
	one := sampleTrigger(1)
	must(t, s.CreateTrigger(ctx, one, []event.Mark{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}, 9))
	marks := func() map[string]string { return got[map[string]string](t)(s.Marks(ctx, one.ID)) }
	same(t, "the first marks", marks(), map[string]string{"a": "1", "b": "2"})
	must(t, s.Record(ctx, nil, 0, nil, one.ID, []event.Mark{{Name: "a", Value: "3"}, {Name: "b"}, {Name: "c", Value: "4"}}))
	same(t, "changed marks", marks(), map[string]string{"a": "3", "c": "4"})
	must(t, s.ReplaceTrigger(ctx, one, nil))
	same(t, "marks after a change of what does not matter to them", len(marks()), 2)
	must(t, s.ReplaceTrigger(ctx, one, []event.Mark{{Name: "d", Value: "5"}}))
	same(t, "marks after it looks elsewhere", marks(), map[string]string{"d": "5"})
	must(t, s.ReplaceTrigger(ctx, one, []event.Mark{}))
	same(t, "no marks", len(marks()), 0)
	must(t, s.DeleteTrigger(ctx, one.ID))
	must(t, s.Record(ctx, nil, 0, nil, one.ID, []event.Mark{{Name: "a", Value: "1"}}))
	same(t, "marks of a trigger that was deleted meanwhile", len(marks()), 0)
}

func happenings(t *testing.T, s TriggerStore) {
	ctx := t.Context()
	ends := func(n int) run.Run {
		r := sampleRun(n)
		r.State = run.Succeeded
		must(t, s.Runs.CreateRun(ctx, r, events(1, 1), nil))
		return r
	}
	happened := func() (list []event.Event, last int64) {
		t.Helper()
		list, last, err := s.Happened(ctx, 10)
		must(t, err)
		return list, last
	}
	ends(1)
	list, _ := happened()
	same(t, "events that no trigger is for", len(list), 0)

	one := sampleTrigger(1)
	one.On = event.Source{Run: &event.RunSource{}}
	must(t, s.CreateTrigger(ctx, one, nil, 9))
	started := sampleRun(2)
	must(t, s.Begin(ctx, one.ID, nil, started.ID, []string{"earlier"}, at(1)))
	r := ends(2)
	select {
	case <-s.EventSignal():
	default:
		t.Error("nobody was told")
	}
	ends(3)
	list, last := happened()
	same(t, "how many events", len(list), 2)
	same(t, "the causes of what a run of the trigger has caused", list[0].Cause, []string{"earlier", one.ID})
	same(t, "the kind", list[0].Kind, event.Run)
	for key, want := range map[string]any{"run_id": r.ID, "state": "SUCCEEDED", "pipeline": "train", "parameters": r.Parameters,
		"task": "train", "reason": "ExitError", "message": "no"} {
		same(t, key, list[0].Data[key], want)
	}
	same(t, "the causes of another run", len(list[1].Cause), 0)
	f := sampleFiring(one, 1, event.Waiting)
	must(t, s.Record(ctx, []event.Firing{f}, last, nil, "", nil))
	list, _ = happened()
	same(t, "events that were handed on", len(list), 0)
	first, _, err := s.Happened(ctx, 1)
	must(t, err)
	same(t, "none", len(first), 0)
}

func firingsOnce(t *testing.T, s TriggerStore) {
	ctx := t.Context()
	one, two := sampleTrigger(1), sampleTrigger(2)
	must(t, s.CreateTrigger(ctx, one, nil, 9))
	must(t, s.CreateTrigger(ctx, two, nil, 9))
	window := map[string]time.Duration{one.ID: 10 * time.Minute, two.ID: 10 * time.Minute}
	record := func(f event.Firing) event.Firing {
		t.Helper()
		must(t, s.Record(ctx, []event.Firing{f}, 0, window, "", nil))
		return got[event.Firing](t)(s.GetFiring(ctx, f.ID))
	}
	keyed := func(tr event.Trigger, n int, key string) event.Firing {
		f := sampleFiring(tr, n, event.Waiting)
		f.Key = key
		return f
	}
	first := keyed(one, 1, "k")
	same(t, "a firing", record(first), first)
	again := first
	again.State, again.Reason = event.Ignored, "again"
	same(t, "a firing that is there", record(again), first)
	within := record(keyed(one, 10, "k"))
	same(t, "one with the key within the window", string(within.State)+" "+within.Reason, "IGNORED it has the same dedup_key as firing "+first.ID)
	same(t, "one with another key", record(keyed(one, 3, "l")).State, event.Waiting)
	same(t, "one of another trigger", record(keyed(two, 3, "k")).State, event.Waiting)
	same(t, "one without a key", record(keyed(one, 4, "")).State, event.Waiting)
	same(t, "one after the window, which what was ignored does not make longer", record(keyed(one, 12, "k")).State, event.Waiting)
	orphan := sampleFiring(sampleTrigger(7), 1, event.Waiting)
	must(t, s.Record(ctx, []event.Firing{orphan}, 0, nil, "", nil))
	_, err := s.GetFiring(ctx, orphan.ID)
	wantKind(t, err, fault.NotFound, orphan.ID)
	must(t, s.DeleteTrigger(ctx, one.ID))
	_, err = s.GetFiring(ctx, first.ID)
	wantKind(t, err, fault.NotFound, first.ID)
}

func firingsBounded(t *testing.T, s TriggerStore) {
	ctx := t.Context()
	one := sampleTrigger(1)
	must(t, s.CreateTrigger(ctx, one, nil, 9))
	all := make([]event.Firing, event.MaxWaiting+1)
	for i := range all {
		all[i] = sampleFiring(one, i, event.Waiting)
	}
	must(t, s.Record(ctx, all, 0, nil, "", nil))
	unsettled := got[[]event.Firing](t)(s.Unsettled(ctx, one.ID))
	same(t, "how many wait", len(unsettled), event.MaxWaiting)
	same(t, "the oldest of them", unsettled[0], all[0])
	last := got[event.Firing](t)(s.GetFiring(ctx, all[event.MaxWaiting].ID))
	same(t, "one too many", string(last.State)+" "+last.Reason, "IGNORED too many events of this trigger wait already")
}

func firingsToRuns(t *testing.T, s TriggerStore) {
	ctx := t.Context()
	one := sampleTrigger(1)
	must(t, s.CreateTrigger(ctx, one, nil, 9))
	all := []event.Firing{sampleFiring(one, 1, event.Waiting), sampleFiring(one, 2, event.Waiting), sampleFiring(one, 3, event.Waiting)}
	must(t, s.Record(ctx, all, 0, nil, "", nil))
	states := func() (out []string) {
		t.Helper()
		for _, f := range all {
			now := got[event.Firing](t)(s.GetFiring(ctx, f.ID))
			out = append(out, fmt.Sprintf("%s %s %s", now.State, now.RunID, now.Reason))
		}
		return out
	}
	r := sampleRun(1)
	must(t, s.Begin(ctx, one.ID, all[:2], r.ID, []string{"before"}, at(5)))
	same(t, "begun", states(), []string{"STARTING " + r.ID + " ", "STARTING " + r.ID + " ", "WAITING  "})
	same(t, "what is not settled", len(got[[]event.Firing](t)(s.Unsettled(ctx, one.ID))), 3)
	same(t, "the causes", got[[]string](t)(s.CauseOf(ctx, r.ID)), []string{"before", one.ID})
	same(t, "the causes of a run that nothing started", len(got[[]string](t)(s.CauseOf(ctx, "run-9"))), 0)
	must(t, s.Runs.CreateRun(ctx, r, nil, nil))
	begun := got[[]event.Firing](t)(s.Unsettled(ctx, one.ID))[:2]
	must(t, s.Settle(ctx, begun, event.Started, "", at(6)))
	active, started, err := s.TriggerRuns(ctx, one.ID, 5)
	must(t, err)
	same(t, "active runs", active, 1)
	same(t, "when they started", started, []time.Time{at(5)})
	must(t, s.Begin(ctx, one.ID, all[2:], "run-refused", nil, at(7)))
	refused := got[[]event.Firing](t)(s.Unsettled(ctx, one.ID))
	must(t, s.Settle(ctx, refused, event.Failed, "no such parameter", at(8)))
	same(t, "settled", states(), []string{"STARTED " + r.ID + " ", "STARTED " + r.ID + " ", "FAILED  no such parameter"})
	same(t, "nothing is left", len(got[[]event.Firing](t)(s.Unsettled(ctx, one.ID))), 0)
	_, started, err = s.TriggerRuns(ctx, one.ID, 5)
	must(t, err)
	same(t, "a run that was refused does not count", started, []time.Time{at(5)})
}

func firingsForgotten(t *testing.T, s TriggerStore) {
	ctx := t.Context()
	one := sampleTrigger(1)
	must(t, s.CreateTrigger(ctx, one, nil, 9))
	const kept, more = 1000, 5
	var all []event.Firing
	for i := range kept + more {
		all = append(all, sampleFiring(one, i, event.Ignored))
	}
	waits := sampleFiring(one, 5000, event.Waiting)
	for part := range slices.Chunk(append([]event.Firing{waits}, all...), 300) {
		must(t, s.Record(ctx, part, 0, nil, "", nil))
	}
	for i, f := range []event.Firing{all[0], all[more-1]} {
		_, err := s.GetFiring(ctx, f.ID)
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("firing %d: %v", i, err)
		}
	}
	got[event.Firing](t)(s.GetFiring(ctx, all[more].ID))
	got[event.Firing](t)(s.GetFiring(ctx, waits.ID))
}

func firingsListed(t *testing.T, s TriggerStore) {
	ctx := t.Context()
	one, two, none := sampleTrigger(1), sampleTrigger(2), sampleTrigger(3)
	for _, tr := range []event.Trigger{one, two, none} {
		must(t, s.CreateTrigger(ctx, tr, nil, 9))
	}
	all := []event.Firing{sampleFiring(one, 1, event.Ignored), sampleFiring(one, 2, event.Waiting), sampleFiring(two, 3, event.Sent)}
	must(t, s.Record(ctx, all, 0, nil, "", nil))
	page := got[listing.Page[event.Firing]](t)(s.ListFirings(ctx, one.ID, listing.Query{}))
	same(t, "newest first", page.Items, []event.Firing{all[1], all[0]})
	page = got[listing.Page[event.Firing]](t)(s.ListFirings(ctx, one.ID, where("state", listing.Equals, "IGNORED")))
	same(t, "by state", page.Items, all[:1])
	_, err := s.ListFirings(ctx, one.ID, listing.Query{PageSize: -1})
	wantKind(t, err, fault.Invalid, "-1")
	last := got[map[string]event.Firing](t)(s.LastFirings(ctx, []string{one.ID, two.ID, none.ID, "gone"}))
	same(t, "the newest of each", last, map[string]event.Firing{one.ID: all[1], two.ID: all[2]})
	same(t, "of none", len(got[map[string]event.Firing](t)(s.LastFirings(ctx, nil))), 0)
}

func lateRuns(t *testing.T, s TriggerStore) {
	ctx := t.Context()
	for n, state := range map[int]run.State{1: run.Running, 2: run.Succeeded, 3: run.Running, 30: run.Pending} {
		r := sampleRun(n)
		r.State = state
		if n == 3 {
			r.PipelineName = "other"
		}
		must(t, s.Runs.CreateRun(ctx, r, nil, nil))
	}
	ids := func(pipeline string) (out []string) {
		t.Helper()
		for _, r := range got[[]event.LateRun](t)(s.LateRuns(ctx, pipeline, at(10))) {
			out = append(out, r.RunID+" "+r.Pipeline+" "+r.Since.Format(time.TimeOnly))
		}
		slices.Sort(out)
		return out
	}
	same(t, "of all pipelines", ids(""), []string{"run-001 train 12:01:00", "run-003 other 12:03:00"})
	same(t, "of one", ids("other"), []string{"run-003 other 12:03:00"})
}
