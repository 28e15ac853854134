package leak

import (
	"cmp"
	"math"
	"slices"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// The bounds of what is kept to compare a feature with the target.
const (
	sampleRows = 20_000
	bins       = 32
	// fewClasses is how many values a target may have to be one of classes.
	fewClasses = 20
	leastRows  = 50
)

// feature is a sample of a column with the target.
type feature struct {
	name    string
	at      int
	values  []table.Cell
	targets []table.Cell
	seen    uint64
	dice    uint64
}

func newFeature(name string, at int) *feature { return &feature{name: name, at: at} }

// add keeps a row with a target, of many a sample (Algorithm R, the same dice each time).
func (x *feature) add(value, target table.Cell) {
	if cells.Missing(target) {
		return
	}
	x.seen++
	if len(x.values) < sampleRows {
		x.values, x.targets = append(x.values, value), append(x.targets, target)
		return
	}
	x.dice = x.dice*6364136223846793005 + 1442695040888963407
	if at := (x.dice >> 33) % x.seen; at < sampleRows {
		x.values[at], x.targets[at] = value, target
	}
}

// scores compares each feature with the target.
func (f *finder) scores() {
	if len(f.features) == 0 {
		return
	}
	if n := len(f.features[0].targets); n < leastRows {
		f.report.Notes = append(f.report.Notes, "the training table has too few rows with a target to compare features with it")
		return
	}
	for _, x := range f.features {
		score := x.score()
		limit := f.options.Suspicious
		switch score.Measure {
		case "R²":
			limit *= limit
		case "accuracy":
			limit = score.Chance + (1-score.Chance)*limit
		}
		score.Suspicious = score.Score >= limit
		f.report.Features = append(f.report.Features, score)
	}
	slices.SortStableFunc(f.report.Features, func(a, b Feature) int {
		return cmp.Or(cmp.Compare(relative(b), relative(a)), cmp.Compare(a.Column, b.Column))
	})
}

// relative is a score on the way from chance to perfect.
func relative(f Feature) float64 { return (f.Score - f.Chance) / (1 - f.Chance) }

// score bins the feature by quantiles, or by its values, on one half of the sample, predicts the target by the bin on the other half,
// and the other way round.
func (x *feature) score() Feature {
	classes := map[cells.Key]int{}
	hasher := cells.NewHasher()
	numbers := true
	for _, t := range x.targets {
		k := hasher.Key(t)
		if _, known := classes[k]; !known && len(classes) <= fewClasses {
			classes[k] = len(classes)
		}
		_, number := cells.Num(t)
		numbers = numbers && number
	}
	bin := x.binned(hasher)
	switch {
	case len(classes) == 2:
		y := make([]float64, len(x.targets))
		for i, t := range x.targets {
			y[i] = float64(classes[hasher.Key(t)])
		}
		return Feature{Column: x.name, Measure: "AUC", Chance: 0.5, Score: auc(predicted(bin, y), y)}
	case numbers && len(classes) > fewClasses:
		y := make([]float64, len(x.targets))
		for i, t := range x.targets {
			y[i], _ = cells.Num(t)
		}
		return Feature{Column: x.name, Measure: "R²", Score: determined(predicted(bin, y), y)}
	}
	y := make([]int, len(x.targets))
	for i, t := range x.targets {
		y[i] = -1
		if c, ok := classes[hasher.Key(t)]; ok {
			y[i] = c
		}
	}
	return x.accuracy(bin, y)
}

// binned gives each row of the sample its bin: numbers by quantiles, other values each its own.
func (x *feature) binned(hasher cells.Hasher) []int {
	var numbers []float64
	for _, c := range x.values {
		if v, ok := cells.Num(c); ok && !cells.Missing(c) {
			numbers = append(numbers, v)
		} else if m, ok := cells.Micros(c); ok {
			numbers = append(numbers, float64(m))
		}
	}
	out := make([]int, len(x.values))
	if len(numbers) < len(x.values)/2 {
		ids := map[cells.Key]int{}
		for i, c := range x.values {
			k := hasher.Key(c)
			if _, known := ids[k]; !known {
				ids[k] = len(ids)
			}
			out[i] = ids[k]
		}
		return out
	}
	slices.Sort(numbers)
	edges := []float64{}
	for b := 1; b < bins; b++ {
		if e := numbers[b*len(numbers)/bins]; len(edges) == 0 || e > edges[len(edges)-1] {
			edges = append(edges, e)
		}
	}
	for i, c := range x.values {
		v, ok := cells.Num(c)
		if m, time := cells.Micros(c); time {
			v, ok = float64(m), true
		}
		if !ok || math.IsNaN(v) {
			out[i] = len(edges) + 1
			continue
		}
		at, exact := slices.BinarySearch(edges, v)
		if exact {
			at++
		}
		out[i] = at
	}
	return out
}

// halfOf puts a row of the sample into one of two halves, whatever pattern the rows have (splitmix64).
func halfOf(i int) int {
	z := (uint64(i) + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	return int(z>>40) & 1
}

// predicted is the mean of the target in each row's bin, learned on the other half of the rows. A bin that the other half has not
// gives the mean of all.
func predicted(bin []int, y []float64) []float64 {
	out := make([]float64, len(y))
	for half := range 2 {
		sums, counts, all, n := map[int]float64{}, map[int]float64{}, 0.0, 0.0
		for i := range y {
			if halfOf(i) != half {
				sums[bin[i]] += y[i]
				counts[bin[i]]++
				all += y[i]
				n++
			}
		}
		for i := range y {
			if halfOf(i) != half {
				continue
			}
			if out[i] = all / n; counts[bin[i]] > 0 {
				out[i] = sums[bin[i]] / counts[bin[i]]
			}
		}
	}
	return out
}

// auc is the area under the ROC curve: the share of pairs in order, ties half.
func auc(score, y []float64) float64 {
	order := make([]int, len(y))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
	var ranks, positives float64
	for i := 0; i < len(order); {
		k := i
		for k < len(order) && score[order[k]] == score[order[i]] {
			k++
		}
		rank := float64(i+k+1) / 2
		for ; i < k; i++ {
			if y[order[i]] == 1 {
				ranks += rank
				positives++
			}
		}
	}
	negatives := float64(len(y)) - positives
	return (ranks - positives*(positives+1)/2) / (positives * negatives)
}

// determined is R² of predictions, 0 where they are worse than the mean.
func determined(score, y []float64) float64 {
	mean := 0.0
	for _, v := range y {
		mean += v
	}
	mean /= float64(len(y))
	var off, spread float64
	for i, v := range y {
		off += (v - score[i]) * (v - score[i])
		spread += (v - mean) * (v - mean)
	}
	if spread == 0 {
		return 0
	}
	return max(0, 1-off/spread)
}

// accuracy is the share of rows whose class is the most frequent of their bin on the other half.
func (x *feature) accuracy(bin, y []int) Feature {
	right := 0
	counts := map[int]int{}
	for _, c := range y {
		counts[c]++
	}
	most := 0
	for _, n := range counts {
		most = max(most, n)
	}
	for half := range 2 {
		seen := map[[2]int]int{}
		best := map[int]int{}
		for i := range y {
			if halfOf(i) == half {
				continue
			}
			seen[[2]int{bin[i], y[i]}]++
			if b, known := best[bin[i]]; !known || seen[[2]int{bin[i], y[i]}] > seen[[2]int{bin[i], b}] {
				best[bin[i]] = y[i]
			}
		}
		for i := range y {
			if b, known := best[bin[i]]; halfOf(i) == half && known && b == y[i] && y[i] >= 0 {
				right++
			}
		}
	}
	return Feature{Column: x.name, Measure: "accuracy", Chance: float64(most) / float64(len(y)), Score: float64(right) / float64(len(y))}
}
