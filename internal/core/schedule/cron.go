package schedule

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// horizon bounds the search for the next time: the longest pause that an expression can ask for is the eight years between two
// 29ths of February around the turn of a century that is no leap year.
const horizon = 9

// cron is a parsed expression: one set of allowed values per field, as bits.
type cron struct {
	second, minute, hour, day, month, weekday uint64
	// anyDay is true when the day of month or the day of week is a star: then both fields must hold. Otherwise one is enough, as
	// cron has it since its beginning.
	anyDay bool
}

// field is what one place of an expression may hold.
type field struct {
	name     string
	min, max int
	names    []string // of the values from min on
}

// fields are the six places in their order.
var fields = [...]field{
	{name: "second", max: 59},
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day of month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of week", max: 6, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// descriptors stand for whole expressions.
var descriptors = map[string]string{
	"@yearly": "0 0 0 1 1 *", "@annually": "0 0 0 1 1 *", "@monthly": "0 0 0 1 * *", "@weekly": "0 0 0 * * 0",
	"@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *", "@hourly": "0 0 * * * *",
}

const usage = "want 6 fields: second, minute, hour, day of month, month, day of week, such as \"0 30 2 * * MON-FRI\""

// parseCron reads an expression in the syntax of KFP, which is that of github.com/robfig/cron before its version 3: six fields, the
// first of which is the second. The last may be left out. "?" is the same as "*".
func parseCron(expr string) (*cron, error) {
	if full, ok := descriptors[expr]; ok {
		expr = full
	}
	words := strings.Fields(expr)
	if len(words) == len(fields)-1 {
		words = append(words, "*")
	}
	if len(words) != len(fields) {
		return nil, fmt.Errorf("it has %d fields; %s", len(words), usage)
	}
	var sets [len(fields)]uint64
	for i, word := range words {
		set, err := fields[i].parse(word)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", fields[i].name, word, err)
		}
		sets[i] = set
	}
	return &cron{
		second: sets[0], minute: sets[1], hour: sets[2], day: sets[3], month: sets[4], weekday: sets[5],
		anyDay: hasStar(words[3]) || hasStar(words[5]),
	}, nil
}

// Warnings say where a trigger may mean something else than whoever wrote it thinks: elsewhere five fields begin with the minute.
func (t Trigger) Warnings() []string {
	expr, err := (&Schedule{trigger: t}).findZone(strings.TrimSpace(t.Cron))
	words := strings.Fields(expr)
	if err != nil || len(words) != len(fields)-1 {
		return nil
	}
	five := strings.Join(words, " ")
	return []string{fmt.Sprintf("cron: %q has five fields, and the first is the second, as with KFP; if it is meant to be the minute, write %q", five, "0 "+five)}
}

// hasStar reports whether a field holds a star, alone, with a step, or in a list.
func hasStar(word string) bool {
	for part := range strings.SplitSeq(word, ",") {
		if first, _, _ := strings.Cut(part, "/"); first == "*" || first == "?" {
			return true
		}
	}
	return false
}

// parse reads a list of ranges.
func (f field) parse(word string) (uint64, error) {
	var set uint64
	for part := range strings.SplitSeq(word, ",") {
		if part == "" {
			return 0, fmt.Errorf("a value is missing beside a comma")
		}
		s, err := f.parseRange(part)
		if err != nil {
			return 0, err
		}
		set |= s
	}
	return set, nil
}

// parseRange reads "*", "?", "N", "N-M", each with an optional "/STEP". "N/STEP" goes from N to the end.
func (f field) parseRange(part string) (uint64, error) {
	span, stepText, stepped := strings.Cut(part, "/")
	first, last, ranged := strings.Cut(span, "-")
	low, high, step := f.min, f.max, 1
	var err error
	if stepped {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
			return 0, fmt.Errorf("the step %q is not a positive number", stepText)
		}
	}
	switch {
	case (first == "*" || first == "?") && !ranged:
	default:
		if low, err = f.value(first); err != nil {
			return 0, err
		}
		if ranged {
			if high, err = f.value(last); err != nil {
				return 0, err
			}
		} else if !stepped {
			high = low
		}
	}
	if low > high {
		return 0, fmt.Errorf("the range %q ends before it begins", span)
	}
	var set uint64
	for v := low; v <= high; v += step {
		set |= 1 << v
		if step > high {
			break // also keeps v from overflowing
		}
	}
	return set, nil
}

