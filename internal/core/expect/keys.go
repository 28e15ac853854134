package expect

import (
	"math"
	"math/bits"

	"levada/internal/core/expect/cells"
)

// keyTable counts keys exactly in bounded memory, in the cheapest of three ways that does:
//
//   - few keys are counted in a map;
//   - when there are more, and each was above the one before (or each below), only the last one is kept: while that goes on, all differ.
//     The first key that breaks the order ends it, and another reading up to its row brings the others back;
//   - otherwise keys are put aside by their hash, in buckets of which each fits into a cache when its keys are counted.
//
// Where there are too many for the memory, it goes on with a part of them, and another reading of the table counts the others: each pass
// takes the keys whose hash ends with certain bits.
type keyTable struct {
	most int
	way  way
	few  map[cells.Key]entry
	// order is of all keys that were added in this pass; ordered are how many there are when nothing else is kept of them.
	order   order
	ordered int64
	// parts are the buckets. They hold so many entries and keys that wait, and count when there are limit.
	parts       []bucket
	held, limit int
	spare       []*waiting
	index       []uint32
	merged      []entry
	// before bounds the rows that count in this pass; broken is the row that broke the order, 0 where none did.
	before, broken int64
	now            share
	todo           []share
	// distinct counts the keys of the shares that are done, repeated the rows of those that are in several.
	distinct, repeated int64
	// found is called for each row of a key that is in several, in no order, but for those whose add returns what was known before.
	found func(k cells.Key, row int64)
	// dropped is called when keys move to a later pass, so that what was noted of them can be forgotten.
	dropped func(moved func(k cells.Key) bool)
}

type way uint8

const (
	inMap way = iota
	inOrder
	inBuckets
)

const (
	// mostFew bounds the keys of the map.
	mostFew = 1 << 14
	// bucketBits is how many bits of a hash say which bucket a key is in. With ten million keys of 24 bytes one has 240 KiB.
	bucketBits = 10
	// firstLimit is how many keys wait before they are counted for the first time.
	firstLimit = 1 << 21
)

// share is the keys whose last bits are these.
type share struct {
	bits uint
	last uint64
}

func (s share) holds(hash uint64) bool { return hash&(1<<s.bits-1) == s.last }

// entry is a key, the first row that was seen of it, and in how many it is.
type entry struct {
	key          cells.Key
	first, count int64
}

// waiting is keys that are not counted yet, with their rows.
type waiting struct {
	keys [128]pairOfRow
	next *waiting
}

type pairOfRow struct {
	key cells.Key
	row int64
}

// bucket is the keys whose hash begins with the same bits. Keys wait in a list of blocks, the last of which has n.
type bucket struct {
	seen []entry
	last *waiting
	n    int
}

// order is whether keys come one above the other, or one below the other.
type order struct {
	last     cells.Key
	n        int64
	up, down bool
}

// add reports whether all keys up to this one are in order, so that no two of them are the same.
func (o *order) add(k cells.Key) bool {
	if o.n == 0 {
		o.up, o.down = true, true
	} else {
		above := k[0] > o.last[0] || k[0] == o.last[0] && int64(k[1]) > int64(o.last[1])
		o.up, o.down = o.up && above, o.down && !above && k != o.last
	}
	o.last = k
	o.n++
	return o.up || o.down
}

func newKeyTable(most int) *keyTable {
	t := &keyTable{most: most, found: func(cells.Key, int64) {}, dropped: func(func(cells.Key) bool) {}}
	t.begin()
	return t
}

