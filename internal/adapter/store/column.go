package store

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/listing"
)

// kind is how the values of a column are stored and compared.
type kind int

const (
	text   kind = iota
	moment      // microseconds since 1970, UTC
	flag        // 0 or 1
	number      // a whole number
)

// column is one that lists can be filtered and sorted by.
type column struct {
	name string
	kind kind
	// folded is the column that holds the same text in lower case, for columns whose text is not plain ASCII.
	// The lower case is made here, because engines differ in what they can fold.
	folded string
	// optional columns hold 0, or no text, where there is no value. No comparison but NOT_EQUALS holds for those,
	// as with NULL.
	optional bool
}

// fold is the form in which text is searched, so that upper and lower case are the same.
func fold(s string) string { return strings.ToLower(s) }

// micros is the stored form of a time; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// microsOrNone is micros for a time that may be absent.
func microsOrNone(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return micros(*t)
}

// instant is the reverse of micros.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// bit is the stored form of a flag.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (l *list) keyNames() string {
	return strings.Join(slices.Sorted(maps.Keys(l.columns)), ", ")
}

// condition translates a predicate into SQL whose values are bound.
func (c column) condition(p listing.Predicate, bind func(any) string) (string, error) {
	if p.Op == listing.In {
		return c.in(p, bind)
	}
	if len(p.Values) != 1 {
		return "", fmt.Errorf("filter on %s: %s takes one value, got %d", p.Key, p.Op, len(p.Values))
	}
	if p.Op == listing.IsSubstring {
		return c.substring(p, bind)
	}
	operator, ok := map[listing.Op]string{
		listing.Equals: "=", listing.NotEquals: "<>",
		listing.GreaterThan: ">", listing.GreaterThanEquals: ">=",
		listing.LessThan: "<", listing.LessThanEquals: "<=",
	}[p.Op]
	if !ok {
		return "", fmt.Errorf("filter on %s: unknown operation %q", p.Key, p.Op)
	}
	if c.kind == flag && p.Op != listing.Equals && p.Op != listing.NotEquals {
		return "", fmt.Errorf("filter on %s: true and false cannot be compared with %s; use %s", p.Key, p.Op, listing.Equals)
	}
	v, err := c.value(p.Key, p.Values[0])
	if err != nil {
		return "", err
	}
	condition := fmt.Sprintf("%s %s %s", c.name, operator, bind(v))
	if c.optional && p.Op != listing.NotEquals {
		condition = fmt.Sprintf("(%s AND %s <> %s)", condition, c.name, c.none())
	}
	return condition, nil
}

// none is what an optional column holds where there is no value. It stands in the statement as it is, so that indexes without such
// rows can be used.
func (c column) none() string {
	if c.kind == text {
		return "''"
	}
	return "0"
}

func (c column) in(p listing.Predicate, bind func(any) string) (string, error) {
	if len(p.Values) == 0 {
		return "0 = 1", nil
	}
	if len(p.Values) > maxInValues {
		return "", fmt.Errorf("filter on %s: IN with %d values is more than the %d allowed", p.Key, len(p.Values), maxInValues)
	}
	places := make([]string, len(p.Values))
	for i, v := range p.Values {
		v, err := c.value(p.Key, v)
		if err != nil {
			return "", err
		}
		places[i] = bind(v)
	}
	return fmt.Sprintf("%s IN (%s)", c.name, strings.Join(places, ", ")), nil
}

func (c column) substring(p listing.Predicate, bind func(any) string) (string, error) {
	s, ok := p.Values[0].(string)
	if !ok || c.kind != text {
		return "", fmt.Errorf("filter on %s: %s works on text only", p.Key, p.Op)
	}
	name := c.folded
	if name == "" {
		name = "LOWER(" + c.name + ")"
	}
	return fmt.Sprintf(`%s LIKE %s ESCAPE '\'`, name, bind(partOf(fold(s)))), nil
}

// value checks a value of a predicate and returns its stored form.
func (c column) value(key string, v any) (any, error) {
	switch c.kind {
	case moment:
		switch v := v.(type) {
		case time.Time:
			return v.UnixMicro(), nil
		case string:
			t, err := time.Parse(time.RFC3339Nano, v)
			if err != nil {
				return nil, fmt.Errorf("filter on %s: want a time such as 2026-01-31T12:00:00Z, got %q", key, v)
			}
			return t.UnixMicro(), nil
		}
		return nil, fmt.Errorf("filter on %s: want a time, got %v", key, v)
	case flag:
		switch v := v.(type) {
		case bool:
			return bit(v), nil
		case string:
			b, err := strconv.ParseBool(v)
			if err != nil {
				return nil, fmt.Errorf("filter on %s: want true or false, got %q", key, v)
			}
			return bit(b), nil
		}
		return nil, fmt.Errorf("filter on %s: want true or false, got %v", key, v)
	case number:
		return numberValue(key, v)
	default:
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("filter on %s: want text, got %v", key, v)
		}
		return s, nil
	}
}
