package series

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"path/filepath"
	"slices"

	"levada/internal/core/track"
)

// fanIn is how many segments of about one size are merged into one, so that a run's points are in a few places: the number
// of segments grows with the logarithm of the points.
const fanIn = 6

// writeMemtable writes a table as a segment.
func writeMemtable(dir string, seq uint64, m *memtable) (*segment, error) {
	w, err := newSegmentWriter(dir, seq)
	if err != nil {
		return nil, err
	}
	for _, runID := range slices.Sorted(maps.Keys(m.runs)) {
		for _, key := range slices.Sorted(maps.Keys(m.runs[runID])) {
			w.add(runID, key, m.runs[runID][key].sorted())
		}
	}
	return w.finish(m.upTo, nil)
}

// compact merges segments of about one size until no size has fanIn of them. It runs beside readers and writers.
func (s *Store) compact() error {
	for {
		group := s.mergeable()
		if group == nil {
			return nil
		}
		if err := s.replace(group, nil); err != nil {
			return err
		}
	}
}

// replace puts one segment in the place of several, without the runs that are to be left out.
func (s *Store) replace(group []*segment, without map[string]bool) error {
	merged, err := merge(s.o.Dir, s.seq.Add(1), group, without)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.segments = append(slices.DeleteFunc(s.segments, func(g *segment) bool { return slices.Contains(group, g) }), merged)
	s.last = lastBlock{}
	s.mu.Unlock()
	return remove(group)
}

// mergeable returns the segments of one size class when there are fanIn of them.
func (s *Store) mergeable() []*segment {
	s.mu.RLock()
	defer s.mu.RUnlock()
	classes := map[int][]*segment{}
	for _, g := range s.segments {
		class := bits.Len64(uint64(g.size)>>16) / 2 // a factor of four each, all below 64 KiB in one
		classes[class] = append(classes[class], g)
		if len(classes[class]) == fanIn {
			return classes[class]
		}
	}
	return nil
}

// merge writes the points of several segments as one, without the runs that are to be left out. Segments that one of them
// replaces, and that could not be removed, are replaced by the new one: they must not come back with the next start.
func merge(dir string, seq uint64, group []*segment, without map[string]bool) (*segment, error) {
	w, err := newSegmentWriter(dir, seq)
	if err != nil {
		return nil, err
	}
	covers, replaces, runs := uint64(0), []uint64{}, []string{}
	for _, g := range group {
		covers = max(covers, g.covers)
		replaces = append(replaces, g.seq)
		for _, old := range g.replaces {
			if _, err := os.Lstat(filepath.Join(dir, segmentName(old))); !errors.Is(err, os.ErrNotExist) {
				replaces = append(replaces, old)
			}
		}
		for _, r := range g.runs {
			if !without[r.runID] {
				runs = append(runs, r.runID)
			}
		}
	}
	slices.Sort(runs)
	for _, runID := range slices.Compact(runs) {
		if err := mergeRun(w, runID, group); err != nil {
			return nil, errors.Join(err, w.discard())
		}
	}
	return w.finish(covers, replaces)
}

// part is a block with the segment it is in, or points that are in memory.
type part struct {
	ref blockRef
	seg *segment
	pts []track.Point
}

func (p part) load() ([]track.Point, error) {
	if p.seg == nil {
		return p.pts, nil
	}
	return p.seg.points(p.ref)
}

