package track

import (
	"cmp"
	"math"
)

// Point is one value of a metric. Time is in milliseconds since 1970.
type Point struct {
	Time  int64
	Step  int64
	Value float64
}

// Clean returns the value as it is kept: infinities become the largest finite numbers, because the databases and the JSON
// of MLflow cannot hold them, and every NaN is the same one.
func Clean(v float64) float64 {
	switch {
	case math.IsNaN(v):
		return math.NaN()
	case math.IsInf(v, 1):
		return math.MaxFloat64
	case math.IsInf(v, -1):
		return -math.MaxFloat64
	case v == 0:
		return 0 // no negative zero: it would be another point that equals this one
	}
	return v
}

// Compare is the order of a metric's history: time, step, value, and NaN as a zero that comes after other zeros.
func Compare(a, b Point) int {
	if c := cmp.Compare(a.Time, b.Time); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Step, b.Step); c != 0 {
		return c
	}
	return compareValues(a.Value, b.Value)
}

// CompareSteps is the order of a chart: step, time, value.
func CompareSteps(a, b Point) int {
	if c := cmp.Compare(a.Step, b.Step); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Time, b.Time); c != 0 {
		return c
	}
	return compareValues(a.Value, b.Value)
}

func compareValues(a, b float64) int {
	an, bn := math.IsNaN(a), math.IsNaN(b)
	if an {
		a = 0
	}
	if bn {
		b = 0
	}
	if c := cmp.Compare(a, b); c != 0 {
		return c
	}
	switch {
	case an == bn:
		return 0
	case bn:
		return -1
	}
	return 1
}

// Stat sums up all points of one metric of a run. The latest point is the greatest by step, then time, then value; a NaN
// takes part in that as a zero, and in Min and Max not at all.
type Stat struct {
	Key    string
	Latest Point
	// Min and Max are NaN when no value is a number.
	Min   float64
	Max   float64
	Count int64
	// MaxTime is the greatest time of any point; the latest point may have an earlier one.
	MaxTime int64
}

// NewStat returns the sum of one point.
func NewStat(key string, p Point) Stat {
	return Stat{Key: key, Latest: p, Min: p.Value, Max: p.Value, Count: 1, MaxTime: p.Time}
}

// Add includes a point that was not included before.
func (s *Stat) Add(p Point) { s.Merge(NewStat(s.Key, p)) }

// Merge includes the points of another sum; no point may be in both.
func (s *Stat) Merge(o Stat) {
	if c := CompareSteps(o.Latest, s.Latest); c > 0 {
		s.Latest = o.Latest
	}
	if math.IsNaN(s.Min) || o.Min < s.Min {
		s.Min = o.Min
	}
	if math.IsNaN(s.Max) || o.Max > s.Max {
		s.Max = o.Max
	}
	s.Count += o.Count
	s.MaxTime = max(s.MaxTime, o.MaxTime)
}

// Steps bounds the steps of a query, both ends included.
type Steps struct{ From, To int64 }
