package expect

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// Failure says why an expectation could not be evaluated. Kind is the name of the error that Python would raise: suites' readers know it.
type Failure struct{ Kind, Message string }

func (f *Failure) Error() string { return f.Kind + ": " + f.Message }

func valueError(format string, args ...any) error {
	return &Failure{"ValueError", fmt.Sprintf(format, args...)}
}

func typeError(format string, args ...any) error {
	return &Failure{"TypeError", fmt.Sprintf(format, args...)}
}

// args reads the arguments of an expectation. The first mistake is kept in err; after it the readers return zero values.
type args struct {
	values map[string]any
	now    time.Time
	err    error
	read   map[string]bool
}

// value reads an argument and notes that it is known.
func (a *args) value(name string) any {
	if a.read == nil {
		a.read = map[string]bool{}
	}
	a.read[name] = true
	return a.values[name]
}

// everywhere are arguments that each expectation may have, though nothing here depends on them.
var everywhere = []string{"catch_exceptions", "include_config", "result_format", "meta", "notes", "description", "severity", "id", "batch_id", "table",
	"row_condition", "condition_parser", "rendered_content", "windows", "mostly", "ignore_row_if", "strict_min", "strict_max"}

// unknown fails where an argument was given that nothing read: a misspelt name must not go unnoticed.
func (a *args) unknown() {
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		if !a.read[name] && !slices.Contains(everywhere, name) {
			a.fail(&Failure{"ValidationError", fmt.Sprintf("%s: extra fields not permitted: the expectation has no such argument", name)})
		}
	}
}

func (a *args) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func (a *args) bad(name, want string) {
	a.fail(valueError("%s: %s, got %v", name, want, a.value(name)))
}

// has reports whether an argument was given and is not null.
func (a *args) has(name string) bool { return a.value(name) != nil }

// text reads a text that must be there.
func (a *args) text(name string) string {
	s, ok := a.value(name).(string)
	if !ok || s == "" && name != "regex" && name != "like_pattern" {
		a.bad(name, "want a text")
	}
	return s
}

// choice reads a text that is one of several; the first is the default.
func (a *args) choice(name string, among ...string) string {
	if !a.has(name) {
		return among[0]
	}
	s, _ := a.value(name).(string)
	if !slices.Contains(among, s) {
		a.bad(name, "value is not a valid enumeration member; permitted: "+strings.Join(among, ", "))
	}
	return s
}

func (a *args) boolean(name string, otherwise bool) bool {
	if !a.has(name) {
		return otherwise
	}
	b, ok := a.value(name).(bool)
	if !ok {
		a.bad(name, "want true or false")
	}
	return b
}

// number reads a number; ok says that it was given.
func (a *args) number(name string) (n float64, ok bool) {
	if !a.has(name) {
		return 0, false
	}
	n, ok = float(a.value(name))
	if !ok {
		a.bad(name, "value is not a valid float")
	}
	return n, ok
}

// share reads a number between 0 and 1.
func (a *args) share(name string, otherwise float64) float64 {
	n, ok := a.number(name)
	if !ok {
		return otherwise
	}
	switch {
	case n > 1:
		a.bad(name, "ensure this value is less than or equal to 1")
	case !(n >= 0):
		a.bad(name, "ensure this value is greater than or equal to 0")
	}
	return n
}

// whole reads an integer; ok says that it was given.
func (a *args) whole(name string) (n int64, ok bool) {
	if !a.has(name) {
		return 0, false
	}
	f, ok := float(a.value(name))
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		a.bad(name, "value is not a valid integer, bounds must be integers")
	}
	return int64(f), ok
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(v, 64)
		return f, err == nil
	}
	return 0, false
}

// list reads a list; nil where none was given.
func (a *args) list(name string) []any {
	if !a.has(name) {
		return nil
	}
	switch v := a.value(name).(type) {
	case []any:
		return v
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	}
	a.bad(name, "want a list")
	return nil
}

// texts reads a list of texts that must be there.
func (a *args) texts(name string) []string {
	list := a.list(name)
	if list == nil {
		a.bad(name, "want a list of texts")
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			a.bad(name, "want a list of texts")
		}
		out = append(out, s)
	}
	return out
}

// cells reads a list of values; nil where none was given.
func (a *args) cells(name string) []table.Cell {
	list := a.list(name)
	if list == nil {
		return nil
	}
	out := make([]table.Cell, 0, len(list))
	for _, v := range list {
		out = append(out, a.cell(name, v))
	}
	return out
}

func (a *args) cell(name string, v any) table.Cell {
	c, err := cells.From(v)
	if err != nil {
		a.bad(name, "want plain values")
	}
	return c
}

// span is a range of values. A bound that is not there is Null.
type span struct {
	low, high           table.Cell
	openLow, openHigh   bool
	timeLow, timeHigh   table.Cell // the bounds as times, where they are texts that are dates
	lowShown, highShown any
}

// span reads min_value, max_value, strict_min and strict_max.
func (a *args) span() span {
	s := span{openLow: a.boolean("strict_min", false), openHigh: a.boolean("strict_max", false)}
	s.low, s.high = a.cell("min_value", a.value("min_value")), a.cell("max_value", a.value("max_value"))
	s.lowShown, s.highShown = a.value("min_value"), a.value("max_value")
	s.timeLow, s.timeHigh = s.low, s.high
	if t, err := cells.AsTime(s.low, a.now); err == nil {
		s.timeLow = t
	}
	if t, err := cells.AsTime(s.high, a.now); err == nil {
		s.timeHigh = t
	}
	return s
}

// ordered fails where the lower bound is above the upper one.
func (s span) ordered() error {
	if cells.Missing(s.low) || cells.Missing(s.high) {
		return nil
	}
	if c, err := cells.Compare(s.timeLow, s.timeHigh); err == nil && c > 0 {
		return valueError("min_value cannot be greater than max_value, got %v and %v", s.lowShown, s.highShown)
	}
	return nil
}

// empty reports whether there is no bound at all.
func (s span) empty() bool { return cells.Missing(s.low) && cells.Missing(s.high) }

// holds reports whether a value lies within. Times are compared with bounds that are dates. The error is one of kinds without an order.
func (s span) holds(c table.Cell) (bool, error) {
	low, high := s.low, s.high
	if c.Kind == table.Time || c.Kind == table.Date {
		low, high = s.timeLow, s.timeHigh
	}
	if !cells.Missing(low) {
		k, err := cells.Compare(c, low)
		if err != nil || k < 0 || k == 0 && s.openLow {
			return false, err
		}
	}
	if !cells.Missing(high) {
		k, err := cells.Compare(c, high)
		if err != nil || k > 0 || k == 0 && s.openHigh {
			return false, err
		}
	}
	return true, nil
}

// numeric is the range for numbers; ok is false where a bound is no number.
func (s span) numeric() (low, high float64, ok bool) {
	low, high, ok = math.Inf(-1), math.Inf(1), true
	if !cells.Missing(s.low) {
		low, ok = cells.Num(s.low)
	}
	if ok && !cells.Missing(s.high) {
		high, ok = cells.Num(s.high)
	}
	return low, high, ok
}
