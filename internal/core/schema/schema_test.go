package schema

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/stats"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
)

// factsOf makes the facts of columns of cells.
func factsOf(columns ...[]table.Cell) *Table {
	var profiles []profile.Column
	var states []*profile.State
	for i, cells := range columns {
		s := profile.New(len(columns))
		v := table.VectorOf(cells)
		s.Add(&v)
		profiles, states = append(profiles, s.Column(table.Column{Name: string(rune('a' + i))})), append(states, s)
	}
	t := FactsOf(int64(len(columns[0])), profiles, states)
	return &t
}

func texts(values ...string) []table.Cell {
	out := make([]table.Cell, len(values))
	for i, v := range values {
		if v != "-" {
			out[i] = table.Cell{Kind: table.Text, Text: v}
		}
	}
	return out
}

func ints(values ...int64) []table.Cell {
	out := make([]table.Cell, len(values))
	for i, v := range values {
		out[i] = table.Cell{Kind: table.Integer, Int: v}
	}
	return out
}

func floats(values ...float64) []table.Cell {
	out := make([]table.Cell, len(values))
	for i, v := range values {
		out[i] = table.Cell{Kind: table.Number, Float: v}
	}
	return out
}

func lists(lengths ...int64) []table.Cell {
	out := make([]table.Cell, len(lengths))
	for i, n := range lengths {
		out[i] = table.Cell{Kind: table.List, Int: n, Text: strings.Repeat("x", int(n))}
	}
	return out
}