func (t *keyTable) begin() {
	t.way, t.few, t.parts, t.spare, t.merged, t.index = inMap, map[cells.Key]entry{}, nil, nil, nil, nil
	t.order, t.ordered, t.held, t.limit, t.before = order{}, 0, 0, min(firstLimit, t.most), math.MaxInt64
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

// add counts a key in a row. It returns what is known of the key so far, or false where that shows only later, if at all: then found says
// so.
func (t *keyTable) add(k cells.Key, row int64) (before entry, known bool) {
	switch t.way {
	case inMap:
		if t.now.bits > 0 && !t.now.holds(spread(k)) {
			return entry{}, false
		}
		before, known = t.few[k]
		if known {
			before.key = k
			t.few[k] = entry{k, before.first, before.count + 1}
			t.order.up, t.order.down = false, false
			return before, true
		}
		if len(t.few) >= min(mostFew, t.most) {
			t.outgrow()
			return t.add(k, row)
		}
		if t.few[k] = (entry{k, row, 1}); t.order.n == 0 || t.order.up || t.order.down {
			t.order.add(k)
		}
	case inOrder:
		if t.now.bits > 0 && !t.now.holds(spread(k)) {
			return entry{}, false
		}
		if t.order.add(k) {
			t.ordered++
			return entry{}, false
		}
		t.broken, t.ordered = row, 0
		t.divide()
		t.wait(k, row)
	case inBuckets:
		if row < t.before {
			t.wait(k, row)
		}
	}
	return entry{}, false
}

// outgrow goes on in another way, when the map is full.
func (t *keyTable) outgrow() {
	few := t.few
	t.few = nil
	if t.order.up || t.order.down {
		t.way, t.ordered = inOrder, int64(len(few))
		return
	}
	t.divide()
	for k, e := range few {
		p := &t.parts[spread(k)>>(64-bucketBits)]
		p.seen = append(p.seen, e)
		t.held++
	}
}

func (t *keyTable) divide() {
	t.way, t.parts = inBuckets, make([]bucket, 1<<bucketBits)
}

// wait puts a key aside.
func (t *keyTable) wait(k cells.Key, row int64) {
	h := spread(k)
	if t.now.bits > 0 && !t.now.holds(h) {
		return
	}
	p := &t.parts[h>>(64-bucketBits)]
	if p.last == nil || p.n == len(p.last.keys) {
		t.block(p)
	}
	p.last.keys[p.n] = pairOfRow{k, row}
	p.n++
	if t.held++; t.held > t.limit {
		t.count()
	}
}

func (t *keyTable) block(p *bucket) {
	var w *waiting
	if n := len(t.spare); n > 0 {
		w, t.spare = t.spare[n-1], t.spare[:n-1]
	} else {
		w = &waiting{}
	}
	w.next, p.last, p.n = p.last, w, 0
}

// count counts the keys that wait, and moves some to a later pass where there are too many.
func (t *keyTable) count() {
	t.held = 0
	for i := range t.parts {
		p := &t.parts[i]
		merged := t.settle(p)
		if len(merged) > len(p.seen) {
			p.seen = make([]entry, len(merged))
		}
		copy(p.seen, merged)
		t.held += len(p.seen)
	}
	for t.held > max(1, t.most/2) && t.now.bits < 48 {
		t.split()
	}
	t.limit = max(t.held+1, min(t.most, max(firstLimit, 8*t.held)))
}

// split leaves half of the keys to a later pass.
func (t *keyTable) split() {
	later := share{t.now.bits + 1, t.now.last | 1<<t.now.bits}
	t.todo = append(t.todo, later)
	t.now.bits++
	t.held = 0
	for i := range t.parts {
		p := &t.parts[i]
		var kept []entry
		for _, e := range p.seen {
			if t.now.holds(spread(e.key)) {
				kept = append(kept, e)
			}
		}
		p.seen = kept
		t.held += len(kept)
	}
	t.dropped(func(k cells.Key) bool { return later.holds(spread(k)) })
}

// settle counts the keys of a bucket that wait. What it returns, all keys of the bucket, is valid until the next call.
func (t *keyTable) settle(p *bucket) []entry {
	blocks := 0
	for w := p.last; w != nil; w = w.next {
		blocks++
	}
	t.merged = append(t.merged[:0], p.seen...)
	all := t.merged
	// At most half of the places of the index are taken. A place has the number of an entry, from 1.
	size := 1 << bits.Len(uint(2*(len(all)+blocks*len(waiting{}.keys))))
	if cap(t.index) < size {
		t.index = make([]uint32, size)
	}
	index := t.index[:size]
	clear(index)
	mask := uint64(size - 1)
	for i := range all {
		at := spread(all[i].key) & mask
		for index[at] != 0 {
			at = (at + 1) & mask
		}
		index[at] = uint32(i + 1)
	}
	n := p.n
	for w := p.last; w != nil; {
	keys:
		for _, x := range w.keys[:n] {
			at := spread(x.key) & mask
			for ; index[at] != 0; at = (at + 1) & mask {
				e := &all[index[at]-1]
				if e.key != x.key {
					continue
				}
				if e.count++; e.count == 2 {
					t.found(e.key, e.first)
				}
				t.found(x.key, x.row)
				continue keys
			}
			all = append(all, entry{x.key, x.row, 1})
			index[at] = uint32(len(all))
		}
		t.spare = append(t.spare, w)
		w, w.next = w.next, nil
		n = len(waiting{}.keys)
	}
	p.last, p.n, t.merged = nil, 0, all
	return all
}

// close ends a pass and reports whether another is needed.
func (t *keyTable) close() bool {
	if t.broken > 0 { // what came before it is to be brought back
		t.before, t.broken = t.broken, 0
		return true
	}
	t.distinct += t.ordered
	for _, e := range t.few {
		t.tally(e)
	}
	for i := range t.parts {
		p := &t.parts[i]
		for _, e := range t.settle(p) {
			t.tally(e)
		}
		*p, t.spare = bucket{}, nil
	}
	t.begin()
	if len(t.todo) == 0 {
		t.few = nil
		return false
	}
	t.now = t.todo[len(t.todo)-1]
	t.todo = t.todo[:len(t.todo)-1]
	return true
}

func (t *keyTable) tally(e entry) {
	t.distinct++
	if e.count > 1 {
		t.repeated += e.count
	}
}

// satisfied reports whether later rows do not count in this pass.
func (t *keyTable) satisfied(next int64) bool { return next >= t.before }
