package trigger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	core "levada/internal/core/webhook"
)

func TestAWebhookMustBeSignedNewAndFiresOnce(t *testing.T) {
	fielded(t, func(f *field) {
		made := f.create(func(t *event.Trigger) {
			t.On = event.Source{Webhook: &event.WebhookSource{Secret: "partner"}}
			t.ParametersFrom = map[string]string{"day": "event.body.day"}
		})
		body := []byte(`{"day": "2013-04-01"}`)
		signed := func(id string, at time.Time, secret string) event.Signed {
			ts := fmt.Sprint(at.Unix())
			return event.Signed{ID: id, Timestamp: ts, Signature: "v1,old " + core.Signature([]byte(secret), id, ts, body), Body: body}
		}
		good := signed("d1", time.Now(), "a shared secret")
		forged := good
		forged.Body = []byte(`{"day": "1999-01-01"}`)
		for name, r := range map[string]event.Signed{
			"another secret": signed("d2", time.Now(), "guessed"), "too old": signed("d3", time.Now().Add(-6*time.Minute), "a shared secret"),
			"from the future": signed("d4", time.Now().Add(6*time.Minute), "a shared secret"), "another body": forged, "nothing": {Body: body},
		} {
			var refused *event.SignatureError
			if _, err := f.svc.Receive(f.t.Context(), made.ID, r); !errors.As(err, &refused) {
				t.Errorf("%s: %v", name, err)
			}
		}
		f.want("day")
		for range 2 {
			if got, err := f.svc.Receive(f.t.Context(), made.ID, good); err != nil || got.State != event.Started {
				t.Errorf("%+v, %v", got, err)
			}
		}
		f.want("day", "2013-04-01")
	})
}

// A secret that a partner's tool reads as text, as MLflow does, is one whatever it begins with.
func TestAWebhookMayBeSignedWithTheTextOfASecretThatLooksLikeAKey(t *testing.T) {
	fielded(t, func(f *field) {
		for i, c := range []struct{ secret, key string }{
			{"whsec_c2VjcmV0", "secret"}, {"whsec_c2VjcmV0", "whsec_c2VjcmV0"}, {"whsec_my-word", "whsec_my-word"},
		} {
			f.secret = c.secret
			f.end()
			f.open()
			made := f.create(func(t *event.Trigger) {
				t.Name, t.On = fmt.Sprint("hook ", i), event.Source{Webhook: &event.WebhookSource{Secret: "partner"}}
				t.ParametersFrom = map[string]string{"day": "event.body"}
			})
			at := fmt.Sprint(time.Now().Unix())
			r := event.Signed{ID: "d", Timestamp: at, Body: []byte(`"x"`), Signature: core.Signature([]byte(c.key), "d", at, []byte(`"x"`))}
			if got, err := f.svc.Receive(f.t.Context(), made.ID, r); err != nil || got.State != event.Started {
				t.Errorf("%s signed with %s: %+v, %v", c.secret, c.key, got, err)
			}
			r.Signature = core.Signature([]byte("guessed"), "d", at, r.Body)
			var refused *event.SignatureError
			if _, err := f.svc.Receive(f.t.Context(), made.ID, r); !errors.As(err, &refused) {
				t.Errorf("%s, a forged signature: %v", c.secret, err)
			}
		}
	})
}

// finished puts a run into the store that has ended.
func (f *field) finished(id, pipeline string, state run.State) {
	f.t.Helper()
	at := time.Now()
	r := run.Run{ID: id, PipelineName: pipeline, State: state, CreatedAt: at, FinishedAt: &at, ExperimentID: "exp-1"}
	if err := f.store.CreateRun(f.t.Context(), r, []run.Event{{Seq: 1, At: at}}, nil); err != nil {
		f.t.Fatal(err)
	}
}

