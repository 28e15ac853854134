package expect_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"levada/internal/core/expect"
	"levada/internal/core/expect/cells"
	"levada/internal/core/expect/pylike"
	"levada/internal/core/table"
)

// gxCases is the folder with Great Expectations' own test definitions: table in, expectation, result out.
func gxCases() string {
	if dir := os.Getenv("LEVADA_GX_CASES"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "..", "shared", "conformance", "gx")
}

// TestTheCasesOfGreatExpectationsEndAsTheyShould runs every published case and prints one line for each: passed, failed, or excluded
// with the reason. A case that is not excluded must pass.
func TestTheCasesOfGreatExpectationsEndAsTheyShould(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(gxCases(), "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("the published cases are not here (%s); LEVADA_GX_CASES names another folder", gxCases())
	}
	counts := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v, err := expect.DecodeJSON(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		definition := v.(map[string]any)
		kind := definition["expectation_type"].(string)
		for i, d := range definition["datasets"].([]any) {
			set := d.(map[string]any)
			for k, c := range set["tests"].([]any) {
				test := c.(map[string]any)
				verdict, why := runCase(kind, set, test)
				counts[verdict]++
				line := fmt.Sprintf("%-8s %s %d.%d %v", verdict, strings.TrimSuffix(filepath.Base(file), ".json"), i+1, k+1, test["title"])
				if why != "" {
					line += ": " + why
				}
				fmt.Println(line)
				if verdict == failed {
					t.Error(line)
				}
			}
		}
	}
	fmt.Printf("%d passed, %d failed, %d excluded\n", counts[passed], counts[failed], counts[excluded])
}

const (
	passed   = "passed"
	failed   = "failed"
	excluded = "excluded"
)

// excludedFor says why a case is not one for tables in memory; empty where it is.
func excludedFor(set, test map[string]any) string {
	for _, m := range []map[string]any{set, test} {
		ours := func(backend string) bool {
			return slices.Contains([]string{"pandas", "pandas>=024", "pandas_v3_api"}, backend)
		}
		if slices.ContainsFunc(words(m["suppress_test_for"]), ours) {
			return "suppressed for pandas by its authors"
		}
		only := words(m["only_for"])
		if len(only) == 0 || slices.ContainsFunc(only, ours) {
			continue
		}
		return "only for " + strings.Join(only, ", ")
	}
	return ""
}

func words(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		out = append(out, v)
	case []any:
		for _, w := range v {
			out = append(out, fmt.Sprint(w))
		}
	}
	return out
}

func runCase(kind string, set, test map[string]any) (verdict, why string) {
	if why := excludedFor(set, test); why != "" {
		return excluded, why
	}
	tables := map[string]table.Source{}
	data, ok := set["data"].(map[string]any)
	if list, several := set["data"].([]any); several && len(list) > 0 {
		for _, l := range list {
			one := l.(map[string]any)
			inner, _ := one["data"].(map[string]any)
			source, err := pandasTable(inner, schemaOf(one))
			if err != nil {
				return failed, err.Error()
			}
			tables[fmt.Sprint(one["dataset_name"])] = source
		}
		data, ok = list[0].(map[string]any)["data"].(map[string]any)
	}
	if !ok {
		return failed, "its data is no table"
	}
	out, _ := test["out"].(map[string]any)
	wanted, withIndex := out["unexpected_index_list"].([]any)
	if !withIndex {
		wanted, withIndex = asMap(out["result"])["unexpected_index_list"].([]any)
	}
	names := []string(nil)
	if withIndex && len(wanted) > 0 && isMap(wanted[0]) {
		data = maps.Clone(data)
		rows := 0
		for _, column := range data {
			rows = len(column.([]any))
		}
		ids := make([]any, rows)
		for i := range ids {
			ids[i] = int64(i)
		}
		data["pk_index"] = ids
		names = []string{"pk_index"}
	}
	source, err := pandasTable(data, schemaOf(set))
	if err != nil {
		return failed, err.Error()
	}
	kwargs, ok := test["in"].(map[string]any)
	if list, positional := test["in"].([]any); positional && len(list) == 1 {
		kwargs, ok = map[string]any{"column": list[0]}, true
	}
	if !ok {
		return failed, "its arguments are neither named nor one column"
	}
	suite := expect.Suite{Expectations: []expect.Expectation{{Type: kind, Kwargs: kwargs}}}
	report, err := expect.Check(tContext, source, suite, expect.Options{
		Format: expect.Format{Level: expect.Complete, Index: names}, Now: time.Now(),
		Table: func(name string) (table.Source, error) {
			if s, ok := tables[name]; ok {
				return s, nil
			}
			return nil, fmt.Errorf("there is no table %q", name)
		},
	})
	if err != nil {
		return failed, err.Error()
	}
	if problems := compare(report.Results[0], out, test); len(problems) > 0 {
		return failed, strings.Join(problems, "; ")
	}
	return passed, ""
}

