package drift

import (
	"math"

	"levada/internal/core/stats"
)

// Embedding is a set of numerical columns that are the parts of a vector.
type Embedding struct {
	Name    string
	Columns []string
	// Method is model (a classifier that tells the tables apart), ratio (the share of parts whose normed Wasserstein distance is at least 0.1),
	// mmd, or a distance between the means: distance (Euclid's), cosine, cityblock or chebyshev. Empty stands for model.
	Method string
	// Threshold is the limit of the score; 0 stands for the method's own.
	Threshold float64
}

// componentLimit is the normed Wasserstein distance from which on a component has drifted.
const componentLimit = 0.1

// embeddingMethod is a way to compare vectors, with Evidently's limit of its score.
type embeddingMethod struct {
	name, label string
	limit       float64
}

func embeddingMethods() []embeddingMethod {
	return []embeddingMethod{
		{"model", "classifier AUC", 0.55}, {"ratio", "share of drifted components", 0.2}, {"mmd", "MMD²", 0.015}, {"distance", "distance of means", 0.2},
		{"cosine", "cosine distance of means", 0.2}, {"cityblock", "city block distance of means", 0.2}, {"chebyshev", "Chebyshev distance of means", 0.2},
	}
}

// distanceOfMeans is Euclid's distance, or another one that is named, between the means of the tables.
func (m matrix) distanceOfMeans(method string) float64 {
	var squares, sum, most, product, a2, b2 float64
	for i := range m.ref {
		a, _ := stats.MeanSD(m.ref[i], 0)
		b, _ := stats.MeanSD(m.cur[i], 0)
		d := math.Abs(a - b)
		squares, sum, most = squares+d*d, sum+d, max(most, d)
		product, a2, b2 = product+a*b, a2+a*a, b2+b*b
	}
	switch method {
	case "cosine":
		return 1 - product/math.Sqrt(a2*b2)
	case "cityblock":
		return sum
	case "chebyshev":
		return most
	}
	return math.Sqrt(squares)
}

// score compares vectors by a method of Evidently's.
func (m matrix) score(method string, seed uint64) float64 {
	switch method {
	case "ratio":
		drifted := 0
		for i := range m.ref {
			a, b := sortedNumbers(m.ref[i]), sortedNumbers(m.cur[i])
			_, sd := stats.MeanSD(a, 0)
			if stats.Wasserstein(a, b)/max(sd, leastSD) >= componentLimit {
				drifted++
			}
		}
		return float64(drifted) / float64(len(m.ref))
	case "distance", "cosine", "cityblock", "chebyshev":
		return m.distanceOfMeans(method)
	case "mmd":
		return max(0, m.discrepancy())
	}
	return m.classified(seed)
}

// classified is the area under the curve of a linear classifier that is fitted to half of the rows, on the other half.
func (m matrix) classified(seed uint64) float64 {
	ref, cur := m.ref, m.cur
	dice := stats.Dice(seed)
	var rows [][]entry
	var labels []float64
	for side, columns := range [][][]float64{ref, cur} {
		for r := range columns[0] {
			v := make([]entry, len(columns))
			for i, c := range columns {
				v[i] = entry{i, c[r]}
			}
			rows, labels = append(rows, v), append(labels, 2*float64(side)-1)
		}
	}
	dice.Shuffle(len(rows), func(i, j int) {
		rows[i], rows[j] = rows[j], rows[i]
		labels[i], labels[j] = labels[j], labels[i]
	})
	half := len(rows) / 2
	model := &linear{weights: make([]float64, len(ref)), loss: logistic, penalty: l2}
	model.fit(rows[:half], labels[:half], &dice)
	var scores [2][]float64
	for i, v := range rows[half:] {
		side := 0
		if labels[half+i] > 0 {
			side = 1
		}
		scores[side] = append(scores[side], model.decide(v))
	}
	return stats.AreaUnderROC(scores[0], scores[1])
}

// discrepancy is the unbiased squared maximum mean discrepancy with a Gaussian kernel whose width is the median distance between rows of
// the two tables.
func (m matrix) discrepancy() float64 {
	n, k := len(m.ref[0]), len(m.cur[0])
	squared := func(x, y [][]float64, i, j int) float64 {
		sum := 0.0
		for c := range x {
			d := x[c][i] - y[c][j]
			sum += d * d
		}
		return sum
	}
	across := make([]float64, 0, n*k)
	for i := range n {
		for j := range k {
			across = append(across, math.Sqrt(squared(m.ref, m.cur, i, j)))
		}
	}
	across, _ = stats.Sort(across, make([]float64, len(across)))
	median := stats.Quantile(across, 0.5)
	if median == 0 {
		median = 1
	}
	kernel := func(d float64) float64 { return math.Exp(-d / (median * median)) }
	within := func(x [][]float64) float64 {
		sum, size := 0.0, len(x[0])
		for i := range size {
			for j := range i {
				sum += 2 * kernel(squared(x, x, i, j))
			}
		}
		return sum / (float64(size) * float64(size-1))
	}
	between := 0.0
	for _, d := range across {
		between += kernel(d * d)
	}
	return within(m.ref) + within(m.cur) - 2*between/(float64(n)*float64(k))
}