func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	v, err := strconv.ParseUint(text, 10, 16)
	if err != nil || int(v) < f.min || int(v) > f.max {
		return 0, fmt.Errorf("%q is not a number from %d to %d%s", text, f.min, f.max, f.nameHint())
	}
	return int(v), nil
}

func (f field) nameHint() string {
	if f.names == nil {
		return ""
	}
	return fmt.Sprintf(" or a name such as %s", strings.ToUpper(f.names[1]))
}

// everyHour is the set of all hours.
const everyHour = 1<<24 - 1

// nextIn returns the first time after the given one, a whole second, at which clocks in a time zone show what the expression allows; the
// zero time when there is none. What it does where clocks are set, the comment of Trigger.TimeZone says; it is what cron has done since
// Vixie's: a daily run is there once every day.
func (c *cron) nextIn(after time.Time, zone *time.Location) time.Time {
	for {
		// Within a stretch of equal offset the clock is UTC and the offset.
		from := after.Add(time.Second)
		start, end := from.In(zone).ZoneBounds()
		shift := offset(from, zone)
		clock := after.UTC().Add(shift)
		if !start.IsZero() && c.hour != everyHour {
			// Where clocks are set back, what they have shown before has been; where they are set forward, what they leave out counts.
			shown := start.UTC().Add(offset(start.Add(-time.Second), zone) - time.Second)
			if from.Equal(start) || clock.Before(shown) {
				clock = shown
			}
		}
		next := c.next(clock)
		if next.IsZero() {
			return time.Time{}
		}
		at := next.Add(-shift)
		if at.Before(start) {
			at = start.UTC()
		}
		if end.IsZero() || at.Before(end) {
			return at
		}
		after = end.Add(-time.Second)
	}
}

// offset is how far clocks in a time zone are ahead of UTC.
func offset(t time.Time, zone *time.Location) time.Duration {
	_, seconds := t.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// next returns the first time after the given one, a whole second, that the expression allows, both as clocks show it: in UTC.
func (c *cron) next(clock time.Time) time.Time {
	t := clock.Add(time.Second)
	for last := t.Year() + horizon; t.Year() <= last; {
		year, month, day := t.Date()
		switch {
		case c.month&(1<<month) == 0:
			t = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
			continue
		case !c.matchesDay(t):
			t = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
			continue
		}
		if seconds, ok := c.inDay(t.Hour(), t.Minute(), t.Second()); ok {
			return time.Date(year, month, day, 0, 0, seconds, 0, time.UTC)
		}
		t = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
	}
	return time.Time{}
}

func (c *cron) matchesDay(t time.Time) bool {
	day, weekday := c.day&(1<<t.Day()) != 0, c.weekday&(1<<t.Weekday()) != 0
	if c.anyDay {
		return day && weekday
	}
	return day || weekday
}

// inDay returns the first second of the day, from the given time on, that the expression allows.
func (c *cron) inDay(hour, minute, second int) (int, bool) {
	if s, ok := from(c.second, second); ok && c.hour&(1<<hour) != 0 && c.minute&(1<<minute) != 0 {
		return (hour*60+minute)*60 + s, true
	}
	second, _ = from(c.second, 0)
	if m, ok := from(c.minute, minute+1); ok && c.hour&(1<<hour) != 0 {
		return (hour*60+m)*60 + second, true
	}
	minute, _ = from(c.minute, 0)
	h, ok := from(c.hour, hour+1)
	return (h*60+minute)*60 + second, ok
}

// from returns the smallest value of a set that is not below low.
func from(set uint64, low int) (int, bool) {
	rest := set >> low << low
	return bits.TrailingZeros64(rest), rest != 0
}
