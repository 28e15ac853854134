package store

import (
	"maps"
	"slices"
	"sync"
)

// maxMirrored is how many rows of one kind may be held in memory.
const maxMirrored = 200_000

// mirror holds the rows of one kind, decoded, once they were asked for: searches look at all of them. Each write that is committed
// puts what it has stored in its place, in the order of the writes.
type mirror[K comparable, V any] struct {
	mu     sync.RWMutex
	rows   map[K]V
	loaded bool
	// writes counts changes, so that what was read while one was made is not kept.
	writes uint64
}

// holds reports whether changes have to be put. One that is not counts as a write all the same: somebody may be reading.
func (m *mirror[K, V]) holds() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	return m.loaded
}

func (m *mirror[K, V]) put(key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.loaded {
		m.rows[key] = v
	}
}

func (m *mirror[K, V]) remove(gone func(K) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	maps.DeleteFunc(m.rows, func(k K, _ V) bool { return gone(k) })
}

// clear forgets everything; the next who asks reads it anew.
func (m *mirror[K, V]) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	m.rows, m.loaded = nil, false
}

// all returns the rows, in no order. They are shared with others and not to be changed; the list itself is the caller's.
func (m *mirror[K, V]) all(load func() (map[K]V, error)) ([]V, error) {
	m.mu.RLock()
	if m.loaded {
		defer m.mu.RUnlock()
		return slices.AppendSeq(make([]V, 0, len(m.rows)), maps.Values(m.rows)), nil
	}
	before := m.writes
	m.mu.RUnlock()
	rows, err := load()
	if err != nil {
		return nil, err
	}
	out := slices.AppendSeq(make([]V, 0, len(rows)), maps.Values(rows))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes == before && len(rows) <= maxMirrored {
		m.rows, m.loaded = rows, true
	}
	return out, nil
}

// versionKey identifies a version of a registered model.
type versionKey struct {
	name   string
	number int64
}
