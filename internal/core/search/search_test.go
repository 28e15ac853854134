package search_test

import (
	"math"
	"strings"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/search"
)

// row is a run as a filter sees it.
type row struct {
	text    map[search.Term]string
	latest  map[string]float64
	min     map[string]float64
	max     map[string]float64
	start   float64
	dataset map[string][]string
}

func (r row) Text(e search.Entity, key string) (string, bool) {
	v, ok := r.text[search.Term{Entity: e, Key: key}]
	return v, ok
}

func (r row) Number(e search.Entity, key string, p search.Part) (float64, bool) {
	if e == search.Attribute {
		return r.start, key == "start_time"
	}
	from := map[search.Part]map[string]float64{search.Latest: r.latest, search.Min: r.min, search.Max: r.max, search.Count: r.latest}[p]
	v, ok := from[key]
	return v, ok
}

func (r row) Each(key string) []string { return r.dataset[key] }

var sample = row{
	text: map[search.Term]string{
		{Entity: search.Param, Key: "lr"}: "0.1", {Entity: search.Tag, Key: "team"}: "Alpha", {Entity: search.Tag, Key: "a b"}: "x_y%z",
		{Entity: search.Attribute, Key: "status"}: "FINISHED", {Entity: search.Attribute, Key: "run_id"}: "r1",
	},
	latest:  map[string]float64{"loss": 0.5, "nan": math.NaN(), "odd.min": 7},
	min:     map[string]float64{"loss": 0.1, "odd": 1},
	max:     map[string]float64{"loss": 0.9},
	start:   1000,
	dataset: map[string][]string{"name": {"train", "test"}},
}

func TestFiltersMatchAsInMLflow(t *testing.T) {
	for filter, want := range map[string]bool{
		"":                                       true,
		"metrics.loss < 0.6":                     true,
		"metrics.loss > 0.6":                     false,
		"metrics.loss=0.5 and params.lr='0.1'":   true,
		"metrics.loss = 0.5 AND params.lr = 'x'": false,
		"metrics.none != 1":                      false,
		"params.none != 'x'":                     false,
		"metrics.nan != 1":                       true,
		"metrics.nan = 0":                        false,
		"metrics.nan < 1":                        false,
		"tags.team LIKE 'Al%'":                   true,
		"tags.team LIKE 'al%'":                   false,
		"tags.team ILIKE 'al%'":                  true,
		"tags.team LIKE 'Alph_'":                 true,
		"tags.team LIKE 'Alp'":                   false,
		"tags.`a b` = 'x_y%z'":                   true,
		`tag."a b" LIKE 'x%z'`:                   true,
		"tags.none IS NULL":                      true,
		"tags.'a b' = 'x_y%z'":                   true,
		"metrics.loss < 1e400":                   true,
		"tags.team IS NOT NULL":                  true,
		"run_id IN ('r0', 'r1')":                 true,
		"run_id NOT IN ('r1')":                   false,
		"attributes.status = 'FINISHED'":         true,
		"start_time >= 1000":                     true,
		"created > 1000.5":                       false,
		"end_time > 0":                           false,
		"dataset.name = 'test'":                  true,
		"dataset.name != 'test'":                 true,
		"dataset.context = 'x'":                  false,
	} {
		check(t, filter, want)
	}
}

func TestBeyondMLflowFiltersKnowOrParenthesesAndTheBestOfAMetric(t *testing.T) {
	for filter, want := range map[string]bool{
		"metrics.loss > 0.6 OR params.lr = '0.1'":                         true,
		"metrics.loss > 0.6 or params.lr = 'x'":                           false,
		"(metrics.loss > 0.6 OR params.lr = '0.1') AND status = 'FAILED'": false,
		"metrics.loss > 0.6 OR params.lr = '0.1' AND status = 'FINISHED'": true,
		"((tags.team = 'Alpha'))":                                         true,
		"metrics.loss.min = 0.1":                                          true,
		"metrics.loss.max >= 0.9":                                         true,
		"metrics.loss.best < 0.2":                                         true,
		"metrics.loss.best > 0.8":                                         true,
		"metrics.odd.min = 7":                                             true, // a metric of that name comes first
		"metrics.none.min < 1":                                            false,
	} {
		check(t, filter, want)
	}
}

