package serving_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/reqlog"
	"levada/internal/core/rollout"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

// rollouts is a RolloutStore in memory, which keeps events as text as a database does, and an Aliases.
type rollouts struct {
	shown   *memory
	mu      sync.Mutex
	records []rollout.Record
	events  map[string][][]byte
	aliases []string
	ends    map[string]string
	// full is the error of storing events of a type; nil for none.
	full func(rollout.Event) error
	// lost is the error of moving an alias, such as of a version that the registry has lost; nil for none.
	lost error
}

func (r *rollouts) AppendRollout(_ context.Context, record rollout.Record, events []rollout.Event, shown []endpoint.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events == nil {
		r.events = map[string][][]byte{}
	}
	for _, e := range events {
		if r.full == nil {
			break
		}
		if err := r.full(e); err != nil {
			return err
		}
	}
	i := slices.IndexFunc(r.records, func(o rollout.Record) bool { return o.ID == record.ID })
	if i < 0 {
		r.records = append(r.records, record)
	} else {
		r.records[i] = record
	}
	for _, e := range events {
		b, err := e.Encode()
		if err != nil {
			return err
		}
		r.events[record.ID] = append(r.events[record.ID], b)
	}
	r.shown.mu.Lock()
	defer r.shown.mu.Unlock()
	r.shown.append(shown...)
	return nil
}

func (r *rollouts) Rollout(_ context.Context, id string) (rollout.Record, []rollout.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range r.records {
		if record.ID != id {
			continue
		}
		var out []rollout.Event
		for _, b := range r.events[id] {
			e, err := rollout.DecodeEvent(b)
			if err != nil {
				return record, nil, err
			}
			out = append(out, e)
		}
		return record, out, nil
	}
	return rollout.Record{}, nil, fault.NotFoundf("no rollout %s", id)
}

func (r *rollouts) Rollouts(_ context.Context, name string, limit int) ([]rollout.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []rollout.Record
	for _, record := range slices.Backward(r.records) {
		if record.Endpoint == name && len(out) < limit {
			out = append(out, record)
		}
	}
	return out, nil
}

func (r *rollouts) PutRolloutEnd(_ context.Context, id string, end rollout.End) error {
	b, err := json.Marshal(end)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ends == nil {
		r.ends = map[string]string{}
	}
	r.ends[id] = string(b)
	return nil
}

func (r *rollouts) RolloutEnd(_ context.Context, id string) (end rollout.End, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, there := r.ends[id]
	if !there {
		return end, fault.NotFoundf("no end of rollout %s", id)
	}
	return end, json.Unmarshal([]byte(text), &end)
}

func (r *rollouts) UnsettledRollouts(context.Context) ([]rollout.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.records), func(o rollout.Record) bool { return o.Settled }), nil
}

func (r *rollouts) SetAlias(_ context.Context, name, alias, version string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost != nil {
		return r.lost
	}
	r.aliases = append(r.aliases, fmt.Sprintf("%s@%s=%s", name, alias, version))
	return nil
}

func (r *rollouts) CheckAlias(alias string) error {
	if alias == "3" {
		return fault.Invalidf("alias %q is a number", alias)
	}
	return nil
}

// rolling opens a service with endpoint e, whose version 1 has all requests.
func rolling(t *testing.T, m *models) (*bench, *rollouts) {
	t.Helper()
	store := &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
	kept := &rollouts{shown: store}
	b := open(t, m, store, withRollouts(kept))
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	return b, kept
}

func withRollouts(r *rollouts) func(*serving.Options) {
	return func(o *serving.Options) { o.Rollouts, o.Aliases = r, r }
}

// load asks without a pause until it is stopped, and counts how it went.
func load(b *bench) (stop func() (asked, failed int64)) {
	var asked, failed atomic.Int64
	var all sync.WaitGroup
	end := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				asked.Add(1)
				if _, err := b.ask(100 + rand.Float64()); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	return func() (int64, int64) { close(end); all.Wait(); return asked.Load(), failed.Load() }
}

