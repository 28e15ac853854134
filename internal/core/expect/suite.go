// Package expect checks tables against expectations.
//
// A Suite is a list of expectations, written in Great Expectations' JSON form or in the short YAML form of our own. Check reads a table
// once, batch by batch, and answers each expectation with its result; an expectation that cannot be evaluated says why and does not
// stop the others. The semantics are those of Great Expectations on pandas: a NaN is a value that is not there, and values that are not
// there are left out unless the expectation is about them.
//
// The package is pure: it knows no files, no formats and no server. Start reading at Check, then registry.go, which lists all
// expectations.
package expect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
)

// The bounds of a suite.
const (
	// MostBytes bounds the text of a suite.
	MostBytes = 32 << 20
	// MostExpectations bounds how many expectations a suite has.
	MostExpectations = 200_000
)

// Suite is a list of expectations about one table.
type Suite struct {
	Name         string
	Expectations []Expectation
	// Parameters are the values of $PARAMETER in the expectations; those given to Check come first.
	Parameters map[string]any
	Meta       map[string]any
}

// Expectation is one statement about a table.
type Expectation struct {
	// Type is its name in Great Expectations: "expect_column_values_to_be_between".
	Type string
	// Kwargs are its arguments as JSON values: nil, bool, int64, float64, string, []any, map[string]any.
	Kwargs map[string]any
	Meta   map[string]any
	ID     string
	// In names the environments the expectation holds in, as in a TFDV schema: "training", "serving". Empty: in all.
	In []string
}

// Column is the column an expectation is about, or the columns separated by commas; empty where it is about the table.
func (e Expectation) Column() string {
	if c, ok := e.Kwargs["column"].(string); ok && e.Type != "expect_column_to_exist" {
		return c
	}
	if a, ok := e.Kwargs["column_A"].(string); ok {
		b, _ := e.Kwargs["column_B"].(string)
		return a + ", " + b
	}
	if list, ok := e.Kwargs["column_list"].([]any); ok && !strings.HasPrefix(e.Type, "expect_table") {
		names := make([]string, len(list))
		for i, n := range list {
			names[i] = fmt.Sprint(n)
		}
		return strings.Join(names, ", ")
	}
	return ""
}

// gxExpectation is an expectation in Great Expectations' JSON form, of the versions from 0.13 to 1.x.
type gxExpectation struct {
	Type    string         `json:"type,omitempty"`
	OldType string         `json:"expectation_type,omitempty"`
	Kwargs  map[string]any `json:"kwargs"`
	Meta    map[string]any `json:"meta,omitempty"`
	ID      string         `json:"id,omitempty"`
}

type gxSuite struct {
	Name            string          `json:"name,omitempty"`
	OldName         string          `json:"expectation_suite_name,omitempty"`
	Expectations    []gxExpectation `json:"expectations"`
	SuiteParameters map[string]any  `json:"suite_parameters,omitempty"`
	Meta            map[string]any  `json:"meta,omitempty"`
}

// environmentsKey is where the environments of an expectation stand in its meta in the JSON form.
const environmentsKey = "environments"

// ParseGX reads a suite in Great Expectations' JSON form: that of 1.x and the older one with expectation_type.
func ParseGX(text []byte) (Suite, error) {
	if len(text) > MostBytes {
		return Suite{}, fault.TooLargef("the suite is larger than %d MiB", MostBytes>>20)
	}
	value, err := DecodeJSON(text)
	if err != nil {
		return Suite{}, fault.Invalidf("read the suite: %w", err)
	}
	top, ok := value.(map[string]any)
	if !ok {
		return Suite{}, fault.Invalidf(`read the suite: want an object with "expectations", got something else`)
	}
	list, ok := top["expectations"].([]any)
	if !ok {
		return Suite{}, fault.Invalidf(`read the suite: it has no list "expectations"`)
	}
	s := Suite{Name: textOr(top, "name", "expectation_suite_name")}
	s.Meta, _ = top["meta"].(map[string]any)
	s.Parameters, _ = top["suite_parameters"].(map[string]any)
	for i, v := range list {
		m, _ := v.(map[string]any)
		e := Expectation{Type: textOr(m, "type", "expectation_type"), ID: textOr(m, "id")}
		if e.Type == "" {
			return Suite{}, fault.Invalidf("read the suite: expectation %d has no type", i+1)
		}
		e.Kwargs, _ = m["kwargs"].(map[string]any)
		if e.Kwargs == nil {
			e.Kwargs = map[string]any{}
		}
		e.Meta, _ = m["meta"].(map[string]any)
		if in, ok := e.Meta[environmentsKey].([]any); ok {
			for _, name := range in {
				e.In = append(e.In, fmt.Sprint(name))
			}
		}
		s.Expectations = append(s.Expectations, e)
	}
	return s, s.check()
}

