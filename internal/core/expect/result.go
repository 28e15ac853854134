package expect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// Report is what the checking of a table found.
type Report struct {
	Suite   string
	Success bool
	Rows    int64
	Columns int
	// Passed counts the results that are successes.
	Passed  int
	Results []Result
	// Findings are what was read of the columns in another way than it is written, or left out.
	Findings []table.Finding
}

// Result is what was found of one expectation.
type Result struct {
	Expectation Expectation
	Success     bool
	// Failure says why it could not be evaluated; nil where it could.
	Failure *Failure
	Format  Format
	outcome outcome
}

// Counts are how many rows were looked at, how many of them were left out for missing values, and how many are not as expected. ok is
// false for an expectation that is not about each row.
func (r Result) Counts() (elements, missing, unexpected int64, ok bool) {
	m := r.outcome.mapped
	if m == nil {
		return 0, 0, 0, false
	}
	return m.elements, m.ignored, m.unexpected, true
}

// Observed is the figure that was seen, for expectations about one, as a value for encoding/json.
func (r Result) Observed() (any, bool) { return r.outcome.observed, r.outcome.shown }

// Details is what else was seen.
func (r Result) Details() map[string]any { return r.outcome.details }

// Unexpected are rows that are not as expected, in order, as many as the format keeps.
func (r Result) Unexpected() []Unexpected {
	if r.outcome.mapped == nil {
		return nil
	}
	return r.outcome.mapped.rows
}

// gxException is exception_info.
type gxException struct {
	Raised    bool    `json:"raised_exception"`
	Traceback *string `json:"exception_traceback"`
	Message   *string `json:"exception_message"`
}

// gxResult is one result in Great Expectations' form.
type gxResult struct {
	Success   bool           `json:"success"`
	Config    gxExpectation  `json:"expectation_config"`
	Result    map[string]any `json:"result"`
	Meta      map[string]any `json:"meta"`
	Exception gxException    `json:"exception_info"`
}

// GX is the report in the form of Great Expectations' validation results, a value for encoding/json.
func (r *Report) GX() any {
	results := make([]gxResult, 0, len(r.Results))
	for _, x := range r.Results {
		results = append(results, x.gx())
	}
	percent := 100.0
	if len(r.Results) > 0 {
		percent = float64(r.Passed) / float64(len(r.Results)) * 100
	}
	return map[string]any{
		"success": r.Success, "suite_name": r.Suite, "results": results, "meta": map[string]any{}, "suite_parameters": map[string]any{},
		"statistics": map[string]any{"evaluated_expectations": len(r.Results), "successful_expectations": r.Passed,
			"unsuccessful_expectations": len(r.Results) - r.Passed, "success_percent": percent},
	}
}

func (r Result) gx() gxResult {
	e := r.Expectation
	out := gxResult{Success: r.Success, Meta: map[string]any{}, Result: r.Fields(),
		Config: gxExpectation{Type: e.Type, Kwargs: finite(e.Kwargs).(map[string]any), Meta: e.Meta, ID: e.ID}}
	if out.Config.Meta == nil {
		out.Config.Meta = map[string]any{}
	}
	if r.Failure != nil {
		text := r.Failure.Error()
		out.Exception = gxException{true, &text, &r.Failure.Message}
	}
	return out
}

// Fields is the result as Great Expectations names its parts, at the level of the format.
func (r Result) Fields() map[string]any {
	out := map[string]any{}
	o := r.outcome
	if r.Failure != nil || r.Format.Level == BooleanOnly {
		return out
	}
	if o.shown {
		out["observed_value"] = o.observed
	}
	if o.counted {
		out["element_count"], out["missing_count"], out["missing_percent"] = o.elements, o.missing, percent(o.missing, o.elements)
		if o.missingUnsaid {
			out["missing_count"], out["missing_percent"] = nil, nil
		}
	}
	if len(o.details) > 0 && r.Format.Level != Basic {
		out["details"] = finite(jsonable(o.details))
	}
	if o.mapped != nil {
		o.mapped.fields(out, r.Format)
	}
	return out
}

// jsonable turns lists of numbers into lists of any value, so that infinities in them can be written.
func jsonable(v any) any {
	switch v := v.(type) {
	case []float64:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = x
		}
		return out
	case map[string][]float64:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = jsonable(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = jsonable(x)
		}
		return out
	}
	return v
}