func check(t *testing.T, filter string, want bool) {
	t.Helper()
	e, err := search.Runs.Parse(filter)
	if err != nil {
		t.Errorf("%s: %v", filter, err)
		return
	}
	if got := e.Match(sample); got != want {
		t.Errorf("%s: %v, want %v", filter, got, want)
	}
}

func TestWhatIsNoFilterIsRefusedWithAReason(t *testing.T) {
	for filter, part := range map[string]string{
		"metrics.loss > 'x'":     "Expected numeric value type for metric",
		"metrics.loss == 1":      "Invalid comparator '=='",
		"metrics.loss IS NULL":   "only supported for tags and params",
		"params.lr = 0.1":        "Expected a quoted string value for parameter",
		"params.lr = x":          "not quoted",
		"bad.x = 'y'":            "Invalid entity type 'bad'",
		"foo = 'x'":              "Invalid attribute key 'foo'",
		"status IN ('x')":        "Only ['run_id'] attributes support",
		"run_id IN ()":           "empty list",
		"run_id IN (1)":          "different type in list: (1)",
		"a = 1; b = 2":           "multiple expression",
		"   ":                    "Could not be parsed",
		"metrics.loss >":         "Invalid clause(s)",
		"metrics.loss":           "Invalid clause(s)",
		"(metrics.loss > 1":      "Invalid clause(s)",
		"metrics.loss > 1)":      "Invalid clause(s)",
		"OR metrics.loss > 1":    "Invalid clause(s)",
		"1 = 1":                  "Expected 'Identifier'",
		strings.Repeat("(", 200): "parentheses",
	} {
		_, err := search.Runs.Parse(filter)
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: error %v, want an Invalid one with %q", filter, err, part)
		}
	}
}

func TestKeysSortByValueThenNaNThenNothing(t *testing.T) {
	for _, clause := range []string{"metrics.v", "metrics.v DESC"} {
		o, err := search.Runs.ParseOrder(clause)
		if err != nil {
			t.Fatal(err)
		}
		one := o.KeyOf(row{latest: map[string]float64{"v": 1}})
		nan := o.KeyOf(row{latest: map[string]float64{"v": math.NaN()}})
		none := o.KeyOf(row{})
		if o.Compare(one, nan) >= 0 || o.Compare(nan, none) >= 0 {
			t.Errorf("%s: want a value before NaN before nothing", clause)
		}
	}
}

func FuzzAFilterIsReadOrRefused(f *testing.F) {
	for _, s := range []string{"metrics.a > 1 AND tags.`b c` LIKE 'x%'", "run_id IN ('a', 'b')", "(a OR b)", "params.\"x\" = 'it''s'", "metrics.a > -1.5e3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		for _, g := range []*search.Grammar{&search.Runs, &search.Experiments, &search.Models, &search.ModelVersions, &search.LoggedModels} {
			if e, err := g.Parse(filter); err == nil {
				e.Match(sample)
			} else if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q: %v is no Invalid error", filter, err)
			}
			if o, err := g.ParseOrder(filter); err == nil {
				o.KeyOf(sample)
			}
		}
	})
}

func TestPatternsMatchTheWholeText(t *testing.T) {
	for pattern, want := range map[string]bool{
		"Alpha": true, "alpha": false, "A%": true, "%a": true, "%lph%": true, "A%a": true, "A%p%a": true, "%": true, "%%": true, "A%A": false, "Alp": false, "lpha": false,
		"%a%a": false, "Al%lpha": false, "Alph_": true, "_lph%": true, "Alph__": false, "": false,
	} {
		check(t, "tags.team LIKE '"+pattern+"'", want)
	}
	check(t, "tags.team ILIKE '%LPH%'", true)
	check(t, "tags.team ILIKE 'ALPH_'", true)
	check(t, "tags.`a b` LIKE 'x_y%'", true)
}