// check bounds a suite. Types that nobody knows are an error when they are evaluated: suites may hold expectations of people's own, and
// the others are to be checked all the same.
func (s Suite) check() error {
	if len(s.Expectations) > MostExpectations {
		return fault.TooLargef("the suite has %d expectations, more than %d", len(s.Expectations), MostExpectations)
	}
	return nil
}

// didYouMean names the known type that is nearest.
func didYouMean(name string) string {
	best, nearest := 4, ""
	for known := range registry {
		if d := distance(name, known, best); d < best {
			best, nearest = d, known
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", nearest)
}

// distance is the number of changed letters between two names, or most where it is no less.
func distance(a, b string, most int) int {
	if len(a) > 100 || max(len(a)-len(b), len(b)-len(a)) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := before
			if a[i-1] != b[j-1] {
				cost++
			}
			before = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// GX is the suite in the JSON form of Great Expectations 1.x.
func (s Suite) GX() ([]byte, error) {
	out := gxSuite{Name: s.Name, SuiteParameters: s.Parameters, Meta: s.Meta, Expectations: []gxExpectation{}}
	for _, e := range s.Expectations {
		meta := e.Meta
		if len(e.In) > 0 {
			meta = maps.Clone(meta)
			if meta == nil {
				meta = map[string]any{}
			}
			meta[environmentsKey] = e.In
		}
		out.Expectations = append(out.Expectations, gxExpectation{Type: e.Type, Kwargs: finite(e.Kwargs).(map[string]any), Meta: meta, ID: e.ID})
	}
	return json.MarshalIndent(out, "", "  ")
}

// finite replaces numbers that JSON has not by texts that DecodeJSON's readers understand as bounds.
func finite(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = finite(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = finite(x)
		}
		return out
	}
	return v
}

func textOr(m map[string]any, keys ...string) string {
	for _, k := range keys {
		if s, ok := m[k].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// The words that Python writes into JSON for numbers that JSON has not, and the text by which they go through Go's decoder.
const outside = "\x01number "

// DecodeJSON reads a JSON text as Python writes it: NaN, Infinity and -Infinity are numbers. Integers become int64, other numbers
// float64.
func DecodeJSON(text []byte) (any, error) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\' && i+1 < len(text):
			b.WriteByte(c)
			i++
			c = text[i]
		case c == '"':
			quoted = !quoted
		case !quoted && (c == 'N' || c == 'I' || c == '-' && i+1 < len(text) && text[i+1] == 'I'):
			word, ok := cutWord(text[i:])
			if ok {
				b.WriteString(`"\u0001number ` + word + `"`)
				i += len(word) - 1
				continue
			}
		}
		b.WriteByte(c)
	}
	d := json.NewDecoder(strings.NewReader(b.String()))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return plainNumbers(v), nil
}

func cutWord(text []byte) (string, bool) {
	i := slices.IndexFunc([]string{"NaN", "Infinity", "-Infinity"}, func(w string) bool { return strings.HasPrefix(string(text[:min(9, len(text))]), w) })
	if i < 0 {
		return "", false
	}
	return []string{"NaN", "Infinity", "-Infinity"}[i], true
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		f, _ := strconv.ParseFloat(v.String(), 64) // out of range it is infinite, which is what is meant
		return f
	case string:
		if word, ok := strings.CutPrefix(v, outside); ok {
			f, err := strconv.ParseFloat(word, 64)
			if err == nil {
				return f
			}
		}
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}
