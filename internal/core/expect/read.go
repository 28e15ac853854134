package expect

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"levada/internal/core/expect/cells"
	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// The work is divided twice. A unit is the expectations and metrics that look at the same columns: it is one after the other within a unit,
// and at the same time in several. A group is the units that are read together: those with a column or a row condition in common, so
// that each column is read, and each condition evaluated, once. Of a table whose columns lie apart the groups are read at the same time;
// of another one there is one group.

// unit is metrics and checks that have columns in common.
type unit struct {
	metrics []*measuring
	checks  []*running
	all     []*running // checks has those that look at the batches of a pass
}

// group is units that are read together.
type group struct {
	run      *run
	units    []*unit
	rows     int64
	findings []table.Finding
}

// forest says which of some numbers belong together.
type forest []int

func newForest(n int) forest {
	f := make(forest, n)
	for i := range f {
		f[i] = i
	}
	return f
}

func (f forest) root(i int) int {
	for f[i] != i {
		f[i] = f[f[i]]
		i = f[i]
	}
	return i
}

func (f forest) join(all []int) {
	for _, i := range all[min(1, len(all)):] {
		f[f.root(i)] = f.root(all[0])
	}
}

// units divides the checks, in the order of the suite, and the metrics they need. A check of the table as a whole is in none.
func (r *run) units(all []*running) []*unit {
	together := newForest(len(r.columns))
	for _, x := range all {
		together.join(x.columns)
	}
	var out []*unit
	at := map[int]*unit{}
	for _, x := range all {
		if x.err != nil || len(x.columns) == 0 && x.condition == 0 {
			continue
		}
		var u *unit
		if len(x.columns) > 0 {
			u = at[together.root(x.columns[0])]
		}
		if u == nil {
			u = &unit{}
			out = append(out, u)
		}
		if len(x.columns) > 0 {
			at[together.root(x.columns[0])] = u
		}
		u.checks, u.all = append(u.checks, x), append(u.all, x)
	}
	for _, m := range r.order {
		if u := at[together.root(m.about().column)]; u != nil {
			u.metrics = append(u.metrics, m)
		}
	}
	return out
}

// groups puts units together. One that needs no column, but the numbers of the rows, goes with any other.
func (r *run) groups(units []*unit) []*group {
	if len(units) == 0 {
		return nil
	}
	if !table.Columnar(r.source) {
		return []*group{{run: r, units: units}}
	}
	together := newForest(len(r.columns))
	for _, u := range units {
		together.join(r.read([]*unit{u}))
	}
	var out []*group
	var bare []*unit
	at := map[int]*group{}
	for _, u := range units {
		places := r.read([]*unit{u})
		if len(places) == 0 {
			bare = append(bare, u)
			continue
		}
		g := at[together.root(places[0])]
		if g == nil {
			g = &group{run: r}
			at[together.root(places[0])] = g
			out = append(out, g)
		}
		g.units = append(g.units, u)
	}
	// What is found of the columns is told in their order.
	slices.SortFunc(out, func(a, b *group) int { return cmp.Compare(r.read(a.units)[0], r.read(b.units)[0]) })
	if len(bare) > 0 && len(out) == 0 {
		out = append(out, &group{run: r})
	}
	if len(bare) > 0 {
		out[0].units = append(out[0].units, bare...)
	}
	return out
}

