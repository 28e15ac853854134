package dataset

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"golang.org/x/sync/errgroup"

	"levada/internal/core/fault"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
)

// Comparison says how a table differs from an earlier one.
type Comparison struct {
	// Rows are those of the earlier and of the later table.
	Rows [2]int64 `json:"rows"`
	// Added and Removed are columns that only the later and only the earlier table has.
	Added   []string `json:"columns_added,omitempty"`
	Removed []string `json:"columns_removed,omitempty"`
	// Types are columns whose values are of another kind, or that the format declares as another.
	Types []Change `json:"types,omitempty"`
	// Figures are those of the profiles of columns that both have.
	Figures []Change `json:"figures,omitempty"`
	// ByKey compares rows, where a key was given.
	ByKey *Rows `json:"by_key,omitempty"`
	// WasFindings and IsFindings are what was read of the earlier and of the later table in another way than it is written, or left out.
	WasFindings []table.Finding `json:"was_findings,omitempty"`
	IsFindings  []table.Finding `json:"is_findings,omitempty"`
}

// Same reports whether nothing differs.
func (c Comparison) Same() bool {
	return c.Rows[0] == c.Rows[1] && len(c.Added)+len(c.Removed)+len(c.Types)+len(c.Figures) == 0 &&
		(c.ByKey == nil || c.ByKey.Added+c.ByKey.Removed+c.ByKey.Changed == 0)
}

// Change is something of a column that was and is.
type Change struct {
	Column string `json:"column"`
	What   string `json:"what,omitempty"`
	Was    string `json:"was"`
	Is     string `json:"is"`
}

// Compare says how table b differs from a: in its schema, in the profiles of its columns and, where a key is given, row by row. Temp is a
// directory for what does not fit into memory.
func Compare(ctx context.Context, a, b table.Source, key []string, temp string) (Comparison, error) {
	both, c, err := match(a.Columns(), b.Columns(), key)
	if err != nil {
		return c, err
	}
	pa, err := read(ctx, a, both.a, reading{})
	if err != nil {
		return c, err
	}
	pb, err := read(ctx, b, both.b, reading{})
	if err != nil {
		return c, err
	}
	c.Rows, c.WasFindings, c.IsFindings = [2]int64{pa.Rows, pb.Rows}, pa.Findings, pb.Findings
	for i := range both.names {
		c.column(pa.Columns[i], pb.Columns[i])
	}
	if len(key) > 0 {
		c.ByKey, err = compareRows(ctx, a, b, both, key, temp)
	}
	return c, err
}

// CompareProfiles says how a table differs from an earlier one by the profiles of all of their columns.
func CompareProfiles(a, b Profile) (Comparison, error) {
	both, c, err := match(a.named(), b.named(), nil)
	if err != nil {
		return c, err
	}
	c.Rows, c.WasFindings, c.IsFindings = [2]int64{a.Rows, b.Rows}, a.Findings, b.Findings
	for i := range both.names {
		c.column(a.Columns[both.a[i]], b.Columns[both.b[i]])
	}
	return c, nil
}

// CompareRows says which rows differ, by a key. Temp is a directory for what does not fit into memory.
func CompareRows(ctx context.Context, a, b table.Source, key []string, temp string) (*Rows, error) {
	both, _, err := match(a.Columns(), b.Columns(), key)
	if err != nil {
		return nil, err
	}
	return compareRows(ctx, a, b, both, key, temp)
}

// named are the columns of a profile.
func (p Profile) named() []table.Column {
	out := make([]table.Column, len(p.Columns))
	for i, c := range p.Columns {
		out[i] = table.Column{Name: c.Name, Declared: c.Declared}
	}
	return out
}

// pair is the columns that two tables have, and their places.
type pair struct {
	names []string
	a, b  []int
}

