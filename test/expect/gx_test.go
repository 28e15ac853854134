// Package expect_test compares data checks with the libraries whose semantics they have.
package expect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"levada/internal/core/expect"
	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
	"levada/test/levadatest"
)

// column is a column of a random table, as the Python side reads it.
type column struct {
	Kind   string `json:"kind"`
	Values []any  `json:"values"`
}

type gxCase struct {
	Columns map[string]column `json:"columns"`
	Type    string            `json:"type"`
	Kwargs  map[string]any    `json:"kwargs"`
}

type gxResult struct {
	Success bool           `json:"success"`
	Result  map[string]any `json:"result"`
	Raised  *string        `json:"raised"`
}

// TestRandomTablesAreJudgedAsByGreatExpectations makes random tables and arguments for each expectation and compares the results with
// those of the library itself.
func TestRandomTablesAreJudgedAsByGreatExpectations(t *testing.T) {
	if os.Getenv("LEVADA_DATA") != "all" {
		t.Skip("compares with Great Expectations itself; run by make test-data-all")
	}
	each := 40
	if n, err := strconv.Atoi(os.Getenv("LEVADA_GX_EACH")); err == nil {
		each = n
	}
	seed := uint64(1)
	if n, err := strconv.ParseUint(os.Getenv("LEVADA_GX_SEED"), 10, 64); err == nil {
		seed = n
	}
	d := &dice{rand.New(rand.NewPCG(seed, 7))}
	var cases []gxCase
	for _, kind := range expect.Types() {
		make, ok := arguments[kind]
		if !ok {
			continue
		}
		for range each {
			c := gxCase{Type: kind, Columns: d.table()}
			c.Kwargs = make(d)
			d.common(kind, c.Kwargs)
			cases = append(cases, c)
		}
	}
	theirs := greatExpectations(t, cases)
	wrong := map[string]int{}
	for i, c := range cases {
		if problems := judge(t, c, theirs[i]); len(problems) > 0 {
			if wrong[c.Type]++; wrong[c.Type] <= 3 {
				args, _ := json.Marshal(c.Kwargs)
				t.Errorf("%s %s: %s", c.Type, args, strings.Join(problems, "; "))
			}
		}
	}
	t.Logf("%d cases of %d expectations, %d differ", len(cases), len(arguments), sum(wrong))
}

func allMissing(values []any) bool {
	return !slices.ContainsFunc(values, func(v any) bool { return v != nil })
}

func brief(v any) string {
	text := fmt.Sprint(v)
	return text[:min(len(text), 300)]
}

func sum(m map[string]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}

func greatExpectations(t *testing.T, cases []gxCase) []gxResult {
	t.Helper()
	python, err := levadatest.LibraryPython("expect", "gx")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	in, out := filepath.Join(dir, "cases.json"), filepath.Join(dir, "results.json")
	if err := os.WriteFile(in, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, filepath.Join(levadatest.Root(), "test", "expect", "gx_results.py"), in, out)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("great_expectations: %v\n%s", err, said)
	}
	if text, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	v, err := expect.DecodeJSON(text) // Python writes NaN
	if err != nil {
		t.Fatal(err)
	}
	var results []gxResult
	for _, r := range v.([]any) {
		m := r.(map[string]any)
		one := gxResult{Success: m["success"] == true}
		one.Result, _ = m["result"].(map[string]any)
		if s, ok := m["raised"].(string); ok {
			one.Raised = &s
		}
		results = append(results, one)
	}
	return results
}

// memory is a random table for our side.
func memory(columns map[string]column) table.Source {
	m := table.Memory{}
	names := make([]string, 0, len(columns))
	for name := range columns {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := columns[name]
		list := make([]table.Cell, len(c.Values))
		for i, v := range c.Values {
			list[i], _ = cells.From(v)
			if c.Kind == "time" {
				list[i], _ = cells.AsTime(list[i], time.Now())
			}
		}
		m.Names = append(m.Names, table.Column{Name: name})
		m.Vectors = append(m.Vectors, table.VectorOf(list))
	}
	return m
}

