package expect_test

import (
	"math"
	"strings"
	"testing"

	"levada/internal/core/expect"
	"levada/internal/core/table"
)

// repeated is a column of texts, each so many times.
func repeated(counts map[string]int, order string) []any {
	var out []any
	for _, c := range strings.Split(order, "") {
		for range counts[c] {
			out = append(out, c)
		}
	}
	return out
}

// The numbers are those of scipy 1.14: stats.chisquare, stats.chi2_contingency, stats.kstest, and jensenshannon squared.
func TestStatisticsAreThoseOfSciPy(t *testing.T) {
	crossed := func(counts ...int) (a, b []any) {
		side := int(math.Sqrt(float64(len(counts))))
		for i, n := range counts {
			for range n {
				a, b = append(a, string(rune('a'+i/side))), append(b, string(rune('x'+i%side)))
			}
		}
		return a, b
	}
	a2, b2 := crossed(3, 1, 1, 5)
	a3, b3 := crossed(3, 1, 0, 1, 5, 2, 0, 1, 4)
	letters := repeated(map[string]int{"a": 5, "b": 3, "c": 2}, "abc")
	numbers := []any{0.1, -0.5, 1.2, 0.7, -1.1, 0.3, 2.2, -0.2}
	for _, c := range []struct {
		kind    string
		columns map[string][]any
		kwargs  string
		want    float64
	}{
		{"expect_column_chisquare_test_p_value_to_be_greater_than", map[string][]any{"x": letters},
			`{"column": "x", "partition_object": {"values": ["a", "b", "c"], "weights": [0.4, 0.4, 0.2]}}`, 0.7788007830714049},
		{"expect_column_chisquare_test_p_value_to_be_greater_than", map[string][]any{"x": letters},
			`{"column": "x", "partition_object": {"values": ["a", "b"], "weights": [0.6, 0.4]}, "tail_weight_holdout": 0.1}`, 0.5684654083827156},
		{"expect_column_pair_cramers_phi_value_to_be_less_than", map[string][]any{"a": a2, "b": b2}, `{"column_A": "a", "column_B": "b"}`, 0.37499999999999994},
		{"expect_column_pair_cramers_phi_value_to_be_less_than", map[string][]any{"a": a3, "b": b3}, `{"column_A": "a", "column_B": "b"}`, 0.6004710452557027},
		{"expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than", map[string][]any{"x": numbers},
			`{"column": "x", "distribution": "norm", "params": {"mean": 0, "std_dev": 1}}`, 0.9085351243205685},
		{"expect_column_distribution_distance_to_be_less_than", map[string][]any{"x": letters},
			`{"column": "x", "metric": "jensen_shannon", "threshold": 1, "partition_object": {"values": ["b", "a", "c", "d"], "weights": [0.25, 0.25, 0.25, 0.25]}}`, 0.1592886406098034},
		{"expect_column_distribution_distance_to_be_less_than", map[string][]any{"x": letters},
			`{"column": "x", "metric": "l_infinity", "threshold": 1, "partition_object": {"values": ["b", "a", "c", "d"], "weights": [0.25, 0.25, 0.25, 0.25]}}`, 0.25},
	} {
		v, err := expect.DecodeJSON([]byte(c.kwargs))
		if err != nil {
			t.Fatal(err)
		}
		m := table.Memory{}
		for name, values := range c.columns {
			m.Names, m.Vectors = append(m.Names, table.Column{Name: name}), append(m.Vectors, texts(values...))
		}
		r, err := expect.Check(tContext, m, expect.Suite{Expectations: []expect.Expectation{{Type: c.kind, Kwargs: v.(map[string]any)}}}, expect.Options{})
		if err != nil {
			t.Fatal(err)
		}
		seen, _ := r.Results[0].Observed()
		if got, ok := seen.(float64); !ok || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s %s: want %.16g, got %v (%v)", c.kind, c.kwargs, c.want, seen, r.Results[0].Failure)
		}
	}
}
