// Package schedule says when a recurring run is due: by a cron expression in some time zone, by an interval, or once, between a start
// and an end, with or without catching up on what was missed.
//
// It is pure: the caller brings the clock, keeps what was started last, and starts runs. All times are whole seconds. The
// rules are those of KFP's recurring runs (backend/src/crd/controller/scheduledworkflow); where they differ, the comment says so.
// Start reading at Schedule.Due. The expressions are read in cron.go, the macros in parameters in macro.go.
package schedule

import (
	"strings"
	"time"

	"levada/internal/core/fault"
)

// Trigger is what a user asks for: exactly one of Cron, IntervalSeconds and At.
type Trigger struct {
	// Cron has six fields (second, minute, hour, day of month, month, day of week; the last may be left out), or is one of @yearly,
	// @monthly, @weekly, @daily, @hourly and "@every 90m". It means the time of TimeZone.
	Cron string `json:"cron,omitempty"`
	// TimeZone is a name of the IANA database such as "Europe/Lisbon"; empty means UTC. Where clocks are set forward, what is planned
	// for the hour that is left out starts at its end; where they are set back, what is planned for the hour that comes twice starts
	// the first time. Expressions for every hour go on hour by hour.
	TimeZone string `json:"time_zone,omitempty"`
	// IntervalSeconds is the time between two runs.
	IntervalSeconds int64 `json:"interval_seconds,omitempty"`
	// At is the time of the only run.
	At *time.Time `json:"at,omitempty"`
	// Start and End bound the times, both included in what they bound: the first run comes after Start, the last one not after End.
	Start *time.Time `json:"start,omitempty"`
	End   *time.Time `json:"end,omitempty"`
}

// Schedule is a trigger that was checked.
type Schedule struct {
	trigger  Trigger
	cron     *cron // nil for an interval, and for a time
	interval time.Duration
	zone     *time.Location
}

// maxInterval is a hundred years: what is more is a mistake, and would overflow a duration soon after.
const maxInterval = 100 * 365 * 24 * time.Hour

const every = "@every "

// Parse checks a trigger. Errors are Invalid.
func Parse(t Trigger) (*Schedule, error) {
	s := &Schedule{trigger: t}
	expr, err := s.findZone(strings.TrimSpace(t.Cron))
	if err != nil {
		return nil, err
	}
	ways := 0
	for _, given := range []bool{expr != "", t.IntervalSeconds != 0, t.At != nil} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return nil, fault.Invalidf("the trigger has more than one of a cron expression, an interval and a time; give one of them")
	case ways == 0:
		return nil, fault.Invalidf("the trigger has no cron expression, no interval and no time: say when runs are to start")
	case t.At != nil:
		if t.At.Unix() < 0 {
			return nil, fault.Invalidf("the time of the trigger is %s; want one after 1970", stamp(*t.At))
		}
	case t.IntervalSeconds != 0:
		if t.IntervalSeconds < 1 || t.IntervalSeconds > int64(maxInterval/time.Second) {
			return nil, fault.Invalidf("the interval is %d s; want 1 s to 100 years", t.IntervalSeconds)
		}
		s.interval = time.Duration(t.IntervalSeconds) * time.Second
	case strings.HasPrefix(expr, every):
		d, err := time.ParseDuration(strings.TrimSpace(expr[len(every):]))
		if err != nil || d < time.Second || d > maxInterval {
			return nil, fault.Invalidf("cron expression %q: want @every and a time of at least 1 s, such as \"@every 1h30m\"", shorten(expr))
		}
		s.interval = d.Truncate(time.Second)
	default:
		c, err := parseCron(expr)
		if err != nil {
			return nil, fault.Invalidf("cron expression %q: %w", shorten(expr), err)
		}
		s.cron = c
	}
	if t.Start != nil && t.Start.Unix() < 0 {
		return nil, fault.Invalidf("the trigger starts at %s; want a time after 1970", stamp(*t.Start))
	}
	if t.Start != nil && t.End != nil && t.End.Before(*t.Start) {
		return nil, fault.Invalidf("the trigger ends at %s, before it starts at %s", stamp(*t.End), stamp(*t.Start))
	}
	if s.cron != nil && s.cron.next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, fault.Invalidf("cron expression %q: there is no such day", shorten(expr))
	}
	return s, nil
}