// judge holds our result against theirs.
func judge(t *testing.T, c gxCase, theirs gxResult) []string {
	t.Helper()
	text, err := json.Marshal(c.Kwargs)
	if err != nil {
		t.Fatal(err)
	}
	kwargs, err := expect.DecodeJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	report, err := expect.Check(context.Background(), memory(c.Columns), expect.Suite{Expectations: []expect.Expectation{
		{Type: c.Type, Kwargs: kwargs.(map[string]any)}}}, expect.Options{Format: expect.Format{Level: expect.Complete}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	ours := report.Results[0]
	if strings.Contains(c.Type, "type") && allMissing(c.Columns[c.Kwargs["column"].(string)].Values) {
		return nil // our table in memory has no types beside its values
	}
	if theirs.Raised != nil {
		// A mistake of theirs: the pairs of rows that are left are compared by the wrong row numbers.
		// "string" is a name of ours for texts.
		if ours.Failure == nil && c.Kwargs["type_"] != "string" && !strings.Contains(*theirs.Raised, "Unalignable boolean Series") {
			return []string{"they fail and we do not: " + *theirs.Raised}
		}
		return nil
	}
	if ours.Failure != nil {
		if strings.Contains(ours.Failure.Message, "min_value cannot be greater than max_value") {
			return nil // a mistake in a suite; they say it of values only
		}
		return []string{"we fail and they do not: " + ours.Failure.Error()}
	}
	var problems []string
	if ours.Success != theirs.Success {
		problems = append(problems, fmt.Sprintf("success: want %v, got %v", theirs.Success, ours.Success))
	}
	text, err = json.Marshal(ours.Fields())
	if err != nil {
		t.Fatal(err)
	}
	v, err := expect.DecodeJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	got := v.(map[string]any)
	for _, key := range []string{"element_count", "missing_count", "missing_percent", "unexpected_count", "unexpected_percent", "unexpected_percent_total",
		"unexpected_percent_nonmissing", "unexpected_list", "unexpected_index_list", "partial_unexpected_list", "partial_unexpected_index_list",
		"partial_unexpected_counts", "observed_value", "details"} {
		want, ok := theirs.Result[key]
		if key == "partial_unexpected_counts" && (holdsNothing(want) || holdsNothing(got[key])) {
			continue // of NaN, each is counted alone there
		}
		if ok && !same(want, got[key]) {
			problems = append(problems, fmt.Sprintf("%s: want %s, got %s", key, brief(want), brief(got[key])))
		}
	}
	return problems
}

// same compares values: numbers within rounding, a NaN with nothing, times without their form.
func same(want, got any) bool {
	if f, ok := number(want); ok {
		if math.IsNaN(f) {
			return got == nil
		}
		g, ok := number(got)
		return ok && (f == g || math.Abs(f-g) <= 1e-9*max(1, math.Abs(f)))
	}
	switch w := want.(type) {
	case string:
		if w == "NaT" {
			return got == nil
		}
	case []any:
		g, ok := got.([]any)
		return ok && len(w) == len(g) && !slices.ContainsFunc(indexes(w), func(i int) bool { return !same(w[i], g[i]) })
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(w) > len(g) {
			return false
		}
		for k := range w {
			if !same(w[k], g[k]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(want, got)
}

// holdsNothing reports whether a NaN, a NaT or null is somewhere in a value.
func holdsNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case float64:
		return math.IsNaN(v)
	case string:
		return v == "NaT"
	case []any:
		return slices.ContainsFunc(v, holdsNothing)
	case map[string]any:
		return holdsNothing(v["value"])
	}
	return false
}

func indexes(list []any) []int {
	out := make([]int, len(list))
	for i := range out {
		out[i] = i
	}
	return out
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}
