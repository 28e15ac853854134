package tabular

import (
	"errors"
	"io"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// read gives the next n rows, which lie in one row group. The vector is valid until the next call.
func (c *column) read(n int) (table.Vector, error) {
	if c.leaf.maxRep > 0 {
		return c.readLists(n)
	}
	c.reset()
	c.nulls = nil
	for got := 0; got < n; {
		if err := c.load(); err != nil {
			return table.Vector{}, ended(err)
		}
		m := min(c.inPage, n-got)
		if err := c.readFlat(got, m, n); err != nil {
			return table.Vector{}, err
		}
		c.inPage -= m
		got += m
	}
	return c.convert(n)
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return fault.Invalidf("a row group ends before its last row")
	}
	return err
}

func (c *column) reset() {
	r := &c.raw
	r.ints, r.floats, r.texts, r.codes, c.loose = r.ints[:0], r.floats[:0], r.texts[:0], r.codes[:0], false
}

// readFlat appends m values of a page, some of which may be null, as rows from at on of n.
func (c *column) readFlat(at, m, n int) error {
	most := uint32(c.leaf.maxDef)
	if most == 0 || c.defs.all(most, m) {
		return c.values(m)
	}
	c.levels = sized(c.levels, m)
	levels := c.levels
	if err := c.defs.next(levels); err != nil {
		return err
	}
	there := 0
	for _, d := range levels {
		if d == most {
			there++
		} else if d > most {
			return errDamaged
		}
	}
	if err := c.values(there); err != nil {
		return err
	}
	if there == m {
		return nil
	}
	if c.nulls == nil {
		c.nulls = make([]uint64, (n+63)/64)
	}
	for i, d := range levels {
		if d < most {
			c.nulls[(at+i)>>6] |= 1 << ((at + i) & 63)
		}
	}
	switch r := &c.raw; {
	case c.leaf.kind.isInt():
		r.ints = spread(r.ints, there, levels, most)
	case c.leaf.kind.isFloat():
		r.floats = spread(r.floats, there, levels, most)
	case c.loose:
		r.texts = spread(r.texts, there, levels, most)
	default:
		r.codes = spread(r.codes, there, levels, most)
	}
	return nil
}

// spread moves the last values of a slice apart, to the places where there are some.
func spread[T any](s []T, there int, levels []uint32, most uint32) []T {
	from := len(s) - 1
	first := len(s) - there
	var none T
	for range len(levels) - there {
		s = append(s, none)
	}
	for i := len(levels) - 1; i >= 0; i-- {
		if levels[i] == most {
			s[first+i] = s[from]
			from--
		} else {
			s[first+i] = none
		}
	}
	return s
}

// listReader puts lists together. What it has decoded and not used stays for the next call.
type listReader struct {
	reps, defs []uint32
	at         int
	values     table.Vector
	value      int
	list       listCell
	cells      []table.Cell
}

const listChunk = 1 << 10

// readLists gives the next n rows of a column that has several values in a row.
func (c *column) readLists(n int) (table.Vector, error) {
	l := &c.lists
	l.cells = l.cells[:0]
	for len(l.cells) < n {
		if l.at == len(l.reps) {
			err := c.loadLists()
			if errors.Is(err, io.EOF) && l.list.open && len(l.cells) == n-1 {
				l.cells = append(l.cells, l.list.cell())
				l.list = listCell{}
				break
			}
			if err != nil {
				return table.Vector{}, ended(err)
			}
		}
		if l.reps[l.at] == 0 && l.list.open {
			l.cells = append(l.cells, l.list.cell())
			l.list = listCell{}
			continue
		}
		d := int(l.defs[l.at])
		if l.reps[l.at] == 0 {
			l.list = listCell{open: true, null: d < c.leaf.emptyListDef}
		}
		l.at++
		switch {
		case d == c.leaf.maxDef:
			l.list.add(c.shown(l.values.Cell(l.value)))
			l.value++
		case d >= c.leaf.elementDef:
			l.list.add(table.Cell{})
		}
	}
	v := table.VectorOf(l.cells)
	if v.Kind == table.List {
		v.Ints = make([]int64, v.Size)
		for i, cell := range l.cells {
			v.Ints[i] = cell.Int
		}
	}
	return v, nil
}

// loadLists decodes the next levels and values.
func (c *column) loadLists() error {
	c.reset()
	c.nulls = nil
	if err := c.load(); err != nil {
		return err
	}
	l := &c.lists
	n := min(c.inPage, listChunk)
	l.reps, l.defs, l.at, l.value = sized(l.reps, n), sized(l.defs, n), 0, 0
	if err := c.rep.next(l.reps); err != nil {
		return err
	}
	if err := c.defs.next(l.defs); err != nil {
		return err
	}
	there := 0
	for i, d := range l.defs {
		if int(d) > c.leaf.maxDef || int(l.reps[i]) > c.leaf.maxRep {
			return errDamaged
		}
		if int(d) == c.leaf.maxDef {
			there++
		}
	}
	if err := c.values(there); err != nil {
		return err
	}
	c.inPage -= n
	var err error
	l.values, err = c.convert(there)
	return err
}