func mergeRun(w *segmentWriter, runID string, group []*segment) error {
	stats, parts := map[string]track.Stat{}, map[string][]part{}
	for _, g := range group {
		entry, err := g.entry(runID)
		if err != nil {
			return err
		}
		for _, k := range entry {
			if have, there := stats[k.stat.Key]; there {
				have.Merge(k.stat)
				stats[k.stat.Key] = have
			} else {
				stats[k.stat.Key] = k.stat
			}
			for _, b := range k.blocks {
				parts[k.stat.Key] = append(parts[k.stat.Key], part{ref: b, seg: g})
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(stats)) {
		refs, err := mergeBlocks(w, parts[key])
		if err != nil {
			return err
		}
		w.addKey(runID, keyEntry{stat: stats[key], blocks: refs})
	}
	return nil
}

// mergeBlocks writes the blocks of one metric in order. A block that is nearly full and overlaps no other is copied; others
// are taken apart and put together anew.
func mergeBlocks(w *segmentWriter, parts []part) ([]blockRef, error) {
	var refs []blockRef
	var pending []track.Point
	flush := func() {
		for len(pending) > 0 {
			n := min(len(pending), blockPoints)
			refs = append(refs, w.block(pending[:n]))
			pending = pending[n:]
		}
		pending = nil
	}
	for _, cluster := range clusters(parts) {
		if len(cluster) == 1 && cluster[0].ref.count >= blockPoints*3/4 {
			flush()
			raw, err := cluster[0].seg.raw(cluster[0].ref)
			if err != nil {
				return nil, err
			}
			ref := w.copyBlock(cluster[0].ref, raw)
			if !ref.located && len(parts) > 1 { // of the first form, or the only one of its metric in its segment
				if err := locate(&ref, raw); err != nil {
					return nil, err
				}
			}
			refs = append(refs, ref)
			continue
		}
		pts, err := readCluster(cluster)
		if err != nil {
			return nil, err
		}
		pending = append(pending, pts...)
		for len(pending) >= 2*blockPoints {
			refs = append(refs, w.block(pending[:blockPoints]))
			pending = pending[blockPoints:]
		}
	}
	flush()
	return refs, nil
}

// locate finds out where the lowest and highest values of a block are.
func locate(ref *blockRef, raw []byte) error {
	pts, err := readBlock(raw)
	if err != nil {
		return err
	}
	known := describe(pts)
	ref.low, ref.high, ref.located = known.low, known.high, true
	return nil
}

// clusters sorts blocks and groups those that overlap, so that each group comes wholly before the next.
func clusters(parts []part) [][]part {
	slices.SortFunc(parts, func(a, b part) int { return compareTimes(a.ref.first, b.ref.first) })
	var out [][]part
	var end track.Point
	from := 0
	for i, p := range parts {
		if i > 0 && compareTimes(end, p.ref.first) < 0 {
			out = append(out, parts[from:i:i])
			from, end = i, p.ref.last
		} else if i == 0 || compareTimes(p.ref.last, end) > 0 {
			end = p.ref.last
		}
	}
	if from < len(parts) {
		out = append(out, parts[from:])
	}
	return out
}

// compareTimes compares by time and step alone, which is what a blockRef knows of its ends.
func compareTimes(a, b track.Point) int {
	if c := cmp.Compare(a.Time, b.Time); c != 0 {
		return c
	}
	return cmp.Compare(a.Step, b.Step)
}

// readCluster returns the points of a cluster in order. The result may be shared with others and is not to be changed.
func readCluster(cluster []part) ([]track.Point, error) {
	if len(cluster) == 1 {
		return cluster[0].load()
	}
	var pts []track.Point
	for _, p := range cluster {
		more, err := p.load()
		if err != nil {
			return nil, err
		}
		pts = append(pts, more...)
	}
	slices.SortFunc(pts, track.Compare)
	return pts, nil
}

// remove deletes the files of segments. Whoever still reads one holds it open.
func remove(group []*segment) error {
	var errs []error
	for _, g := range group {
		errs = append(errs, os.Remove(g.path), g.release())
	}
	return errors.Join(errs...)
}

// dropReplaced removes segments that a merge had replaced when the process died before it could remove them.
func dropReplaced(segments []*segment) ([]*segment, error) {
	gone := map[uint64]bool{}
	for _, g := range segments {
		for _, seq := range g.replaces {
			gone[seq] = true
		}
	}
	var keep, old []*segment
	for _, g := range segments {
		if gone[g.seq] {
			old = append(old, g)
		} else {
			keep = append(keep, g)
		}
	}
	return keep, remove(old)
}

func listLogs(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var logs []uint64
	for _, e := range entries {
		var seq uint64
		if _, err := fmt.Sscanf(e.Name(), "log-%d", &seq); err == nil {
			logs = append(logs, seq)
		}
	}
	return logs, nil
}
