package series

import (
	"math"

	"levada/internal/core/track"
)

// Extremes returns at most n points in the order of steps that keep what an eye would see: of each stretch of about equally many
// points its lowest and its highest value, and the first and the last point of all. A NaN is neither. Of blocks that are shorter
// than such a stretch only what is known of them is looked at: a curve of a million points takes a few reads.
func (s *Store) Extremes(runID, key string, within *track.Steps, n int) ([]track.Point, error) {
	var out []track.Point
	err := s.bySteps(runID, key, within, func(groups []*group, total int) error {
		e := extremes{buckets: max(1, (n-2)/2), total: total, all: total <= n}
		e.end = e.ending(0)
		e.forget()
		for i, g := range groups {
			if i > 0 && i < len(groups)-1 && e.take(g) {
				continue
			}
			if err := g.read(within); err != nil {
				return err
			}
			for _, p := range g.points {
				e.add(p)
			}
			g.points = nil
		}
		out = e.finish()
		if len(out) > n && n > 0 { // fewer than two points for a bucket
			out = append(out[:n-1], e.last)
		}
		return nil
	})
	return out, err
}

// extremes takes points in order and keeps the lowest and the highest of each bucket. The first and the last point of all are in no
// bucket.
type extremes struct {
	buckets, total int
	all            bool
	seen, bucket   int
	end            int // the place at which the next bucket begins
	low, high      track.Point
	last           track.Point
	out            []track.Point
}

func (e *extremes) add(p track.Point) {
	e.last = p
	switch {
	case e.all || e.seen == 0:
		e.out = append(e.out, p)
	case e.seen < e.total-1:
		e.enter(e.seen)
		e.low, e.high = lower(e.low, p), higher(e.high, p)
	}
	e.seen++
}

// enter begins the bucket of a point, by the place that the point has among all, unless that has begun.
func (e *extremes) enter(place int) {
	if place < e.end {
		return
	}
	e.close()
	e.bucket = place * e.buckets / e.total
	e.end = e.ending(e.bucket)
}

// ending is the first place that lies behind a bucket.
func (e *extremes) ending(bucket int) int {
	return ((bucket+1)*e.total + e.buckets - 1) / e.buckets
}

// take goes past a group of which it is known where its lowest and highest values are; false when the group has to be read,
// because that is not known or because it is longer than a bucket.
func (e *extremes) take(g *group) bool {
	if g.points != nil || e.all || g.n > e.total/e.buckets {
		return false
	}
	for _, p := range g.parts {
		if !p.ref.located {
			return false
		}
	}
	e.enter(e.seen + g.n/2)
	for _, p := range g.parts {
		e.low, e.high = lower(e.low, p.ref.low), higher(e.high, p.ref.high)
	}
	e.seen += g.n
	return true
}

func (e *extremes) close() {
	if !math.IsNaN(e.low.Value) {
		switch c := track.CompareSteps(e.low, e.high); {
		case c < 0:
			e.out = append(e.out, e.low, e.high)
		case c > 0:
			e.out = append(e.out, e.high, e.low)
		default:
			e.out = append(e.out, e.low)
		}
	}
	e.forget()
}

func (e *extremes) forget() {
	e.low.Value, e.high.Value = math.NaN(), math.NaN()
}

func (e *extremes) finish() []track.Point {
	e.close()
	if !e.all && e.seen > 1 {
		e.out = append(e.out, e.last)
	}
	return e.out
}
