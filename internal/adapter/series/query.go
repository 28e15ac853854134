package series

import (
	"cmp"
	"slices"

	"levada/internal/core/track"
)

// Stats returns the sums of all metrics of a run, in the order of their keys.
func (s *Store) Stats(runID string) ([]track.Stat, error) {
	var out []track.Stat
	err := s.withStats(runID, func(st *runStats) {
		out = slices.Clone(st.list)
	})
	slices.SortFunc(out, func(a, b track.Stat) int { return cmp.Compare(a.Key, b.Key) })
	return out, err
}

// Sums calls fn with the sum of a metric of each of the runs that has points of it; i is the run's place in runIDs. Nothing
// may be logged until fn returns, so it must not wait for anything.
func (s *Store) Sums(runIDs []string, key string, fn func(i int, stat track.Stat)) error {
	var absent []int // from memory
	s.mu.RLock()
	for i, id := range runIDs {
		if st := s.stats[id]; st == nil {
			absent = append(absent, i)
		} else if stat := st.find(key); stat != nil {
			fn(i, *stat)
		}
	}
	s.mu.RUnlock()
	for _, i := range absent {
		err := s.withStats(runIDs[i], func(st *runStats) {
			if stat := st.find(key); stat != nil {
				fn(i, *stat)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// changesKept is how many writes Changed can look back.
const changesKept = 8192

// Changed returns the runs that got points since a moment that it returned earlier, some of them maybe twice, and the present
// moment. It is false when the moment is too long ago.
func (s *Store) Changed(since uint64) (runIDs []string, now uint64, known bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now = s.forgotten + uint64(len(s.changes))
	if since < s.forgotten || since > now {
		return nil, now, false
	}
	return slices.Clone(s.changes[since-s.forgotten:]), now, true
}

// noteChange remembers for Changed that a run got points. The caller holds the lock for writing.
func (s *Store) noteChange(runID string) {
	if len(s.changes) == changesKept {
		const half = changesKept / 2
		s.changes = s.changes[:copy(s.changes, s.changes[half:])]
		s.forgotten += half
	}
	s.changes = append(s.changes, runID)
}

// withStats calls fn with the sums of a run while nobody changes them.
func (s *Store) withStats(runID string, fn func(*runStats)) error {
	s.mu.RLock()
	if st := s.stats[runID]; st != nil {
		fn(st)
		s.mu.RUnlock()
		return nil
	}
	s.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.statsOf(runID)
	if err != nil {
		return diskError(s.o.Dir, err)
	}
	fn(st)
	return nil
}

// view is what a reader sees of one metric: parts that do not change any more.
type view struct {
	clusters [][]part
	held     []*segment
}

func (v view) release() {
	for _, g := range v.held {
		_ = g.release() // the file was only read
	}
}

func (s *Store) view(runID, key string) (view, error) {
	var v view
	var parts []part
	s.mu.RLock()
	v.held = slices.Clone(s.segments)
	for _, g := range v.held {
		g.refs.Add(1)
	}
	for _, m := range []*memtable{s.flushing, s.active} {
		if m == nil {
			continue
		}
		if pts := m.series(runID, key).sorted(); len(pts) > 0 {
			parts = append(parts, part{ref: describe(pts), pts: pts})
		}
	}
	s.mu.RUnlock()
	for _, g := range v.held {
		entry, err := g.entry(runID)
		if err != nil {
			v.release()
			return view{}, diskError(s.o.Dir, err)
		}
		for _, b := range entry.blocks(key) {
			parts = append(parts, part{ref: b, seg: g})
		}
	}
	v.clusters = clusters(parts)
	return v, nil
}

func count(cluster []part) (n int) {
	for _, p := range cluster {
		n += p.ref.count
	}
	return n
}

// History returns points in the order of time, step and value: at most limit of them (all, when limit is negative), without
// the first offset ones, and whether there are more.
func (s *Store) History(runID, key string, offset, limit int) ([]track.Point, bool, error) {
	v, err := s.view(runID, key)
	if err != nil {
		return nil, false, err
	}
	defer v.release()
	var out []track.Point
	for _, c := range v.clusters {
		n := count(c)
		if offset >= n {
			offset -= n
			continue
		}
		if limit >= 0 && len(out) == limit {
			return out, true, nil
		}
		pts, err := readCluster(c)
		if err != nil {
			return nil, false, diskError(s.o.Dir, err)
		}
		pts = pts[offset:]
		offset = 0
		if limit >= 0 && len(out)+len(pts) > limit {
			return append(out, pts[:limit-len(out)]...), true, nil
		}
		out = append(out, pts...)
	}
	return out, false, nil
}

func overlaps(r *track.Steps, c []part) bool {
	return r == nil || slices.ContainsFunc(c, func(p part) bool { return p.ref.maxStep >= r.From && p.ref.minStep <= r.To })
}

func cut(r *track.Steps, pts []track.Point) []track.Point {
	if r == nil {
		return pts
	}
	return slices.DeleteFunc(pts, func(p track.Point) bool { return p.Step < r.From || p.Step > r.To })
}

// group is a stretch of points that comes wholly before the next in the order of steps.
type group struct {
	parts  []part
	n      int           // points in it
	points []track.Point // once they were read and sorted by step
}

// byStep returns the points within the range in the order of steps, in stretches that are read when they are asked for.
func (v view) byStep(within *track.Steps) ([]*group, error) {
	room := make([]group, len(v.clusters))
	groups := make([]*group, 0, len(v.clusters))
	ordered := true
	end := int64(0)
	for i, c := range v.clusters {
		if !overlaps(within, c) {
			continue
		}
		low, high := c[0].ref.minStep, c[0].ref.maxStep
		for _, p := range c {
			low, high = min(low, p.ref.minStep), max(high, p.ref.maxStep)
		}
		if len(groups) > 0 && low < end {
			ordered = false
		}
		end = high
		g := &room[i]
		g.parts, g.n = c, count(c)
		if within != nil && (low < within.From || high > within.To) {
			if err := g.read(within); err != nil {
				return nil, err
			}
		}
		groups = append(groups, g)
	}
	if ordered {
		return groups, nil
	}
	// Time and step run against each other somewhere: read everything as one stretch.
	all := &group{}
	for _, g := range groups {
		all.parts = append(all.parts, g.parts...)
	}
	return []*group{all}, all.read(within)
}

func (g *group) read(within *track.Steps) error {
	if g.points != nil {
		return nil
	}
	pts, err := readCluster(g.parts)
	if err != nil {
		return err
	}
	// What was read may be shared with others; mostly it is in order.
	if within != nil || !slices.IsSortedFunc(pts, track.CompareSteps) {
		pts = cut(within, slices.Clone(pts))
		slices.SortFunc(pts, track.CompareSteps)
	}
	g.points = pts
	g.n = len(g.points)
	return nil
}

// Sample returns at most n points in the order of steps, spread evenly over them, the first and the last among them. It is
// what MLflow's bulk-interval call returns: all points are dealt to n buckets of equal size (the first ones take what is
// left over), each bucket gives its first point, and the very last point takes the place of the last one given.
func (s *Store) Sample(runID, key string, within *track.Steps, n int) ([]track.Point, error) {
	out := []track.Point{}
	err := s.bySteps(runID, key, within, func(groups []*group, total int) error {
		start := 0
		ranks := sampled(total, n)
		for _, g := range groups {
			for len(ranks) > 0 && ranks[0] < start+g.n {
				if err := g.read(within); err != nil {
					return err
				}
				out = append(out, g.points[ranks[0]-start])
				ranks = ranks[1:]
			}
			start += g.n
			g.points = nil
		}
		return nil
	})
	return out, err
}

// sampled returns which of total points are among at most n, in order.
func sampled(total, n int) []int {
	var ranks []int
	for i := range min(n, total) {
		ranks = append(ranks, i*(total/n)+min(i, total%n))
	}
	if total <= n {
		for i := range ranks {
			ranks[i] = i
		}
	}
	if len(ranks) > 0 && ranks[len(ranks)-1] != total-1 {
		ranks[len(ranks)-1] = total - 1
	}
	return ranks
}

// bySteps gives fn the points of a metric in groups, in the order of steps, and how many there are.
func (s *Store) bySteps(runID, key string, within *track.Steps, fn func(groups []*group, total int) error) error {
	v, err := s.view(runID, key)
	if err != nil {
		return err
	}
	defer v.release()
	groups, err := v.byStep(within)
	if err != nil {
		return diskError(s.o.Dir, err)
	}
	total := 0
	for _, g := range groups {
		total += g.n
	}
	if err := fn(groups, total); err != nil {
		return diskError(s.o.Dir, err)
	}
	return nil
}