// match pairs columns by their names, of which the first counts; the Comparison says which came and went. Both tables must have the
// columns of the key.
func match(ca, cb []table.Column, key []string) (pair, Comparison, error) {
	both, c := pair{}, Comparison{}
	in := func(columns []table.Column) map[string]int {
		at := map[string]int{}
		for i, c := range columns {
			if _, ok := at[c.Name]; !ok {
				at[c.Name] = i
			}
		}
		return at
	}
	atA, atB := in(ca), in(cb)
	for _, x := range ca {
		if _, ok := atB[x.Name]; !ok {
			c.Removed = append(c.Removed, x.Name)
		}
	}
	for i, x := range cb {
		k, ok := atA[x.Name]
		switch {
		case !ok:
			c.Added = append(c.Added, x.Name)
		case atB[x.Name] == i:
			both.names, both.a, both.b = append(both.names, x.Name), append(both.a, k), append(both.b, i)
		}
	}
	if len(both.names) == 0 {
		return both, c, fault.Invalidf("the tables have no column in common")
	}
	for _, name := range key {
		if _, ok := atA[name]; !ok {
			return both, c, fault.Invalidf("the key: the first table has no column %q; it has %s", name, listed(ca))
		}
		if _, ok := atB[name]; !ok {
			return both, c, fault.Invalidf("the key: the second table has no column %q; it has %s", name, listed(cb))
		}
	}
	return both, c, nil
}

// column adds what differs between two profiles of a column.
func (c *Comparison) column(a, b profile.Column) {
	was, is := a.Type, b.Type
	if was == is && a.Declared != "" && b.Declared != "" {
		was, is = a.Declared, b.Declared
	}
	if was != is {
		c.Types = append(c.Types, Change{Column: a.Name, Was: was, Is: is})
	}
	add := func(what, was, is string) {
		if was != is {
			c.Figures = append(c.Figures, Change{a.Name, what, was, is})
		}
	}
	add("nulls", share(a.Nulls, a.Count), share(b.Nulls, b.Count))
	if a.Estimated || b.Estimated { // within the error of the estimates
		if math.Abs(float64(a.Distinct)/float64(max(1, b.Distinct))-1) > 0.04 {
			add("distinct", "≈"+strconv.FormatInt(a.Distinct, 10), "≈"+strconv.FormatInt(b.Distinct, 10))
		}
	} else {
		add("distinct", strconv.FormatInt(a.Distinct, 10), strconv.FormatInt(b.Distinct, 10))
	}
	add("min", a.Min, b.Min)
	add("max", a.Max, b.Max)
	for _, f := range []struct {
		what string
		a, b *float64
	}{{"mean", a.Mean, b.Mean}, {"sd", a.SD, b.SD}} {
		if f.a != nil && f.b != nil && math.Abs(*f.a-*f.b) > 1e-9*max(math.Abs(*f.a), math.Abs(*f.b)) {
			add(f.what, strconv.FormatFloat(*f.a, 'g', 7, 64), strconv.FormatFloat(*f.b, 'g', 7, 64))
		}
	}
	add("NaN", strconv.FormatInt(a.NaN, 10), strconv.FormatInt(b.NaN, 10))
	if a.Length != nil && b.Length != nil {
		add("longest", strconv.FormatInt(a.Length.Max, 10), strconv.FormatInt(b.Length.Max, 10))
	}
	c.values(a, b)
}

// values names values that are new or gone, where both profiles have all of them.
func (c *Comparison) values(a, b profile.Column) {
	all := func(p profile.Column) bool {
		return !p.Bounded && p.Distinct <= profile.TopValues && int64(len(p.Top)) == p.Distinct
	}
	if !all(a) || !all(b) || a.Type != "text" && a.Type != "boolean" {
		return
	}
	only := func(x, y profile.Column) string {
		there := map[string]bool{}
		for _, f := range y.Top {
			there[f.Value] = true
		}
		text := ""
		for _, f := range x.Top {
			if !there[f.Value] {
				if text != "" {
					text += ", "
				}
				text += fault.Shorten(f.Value, 40)
			}
		}
		return text
	}
	if gone, came := only(a, b), only(b, a); gone+came != "" {
		c.Figures = append(c.Figures, Change{a.Name, "values", gone, came})
	}
}

func share(n, of int64) string {
	if of == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.4g %%", 100*float64(n)/float64(of))
}

// bothTables does a thing for each of two tables at the same time.
func bothTables(ctx context.Context, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range 2 {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}
