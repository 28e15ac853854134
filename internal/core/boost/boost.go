// Package boost fits gradient boosted trees to numbers: a small model for the questions that Levada asks of data itself, such as which of two
// tables a row is from. It is no training library. Trees grow by the leaf that gains most, over histograms of the features (as in LightGBM: Ke
// et al., 2017, whose default sizes it has). Start reading at Fit.
package boost

import (
	"math"
	"slices"
)

const (
	trees   = 100
	leaves  = 31
	rate    = 0.1
	mostBin = 255
	// leastRows is how many rows a leaf holds at least, leastHessian the least sum of second derivatives.
	leastRows    = 20
	leastHessian = 1e-3
)

// Loss is what a model is fitted to.
type Loss int

// The losses. Labels of Logistic are 0 and 1, and its predictions logarithms of odds.
const (
	Squared Loss = iota
	Logistic
)

// Model predicts a number from features.
type Model struct {
	start float64
	edges [][]float64
	trees [][]node
}

// node is a leaf where feature is -1.
type node struct {
	feature, left, right int
	bin                  uint8
	value                float64
}

// Fit learns labels from features. Features[f][i] is feature f of row i; NaN is below all numbers.
func Fit(features [][]float64, labels []float64, loss Loss) *Model {
	n := len(labels)
	m := &Model{}
	binned := make([][]uint8, len(features))
	for f, values := range features {
		m.edges = append(m.edges, edgesOf(values))
		binned[f] = m.bins(f, values)
	}
	for _, y := range labels {
		m.start += y / float64(n)
	}
	if loss == Logistic {
		p := min(1-1e-9, max(1e-9, m.start))
		m.start = math.Log(p / (1 - p))
	}
	scores := slices.Repeat([]float64{m.start}, n)
	g := &grower{binned: binned, slope: make([]float64, n), curve: make([]float64, n), rows: make([]int32, n)}
	for range trees {
		for i, s := range scores {
			g.slope[i], g.curve[i] = s-labels[i], 1
			if loss == Logistic {
				p := 1 / (1 + math.Exp(-s))
				g.slope[i], g.curve[i] = p-labels[i], max(p*(1-p), 1e-16)
			}
		}
		tree := g.grow()
		for i := range scores {
			scores[i] += at(tree, binned, i)
		}
		m.trees = append(m.trees, tree)
		if len(tree) == 1 {
			break
		}
	}
	return m
}

// Predict returns a prediction for each row.
func (m *Model) Predict(features [][]float64) []float64 {
	binned := make([][]uint8, len(features))
	for f := range features {
		binned[f] = m.bins(f, features[f])
	}
	out := slices.Repeat([]float64{m.start}, len(features[0]))
	for i := range out {
		for _, t := range m.trees {
			out[i] += at(t, binned, i)
		}
	}
	return out
}

func at(tree []node, binned [][]uint8, row int) float64 {
	k := 0
	for tree[k].feature >= 0 {
		if binned[tree[k].feature][row] <= tree[k].bin {
			k = tree[k].left
		} else {
			k = tree[k].right
		}
	}
	return tree[k].value
}

// edgesOf are the upper edges of bins of about one size.
func edgesOf(values []float64) []float64 {
	sorted := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) {
			sorted = append(sorted, v)
		}
	}
	slices.Sort(sorted)
	distinct := slices.Compact(slices.Clone(sorted))
	if len(distinct) <= mostBin-1 {
		return distinct
	}
	var out []float64
	for i := 1; i < mostBin; i++ {
		if q := sorted[i*len(sorted)/mostBin]; len(out) == 0 || q > out[len(out)-1] {
			out = append(out, q)
		}
	}
	return out
}

// bins are the numbers of bins of values: 0 for NaN, and one more than the number of edges below otherwise.
func (m *Model) bins(f int, values []float64) []uint8 {
	out := make([]uint8, len(values))
	for i, v := range values {
		if !math.IsNaN(v) {
			k, _ := slices.BinarySearch(m.edges[f], v)
			out[i] = uint8(min(k+1, mostBin))
		}
	}
	return out
}

// grower grows trees over the same rows.
type grower struct {
	binned       [][]uint8
	slope, curve []float64
	rows         []int32
}

// leaf is a stretch of rows, and the best way to part it.
type leaf struct {
	node, from, to int
	gain           float64
	feature        int
	bin            uint8
	slope, curve   float64
}

func (g *grower) grow() []node {
	for i := range g.rows {
		g.rows[i] = int32(i)
	}
	tree := []node{{feature: -1}}
	open := []leaf{g.best(0, 0, len(g.rows))}
	for len(open) < leaves {
		at := 0
		for i := range open {
			if open[i].gain > open[at].gain {
				at = i
			}
		}
		l := open[at]
		if l.gain <= 0 {
			break
		}
		middle := g.part(l)
		tree[l.node] = node{feature: l.feature, bin: l.bin, left: len(tree), right: len(tree) + 1}
		open[at] = g.best(len(tree), l.from, middle)
		open = append(open, g.best(len(tree)+1, middle, l.to))
		tree = append(tree, node{feature: -1}, node{feature: -1})
	}
	for _, l := range open {
		tree[l.node].value = -rate * l.slope / l.curve
	}
	return tree
}

// best finds the split of rows that gains most.
func (g *grower) best(node, from, to int) leaf {
	l := leaf{node: node, from: from, to: to}
	for _, r := range g.rows[from:to] {
		l.slope += g.slope[r]
		l.curve += g.curve[r]
	}
	if to-from < 2*leastRows {
		return l
	}
	type sums struct {
		slope, curve float64
		rows         int
	}
	for f, bins := range g.binned {
		var histogram [mostBin + 1]sums
		for _, r := range g.rows[from:to] {
			h := &histogram[bins[r]]
			h.slope += g.slope[r]
			h.curve += g.curve[r]
			h.rows++
		}
		var left sums
		for b := range mostBin {
			h := histogram[b]
			if h.rows == 0 {
				continue
			}
			left.slope, left.curve, left.rows = left.slope+h.slope, left.curve+h.curve, left.rows+h.rows
			right := l.curve - left.curve
			if left.rows < leastRows || left.curve < leastHessian {
				continue
			}
			if to-from-left.rows < leastRows || right < leastHessian {
				break
			}
			rest := l.slope - left.slope
			if gain := left.slope*left.slope/left.curve + rest*rest/right - l.slope*l.slope/l.curve; gain > l.gain+1e-12 {
				l.gain, l.feature, l.bin = gain, f, uint8(b)
			}
		}
	}
	return l
}

// part brings the rows of a leaf's left side before those of its right one.
func (g *grower) part(l leaf) int {
	bins, middle := g.binned[l.feature], l.from
	for i := l.from; i < l.to; i++ {
		if r := g.rows[i]; bins[r] <= l.bin {
			g.rows[i], g.rows[middle] = g.rows[middle], r
			middle++
		}
	}
	return middle
}
