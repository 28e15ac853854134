package drift

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
	"levada/internal/core/table"
)

// Compare says whether current has changed against reference. Both are read once for each column, and once more for each feature where
// its importance is measured; at any time the numbers of one column of both are in memory, for each call of Options.Each that
// runs. What is wrong with the options is an Invalid error.
func Compare(ctx context.Context, reference, current table.Source, o Options) (Report, error) {
	a, b := table.Watch(reference), table.Watch(current)
	r, err := compareTables(ctx, a, b, o)
	r.ReferenceFindings, r.CurrentFindings = a.Findings(), b.Findings()
	return r, err
}

func compareTables(ctx context.Context, reference, current table.Source, o Options) (Report, error) {
	if r, few, err := tooFew(ctx, reference, current, o); few || err != nil {
		return r, err
	}
	c, err := newComparison(ctx, reference, current, o)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		ReferenceRows: c.rows[0], CurrentRows: c.rows[1],
		ShareLimit: cmp.Or(o.Share, DefaultShare), FalseDiscovery: o.FalseDiscovery,
		Season: c.season, Findings: c.findings, Columns: make([]Column, len(c.shared)),
	}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	changed := make([]*Finding, len(c.shared))
	size := c.groupSize()
	turns := c.turns()
	err = c.each(ctx, (len(c.shared)+size-1)/size, func(ctx context.Context, i int) error {
		turns <- struct{}{}
		defer func() { <-turns }()
		from, to := i*size, min((i+1)*size, len(c.shared))
		return c.group(ctx, c.shared[from:to], r.Columns[from:to], changed[from:to])
	})
	if err != nil {
		return Report{}, err
	}
	for _, f := range changed {
		if f != nil {
			r.Findings = append(r.Findings, *f)
		}
	}
	r.ReferenceRows, r.CurrentRows = r.Columns[0].Reference.Rows, r.Columns[0].Current.Rows
	if err := c.together(ctx, &r); err != nil {
		return Report{}, err
	}
	c.decide(&r)
	return r, nil
}

// comparison is what the comparing of all columns has in common.
type comparison struct {
	o                  Options
	reference, current table.Source
	shared             []shared
	findings           []Finding
	// vanished counts columns of the reference that the current table has not.
	vanished int
	// rows are those of the reference and of the current table.
	rows   [2]int64
	keep   rowSet
	season string
	free   *buffers
	// target are the values of the target on some rows of the reference, for the importance of the others.
	target *association
}

// shared is a column of both tables.
type shared struct {
	name      string
	ref, cur  int
	method    *Method
	threshold *float64
}

func (c *comparison) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	if c.o.Each != nil {
		return c.o.Each(ctx, n, do)
	}
	for i := range n {
		if err := do(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func newComparison(ctx context.Context, reference, current table.Source, o Options) (*comparison, error) {
	c := &comparison{o: o, reference: reference, current: current, free: &buffers{}}
	if o.Share < 0 || o.Share > 1 || o.FalseDiscovery < 0 || o.FalseDiscovery >= 1 {
		return nil, fault.Invalidf("the share of drifted columns and the false discovery rate are numbers from 0 to 1")
	}
	ref, cur := c.index(reference, "reference"), c.index(current, "current table")
	for name := range ref {
		if _, both := cur[name]; !both && c.wanted(name) {
			if !o.SparesVanished {
				c.vanished++
			}
			c.findings = append(c.findings, Finding{name, "vanished", "the reference has this column, the current table has not"})
		}
	}
	for name, at := range cur {
		from, both := ref[name]
		if !c.wanted(name) {
			continue
		}
		if !both {
			c.findings = append(c.findings, Finding{name, "appeared", "the current table has this column, the reference has not"})
			continue
		}
		c.shared = append(c.shared, shared{name: name, ref: from, cur: at})
	}
	slices.SortFunc(c.shared, func(a, b shared) int { return cmp.Compare(a.ref, b.ref) })
	slices.SortFunc(c.findings, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Column, b.Column)) })
	if err := c.check(ref, cur); err != nil {
		return nil, err
	}
	if len(c.shared) == 0 {
		return nil, fault.Invalidf("the two tables have no column in common%s", fromChoice(o.Columns))
	}
	for i, source := range []table.Source{reference, current} {
		n, err := table.CountRows(ctx, source, []int{c.shared[0].ref, c.shared[0].cur}[i])
		if err != nil {
			return nil, err
		}
		c.rows[i] = n
	}
	if err := c.sameSeason(ctx, ref, cur); err != nil {
		return nil, err
	}
	return c, c.measureTarget(ctx, ref)
}

