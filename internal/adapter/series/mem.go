package series

import (
	"slices"

	"levada/internal/core/track"
)

// memtable holds points that no segment has yet.
type memtable struct {
	runs   map[string]map[string]*memSeries
	points int
	// upTo is the newest log whose points are all here.
	upTo uint64
}

func newMemtable() *memtable { return &memtable{runs: map[string]map[string]*memSeries{}} }

// memSeries holds points of one metric. Those that came in the order of history are in inOrder; the others wait in late,
// which costs more memory and no searching.
type memSeries struct {
	inOrder []track.Point
	late    map[track.Point]struct{}
}

func (m *memtable) series(runID, key string) *memSeries {
	run := m.runs[runID]
	if run == nil {
		return nil
	}
	return run[key]
}

func (m *memtable) add(runID, key string, p track.Point) {
	run := m.runs[runID]
	if run == nil {
		run = map[string]*memSeries{}
		m.runs[runID] = run
	}
	s := run[key]
	if s == nil {
		s = &memSeries{}
		run[key] = s
	}
	m.points++
	if n := len(s.inOrder); n == 0 || track.Compare(s.inOrder[n-1], p) < 0 {
		s.inOrder = append(s.inOrder, p)
		return
	}
	if s.late == nil {
		s.late = map[track.Point]struct{}{}
	}
	s.late[asKey(p)] = struct{}{}
}

// asKey makes every NaN equal to itself, as a key of a map has to be.
func asKey(p track.Point) track.Point {
	if p.Value != p.Value {
		p.Value = nanKey
	}
	return p
}

// nanKey stands for NaN among keys. track.Clean never lets an infinity in.
var nanKey = func() float64 { z := 0.0; return 1 / z }()

func fromKey(p track.Point) track.Point {
	if p.Value == nanKey {
		p.Value = track.Clean(nan())
	}
	return p
}

func nan() float64 { z := 0.0; return z / z }

func (s *memSeries) has(p track.Point) bool {
	if s == nil {
		return false
	}
	if _, late := s.late[asKey(p)]; late {
		return true
	}
	_, found := slices.BinarySearchFunc(s.inOrder, p, track.Compare)
	return found
}

// sorted returns the points in the order of history. The result is not to be changed.
func (s *memSeries) sorted() []track.Point {
	if s == nil {
		return nil
	}
	// Appending to inOrder later does not change what is below its present length.
	pts := s.inOrder[:len(s.inOrder):len(s.inOrder)]
	if len(s.late) == 0 {
		return pts
	}
	pts = slices.Clone(pts)
	for p := range s.late {
		pts = append(pts, fromKey(p))
	}
	slices.SortFunc(pts, track.Compare)
	return pts
}

// runStats are the sums of a run's metrics, over all places where points are. There are very many of them, and most have few
// metrics: only those with many have a map of their places in the list.
type runStats struct {
	list   []track.Stat
	places map[string]int32
}

// listed is how many metrics are looked for one by one.
const listed = 16

// find returns the sum of a metric, nil when there is none. It may be changed until another one is added.
func (st *runStats) find(key string) *track.Stat {
	if st.places != nil {
		if i, there := st.places[key]; there {
			return &st.list[i]
		}
		return nil
	}
	for i := range st.list {
		if st.list[i].Key == key {
			return &st.list[i]
		}
	}
	return nil
}

// add adds the sum of a metric that has none yet.
func (st *runStats) add(s track.Stat) {
	if n := len(st.list); n == cap(st.list) && n < listed {
		st.list = append(make([]track.Stat, 0, n+3), st.list...) // little room: there are many of these
	}
	st.list = append(st.list, s)
	switch n := len(st.list); {
	case n == listed+1:
		st.places = make(map[string]int32, 2*n)
		for i := range st.list {
			st.places[st.list[i].Key] = int32(i)
		}
	case n > listed:
		st.places[s.Key] = int32(n - 1)
	}
}

// statsOf returns the sums of a run, from the segments when they are not in memory. The caller holds the lock for writing.
func (s *Store) statsOf(runID string) (*runStats, error) {
	if st := s.stats[runID]; st != nil {
		return st, nil
	}
	st := &runStats{}
	for _, g := range s.segments {
		entry, err := g.entry(runID)
		if err != nil {
			return nil, err
		}
		for _, k := range entry {
			st.merge(k.stat)
		}
	}
	for _, m := range []*memtable{s.flushing, s.active} {
		if m == nil {
			continue
		}
		for key, series := range m.runs[runID] {
			for _, p := range series.sorted() {
				st.merge(track.NewStat(key, p))
			}
		}
	}
	s.evict()
	s.stats[runID] = st
	s.nStats += len(st.list) + 1
	return st, nil
}

func (st *runStats) merge(o track.Stat) {
	if have := st.find(o.Key); have != nil {
		have.Merge(o)
		return
	}
	st.add(o)
}

// evict forgets the sums of some runs when there are too many. Which ones does not matter: they are read again.
func (s *Store) evict() {
	for id, st := range s.stats {
		if s.nStats <= s.o.CachedStats {
			return
		}
		s.nStats -= len(st.list) + 1
		delete(s.stats, id)
	}
}

// apply takes a batch that is on disk into memory, without the points that are there already.
func (s *Store) apply(b batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.statsOf(b.RunID)
	if err != nil {
		return err
	}
	s.noteChange(b.RunID)
	for _, m := range b.Metrics {
		stat := st.find(m.Key)
		switch {
		case stat == nil:
			st.add(track.NewStat(m.Key, m.Point))
			s.nStats++
		case m.Time > stat.MaxTime || m.Time == stat.MaxTime && m.Step > stat.Latest.Step:
			// Certainly new: nothing is that late, or nothing has that step.
			stat.Add(m.Point)
		default:
			found, err := s.has(b.RunID, m.Key, m.Point)
			if err != nil {
				return err
			}
			if found {
				continue
			}
			stat.Add(m.Point)
		}
		s.active.add(b.RunID, m.Key, m.Point)
	}
	return nil
}

// has looks for a point in memory and in the segments.
func (s *Store) has(runID, key string, p track.Point) (bool, error) {
	for _, m := range []*memtable{s.active, s.flushing} {
		if m != nil && m.series(runID, key).has(p) {
			return true, nil
		}
	}
	for _, g := range s.segments {
		entry, err := g.entry(runID)
		if err != nil {
			return false, err
		}
		for _, b := range entry.blocks(key) {
			if p.Time < b.first.Time || p.Time > b.last.Time {
				continue
			}
			pts, err := s.last.read(g, b)
			if err != nil {
				return false, err
			}
			if _, found := slices.BinarySearchFunc(pts, p, track.Compare); found {
				return true, nil
			}
		}
	}
	return false, nil
}

// lastBlock remembers the block that was decoded last: whoever looks for one point looks for its neighbours next.
type lastBlock struct {
	seg    *segment
	offset int64
	pts    []track.Point
}

func (l *lastBlock) read(g *segment, b blockRef) ([]track.Point, error) {
	if l.seg == g && l.offset == b.offset {
		return l.pts, nil
	}
	pts, err := g.points(b)
	if err == nil {
		*l = lastBlock{seg: g, offset: b.offset, pts: pts}
	}
	return pts, err
}
