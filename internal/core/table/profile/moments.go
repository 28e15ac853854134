package profile

import "math"

// Moments are the number, the mean and the central sums of numbers. Those of two parts add up to those of the whole (P. Pébay, Formulas
// for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments, 2008).
type Moments struct {
	N    int64   `json:"n"`
	Mean float64 `json:"mean"`
	// M2, M3 and M4 are the sums of the second to fourth powers of the distances from the mean.
	M2 float64 `json:"m2"`
	M3 float64 `json:"m3"`
	M4 float64 `json:"m4"`
}

// Add adds finite numbers.
func (m *Moments) Add(values []float64) {
	const most = 4096 // so many stay in the cache for the second pass
	for len(values) > 0 {
		part := values[:min(most, len(values))]
		values = values[len(part):]
		sum := 0.0
		for _, v := range part {
			sum += v
		}
		p := Moments{N: int64(len(part)), Mean: sum / float64(len(part))}
		for _, v := range part {
			d := v - p.Mean
			d2 := d * d
			p.M2 += d2
			p.M3 += d2 * d
			p.M4 += d2 * d2
		}
		m.Merge(p)
	}
}

// AddTimes adds a number that is there n times.
func (m *Moments) AddTimes(v float64, n int64) { m.Merge(Moments{N: n, Mean: v}) }

// Merge adds those of other numbers.
func (m *Moments) Merge(o Moments) {
	if m.N == 0 {
		*m = o
		return
	}
	if o.N == 0 {
		return
	}
	a, b := float64(m.N), float64(o.N)
	n := a + b
	d := o.Mean - m.Mean
	dn := d / n
	m.M4 += o.M4 + d*dn*dn*dn*a*b*(a*a-a*b+b*b) + 6*dn*dn*(a*a*o.M2+b*b*m.M2) + 4*dn*(a*o.M3-b*m.M3)
	m.M3 += o.M3 + d*dn*dn*a*b*(a-b) + 3*dn*(a*o.M2-b*m.M2)
	m.M2 += o.M2 + d*dn*a*b
	m.Mean += dn * b
	m.N += o.N
}

// SD is the standard deviation of a sample: with n-1. It needs two numbers.
func (m Moments) SD() (float64, bool) {
	return finite(math.Sqrt(m.M2/float64(m.N-1)), m.N > 1)
}

// Skew is the skewness G1 of a sample, as pandas and DuckDB give it. It needs three numbers that are not all the same.
func (m Moments) Skew() (float64, bool) {
	n := float64(m.N)
	g1 := math.Sqrt(n) * m.M3 / math.Pow(m.M2, 1.5)
	return finite(g1*math.Sqrt(n*(n-1))/(n-2), m.N > 2 && m.M2 > 0)
}

// Kurtosis is the excess kurtosis G2 of a sample, as pandas and DuckDB give it. It needs four numbers that are not all the same.
func (m Moments) Kurtosis() (float64, bool) {
	n := float64(m.N)
	g2 := n*m.M4/(m.M2*m.M2) - 3
	return finite((n-1)/((n-2)*(n-3))*((n+1)*g2+6), m.N > 3 && m.M2 > 0)
}

// finite reports whether none of them is beyond all floats.
func (m Moments) finite() bool {
	for _, v := range []float64{m.Mean, m.M2, m.M3, m.M4} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

func finite(v float64, ok bool) (float64, bool) {
	return v, ok && !math.IsNaN(v) && !math.IsInf(v, 0)
}