const (
	// defaultMemory bounds the numbers that one call of Each holds, in bytes.
	defaultMemory = 256 << 20
	mostTogether  = 256
)

// groupSize is how many columns are read together. Where the columns of a table lie apart it is one; where each reading goes over the
// whole table, it is as many as the memory allows.
func (c *comparison) groupSize() int {
	if table.Columnar(c.reference) && table.Columnar(c.current) {
		return 1
	}
	memory := cmp.Or(c.o.Memory, defaultMemory)
	return int(max(1, min(mostTogether, memory/8/max(1, c.rows[0]+c.rows[1]))))
}

// turns has room for as many columns as may be in memory at once.
func (c *comparison) turns() chan struct{} {
	n := int64(len(c.shared))
	if c.groupSize() == 1 {
		n = min(n, max(1, cmp.Or(c.o.AtOnce, defaultMemory)/16/max(1, c.rows[0]+c.rows[1])))
	}
	return make(chan struct{}, n)
}

func fromChoice(columns []string) string {
	if len(columns) > 0 {
		return " among those that were chosen"
	}
	return ""
}

func (c *comparison) wanted(name string) bool {
	return len(c.o.Columns) == 0 || slices.Contains(c.o.Columns, name) || name == c.o.Target || name == c.o.Prediction
}

// index finds columns by name. Of several with one name, the first is taken.
func (c *comparison) index(source table.Source, which string) map[string]int {
	out := map[string]int{}
	for i, column := range source.Columns() {
		if _, twice := out[column.Name]; twice {
			c.findings = append(c.findings, Finding{column.Name, "twice", "the " + which + " has several columns of this name; the first is compared"})
			continue
		}
		out[column.Name] = i
	}
	return out
}

// check finds the methods, and refuses options that name what is not there.
func (c *comparison) check(ref, cur map[string]int) error {
	known := func(name, role string) error {
		_, a := ref[name]
		_, b := cur[name]
		if !a && !b {
			return invalidColumn(name, role)
		}
		return nil
	}
	for _, name := range c.o.Columns {
		if err := known(name, "column"); err != nil {
			return err
		}
	}
	for role, name := range map[string]string{"target": c.o.Target, "prediction": c.o.Prediction} {
		if name != "" {
			if err := known(name, role); err != nil {
				return err
			}
		}
	}
	for name := range c.o.Methods {
		if err := known(name, "the column with a method"); err != nil {
			return err
		}
	}
	for kind, name := range c.o.Method {
		m, err := MethodNamed(name)
		if err != nil {
			return err
		}
		if !m.compares(kind) {
			return fault.Invalidf("drift method %q does not compare %s columns", name, kind)
		}
	}
	for i := range c.shared {
		s := &c.shared[i]
		if name, ok := c.o.Methods[s.name]; ok {
			m, err := MethodNamed(name)
			if err != nil {
				return err
			}
			s.method = &m
		}
		if t, ok := c.o.Thresholds[s.name]; ok {
			s.threshold = &t
		}
	}
	return nil
}

