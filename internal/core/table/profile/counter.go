package profile

import (
	"math/bits"
	"slices"

	"levada/internal/core/table"
)

// counter counts how often numbers are there: all of them, until there are more different ones than its limit. Then it keeps those that
// are frequent: when it is full, all counts lose the middle one of some of them, and those without any left go (J. Misra, D. Gries,
// Finding repeated elements, 1982; with the median as in Apache DataSketches' frequent items). A count is then at most lost too low.
type counter struct {
	entries []entry // a hash table; an entry without a count is free
	used    int
	limit   int
	lost    int64
	spare   []entry // the table before it was made anew
}

type entry struct {
	key uint64
	n   int64
}

// frequent is the limit of a counter that keeps the frequent, once there are more than a limit. Of many columns less is kept of each. It
// is a power of two, as the sizes of tables are.
func frequent(limit int) int { return max(256, min(2048, 1<<(bits.Len(uint(limit/4|1))-1))) }

// add counts a key n times. It returns false, and counts nothing, when the key is new and the limit is reached.
func (c *counter) add(key uint64, n int64) bool {
	if len(c.entries) == 0 {
		c.entries = make([]entry, 64)
	}
	mask := uint64(len(c.entries) - 1)
	for i := table.MixHash(key) & mask; ; i = (i + 1) & mask {
		e := &c.entries[i]
		if e.n == 0 {
			if c.used >= c.limit {
				return false
			}
			e.key, e.n = key, n
			if c.used++; c.used*2 > len(c.entries) {
				c.rebuild(2*len(c.entries), 0)
			}
			return true
		}
		if e.key == key {
			e.n += n
			return true
		}
	}
}

// keep counts a key, and makes room where there is none.
func (c *counter) keep(key uint64, n int64) {
	for !c.add(key, n) {
		c.purge()
	}
}

// purge takes the middle count from all.
func (c *counter) purge() {
	var counts sample
	for i := range c.entries {
		counts.add(c.entries[i].n)
	}
	middle := counts.middle()
	c.lost += middle
	c.rebuild(len(c.entries), middle)
}

// sample is some of the counts of a table.
type sample struct {
	counts [127]int64
	n      int
}

func (s *sample) add(n int64) {
	if n > 0 && s.n < len(s.counts) {
		s.counts[s.n] = n
		s.n++
	}
}

func (s *sample) middle() int64 {
	slices.Sort(s.counts[:s.n])
	return s.counts[s.n/2]
}

// rebuild makes the table anew with a size, all counts less by so many.
func (c *counter) rebuild(size int, less int64) {
	old := c.entries
	if len(c.spare) != size {
		c.spare = make([]entry, size)
	}
	c.entries, c.used = c.spare, 0
	clear(c.entries)
	c.spare = nil
	if len(old) == size && less > 0 {
		c.spare = old
	}
	mask := uint64(size - 1)
	for _, e := range old {
		if e.n -= less; e.n <= 0 {
			continue
		}
		i := table.MixHash(e.key) & mask
		for c.entries[i].n != 0 {
			i = (i + 1) & mask
		}
		c.entries[i] = e
		c.used++
	}
}

// narrow makes a counter of all into one of the frequent.
func (c *counter) narrow() {
	most := frequent(c.limit)
	if c.limit = most; c.used <= most {
		return
	}
	counts := make([]int64, 0, c.used)
	for _, e := range c.entries {
		if e.n > 0 {
			counts = append(counts, e.n)
		}
	}
	slices.Sort(counts)
	less := counts[len(counts)-most/2]
	c.lost += less
	c.rebuild(2*most, less)
}

// more counts a key that is known, and says whether it is.
func (c *counter) more(key uint64, n int64) bool {
	if c.used == 0 {
		return false
	}
	mask := uint64(len(c.entries) - 1)
	for i := table.MixHash(key) & mask; c.entries[i].n != 0; i = (i + 1) & mask {
		if c.entries[i].key == key {
			c.entries[i].n += n
			return true
		}
	}
	return false
}

func (c *counter) has(key uint64) bool { return c.more(key, 0) }

// absorb adds the counts of another counter of the frequent, or of all.
func (c *counter) absorb(o *counter) {
	c.lost += o.lost
	for _, e := range o.entries {
		if e.n > 0 {
			c.keep(e.key, e.n)
		}
	}
}
