package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestATimeZoneIsThatOfTheClocksThere(t *testing.T) {
	tests := []struct {
		name, zone, expr, after string
		want                    []string // UTC
	}{
		{"winter and summer", "Europe/Lisbon", "0 0 9 1 1,7 *", "2026-01-01 00:00:00", []string{"2026-01-01 09:00:00", "2026-07-01 08:00:00"}},
		{"an hour left out", "Europe/Berlin", "0 30 2 * * *", "2026-03-28 00:00:00",
			[]string{"2026-03-28 01:30:00", "2026-03-29 01:00:00", "2026-03-30 00:30:00"}},
		{"the end of the hour left out", "Europe/Berlin", "0 0 2,3 * * *", "2026-03-28 12:00:00", []string{"2026-03-29 01:00:00", "2026-03-30 00:00:00"}},
		{"an hour that comes twice", "America/New_York", "0 30 1 * * *", "2026-10-31 12:00:00",
			[]string{"2026-11-01 05:30:00", "2026-11-02 06:30:00"}},
		{"every hour, forward", "Europe/Berlin", "0 30 * * * *", "2026-03-29 00:00:00", []string{"2026-03-29 00:30:00", "2026-03-29 01:30:00"}},
		{"every hour, back", "Europe/Berlin", "0 30 * * * *", "2026-10-25 00:00:00",
			[]string{"2026-10-25 00:30:00", "2026-10-25 01:30:00", "2026-10-25 02:30:00"}},
		{"half an hour back", "Australia/Lord_Howe", "0 45 1 * * *", "2026-04-04 00:00:00", []string{"2026-04-04 14:45:00", "2026-04-05 15:15:00"}},
		{"a zone without summer time", "Asia/Kolkata", "@daily", "2026-06-01 00:00:00", []string{"2026-06-01 18:30:00"}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			s := parse(t, Trigger{Cron: c.expr, TimeZone: c.zone})
			if prefixed := parse(t, Trigger{Cron: ZonePrefix + c.zone + " " + c.expr}); prefixed.Zone().String() != c.zone {
				t.Error("with a prefix it is in", prefixed.Zone())
			}
			var got []string
			last := at(c.after)
			for range c.want {
				next, ok := s.Next(last)
				if !ok {
					t.Fatal("it is over")
				}
				got, last = append(got, next.Format("2006-01-02 15:04:05")), next
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADailyRunIsThereOnceADayWhateverTheClocksDo(t *testing.T) {
	zones := []string{"Europe/Lisbon", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Chatham", "Africa/Casablanca", "Asia/Tehran"}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		second := rapid.IntRange(0, 24*60*60-1).Draw(t, "second")
		in, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		clock := time.Date(2000, 1, 1, 0, 0, second, 0, time.UTC)
		s, err := Parse(Trigger{Cron: clock.Format("5 4 15 * * *"), TimeZone: zone})
		if err != nil {
			t.Fatal(err)
		}
		first := time.Date(rapid.IntRange(2010, 2030).Draw(t, "year"), 1, 1, 0, 0, 0, 0, in)
		last := first.Add(-time.Second)
		for day := range 365 {
			next, ok := s.Next(last)
			if want := time.Date(first.Year(), 1, 1+day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly); !ok || next.In(in).Format(time.DateOnly) != want {
				t.Fatalf("after %s: %s, want one on %s", last.In(in), next.In(in), want)
			}
			if due, ok := s.Due(first.Add(-time.Second), next, false); !ok || !due.Equal(next) {
				t.Fatalf("the newest until %s is %s", next.In(in), due.In(in))
			}
			last = next
		}
	})
}

func TestARunOfOneTimeStartsOnce(t *testing.T) {
	s := parse(t, Trigger{At: pointer("2026-11-24 12:00:00")})
	for _, catchup := range []bool{true, false} {
		if due, ok := s.Due(at("2026-11-20 00:00:00"), at("2026-12-01 00:00:00"), catchup); !ok || !due.Equal(at("2026-11-24 12:00:00")) {
			t.Error(due, ok)
		}
	}
	if next, ok := s.Next(at("2026-11-24 12:00:00")); ok {
		t.Error("once more at", next)
	}
}

func TestMacrosAreInTheTimeZoneOfTheSchedule(t *testing.T) {
	in, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		t.Fatal(err)
	}
	scheduled := at("2026-07-31 23:30:00").In(in)
	got := Moment{Now: at("2026-07-31 23:30:01"), Scheduled: &scheduled}.Expand(map[string]any{
		"day": "[[ScheduledTime.2006-01-02]]", "now": "{{$.currentTime.strftime('%Y-%m-%d %H:%M:%S %z')}}"})
	if diff := cmp.Diff(map[string]any{"day": "2026-08-01", "now": "2026-08-01 00:30:01 +0100"}, got); diff != "" {
		t.Error(diff)
	}
}