// group reads some columns and compares each.
func (c *comparison) group(ctx context.Context, columns []shared, out []Column, changed []*Finding) error {
	ref, cur := make([]int, len(columns)), make([]int, len(columns))
	for i, s := range columns {
		ref[i], cur[i] = s.ref, s.cur
	}
	seed := func(i int) uint64 { return c.o.Seed ^ uint64(ref[i])*0x9e3779b97f4a7c15 }
	var a, b []*sample
	var picks []*picked
	err := c.each(ctx, 2, func(ctx context.Context, side int) (err error) {
		if side == 0 {
			a, picks, err = read(ctx, c.reference, ref, c.keep, c.free, seed, c.target)
		} else {
			b, _, err = read(ctx, c.current, cur, nil, c.free, func(i int) uint64 { return seed(i) + 1 }, nil)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, s := range columns {
		out[i] = Column{Name: s.name, Role: c.role(s.name)}
		if changed[i], err = c.compare(&out[i], s, a[i], b[i], seed(i)); err != nil {
			return err
		}
		c.importance(&out[i], picks[i])
		c.free.put(a[i].numbers)
		c.free.put(b[i].numbers)
	}
	return nil
}

func (c *comparison) role(name string) string {
	switch name {
	case c.o.Target:
		return "target"
	case c.o.Prediction:
		return "prediction"
	}
	return "feature"
}

// compare scores a column that was read. A change of its form is a finding, and drift.
func (c *comparison) compare(out *Column, s shared, a, b *sample, seed uint64) (*Finding, error) {
	fa, fb := a.form(), b.form()
	if fa == formMixed || fb == formMixed {
		if fa != formEmpty && fb != formEmpty {
			a.mixed()
			b.mixed()
		}
	}
	out.Reference, out.Current = a.summary(), b.summary()
	out.Kind = c.kind(s, a)
	changed := func(kind, text string) (*Finding, error) {
		out.Drifted, out.Note = true, text
		return &Finding{s.name, kind, text}, nil
	}
	if fa == formTimes && out.Kind == Other {
		out.Reference.moments(nil)
		out.Current.moments(nil)
	}
	switch {
	case fa == formEmpty && fb == formEmpty:
		out.Kind, out.Note = Other, "no values in either table"
		return nil, nil
	case fa == formEmpty:
		return changed("empty", fmt.Sprintf("the reference has no values here, the current table has %s", fb))
	case fb == formEmpty:
		return changed("empty", fmt.Sprintf("the current table has no values here, the reference has %s", fa))
	case fa != fb && fa != formMixed:
		return changed("type", fmt.Sprintf("the reference has %s, the current table has %s", fa, fb))
	case a.values() == 0 || b.values() == 0:
		out.Note = "no finite numbers in one of the tables"
		return nil, nil
	case out.Kind == Other && s.method != nil:
		return nil, fault.Invalidf("drift method %q compares %s columns; column %q holds %s", s.method.Name, s.method.Kinds[0], fault.Shorten(s.name, 100), fa)
	case out.Kind == Other:
		out.Note = string(fa) + " are not compared"
		if fa == formTimes {
			out.Note += "; name a method for the column to compare them as numbers"
		}
		return nil, nil
	}
	c.score(out, s, a, b, seed)
	return nil, nil
}

// kind is how a column is compared: as the options say, else as a method that was named wants it, else by the reference's values.
func (c *comparison) kind(s shared, a *sample) Kind {
	kind := kindOf(a)
	if k, ok := c.o.Kinds[s.name]; ok {
		kind = k
	} else if s.method != nil && !s.method.compares(kind) {
		kind = s.method.Kinds[0]
	}
	numbers := a.form() == formNumbers || a.form() == formTimes
	if kind == Numerical && !numbers || kind == Text && numbers {
		return Other
	}
	return kind
}

// score compares by a method and describes the distributions.
func (c *comparison) score(out *Column, s shared, a, b *sample, seed uint64) {
	in := &input{kind: out.Kind, a: a.numbers, b: b.numbers, texts: [2][]string{a.texts, b.texts}, seed: seed}
	in.integers = a.kinds[table.Number] == 0 && b.kinds[table.Number] == 0 && a.missing == 0 && b.missing == 0
	var names []string
	values, distinct := int(a.values()), 0
	if len(in.a)+len(in.b) > 0 {
		in.first = int(out.Reference.Distinct)
		if in.sd = math.NaN(); out.Reference.SD != nil {
			in.sd = *out.Reference.SD
		}
		if distinct = in.first; distinct <= mostBinned {
			distinct = stats.DistinctInBoth(in.a, in.b)
		}
		if out.Kind == Categorical {
			names = labelNumbers(in.a, in.b)
		}
	} else {
		if a.labels.full || b.labels.full {
			if out.Kind == Categorical {
				out.Note = fmt.Sprintf("more than %d different values; compared as text", mostLabels)
			}
			out.Kind, in.kind = Text, Text
		}
		if out.Kind == Categorical {
			in.counts, names = paired(a.labels, b.labels)
			distinct = len(names)
		}
	}
	m := s.method
	if m == nil || !m.compares(out.Kind) {
		name := c.o.Method[out.Kind]
		if name == "" {
			name = Default(out.Kind, values, distinct)
		}
		found, err := MethodNamed(name)
		if err != nil {
			out.Note = err.Error()
			return
		}
		m = &found
	}
	out.Method, out.Label, out.Threshold, out.ScoreIs = m.Name, m.Label, m.Threshold, "distance"
	if m.PValue {
		out.ScoreIs = "p-value"
	}
	if s.threshold != nil {
		out.Threshold = *s.threshold
	}
	score, drifted := m.evaluate(in, out.Threshold)
	out.Drifted = drifted
	if out.Score = finite(score); out.Score == nil && out.Note == "" {
		out.Note = "the method is not defined for these values"
	}
	out.describe(in, names)
}

// finite is a pointer to a number, nil for one that JSON cannot hold.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// decide counts the drifted columns and ranks all.
func (c *comparison) decide(r *Report) {
	p := make([]float64, len(r.Columns))
	for i, column := range r.Columns {
		p[i] = math.NaN()
		if column.ScoreIs == "p-value" && column.Score != nil {
			p[i] = *column.Score
		}
	}
	highest := 0.0
	for i, q := range stats.BenjaminiHochberg(p) {
		column := &r.Columns[i]
		if column.Adjusted = finite(q); column.Adjusted != nil && c.o.FalseDiscovery > 0 {
			column.Drifted = q <= c.o.FalseDiscovery
		}
		if column.Importance != nil {
			highest = max(highest, *column.Importance)
		}
	}
	for i := range r.Columns {
		r.Columns[i].prioritize(highest)
		if r.Columns[i].Method != "" || r.Columns[i].Drifted {
			r.Compared++
		}
		if r.Columns[i].Drifted {
			r.DriftedColumns++
		}
	}
	// A column that is gone has changed as much as one can.
	r.Compared, r.DriftedColumns = r.Compared+c.vanished, r.DriftedColumns+c.vanished
	if r.Compared > 0 {
		r.Share = float64(r.DriftedColumns) / float64(r.Compared)
		r.Drifted = r.Share >= r.ShareLimit
	}
	slices.SortStableFunc(r.Columns, rank)
}

// rank orders columns: the target and the prediction, then the drifted, then the others; each by priority.
func rank(a, b Column) int {
	features := func(c Column) int {
		if c.Role == "feature" {
			return 1
		}
		return 0
	}
	drifted := func(c Column) int {
		if c.Drifted {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(features(a), features(b)), cmp.Compare(drifted(a), drifted(b)), cmp.Compare(b.Priority, a.Priority))
}

// prioritize sets what the column is ranked by. A change of form counts as the largest effect.
func (c *Column) prioritize(highest float64) {
	effect := 0.0
	if c.Effect != nil {
		effect = *c.Effect
	} else if c.Drifted {
		effect = 1
	}
	c.Priority = effect
	if highest > 0 {
		weight := 0.0
		if c.Importance != nil {
			weight = *c.Importance / highest
		}
		c.Priority = effect * weight
	}
}