func percent(part, of int64) any {
	if of == 0 {
		return nil
	}
	return float64(part) / float64(of) * 100
}

func (m *mapped) fields(out map[string]any, f Format) {
	considered := m.elements - m.ignored
	out["element_count"], out["unexpected_count"] = m.elements, m.unexpected
	out["unexpected_percent"] = percent(m.unexpected, considered)
	if !m.ofMissing {
		out["missing_count"], out["missing_percent"] = m.ignored, percent(m.ignored, m.elements)
		out["unexpected_percent_total"] = percent(m.unexpected, m.elements)
		out["unexpected_percent_nonmissing"] = percent(m.unexpected, considered)
	}
	if len(f.Index) > 0 {
		out["unexpected_index_column_names"] = f.Index
	}
	values := make([]any, 0, min(len(m.rows), mostExamples))
	for _, u := range m.rows[:min(len(m.rows), mostExamples)] {
		values = append(values, m.shown(u))
	}
	partial := values[:min(len(values), f.Partial)]
	if !f.WithoutValues {
		out["partial_unexpected_list"] = partial
	}
	if f.Level == Basic {
		return
	}
	index := make([]any, 0, len(m.rows))
	for _, u := range m.rows {
		index = append(index, m.place(u, f))
	}
	if f.Partial > 0 {
		if !f.WithoutValues {
			counted := partial
			if f.Level == Complete {
				counted = values
			}
			out["partial_unexpected_counts"] = m.frequencies(len(counted), f.Partial)
		}
		out["partial_unexpected_index_list"] = index[:min(len(index), f.Partial)]
	}
	if f.Level == Summary {
		return
	}
	if !f.WithoutValues {
		out["unexpected_list"] = values
	}
	out["unexpected_index_list"] = index
}

// shown is the value, the pair or the record of an unexpected row.
func (m *mapped) shown(u Unexpected) any {
	switch m.form {
	case single:
		return cells.JSON(u.Values[0])
	case pair:
		return []any{cells.JSON(u.Values[0]), cells.JSON(u.Values[1])}
	}
	return m.named(u)
}

func (m *mapped) named(u Unexpected) map[string]any {
	out := map[string]any{}
	for i, c := range m.columns {
		if i < len(u.Values) {
			out[c] = cells.JSON(u.Values[i])
		}
	}
	return out
}

// place says which row it is: its number, or the values of the columns that identify it beside its own.
func (m *mapped) place(u Unexpected, f Format) any {
	if len(f.Index) == 0 {
		return u.Row
	}
	out := map[string]any{}
	if !f.WithoutValues {
		out = m.named(u)
	}
	for i, name := range f.Index {
		if i < len(u.IDs) {
			out[name] = cells.JSON(u.IDs[i])
		}
	}
	return out
}

// frequencies counts the values of the first unexpected rows, the most frequent first.
func (m *mapped) frequencies(first, most int) []any {
	type frequency struct {
		values []table.Cell
		shown  any
		count  int64
		order  int
	}
	found := map[string]*frequency{}
	for i, u := range m.rows[:first] {
		id := ""
		for _, c := range u.Values {
			id += fmt.Sprintf("%d\x00%s\x01", c.Kind, cells.Str(c))
		}
		if found[id] == nil {
			found[id] = &frequency{u.Values, m.shown(u), 0, i}
		}
		found[id].count++
	}
	all := slices.Collect(maps.Values(found))
	slices.SortFunc(all, func(a, b *frequency) int { return cmp.Or(cmp.Compare(b.count, a.count), a.order-b.order) })
	all = all[:min(len(all), most)]
	slices.SortStableFunc(all, func(a, b *frequency) int {
		if c := cmp.Compare(b.count, a.count); c != 0 {
			return c
		}
		for i := range a.values {
			if c, err := cells.Compare(a.values[i], b.values[i]); err == nil && c != 0 {
				return c
			}
		}
		return 0
	})
	out := make([]any, 0, len(all))
	for _, f := range all {
		value := f.shown
		if m.form == record {
			list := make([]any, len(f.values))
			for i, c := range f.values {
				list[i] = cells.JSON(c)
			}
			value = list
		}
		out = append(out, map[string]any{"value": value, "count": f.count})
	}
	return out
}
