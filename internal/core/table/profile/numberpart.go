package profile

import (
	"math"

	"levada/internal/core/table"
)

// numberPart is what is kept of the numbers of a column, or of its truths, times or dates.
type numberPart struct {
	kind table.Kind
	// counter counts floats, and integers that are floats; large counts the other integers.
	counter, large counter
	sketched       bool
	distinct       distinct
	order          quantiles
	moments        Moments // of finite numbers that are not in the counters
	nan, up, down  int64
	zeros, below   int64

	ints    span[int64]
	reals   span[float64] // finite ones
	floats  bool
	scratch []float64
}

// span is the lowest and the highest of some numbers.
type span[T int64 | float64] struct {
	low, high T
	any       bool
}

func (s *span[T]) add(v T) {
	if !s.any {
		s.low, s.high, s.any = v, v, true
		return
	}
	s.low, s.high = min(s.low, v), max(s.high, v)
}

func (s *span[T]) merge(o span[T]) {
	if o.any {
		s.add(o.low)
		s.add(o.high)
	}
}

// full reports whether the counters have no place for another number.
func (p *numberPart) full() bool { return p.counter.used+p.large.used >= p.counter.limit }

func (p *numberPart) addInts(v *table.Vector) {
	ints := v.Ints[:v.Size]
	p.scratch = p.scratch[:0]
	for i, n := range ints {
		if v.Nulls != nil && v.Nulls[i>>6]&(1<<(i&63)) != 0 {
			continue
		}
		p.ints.add(n)
		if n <= 0 {
			if n == 0 {
				p.zeros++
			} else {
				p.below++
			}
		}
		if !p.sketched {
			if p.countInt(n, 1) {
				continue
			}
			p.sketch()
		}
		p.scratch = append(p.scratch, float64(n))
		if n > table.ExactInt || n < -table.ExactInt {
			p.distinct.add(table.HashInt(n))
			p.large.keep(uint64(n), 1)
			continue
		}
		key := table.FloatKey(float64(n))
		p.distinct.add(table.MixHash(key))
		p.counter.keep(key, 1)
	}
	p.measure()
}

// countInt counts an integer n times while all are counted.
func (p *numberPart) countInt(v, n int64) bool {
	if p.full() {
		// One that is known still has its place.
		if v > table.ExactInt || v < -table.ExactInt {
			return p.large.more(uint64(v), n)
		}
		return p.counter.more(table.FloatKey(float64(v)), n)
	}
	if v > table.ExactInt || v < -table.ExactInt {
		p.large.limit = p.counter.limit
		return p.large.add(uint64(v), n)
	}
	return p.counter.add(table.FloatKey(float64(v)), n)
}

func (p *numberPart) addFloats(v *table.Vector) {
	p.scratch = p.scratch[:0]
	p.floats = true
	for i, f := range v.Floats[:v.Size] {
		if v.Nulls != nil && v.Nulls[i>>6]&(1<<(i&63)) != 0 {
			continue
		}
		p.float(f)
	}
	p.measure()
}

func (p *numberPart) float(f float64) {
	key := table.FloatKey(f)
	switch {
	case f-f == 0: // finite
		p.reals.add(f)
		if f <= 0 {
			if f == 0 {
				p.zeros++
			} else {
				p.below++
			}
		}
	case f != f:
		p.nan++
	case f > 0:
		p.up++
	default:
		p.down++
	}
	if !p.sketched {
		if p.full() {
			if p.counter.more(key, 1) {
				return
			}
		} else if p.counter.add(key, 1) {
			return
		}
		p.sketch()
	}
	if f-f == 0 {
		p.scratch = append(p.scratch, f)
	}
	p.distinct.add(table.MixHash(key))
	p.counter.keep(key, 1)
}

func (p *numberPart) measure() {
	p.moments.Add(p.scratch)
	p.order.add(p.scratch)
	p.scratch = p.scratch[:0]
}

// values gives the numbers in the counters that are finite.
func (p *numberPart) values() []weighted {
	out := make([]weighted, 0, p.counter.used+p.large.used)
	for _, e := range p.counter.entries {
		if f := math.Float64frombits(e.key); e.n > 0 && f-f == 0 {
			out = append(out, weighted{f, e.n})
		}
	}
	for _, e := range p.large.entries {
		if e.n > 0 {
			out = append(out, weighted{float64(int64(e.key)), e.n})
		}
	}
	sortWeighted(out)
	return out
}

// counted are the moments of the numbers in the counters, where all are there.
func (p *numberPart) counted() Moments {
	var m Moments
	if p.sketched {
		return m
	}
	values := p.values()
	// In two passes, as exact as can be.
	sum := 0.0
	for _, w := range values {
		sum += w.v * float64(w.n)
		m.N += w.n
	}
	if m.N == 0 {
		return m
	}
	m.Mean = sum / float64(m.N)
	for _, w := range values {
		d := w.v - m.Mean
		d2 := d * d
		m.M2 += d2 * float64(w.n)
		m.M3 += d2 * d * float64(w.n)
		m.M4 += d2 * d2 * float64(w.n)
	}
	return m
}

// all are the moments of all finite numbers.
func (p *numberPart) all() Moments {
	m := p.counted()
	m.Merge(p.moments)
	return m
}

// sketch goes on with estimates: there are too many different numbers.
func (p *numberPart) sketch() {
	p.moments.Merge(p.counted())
	for _, w := range p.values() {
		p.order.addTimes(w.v, w.n)
	}
	p.eachHash(p.distinct.add)
	p.counter.narrow()
	p.large.narrow()
	p.sketched = true
}

func (p *numberPart) eachHash(f func(uint64)) {
	for _, e := range p.counter.entries {
		if e.n > 0 {
			f(table.MixHash(e.key))
		}
	}
	for _, e := range p.large.entries {
		if e.n > 0 {
			f(table.HashInt(int64(e.key)))
		}
	}
}

func (p *numberPart) merge(o *numberPart) {
	p.nan, p.up, p.down = p.nan+o.nan, p.up+o.up, p.down+o.down
	p.zeros, p.below = p.zeros+o.zeros, p.below+o.below
	p.floats = p.floats || o.floats
	p.ints.merge(o.ints)
	p.reals.merge(o.reals)
	if !p.sketched && (o.sketched || !p.room(o)) {
		p.sketch()
	}
	if !p.sketched {
		p.large.limit = p.counter.limit
		for _, e := range o.counter.entries {
			if e.n > 0 {
				p.counter.add(e.key, e.n)
			}
		}
		for _, e := range o.large.entries {
			if e.n > 0 {
				p.large.add(e.key, e.n)
			}
		}
		return
	}
	p.moments.Merge(o.all())
	if o.sketched {
		p.order.merge(&o.order)
		p.distinct.merge(o.distinct)
	} else {
		for _, w := range o.values() {
			p.order.addTimes(w.v, w.n)
		}
		o.eachHash(p.distinct.add)
	}
	p.counter.absorb(&o.counter)
	p.large.absorb(&o.large)
}

// room reports whether the numbers of both can be counted.
func (p *numberPart) room(o *numberPart) bool {
	n := p.counter.used + p.large.used
	for _, e := range o.counter.entries {
		if e.n > 0 && !p.counter.has(e.key) {
			n++
		}
	}
	for _, e := range o.large.entries {
		if e.n > 0 && !p.large.has(e.key) {
			n++
		}
	}
	return n <= p.counter.limit
}

func (p *numberPart) count() (int64, bool) {
	if p.sketched {
		return max(p.distinct.count(), int64(p.counter.used+p.large.used)), true
	}
	return int64(p.counter.used + p.large.used), false
}
