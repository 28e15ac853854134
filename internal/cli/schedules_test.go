package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"levada/internal/cli"
	"levada/internal/core/catalog"
	"levada/internal/core/schedule"
)

// schedules plays the part of the API that tells of recurring runs.
type schedules struct {
	list    []catalog.RecurringRun
	changed []string
}

func (s *schedules) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, query := strings.TrimPrefix(r.URL.Path, "/api/v1"), r.URL.Query()
	switch {
	case path == "/info":
		reply(w, map[string]string{"version": "test"})
	case path == "/recurring-runs":
		found := []catalog.RecurringRun{}
		for _, x := range s.list {
			if strings.HasPrefix(x.ID, query.Get("id_prefix")) && strings.Contains(x.DisplayName, query.Get("q")) {
				found = append(found, x)
			}
		}
		reply(w, map[string]any{"recurring_runs": found, "total": len(found)})
	default:
		s.changed = append(s.changed, r.Method+" "+path)
		x := s.list[0]
		x.Enabled = strings.HasSuffix(path, "/enable")
		reply(w, x)
	}
}

func twoSchedules() *schedules {
	next := time.Date(2026, 11, 25, 2, 30, 0, 0, time.UTC)
	return &schedules{list: []catalog.RecurringRun{
		{ID: "aaaa0000-0000-0000-0000-000000000000", DisplayName: "nightly", Enabled: true, Index: 41, NextAt: &next,
			Trigger: schedule.Trigger{Cron: "0 30 2 * * *"}, Failure: "no run was started for yesterday"},
		{ID: "bbbb0000-0000-0000-0000-000000000000", DisplayName: "often", Trigger: schedule.Trigger{IntervalSeconds: 90}},
		{ID: "cccc0000-0000-0000-0000-000000000000", DisplayName: "zoned", Trigger: schedule.Trigger{Cron: "0 0 6 * * *", TimeZone: "Europe/Lisbon"}},
		{ID: "dddd0000-0000-0000-0000-000000000000", DisplayName: "single", Trigger: schedule.Trigger{At: &next}},
	}}
}

func TestSchedulesAreListedWithWhatComesNext(t *testing.T) {
	got := levada(t, twoSchedules(), "schedules", "list")
	if got.status != cli.ExitOK {
		t.Fatalf("%+v", got)
	}
	for _, part := range []string{"aaaa0000  nightly  0 30 2 * * *", "enabled  41", "2026-11-25 02:30:00", "no run was started", "every 1m30s", "0 0 6 * * * (Europe/Lisbon)  paused", "once, 2026-11-25 02:30:00"} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("no %q in:\n%s", part, got.stdout)
		}
	}
	got = levada(t, twoSchedules(), "schedules", "list", "-o", "json", "--search", "oft")
	var list struct {
		RecurringRuns []catalog.RecurringRun `json:"recurring_runs"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || len(list.RecurringRuns) != 1 {
		t.Errorf("%v: %s", err, got.stdout)
	}
	if got := levada(t, &schedules{}, "schedules", "list"); !strings.Contains(got.stdout, "No recurring runs") {
		t.Errorf("an empty list shows %q", got.stdout)
	}
}

func TestAScheduleIsPausedResumedAndDeletedByNameOrID(t *testing.T) {
	for _, tt := range []struct{ verb, name, call, says string }{
		{"pause", "nightly", "POST /recurring-runs/aaaa0000-0000-0000-0000-000000000000/disable", "nightly is paused"},
		{"resume", "aaaa", "POST /recurring-runs/aaaa0000-0000-0000-0000-000000000000/enable", "nightly is enabled"},
		{"delete", "often", "DELETE /recurring-runs/bbbb0000-0000-0000-0000-000000000000", "Deleted often"},
	} {
		s := twoSchedules()
		got := levada(t, s, "schedules", tt.verb, tt.name)
		if got.status != cli.ExitOK || !strings.Contains(got.stdout, tt.says) || len(s.changed) != 1 || s.changed[0] != tt.call {
			t.Errorf("%s %s: %+v, %v", tt.verb, tt.name, got, s.changed)
		}
	}
	s := twoSchedules()
	s.list[1].DisplayName = "nightly"
	if got := levada(t, s, "schedules", "pause", "nightly"); got.status == cli.ExitOK || !strings.Contains(got.stderr, "2 recurring runs") || len(s.changed) > 0 {
		t.Errorf("an ambiguous name: %+v", got)
	}
	if got := levada(t, s, "schedules", "pause", "missing"); got.status == cli.ExitOK || !strings.Contains(got.stderr, "levada schedules list") {
		t.Errorf("an unknown name: %+v", got)
	}
}
