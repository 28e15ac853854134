package expect

import (
	"cmp"
	"slices"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// uniqueCheck finds the rows whose value, or combination of values, is in another row too.
type uniqueCheck struct {
	rowCheck
	keys   *keyTable
	hasher cells.Hasher
	keyers []keyer     // of the columns
	joined []cells.Key // of a stretch of rows
	of     []cells.Key // the key of each row that is kept
	passes int
	next   int64 // the row after those of the last batch
	// full says that as many rows are kept as are wanted; last is the last of them.
	full bool
	last int64
	// bare are the rows that are kept without their values, in order. A last reading brings those.
	bare []*Unexpected
}

// unique builds expect_column_values_to_be_unique and expect_compound_columns_to_be_unique.
func (b *build) unique(c *rowCheck) check {
	u := &uniqueCheck{rowCheck: *c, keys: newKeyTable(b.mostKeys()), hasher: cells.NewHasher()}
	for range c.places {
		u.keyers = append(u.keyers, keyer{hasher: u.hasher})
	}
	u.keys.found = func(k cells.Key, row int64) { u.note(k, Unexpected{Row: row}) }
	u.keys.dropped = u.forget
	return u
}

func (c *uniqueCheck) batch(v *view) error {
	c.next = v.row + int64(v.size)
	if len(c.bare) > 0 {
		c.show(v)
		return nil
	}
	counts := c.mapped
	rows, err := c.domain(v)
	if err != nil {
		return err
	}
	if c.passes > 0 {
		c.elements, c.ignored = counts.elements, counts.ignored
	}
	stretches(rows, func(at []int32) {
		for n, k := range c.keysAt(v, at) {
			i := int(at[n])
			row := v.row + int64(i)
			before, known := c.keys.add(k, row)
			if !known {
				continue
			}
			// The values of the first row are those of this one.
			if before.count == 1 {
				c.note(k, Unexpected{Row: before.first, Values: valuesAt(v, c.places, i)})
			}
			c.note(k, Unexpected{Row: row, Values: valuesAt(v, c.places, i)})
		}
	})
	return nil
}

// keysAt are the keys of some rows of a batch.
func (c *uniqueCheck) keysAt(v *view, at []int32) []cells.Key {
	if len(c.places) == 1 {
		return c.keyers[0].keysAt(v.vectors[c.places[0]], at)
	}
	columns := make([][]cells.Key, len(c.places))
	for n, place := range c.places {
		columns[n] = c.keyers[n].keysAt(v.vectors[place], at)
	}
	c.joined = c.joined[:0]
	row := make([]cells.Key, len(columns))
	for i := range at {
		for n := range columns {
			row[n] = columns[n][i]
		}
		c.joined = append(c.joined, c.hasher.Join(row))
	}
	return c.joined
}

// note keeps a row. Twice as many as are wanted are kept before the last ones are dropped, as rows do not come in order.
func (c *uniqueCheck) note(k cells.Key, u Unexpected) {
	if c.full && u.Row > c.last {
		return
	}
	c.mapped.rows = append(c.mapped.rows, u)
	c.of = append(c.of, k)
	if len(c.mapped.rows) > 2*c.keep+100 {
		c.prune()
	}
}

// prune puts the rows in order and drops the last.
func (c *uniqueCheck) prune() {
	order := make([]int, len(c.mapped.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(c.mapped.rows[a].Row, c.mapped.rows[b].Row) })
	order = order[:min(len(order), c.keep)]
	rows, keys := make([]Unexpected, len(order)), make([]cells.Key, len(order))
	for i, at := range order {
		rows[i], keys[i] = c.mapped.rows[at], c.of[at]
		if i >= mostExamples {
			rows[i].Values = nil
		}
	}
	c.mapped.rows, c.of = rows, keys
	if c.full = len(rows) == c.keep && c.keep > 0; c.full {
		c.last = rows[c.keep-1].Row
	}
}

// forget drops the rows of keys that a later pass will find again.
func (c *uniqueCheck) forget(moved func(k cells.Key) bool) {
	c.full = false
	n := 0
	for i, k := range c.of {
		if !moved(k) {
			c.of[n], c.mapped.rows[n] = k, c.mapped.rows[i]
			n++
		}
	}
	c.of, c.mapped.rows = c.of[:n], c.mapped.rows[:n]
}

func (c *uniqueCheck) second() (bool, error) {
	c.passes++
	if len(c.bare) > 0 {
		return false, nil
	}
	if c.keys.close() {
		return true, nil
	}
	c.prune()
	for i := range c.mapped.rows[:min(len(c.mapped.rows), mostExamples)] {
		if u := &c.mapped.rows[i]; u.Values == nil {
			c.bare = append(c.bare, u)
		}
	}
	return len(c.bare) > 0, nil
}

// show gives the rows that are kept their values.
func (c *uniqueCheck) show(v *view) {
	at, _ := slices.BinarySearchFunc(c.bare, v.row, func(u *Unexpected, row int64) int { return cmp.Compare(u.Row, row) })
	for _, u := range c.bare[at:] {
		if u.Row >= c.next {
			return
		}
		u.Values = valuesAt(v, c.places, int(u.Row-v.row))
	}
}

func (c *uniqueCheck) satisfied() bool {
	if n := len(c.bare); n > 0 {
		return c.next > c.bare[n-1].Row
	}
	return c.keys.satisfied(c.next)
}

func (c *uniqueCheck) finish() (outcome, error) {
	c.prune()
	c.unexpected = c.keys.repeated
	return c.rowCheck.finish()
}

// keyer makes the keys of a column, those of a dictionary once.
type keyer struct {
	hasher cells.Hasher
	texts  dictionary[cells.Key]
	keys   []cells.Key
}

// keysAt are the keys of some values of a vector, valid until the next call.
func (h *keyer) keysAt(v *table.Vector, at []int32) []cells.Key {
	h.keys = h.keys[:0]
	texts := v.Kind == table.Text || v.Kind == table.Binary // as they are stored: what is shown of bytes is not all of them
	if v.Codes != nil {
		h.texts.begin(v.Texts)
	}
	for _, i := range at {
		i := int(i)
		switch {
		case v.Null(i):
			h.keys = append(h.keys, h.hasher.Key(table.Cell{}))
		case v.Kind == table.Integer || v.Kind == table.Boolean:
			h.keys = append(h.keys, h.hasher.Int(v.Ints[i]))
		case texts && v.Codes != nil:
			k := &h.texts.of[v.Codes[i]]
			if *k == (cells.Key{}) {
				*k = h.hasher.Text(v.Texts[v.Codes[i]])
			}
			h.keys = append(h.keys, *k)
		case texts:
			h.keys = append(h.keys, h.hasher.Text(v.Texts[i]))
		default:
			h.keys = append(h.keys, h.hasher.Exact(v.Cell(i)))
		}
	}
	return h.keys
}

// stretch is how many rows are looked at together, where what is computed of them is to stay in the cache.
const stretch = 1 << 10

// stretches calls do with the rows of a set, in order, some at a time.
func stretches(rows cells.Bits, do func(at []int32)) {
	var buffer [stretch]int32
	n := 0
	rows.Rows(func(i int) bool {
		buffer[n] = int32(i)
		if n++; n == stretch {
			do(buffer[:n])
			n = 0
		}
		return true
	})
	if n > 0 {
		do(buffer[:n])
	}
}
