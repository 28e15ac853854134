package stats

import "math"

// exactMannWhitney is the size of the smaller sample up to which the p-value is exact where no value is there twice.
const (
	exactMannWhitney = 8
	// mostPairs bounds the exact distribution's table.
	mostPairs = 4_000_000
)

// MannWhitney returns U of the first of two sorted samples and the chance of one as small under the same distribution: the alternative
// is that the first sample is lower ("less"). It is exact for a sample of at most eight values without ties, else normal with
// corrections for ties and continuity.
func MannWhitney(a, b []float64) (u, p float64) {
	if len(a) == 0 || len(b) == 0 {
		return math.NaN(), math.NaN()
	}
	na, nb := float64(len(a)), float64(len(b))
	ranks, ties := 0.0, 0.0
	eachValue(a, b, func(before, inA, inB float64) {
		t := inA + inB
		ranks += inA * (before + (t+1)/2)
		ties += t*t*t - t
	})
	u = ranks - na*(na+1)/2
	other := na*nb - u
	if ties == 0 && min(na, nb) <= exactMannWhitney && na*nb <= mostPairs {
		return u, clip(mannWhitneySF(len(a), len(b), int(math.Round(other))))
	}
	n := na + nb
	sd := math.Sqrt(na * nb / 12 * (n + 1 - ties/(n*(n-1))))
	return u, clip(NormalSF((other - na*nb/2 - 0.5) / sd))
}

// mannWhitneySF is the chance that U is at least u for samples of m and n values. The numbers of orders for each U are the coefficients
// of a Gaussian binomial, which is a product of (1 - q^(n+i)) / (1 - q^i).
func mannWhitneySF(m, n, u int) float64 {
	if m > n {
		m, n = n, m
	}
	// U is symmetric: at least u is as likely as at most mn - u.
	most := m*n - u
	if most < 0 {
		return 0
	}
	counts := make([]float64, most+1)
	counts[0] = 1
	for i := 1; i <= m; i++ {
		for k := most; k >= n+i; k-- {
			counts[k] -= counts[k-n-i]
		}
		for k := i; k <= most; k++ {
			counts[k] += counts[k-i]
		}
	}
	sum := 0.0
	for _, c := range counts {
		sum += c
	}
	return sum / math.Exp(logChoose(float64(m+n), float64(m)))
}

// eachValue calls do for each different value of two sorted samples, from the lowest: how many values are below it in both, and how
// often it is in each.
func eachValue(a, b []float64, do func(before, inA, inB float64)) {
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		v := lowest(a, b, i, j)
		nexti, nextj := equal(a, i, v), equal(b, j, v)
		do(float64(i+j), float64(nexti-i), float64(nextj-j))
		i, j = nexti, nextj
	}
}

// exactCramer is the size of the larger sample up to which the p-value of CramerVonMises is exact.
const exactCramer = 20

// CramerVonMises compares two sorted samples: the statistic T and the chance of one as large under the same distribution, exact (Xiao,
// Gordon, Yakovlev, 2006) where neither has more than 20 values, else by the limit (Anderson, 1962; Csörgő and Faraway, 1996). With fewer
// than two values in a sample it is not defined.
func CramerVonMises(a, b []float64) (t, p float64) {
	if len(a) < 2 || len(b) < 2 {
		return math.NaN(), math.NaN()
	}
	na, nb := float64(len(a)), float64(len(b))
	u, seenA, seenB := 0.0, 0.0, 0.0
	eachValue(a, b, func(before, inA, inB float64) {
		rank := before + (inA+inB+1)/2
		u += na*squaredOffsets(rank-seenA, inA) + nb*squaredOffsets(rank-seenB, inB)
		seenA, seenB = seenA+inA, seenB+inB
	})
	k, n := na*nb, na+nb
	t = u/(k*n) - (4*k-1)/(6*n)
	if max(len(a), len(b)) <= exactCramer {
		return t, cramerExact(u, len(a), len(b))
	}
	expected := (1 + 1/n) / 6
	variance := (n + 1) * (4*k*n - 3*(na*na+nb*nb) - 2*k) / (45 * n * n * 4 * k)
	x := 1.0/6 + (t-expected)/math.Sqrt(45*variance)
	if x < 0.003 {
		return t, 1
	}
	return t, math.Max(0, 1-cramerLimit(x))
}

// squaredOffsets is the sum of (r - i)² for i from 1 to n.
func squaredOffsets(r, n float64) float64 {
	return n*r*r - r*n*(n+1) + n*(n+1)*(2*n+1)/6
}

// cramerLimit is the limiting distribution function of the statistic of one sample (Csörgő and Faraway, 1996, equation 1.2).
func cramerLimit(x float64) float64 {
	sum := 0.0
	for k := 0.0; ; k++ {
		y := 4*k + 1
		q := y * y / (16 * x)
		term := math.Exp(lgamma(k+0.5)-lgamma(k+1)) / (math.Pow(math.Pi, 1.5) * math.Sqrt(x)) * math.Sqrt(y) * besselKQuarter(q)
		sum += term
		if math.Abs(term) < 1e-9 {
			return sum
		}
	}
}

// weighted is a value and the number of paths that have it.
type weighted struct{ value, paths float64 }

