// Package partition divides the work of a pipeline into parts: the days, hours, weeks or months of a time zone, the keys of a list, or
// a range of numbers. One run of the pipeline does one part, whose key is the value of a parameter.
//
// It says which partitions there are at some time, which of them a range means, and, of what is known about the runs, in what state
// each is. It is pure: the caller brings the clock and what the runs have done. Start reading at Parse; the calendar is in calendar.go,
// the states are in state.go.
package partition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/schedule"
)

// Most is how many partitions a pipeline may have: eleven years of hours.
const Most = 100_000

// maxKey bounds a key of a list, in bytes.
const maxKey = 200

// Every is how long a partition of time is.
type Every string

// The lengths. They are those of the calendar in the partitions' time zone: a day may have 23 or 25 hours.
const (
	Hourly  Every = "hourly"
	Daily   Every = "daily"
	Weekly  Every = "weekly" // from Monday on
	Monthly Every = "monthly"
)

// Definition is how a pipeline is partitioned: by a parameter, and exactly one of Every, Keys and Numbers.
type Definition struct {
	Parameter string `json:"parameter" minLength:"1" maxLength:"200" doc:"the pipeline's parameter whose value is the key of the partition"`
	Every     Every  `json:"every,omitempty" enum:"hourly,daily,weekly,monthly" doc:"partitions of time, from start on"`
	// TimeZone is a name of the IANA database such as "Europe/Lisbon"; empty means UTC.
	TimeZone string `json:"time_zone,omitempty" maxLength:"100" doc:"name of the time zone that days and hours are meant in; default: UTC"`
	// Start is the first time, End the last: both lie in a partition that is there. Without End there is a new partition each time one is over.
	Start string `json:"start,omitempty" maxLength:"40" doc:"a time in the first partition: 2013-01-01, 2013-01 or 2013-01-01T06:00"`
	End   string `json:"end,omitempty" maxLength:"40" doc:"a time in the last partition; without it they go on as time does"`
	// Format is how a partition of time is written: directives of strftime.
	Format string `json:"format,omitempty" maxLength:"100" doc:"how the key is written, in directives of strftime such as %Y%m%d; default: 2013-01-31, 2013-01 for a month, 2013-01-31T06:00Z for an hour"`

	Keys    []string `json:"keys,omitempty" maxItems:"100000" doc:"the keys themselves, in their order"`
	Numbers *Numbers `json:"numbers,omitempty" doc:"whole numbers"`
}

// Numbers are the keys From, From+Step, … up to To.
type Numbers struct {
	From int64 `json:"from"`
	To   int64 `json:"to" doc:"the last one, if a step ends on it"`
	Step int64 `json:"step,omitempty" minimum:"1" doc:"default: 1"`
}

// Partition is one part. Start and End bound the time it is for, End excluded; they are nil where it is for none.
type Partition struct {
	Key        string
	Start, End *time.Time
}

// Set is a definition that was checked.
type Set struct {
	def   Definition
	zone  *time.Location
	first time.Time // as clocks show it, in UTC; the beginning of the first partition
	last  time.Time // the same for the time after the last one; zero where there is none
	fixed []Partition
}

// Parse checks a definition. Errors are Invalid.
func Parse(d Definition) (*Set, error) {
	s := &Set{def: d}
	if d.Parameter == "" {
		return nil, fault.Invalidf("partitions need the name of the parameter that takes their key")
	}
	ways := 0
	for _, given := range []bool{d.Every != "", len(d.Keys) > 0, d.Numbers != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, fault.Invalidf("partitions by %q have %d of a length of time, a list of keys and a range of numbers; want one of them", d.Parameter, ways)
	}
	if d.Every != "" {
		return s, s.parseTime()
	}
	if d.Start != "" || d.End != "" || d.TimeZone != "" || d.Format != "" {
		return nil, fault.Invalidf("a start, an end, a time zone and a format are for partitions of time; say how long they are, or leave those out")
	}
	if d.Numbers != nil {
		return s, s.parseNumbers()
	}
	return s, s.parseKeys()
}

func (s *Set) parseKeys() error {
	if len(s.def.Keys) > Most {
		return fault.Invalidf("%d keys are more than the %d that a pipeline may have", len(s.def.Keys), Most)
	}
	seen := make(map[string]bool, len(s.def.Keys))
	for _, key := range s.def.Keys {
		switch {
		case key == "":
			return fault.Invalidf("the key of a partition is empty")
		case len(key) > maxKey:
			return fault.Invalidf("the key %q is longer than %d bytes", fault.Shorten(key, 40), maxKey)
		case seen[key]:
			return fault.Invalidf("the key %q is there twice", fault.Shorten(key, 40))
		}
		seen[key] = true
		s.fixed = append(s.fixed, Partition{Key: key})
	}
	return nil
}

func (s *Set) parseNumbers() error {
	n := *s.def.Numbers
	if n.Step == 0 {
		n.Step = 1
	}
	if n.Step < 0 || n.To < n.From {
		return fault.Invalidf("the numbers from %d to %d in steps of %d are none; want a start, an end that is not before it, and a step of at least 1", n.From, n.To, n.Step)
	}
	if uint64(n.To-n.From)/uint64(n.Step) >= Most {
		return fault.Invalidf("the numbers from %d to %d are more than the %d partitions that a pipeline may have", n.From, n.To, Most)
	}
	for v := n.From; ; v += n.Step {
		s.fixed = append(s.fixed, Partition{Key: strconv.FormatInt(v, 10)})
		if v > n.To-n.Step {
			return nil
		}
	}
}

