package ir

import (
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	rawMessage  = reflect.TypeFor[json.RawMessage]()
	jsonNumber  = reflect.TypeFor[json.Number]()
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

// checkShape compares a value with the Go type it will be decoded into, so that an unknown field or a value of the
// wrong kind is reported with its place. Unknown fields are refused: ignoring one could change what a pipeline means.
func checkShape(v any, t reflect.Type, path string, at func(path string) *yaml.Node) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if v == nil || t == rawMessage || t.Kind() == reflect.Interface {
		return nil
	}
	wrong := func(want string) error {
		return invalidAt(path, at(path), "want %s, got %s", want, kindOf(v))
	}
	if t == jsonNumber {
		// protojson writes 64-bit integers as strings.
		if s, ok := v.(string); ok {
			if _, err := strconv.ParseInt(s, 10, 64); err == nil {
				return nil
			}
		}
		if _, ok := v.(float64); !ok {
			return wrong("a number")
		}
		return nil
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(b, reflect.New(t).Interface())
		}
		if err != nil {
			return invalidAt(path, at(path), "%v", err)
		}
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		if _, ok := v.(string); !ok {
			return wrong("a string")
		}
	case reflect.Bool:
		if _, ok := v.(bool); !ok {
			return wrong("true or false")
		}
	case reflect.Float64:
		if _, ok := v.(float64); !ok {
			return wrong("a number")
		}
	case reflect.Int:
		if f, ok := v.(float64); !ok || f != float64(int32(f)) {
			return wrong("a 32-bit integer")
		}
	case reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			return wrong("a list")
		}
		for i, e := range list {
			if err := checkShape(e, t.Elem(), path+"["+strconv.Itoa(i)+"]", at); err != nil {
				return err
			}
		}
	case reflect.Map, reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return wrong("a mapping")
		}
		return checkFields(m, t, path, at)
	}
	return nil
}

func checkFields(m map[string]any, t reflect.Type, path string, at func(string) *yaml.Node) error {
	for _, k := range sortedKeys(m) {
		elem := t
		if t.Kind() == reflect.Map {
			elem = t.Elem()
		} else {
			f, ok := fieldByJSON(t, k)
			if !ok {
				p := join(path, k)
				return invalidAt(p, at(p), "unknown field %q; known here are %s", k, strings.Join(jsonNames(t), ", "))
			}
			elem = f.Type
		}
		if m[k] == nil && elem.Kind() == reflect.Pointer && t.Kind() == reflect.Map {
			p := join(path, k)
			return invalidAt(p, at(p), "want a mapping, got nothing")
		}
		if err := checkShape(m[k], elem, join(path, k), at); err != nil {
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

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