func start(t *testing.T, b *bench, plan string, candidates ...string) serving.RolloutStatus {
	t.Helper()
	p, err := rollout.ParsePlan([]byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.StartRollout(t.Context(), "e", serving.StartRollout{Plan: p, Candidates: candidates, Alias: "champion", By: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ended waits until the rollout has ended and its outcome is followed.
func ended(t *testing.T, b *bench, kept *rollouts) serving.RolloutStatus {
	t.Helper()
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		open, err := kept.UnsettledRollouts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := b.Rollout(t.Context(), "e")
		if err != nil {
			t.Fatal(err)
		}
		// A command reaches nobody once the driver has gone, which is a moment after the end is stored.
		if len(open) == 0 {
			if _, err := b.CommandRollout(t.Context(), "e", rollout.Resume{}); fault.KindOf(err) == fault.NotFound {
				return s
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the rollout does not end: %+v", s)
		}
	}
}

const fastPlan = `
interval: 100ms
metrics: [{name: errors, critical: true, tolerance: 0.05, min_samples: 20}]
shadow: {wait: 300ms}
canary: {steps: [{percent: 20, wait: 300ms}, {percent: 50, wait: 300ms}]}
watch: {duration: 400ms, window: 200ms}
`

func TestAGoodVersionGetsTheTrafficWithoutAFailedRequest(t *testing.T) {
	b, kept := rolling(t, &models{})
	stop := load(b)
	start(t, b, fastPlan, "2")
	s := ended(t, b, kept)
	asked, failed := stop()
	if s.Outcome != rollout.OutcomePromoted || s.State.Arm != "2" {
		t.Fatalf("%s: %s, %+v", s.Outcome, s.Reason, s.State.Last)
	}
	if failed != 0 {
		t.Errorf("%d of %d requests failed", failed, asked)
	}
	status := b.await(func(s serving.Status) bool { return s.State == serving.StateReady && len(s.Versions) == 1 })
	if status.Versions[0].Version != "2" || status.Versions[0].Percent != 100 {
		t.Errorf("%+v", status)
	}
	if !slices.Equal(kept.aliases, []string{"m@champion=2"}) {
		t.Errorf("aliases: %v", kept.aliases)
	}
	kinds := fmt.Sprint(b.kinds())
	for _, want := range []string{"rollout_started", "rollout_judged", "rollout_promoted", "rollout_finished"} {
		if !strings.Contains(kinds, want) {
			t.Errorf("the history of the endpoint lacks %s: %s", want, kinds)
		}
	}
	if strings.Contains(kinds, "rollout_observed") {
		t.Error("windows are in the history of the endpoint")
	}
	if got, err := b.ask(1); err != nil || got[0] != 3 {
		t.Errorf("version 2 answers %v, %v", got, err)
	}
}

func TestAVersionThatPredictsOtherwiseOrIsSlowIsTakenBack(t *testing.T) {
	for metric, plan := range map[string]string{
		"predictions": "interval: 100ms\nmetrics: [{name: predictions, critical: true}]\ncanary: {steps: [{percent: 50, wait: 1h}]}",
		"latency":     "interval: 100ms\nmetrics: [{name: latency, critical: true}]\ncanary: {steps: [{percent: 50, wait: 1h}]}",
	} {
		m := &models{slow: map[string]time.Duration{}}
		if metric == "latency" {
			m.slow["9"] = 4 * time.Millisecond
		}
		b, kept := rolling(t, m)
		stop := load(b)
		start(t, b, plan, "9") // it adds 9, and the baseline 1
		s := ended(t, b, kept)
		asked, failed := stop()
		if s.Outcome != rollout.OutcomeRolledBack || len(s.State.Last) == 0 || s.State.Last[0].Metric != metric || failed != 0 {
			t.Errorf("%s: %q, %s; %d of %d requests failed", metric, s.Outcome, s.Reason, failed, asked)
		}
		status := b.await(func(s serving.Status) bool { return s.State == serving.StateReady && len(s.Versions) == 1 })
		if status.Versions[0].Version != "1" || len(kept.aliases) != 0 {
			t.Errorf("%s: %+v, aliases %v", metric, status, kept.aliases)
		}
		t.Logf("%s: after %v and %d requests to the candidate: %s", metric, s.FinishedAt.Sub(s.StartedAt), s.State.Requests[1], s.Reason)
	}
}

func TestARolloutGoesOnWhereAServerThatDiedLeftIt(t *testing.T) {
	m := &models{}
	b, kept := rolling(t, m)
	start(t, b, strings.Replace(fastPlan, "shadow: {wait: 300ms}\n", "", 1), "2")
	// The server dies: nothing of what it has in memory is stored when it ends.
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if open, err := kept.UnsettledRollouts(t.Context()); err != nil || len(open) != 1 {
		t.Fatalf("%v, %v", open, err)
	}
	b = open(t, m, b.store, withRollouts(kept))
	if s, err := b.Rollout(t.Context(), "e"); err != nil || s.State.Stage.Phase != rollout.PhaseCanary || s.Outcome != "" {
		t.Fatalf("%+v, %v", s, err)
	}
	stop := load(b)
	s := ended(t, b, kept)
	if _, failed := stop(); s.Outcome != rollout.OutcomePromoted || failed != 0 {
		t.Errorf("%q: %s; %d requests failed", s.Outcome, s.Reason, failed)
	}
	if !slices.Equal(kept.aliases, []string{"m@champion=2"}) {
		t.Errorf("aliases: %v", kept.aliases)
	}
	// What both servers have decided follows from what they have stored.
	_, events, err := b.RolloutEvents(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := rollout.Verify(events); err != nil || len(c.Differences) > 0 || c.Windows == 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestPeopleStopARolloutAndNobodyElseChangesItsTraffic(t *testing.T) {
	b, kept := rolling(t, &models{})
	going := start(t, b, "interval: 100ms\nmetrics: [{name: errors, critical: true}, {name: revenue}]\ncanary: {steps: [{percent: 50, wait: 1h}]}", "2")
	for what, err := range map[string]error{
		"traffic": second(b.SetTraffic(t.Context(), "e", traffic.All("1"))),
		"deploy":  second(b.Deploy(t.Context(), "e", serving.Deploy{Model: "m", Version: "3"})),
		"delete":  b.Delete(t.Context(), "e"),
		"another": second(b.StartRollout(t.Context(), "e", serving.StartRollout{Candidates: []string{"3"}})),
	} {
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n, err := b.ReportValues(t.Context(), "e", []serving.Reported{{Version: "2", Metric: "revenue", Value: 5}, {Version: "7", Metric: "revenue", Value: 5}}); n != 1 || err != nil {
		t.Errorf("%d values taken, %v", n, err)
	}
	// What was observed is there before it is stored, which is each five seconds.
	for limit := time.After(4 * time.Second); ; {
		_, events, err := b.RolloutEvents(t.Context(), going.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, stored, err := kept.Rollout(t.Context(), going.ID); err == nil && events[len(events)-1].Type == rollout.Observed && len(events) > len(stored) {
			break
		}
		select {
		case <-limit:
			t.Fatal("nothing was observed")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Pause{By: "ada"}); err != nil {
		t.Error(err)
	}
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Abort{By: "ada", Reason: "wrong one"}); err != nil {
		t.Error(err)
	}
	s := ended(t, b, kept)
	if s.Outcome != rollout.OutcomeAborted {
		t.Errorf("%q", s.Outcome)
	}
	_, events, err := b.RolloutEvents(t.Context(), s.ID)
	if err != nil || events[len(events)-1].Type != rollout.Finished {
		t.Errorf("%v, %v", events, err)
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Resume{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("resumed after the end: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestARolloutThatCannotBeginLeavesTheEndpointAsItIs(t *testing.T) {
	m := &models{broken: map[string]error{"4": fault.Invalidf("the model's file is damaged")}}
	b, kept := rolling(t, m)
	p, err := rollout.ParsePlan([]byte(fastPlan))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, endpoint, candidate string
		kind                      fault.Kind
	}{
		{"the baseline itself", "e", "1", fault.Invalid},
		{"no such version", "e", "77", fault.NotFound},
		{"no such endpoint", "f", "2", fault.NotFound},
		{"a version that cannot be loaded", "e", "4", fault.Unavailable},
	} {
		if _, err := b.StartRollout(t.Context(), c.endpoint, serving.StartRollout{Plan: p, Candidates: []string{c.candidate}}); fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if len(kept.records) != 0 {
		t.Errorf("%+v", kept.records)
	}
	s := b.await(func(s serving.Status) bool { return s.State == serving.StateReady })
	if got, err := b.ask(1); err != nil || got[0] != 2 || len(s.Versions) != 1 {
		t.Errorf("%v, %v, %+v", got, err, s)
	}
}

func TestAVersionThatCannotBeAskedWithWhatClientsSendIsTakenBack(t *testing.T) {
	b, kept := rolling(t, &models{signatures: map[string]*infer.Signature{"1": signatureOf(t, "x"), "2": signatureOf(t, "y")}})
	stop := load(b)
	start(t, b, "interval: 100ms\nmetrics: [{name: errors, critical: true}]\ncanary: {steps: [{percent: 50, wait: 1h}]}", "2")
	s := ended(t, b, kept)
	asked, failed := stop()
	if s.Outcome != rollout.OutcomeRolledBack || !strings.Contains(s.Reason, "errors") {
		t.Errorf("%q: %s; %d of %d requests failed", s.Outcome, s.Reason, failed, asked)
	}
	t.Logf("after %v; %d of %d requests failed", s.FinishedAt.Sub(s.StartedAt), failed, asked)
}

func TestOnlyRequestsThatWereDividedByLotAreCompared(t *testing.T) {
	store := &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
	kept := &rollouts{shown: store}
	b := open(t, &models{}, store, withRollouts(kept))
	plan := traffic.All("1")
	plan.Rules = []traffic.Rule{{Name: "ours", Header: "Team", Values: []string{"ours"}, Version: "1"}}
	b.put(plan, endpoint.Settings{}, "1")
	start(t, b, "interval: 100ms\nmetrics: [{name: errors, critical: true}, {name: revenue}]\nexperiment: {decide: [{metric: revenue, minimum_effect: 0.1}]}", "2")
	byRule := func(string) string { return "ours" }
	for range 2000 {
		for _, c := range []serving.Call{{Header: byRule}, {Version: "1"}} {
			c.Endpoint, c.Request = "e", request(1)
			if _, err := b.Infer(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 500 {
		if _, err := b.ask(1); err != nil {
			t.Fatal(err)
		}
	}
	var s serving.RolloutStatus
	b.await(func(serving.Status) bool {
		var err error
		if s, err = b.Rollout(t.Context(), "e"); err != nil {
			t.Fatal(err)
		}
		return s.Outcome != "" || s.State.Requests[0]+s.State.Requests[1] >= 500
	})
	if s.Outcome != "" || s.State.Requests[0]+s.State.Requests[1] != 500 {
		t.Errorf("%q: %s; requests %v", s.Outcome, s.Reason, s.State.Requests)
	}
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Abort{By: "ada"}); err != nil {
		t.Error(err)
	}
	ended(t, b, kept)
}

func TestWhatTheGatewayMeasuresIsReportedByNobodyElse(t *testing.T) {
	b, _ := rolling(t, &models{})
	for _, metric := range []string{"errors", "latency", "predictions", "mismatch", "accuracy"} {
		if _, err := b.ReportValues(t.Context(), "e", []serving.Reported{{Version: "1", Metric: metric, Value: 1}}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", metric, err)
		}
	}
}

func TestARegistryThatHasLostTheVersionDoesNotHoldTheEndpoint(t *testing.T) {
	b, kept := rolling(t, &models{})
	kept.lost = fault.NotFoundf("version 2 of model m does not exist")
	start(t, b, "interval: 100ms\nmetrics: [{name: errors, critical: true}]\ncanary: {steps: [{percent: 50, wait: 1h}]}", "2")
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Promote{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	if s := ended(t, b, kept); s.Outcome != rollout.OutcomePromoted {
		t.Errorf("%q: %s", s.Outcome, s.Reason)
	}
	if !slices.Contains(b.kinds(), serving.AliasFailed) {
		t.Errorf("the history of the endpoint does not say that the alias was not moved: %v", b.kinds())
	}
	b.await(func(serving.Status) bool { return second(b.SetTraffic(t.Context(), "e", traffic.All("2"))) == nil })
}

func TestAnAliasThatCannotBeMovedIsRefusedAtTheStart(t *testing.T) {
	b, kept := rolling(t, &models{})
	p, err := rollout.ParsePlan([]byte(fastPlan))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.StartRollout(t.Context(), "e", serving.StartRollout{Plan: p, Candidates: []string{"2"}, Alias: "3"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
	if len(kept.records) != 0 || len(b.await(func(serving.Status) bool { return true }).Versions) != 1 {
		t.Errorf("%+v", kept.records)
	}
}

func TestLongWindowsDoNotHoldUpTheEnd(t *testing.T) {
	for what, end := range map[string]func(b *bench, m *models){
		"abort": func(b *bench, _ *models) {
			if _, err := b.CommandRollout(t.Context(), "e", rollout.Abort{By: "ada"}); err != nil {
				t.Error(err)
			}
		},
	} {
		m := &models{}
		b, kept := rolling(t, m)
		start(t, b, "interval: 24h\nmetrics: [{name: errors, critical: true}]\ncanary: {steps: [{percent: 50, wait: 24h}]}", "2")
		end(b, m)
		if s := ended(t, b, kept); s.Outcome == "" {
			t.Errorf("%s: %+v", what, s)
		}
	}
}

func TestAFinishedRolloutIsNotReplayedForEachLook(t *testing.T) {
	b, kept := rolling(t, &models{})
	stop := load(b)
	start(t, b, fastPlan, "2")
	s := ended(t, b, kept)
	stop()
	want, err := b.RolloutReport(t.Context(), s.ID)
	if err != nil || len(want.Stages) < 5 || want.Outcome != rollout.OutcomePromoted || !want.Settled {
		t.Fatalf("%+v, %v", want, err)
	}
	events, err := json.Marshal(kept.events)
	if err != nil {
		t.Fatal(err)
	}
	kept.mu.Lock()
	kept.events[s.ID] = nil // nobody needs them
	kept.mu.Unlock()
	again, err := b.RolloutReport(t.Context(), s.ID)
	if a, b := asText(t, want), asText(t, again); err != nil || a != b {
		t.Errorf("%v\n%s\n%s", err, a, b)
	}
	if status, err := b.Rollout(t.Context(), "e"); err != nil || status.State.Outcome != rollout.OutcomePromoted || status.State.Requests[1] == 0 {
		t.Errorf("%+v, %v", status, err)
	}
	// What was not kept, as by an earlier server, is made of the events once.
	kept.mu.Lock()
	kept.ends = nil
	err = json.Unmarshal(events, &kept.events)
	kept.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	made, err := b.RolloutReport(t.Context(), s.ID)
	if a, b := asText(t, want), asText(t, made); err != nil || a != b {
		t.Errorf("%v\n%s\n%s", err, a, b)
	}
	if len(kept.ends) != 1 {
		t.Errorf("%d ends are kept", len(kept.ends))
	}
}

func asText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// truths is a log that knows the truth of some predictions.
type truths struct {
	serving.RequestLog
	known []reqlog.Match
}

func (l truths) Matches(_ context.Context, _ string, _, _ time.Time, f func(reqlog.Match) error) error {
	for _, m := range l.known {
		if err := f(m); err != nil {
			return err
		}
	}
	return nil
}

func TestAPromotedVersionIsTakenBackWhenItsEstimatedAccuracyFalls(t *testing.T) {
	store := &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
	kept := &rollouts{shown: store}
	log := truths{}
	for i := range 1000 { // a score of 0.95 is right in 19 of 20, one of 0.5 in half
		number := func(v float64) reqlog.Value { return reqlog.Value{Number: v} }
		truth := []float64{1, float64(i / 2 % 2)}[i%2]
		if i%2 == 0 && i%40 == 0 {
			truth = 0
		}
		log.known = append(log.known, reqlog.Match{Endpoint: "e", Version: "2", Predicted: number([]float64{0.95, 0.5}[i%2]), Actual: number(truth)})
	}
	b := open(t, &models{}, store, withRollouts(kept), func(o *serving.Options) { o.Log = log })
	b.put(traffic.All("1"), endpoint.Settings{Log: &endpoint.Log{Sample: 1}}, "1")
	plan := "interval: 100ms\nmetrics: [{name: estimated_accuracy, critical: true}]\ncanary: {steps: [{percent: 50, wait: 1h}]}\nwatch: {duration: 1h, window: 1h}"
	start(t, b, plan, "2")
	score := func(v float64, until func(serving.RolloutStatus) bool) serving.RolloutStatus {
		for {
			for range 50 {
				if _, err := b.ask(v - 2); err != nil { // version 2 adds 2
					t.Fatal(err)
				}
			}
			s, err := b.Rollout(t.Context(), "e")
			if err != nil {
				t.Fatal(err)
			}
			if until(s) {
				return s
			}
		}
	}
	score(0.95, func(s serving.RolloutStatus) bool { return s.State.Requests[1] > 1000 })
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Promote{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	from := score(0.95, func(s serving.RolloutStatus) bool { return s.State.Stage.Phase == rollout.PhaseWatch }).State.Requests[1]
	if s := score(0.95, func(s serving.RolloutStatus) bool { return s.Outcome != "" || s.State.Requests[1] > from+1000 }); s.Outcome != "" {
		t.Fatalf("%q: %s", s.Outcome, s.Reason)
	}
	s := score(0.5, func(s serving.RolloutStatus) bool { return s.Outcome != "" })
	if s.Outcome != rollout.OutcomeRolledBack || !strings.Contains(s.Reason, "estimated_accuracy") {
		t.Errorf("%q: %s", s.Outcome, s.Reason)
	}
	t.Log(s.Reason)
	ended(t, b, kept)
}

func (truths) Add(reqlog.Entry) {}

func TestQualityThatNobodyWillKnowIsRefused(t *testing.T) {
	b, _ := rolling(t, &models{})
	for _, metric := range []string{"accuracy", "log_loss", "estimated_accuracy"} {
		p, err := rollout.ParsePlan([]byte("metrics: [{name: " + metric + "}]\ncanary: {steps: [{percent: 50}]}"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.StartRollout(t.Context(), "e", serving.StartRollout{Plan: p, Candidates: []string{"2"}})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "--log-sample") {
			t.Errorf("%s: %v", metric, err)
		}
	}
}

func TestARolloutWithoutAPlanFollowsTheEndpoints(t *testing.T) {
	b, kept := rolling(t, &models{})
	to2 := serving.StartRollout{Candidates: []string{"2"}, By: "ada"}
	if _, err := b.StartRollout(t.Context(), "e", to2); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "--rollout-plan") {
		t.Errorf("without any plan: %v", err)
	}
	bad := endpoint.Settings{Rollout: &rollout.Plan{Canary: &rollout.Canary{Steps: []rollout.Step{{Percent: 200}}}}}
	if _, err := b.Put(t.Context(), "e", endpoint.Spec{Model: "m", Versions: []string{"1"}, Traffic: traffic.All("1"), Settings: bad}); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "settings: rollout: plan: canary.steps[0].percent is 200") {
		t.Errorf("a plan that cannot be: %v", err)
	}
	own := endpoint.Settings{Rollout: &rollout.Plan{Canary: &rollout.Canary{Steps: []rollout.Step{{Percent: 40}}}}}
	b.put(traffic.All("1"), own, "1")
	if n := b.models.starts.Load(); n != 1 {
		t.Errorf("%d workers were started: another plan is no reason to start one", n)
	}
	s, err := b.StartRollout(t.Context(), "e", to2)
	if err != nil || s.State.Traffic.Shares[1] != 40 || *s.State.Plan.Canary.Extensions != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Abort{By: "ada"}); err != nil {
		t.Error(err)
	}
	ended(t, b, kept)
}

func TestARollbackThatCouldNotBeStoredIsTriedAgainWithoutRequests(t *testing.T) {
	b, kept := rolling(t, &models{signatures: map[string]*infer.Signature{"1": signatureOf(t, "x"), "2": signatureOf(t, "y")}})
	start(t, b, "interval: 100ms\nmetrics: [{name: errors, critical: true}]\ncanary: {steps: [{percent: 50, wait: 1h}]}", "2")
	failed := 0
	kept.mu.Lock()
	kept.full = func(e rollout.Event) error {
		if e.Type == rollout.RolledBack && failed < 2 {
			failed++
			return errBroken
		}
		return nil
	}
	kept.mu.Unlock()
	for range 300 { // all at once, and then none any more
		_, _ = b.ask(1) // version 2 wants another column
	}
	s := ended(t, b, kept)
	if s.Outcome != rollout.OutcomeRolledBack || failed != 2 {
		t.Errorf("%q: %s; %d times it could not be stored", s.Outcome, s.Reason, failed)
	}
	_, events, err := b.RolloutEvents(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := rollout.Verify(events); err != nil || len(c.Differences) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// watching is a Monitors that has one, asked, and what it has found.
type watching struct {
	mu    sync.Mutex
	found []rollout.Finding
	asked int // how often
}

func (*watching) Monitored(_ context.Context, name string) error {
	if name != "asked" {
		return fault.NotFoundf("there is no monitor %q", name)
	}
	return nil
}

func (w *watching) Findings(_ context.Context, _ string, since time.Time) ([]rollout.Finding, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return slices.DeleteFunc(slices.Clone(w.found), func(f rollout.Finding) bool { return !f.At.After(since) }), nil
}

func TestAMonitorTakesAPromotedVersionBack(t *testing.T) {
	store := &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
	kept, monitors := &rollouts{shown: store}, &watching{}
	b := open(t, &models{}, store, withRollouts(kept), func(o *serving.Options) { o.Monitors = monitors })
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	plan := func(name string) rollout.Plan {
		p, err := rollout.ParsePlan([]byte("interval: 100ms\nmetrics: [{name: errors, critical: true}]\ncanary: {steps: [{percent: 50, wait: 1h}]}\nwatch: {duration: 1h, monitors: [" + name + "]}"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	_, err := b.StartRollout(t.Context(), "e", serving.StartRollout{Plan: plan("nobody"), Candidates: []string{"2"}})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `there is no monitor "nobody"`) {
		t.Errorf("%v", err)
	}
	if _, err := b.StartRollout(t.Context(), "e", serving.StartRollout{Plan: plan("asked"), Candidates: []string{"2"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Promote{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	monitors.mu.Lock()
	monitors.found = []rollout.Finding{{Monitor: "asked", At: time.Now().UTC(), Verdict: rollout.Fail, Rows: 9, Reason: "it drifted"}}
	monitors.mu.Unlock()
	if s := ended(t, b, kept); s.Outcome != rollout.OutcomeRolledBack || !strings.Contains(s.Reason, "monitor asked has found: it drifted") {
		t.Errorf("%q: %s", s.Outcome, s.Reason)
	}
	if !slices.Contains(b.kinds(), "rollout_monitor_found") {
		t.Errorf("%v", b.kinds())
	}
}

func TestMonitorsAreAskedWhenTheClockWasSetBack(t *testing.T) {
	store := &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
	kept, monitors, m := &rollouts{shown: store}, &watching{}, &models{}
	watched := func(o *serving.Options) { o.Monitors = monitors }
	b := open(t, m, store, withRollouts(kept), watched)
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	start(t, b, "interval: 100ms\nmetrics: [{name: errors, critical: true}]\ncanary: {steps: [{percent: 50, wait: 1h}]}\nwatch: {duration: 1h, monitors: [asked]}", "2")
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Promote{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	monitors.asked = 0
	began := time.Now() // of a clock that is far behind, and fast
	b = open(t, m, store, withRollouts(kept), watched, func(o *serving.Options) {
		o.Now = func() time.Time { return began.Add(-24*time.Hour + 50*time.Since(began)) }
	})
	b.await(func(serving.Status) bool {
		monitors.mu.Lock()
		defer monitors.mu.Unlock()
		return monitors.asked >= 3
	})
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Abort{By: "ada"}); err != nil {
		t.Error(err)
	}
	ended(t, b, kept)
}

func TestARolloutIsGuardedWhenTheClockWasSetBack(t *testing.T) {
	m := &models{}
	b, kept := rolling(t, m)
	start(t, b, "interval: 100ms\nmetrics: [{name: predictions, critical: true}]\ncanary: {steps: [{percent: 50, wait: 10h}]}", "9")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b = open(t, m, b.store, withRollouts(kept), func(o *serving.Options) { o.Now = func() time.Time { return time.Now().Add(-time.Hour) } })
	stop := load(b)
	s := ended(t, b, kept)
	stop()
	if s.Outcome != rollout.OutcomeRolledBack || s.FinishedAt.Before(s.StartedAt) {
		t.Errorf("%q: %s", s.Outcome, s.Reason)
	}
}

func TestWindowsWithoutRequestsAreKeptOnlyWhereSomethingIsDue(t *testing.T) {
	b, kept := rolling(t, &models{})
	start(t, b, "interval: 100ms\nmetrics: [{name: errors, critical: true}]\ncanary: {extensions: 1, steps: [{percent: 50, wait: 1s}]}", "2")
	var s serving.RolloutStatus
	b.await(func(serving.Status) bool {
		var err error
		if s, err = b.Rollout(t.Context(), "e"); err != nil {
			t.Fatal(err)
		}
		return s.State.Paused
	})
	_, events, err := kept.Rollout(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	windows := 0
	for _, e := range events {
		if e.Type == rollout.Observed {
			windows++
		}
	}
	if windows != 2 {
		t.Errorf("%d windows are kept of two judgements without requests", windows)
	}
	if c, err := rollout.Verify(events); err != nil || len(c.Differences) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Abort{By: "ada"}); err != nil {
		t.Error(err)
	}
	ended(t, b, kept)
}

func TestRequestsBeforeTheTrafficHasMovedAreNotCompared(t *testing.T) {
	m := &models{slow: map[string]time.Duration{"1": 20 * time.Millisecond, "2": 20 * time.Millisecond}}
	b, kept := rolling(t, m)
	stop := load(b)
	start(t, b, "interval: 100ms\nmetrics: [{name: revenue}]\nguard: {off: true}\nexperiment: {decide: [{metric: revenue, minimum_effect: 0.1}]}", "2")
	var s serving.RolloutStatus
	b.await(func(serving.Status) bool {
		var err error
		if s, err = b.Rollout(t.Context(), "e"); err != nil {
			t.Fatal(err)
		}
		return s.Outcome != "" || s.State.Requests[0]+s.State.Requests[1] > 100
	})
	stop()
	if s.Outcome != "" {
		t.Errorf("%q: %s", s.Outcome, s.Reason)
	}
	if _, err := b.CommandRollout(t.Context(), "e", rollout.Abort{By: "ada"}); err != nil && s.Outcome == "" {
		t.Error(err)
	}
	ended(t, b, kept)
}

func TestRequestsThatFitNoVersionTakeNoneBack(t *testing.T) {
	x := signatureOf(t, "x")
	malformed := serving.Call{Endpoint: "e", Key: "the one client", Request: &infer.Request{Inputs: []infer.Tensor{tensor("z", 1)}}}
	for name, c := range map[string]struct {
		signatures map[string]*infer.Signature
		watch      string
		back       bool
	}{
		"which fit neither":                               {map[string]*infer.Signature{"1": x, "2": x}, "", false},
		"where the baseline does not say what it takes":   {map[string]*infer.Signature{"2": x}, "", false},
		"though there is a holdback":                      {map[string]*infer.Signature{"1": x, "2": x}, ", holdback: 5", false},
		"unless the version before would have taken them": {map[string]*infer.Signature{"1": signatureOf(t, "z"), "2": x}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			b, kept := rolling(t, &models{signatures: c.signatures})
			start(t, b, "interval: 100ms\nmetrics: [{name: errors, critical: true}]\ncanary: {steps: [{percent: 50, wait: 1h}]}\nwatch: {duration: 1h"+c.watch+"}", "2")
			if _, err := b.CommandRollout(t.Context(), "e", rollout.Promote{By: "ada"}); err != nil {
				t.Fatal(err)
			}
			for range 500 {
				if _, err := b.Infer(t.Context(), malformed); c.watch == "" && fault.KindOf(err) != fault.Invalid {
					t.Fatalf("%v", err)
				}
			}
			if !c.back {
				// One that fits is observed after all of them.
				seen := func() int64 {
					s, err := b.Rollout(t.Context(), "e")
					if err != nil || s.Outcome != "" {
						t.Fatalf("%q: %s, %v", s.Outcome, s.Reason, err)
					}
					return s.State.Requests[0] + s.State.Requests[1]
				}
				if _, err := b.ask(1); err != nil {
					t.Fatal(err)
				}
				b.await(func(serving.Status) bool { return seen() > 0 })
				if n := seen(); n != 1 {
					t.Errorf("%d requests are compared", n)
				}
				if _, err := b.CommandRollout(t.Context(), "e", rollout.Abort{By: "ada"}); err != nil {
					t.Error(err)
				}
			}
			if s := ended(t, b, kept); c.back != (s.Outcome == rollout.OutcomeRolledBack) {
				t.Errorf("%q: %s", s.Outcome, s.Reason)
			}
		})
	}
}
