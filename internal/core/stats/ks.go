package stats

import "math"

// exactKS is the size of the larger sample up to which the p-value of the Kolmogorov-Smirnov test is exact, as in SciPy.
const exactKS = 10_000

// KolmogorovSmirnov compares two sorted samples: the largest distance between their distribution functions, and the chance of one as
// large under the same distribution (two-sided). The chance is exact (Hodges, 1957) where neither has more than 10,000 values, else
// that of one sample of n = ab/(a+b) values.
func KolmogorovSmirnov(a, b []float64) (d, p float64) {
	if len(a) == 0 || len(b) == 0 {
		return math.NaN(), math.NaN()
	}
	na, nb := int64(len(a)), int64(len(b))
	most := int64(0)
	for i, j := 0, 0; i < len(a) && j < len(b); {
		v := lowest(a, b, i, j)
		i, j = equal(a, i, v), equal(b, j, v)
		off := int64(i)*nb - int64(j)*na
		most = max(most, off, -off)
	}
	d = float64(most) / (float64(na) * float64(nb))
	if max(na, nb) > exactKS {
		return d, KolmogorovSF(int64(math.RoundToEven(float64(na)*float64(nb)/float64(na+nb))), d)
	}
	g := gcd(na, nb)
	h := most / g
	switch {
	case h == 0:
		return d, 1
	case na == nb:
		return d, clip(outsideSquare(float64(na), float64(h)))
	}
	return d, clip(outsideBand(int(na), int(nb), int(na/g), int(nb/g), int(h)))
}

// outsideSquare is the share of paths from (0, 0) to (n, n) that leave the band |i - j| < h somewhere, by reflection.
func outsideSquare(n, h float64) float64 {
	p := 0.0
	for k := math.Floor(n / h); k >= 1; k-- {
		q := 1.0
		for j := range int(h) {
			q *= (n - k*h + h - float64(j)) / (n + k*h - h + float64(j) + 1)
		}
		p = q * (1 - p)
	}
	return 2 * p
}

// outsideBand is the share of paths from (0, 0) to (m, n) that leave the band |i*ng - j*mg| < h somewhere. The share of those to a point
// is the mean of the shares of its two neighbours, weighted by how many paths come from each.
func outsideBand(m, n, mg, ng, h int) float64 {
	share := make([]float64, n+1)
	for j := range share {
		share[j] = 1
	}
	share[0] = 0
	for i := range m + 1 {
		low := 0
		if i*ng >= h {
			low = (i*ng-h)/mg + 1
		}
		high := min(n, (h+i*ng-1)/mg)
		left := 1.0
		for j := low; j <= high; j++ {
			if i+j > 0 {
				left = (float64(i)*share[j] + float64(j)*left) / float64(i+j)
			} else {
				left = 0
			}
			share[j] = left
		}
	}
	return share[n]
}
