package stats

import (
	"math"
	"slices"
)

// Wasserstein is the area between the distribution functions of two sorted samples (the first Wasserstein or earth mover's distance), in
// the unit of the values.
func Wasserstein(a, b []float64) float64 {
	return between(a, b, false)
}

// Energy is the energy distance of two sorted samples: the square root of twice the integral of the squared difference between their
// distribution functions (Székely and Rizzo).
func Energy(a, b []float64) float64 {
	return math.Sqrt(2 * between(a, b, true))
}

// between integrates the difference of two distribution functions, or its square.
func between(a, b []float64, squared bool) float64 {
	if len(a) == 0 || len(b) == 0 {
		return math.NaN()
	}
	stepA, stepB := 1/float64(len(a)), 1/float64(len(b))
	sum, i, j := 0.0, 0, 0
	last := min(a[0], b[0])
	for i < len(a) || j < len(b) {
		off := math.Abs(float64(i)*stepA - float64(j)*stepB)
		if squared {
			off *= off
		}
		var v float64
		if j == len(b) || i < len(a) && a[i] <= b[j] {
			v = a[i]
			i++
		} else {
			v = b[j]
			j++
		}
		sum += off * (v - last)
		last = v
	}
	return sum
}

// Student is the t-test of two samples of equal variance: t and the two-sided p-value. It is not defined for two values in all, nor where
// no sample varies and the means are equal.
func Student(a, b []float64) (t, p float64) {
	na, nb := float64(len(a)), float64(len(b))
	ma, va := spread(a)
	mb, vb := spread(b)
	df := na + nb - 2
	pooled := ((na-1)*va + (nb-1)*vb) / df
	t = (ma - mb) / math.Sqrt(pooled*(1/na+1/nb))
	return t, StudentTwoSided(t, df)
}

// Welch is the t-test of two samples whose variances may differ.
func Welch(a, b []float64) (t, p float64) {
	na, nb := float64(len(a)), float64(len(b))
	ma, va := spread(a)
	mb, vb := spread(b)
	if na < 2 || nb < 2 {
		return math.NaN(), math.NaN()
	}
	ea, eb := va/na, vb/nb
	t = (ma - mb) / math.Sqrt(ea+eb)
	return t, StudentTwoSided(t, (ea+eb)*(ea+eb)/(ea*ea/(na-1)+eb*eb/(nb-1)))
}

// spread is the mean and the variance of a sample; that of one value is 0.
func spread(a []float64) (mean, variance float64) {
	if len(a) == 1 {
		return a[0], 0
	}
	mean, sd := MeanSD(a, 1)
	return mean, sd * sd
}

// MMD is the squared maximum mean discrepancy of two samples, unbiased, with a Gaussian kernel whose width is the median of the squared
// distances within the first, and the share of permutations of the pooled values that have one as large (Gretton et al., 2012). Time and
// memory grow with the square of the sizes. With fewer than two values in a sample it is not defined.
func MMD(a, b []float64, permutations int, dice *Dice) (squared, p float64) {
	m, n := len(a), len(b)
	if m < 2 || n < 2 {
		return math.NaN(), math.NaN()
	}
	all := slices.Concat(a, b)
	distance := make([]float64, 0, m*m)
	for _, x := range a {
		for _, y := range a {
			distance = append(distance, (x-y)*(x-y))
		}
	}
	slices.Sort(distance)
	width := distance[int(math.RoundToEven(float64(len(distance)-1)/2))]
	if width == 0 {
		width = 1
	}
	size := m + n
	kernel := make([]float64, size*size)
	for i, x := range all {
		for j, y := range all {
			if i != j {
				kernel[i*size+j] = math.Exp(-(x - y) * (x - y) / width)
			}
		}
	}
	order := make([]int, size)
	for i := range order {
		order[i] = i
	}
	squared = discrepancy(kernel, order, m)
	above := 0
	for range permutations {
		dice.Shuffle(size, func(i, j int) { order[i], order[j] = order[j], order[i] })
		if squared <= discrepancy(kernel, order, m)+1e-12 {
			above++
		}
	}
	return squared, float64(above) / float64(permutations)
}

// discrepancy is the statistic of MMD where the first m of an order are the first sample. The kernel is 0 on its diagonal.
func discrepancy(kernel []float64, order []int, m int) float64 {
	size := len(order)
	inFirst := make([]float64, size)
	for _, i := range order[:m] {
		inFirst[i] = 1
	}
	var xx, yy, xy float64
	for i := range size {
		first, all := 0.0, 0.0
		for j, k := range kernel[i*size : (i+1)*size] {
			first += k * inFirst[j]
			all += k
		}
		if inFirst[i] == 1 {
			xx += first
		} else {
			yy += all - first
			xy += first
		}
	}
	mf, nf := float64(m), float64(size-m)
	return xx/(mf*(mf-1)) + yy/(nf*(nf-1)) - 2*xy/(mf*nf)
}