func TestTheEndOfARunStartsAnotherOneButNeverOneOfATriggerThatCausedIt(t *testing.T) {
	fielded(t, func(f *field) {
		on := func(name, pipeline string) event.Trigger {
			return f.create(func(t *event.Trigger) {
				t.Name, t.On = name, event.Source{Run: &event.RunSource{Pipeline: pipeline}}
				t.ParametersFrom = map[string]string{"after": "event.pipeline"}
			})
		}
		first, second := on("first", "a"), on("second", "b")
		f.finished("failed", "a", run.Failed)
		f.finished("r1", "a", run.Succeeded)
		pass(time.Second)
		f.want("after", "a")
		f.finished(f.runs.started[0].ID, "b", run.Succeeded)
		pass(time.Second)
		f.want("after", "a", "b")
		f.finished(f.runs.started[1].ID, "a", run.Succeeded)
		pass(time.Second)
		f.want("after", "a", "b")
		if got := f.states(first.ID); len(got) != 2 || !strings.Contains(got[1], "go on for ever") {
			t.Errorf("firings of the first: %q", got)
		}
		if got := f.states(second.ID); len(got) != 1 {
			t.Errorf("firings of the second: %q", got)
		}
	})
}

func TestATriggerIsRefusedWhole(t *testing.T) {
	fielded(t, func(f *field) {
		for want, change := range map[string]func(*event.Trigger){
			"names 0 sources":  func(t *event.Trigger) { t.On = event.Source{} },
			"names 2 sources":  func(t *event.Trigger) { t.On.Run = &event.RunSource{} },
			"absolute path":    func(t *event.Trigger) { t.On.File.Path = "data/*.csv" },
			"when: expression": func(t *event.Trigger) { t.When = "event.size >" },
			"undeclared":       func(t *event.Trigger) { t.When = "evnt.size > 1.0" },
			"true or false":    func(t *event.Trigger) { t.When = "string(event.size)" },
			"both give":        func(t *event.Trigger) { t.ParametersFrom = map[string]string{"fixed": "1"} },
			"a specification":  func(t *event.Trigger) { t.Run = run.Submission{} },
			"above or below":   func(t *event.Trigger) { t.On = event.Source{Metric: &event.MetricSource{Experiment: "e", Metric: "m"}} },
			"batch_seconds":    func(t *event.Trigger) { t.BatchSeconds = -1 },
			"final states":     func(t *event.Trigger) { t.On = event.Source{Run: &event.RunSource{States: []run.State{run.Running}}} },
		} {
			tr := event.Trigger{Name: "x", On: event.Source{File: &event.FileSource{Path: "/data"}},
				Run: run.Submission{PipelineID: "p", Parameters: map[string]any{"fixed": 1.0}}}
			change(&tr)
			if _, err := f.svc.Create(f.t.Context(), tr); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
		}
		if page, err := f.svc.List(f.t.Context(), listing.Query{}); err != nil || page.Total != 0 {
			t.Errorf("%d are stored, %v", page.Total, err)
		}
	})
}

func TestATestSaysWhatWouldBeAndStartsNothing(t *testing.T) {
	fielded(t, func(f *field) {
		tr := f.create(func(t *event.Trigger) { t.When = "event.size > 10.0" })
		small, err := f.svc.Test(f.t.Context(), tr, map[string]any{"name": "a", "size": 5.0})
		if err != nil || !small.Matches || small.Wanted || small.Reason != "the condition does not hold" {
			t.Errorf("%+v, %v", small, err)
		}
		large, err := f.svc.Test(f.t.Context(), tr, map[string]any{"name": "a", "size": 50.0})
		if err != nil || !large.Wanted || !cmp.Equal(large.Parameters, map[string]any{"file": "a", "fixed": 1.0}) {
			t.Errorf("%+v, %v", large, err)
		}
		odd, err := f.svc.Test(f.t.Context(), tr, map[string]any{"size": 50.0})
		if err != nil || odd.Wanted || !strings.Contains(odd.Reason, "no such key: name") {
			t.Errorf("%+v, %v", odd, err)
		}
		f.want("file")
	})
}

