package dataset

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// Rows says how many rows differ, by their keys.
type Rows struct {
	Key []string `json:"key"`
	// Same rows are equal in all columns that both tables have; of Changed ones the key is in both.
	Same    int64 `json:"same"`
	Changed int64 `json:"changed"`
	Added   int64 `json:"added"`
	Removed int64 `json:"removed"`
	// Twice counts rows of the earlier and of the later table whose key other rows have too. Of those equal rows are paired first.
	Twice [2]int64 `json:"key_twice"`
	// Columns counts in how many of the Examined changed rows a column differs.
	Examined int64            `json:"examined"`
	Columns  map[string]int64 `json:"columns,omitempty"`
	// The first rows of each, as examples.
	ChangedRows []ChangedRow `json:"changed_rows,omitempty"`
	AddedRows   []KeyedRow   `json:"added_rows,omitempty"`
	RemovedRows []KeyedRow   `json:"removed_rows,omitempty"`
}

// KeyedRow is a row, by its number from 0 and its key.
type KeyedRow struct {
	Row int64    `json:"row"`
	Key []string `json:"key"`
}

// ChangedRow is a row that is in both tables, and what differs.
type ChangedRow struct {
	Was     int64    `json:"was_row"`
	Is      int64    `json:"is_row"`
	Key     []string `json:"key"`
	Changes []Change `json:"changes"`
}

const (
	examples = 5    // rows that are given of each kind
	examined = 1000 // changed rows whose columns are compared
)

// twin is a row that is in both tables, by its numbers.
type twin struct{ a, b int64 }

// compareRows hashes the key and the other columns of each row, puts rows with equal keys together by parts of the hashes, and compares
// the parts one after the other. Two keys of 128 bits are not equal by chance; two rows of 64 bits with one key practically never.
func compareRows(ctx context.Context, a, b table.Source, both pair, key []string, temp string) (*Rows, error) {
	out := &Rows{Key: key, Columns: map[string]int64{}}
	sources, places := [2]table.Source{a, b}, [2][]int{both.a, both.b}
	var parts [2]*parts
	for i := range parts {
		parts[i] = newParts(temp)
		defer parts[i].close()
	}
	err := bothTables(ctx, func(ctx context.Context, i int) error {
		return hashRows(ctx, sources[i], places[i], both.names, key, parts[i])
	})
	if err != nil {
		return nil, err
	}
	var changed []twin
	var added, removed []int64
	for k := range partCount {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pa, err := parts[0].part(k)
		if err != nil {
			return nil, err
		}
		pb, err := parts[1].part(k)
		if err != nil {
			return nil, err
		}
		j := joined{out: out}
		j.join(pa, pb)
		changed = first(append(changed, j.changed...), examined, func(x, y twin) int { return cmp.Compare(x.b, y.b) })
		added = first(append(added, j.added...), examples, cmp.Compare[int64])
		removed = first(append(removed, j.removed...), examples, cmp.Compare[int64])
	}
	return out, out.examples(ctx, sources, both, changed, added, removed)
}

// first keeps the first of some.
func first[T any](s []T, most int, compare func(a, b T) int) []T {
	slices.SortFunc(s, compare)
	return s[:min(len(s), most)]
}

// hashRows writes a record of each row.
func hashRows(ctx context.Context, src table.Source, places []int, names, key []string, out *parts) error {
	isKey := make([]int, len(names))
	for i, name := range names {
		isKey[i] = slices.Index(key, name)
	}
	s := src.Scan(places...)
	defer s.Close()
	var one, two, rest []uint64
	for {
		b, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		one, two, rest = zeros(one, b.Size), zeros(two, b.Size), zeros(rest, b.Size)
		for i := range b.Columns {
			v := &b.Columns[i]
			// The order of columns does not matter, and that of the tables need not be one.
			seed := table.HashText(names[i])
			if isKey[i] >= 0 {
				v.Hash(one, seed)
				v.Hash(two, seed*3+1)
			} else {
				sum(v, seed, rest)
			}
		}
		for i := range b.Size {
			if err := out.add(record{one[i], two[i], rest[i], b.Row + int64(i)}); err != nil {
				return err
			}
		}
	}
}

// sum adds the hashes of a column to those of rows.
func sum(v *table.Vector, seed uint64, rows []uint64) {
	h := make([]uint64, v.Size)
	v.Hash(h, seed)
	for i, x := range h {
		rows[i] += x
	}
}

func zeros(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// joined gathers the rows of a part that differ.
type joined struct {
	out            *Rows
	changed        []twin
	added, removed []int64
}

// join walks two sorted parts at the same time.
func (j *joined) join(a, b []record) {
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].key(b[0]) < 0:
			n := together(a)
			j.group(a[:n], nil)
			a = a[n:]
		case len(a) == 0 || a[0].key(b[0]) > 0:
			n := together(b)
			j.group(nil, b[:n])
			b = b[n:]
		default:
			n, m := together(a), together(b)
			j.group(a[:n], b[:m])
			a, b = a[n:], b[m:]
		}
	}
}

