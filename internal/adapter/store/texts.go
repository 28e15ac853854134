package store

import (
	"hash/maphash"
	"sync"
)

// texts gives equal short texts one place in memory: runs have most keys and many values in common, and a search compares
// them all. It remembers a fixed number of them; a new one takes the place of another.
type texts struct {
	mu    sync.Mutex
	seed  maphash.Seed
	slots []string
}

const (
	textSlots = 1 << 13
	// longest is the longest text, in bytes, that is worth looking for.
	longest = 48
)

// of returns the text, and once the same memory for the same text.
func (t *texts) of(text []byte) string {
	if len(text) > longest {
		return string(text)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots == nil {
		t.seed, t.slots = maphash.MakeSeed(), make([]string, textSlots)
	}
	slot := &t.slots[maphash.Bytes(t.seed, text)%textSlots]
	if *slot != string(text) {
		*slot = string(text)
	}
	return *slot
}
