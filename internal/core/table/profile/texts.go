package profile

import (
	"slices"
	"unicode/utf8"
)

// texts counts texts as counter counts numbers. Of a long text the beginning is kept; its hash tells it from others.
type texts struct {
	entries []textEntry
	used    int
	limit   int
	lost    int64
	arena   []byte // what is kept of all texts
}

type textEntry struct {
	hash  uint64
	n     int64
	off   uint32
	size  uint16 // kept bytes
	bad   bool   // no UTF-8
	chars uint32
}

const (
	longestKept = 200     // bytes of a text that are kept
	arenaOf     = 64      // bytes that a text may take on average before its column is too large to count
	mostArena   = 1 << 30 // offsets have 32 bits
)

func kept(s string) string {
	if len(s) <= longestKept {
		return s
	}
	n := longestKept
	for n > longestKept-4 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func (t *texts) text(e textEntry) string { return string(t.arena[e.off : int(e.off)+int(e.size)]) }

// find returns the place of a text, or the free place where it would be.
func (t *texts) find(s string, hash uint64) *textEntry {
	if len(t.entries) == 0 {
		t.entries = make([]textEntry, 64)
	}
	mask := uint64(len(t.entries) - 1)
	short := kept(s)
	for i := hash & mask; ; i = (i + 1) & mask {
		e := &t.entries[i]
		if e.n == 0 || e.hash == hash && int(e.size) == len(short) && string(t.arena[e.off:int(e.off)+int(e.size)]) == short {
			return e
		}
	}
}

// full reports whether there is no place for another text.
func (t *texts) full(s string) bool {
	return t.used >= t.limit || len(t.arena)+len(kept(s)) > min(mostArena, t.limit*arenaOf+1<<12)
}

// put makes an entry at a place that find has returned.
func (t *texts) put(e *textEntry, s string, made textEntry) {
	short := kept(s)
	made.off, made.size = uint32(len(t.arena)), uint16(len(short))
	*e = made
	t.arena = append(t.arena, short...)
	if t.used++; t.used*2 > len(t.entries) {
		t.rebuild(2*len(t.entries), 0)
	}
}

// keep counts a text, and makes room where there is none.
func (t *texts) keep(s string, hash uint64, n int64) {
	for {
		e := t.find(s, hash)
		if e.n > 0 {
			e.n += n
			return
		}
		if !t.full(s) {
			t.put(e, s, textEntry{hash: hash, n: n})
			return
		}
		t.purge()
	}
}

// purge takes the middle count from all; see counter.
func (t *texts) purge() {
	var counts sample
	for i := range t.entries {
		counts.add(t.entries[i].n)
	}
	middle := counts.middle()
	t.lost += middle
	t.rebuild(len(t.entries), middle)
}

// rebuild makes the table anew with a size, all counts less by so many. Where some go, so do their texts.
func (t *texts) rebuild(size int, less int64) {
	old, arena := t.entries, t.arena
	t.entries, t.used = make([]textEntry, size), 0
	if less > 0 {
		t.arena = make([]byte, 0, min(cap(arena), t.limit*arenaOf+1<<12))
	}
	mask := uint64(size - 1)
	for _, e := range old {
		if e.n -= less; e.n <= 0 {
			continue
		}
		if less > 0 {
			off := uint32(len(t.arena))
			t.arena = append(t.arena, arena[e.off:int(e.off)+int(e.size)]...)
			e.off = off
		}
		i := e.hash & mask
		for t.entries[i].n != 0 {
			i = (i + 1) & mask
		}
		t.entries[i] = e
		t.used++
	}
}

// narrow makes a counter of all into one of the frequent.
func (t *texts) narrow() {
	most := frequent(t.limit)
	t.limit = most
	counts := make([]int64, 0, t.used)
	for _, e := range t.entries {
		if e.n > 0 {
			counts = append(counts, e.n)
		}
	}
	less := int64(0)
	if len(counts) > most/2 {
		slices.Sort(counts)
		less = counts[len(counts)-most/2]
	}
	t.lost += less
	t.rebuild(2*most, less)
}