// cdf holds the first or last bound of an observed distribution against one that it should have, be above (gt) or below (lt).
func cdf(key string, want, bounds any) (known, ok bool) {
	x, isList := bounds.([]any)
	w, isNumber := asFloat(want)
	if !strings.HasPrefix(key, "observed_cdf_x_") || !isList || !isNumber || len(x) == 0 {
		return strings.HasPrefix(key, "observed_cdf_x_"), false
	}
	at, _ := asFloat(x[0])
	if strings.Contains(key, "x_-1") {
		at, _ = asFloat(x[len(x)-1])
	}
	switch {
	case strings.HasSuffix(key, "gt"):
		return true, at > w
	case strings.HasSuffix(key, "lt"):
		return true, at < w
	}
	return true, at == w
}

func isMap(v any) bool { _, ok := v.(map[string]any); return ok }

func schemaOf(set map[string]any) map[string]any {
	schemas, _ := set["schemas"].(map[string]any)
	schema, _ := schemas["pandas"].(map[string]any)
	return schema
}

// pandasTable makes the table that pandas.DataFrame(data) and astype(schema) would make.
func pandasTable(data, schema map[string]any) (table.Source, error) {
	names := slices.Sorted(maps.Keys(data))
	m := table.Memory{}
	for _, name := range names {
		list := data[name].([]any)
		column := make([]table.Cell, len(list))
		var err error
		for i, v := range list {
			if column[i], err = cells.From(v); err != nil {
				return nil, err
			}
		}
		declared := ""
		if kind, ok := schema[name].(string); ok {
			if declared, err = cast(column, kind); err != nil {
				return nil, fmt.Errorf("column %s as %s: %w", name, kind, err)
			}
		}
		oneKind(column)
		m.Names = append(m.Names, table.Column{Name: name, Declared: declared})
		m.Vectors = append(m.Vectors, table.VectorOf(column))
	}
	return m, nil
}

// oneKind makes numbers of integers where a column has both, as a column of floats has.
func oneKind(column []table.Cell) {
	whole, numbers, others := false, false, false
	for _, c := range column {
		switch c.Kind {
		case table.Integer:
			whole = true
		case table.Number:
			numbers = true
		case table.Null:
		default:
			others = true
		}
	}
	if !whole || !numbers || others {
		return
	}
	for i, c := range column {
		if c.Kind == table.Integer {
			column[i] = table.Cell{Kind: table.Number, Float: float64(c.Int)}
		}
	}
}

// cast does what astype does, and returns the name of the type.
func cast(column []table.Cell, kind string) (string, error) {
	declared := ""
	for i, c := range column {
		switch lower := strings.ToLower(kind); {
		case lower == "str":
			column[i] = table.Cell{Kind: table.Text, Text: cells.Str(c)}
			declared = "object"
		case lower == "object":
			declared = "object"
		case c.Kind == table.Null:
		case strings.HasPrefix(lower, "datetime") || lower == "timestamp" || lower == "date":
			t, err := pylike.ParseDate(c.Text, time.Now())
			if err != nil {
				return "", err
			}
			column[i] = table.Cell{Kind: table.Time, Int: t.UnixMicro()}
			if lower == "date" {
				column[i] = table.Cell{Kind: table.Date, Int: int64(math.Floor(float64(t.Unix()) / 86400))}
			}
		case strings.HasPrefix(lower, "int"):
			f, ok := cells.Num(c)
			if !ok {
				var err error
				if f, err = strconv.ParseFloat(c.Text, 64); err != nil {
					return "", err
				}
			}
			column[i] = table.Cell{Kind: table.Integer, Int: int64(f)}
		case strings.HasPrefix(lower, "float"):
			f, ok := cells.Num(c)
			if !ok {
				return "", fmt.Errorf("%q is no number", c.Text)
			}
			column[i] = table.Cell{Kind: table.Number, Float: f}
		case lower == "bool":
		default:
			return "", fmt.Errorf("unknown type")
		}
		if lower := strings.ToLower(kind); lower == "timestamp" || lower == "datetime64[ns, tz]" {
			declared = "datetime64[ns, UTC]"
		}
	}
	return declared, nil
}

