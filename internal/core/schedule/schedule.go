// Package schedule says when a recurring run is due: by a cron expression or by an interval, between a start and an end, with or
// without catching up on what was missed.
//
// It is pure: the caller brings the clock, keeps what was started last, and starts runs. All times are UTC and whole seconds. The
// rules are those of KFP's recurring runs (backend/src/crd/controller/scheduledworkflow); where they differ, the comment says so.
// Start reading at Schedule.Due. The expressions are read in cron.go, the macros in parameters in macro.go.
package schedule

import (
	"strings"
	"time"

	"levada/internal/core/fault"
)

// Trigger is what a user asks for: exactly one of Cron and IntervalSeconds.
type Trigger struct {
	// Cron has six fields (second, minute, hour, day of month, month, day of week; the last may be left out), or is one of @yearly,
	// @monthly, @weekly, @daily, @hourly and "@every 90m". It means UTC.
	Cron string `json:"cron,omitempty"`
	// IntervalSeconds is the time between two runs.
	IntervalSeconds int64 `json:"interval_seconds,omitempty"`
	// Start and End bound the times, both included in what they bound: the first run comes after Start, the last one not after End.
	Start *time.Time `json:"start,omitempty"`
	End   *time.Time `json:"end,omitempty"`
}

// Schedule is a trigger that was checked.
type Schedule struct {
	trigger  Trigger
	cron     *cron // nil for an interval
	interval time.Duration
}

// maxInterval is a hundred years: what is more is a mistake, and would overflow a duration soon after.
const maxInterval = 100 * 365 * 24 * time.Hour

const every = "@every "

// Parse checks a trigger. Errors are Invalid.
func Parse(t Trigger) (*Schedule, error) {
	s := &Schedule{trigger: t}
	expr := strings.TrimSpace(t.Cron)
	switch {
	case expr != "" && t.IntervalSeconds != 0:
		return nil, fault.Invalidf("the trigger has both a cron expression and an interval; give one of them")
	case expr == "" && t.IntervalSeconds == 0:
		return nil, fault.Invalidf("the trigger has neither a cron expression nor an interval: say when runs are to start")
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
	if s.cron != nil && s.cron.next(time.Unix(0, 0)).IsZero() {
		return nil, fault.Invalidf("cron expression %q: there is no such day", shorten(expr))
	}
	return s, nil
}

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
	next := last.Add(s.interval)
	if s.cron != nil {
		next = s.cron.next(last)
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
	if s.cron == nil {
		return next.Add(limit.Sub(next) / s.interval * s.interval), true
	}
	// There is a time in (low, limit]; halve the span until only the last one is left.
	low := next.Add(-time.Second)
	for limit.Sub(low) > time.Second {
		middle := low.Add((limit.Sub(low) / 2).Truncate(time.Second))
		if found := s.cron.next(middle); !found.IsZero() && !found.After(limit) {
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