func parsed(t *testing.T, text string) *Schema {
	t.Helper()
	s, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// found are the anomalies as FEATURE TYPE.
func found(t *testing.T, s *Schema, data *Table, o Options) []string {
	t.Helper()
	r, err := Check(s, data, o)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range r.Anomalies {
		out = append(out, strings.TrimSpace(a.Feature+" "+a.Type))
	}
	if r.Success != (len(out) == 0) {
		t.Errorf("success is %v with %v", r.Success, out)
	}
	return out
}

func TestAnomaliesHaveTheNamesOfTFDV(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]struct {
		schema string
		data   *Table
		want   []string
	}{
		"all is well":      {"{name: a, type: bytes, presence: {min_fraction: 1, min_count: 1}, value_count: {min: 1, max: 1}, domain: [x, y]}", factsOf(texts("x", "y")), nil},
		"missing column":   {"{name: a}\n- {name: z, presence: {min_count: 1}}", factsOf(texts("x")), []string{"z SCHEMA_MISSING_COLUMN"}},
		"optional column":  {"{name: a}\n- {name: z}", factsOf(texts("x")), nil},
		"new column":       {"{name: a}", factsOf(texts("x"), ints(1)), []string{"b SCHEMA_NEW_COLUMN"}},
		"no value":         {"{name: a, presence: {min_count: 1}}", factsOf(texts("-", "-")), []string{"a FEATURE_TYPE_NOT_PRESENT"}},
		"few present":      {"{name: a, presence: {min_fraction: 0.8, min_count: 5}}", factsOf(texts("x", "-")), []string{"a FEATURE_TYPE_LOW_FRACTION_PRESENT", "a FEATURE_TYPE_LOW_NUMBER_PRESENT"}},
		"type":             {"{name: a, type: int}", factsOf(texts("x")), []string{"a UNEXPECTED_DATA_TYPE"}},
		"mixed":            {"{name: a, type: int}", factsOf(append(ints(1), texts("x")...)), []string{"a UNEXPECTED_DATA_TYPE"}},
		"int as float":     {"{name: a, type: float}", factsOf(ints(1)), nil},
		"float as int":     {"{name: a, type: int}", factsOf(floats(1.5)), []string{"a UNEXPECTED_DATA_TYPE"}},
		"domain":           {"{name: a, domain: [x]}", factsOf(texts("x", "y")), []string{"a ENUM_TYPE_UNEXPECTED_STRING_VALUES"}},
		"domain by name":   {"{name: a, domain: d}\ndomains: {d: [x, y]}", factsOf(texts("x", "y")), nil},
		"most of a domain": {"{name: a, domain: [x], min_domain_mass: 0.5}", factsOf(texts("x", "y")), nil},
		"no UTF-8":         {"{name: a, domain: [x]}", factsOf(texts("x", "\xff")), []string{"a ENUM_TYPE_INVALID_UTF8", "a ENUM_TYPE_UNEXPECTED_STRING_VALUES"}},
		"small and big":    {"{name: a, type: int, min: 0, max: 5}", factsOf(ints(-1, 6)), []string{"a INT_TYPE_SMALL_INT", "a INT_TYPE_BIG_INT"}},
		"small float":      {"{name: a, type: float, min: 0, max: 5}", factsOf(floats(-0.5, 5.5)), []string{"a FLOAT_TYPE_SMALL_FLOAT", "a FLOAT_TYPE_BIG_FLOAT"}},
		"not finite":       {"{name: a, type: float, disallow_nan: true, disallow_inf: true}", factsOf(floats(1, nan, inf)), []string{"a FLOAT_TYPE_HAS_NAN", "a FLOAT_TYPE_HAS_INF"}},
		"values in a list": {"{name: a, value_count: {min: 1, max: 3}}", factsOf(lists(0, 4)), []string{"a FEATURE_TYPE_LOW_NUMBER_VALUES", "a FEATURE_TYPE_HIGH_NUMBER_VALUES"}},
		"unique":           {"{name: a, unique: {min: 3}}\n- {name: b, unique: {max: 1}}", factsOf(texts("x", "x"), texts("x", "y")), []string{"a FEATURE_TYPE_LOW_UNIQUE", "b FEATURE_TYPE_HIGH_UNIQUE"}},
		"rows":             {"{name: a}\ndataset: {min_rows: 3}", factsOf(texts("x")), []string{"DATASET_LOW_NUM_EXAMPLES"}},
		"deprecated":       {"{name: a, deprecated: true, type: int}", factsOf(texts("x")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, found(t, parsed(t, "features:\n- "+c.schema), c.data, Options{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTheLabelIsMissingInServing(t *testing.T) {
	s, err := Infer(factsOf(ints(1, 2), texts("x", "x")), InferOptions{TrainingOnly: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	s = parsed(t, string(text))
	serving := factsOf(ints(3))
	if got := found(t, s, serving, Options{Environment: Serving}); got != nil {
		t.Errorf("in serving: %v", got)
	}
	if d := cmp.Diff([]string{"b SCHEMA_MISSING_COLUMN"}, found(t, s, serving, Options{Environment: Training})); d != "" {
		t.Error(d)
	}
	if _, err := Check(s, serving, Options{Environment: "severing"}); err == nil {
		t.Error("an environment that the schema does not know is taken")
	}
}

func TestAnInferredSchemaHoldsForItsTable(t *testing.T) {
	data := factsOf(ints(5, -3, 9, 9), floats(0.5, 2, math.NaN(), 7), texts("x", "-", "x", "y"), texts("id1", "id2", "id3", "id4"), lists(1, 2, 3, 4))
	s, err := Infer(data, InferOptions{Ranges: true, Compare: true})
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again := parsed(t, string(text))
	if d := cmp.Diff(s, again); d != "" {
		t.Errorf("written and read: %s", d)
	}
	if got := found(t, again, data, Options{Training: data, Previous: data}); got != nil {
		t.Errorf("%v\n%s", got, text)
	}
	if again.Features[3].Domain != nil {
		t.Error("ids are a domain")
	}
}

func TestSkewAndDrift(t *testing.T) {
	s := parsed(t, "features:\n- {name: a, skew: {l_infinity: 0.2}, drift: {jensen_shannon: 0.1}}\n- {name: b, skew: {jensen_shannon: 0.1}}")
	now := factsOf(texts("x", "x", "x", "y"), floats(10, 11, 12, 13))
	then := factsOf(texts("x", "y", "y", "y"), floats(1, 2, 3, 4))
	want := []string{"a COMPARATOR_L_INFTY_HIGH", "b COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"}
	if d := cmp.Diff(want, found(t, s, now, Options{Training: then})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"a COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"}, found(t, s, now, Options{Previous: then})); d != "" {
		t.Error(d)
	}
	if got := found(t, s, now, Options{Training: now, Previous: now}); got != nil {
		t.Errorf("nothing has changed: %v", got)
	}
	if d := cmp.Diff([]string{"b COMPARATOR_CONTROL_DATA_MISSING"}, found(t, s, now, Options{Training: &Table{Rows: 4, Columns: []Facts{now.Columns[0]}}})); d != "" {
		t.Error(d)
	}
}

// TestDivergencesAreThoseOfTFDV holds histograms and divergences that TFDV publishes in its own tests (anomalies/metrics_test.cc).
func TestDivergencesAreThoseOfTFDV(t *testing.T) {
	for name, c := range map[string]struct {
		a, b       []bar
		nanA, nanB float64
		want       float64
	}{
		"other boundaries": {[]bar{{1, 2, 2}, {2, 3, 2}}, []bar{{2, 4, 2}, {4, 6, 2}}, 0, 0, 0.65563906222},
		"no overlap":       {[]bar{{0, 1, 2}, {1, 2, 2}}, []bar{{3, 4, 2}, {4, 6, 2}}, 0, 0, 1},
		"one value":        {[]bar{{1, 1, 4}}, []bar{{2, 4, 2}, {4, 6, 2}}, 0, 0, 1},
		"NaN":              {[]bar{{1, 2, 3}}, []bar{{1, 2, 4}}, 1, 0, 0.13792538096},
		"the same":         {[]bar{{1, 2.5, 3}, {2.5, 5, 1}}, []bar{{1, 2.5, 3}, {2.5, 5, 1}}, 1, 1, 0},
	} {
		counts := aligned(c.a, c.b)
		counts.A, counts.B = append(counts.A, c.nanA), append(counts.B, c.nanB)
		if got := bits(counts); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %.11f, want %.11f", name, got, c.want)
		}
	}
	counts, _ := categories([]profile.Frequent{{Value: "b", Count: 9}, {Value: "c", Count: 1}}, []profile.Frequent{{Value: "a", Count: 3}, {Value: "b", Count: 7}})
	if got := stats.LInfinity(counts); math.Abs(got-0.3) > 1e-12 {
		t.Errorf("L-infinity %v", got)
	}
}

func TestTFDVsTextFormIsRead(t *testing.T) {
	s := parsed(t, `
# written by tfdv.write_schema_text
feature {
  name: "payment_type"
  value_count { min: 1 max: 1 }
  type: BYTES
  domain: "payment_type"
  presence { min_fraction: 1.0 min_count: 1 }
  skew_comparator { infinity_norm { threshold: 0.01 } }
}
feature {
  name: 'fare'
  type: FLOAT
  shape { dim { size: 1 } }
  float_domain { min: 0 max: 1e3 disallow_nan: true }
  drift_comparator { jensen_shannon_divergence { threshold: 0.05 } }
}
feature { name: "tips" type: FLOAT not_in_environment: "SERVING" presence: < min_count: 1 > }
feature { name: "old" type: INT lifecycle_stage: DEPRECATED }
feature { name: "image" type: BYTES image_domain { } }
string_domain { name: "payment_type" value: ["Cash", "Credit \"Card\""] value: "No \103harge" }
default_environment: "TRAINING" default_environment: "SERVING"
dataset_constraints { min_examples_count: 1 }
weighted_feature { name: "w" }
`)
	one, zero, thousand, skew, drift := int64(1), 0.0, 1e3, 0.01, 0.05
	want := &Schema{
		Environments: []string{"TRAINING", "SERVING"}, Dataset: &Dataset{MinRows: &one},
		Domains: map[string][]string{"payment_type": {"Cash", `Credit "Card"`, "No Charge"}},
		Features: []Feature{
			{Name: "payment_type", Type: Bytes, Presence: &Presence{1, 1}, ValueCount: &Valency{&one, &one}, Domain: &Domain{Name: "payment_type"}, Skew: &Comparator{LInfinity: &skew}},
			{Name: "fare", Type: Float, ValueCount: &Valency{&one, &one}, Min: &zero, Max: &thousand, DisallowNaN: true, Drift: &Comparator{JensenShannon: &drift}},
			{Name: "tips", Type: Float, Presence: &Presence{MinCount: 1}, NotIn: []string{"SERVING"}},
			{Name: "old", Type: Int, Deprecated: true},
			{Name: "image", Type: Bytes},
		},
		Notes: []string{"not checked: image_domain of feature image", "not checked: weighted_feature (line 24)"},
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
}

func TestWhatIsNoSchemaIsRefusedWithItsPlace(t *testing.T) {
	for text, part := range map[string]string{
		"":                                                  "empty",
		"features: []":                                      "no features",
		"features:\n- {name: a, typo: int}":                 "line 2",
		"features:\n- {name: a, type: integer}":             "not known",
		"features:\n- {name: a}\n- {name: a}":               "twice",
		"features:\n- {name: a, min: 3, max: 1}":            "min is 3",
		"features:\n- {name: a, domain: d}":                 "no domain",
		"features:\n- {name: a, skew: {}}":                  "l_infinity",
		"feature { name: \"a\"":                             "ends inside",
		"feature { name: \"a\n\" }":                         "does not end",
		"feature { name: \"a\" presence { min_count: x } }": "whole number",
		"feature { { } }":                                   "name of a field",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want %q", text, err, part)
		}
	}
}

func FuzzSchema(f *testing.F) {
	f.Add("features:\n- {name: a, type: int, domain: [x], skew: {l_infinity: 0.1}}")
	f.Add("feature { name: \"a\\x41\\101\" type: INT value_count < min: 1 > }\nstring_domain { value: ['x', \"y\"] }")
	data := factsOf(ints(1), texts("x"))
	f.Fuzz(func(_ *testing.T, text string) {
		s, err := Parse([]byte(text))
		if err != nil {
			return
		}
		if _, err := s.YAML(); err != nil {
			panic(err)
		}
		_, _ = Check(s, data, Options{Training: data, Previous: data})
	})
}
