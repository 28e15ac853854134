package kfp

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

// columnKind says how the values of a column are compared; the zero kind takes them as they are.
type columnKind int

const (
	// instant columns hold a time; KFP compares them with times or with Unix seconds.
	instant columnKind = iota + 1
	// state columns hold the words of RuntimeState, compared without regard to case as KFP's database does.
	state
	// hidden is storage_state: two words on the wire, a bool inside.
	hidden
)

type column struct {
	key  string
	kind columnKind
}

// columns maps the API's field names to those of the service's lists.
type columns map[string]column

func (c columns) names() string { return strings.Join(slices.Sorted(maps.Keys(c)), ", ") }

// operations are the enum numbers of Predicate.Operation, which the client sends in place of the words. There is no 4.
var operations = map[int]listing.Op{
	1: listing.Equals, 2: listing.NotEquals, 3: listing.GreaterThan, 5: listing.GreaterThanEquals,
	6: listing.LessThan, 7: listing.LessThanEquals, 8: listing.In, 9: listing.IsSubstring,
}

func readOperation(m message) (listing.Op, error) {
	raw := m.fields["operation"]
	var number int
	var word string
	if json.Unmarshal(raw, &number) == nil {
		if op, ok := operations[number]; ok {
			return op, nil
		}
	} else if json.Unmarshal(raw, &word) == nil {
		for _, op := range operations {
			if string(op) == word {
				return op, nil
			}
		}
	}
	return "", fault.Invalidf("%s.operation: want EQUALS, NOT_EQUALS, GREATER_THAN, GREATER_THAN_EQUALS, LESS_THAN, LESS_THAN_EQUALS, IN, "+
		"IS_SUBSTRING or its number, got %q", m.path, excerpt(raw))
}

// predicate translates one condition. A condition on storage_state that excludes nothing becomes none at all.
func (c columns) predicate(m message) ([]listing.Predicate, error) {
	op, err := readOperation(m)
	if err != nil {
		return nil, err
	}
	key, err := m.text("key")
	if err != nil {
		return nil, err
	}
	col, ok := c[key]
	if !ok {
		return nil, fault.Invalidf("%s.key: cannot filter on %q; possible: %s", m.path, shorten(key), c.names())
	}
	values, list, err := readValues(m)
	if err != nil {
		return nil, err
	}
	if list != (op == listing.In) {
		return nil, fault.Invalidf("%s: IN wants a list of values, every other operation a single one", m.path)
	}
	for i, v := range values {
		_, isText := v.(string)
		if op == listing.IsSubstring && !isText {
			return nil, fault.Invalidf("%s: IS_SUBSTRING wants a string_value", m.path)
		}
		if values[i], err = col.value(m.path, op, v); err != nil {
			return nil, err
		}
	}
	if col.kind == hidden {
		return hiddenPredicate(col.key, op, values), nil
	}
	return []listing.Predicate{{Key: col.key, Op: op, Values: values}}, nil
}

// value converts a wire value to what the column holds.
func (c column) value(path string, op listing.Op, v any) (any, error) {
	switch c.kind {
	case instant:
		switch v := v.(type) {
		case time.Time:
			return v, nil
		case int64:
			return time.Unix(v, 0).UTC(), nil
		case string:
			if t, err := time.Parse(time.RFC3339, v); err == nil {
				return t, nil
			}
		}
		return nil, fault.Invalidf("%s: want a timestamp_value in RFC 3339 or Unix seconds", path)
	case state:
		if s, ok := v.(string); ok {
			return strings.ToUpper(s), nil
		}
	case hidden:
		word, isText := v.(string)
		word = strings.TrimPrefix(strings.ToUpper(word), "STORAGESTATE_") // the prefix is that of API v1
		if !isText || op != listing.IsSubstring && word != storageState(false) && word != storageState(true) {
			return nil, fault.Invalidf("%s: storage_state is AVAILABLE or ARCHIVED", path)
		}
		return word, nil
	}
	return v, nil
}

// hiddenPredicate turns a condition on two words into one on a bool, by trying it on both.
func hiddenPredicate(key string, op listing.Op, values []any) []listing.Predicate {
	var fits []any
	for _, archived := range []bool{false, true} {
		if slices.ContainsFunc(values, func(v any) bool { return holds(storageState(archived), op, v.(string)) }) {
			fits = append(fits, archived)
		}
	}
	switch len(fits) {
	case 2:
		return nil
	case 1:
		return []listing.Predicate{{Key: key, Op: listing.Equals, Values: fits}}
	}
	return []listing.Predicate{{Key: key, Op: listing.In}} // of no value: nothing
}

// holds compares a word as the database compares text; IN asks about each of its values.
func holds(word string, op listing.Op, value string) bool {
	switch op {
	case listing.NotEquals:
		return word != value
	case listing.GreaterThan:
		return word > value
	case listing.GreaterThanEquals:
		return word >= value
	case listing.LessThan:
		return word < value
	case listing.LessThanEquals:
		return word <= value
	case listing.IsSubstring:
		return strings.Contains(word, value)
	}
	return word == value
}

// readValues returns the value or values of a predicate and whether they came as a list.
func readValues(m message) (values []any, list bool, err error) {
	var names []string
	for name := range m.fields {
		if name != "operation" && name != "key" {
			names = append(names, name)
		}
	}
	if len(names) != 1 {
		return nil, false, fault.Invalidf("%s: want exactly one of string_value, int_value, long_value, timestamp_value and their lists, got %d", m.path, len(names))
	}
	name := names[0]
	if kind, isList := strings.CutSuffix(name, "_values"); isList {
		inner, err := m.message(name, listFields...)
		if err != nil {
			return nil, true, err
		}
		var raw []json.RawMessage
		if inner.has("values") {
			if err := json.Unmarshal(inner.fields["values"], &raw); err != nil {
				return nil, true, fault.Invalidf("%s.values: want a list, got %s", inner.path, excerpt(inner.fields["values"]))
			}
		}
		for _, item := range raw {
			v, err := readValue(inner.path, kind+"_value", item)
			if err != nil {
				return nil, true, err
			}
			values = append(values, v)
		}
		return values, true, nil
	}
	v, err := readValue(m.path+"."+name, name, m.fields[name])
	return []any{v}, false, err
}

// readValue decodes one value by the name of its field. protojson writes 64-bit integers as text and takes both.
func readValue(path, name string, raw json.RawMessage) (any, error) {
	switch name {
	case "string_value":
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return s, nil
		}
	case "timestamp_value":
		var s string
		if json.Unmarshal(raw, &s) == nil {
			if t, err := time.Parse(time.RFC3339, s); err == nil {
				return t, nil
			}
		}
	case "int_value", "long_value":
		if n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, fault.Invalidf("%s: %s is not a %s", path, excerpt(raw), strings.TrimSuffix(name, "_value"))
}
