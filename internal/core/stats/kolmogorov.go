package stats

import "math"

// KolmogorovSF is the chance that the two-sided Kolmogorov-Smirnov statistic of one sample of n values is at least d. It takes the exact
// or approximate form that Simard and L'Ecuyer recommend for n and d (Journal of Statistical Software 39, 11, 2011).
func KolmogorovSF(n int64, d float64) float64 {
	if n <= 0 || math.IsNaN(d) {
		return math.NaN()
	}
	nf := float64(n)
	nd, nd2 := nf*d, nf*d*d
	switch {
	case d >= 1 || nd2 >= 370:
		return 0
	case nd <= 0.5:
		return 1
	case nd <= 1:
		return 1 - math.Exp(lgamma(nf+1)-nf*math.Log(nf)+nf*math.Log(2*nd-1))
	case nd >= nf-1:
		return 2 * math.Pow(1-d, nf)
	case d >= 0.5 || n <= 140 && nd2 > 4 || n > 140 && nd2 >= 2.2:
		return clip(2 * SmirnovSF(n, d))
	case n <= 140 || n <= 100_000 && nf*math.Pow(d, 1.5) <= 1.4:
		return clip(1 - durbin(int(n), d))
	}
	return clip(1 - pelzGood(nf, d))
}

func clip(p float64) float64 { return math.Max(0, math.Min(1, p)) }

// manyTerms is the size from which the exact sum of SmirnovSF is replaced by its limit.
const manyTerms = 2_000_000

// SmirnovSF is the chance that the one-sided statistic of a sample of n values is at least d: the finite sum of Birnbaum and
// Tingey (1951); for n of two million and more exp(-(6nd+1)²/(18n)) (Miller, 1956), whose relative error is below 1e-6 there.
func SmirnovSF(n int64, d float64) float64 {
	nf := float64(n)
	if n > manyTerms {
		return math.Exp(-(6*nf*d + 1) * (6*nf*d + 1) / (18 * nf))
	}
	sum, choose := 0.0, 0.0 // choose is the logarithm of the binomial coefficient
	for j := 0.0; j <= math.Floor(nf*(1-d)); j++ {
		rest := 1 - d - j/nf
		if rest <= 0 {
			break
		}
		sum += math.Exp(choose + (j-1)*math.Log(d+j/nf) + (nf-j)*math.Log(rest))
		choose += math.Log((nf - j) / (j + 1))
	}
	return d * sum
}

// durbin is the exact distribution function by the power of a matrix (Marsaglia, Tsang, Wang: Evaluating Kolmogorov's
// Distribution, 2003).
func durbin(n int, d float64) float64 {
	nd := float64(n) * d
	k := int(math.Ceil(nd))
	h := float64(k) - nd
	m := 2*k - 1
	H := square{m, make([]float64, m*m)}
	for i := range m {
		for j := range m {
			if i-j+1 >= 0 {
				H.at[i*m+j] = 1
			}
		}
	}
	for i := range m {
		H.at[i*m] -= math.Pow(h, float64(i+1))
		H.at[(m-1)*m+i] -= math.Pow(h, float64(m-i))
	}
	if 2*h-1 > 0 {
		H.at[(m-1)*m] += math.Pow(2*h-1, float64(m))
	}
	for i := range m {
		for j := range m {
			for g := 2; g <= i-j+1; g++ {
				H.at[i*m+j] /= float64(g)
			}
		}
	}
	power, exponent := H.power(n, 0)
	p := power.at[(k-1)*m+k-1]
	for i := 1; i <= n; i++ {
		if p = p * float64(i) / float64(n); p < 1e-140 {
			p, exponent = p*1e140, exponent-140
		}
	}
	return p * math.Pow(10, float64(exponent))
}

// square is a square matrix by rows.
type square struct {
	m  int
	at []float64
}

func (a square) times(b square) square {
	m := a.m
	out := square{m, make([]float64, m*m)}
	for i := range m {
		row := out.at[i*m : (i+1)*m]
		for k := range m {
			f := a.at[i*m+k]
			if f == 0 {
				continue
			}
			for j, v := range b.at[k*m : (k+1)*m] {
				row[j] += f * v
			}
		}
	}
	return out
}

// power is the matrix to the n-th power, times 10 to the returned exponent.
func (a square) power(n, exponent int) (out square, e int) {
	if n == 1 {
		return a, exponent
	}
	half, e := a.power(n/2, exponent)
	out, e = half.times(half), 2*e
	if n%2 == 1 {
		out, e = a.times(out), e+exponent
	}
	if mid := out.m / 2; out.at[mid*out.m+mid] > 1e140 {
		for i := range out.at {
			out.at[i] *= 1e-140
		}
		e += 140
	}
	return out, e
}

// pelzGood is the distribution function for large n, with an error of the order 1/n² (Pelz and Good, 1976; the series as
// in Simard and L'Ecuyer, equations 10 to 13).
func pelzGood(n, d float64) float64 {
	z := math.Sqrt(n) * d
	z2 := z * z
	z3, z4, z6 := z*z2, z2*z2, z2*z2*z2
	z7, z8, z10 := z6*z, z4*z4, z6*z4
	const pi2 = math.Pi * math.Pi
	const pi4, pi6 = pi2 * pi2, pi2 * pi2 * pi2
	var k0, k1, k2, k3 float64
	for i := range 40 {
		m := float64(i) + 0.5
		m2 := m * m
		e := math.Exp(-m2 * pi2 / (2 * z2))
		k0 += e
		k1 += (pi2*m2 - z2) * e
		k2 += (6*z6 + 2*z4 + pi2*(2*z4-5*z2)*m2 + pi4*(1-2*z2)*m2*m2) * e
		k3 += (-30*z6 - 90*z8 + pi2*(135*z4-96*z6)*m2 + pi4*(212*z4-60*z2)*m2*m2 + pi6*(5-30*z2)*m2*m2*m2) * e
	}
	var more2, more3 float64
	for i := 1.0; i <= 40; i++ {
		e := i * i * math.Exp(-i*i*pi2/(2*z2))
		more2 += e
		more3 += (3*z2 - pi2*i*i) * e
	}
	root := math.Sqrt(2 * math.Pi)
	k0 *= root / z
	k1 *= root / (6 * z4)
	k2 = k2*root/(72*z7) - more2*pi2*root/(36*z3)
	k3 = k3*root/(6480*z10) + more3*pi2*root/(216*z6)
	return k0 + k1/math.Sqrt(n) + k2/n + k3/(n*math.Sqrt(n))
}
