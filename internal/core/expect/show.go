package expect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// Parse reads a suite, in the JSON form where the text begins as JSON does and in the short form where not.
func Parse(text []byte) (Suite, error) {
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		return ParseGX(text)
	}
	return ParseYAML(text)
}

// Statement is an expectation in words as short as in the short form, without its column: "between [0, 120], mostly 0.99".
func (e Expectation) Statement() string {
	column, _ := e.Kwargs["column"].(string)
	if registry[e.Type].main == "column" {
		column = ""
	}
	entry, ok := e.entry(column).(map[string]any)
	if !ok {
		return fmt.Sprint(e.entry(column))
	}
	name := registry[e.Type].short
	if name == "" {
		name = e.Type
	}
	parts := []string{name}
	if main := entry[name]; main != nil && main != true {
		parts[0] += " " + compact(main)
	}
	for _, key := range slices.Sorted(maps.Keys(entry)) {
		if key != name && key != keyIn && entry[key] != nil {
			parts = append(parts, key+" "+compact(entry[key]))
		}
	}
	return strings.Join(parts, ", ")
}

// compact is a value on one line, as in the short form.
func compact(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			if parts[i] = compact(x); x == nil {
				parts[i] = "…"
			}
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[float64]any:
		var parts []string
		for _, q := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, compact(q)+": "+compact(v[q]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case float64:
		return strconv.FormatFloat(v, 'g', 8, 64)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// reportJSON and resultJSON are a report for programs.
type reportJSON struct {
	Suite   string       `json:"suite,omitempty"`
	Success bool         `json:"success"`
	Rows    int64        `json:"rows"`
	Columns int          `json:"columns"`
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`
	Results []resultJSON `json:"results"`
	// Findings are about the reading of the table.
	Findings []table.Finding `json:"findings,omitempty"`
}

type resultJSON struct {
	Type        string         `json:"type"`
	Column      string         `json:"column,omitempty"`
	Statement   string         `json:"statement"`
	Success     bool           `json:"success"`
	Error       string         `json:"error,omitempty"`
	Observed    any            `json:"observed,omitempty"`
	Elements    *int64         `json:"elements,omitempty"`
	Missing     *int64         `json:"missing,omitempty"`
	Unexpected  *int64         `json:"unexpected,omitempty"`
	Examples    []exampleJSON  `json:"examples,omitempty"`
	Details     map[string]any `json:"details,omitempty"`
	Environment []string       `json:"in,omitempty"`
}

type exampleJSON struct {
	Row    int64 `json:"row"`
	Value  any   `json:"value"`
	Record any   `json:"id,omitempty"`
}

// JSON is the report in a form of our own, a value for encoding/json: shorter than GX. Rows are numbered from 0.
func (r *Report) JSON() any {
	out := reportJSON{Suite: r.Suite, Success: r.Success, Rows: r.Rows, Columns: r.Columns, Passed: r.Passed, Failed: len(r.Results) - r.Passed,
		Findings: r.Findings}
	for _, x := range r.Results {
		e := x.Expectation
		one := resultJSON{Type: e.Type, Column: e.Column(), Statement: e.Statement(), Success: x.Success, Environment: e.In}
		if x.Failure != nil {
			one.Error = x.Failure.Error()
		}
		if seen, ok := x.Observed(); ok && x.Failure == nil {
			one.Observed = seen
		}
		if n, missing, unexpected, ok := x.Counts(); ok && x.Failure == nil {
			one.Elements, one.Missing, one.Unexpected = &n, &missing, &unexpected
			for _, u := range x.Unexpected()[:min(len(x.Unexpected()), x.Format.Partial)] {
				example := exampleJSON{Row: u.Row, Value: x.outcome.mapped.shown(u)}
				if len(x.Format.Index) > 0 {
					example.Record = x.outcome.mapped.place(u, x.Format)
				}
				one.Examples = append(one.Examples, example)
			}
		}
		one.Details, _ = finite(jsonable(x.Details())).(map[string]any)
		out.Results = append(out.Results, one)
	}
	return out
}

// Shown is the value, the pair or the record of an unexpected row in a result, for people.
func (r Result) Shown(u Unexpected) string {
	if len(u.Values) == 1 {
		if cells.Missing(u.Values[0]) {
			return "nothing"
		}
		return u.Values[0].Shown()
	}
	parts := make([]string, len(u.Values))
	for i, c := range u.Values {
		if parts[i] = c.Shown(); cells.Missing(c) {
			parts[i] = "nothing"
		}
		if i < len(r.outcome.mapped.columns) {
			parts[i] = r.outcome.mapped.columns[i] + " " + parts[i]
		}
	}
	return strings.Join(parts, ", ")
}
