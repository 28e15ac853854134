package expect

import (
	"cmp"
	"slices"

	"levada/internal/core/expect/cells"
)

// keyTable counts keys exactly in bounded memory. Where there are too many, it goes on with a part of them, and another reading of the
// table counts the others: each pass takes the keys whose hash begins with certain bits.
type keyTable struct {
	most    int
	entries map[cells.Key]entry
	now     part
	todo    []part
	// distinct counts the keys of the parts that are done, once those that are there once, and repeated the rows of all others.
	distinct, once, repeated int64
	// dropped is called with each key that moves to a later pass, so that what was noted of it can be forgotten.
	dropped func(k cells.Key)
}

// part is the keys whose first bits are prefix.
type part struct {
	bits   uint
	prefix uint64
}

// entry is what is known of a key: the first row it is in, and in how many.
type entry struct{ first, count int64 }

func newKeyTable(most int) *keyTable {
	return &keyTable{most: most, entries: map[cells.Key]entry{}}
}

// spread mixes the bits of a key: keys of numbers are the numbers themselves. The constants are those of MurmurHash3's finalizer.
func spread(k cells.Key) uint64 {
	h := k[0]*0x9e3779b97f4a7c15 ^ k[1]
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (p part) holds(k cells.Key) bool { return spread(k)&(1<<p.bits-1) == p.prefix }

// add counts a key in a row and returns what was known of it before; ok is false where a later pass takes it.
func (t *keyTable) add(k cells.Key, row int64) (before entry, ok bool) {
	if t.now.bits > 0 && !t.now.holds(k) {
		return entry{}, false
	}
	e, known := t.entries[k]
	if !known {
		for len(t.entries) >= t.most {
			t.split()
		}
		if !t.now.holds(k) {
			return entry{}, false
		}
		t.entries[k] = entry{row, 1}
		return entry{}, true
	}
	t.entries[k] = entry{e.first, e.count + 1}
	return e, true
}

// split leaves half of the keys to a later pass.
func (t *keyTable) split() {
	later := part{t.now.bits + 1, t.now.prefix | 1<<t.now.bits}
	t.now.bits++
	t.todo = append(t.todo, later)
	for k := range t.entries {
		if !t.now.holds(k) {
			delete(t.entries, k)
			if t.dropped != nil {
				t.dropped(k)
			}
		}
	}
}

// close ends a pass and reports whether another is needed.
func (t *keyTable) close() bool {
	for _, e := range t.entries {
		t.distinct++
		if e.count == 1 {
			t.once++
		} else {
			t.repeated += e.count
		}
	}
	t.entries = map[cells.Key]entry{}
	if len(t.todo) == 0 {
		return false
	}
	t.now = t.todo[len(t.todo)-1]
	t.todo = t.todo[:len(t.todo)-1]
	return true
}

// uniqueCheck finds the rows whose value, or combination of values, is in another row too.
type uniqueCheck struct {
	rowCheck
	keys   *keyTable
	hasher cells.Hasher
	of     []cells.Key // the key of each row that is kept
	passes int
	buffer []cells.Key
	// full says that as many rows are kept as are wanted; last is the last of them.
	full bool
	last int64
}

// unique builds expect_column_values_to_be_unique and expect_compound_columns_to_be_unique.
func (b *build) unique(c *rowCheck) check {
	u := &uniqueCheck{rowCheck: *c, keys: newKeyTable(b.mostKeys()), hasher: cells.NewHasher()}
	u.keys.dropped = u.forget
	return u
}

func (c *uniqueCheck) batch(v *view) error {
	counts := c.mapped
	rows, err := c.domain(v)
	if err != nil {
		return err
	}
	if c.passes > 0 {
		c.elements, c.ignored = counts.elements, counts.ignored
	}
	c.buffer = make([]cells.Key, len(c.places))
	rows.Rows(func(i int) bool {
		k := c.key(v, i)
		before, mine := c.keys.add(k, v.row+int64(i))
		if !mine || before.count == 0 {
			return true
		}
		// The values of the first row are those of this one.
		if before.count == 1 {
			c.note(k, before.first, v, i)
		}
		c.note(k, v.row+int64(i), v, i)
		return true
	})
	return nil
}

func (c *uniqueCheck) key(v *view, i int) cells.Key {
	for n, at := range c.places {
		c.buffer[n] = c.hasher.Key(v.vectors[at].Cell(i))
	}
	if len(c.buffer) == 1 {
		return c.buffer[0]
	}
	return c.hasher.Join(c.buffer)
}

// note keeps a row. Twice as many as are wanted are kept before the last ones are dropped, as rows do not come in order.
func (c *uniqueCheck) note(k cells.Key, row int64, v *view, i int) {
	if c.full && row > c.last {
		return
	}
	c.mapped.rows = append(c.mapped.rows, Unexpected{Row: row, Values: valuesAt(v, c.places, i)})
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

// forget drops the rows of a key that a later pass will find again.
func (c *uniqueCheck) forget(k cells.Key) {
	c.full = false
	for i := 0; i < len(c.of); i++ {
		if c.of[i] == k {
			c.of = slices.Delete(c.of, i, i+1)
			c.mapped.rows = slices.Delete(c.mapped.rows, i, i+1)
			i--
		}
	}
}

func (c *uniqueCheck) second() (bool, error) {
	c.passes++
	return c.keys.close(), nil
}

func (c *uniqueCheck) finish() (outcome, error) {
	c.prune()
	c.unexpected = c.keys.repeated
	return c.rowCheck.finish()
}