// together is how many records there are with the key of the first.
func together(r []record) int {
	n := 1
	for n < len(r) && r[n].key(r[0]) == 0 {
		n++
	}
	return n
}

// group compares rows with one key, which are in the order of their other columns: equal ones first, the others one by one.
func (j *joined) group(a, b []record) {
	if len(a) > 1 {
		j.out.Twice[0] += int64(len(a))
	}
	if len(b) > 1 {
		j.out.Twice[1] += int64(len(b))
	}
	var restA, restB []record
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].rest == b[0].rest:
			j.out.Same++
			a, b = a[1:], b[1:]
		case a[0].rest < b[0].rest:
			restA, a = append(restA, a[0]), a[1:]
		default:
			restB, b = append(restB, b[0]), b[1:]
		}
	}
	restA, restB = append(restA, a...), append(restB, b...)
	byRow := func(x, y record) int { return cmp.Compare(x.row, y.row) }
	slices.SortFunc(restA, byRow)
	slices.SortFunc(restB, byRow)
	n := min(len(restA), len(restB))
	j.out.Changed += int64(n)
	for i := range n {
		j.changed = append(j.changed, twin{restA[i].row, restB[i].row})
	}
	j.out.Removed += int64(len(restA) - n)
	for _, r := range restA[n:] {
		j.removed = append(j.removed, r.row)
	}
	j.out.Added += int64(len(restB) - n)
	for _, r := range restB[n:] {
		j.added = append(j.added, r.row)
	}
}

// examples reads the rows that are shown, and says what differs in those that changed.
func (r *Rows) examples(ctx context.Context, sources [2]table.Source, both pair, changed []twin, added, removed []int64) error {
	places := [2][]int{both.a, both.b}
	wanted := [2][]int64{slices.Clone(removed), slices.Clone(added)}
	for _, t := range changed {
		wanted[0], wanted[1] = append(wanted[0], t.a), append(wanted[1], t.b)
	}
	var got [2]map[int64][]table.Cell
	err := bothTables(ctx, func(ctx context.Context, i int) (err error) {
		got[i], err = fetch(ctx, sources[i], places[i], wanted[i])
		return err
	})
	if err != nil {
		return err
	}
	keyOf := func(row []table.Cell) []string {
		var out []string
		for _, name := range r.Key {
			out = append(out, shown(row[slices.Index(both.names, name)]))
		}
		return out
	}
	for _, row := range removed {
		r.RemovedRows = append(r.RemovedRows, KeyedRow{row, keyOf(got[0][row])})
	}
	for _, row := range added {
		r.AddedRows = append(r.AddedRows, KeyedRow{row, keyOf(got[1][row])})
	}
	for i, t := range changed {
		was, is := got[0][t.a], got[1][t.b]
		c := ChangedRow{Was: t.a, Is: t.b, Key: keyOf(is)}
		for k, name := range both.names {
			if !equal(was[k], is[k]) {
				r.Columns[name]++
				c.Changes = append(c.Changes, Change{Column: name, Was: shown(was[k]), Is: shown(is[k])})
			}
		}
		r.Examined++
		if i < examples {
			r.ChangedRows = append(r.ChangedRows, c)
		}
	}
	return nil
}

func equal(a, b table.Cell) bool {
	var h [2][1]uint64
	for i, c := range []table.Cell{a, b} {
		v := table.Vector{Kind: table.Mixed, Size: 1, Cells: []table.Cell{c}}
		v.Hash(h[i][:], 0)
	}
	return h[0] == h[1]
}

func shown(c table.Cell) string {
	if c.Kind == table.Null {
		return "null"
	}
	return fault.Shorten(c.Shown(), 200)
}

// fetch reads some rows.
func fetch(ctx context.Context, src table.Source, places []int, rows []int64) (map[int64][]table.Cell, error) {
	slices.Sort(rows)
	out := make(map[int64][]table.Cell, len(rows))
	if len(rows) == 0 {
		return out, nil
	}
	s := src.Scan(places...)
	defer s.Close()
	for len(rows) > 0 {
		b, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil, fault.Conflictf("a table changed while it was read: it has no row %d any more", rows[0])
		}
		if err != nil {
			return nil, err
		}
		for len(rows) > 0 && rows[0] < b.Row+int64(b.Size) {
			row := make([]table.Cell, len(places))
			for i := range b.Columns {
				row[i] = b.Columns[i].Cell(int(rows[0] - b.Row))
			}
			out[rows[0]] = row
			rows = rows[1:]
		}
	}
	return out, nil
}