// The tolerances of Great Expectations' own tests.
const (
	relative = 1e-7
	absolute = 5e-8
)

// compare holds a result against what a case wants of it.
func compare(r expect.Result, out, test map[string]any) []string {
	var problems []string
	bad := func(what string, want, got any) {
		problems = append(problems, fmt.Sprintf("%s: want %v, got %v", what, brief(want), brief(got)))
	}
	text, err := json.Marshal(r.Fields())
	if err != nil {
		return []string{err.Error()}
	}
	v, err := expect.DecodeJSON(text)
	if err != nil {
		return []string{err.Error()}
	}
	got := v.(map[string]any)
	details, _ := got["details"].(map[string]any)
	tolerance := relative
	if f, ok := test["tolerance"].(float64); ok {
		tolerance = f
	}
	said := ""
	if r.Failure != nil {
		said = r.Failure.Error()
	}
	wantsFailure := false
	for _, m := range []map[string]any{out, asMap(test["error"])} {
		if want, ok := m["traceback_substring"].(string); ok {
			wantsFailure = true
			if !strings.Contains(said, want) {
				bad("failure", want, said)
			}
		}
	}
	if said != "" && !wantsFailure {
		problems = append(problems, "failure: "+said)
	}
	for key, want := range out {
		switch key {
		case "success":
			if r.Success != want {
				bad(key, want, r.Success)
			}
		case "observed_value":
			if !same(want, got[key], tolerance, key) {
				bad(key, want, got[key])
			}
		case "observed_value_list":
			if !slices.ContainsFunc(want.([]any), func(w any) bool { return same(w, got["observed_value"], 0, key) }) {
				bad(key, want, got["observed_value"])
			}
		case "unexpected_list", "partial_unexpected_list", "unexpected_index_list":
			if !sameList(want, got[key]) {
				bad(key, want, got[key])
			}
		case "details":
			if !same(want, details, relative, key) {
				bad(key, want, details)
			}
		case "value_counts":
			for _, w := range want.([]any) {
				list, _ := details[key].([]any)
				if !slices.ContainsFunc(list, func(g any) bool { return same(w, g, 0, key) }) {
					bad(key, w, details[key])
				}
			}
		case "expected_partition", "observed_partition":
			w, g := want.(map[string]any), asMap(details[key])
			for _, part := range []string{"bins", "weights", "tail_weights"} {
				if (part != "tail_weights" || g[part] != nil) && !same(w[part], g[part], 1e-5, part) {
					bad(key+"."+part, w[part], g[part])
				}
			}
		case "result":
			// As in Great Expectations' own test, of the details those count that both sides have.
			for k, w := range want.(map[string]any) {
				if g, ok := got[k]; ok && !same(w, g, relative, k) {
					bad("result."+k, w, g)
				} else if !ok && k != "details" {
					bad("result."+k, w, "nothing")
				}
			}
		case "traceback_substring", "meta":
		default:
			if known, ok := cdf(key, want, asMap(details["observed_cdf"])["x"]); !known {
				problems = append(problems, "the case wants something unknown: "+key)
			} else if !ok {
				bad(key, want, details["observed_cdf"])
			}
		}
	}
	return problems
}

func asMap(v any) map[string]any { m, _ := v.(map[string]any); return m }

func brief(v any) string {
	text := fmt.Sprint(v)
	if len(text) > 200 {
		return text[:200] + "…"
	}
	return text
}

// sameList compares lists without regard to order.
func sameList(want, got any) bool {
	w, ok := want.([]any)
	g, okToo := got.([]any)
	if !ok || !okToo || len(w) != len(g) {
		return want == nil && got == nil
	}
	left := slices.Clone(g)
	for _, x := range w {
		at := slices.IndexFunc(left, func(y any) bool { return same(x, y, relative, "") })
		if at < 0 {
			return false
		}
		left = slices.Delete(left, at, at+1)
	}
	return true
}

// same compares JSON values; numbers within a tolerance.
func same(want, got any, tolerance float64, key string) bool {
	if f, ok := asFloat(want); ok {
		g, ok := asFloat(got)
		return ok && (f == g || math.Abs(f-g) <= absolute+tolerance*math.Abs(f))
	}
	switch w := want.(type) {
	case []any:
		g, ok := got.([]any)
		if !ok || len(w) != len(g) {
			return false
		}
		for i := range w {
			if !same(w[i], g[i], tolerance, key) {
				return false
			}
		}
		return true
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(w) != len(g) {
			return false
		}
		for k := range w {
			if !same(w[k], g[k], tolerance, k) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(want, got)
}

func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
