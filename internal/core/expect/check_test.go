package expect_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/core/expect"
	"levada/internal/core/table"
)

// scans counts how often a table is read, and gives it in small batches.
type scans struct {
	table.Memory
	count int
	batch int
}

func (s *scans) Rows() int64 { return -1 }

func (s *scans) Columnar() bool { return false }

func (s *scans) Scan(columns ...int) table.Scanner {
	s.count++
	m := s.Memory
	if len(columns) > 0 {
		m = table.Memory{}
		for _, c := range columns {
			m.Names, m.Vectors = append(m.Names, s.Names[c]), append(m.Vectors, s.Vectors[c])
		}
	}
	return &pieces{memory: m, batch: s.batch}
}

func texts(values ...any) table.Vector {
	var list []table.Cell
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			list = append(list, table.Cell{})
		case string:
			list = append(list, table.Cell{Kind: table.Text, Text: v})
		case int:
			list = append(list, table.Cell{Kind: table.Integer, Int: int64(v)})
		case float64:
			list = append(list, table.Cell{Kind: table.Number, Float: v})
		}
	}
	return table.VectorOf(list)
}

func people(batch int) *scans {
	return &scans{batch: batch, Memory: table.Memory{
		Names:   []table.Column{{Name: "id"}, {Name: "age"}, {Name: "country"}, {Name: "score"}},
		Vectors: []table.Vector{texts(1, 2, 3, 2, 5), texts(30, 200, nil, 41, 5), texts("NO", "SE", "NO", nil, "DK"), texts(1.5, 2.5, -1.0, 0.0, 9.0)},
	}}
}

