package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/run"
)

func TestASourceMatchesItsEventsOnly(t *testing.T) {
	artifact := event.Event{Kind: event.Artifact, Data: map[string]any{"name": "report", "type": "system.Metrics", "pipeline": "monitor"}}
	ended := event.Event{Kind: event.Run, Data: map[string]any{"pipeline": "train", "state": "FAILED"}}
	refused := event.Refusal{Run: run.Submission{ID: "r", PipelineName: "train"}, Reason: "no such pipeline", ToDo: "Upload it"}.Event()
	nameless := event.Refusal{Run: run.Submission{ID: "r"}}.Event()
	alias := event.Event{Kind: event.Registry, Data: map[string]any{"change": "alias_set", "model": "taxi", "alias": "champion", "to": ""}}
	for name, tc := range map[string]struct {
		source event.Source
		event  event.Event
		want   bool
	}{
		"any artifact":                    {event.Source{Artifact: &event.ArtifactSource{}}, artifact, true},
		"of a name and type":              {event.Source{Artifact: &event.ArtifactSource{Name: "report", Type: "system.Metrics"}}, artifact, true},
		"of another type":                 {event.Source{Artifact: &event.ArtifactSource{Name: "report", Type: "system.Model"}}, artifact, false},
		"of another kind":                 {event.Source{Run: &event.RunSource{}}, artifact, false},
		"a success":                       {event.Source{Run: &event.RunSource{Pipeline: "train"}}, ended, false},
		"a failure":                       {event.Source{Run: &event.RunSource{Pipeline: "train", States: []run.State{run.Failed}}}, ended, true},
		"a refusal is no run that failed": {event.Source{Run: &event.RunSource{States: []run.State{run.Failed}}}, refused, false},
		"a refusal":                       {event.Source{Run: &event.RunSource{Pipeline: "train", States: []run.State{event.Refused}}}, refused, true},
		"a refusal of another pipeline":   {event.Source{Run: &event.RunSource{Pipeline: "other", States: []run.State{event.Refused}}}, refused, false},
		"a refusal of who knows what":     {event.Source{Run: &event.RunSource{Pipeline: "train", States: []run.State{event.Refused}}}, nameless, false},
		"and of all":                      {event.Source{Run: &event.RunSource{States: []run.State{event.Refused}}}, nameless, true},
		"an alias":                        {event.Source{Registry: &event.RegistrySource{Alias: "champion", Changes: []model.ChangeKind{model.AliasSet}}}, alias, true},
		"its removal":                     {event.Source{Registry: &event.RegistrySource{Alias: "champion", Changes: []model.ChangeKind{model.AliasRemoved}}}, alias, false},
		"a stage":                         {event.Source{Registry: &event.RegistrySource{Stage: "Production"}}, alias, false},
	} {
		if got := (event.Trigger{On: tc.source}).Hears(tc.event); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// at are moments in seconds.
func at(seconds ...int) []time.Time {
	out := make([]time.Time, len(seconds))
	for i, s := range seconds {
		out[i] = time.Unix(int64(s), 0)
	}
	return out
}

func TestEventsThatWaitMakeARunWhenTheirGroupHasClosed(t *testing.T) {
	many := make([]int, 2000)
	for name, tc := range map[string]struct {
		policy  event.Policy
		waiting []int
		now     int
		n, look int // look 0 for never
	}{
		"nothing waits":                     {event.Policy{DebounceSeconds: 10}, nil, 5, 0, 0},
		"each for itself":                   {event.Policy{}, []int{1, 2}, 2, 1, 0},
		"not quiet yet":                     {event.Policy{DebounceSeconds: 10}, []int{0, 5}, 14, 0, 15},
		"quiet":                             {event.Policy{DebounceSeconds: 10}, []int{0, 5}, 15, 2, 0},
		"quiet in between, noticed later":   {event.Policy{DebounceSeconds: 10}, []int{0, 5, 30}, 31, 2, 0},
		"never quiet, but long enough":      {event.Policy{DebounceSeconds: 10, BatchSeconds: 20}, []int{0, 6, 12, 18, 24}, 25, 4, 0},
		"not enough of them":                {event.Policy{BatchSize: 3}, []int{0, 1}, 100, 0, 0},
		"enough of them":                    {event.Policy{BatchSize: 3}, []int{0, 1, 2, 3}, 3, 3, 0},
		"not enough, but for long":          {event.Policy{BatchSize: 3, BatchSeconds: 60}, []int{0, 1}, 60, 2, 0},
		"more than one run can be for":      {event.Policy{DebounceSeconds: 10}, many, 100, event.MaxBatch, 0},
		"what came after the first closing": {event.Policy{BatchSeconds: 10}, []int{0, 9, 10}, 10, 2, 0},
	} {
		n, look := tc.policy.Ready(at(tc.waiting...), time.Unix(int64(tc.now), 0))
		got := 0
		if !look.IsZero() {
			got = int(look.Unix())
		}
		if n != tc.n || got != tc.look {
			t.Errorf("%s: %d, look at %d; want %d, %d", name, n, got, tc.n, tc.look)
		}
	}
}

func TestExpressionsSeeTheNewestEventAndAll(t *testing.T) {
	rules, err := event.Compile(event.Trigger{ID: "t", Name: "n", On: event.Source{File: &event.FileSource{Path: "/data"}},
		Run: run.Submission{Parameters: map[string]any{"fixed": "x"}}, Policy: event.Policy{DedupKey: "event.size"},
		ParametersFrom: map[string]string{"last": "event.name", "all": "events.map(e, e.name)", "sum": "events.map(e, double(e.size)).size()",
			"read": `parseJson('{"a": [1, 2]}').a`}})
	if err != nil {
		t.Fatal(err)
	}
	one := func(name string, size float64) event.Event {
		return event.Event{ID: name, Kind: event.File, Data: map[string]any{"name": name, "size": size}}
	}
	got, err := rules.Parameters([]event.Event{one("a", 1), one("b", 2.5)})
	want := map[string]any{"fixed": "x", "last": "b", "all": []any{"a", "b"}, "sum": 2.0, "read": []any{1.0, 2.0}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
	if key, err := rules.Key(one("b", 2.5)); err != nil || key != "2.5" {
		t.Errorf("the key is %q, %v", key, err)
	}
	if _, err := rules.Parameters([]event.Event{{ID: "x"}}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "parameters_from.") {
		t.Errorf("a field that is missing: %v", err)
	}
	if wanted, why := rules.Wants(event.Event{Cause: []string{"other", "t"}}); wanted || !strings.Contains(why, "for ever") {
		t.Errorf("an event that the trigger caused: %v, %q", wanted, why)
	}
}

func TestIDsAreTheSameForTheSameEventAndNoOther(t *testing.T) {
	ids := map[string]bool{}
	for _, id := range []string{event.RunID("t", "a"), event.RunID("t", "b"), event.RunID("u", "a"), event.FiringID("t", "a"), event.RunID("t", "a")} {
		ids[id] = true
	}
	if len(ids) != 4 {
		t.Errorf("%v", ids)
	}
}

func TestAPlaceIsOfTheMachineOrInABucket(t *testing.T) {
	for place, want := range map[string]string{
		"/data": "", "/data/*.csv": "", "s3://bucket": "", "s3://my-bucket.eu/": "", "s3://bucket/a b/*.csv": "", "s3://bucket/day-[0-9].csv": "",
		"data": "absolute path", "": "absolute path", "http://host/x": "absolute path", "gs://bucket/x": "AWS_ENDPOINT_URL_S3=https://storage.googleapis.com",
		"s3://": "no name of a bucket", "s3:///x": "no name of a bucket", "s3://Bucket/x": "no name of a bucket", "s3://*/x": "no name of a bucket",
		"s3://u:p@host/x": "no name of a bucket", "/data/[": "syntax error", "s3://bucket/[": "syntax error", "/a\x00b": "NUL", "s3://bucket/" + strings.Repeat("k", 1025): "1025 bytes",
	} {
		err := event.CheckPlace(place)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Invalid) {
			t.Errorf("%q: %v, want an error with %q", place, err, want)
		}
	}
	for file, want := range map[string]string{"/a/b.csv": "/a", "s3://bucket/a/b.csv": "s3://bucket/a", "s3://bucket/b.csv": "s3://bucket"} {
		if got := event.Directory(file); got != want {
			t.Errorf("the directory of %s is %s, want %s", file, got, want)
		}
	}
	if a, b := (event.FileSource{Path: "s3://b"}).Poll(), (event.FileSource{Path: "/b"}).Poll(); a != time.Minute || b != 10*time.Second {
		t.Errorf("they are looked at every %s and %s", a, b)
	}
}

func TestWhoIsToldOfFailedRunsIsToldOfRefusedOnesWithWhatToDo(t *testing.T) {
	refused := event.Refusal{Run: run.Submission{ID: "r", DisplayName: "nightly 3", PipelineName: "train"}, TriggerID: "t1", Cause: []string{"t0"},
		Reason: "there is no such pipeline", ToDo: "Upload it again"}.Event()
	told := event.Trigger{Name: "failures", On: event.Source{Run: &event.RunSource{Pipeline: "train", States: []run.State{run.Failed}}},
		Notify: &event.Notify{Slack: &event.SecretKey{Secret: "slack"}}}
	if !told.Hears(refused) {
		t.Error("it does not hear of it")
	}
	told.On.Run.States = nil
	if told.Hears(refused) {
		t.Error("who is told of what succeeded hears of what was refused")
	}
	rules, err := event.Compile(told)
	if err != nil {
		t.Fatal(err)
	}
	m, err := rules.Message("id", []event.Event{refused})
	if want := "failures: run nightly 3 of train was not started: there is no such pipeline. Upload it again"; err != nil || m.Text != want {
		t.Errorf("the message is %q, %v; want %q", m.Text, err, want)
	}
	if diff := cmp.Diff([]string{"t0", "t1"}, refused.Cause); diff != "" {
		t.Errorf("the triggers that have led to it (-want +got):\n%s", diff)
	}
}
