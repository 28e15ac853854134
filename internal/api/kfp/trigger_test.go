package kfp

import (
	"encoding/json"
	"testing"
	"time"

	"levada/internal/core/schedule"
)

// What KFP has no field for, a time zone and a single time, reaches its clients in an expression that means the same.
func TestATriggerMeansTheSameOnceItHasBeenThroughTheDoor(t *testing.T) {
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	at := now.Add(90*time.Minute + 5*time.Second)
	for _, trigger := range []schedule.Trigger{
		{Cron: "0 30 2 * * *"},
		{Cron: "0 30 2 * * *", TimeZone: "Europe/Berlin", End: &at},
		{IntervalSeconds: 3600, Start: &now},
		{At: &at},
	} {
		wire, err := json.Marshal(map[string]any{"trigger": toTrigger(trigger)})
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseMessage(wire, "recurring_run", []string{"trigger"})
		if err != nil {
			t.Fatal(err)
		}
		back, err := readTrigger(m)
		if err != nil {
			t.Fatalf("%s: %v", wire, err)
		}
		want, got := times(t, trigger, now), times(t, back, now)
		if len(want) != len(got) {
			t.Fatalf("%s: %v, want %v", wire, got, want)
		}
		for i := range want {
			if !want[i].Equal(got[i]) {
				t.Errorf("%s: %v, want %v", wire, got, want)
			}
		}
	}
}

func times(t *testing.T, trigger schedule.Trigger, now time.Time) []time.Time {
	t.Helper()
	s, err := schedule.Parse(trigger)
	if err != nil {
		t.Fatal(err)
	}
	var all []time.Time
	for next, ok := s.Next(s.First(now)); ok && len(all) < 5; next, ok = s.Next(next) {
		all = append(all, next)
	}
	return all
}