// cramerExact counts, among all orders of m and n values, those whose statistic is at least that of u.
func cramerExact(u float64, m, n int) float64 {
	mf, nf := float64(m), float64(n)
	lcm := float64(int64(m) / gcd(int64(m), int64(n)) * int64(n))
	a, b := lcm/mf, lcm/nf
	mn := mf * nf
	zeta := math.Floor(lcm * lcm * (mf + nf) * (6*u - mn*(4*mn-1)) / (6 * mn * mn))
	columns := make([][]weighted, m+1)
	columns[0] = []weighted{{0, 1}}
	for i := range n + 1 {
		var below []weighted
		for v := range columns {
			off := a*float64(v) - b*float64(i)
			below = joined(below, columns[v], off*off)
			columns[v] = below
		}
	}
	sum := 0.0
	for _, w := range columns[m] {
		if w.value >= zeta {
			sum += w.paths
		}
	}
	return sum / math.Round(math.Exp(logChoose(mf+nf, mf)))
}

// joined merges two lists that are ordered by value and adds to each value.
func joined(x, y []weighted, add float64) []weighted {
	out := make([]weighted, 0, len(x)+len(y))
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case j == len(y) || i < len(x) && x[i].value < y[j].value:
			out = append(out, weighted{x[i].value + add, x[i].paths})
			i++
		case i == len(x) || y[j].value < x[i].value:
			out = append(out, weighted{y[j].value + add, y[j].paths})
			j++
		default:
			out = append(out, weighted{x[i].value + add, x[i].paths + y[j].paths})
			i, j = i+1, j+1
		}
	}
	return out
}

// AndersonDarling compares two sorted samples by the k-sample test with midranks (Scholz and Stephens, 1987): the normalized statistic
// and a p-value interpolated between tabled ones, which is between 0.001 and 0.25 whatever the statistic. With a single value in both, or
// fewer than four values, it is not defined.
func AndersonDarling(a, b []float64) (statistic, p float64) {
	na, nb := float64(len(a)), float64(len(b))
	n := na + nb
	if len(a) == 0 || len(b) == 0 || len(a)+len(b) < 4 || math.Min(a[0], b[0]) == math.Max(a[len(a)-1], b[len(b)-1]) {
		return math.NaN(), math.NaN()
	}
	sumA, sumB, seenA, seenB := 0.0, 0.0, 0.0, 0.0
	eachValue(a, b, func(before, inA, inB float64) {
		l := inA + inB
		half := before + l/2
		below := half*(n-half) - n*l/4
		offA, offB := n*(seenA+inA/2)-half*na, n*(seenB+inB/2)-half*nb
		if below > 0 {
			sumA += l * offA * offA / below
			sumB += l * offB * offB / below
		}
		seenA, seenB = seenA+inA, seenB+inB
	})
	squared := (sumA/na + sumB/nb) / n * (n - 1) / n
	h, g := 0.0, 0.0
	for i := n - 1; i > 1; i-- {
		h += 1 / i
		g += h / (n + 1 - i)
	}
	h++
	const k = 2
	H := 1/na + 1/nb
	c3 := (4*g-6)*(k-1) + (10-6*g)*H
	c2 := (2*g-4)*k*k + 8*h*k + (2*g-14*h-4)*H - 8*h + 4*g - 6
	c1 := (6*h+2*g-2)*k*k + (4*h-4*g+6)*k + (2*h-6)*H + 4*h
	c0 := (2*h+6)*k*k - 4*h*k
	variance := (c3*n*n*n + c2*n*n + c1*n + c0) / ((n - 1) * (n - 2) * (n - 3))
	statistic = (squared - (k - 1)) / math.Sqrt(variance)
	return statistic, andersonP(statistic)
}

// The critical values of two samples (Scholz and Stephens, table 2, for one degree of freedom) and their levels.
var (
	andersonCritical = [...]float64{
		0.675 - 0.245 - 0.105, 1.281 + 0.25 - 0.305, 1.645 + 0.678 - 0.362, 1.96 + 1.149 - 0.391,
		2.326 + 1.822 - 0.396, 2.573 + 2.364 - 0.345, 3.085 + 3.615 - 0.154,
	}
	andersonLevel = [...]float64{0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001}
)

// andersonP reads the level off a parabola through the logarithms of the levels, by least squares.
func andersonP(statistic float64) float64 {
	last := len(andersonLevel) - 1
	switch {
	case statistic < andersonCritical[0]:
		return andersonLevel[0]
	case statistic > andersonCritical[last]:
		return andersonLevel[last]
	}
	// Normal equations of three unknowns, around the middle so that they are well conditioned.
	const middle = 3
	var m [3][4]float64
	for i, x := range andersonCritical {
		powers := [3]float64{1, x - middle, (x - middle) * (x - middle)}
		for r := range 3 {
			for c := range 3 {
				m[r][c] += powers[r] * powers[c]
			}
			m[r][3] += powers[r] * math.Log(andersonLevel[i])
		}
	}
	for r := range 3 {
		for below := range 3 {
			if below == r {
				continue
			}
			f := m[below][r] / m[r][r]
			for c := r; c < 4; c++ {
				m[below][c] -= f * m[r][c]
			}
		}
	}
	x := statistic - middle
	return math.Exp(m[0][3]/m[0][0] + m[1][3]/m[1][1]*x + m[2][3]/m[2][2]*x*x)
}

// AreaUnderROC is the chance that a score of the second class is above one of the first; equal ones count half. It sorts both.
func AreaUnderROC(first, second []float64) float64 {
	first, _ = Sort(first, make([]float64, len(first)))
	second, _ = Sort(second, make([]float64, len(second)))
	u, _ := MannWhitney(second, first)
	return u / (float64(len(first)) * float64(len(second)))
}