func suite(t *testing.T, text string) expect.Suite {
	t.Helper()
	s, err := expect.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func check(t *testing.T, s table.Source, text string, o expect.Options) *expect.Report {
	t.Helper()
	o.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	report, err := expect.Check(tContext, s, suite(t, text), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestATableIsReadOnceForAllExpectationsThatNeedNoFigureFirst(t *testing.T) {
	source := people(2)
	check(t, source, `
columns:
  id: [not_null, unique, {type: int}, {between: [1, 5]}, {unique_count: [1, 9]}, increasing]
  age: [{mean: [1, 99]}, {median: [1, 99]}, {between: [0, 120], where: country == "NO"}]
  country: [{in_set: [NO, SE]}, {regex: "^[A-Z]+$"}, {most_common: [NO]}]
  score: [{quantiles: {0.5: [0, 1]}}]
table: [{row_count: 5}, {greater: [age, id]}, {unique_together: [id, country]}, {rows: score > -1.0}]
`, expect.Options{})
	if source.count != 1 {
		t.Errorf("read %d times, want once", source.count)
	}
	source = people(2)
	check(t, source, `{"expectations": [{"type": "expect_column_value_z_scores_to_be_less_than", "kwargs": {"column": "score", "threshold": 2, "double_sided": true}}]}`,
		expect.Options{})
	if source.count != 2 {
		t.Errorf("z-scores: read %d times, want twice", source.count)
	}
}

func TestAnExpectationThatCannotBeEvaluatedDoesNotStopTheOthers(t *testing.T) {
	r := check(t, people(3), `
columns:
  country: [{mean: [0, 1]}, {between: [0, 1]}, {regex: "("}, {lengths: [null, null]}, {not_null: true, mostly: 1.5}]
  nobody: [not_null]
  age: [{between: [0, {$PARAMETER: oldest}]}, {between: [9, 1]}, {between: [0, 120], strict: true}, {not_null: true, where: "age >"}, {json_schema: {type: 7}}, not_null]
`, expect.Options{})
	var said []string
	for _, x := range r.Results {
		if x.Failure == nil {
			said = append(said, fmt.Sprint(x.Success))
			continue
		}
		said = append(said, strings.Split(x.Failure.Error(), "\n")[0])
	}
	want := []string{"could not convert \"NO\" to numeric", "must either be None or of the same type", "regular expression \"(\"", "cannot both be None",
		"less than or equal to 1", "The column \"nobody\" in BatchData does not exist", "no value found for oldest", "min_value cannot be greater than max_value",
		"strict: extra fields not permitted", "condition \"age >\"", "SchemaError", "false"}
	for i, w := range want {
		if !strings.Contains(said[i], w) {
			t.Errorf("%s: got %q, want %q", r.Results[i].Expectation.Statement(), said[i], w)
		}
	}
}

func TestAnExpectationThatNobodyKnowsDoesNotStopTheOthers(t *testing.T) {
	r := check(t, people(3), `{"expectations": [{"type": "expect_column_values_to_not_be_nul", "kwargs": {"column": "id"}},
		{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}}, {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "SELECT 1"}}]}`, expect.Options{})
	for i, want := range []string{`did you mean "expect_column_values_to_not_be_null"?`, "", "needs an SQL database"} {
		if f := r.Results[i].Failure; want != "" && (f == nil || !strings.Contains(f.Message, want)) || want == "" && !r.Results[i].Success {
			t.Errorf("%d: got %v, want %q", i, f, want)
		}
	}
}

func TestUnexpectedRowsAreNamedByNumberAndByTheColumnsThatIdentifyThem(t *testing.T) {
	r := check(t, people(2), `columns: {age: [{between: [0, 120]}], id: [unique]}`, expect.Options{Format: expect.Format{Level: expect.Complete, Index: []string{"id", "country"}}})
	text, err := json.Marshal([]any{r.Results[0].Fields()["unexpected_index_list"], r.Results[1].Fields()["unexpected_index_list"],
		r.Results[0].Fields()["unexpected_percent"], r.Results[0].Unexpected()[0].Row})
	if err != nil {
		t.Fatal(err)
	}
	want := `[[{"age":200,"country":"SE","id":2}],[{"country":"SE","id":2},{"country":null,"id":2}],25,1]`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestTheFormOfAResultIsThatOfGreatExpectations(t *testing.T) {
	const text = `{"expectations": [{"expectation_type": "expect_column_values_to_be_in_set", "kwargs": {"column": "country", "value_set": ["NO"]}}]}`
	for level, want := range map[expect.Level]string{
		expect.BooleanOnly: `{}`,
		expect.Basic: `{"element_count":5,"missing_count":1,"missing_percent":20,"partial_unexpected_list":["SE","DK"],"unexpected_count":2,"unexpected_percent":50,` +
			`"unexpected_percent_nonmissing":50,"unexpected_percent_total":40}`,
		expect.Complete: `{"element_count":5,"missing_count":1,"missing_percent":20,"partial_unexpected_counts":[{"count":1,"value":"DK"},{"count":1,"value":"SE"}],` +
			`"partial_unexpected_index_list":[1,4],"partial_unexpected_list":["SE","DK"],"unexpected_count":2,"unexpected_index_list":[1,4],"unexpected_list":["SE","DK"],` +
			`"unexpected_percent":50,"unexpected_percent_nonmissing":50,"unexpected_percent_total":40}`,
	} {
		r := check(t, people(2), text, expect.Options{Format: expect.Format{Level: level}})
		got, err := json.Marshal(r.Results[0].Fields())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: %s", level, diff)
		}
	}
}

func TestConditionsChooseRowsInThreeLanguages(t *testing.T) {
	for condition, want := range map[string]int64{
		`pandas age > 40`: 2, `pandas country == "NO" and id != 3`: 1, `pandas country in ["NO", "DK"]`: 3, `pandas age.isnull()`: 1, `pandas not (id == 2)`: 3,
		`pandas ~(id == 2) & (score > 0)`: 2, `pandas 0 <= score < 2`: 2, `pandas country.str.startswith("N")`: 2, `pandas index >= 3`: 2, "pandas `score` * 2 > id": 3,
		`cel age > 40`: 2, `cel country == "NO" && id != 3`: 1, `cel country in ["NO", "DK"]`: 3, `cel age == null`: 1, `cel !(id == 2)`: 3, `cel row["score"] > 0.0`: 3,
		`cel country.startsWith("N") || size(country) == 0`: 2, `cel country.matches("^[ND]")`: 3, `cel score - 1.0 > 0.0`: 3, `cel id % 2 == 1`: 3,
		`great_expectations col("age") > 40`: 2, `great_expectations col("country").notNull()`: 4, `great_expectations col("country") == "NO"`: 2,
		`great_expectations col("id") >= 2.5`: 2,
	} {
		language, text, _ := strings.Cut(condition, " ")
		e := expect.Suite{Expectations: []expect.Expectation{{Type: "expect_table_row_count_to_equal",
			Kwargs: map[string]any{"value": want, "row_condition": text, "condition_parser": language}}}}
		r, err := expect.Check(tContext, people(2), e, expect.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if x := r.Results[0]; !x.Success {
			seen, _ := x.Observed()
			t.Errorf("%s: want %d rows, got %v (%v)", condition, want, seen, x.Failure)
		}
	}
}

func TestAConditionThatIsNoneIsExplained(t *testing.T) {
	for condition, want := range map[string]string{
		`pandas age >`: "ends too early", `pandas age + 1`: "the result is a value", `pandas age > 1)`: "\")\" is not understood", `pandas "a`: "does not end",
		`pandas age.str.upper()`: "only startswith", `pandas @x`: "not understood", `pandas country > 3`: "cannot be compared", `pandas nobody > 3`: "does not exist",
		`cel age >`: "Syntax error", `cel [1].exists(x, x > 1)`: "not known in conditions", `cel foo(age)`: "not known in conditions", `cel age`: "neither true nor false",
		`great_expectations age > 3`: "must begin with col", `great_expectations col("age") ~ 3`: "neither a comparison", `sql age > 3`: "not a valid enumeration member",
	} {
		language, text, _ := strings.Cut(condition, " ")
		e := expect.Suite{Expectations: []expect.Expectation{{Type: "expect_table_row_count_to_equal",
			Kwargs: map[string]any{"value": int64(1), "row_condition": text, "condition_parser": language}}}}
		r, err := expect.Check(tContext, people(2), e, expect.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if x := r.Results[0]; x.Failure == nil || !strings.Contains(x.Failure.Message, want) {
			t.Errorf("%s: got %v, want %q", condition, x.Failure, want)
		}
	}
}

// TestDuplicatesAreExactInBoundedMemory compares a check that keeps a few values at a time with one that keeps them all.
func TestDuplicatesAreExactInBoundedMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.IntRange(0, 40), 1, 200).Draw(t, "values")
		values := make([]any, len(list))
		for i, v := range list {
			values[i] = v
		}
		format := expect.Format{Level: expect.Complete}
		if rapid.Bool().Draw(t, "few") {
			format = expect.Format{Level: expect.Summary, Partial: rapid.IntRange(1, 5).Draw(t, "partial")}
		}
		run := func(most, batch int) string {
			s := &scans{batch: batch, Memory: table.Memory{Names: []table.Column{{Name: "x"}}, Vectors: []table.Vector{texts(values...)}}}
			r, err := expect.Check(tContext, s, expect.Suite{Expectations: []expect.Expectation{
				{Type: "expect_column_values_to_be_unique", Kwargs: map[string]any{"column": "x"}},
				{Type: "expect_column_unique_value_count_to_be_between", Kwargs: map[string]any{"column": "x", "min_value": int64(1)}},
			}}, expect.Options{MostValues: most, Format: format})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal([]any{r.Results[0].Fields(), r.Results[1].Fields()})
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		if diff := cmp.Diff(run(1000, 1000), run(rapid.IntRange(1, 20).Draw(t, "most"), rapid.IntRange(1, 70).Draw(t, "batch"))); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAnEmptyTableIsVacuouslyAsExpected(t *testing.T) {
	empty := &scans{batch: 1, Memory: table.Memory{Names: []table.Column{{Name: "x"}}, Vectors: []table.Vector{texts()}}}
	r := check(t, empty, `columns: {x: [not_null, unique, {between: [0, 1]}, {in_set: [a]}, increasing]}`, expect.Options{})
	if !r.Success {
		t.Error("want success")
	}
}

// FuzzSuite looks for suites that break the reader or the checks.
func FuzzSuite(f *testing.F) {
	f.Add(short)
	f.Add(`{"expectations": [{"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": {"column": "score", "partition_object": {"bins": [-Infinity, 0, 1], "weights": [0.5, 0.5]}}}]}`)
	f.Add(`columns: {age: [{not_null: true, where: "row[\"a\"] in [1, 2] || id % 2 == 0"}, {ks: norm, params: [0, 1]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := expect.Parse([]byte(text))
		if err != nil {
			return
		}
		r, err := expect.Check(tContext, people(2), s, expect.Options{Now: time.Unix(0, 0)})
		if err != nil {
			t.Skip(err)
		}
		for _, x := range r.Results {
			if x.Failure != nil && x.Failure.Kind == "InternalError" {
				t.Fatal(x.Failure.Message)
			}
		}
		if _, err := json.Marshal(r.GX()); err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(r.JSON()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.YAML(); err != nil {
			t.Fatal(err)
		}
	})
}