// telling makes a trigger that notifies, with the name "alarm" or another.
func (f *field) telling(on event.Source, text string, policy event.Policy, name ...string) event.Trigger {
	f.t.Helper()
	return f.create(func(t *event.Trigger) {
		*t = event.Trigger{Name: append(name, "alarm")[0], On: on, Policy: policy,
			Notify: &event.Notify{Webhook: &event.WebhookReceiver{URL: "https://example.com/hook"}, Text: text}}
	})
}

func (f *field) wantSent(texts ...string) {
	f.t.Helper()
	f.post.mu.Lock()
	defer f.post.mu.Unlock()
	got := []string{}
	for _, m := range f.post.sent {
		got = append(got, m.Text)
	}
	if diff := cmp.Diff(append([]string{}, texts...), got); diff != "" {
		f.t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestATriggerTellsSomebodyUntilTheMessageIsTakenAlsoByTheNextProcess(t *testing.T) {
	fielded(t, func(f *field) {
		f.post.fails, f.post.err = 1000, errors.New("connection refused")
		made := f.telling(event.Source{Run: &event.RunSource{States: []run.State{run.Failed}}}, "", event.Policy{})
		f.finished("r1", "train", run.Failed)
		f.finished("r2", "train", run.Succeeded)
		pass(10 * time.Minute)
		f.wantSent()
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || !strings.Contains(got.Failure, "connection refused") {
			t.Errorf("it says %q, %v", got.Failure, err)
		}
		f.end()
		f.post.fails = 0
		f.open()
		pass(time.Minute)
		f.wantSent("alarm: run  of train: FAILED")
		if id := f.post.sent[0].ID; id != event.FiringID(made.ID, eventsOf(f, made.ID)[0].ID) {
			t.Errorf("the id of the message is %s", id)
		}
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || got.Failure != "" {
			t.Errorf("afterwards it says %q, %v", got.Failure, err)
		}
		// What is refused for good is given up at once, and what nobody takes after a day.
		f.post.fails, f.post.err = 1, fault.Invalidf("the receiver answered with status 404")
		f.finished("r3", "train", run.Failed)
		pass(time.Minute)
		f.post.fails, f.post.err = 1_000_000, errors.New("connection refused")
		f.finished("r4", "train", run.Failed)
		pass(25 * time.Hour)
		want := []string{"SENT", "FAILED: the receiver answered with status 404", "FAILED: connection refused"}
		if diff := cmp.Diff(want, f.states(made.ID)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMessagesAreGatheredAndHaveTheTextThatIsAskedFor(t *testing.T) {
	fielded(t, func(f *field) {
		f.telling(event.Source{Run: &event.RunSource{}}, `string(events.size()) + " runs, the last of " + event.pipeline`, event.Policy{DebounceSeconds: 60})
		for i, p := range []string{"a", "b", "c"} {
			f.finished(fmt.Sprint(i), p, run.Succeeded)
			pass(30 * time.Second)
		}
		f.wantSent()
		pass(time.Minute)
		f.wantSent("3 runs, the last of c")
	})
}

func TestARunThatDoesNotEndInTimeIsToldOfOnce(t *testing.T) {
	fielded(t, func(f *field) {
		made := f.telling(event.Source{Late: &event.LateSource{Pipeline: "train", Seconds: 600}}, "event.run_id", event.Policy{})
		at := time.Now()
		for _, r := range []run.Run{
			{ID: "slow", PipelineName: "train", State: run.Running}, {ID: "other", PipelineName: "serve", State: run.Running},
			{ID: "done", PipelineName: "train", State: run.Succeeded, FinishedAt: &at},
		} {
			r.CreatedAt, r.ScheduledAt, r.ExperimentID = at, at, "exp-1"
			if err := f.store.CreateRun(f.t.Context(), r, []run.Event{{Seq: 1, At: at}}, nil); err != nil {
				t.Fatal(err)
			}
		}
		pass(9 * time.Minute)
		f.wantSent()
		pass(2 * time.Minute)
		f.wantSent("slow")
		f.end()
		f.open()
		pass(time.Hour)
		f.wantSent("slow")
		if got := f.states(made.ID); len(got) != 1 {
			t.Errorf("firings: %q", got)
		}
	})
}
