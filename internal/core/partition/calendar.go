package partition

import (
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/schedule"
)

// parseTime checks a definition of partitions of time.
func (s *Set) parseTime() error {
	d := s.def
	switch d.Every {
	case Hourly, Daily, Weekly, Monthly:
	default:
		return fault.Invalidf("partitions are %q; want %s, %s, %s or %s", fault.Shorten(string(d.Every), 40), Hourly, Daily, Weekly, Monthly)
	}
	var err error
	if s.zone, err = schedule.Zone(d.TimeZone); err != nil {
		return err
	}
	if trim(d.Start) == "" {
		return fault.Invalidf("partitions of time need a start, such as 2013-01-01")
	}
	first, _, err := readSpan(d.Start)
	if err != nil {
		return err
	}
	if first.Year() < 1900 || first.Year() > 2200 {
		return fault.Invalidf("partitions start in %d; want a year from 1900 to 2200", first.Year())
	}
	s.first = s.floor(first)
	if trim(d.End) != "" {
		_, after, err := readSpan(d.End)
		if err != nil {
			return err
		}
		if s.last = s.step(s.floor(after.Add(-time.Second)), 1); !s.last.After(s.first) {
			return fault.Invalidf("the partitions end at %s, before they start at %s", d.End, d.Start)
		}
	}
	if d.Format != "" && s.format(s.first) == s.format(s.step(s.first, 1)) {
		return fault.Invalidf("the format %q writes partitions that follow each other in the same way, %s; let it tell %s ones apart",
			fault.Shorten(d.Format, 40), fault.Shorten(s.format(s.first), 40), d.Every)
	}
	return nil
}

// floor is the beginning of the partition that holds a time as clocks show it.
func (s *Set) floor(t time.Time) time.Time {
	year, month, day := t.Date()
	switch s.def.Every {
	case Hourly:
		return time.Date(year, month, day, t.Hour(), 0, 0, 0, time.UTC)
	case Weekly:
		return time.Date(year, month, day-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	case Monthly:
		return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// step is the beginning of the partition n after the one that begins at a time as clocks show it.
func (s *Set) step(t time.Time, n int) time.Time {
	switch s.def.Every {
	case Hourly:
		return t.Add(time.Duration(n) * time.Hour)
	case Weekly:
		return t.AddDate(0, 0, 7*n)
	case Monthly:
		return t.AddDate(0, n, 0)
	}
	return t.AddDate(0, 0, n)
}

// times are the partitions of time that are over.
func (s *Set) times(now time.Time) ([]Partition, error) {
	var out []Partition
	add := func(key string, start, end time.Time) error {
		if len(out) == Most {
			return fault.Invalidf("there are more than %d partitions from %s on; start later, or make them longer than %s", Most, s.def.Start, s.def.Every)
		}
		start, end = start.UTC(), end.UTC()
		out = append(out, Partition{Key: key, Start: &start, End: &end})
		return nil
	}
	if s.def.Every == Hourly {
		// Hours follow each other whatever clocks show.
		last := now
		if !s.last.IsZero() && s.instant(s.last).Before(now) {
			last = s.instant(s.last)
		}
		for t := s.instant(s.first); !t.Add(time.Hour).After(last); t = t.Add(time.Hour) {
			if err := add(s.format(t.In(s.zone)), t, t.Add(time.Hour)); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	start := s.instant(s.first)
	for clock := s.first; s.last.IsZero() || clock.Before(s.last); {
		next := s.step(clock, 1)
		end := s.instant(next)
		if end.After(now) {
			break
		}
		if err := add(s.format(clock), start, end); err != nil {
			return nil, err
		}
		clock, start = next, end
	}
	return out, nil
}

// instant is when clocks in the zone show a time first. What they leave out is the moment at which they are set.
func (s *Set) instant(clock time.Time) time.Time {
	year, month, day := clock.Date()
	t := time.Date(year, month, day, clock.Hour(), clock.Minute(), clock.Second(), 0, s.zone)
	if shown := asUTC(t); !shown.Equal(clock) {
		// The clocks are set forward near it: it may have come out on either side.
		start, end := t.ZoneBounds()
		if shown.Before(clock) {
			return end
		}
		return start
	}
	if start, _ := t.ZoneBounds(); !start.IsZero() {
		// Where clocks are set back a time comes twice; the first is meant.
		before := start.Add(-time.Second)
		_, was := before.Zone()
		_, is := t.Zone()
		if earlier := t.Add(time.Duration(is-was) * time.Second); earlier.Before(start) {
			return earlier
		}
	}
	return t
}

// asUTC is the time in UTC at which clocks there show what they show for t in its own zone.
func asUTC(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// span reads a text as a stretch of time in the zone of the partitions.
func (s *Set) span(text string) (start, end time.Time, err error) {
	if t, err := time.Parse("2006-01-02T15:04Z07:00", trim(text)); err == nil {
		return t, t.Add(time.Minute), nil
	}
	if t, err := time.Parse(time.RFC3339, trim(text)); err == nil {
		return t, t.Add(time.Second), nil
	}
	low, high, err := readSpan(text)
	if err != nil {
		return start, end, err
	}
	return s.instant(low), s.instant(high), nil
}

// readSpan reads a year, month, day, hour, minute or second as clocks show it: its beginning, and the beginning of what follows.
func readSpan(text string) (start, end time.Time, err error) {
	for _, form := range []struct {
		layout string
		next   func(time.Time) time.Time
	}{
		{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
		{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
		{time.DateOnly, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
		{"2006-01-02T15", func(t time.Time) time.Time { return t.Add(time.Hour) }},
		{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
	} {
		if t, err := time.Parse(form.layout, trim(text)); err == nil {
			return t, form.next(t), nil
		}
	}
	return start, end, fault.Invalidf("%q is no time of partitions; want one such as 2013-01-31, 2013-01 or 2013-01-31T06:00", fault.Shorten(text, 40))
}

// Before reports whether partitions of time start earlier than others of the same kind.
func (s *Set) Before(o *Set) bool { return s.first.Before(o.first) }