// Definition returns what the set was made of.
func (s *Set) Definition() Definition { return s.def }

// Zone is the time zone of partitions of time.
func (s *Set) Zone() *time.Location {
	if s.zone == nil {
		return time.UTC
	}
	return s.zone
}

// Partitions returns the partitions that there are, in their order. One of time is there once it is over. More than Most are an error.
func (s *Set) Partitions(now time.Time) ([]Partition, error) {
	if s.def.Every == "" {
		return s.fixed, nil
	}
	return s.times(now)
}

// KeyOf is the key that the value of a parameter stands for; empty for a value that is no key.
func KeyOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// Value is the reverse of KeyOf: what the parameter takes, which is a number where numeric is true.
func Value(key string, numeric bool) (any, error) {
	if !numeric {
		return key, nil
	}
	v, err := strconv.ParseFloat(key, 64)
	if err != nil || KeyOf(v) != key {
		return nil, fault.Invalidf("the partition %q is no number, and the parameter takes numbers; partition by numbers, or give the keys a format of digits", key)
	}
	return v, nil
}

// Select returns the partitions from one to another, both included; an empty text leaves that side open. For partitions of time each
// may be a key or any time (2013, 2013-01, 2013-01-31, 2013-01-31T06:00), for numbers a number, else it is a key. A range without
// partitions is Invalid.
func (s *Set) Select(all []Partition, from, to string) ([]Partition, error) {
	if len(all) == 0 {
		return nil, fault.Invalidf("there is no partition yet: the first one, from %s on, is not over", s.def.Start)
	}
	low, err := s.place(all, from, true)
	if err != nil {
		return nil, err
	}
	high, err := s.place(all, to, false)
	if err != nil {
		return nil, err
	}
	if low >= high {
		return nil, fault.Invalidf("there is no partition from %s to %s; they go from %s to %s", orOpen(from), orOpen(to), all[0].Key, all[len(all)-1].Key)
	}
	return all[low:high], nil
}

func orOpen(text string) string {
	if text == "" {
		return "either end"
	}
	return fmt.Sprintf("%q", fault.Shorten(text, 40))
}

// place is the index of the first partition that a lower bound allows, or of the one after the last that an upper bound does.
func (s *Set) place(all []Partition, bound string, lower bool) (int, error) {
	if bound == "" {
		if lower {
			return 0, nil
		}
		return len(all), nil
	}
	if i := slices.IndexFunc(all, func(p Partition) bool { return p.Key == bound }); i >= 0 {
		if lower {
			return i, nil
		}
		return i + 1, nil
	}
	switch {
	case s.def.Every != "":
		start, end, err := s.span(bound)
		if err != nil {
			return 0, err
		}
		if lower && !end.After(*all[0].Start) {
			return 0, fault.Invalidf("%q is before the first partition, %s; let the partitions start earlier", fault.Shorten(bound, 40), all[0].Key)
		}
		if lower {
			return firstWhere(all, func(p Partition) bool { return p.End.After(start) }), nil
		}
		return firstWhere(all, func(p Partition) bool { return !p.Start.Before(end) }), nil
	case s.def.Numbers != nil:
		n, err := strconv.ParseInt(bound, 10, 64)
		if err != nil {
			return 0, fault.Invalidf("%q is not a whole number", fault.Shorten(bound, 40))
		}
		return firstWhere(all, func(p Partition) bool {
			v, _ := strconv.ParseInt(p.Key, 10, 64) // made by parseNumbers
			return v > n || lower && v == n
		}), nil
	}
	return 0, fault.NotFoundf("there is no partition %q; they go from %s to %s", fault.Shorten(bound, 40), all[0].Key, all[len(all)-1].Key)
}

// firstWhere finds the first partition for which after is true; it is true for all that follow.
func firstWhere(all []Partition, after func(Partition) bool) int {
	i, _ := slices.BinarySearchFunc(all, true, func(p Partition, _ bool) int {
		if after(p) {
			return 1
		}
		return -1
	})
	return i
}

// Same reports whether two definitions name the same partitions but for where they start and end.
func Same(a, b Definition) bool {
	return a.Parameter == b.Parameter && a.Every == b.Every && a.TimeZone == b.TimeZone && a.Format == b.Format &&
		slices.Equal(a.Keys, b.Keys) && (a.Numbers == nil) == (b.Numbers == nil) && (a.Numbers == nil || *a.Numbers == *b.Numbers)
}

// Words says what the partitions are, in one line.
func (s *Set) Words() string {
	d := s.def
	switch {
	case len(d.Keys) > 0:
		return fmt.Sprintf("%s: %d keys", d.Parameter, len(d.Keys))
	case d.Numbers != nil:
		return fmt.Sprintf("%s: %d to %d", d.Parameter, d.Numbers.From, d.Numbers.To)
	}
	text := fmt.Sprintf("%s: %s from %s", d.Parameter, d.Every, d.Start)
	if d.End != "" {
		text += " to " + d.End
	}
	return text + " (" + s.Zone().String() + ")"
}

// format writes the key of a partition of time.
func (s *Set) format(t time.Time) string {
	if s.def.Format != "" {
		return schedule.Strftime(t, s.def.Format)
	}
	switch s.def.Every {
	case Hourly:
		return t.Format("2006-01-02T15:04Z07:00") // the offset tells the two hours apart that clocks show twice
	case Monthly:
		return t.Format("2006-01")
	}
	return t.Format(time.DateOnly)
}

// trim is a text of a user without spaces around it.
func trim(text string) string { return strings.TrimSpace(text) }
