package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
	"levada/internal/core/textual"
)

// Facts are what is known of a column.
type Facts struct {
	profile.Column
	// Values are the texts and how often each is there; All says that there are no others.
	Values []profile.Frequent
	All    bool
}

// Table are the facts of a table.
type Table struct {
	Rows    int64
	Columns []Facts
	// Findings are about the reading of the table.
	Findings []table.Finding
}

// FactsOf makes them of a profile's states.
func FactsOf(rows int64, columns []profile.Column, states []*profile.State) Table {
	t := Table{Rows: rows}
	for i, c := range columns {
		f := Facts{Column: c}
		f.Values, f.All = states[i].Values()
		t.Columns = append(t.Columns, f)
	}
	return t
}

func (t *Table) column(name string) *Facts {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// present are the rows that have a value.
func (f *Facts) present() int64 { return f.Count - f.Nulls }

// Anomaly is something that is not as the schema says, by its name in TFDV's anomalies.proto.
type Anomaly struct {
	// Feature is empty for what is about the whole table.
	Feature     string `json:"feature,omitempty"`
	Type        string `json:"type"`
	Description string `json:"description"`
}

// Report is what was found.
type Report struct {
	Success bool  `json:"success"`
	Rows    int64 `json:"rows"`
	// NotJudged says why nothing was looked at: there are too few rows. Success is true then.
	NotJudged   string    `json:"not_judged,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Features    int       `json:"features"`
	Anomalies   []Anomaly `json:"anomalies"`
	// Notes are what the schema says and is not checked.
	Notes []string `json:"notes,omitempty"`
	// Findings are what was read of the table in another way than it is written, or left out.
	Findings []table.Finding `json:"findings,omitempty"`
}

// NotJudged is the report about a table that has too few rows to be looked at.
func NotJudged(rows int64, why string) *Report {
	return &Report{Success: true, Rows: rows, NotJudged: why, Anomalies: []Anomaly{}}
}

// Options say what a table is, and what it is compared with.
type Options struct {
	Environment string
	// Training is compared with for skew, Previous for drift; nil where there is none.
	Training, Previous *Table
}

// checker gathers anomalies.
type checker struct {
	schema *Schema
	report *Report
}

// Check compares a table with a schema. An environment that the schema does not know is an Invalid error.
func Check(s *Schema, t *Table, o Options) (*Report, error) {
	if err := s.CheckEnvironment(o.Environment); err != nil {
		return nil, err
	}
	c := &checker{schema: s, report: &Report{Rows: t.Rows, Environment: o.Environment, Anomalies: []Anomaly{}, Notes: s.Notes, Findings: t.Findings}}
	c.dataset(t, o.Previous)
	named := map[string]bool{}
	for i := range s.Features {
		f := &s.Features[i]
		named[f.Name] = true
		if !s.in(f, o.Environment) {
			continue
		}
		c.report.Features++
		column := t.column(f.Name)
		if column == nil {
			if f.Presence != nil && (f.Presence.MinFraction > 0 || f.Presence.MinCount > 0) {
				c.add(f, "SCHEMA_MISSING_COLUMN", "the column is missing")
			}
			continue
		}
		c.feature(f, column)
		c.compare(f, column, f.Skew, o.Training, "the training data")
		c.compare(f, column, f.Drift, o.Previous, "the previous table")
	}
	for _, column := range t.Columns {
		if !named[column.Name] {
			c.add(&Feature{Name: column.Name}, "SCHEMA_NEW_COLUMN", "the schema does not know the column (%s)", column.Type)
		}
	}
	slices.SortStableFunc(c.report.Anomalies, func(a, b Anomaly) int { return cmp.Compare(a.Feature, b.Feature) })
	c.report.Success = len(c.report.Anomalies) == 0
	return c.report, nil
}

// CheckEnvironment refuses an environment that the schema does not know. One that names none knows all.
func (s *Schema) CheckEnvironment(name string) error {
	if known := s.environments(); name != "" && len(known) > 0 && !slices.Contains(known, name) {
		return fault.Invalidf("the schema knows no environment %q; it has %s", name, strings.Join(known, ", "))
	}
	return nil
}

// environments are all that the schema names.
func (s *Schema) environments() []string {
	out := slices.Clone(s.Environments)
	for _, f := range s.Features {
		out = append(append(out, f.In...), f.NotIn...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *checker) add(f *Feature, kind, format string, args ...any) {
	c.report.Anomalies = append(c.report.Anomalies, Anomaly{Feature: f.Name, Type: kind, Description: fmt.Sprintf(format, args...)})
}

func (c *checker) dataset(t, previous *Table) {
	d, whole := c.schema.Dataset, &Feature{}
	if d == nil {
		return
	}
	if d.MinRows != nil && t.Rows < *d.MinRows {
		c.add(whole, "DATASET_LOW_NUM_EXAMPLES", "there are %d rows, want at least %d", t.Rows, *d.MinRows)
	}
	if d.MaxRows != nil && t.Rows > *d.MaxRows {
		c.add(whole, "DATASET_HIGH_NUM_EXAMPLES", "there are %d rows, want at most %d", t.Rows, *d.MaxRows)
	}
	if d.Growth == nil || previous == nil || previous.Rows == 0 {
		return
	}
	ratio := float64(t.Rows) / float64(previous.Rows)
	if d.Growth.Min != nil && ratio < *d.Growth.Min {
		c.add(whole, "COMPARATOR_LOW_NUM_EXAMPLES", "there are %.4g times the rows of the previous table, want at least %v", ratio, *d.Growth.Min)
	}
	if d.Growth.Max != nil && ratio > *d.Growth.Max {
		c.add(whole, "COMPARATOR_HIGH_NUM_EXAMPLES", "there are %.4g times the rows of the previous table, want at most %v", ratio, *d.Growth.Max)
	}
}

// feature checks a column by itself.
func (c *checker) feature(f *Feature, column *Facts) {
	c.presence(f, column)
	if column.present() == 0 {
		return
	}
	if f.Type != "" && !hasType(f.Type, column) {
		c.add(f, "UNEXPECTED_DATA_TYPE", "the values are of type %s, want %s", kinds(column), f.Type)
		return
	}
	c.valency(f, column)
	c.unique(f, column)
	c.texts(f, column)
	c.numbers(f, column)
}

func (c *checker) presence(f *Feature, column *Facts) {
	p := f.Presence
	if p == nil {
		return
	}
	there := column.present()
	if there == 0 && (p.MinCount > 0 || p.MinFraction > 0) {
		c.add(f, "FEATURE_TYPE_NOT_PRESENT", "no row has a value")
		return
	}
	if share := float64(there) / float64(column.Count); share < p.MinFraction {
		c.add(f, "FEATURE_TYPE_LOW_FRACTION_PRESENT", "%s of the rows have a value, want at least %s", percent(share), percent(p.MinFraction))
	}
	if there < p.MinCount {
		c.add(f, "FEATURE_TYPE_LOW_NUMBER_PRESENT", "%d rows have a value, want at least %d", there, p.MinCount)
	}
}

// percent shows a share; one that is nearly all is not shown as all.
func percent(share float64) string {
	if share > 0.9999 && share < 1 {
		return ">99.99 %"
	}
	return fmt.Sprintf("%.4g %%", 100*share)
}

// hasType reports whether the values are of a type. Whole numbers are numbers; what TFDV calls bytes is whatever is written as text.
func hasType(kind string, column *Facts) bool {
	switch column.Type {
	case "integer":
		return kind == Int || kind == Float
	case "number":
		return kind == Float
	case "boolean":
		return kind == Bool || kind == Int || kind == Bytes
	case "text", "binary":
		return kind == Bytes
	case "date":
		return kind == Date || kind == Bytes
	case "time":
		return kind == Time || kind == Bytes
	case "list":
		inner := typeOf(column)
		return inner == "" || inner == kind || inner == Int && kind == Float
	}
	return false
}

// kinds names the types of the values.
func kinds(column *Facts) string {
	if len(column.Kinds) == 0 {
		return column.Type
	}
	var parts []string
	for k, n := range column.Kinds {
		parts = append(parts, fmt.Sprintf("%s (%d)", k, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, " and ")
}

func (c *checker) valency(f *Feature, column *Facts) {
	v := f.ValueCount
	if v == nil {
		return
	}
	low, high := int64(1), int64(1)
	if column.Type == table.List.String() && column.Length != nil {
		low, high = column.Length.Min, column.Length.Max
	}
	if v.Min != nil && low < *v.Min {
		c.add(f, "FEATURE_TYPE_LOW_NUMBER_VALUES", "a row has %d values, want at least %d", low, *v.Min)
	}
	if v.Max != nil && high > *v.Max {
		c.add(f, "FEATURE_TYPE_HIGH_NUMBER_VALUES", "a row has %d values, want at most %d", high, *v.Max)
	}
}

func (c *checker) unique(f *Feature, column *Facts) {
	u := f.Unique
	if u == nil {
		return
	}
	about := ""
	if column.Estimated {
		about = "about "
	}
	if u.Min != nil && column.Distinct < *u.Min {
		c.add(f, "FEATURE_TYPE_LOW_UNIQUE", "there are %s%d different values, want at least %d", about, column.Distinct, *u.Min)
	}
	if u.Max != nil && column.Distinct > *u.Max {
		c.add(f, "FEATURE_TYPE_HIGH_UNIQUE", "there are %s%d different values, want at most %d", about, column.Distinct, *u.Max)
	}
}

// mostNamed is how many unexpected values are named.
const mostNamed = 5

func (c *checker) texts(f *Feature, column *Facts) {
	domain, ok := c.schema.domain(f)
	if !ok || column.Values == nil {
		return
	}
	if column.Length != nil && column.Length.Broken > 0 {
		c.add(f, "ENUM_TYPE_INVALID_UTF8", "%d values are not in UTF-8", column.Length.Broken)
	}
	known := make(map[string]bool, len(domain))
	for _, v := range domain {
		known[v] = true
	}
	inside, named := int64(0), []string{}
	for _, v := range column.Values {
		if known[v.Value] {
			inside += v.Count
		} else if len(named) < mostNamed {
			named = append(named, fmt.Sprintf("%q (%s)", textual.Mask(fault.Shorten(v.Value, 60)), percent(float64(v.Count)/float64(column.present()))))
		}
	}
	mass, least := float64(inside)/float64(column.present()), 1.0
	if f.MinDomainMass != nil {
		least = *f.MinDomainMass
	}
	if mass >= least {
		return
	}
	if !column.All {
		named = append(named, "and others")
	}
	c.add(f, "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "%s of the values are not in the domain: %s", percent(1-mass), strings.Join(named, ", "))
}

func (c *checker) numbers(f *Feature, column *Facts) {
	small, big := "FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_BIG_FLOAT"
	switch f.Type {
	case Int:
		small, big = "INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT"
	case Bool:
		small, big = "BOOL_TYPE_SMALL_INT", "BOOL_TYPE_BIG_INT"
	}
	if f.Min != nil && column.Low != nil && *column.Low < *f.Min {
		c.add(f, small, "the lowest value is %s, want at least %v", column.Min, *f.Min)
	}
	if f.Max != nil && column.High != nil && *column.High > *f.Max {
		c.add(f, big, "the highest value is %s, want at most %v", column.Max, *f.Max)
	}
	if f.DisallowNaN && column.NaN > 0 {
		c.add(f, "FLOAT_TYPE_HAS_NAN", "%d values are NaN", column.NaN)
	}
	if f.DisallowInf && column.Infinite > 0 {
		c.add(f, "FLOAT_TYPE_HAS_INF", "%d values are infinite", column.Infinite)
	}
}

// compare compares the distribution of a column with that of another table.
func (c *checker) compare(f *Feature, column *Facts, limits *Comparator, with *Table, what string) {
	if limits == nil || with == nil {
		return
	}
	other := with.column(f.Name)
	if other == nil || other.present() == 0 {
		c.add(f, "COMPARATOR_CONTROL_DATA_MISSING", "%s has no values to compare with", what)
		return
	}
	if column.present() == 0 {
		c.add(f, "COMPARATOR_TREATMENT_DATA_MISSING", "there are no values to compare with %s", what)
		return
	}
	if limits.LInfinity != nil {
		d, value, ok := lInfinity(column, other)
		switch {
		case !ok:
			c.note("%s: the L-infinity distance is that of texts and truths with at most %d different values", f.Name, profile.MostValues)
		case d > *limits.LInfinity:
			c.add(f, "COMPARATOR_L_INFTY_HIGH", "the L-infinity distance from %s is %.4g, want at most %v; most has changed the share of %q", what, d, *limits.LInfinity,
				textual.Mask(fault.Shorten(value, 60)))
		}
	}
	if limits.JensenShannon != nil {
		d, ok := divergence(column, other)
		switch {
		case !ok:
			c.note("%s: its values have no distribution that the Jensen-Shannon divergence is known of", f.Name)
		case d > *limits.JensenShannon:
			c.add(f, "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH", "the Jensen-Shannon divergence from %s is %.4g, want at most %v", what, d, *limits.JensenShannon)
		}
	}
}

func (c *checker) note(format string, args ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, args...))
}
