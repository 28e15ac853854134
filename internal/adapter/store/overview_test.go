package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/core/track"
)

func TestTheNewestRunsOfSomeStatesComeWithTheirProgressAndWithoutTheArchivedOnes(t *testing.T) {
	s := openForTest(t)
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i, state := range []run.State{run.Running, run.Failed, run.Pending, run.Failed, run.Running, run.Failed} {
		r := run.Run{ID: fmt.Sprintf("r%d", i), DisplayName: "one", State: run.Running, Archived: i == 5, CreatedAt: start.Add(time.Duration(i) * time.Hour)}
		if err := s.CreateRun(t.Context(), r, nil, nil); err != nil {
			t.Fatal(err)
		}
		r.State, r.Tasks, r.Cached = state, map[run.State]int{state: 2}, 1
		if state == run.Failed {
			r.Failure, r.FinishedAt = &run.Failure{Reason: run.ReasonExit, Message: "no"}, &r.CreatedAt
		}
		event := run.Event{Seq: 1, Type: "x", At: r.CreatedAt, Body: []byte(`{}`)}
		if err := s.Append(t.Context(), r.ID, []run.Event{event}, run.Changes{Run: &r}); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(states []run.State, since time.Time, limit int) (out []string) {
		t.Helper()
		list, err := s.NewestIn(t.Context(), states, since, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			if b.Tasks[b.State] != 2 || b.Cached != 1 || (b.State == run.Failed) != (b.Failure != nil && b.FinishedAt != nil) {
				t.Errorf("%+v", b)
			}
			out = append(out, b.ID)
		}
		return out
	}
	for _, c := range []struct {
		states []run.State
		since  time.Time
		limit  int
		want   []string
	}{
		{[]run.State{run.Pending, run.Running}, time.Time{}, 2, []string{"r4", "r2"}},
		{[]run.State{run.Failed}, time.Time{}, 9, []string{"r3", "r1"}},
		{[]run.State{run.Failed}, start.Add(2 * time.Hour), 9, []string{"r3"}},
		{[]run.State{run.Canceled}, time.Time{}, 9, nil},
	} {
		if diff := cmp.Diff(c.want, ids(c.states, c.since, c.limit)); diff != "" {
			t.Errorf("%v since %v: %s", c.states, c.since, diff)
		}
	}
	counts, err := s.CountRuns(t.Context())
	if diff := cmp.Diff(map[run.State]int{run.Running: 2, run.Failed: 2, run.Pending: 1}, counts); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestTrackedRunsThatGoOnAreThoseOfNoPipeline(t *testing.T) {
	s := openForTest(t)
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	if err := s.CreateRun(t.Context(), run.Run{ID: "of-a-pipeline", State: run.Running, CreatedAt: now}, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range []track.Run{
		{ID: "old", Status: track.Running, StartMS: now.Add(-time.Hour).UnixMilli()},
		{ID: "going on", Status: track.Running, StartMS: now.UnixMilli()},
		{ID: "done", Status: "FINISHED", StartMS: now.UnixMilli()},
	} {
		if err := s.Tracking().CreateRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Tracking().GoingOn(t.Context(), now, 10)
	if err != nil || len(got) != 1 || got[0].ID != "going on" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestTheHistoryOfModelsIsKeptUpToItsLimit(t *testing.T) {
	s := openForTest(t)
	r := s.Registry()
	m := model.Registered{Name: "m"}
	m.Note(model.Change{AtUS: 1, Kind: model.ModelCreated})
	if err := r.CreateModel(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	err := r.ChangeModel(t.Context(), "m", func(m *model.Registered) error {
		for i := range maxChanges {
			m.Note(model.Change{AtUS: int64(i + 2), Kind: model.AliasSet, Alias: "a", Version: int64(i)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteModel(t.Context(), "m", func(m *model.Registered) { m.Note(model.Change{AtUS: 9, Kind: model.ModelDeleted}) }); err != nil {
		t.Fatal(err)
	}
	all, err := r.Changes(t.Context(), 2*maxChanges)
	if err != nil || len(all) != maxChanges || all[0].Kind != model.ModelDeleted || all[0].Model != "m" {
		t.Errorf("%d changes, the newest %+v, %v", len(all), all[0], err)
	}
	two, err := r.Changes(t.Context(), 2)
	if diff := cmp.Diff(all[:2], two); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestTheOverviewReadsNoTableWhole(t *testing.T) {
	s := openForTest(t)
	for query, index := range map[string]string{
		`SELECT ` + briefColumns + ` FROM runs WHERE state = 'FAILED' AND archived = 0 AND created_at >= 5 ORDER BY created_at DESC, id DESC LIMIT 9`: "runs_by_state",
		`SELECT id FROM tracking_runs WHERE status = 'RUNNING' AND deleted_at = 0 AND start_ms >= 1 ORDER BY start_ms DESC, id DESC LIMIT 9`:          "tracking_runs_going_on",
	} {
		plan, err := readAll(t.Context(), s, func(scan scanner) (string, error) {
			var a, b, c int
			var line string
			return line, scan(&a, &b, &c, &line)
		}, `EXPLAIN QUERY PLAN `+query)
		if err != nil || !slices.ContainsFunc(plan, func(l string) bool { return strings.Contains(l, index) }) || strings.Contains(strings.Join(plan, "\n"), "TEMP B-TREE") {
			t.Errorf("%s: %q %v, want %s and no sorting", query, plan, err, index)
		}
	}
}

func TestRunsAreFoundByIDAndByName(t *testing.T) {
	s := openForTest(t)
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i, name := range []string{"nightly Fares", "100%_done", "hourly", "Österreich", "abcdef of fares"} {
		r := run.Run{ID: fmt.Sprintf("%d%d%dbcdef-0000", i, i, i), DisplayName: name, State: run.Succeeded, Archived: name == "hourly", CreatedAt: at.Add(time.Duration(i) * time.Second)}
		if name == "nightly Fares" {
			r.ID = "abcdef00-0000"
		}
		if err := s.CreateRun(t.Context(), r, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string][]string{
		"FARES":    {"abcdef of fares", "nightly Fares"},
		"ABCDEF":   {"nightly Fares", "abcdef of fares"},
		"%_":       {"100%_done"},
		"öster":    {"Österreich"},
		"hourly":   nil,
		"222b":     {"hourly"},
		"nothing'": nil,
	} {
		got, err := s.FindRuns(t.Context(), text, 10)
		var names []string
		for _, b := range got {
			names = append(names, b.DisplayName)
		}
		if diff := cmp.Diff(want, names); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
	if got, err := s.FindRuns(t.Context(), "fares", 1); err != nil || len(got) != 1 {
		t.Errorf("%+v %v, want one", got, err)
	}
}

func TestTrackedRunsAndArtifactsAreFound(t *testing.T) {
	s := openForTest(t)
	if err := s.CreateRun(t.Context(), run.Run{ID: "of-a-pipeline", DisplayName: "train", State: run.Running, CreatedAt: time.Now()}, nil, nil); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"train", "Überlauf", "gone"} {
		if err := s.Tracking().CreateRun(t.Context(), track.Run{ID: fmt.Sprintf("aaaa%d", i), Name: name, Status: track.Running}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Tracking().SetRunDeleted(t.Context(), "aaaa2", true, time.Now()); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{"TRAI": {"aaaa0"}, "Überl": {"aaaa1"}, "aaaa": {"aaaa0", "aaaa1"}, "aaa": nil, "gone": nil} {
		got, err := s.Tracking().FindRuns(t.Context(), text, 10)
		var ids []string
		for _, r := range got {
			ids = append(ids, r.ID)
		}
		if diff := cmp.Diff(want, ids); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
	err := s.update(t.Context(), func(ctx context.Context, tx *tx) error {
		return putArtifacts(ctx, tx, []run.Artifact{{ID: "abcd1", Name: "Model", Digest: "sha256:beef"}, {ID: "abcd2", Name: "data", Digest: "dir-sha256:cafe"}}, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{"mode": {"abcd1"}, "BEEF": {"abcd1"}, "sha256:be": {"abcd1"}, "cafe": {"abcd2"}, "dir-sha256:ca": {"abcd2"}, "abcd": {"abcd1", "abcd2"}, "bee": nil} {
		got, err := s.FindArtifacts(t.Context(), text, 10)
		var ids []string
		for _, a := range got {
			ids = append(ids, a.ID)
		}
		if diff := cmp.Diff(want, ids); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
}

func TestWhatPartitionsGiveIsLookedUpByRun(t *testing.T) {
	s := openForTest(t)
	plan, err := readAll(t.Context(), s, func(scan scanner) (string, error) {
		var a, b, c int
		var line string
		return line, scan(&a, &b, &c, &line)
	}, `EXPLAIN QUERY PLAN `+givesQuery, `["sha256:1"]`, 50)
	text := strings.Join(plan, "\n")
	if err != nil || strings.Contains(text, "artifacts_by_name") || strings.Count(text, "artifacts_by_run") < 2 || strings.Contains(text, "SCAN now") {
		t.Errorf("%v\n%s", err, text)
	}
}
