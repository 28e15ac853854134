package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/core/fault"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		panic(err)
	}
	return t
}

func pointer(text string) *time.Time {
	t := at(text)
	return &t
}

func parse(t *testing.T, trigger Trigger) *Schedule {
	t.Helper()
	s, err := Parse(trigger)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCronExpressionsMeanWhatKFPSays(t *testing.T) {
	tests := []struct{ expr, after, want string }{
		{"0 0 9 * * *", "2026-11-24 08:59:59", "2026-11-24 09:00:00"},
		{"0 0 9 * * *", "2026-11-24 09:00:00", "2026-11-25 09:00:00"},
		{"0 0 9 ? * 2-6", "2026-11-27 10:00:00", "2026-11-28 09:00:00"}, // Saturday is 6
		{"0 0 9 ? * MON-FRI", "2026-11-27 10:00:00", "2026-11-30 09:00:00"},
		{"*/15 * * * * *", "2026-11-24 08:00:50", "2026-11-24 08:01:00"},
		{"10/20 * * * * *", "2026-11-24 08:00:11", "2026-11-24 08:00:30"},
		{"0 5,35 8-10/2 * * *", "2026-11-24 08:35:00", "2026-11-24 10:05:00"},
		{"0 0 0 1 jan *", "2026-11-24 00:00:00", "2027-01-01 00:00:00"},
		{"0 0 0 29 2 *", "2026-11-24 00:00:00", "2028-02-29 00:00:00"},
		{"0 0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"},
		{"0 0 0 31 * *", "2026-11-24 00:00:00", "2026-12-31 00:00:00"},
		// Both days given: one of them is enough. One of them a star, even with a step: both must hold.
		{"0 0 0 13 * 5", "2026-11-24 00:00:00", "2026-11-27 00:00:00"},
		{"0 0 0 */2 * 5", "2026-11-24 00:00:00", "2026-11-27 00:00:00"},
		{"0 0 0 */2 * 4", "2026-11-24 00:00:00", "2026-12-03 00:00:00"},
		// Five fields: the first is the second here too, as in KFP.
		{"0 30 2 * *", "2026-11-24 00:00:00", "2026-11-24 02:30:00"},
		{"@hourly", "2026-11-24 08:00:00", "2026-11-24 09:00:00"},
		{"@daily", "2026-11-24 08:00:00", "2026-11-25 00:00:00"},
		{"@weekly", "2026-11-24 08:00:00", "2026-11-29 00:00:00"},
		{"@monthly", "2026-11-24 08:00:00", "2026-12-01 00:00:00"},
		{"@yearly", "2026-11-24 08:00:00", "2027-01-01 00:00:00"},
		{"@every 90m", "2026-11-24 08:00:00", "2026-11-24 09:30:00"},
	}
	for _, tt := range tests {
		got, ok := parse(t, Trigger{Cron: tt.expr}).Next(at(tt.after))
		if !ok || !got.Equal(at(tt.want)) {
			t.Errorf("%q after %s: %s, %v; want %s", tt.expr, tt.after, got, ok, tt.want)
		}
	}
}

func TestFiveFieldsAreWarnedOf(t *testing.T) {
	for expr, want := range map[string]string{
		"0 3 * * *": `write "0 0 3 * * *"`, "CRON_TZ=Europe/Lisbon 0 3 * * *": `write "0 0 3 * * *"`, "0 0 3 * * *": "", "TZ=UTC 0 0 3 * * *": "", "@daily": "", "@every 90m": "", "": "",
	} {
		if got := strings.Join((Trigger{Cron: expr}).Warnings(), "; "); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("of %q it says %q, want %q", expr, got, want)
		}
	}
}

