package ir

import (
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
)

var (
	rawMessage  = reflect.TypeFor[json.RawMessage]()
	jsonNumber  = reflect.TypeFor[json.Number]()
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

// checkShape compares a value with the Go type it will be decoded into, so that an unknown field or a value of the
// wrong kind is reported with its place. Unknown fields are refused: ignoring one could change what a pipeline means.
func (p part) checkShape(v any, t reflect.Type, at *place) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if v == nil || t == rawMessage || t.Kind() == reflect.Interface {
		return nil
	}
	if t != jsonNumber && reflect.PointerTo(t).Implements(unmarshaler) {
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(b, reflect.New(t).Interface())
		}
		if err != nil {
			return p.fail(at, "%v", err)
		}
		return nil
	}
	if want := wanted(v, t); want != "" {
		return p.fail(at, "want %s, got %s", want, kindOf(v))
	}
	switch v := v.(type) {
	case []any:
		here := place{up: at, item: true}
		for i, e := range v {
			here.index = i
			if err := p.checkShape(e, t.Elem(), &here); err != nil {
				return err
			}
		}
	case map[string]any:
		return p.checkFields(v, t, at)
	}
	return nil
}

// wanted names the kind of value that t takes when v is not one, and is empty when it is.
func wanted(v any, t reflect.Type) string {
	is := func(ok bool, want string) string {
		if ok {
			return ""
		}
		return want
	}
	number, isNumber := v.(float64)
	text, isText := v.(string)
	switch t.Kind() {
	case reflect.String:
		if t == jsonNumber { // protojson writes 64-bit integers as strings
			_, err := strconv.ParseInt(text, 10, 64)
			return is(isNumber || err == nil, "a number")
		}
		return is(isText, "a string")
	case reflect.Bool:
		_, ok := v.(bool)
		return is(ok, "true or false")
	case reflect.Float64:
		return is(isNumber, "a number")
	case reflect.Int:
		return is(isNumber && number == float64(int32(number)), "a 32-bit integer")
	case reflect.Slice:
		_, ok := v.([]any)
		return is(ok, "a list")
	case reflect.Map, reflect.Struct:
		_, ok := v.(map[string]any)
		return is(ok, "a mapping")
	}
	return ""
}

func (p part) checkFields(m map[string]any, t reflect.Type, at *place) error {
	here := place{up: at}
	for _, k := range sortedKeys(m) {
		here.key = k
		elem := t
		if t.Kind() == reflect.Map {
			elem = t.Elem()
		} else {
			f, ok := fieldByJSON(t, k)
			if !ok {
				return p.fail(&here, "unknown field %q; known here are %s", shorten(k), strings.Join(jsonNames(t), ", "))
			}
			elem = f.Type
		}
		if m[k] == nil && elem.Kind() == reflect.Pointer && t.Kind() == reflect.Map {
			return p.fail(&here, "want a mapping, got nothing")
		}
		if err := p.checkShape(m[k], elem, &here); err != nil {
			return err
		}
	}
	return nil
}

func fieldByJSON(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if jsonName(t.Field(i)) == name {
			return t.Field(i), true
		}
	}
	return reflect.StructField{}, false
}

func jsonNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if n := jsonName(t.Field(i)); n != "" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case float64:
		return "the number " + formatNumber(v)
	case string:
		return "the string " + strconv.Quote(shorten(v))
	case []any:
		return "a list"
	default:
		return "a mapping"
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