// ZonePrefix may stand before a cron expression, with the name of its time zone and a space: what TimeZone says in one text, as cron's
// own tables and KFP have it. "TZ=" is the same.
const ZonePrefix = "CRON_TZ="

// findZone finds the time zone of the trigger, and returns its expression without one.
func (s *Schedule) findZone(expr string) (rest string, err error) {
	name := s.trigger.TimeZone
	if named, ok := strings.CutPrefix(strings.TrimPrefix(expr, "CRON_"), "TZ="); ok {
		if name != "" {
			return "", fault.Invalidf("the trigger names a time zone twice, by itself and in its cron expression; give one of them")
		}
		name, expr, _ = strings.Cut(named, " ")
		expr = strings.TrimSpace(expr)
	}
	s.zone, err = Zone(name)
	return expr, err
}

// Zone finds a time zone by its name of the IANA database; "" is UTC. Errors are Invalid. "Local" is refused: it would mean something else on another machine.
func Zone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, fault.Invalidf(`time zone "Local": want a name such as "Europe/Lisbon"`)
	}
	in, err := time.LoadLocation(name)
	if err != nil {
		return nil, fault.Invalidf(`there is no time zone %q; want a name such as "Europe/Lisbon", or none for UTC`, shorten(name))
	}
	return in, nil
}

// Zone is the time zone in which the times of the schedule are meant.
func (s *Schedule) Zone() *time.Location { return s.zone }

// First returns the time after which a schedule counts: its start, or when it was created if it names none.
func (s *Schedule) First(created time.Time) time.Time {
	if s.trigger.Start != nil {
		return whole(*s.trigger.Start)
	}
	return whole(created)
}

// Next returns the first time after last, which is the time of the run before, or First; false when the schedule is over. Intervals are
// counted from last: the runs of one schedule stay on one grid.
func (s *Schedule) Next(last time.Time) (time.Time, bool) {
	last = whole(last)
	if s.trigger.Start != nil && last.Before(whole(*s.trigger.Start)) {
		last = whole(*s.trigger.Start)
	}
	var next time.Time
	switch {
	case s.cron != nil:
		next = s.cron.nextIn(last, s.zone)
	case s.trigger.At == nil:
		next = last.Add(s.interval)
	case last.Before(whole(*s.trigger.At)):
		next = whole(*s.trigger.At)
	}
	if next.IsZero() || s.trigger.End != nil && next.After(*s.trigger.End) {
		return time.Time{}, false
	}
	return next, true
}

// Due returns the time of the run that comes after last: the next one in order, or, without catching up, the newest that is not after
// now, so that of all runs that were missed only the last one starts. It may lie in the future. False means that the schedule is over.
//
// For intervals KFP starts that run at the time it notices and counts from there. Here it keeps its place on the grid, so that its time
// does not depend on when a server came back.
func (s *Schedule) Due(last, now time.Time, catchup bool) (time.Time, bool) {
	next, ok := s.Next(last)
	if !ok || catchup || next.After(now) {
		return next, ok
	}
	limit := whole(now)
	if s.trigger.End != nil && s.trigger.End.Before(limit) {
		limit = whole(*s.trigger.End)
	}
	switch {
	case s.trigger.At != nil:
		return next, true
	case s.cron == nil:
		return next.Add(limit.Sub(next) / s.interval * s.interval), true
	}
	// There is a time in (low, limit]; halve the span until only the last one is left.
	low := next.Add(-time.Second)
	for limit.Sub(low) > time.Second {
		middle := low.Add((limit.Sub(low) / 2).Truncate(time.Second))
		if found := s.cron.nextIn(middle, s.zone); !found.IsZero() && !found.After(limit) {
			low = middle
		} else {
			limit = middle
		}
	}
	return limit, true
}

// whole is the second that a time lies in, in UTC.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// shorten keeps a text that someone else chose from filling an error message.
func shorten(text string) string { return fault.Shorten(text, 100) }