func TestATriggerThatMeansNothingIsRefusedInWords(t *testing.T) {
	tests := []struct {
		trigger Trigger
		want    string
	}{
		{Trigger{}, "no time"},
		{Trigger{Cron: "@daily", IntervalSeconds: 5}, "more than one"},
		{Trigger{At: pointer("2026-01-02 00:00:00"), IntervalSeconds: 5}, "more than one"},
		{Trigger{At: pointer("1926-01-02 00:00:00")}, "after 1970"},
		{Trigger{Cron: "@daily", TimeZone: "Mars/Olympus"}, "no time zone"},
		{Trigger{Cron: "@daily", TimeZone: "../../etc/passwd"}, "no time zone"},
		{Trigger{Cron: "@daily", TimeZone: "Local"}, "such as"},
		{Trigger{IntervalSeconds: -5}, "1 s to 100 years"},
		{Trigger{IntervalSeconds: 1 << 62}, "1 s to 100 years"},
		{Trigger{Cron: "* * * *"}, "4 fields"},
		{Trigger{Cron: "* * * * * * *"}, "7 fields"},
		{Trigger{Cron: "60 * * * * *"}, "from 0 to 59"},
		{Trigger{Cron: "* * * 0 * *"}, "from 1 to 31"},
		{Trigger{Cron: "* * * * * 7"}, "from 0 to 6"},
		{Trigger{Cron: "* * * * foo *"}, "such as FEB"},
		{Trigger{Cron: "5-1 * * * * *"}, "ends before it begins"},
		{Trigger{Cron: "*/0 * * * * *"}, "step"},
		{Trigger{Cron: "1/2/3 * * * * *"}, "step"},
		{Trigger{Cron: "*-5 * * * * *"}, "not a number"},
		{Trigger{Cron: ", * * * * *"}, "comma"},
		{Trigger{Cron: "0 0 0 30 2 *"}, "no such day"},
		{Trigger{Cron: "@reboot"}, "1 fields"},
		{Trigger{Cron: "@every soon"}, "@every"},
		{Trigger{Cron: "@every 10ms"}, "at least 1 s"},
		{Trigger{Cron: "TZ="}, "say when"},
		{Trigger{Cron: "TZ=Mars/Olympus @daily"}, "no time zone"},
		{Trigger{Cron: "CRON_TZ=UTC @daily", TimeZone: "UTC"}, "twice"},
		{Trigger{Cron: strings.Repeat("x", 10_000)}, "…"},
		{Trigger{Cron: "@daily", Start: pointer("2026-01-02 00:00:00"), End: pointer("2026-01-01 00:00:00")}, "before it starts"},
		{Trigger{Cron: "@daily", Start: pointer("1926-01-02 00:00:00")}, "after 1970"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.trigger)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 400 {
			t.Errorf("%+v: %v; want an Invalid error with %q", tt.trigger, err, tt.want)
		}
	}
}