// conditions are those of units, by their numbers.
func conditions(units []*unit) []int {
	var out []int
	for _, u := range units {
		for _, x := range u.checks {
			out = append(out, x.condition)
		}
		for _, m := range u.metrics {
			out = append(out, m.about().condition)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// read are the columns that are read for units, in order.
func (r *run) read(units []*unit) []int {
	var out []int
	for _, u := range units {
		for _, x := range u.checks {
			out = append(out, x.columns...)
		}
		for _, m := range u.metrics {
			out = append(out, m.about().column)
		}
	}
	for _, c := range conditions(units) {
		if c > 0 {
			out = append(out, r.conditions[c].places...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// each calls do for 0 to n-1, at the same time where the options allow it.
func (r *run) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	if r.options.Each != nil && n > 1 {
		return r.options.Each(ctx, n, do)
	}
	for i := range n {
		if err := do(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads what the checks need and closes them.
func (r *run) readAll(ctx context.Context, all []*running) error {
	groups := r.groups(r.units(all))
	alone := len(groups) == 0 && r.source.Rows() < 0 && len(r.columns) > 0 // only reading tells how many rows there are
	if alone {
		groups = []*group{{run: r}}
	}
	r.metrics, r.measured, r.order = nil, nil, nil // a unit that is done lets go of its own
	failed := make([]error, len(groups))
	err := r.each(ctx, len(groups), func(ctx context.Context, i int) error {
		failed[i] = groups[i].check(ctx)
		groups[i].units = nil
		return nil
	})
	if first := cmp.Or(cmp.Or(failed...), err); first != nil { // in the order of the columns, whichever came first
		return first
	}
	r.rows = max(0, r.source.Rows())
	if len(groups) > 0 {
		r.rows = groups[0].rows
		found := table.Findings(r.source)
		for _, g := range groups {
			found = append(slices.Clip(found), g.findings...)
		}
		r.findings = table.MergeFindings(found)
	}
	for _, x := range all {
		if x.check != nil || x.err != nil {
			x.closed = x.result()
		}
	}
	return nil
}

// mostPasses bounds how often a table is read.
const mostPasses = 200

// check reads the columns of a group as often as its units need it, and closes their checks.
func (g *group) check(ctx context.Context) error {
	units := g.units
	for pass := 0; pass == 0 || len(units) > 0; pass++ {
		if pass == mostPasses {
			return fault.TooLargef("the table has so many different values that it would be read more than %d times; check with more memory", mostPasses)
		}
		if err := g.pass(ctx, units, pass == 0); err != nil {
			return err
		}
		err := g.run.each(ctx, len(units), func(_ context.Context, i int) error {
			if units[i].second(); units[i].done() {
				units[i].close()
			}
			return nil
		})
		if err != nil {
			return err
		}
		units = slices.DeleteFunc(slices.Clone(units), (*unit).done)
	}
	return nil
}

// pass reads the columns of units once.
func (g *group) pass(ctx context.Context, units []*unit, first bool) error {
	r := g.run
	places := r.read(units)
	if len(places) == 0 {
		places = []int{0}
	}
	chosen := conditions(units)
	v := &view{vectors: make([]*table.Vector, len(r.columns)), missing: make([]cells.Bits, len(r.columns)),
		chosen: make([]cells.Bits, len(r.conditions)), failed: make([]error, len(r.conditions))}
	s := r.source.Scan(places...)
	var failed error
	rows, err := scan(ctx, s, func(b *table.Batch) bool {
		r.look(v, b, places, chosen)
		if len(units) == 1 {
			units[0].batch(v)
		} else {
			failed = r.each(ctx, len(units), func(_ context.Context, i int) error {
				units[i].batch(v)
				return nil
			})
		}
		return failed == nil && (first || slices.ContainsFunc(units, func(u *unit) bool { return !u.enough() }))
	})
	if first {
		g.rows, g.findings = rows, table.Findings(s)
	}
	return cmp.Or(failed, err)
}

// scan calls do for each batch until it returns false, and closes the scanner. It returns how many rows there were up to then.
func scan(ctx context.Context, s table.Scanner, do func(b *table.Batch) bool) (rows int64, err error) {
	defer s.Close()
	for {
		b, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = b.Row + int64(b.Size)
		if !do(b) {
			return rows, nil
		}
	}
}

// look makes a view of a batch.
func (r *run) look(v *view, b *table.Batch, places, chosen []int) {
	v.row, v.size = b.Row, b.Size
	for i, at := range places {
		v.vectors[at], v.missing[at] = &b.Columns[i], nil
	}
	v.chosen[0] = cells.All(b.Size)
	for _, n := range chosen {
		if n == 0 {
			continue
		}
		c := r.conditions[n]
		columns := make([]*table.Vector, len(c.places))
		for k, at := range c.places {
			columns[k] = v.vectors[at]
		}
		if v.chosen[n], v.failed[n] = c.Evaluate(columns, b.Size, b.Row); v.failed[n] != nil {
			v.failed[n] = typeError("row_condition: %v", v.failed[n])
		}
	}
}

// batch gives a batch to the metrics and the checks, unless they have failed.
func (u *unit) batch(v *view) {
	for _, m := range u.metrics {
		m.measure(v)
	}
	for _, x := range u.checks {
		if x.err == nil {
			x.batch(v)
		}
	}
}

// measure gives a metric a batch, unless it has failed.
func (m *measuring) measure(v *view) {
	if m.err != nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			m.err = internalError(p)
		}
	}()
	m.err = m.batch(v)
}

// another reports whether another reading is needed, which an error does without.
func another(a again, err *error) (needed bool) {
	defer func() {
		if p := recover(); p != nil {
			needed, *err = false, internalError(p)
		}
	}()
	needed, *err = a.second()
	return needed && *err == nil
}

// second leaves the metrics and checks that need another reading.
func (u *unit) second() {
	u.metrics = slices.DeleteFunc(slices.Clone(u.metrics), func(m *measuring) bool {
		a, ok := m.metric.(again)
		return !ok || m.err != nil || !another(a, &m.err)
	})
	u.checks = slices.DeleteFunc(slices.Clone(u.checks), func(x *running) bool {
		a, ok := x.check.(again)
		return !ok || x.err != nil || !another(a, &x.err)
	})
}

func (u *unit) done() bool { return len(u.metrics)+len(u.checks) == 0 }

// enough reports whether the rest of a pass tells the unit nothing.
func (u *unit) enough() bool {
	more := func(of any) bool {
		e, ok := of.(satisfied)
		return !ok || !e.satisfied()
	}
	return !slices.ContainsFunc(u.metrics, func(m *measuring) bool { return m.err == nil && more(m.metric) }) &&
		!slices.ContainsFunc(u.checks, func(x *running) bool { return x.err == nil && more(x.check) })
}

// close makes the results, and lets go of what they were made of.
func (u *unit) close() {
	for _, x := range u.all {
		x.closed = x.result()
	}
	u.all = nil
}
