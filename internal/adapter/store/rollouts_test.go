package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/rollout"
)

func TestRolloutsAreKeptWithTheirEvents(t *testing.T) {
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "levada.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := rollout.Record{ID: "a", Endpoint: "e", Model: "m", Baseline: "1", Candidates: []string{"2"}, StartedAt: at}
	started := rollout.Event{Type: rollout.Started, At: at, Plan: &rollout.Plan{Confidence: 0.98}, Arms: []string{"1", "2"}, Seed: 1 << 52}
	seen := rollout.Event{Type: rollout.Observed, At: at, Window: &rollout.Window{From: at, To: at, Arms: []rollout.Arm{{Requests: 3, Latency: rollout.Histogram{-4: 1, 1200: 2}}, {}}}}
	shown := endpoint.Event{Endpoint: "e", At: at, Kind: "rollout_started", Message: "it begins", Data: map[string]any{"rollout": "a"}}
	if err := s.AppendRollout(t.Context(), r, []rollout.Event{started, seen}, []endpoint.Event{shown}); err != nil {
		t.Fatal(err)
	}
	later := rollout.Record{ID: "b", Endpoint: "e", StartedAt: at.Add(time.Hour), Candidates: []string{"3"}}
	if err := s.AppendRollout(t.Context(), later, nil, nil); err != nil {
		t.Fatal(err)
	}
	if open, err := s.UnsettledRollouts(t.Context()); err != nil || len(open) != 2 {
		t.Errorf("%+v, %v", open, err)
	}
	r.Settled, r.Outcome = true, rollout.OutcomePromoted
	if err := s.AppendRollout(t.Context(), r, []rollout.Event{seen}, nil); err != nil {
		t.Fatal(err)
	}
	got, events, err := s.Rollout(t.Context(), "a")
	if diff := cmp.Diff(r, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if diff := cmp.Diff([]rollout.Event{started, seen, seen}, events); diff != "" {
		t.Error(diff)
	}
	if open, err := s.UnsettledRollouts(t.Context()); err != nil || len(open) != 1 || open[0].ID != "b" {
		t.Errorf("%+v, %v", open, err)
	}
	if list, err := s.Rollouts(t.Context(), "e", 1); err != nil || len(list) != 1 || list[0].ID != "b" {
		t.Errorf("the newest: %+v, %v", list, err)
	}
	if list, err := s.EndpointEvents(t.Context(), "e", 0, 10); err != nil || len(list) != 1 || list[0].Message != "it begins" {
		t.Errorf("history of the endpoint: %+v, %v", list, err)
	}
	if _, _, err := s.Rollout(t.Context(), "c"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	if _, err := s.RolloutEnd(t.Context(), "a"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an end that was not kept: %v", err)
	}
	end := rollout.End{State: rollout.State{Arms: []string{"1", "2"}, Requests: []int64{3, 4}, Outcome: rollout.OutcomePromoted}, Report: rollout.Report{Record: r, Arms: []string{"1", "2"}}}
	for range 2 {
		if err := s.PutRolloutEnd(t.Context(), "a", end); err != nil {
			t.Fatal(err)
		}
		end.State.Requests[0]++
	}
	got2, err := s.RolloutEnd(t.Context(), "a")
	end.State.Requests[0]--
	if diff := cmp.Diff(end, got2, cmpopts.IgnoreUnexported(rollout.State{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