func TestStartAndEndBoundTheTimes(t *testing.T) {
	created := at("2026-01-01 12:00:00")
	tests := []struct {
		name    string
		trigger Trigger
		want    []string
	}{
		{"an interval counts from the creation", Trigger{IntervalSeconds: 3600, End: pointer("2026-01-01 14:30:00")}, []string{"13:00:00", "14:00:00"}},
		{"an interval counts from the start", Trigger{IntervalSeconds: 3600, Start: pointer("2026-01-01 15:30:00"), End: pointer("2026-01-01 17:30:00")},
			[]string{"16:30:00", "17:30:00"}},
		{"a start in the past is caught up", Trigger{IntervalSeconds: 3600, Start: pointer("2026-01-01 10:00:00"), End: pointer("2026-01-01 12:10:00")},
			[]string{"11:00:00", "12:00:00"}},
		{"cron begins after the start and includes the end", Trigger{Cron: "@hourly", Start: pointer("2026-01-01 16:00:00"), End: pointer("2026-01-01 18:00:00")},
			[]string{"17:00:00", "18:00:00"}},
	}
	for _, tt := range tests {
		s := parse(t, tt.trigger)
		var got []string
		for last := s.First(created); ; {
			next, ok := s.Next(last)
			if !ok {
				break
			}
			got = append(got, next.Format(time.TimeOnly))
			last = next
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestWithoutCatchingUpOnlyTheNewestMissedTimeIsDue(t *testing.T) {
	last, now := at("2026-01-01 00:00:00"), at("2026-01-08 10:20:30")
	tests := []struct {
		trigger    Trigger
		next, late string
	}{
		{Trigger{Cron: "0 0 6 * * *"}, "2026-01-01 06:00:00", "2026-01-08 06:00:00"},
		{Trigger{Cron: "* * * * * *"}, "2026-01-01 00:00:01", "2026-01-08 10:20:30"},
		{Trigger{Cron: "@monthly"}, "2026-02-01 00:00:00", "2026-02-01 00:00:00"},
		{Trigger{IntervalSeconds: 7200}, "2026-01-01 02:00:00", "2026-01-08 10:00:00"},
		{Trigger{IntervalSeconds: 7200, End: pointer("2026-01-03 03:00:00")}, "2026-01-01 02:00:00", "2026-01-03 02:00:00"},
		{Trigger{Cron: "0 0 6 * * *", End: pointer("2026-01-03 05:00:00")}, "2026-01-01 06:00:00", "2026-01-02 06:00:00"},
	}
	for _, tt := range tests {
		s := parse(t, tt.trigger)
		for catchup, want := range map[bool]string{true: tt.next, false: tt.late} {
			if got, ok := s.Due(last, now, catchup); !ok || !got.Equal(at(want)) {
				t.Errorf("%+v, catching up %v: %s, %v; want %s", tt.trigger, catchup, got, ok, want)
			}
		}
	}
}

// cronExpr draws an expression and the fields it was made of.
func cronExpr(rt *rapid.T) string {
	word := func(f field) string {
		n := func(label string, low int) int { return rapid.IntRange(low, f.max).Draw(rt, f.name+label) }
		var parts []string
		for range rapid.IntRange(1, 2).Draw(rt, f.name+" parts") {
			low := n(" low", f.min)
			switch rapid.IntRange(0, 4).Draw(rt, f.name+" form") {
			case 0:
				parts = append(parts, "*")
			case 1:
				parts = append(parts, fmt.Sprint(low))
			case 2:
				parts = append(parts, fmt.Sprintf("%d-%d", low, n(" high", low)))
			case 3:
				parts = append(parts, fmt.Sprintf("*/%d", n(" step", 1)))
			case 4:
				parts = append(parts, fmt.Sprintf("%d-%d/%d", low, n(" high", low), n(" step", 1)))
			}
		}
		return strings.Join(parts, ",")
	}
	words := make([]string, len(fields))
	for i, f := range fields {
		words[i] = word(f)
	}
	return strings.Join(words, " ")
}

// matches decides by the letter of the expression whether it allows a time.
func matches(expr string, t time.Time) bool {
	words := strings.Fields(expr)
	values := []int{t.Second(), t.Minute(), t.Hour(), t.Day(), int(t.Month()), int(t.Weekday())}
	var holds [6]bool
	star := false
	for i, word := range words {
		for part := range strings.SplitSeq(word, ",") {
			low, high, step := fields[i].min, fields[i].max, 1
			span, stepText, stepped := strings.Cut(part, "/")
			if stepped {
				fmt.Sscan(stepText, &step)
			}
			if span == "*" {
				star = star || i == 3 || i == 5
			} else if n, _ := fmt.Sscanf(span, "%d-%d", &low, &high); n == 1 && !stepped {
				high = low
			}
			holds[i] = holds[i] || values[i] >= low && values[i] <= high && (values[i]-low)%step == 0
		}
	}
	day := holds[3] || holds[5]
	if star {
		day = holds[3] && holds[5]
	}
	return holds[0] && holds[1] && holds[2] && holds[4] && day
}

func TestTheNextTimeIsTheFirstThatMatches(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		expr := cronExpr(rt)
		s, err := Parse(Trigger{Cron: expr})
		if err != nil {
			if strings.Contains(err.Error(), "no such day") {
				return
			}
			rt.Fatal(err)
		}
		after := time.Unix(rapid.Int64Range(0, 4e9).Draw(rt, "after"), 0).UTC()
		next, ok := s.Next(after)
		if !ok || !next.After(after) {
			rt.Fatalf("%q after %s: %s, %v", expr, after, next, ok)
		}
		if !matches(expr, next) {
			rt.Fatalf("%q after %s: %s does not match", expr, after, next)
		}
		// Nothing between them matches: look at each of the first seconds, and at random ones.
		for i := range 2000 {
			if u := after.Add(time.Duration(i+1) * time.Second); u.Before(next) && matches(expr, u) {
				rt.Fatalf("%q after %s: %s is earlier than %s", expr, after, u, next)
			}
		}
		if gap := int64(next.Sub(after) / time.Second); gap > 1 {
			for range 200 {
				u := after.Add(time.Duration(rapid.Int64Range(1, gap-1).Draw(rt, "between")) * time.Second)
				if matches(expr, u) {
					rt.Fatalf("%q after %s: %s is earlier than %s", expr, after, u, next)
				}
			}
		}
	})
}

// Catching up goes through every time in order; without it the result is the last of them that is not after now.
func TestDueAgreesWithGoingThroughAllTimes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		trigger := Trigger{Cron: cronExpr(rt)}
		if rapid.Bool().Draw(rt, "interval") {
			trigger = Trigger{IntervalSeconds: rapid.Int64Range(1, 5000).Draw(rt, "seconds")}
		}
		start := time.Unix(rapid.Int64Range(0, 2e9).Draw(rt, "start"), 0).UTC()
		if rapid.Bool().Draw(rt, "ends") {
			end := start.Add(time.Duration(rapid.IntRange(0, 4000).Draw(rt, "end")) * time.Second)
			trigger.Start, trigger.End = &start, &end
		}
		s, err := Parse(trigger)
		if err != nil {
			return // there is no such day
		}
		now := start.Add(time.Duration(rapid.IntRange(0, 5000).Draw(rt, "now")) * time.Second)
		want, wantOK := s.Next(start)
		if got, ok := s.Due(start, now, true); ok != wantOK || !got.Equal(want) {
			rt.Fatalf("catching up: %s, %v; want %s, %v", got, ok, want, wantOK)
		}
		for next, ok := s.Next(start); ok && !next.After(now); next, ok = s.Next(next) {
			if !next.After(start) {
				rt.Fatalf("%s comes after %s", next, start)
			}
			want = next
		}
		if got, ok := s.Due(start, now, false); ok != wantOK || !got.Equal(want) {
			rt.Fatalf("not catching up: %s, %v; want %s, %v", got, ok, want, wantOK)
		}
	})
}

func FuzzAnyExpressionIsReadOrRefused(f *testing.F) {
	for _, seed := range []string{"0 0 9 ? * 2-6", "@every 5m", "TZ=", "*/2,5-7/3 1 2 3 jan sun", "* * * * *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := Parse(Trigger{Cron: expr})
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q: %v", expr, err)
			}
			return
		}
		after := at("2026-11-24 06:00:00")
		if next, ok := s.Next(after); !ok || !next.After(after) {
			t.Errorf("%q: next is %s, %v", expr, next, ok)
		}
	})
}
