package drift

import (
	"cmp"
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"levada/internal/core/boost"
	"levada/internal/core/fault"
	"levada/internal/core/stats"
	"levada/internal/core/table"
)

const (
	// mostRows bounds the rows of each table that are looked at together, mostColumns the columns. They are taken evenly over the table.
	mostRows    = 20_000
	mostColumns = 200
	// mostPairs bounds the rows of methods whose time grows with the square.
	mostPairs = 1000
	// explainedShare of the variance is kept by the principal components.
	explainedShare = 0.65
	chunks         = 10
	// classifierLow and classifierHigh are NannyML's bounds of the area under the curve.
	classifierLow, classifierHigh = 0.45, 0.65
	folds                         = 5
)

// matrix holds some rows of both tables: [column][row]. NaN is a missing value.
type matrix struct {
	ref, cur [][]float64
	// labels says that a column was of categories.
	labels bool
}

// together compares what the options want compared together.
func (c *comparison) together(ctx context.Context, r *Report) error {
	for _, e := range c.o.Embeddings {
		j, err := c.embedding(ctx, e)
		if err != nil {
			return err
		}
		r.Together = append(r.Together, j)
	}
	if !c.o.Multivariate {
		return nil
	}
	var features []shared
	for i, s := range c.shared {
		if k := r.Columns[i]; k.Role == "feature" && k.Method != "" && k.Kind != Text && len(features) < mostColumns {
			features = append(features, s)
		}
	}
	if len(features) < 2 {
		return nil
	}
	m, err := c.matrix(ctx, features, mostRows)
	if err != nil {
		return err
	}
	r.Together = append(r.Together, reconstruction(m), domain(m, c.o.Seed))
	return nil
}

// matrix reads rows of columns. Categories become the share that they have in the reference, as NannyML encodes them.
func (c *comparison) matrix(ctx context.Context, columns []shared, most int64) (matrix, error) {
	var m matrix
	picks := [2][]*picked{}
	for side, source := range []table.Source{c.reference, c.current} {
		keep := c.keep
		if side == 1 {
			keep = nil
		}
		at := make([]int, len(columns))
		for i, s := range columns {
			at[i] = []int{s.ref, s.cur}[side]
			picks[side] = append(picks[side], &picked{step: max(1, (c.rows[side]+most-1)/most), keep: keep, index: map[string]int32{}})
			if side == 1 {
				picks[1][i].index = picks[0][i].index // the same numbers for the same labels
			}
		}
		if err := scan(ctx, source, at, func(b *table.Batch) {
			for i, p := range picks[side] {
				p.add(&b.Columns[i], b.Row)
			}
		}); err != nil {
			return m, err
		}
	}
	for i := range columns {
		a, b := picks[0][i], picks[1][i]
		if len(a.index) > 0 {
			m.labels = true
			share := map[int32]float64{}
			for _, k := range a.class {
				share[k] += 1 / float64(len(a.class))
			}
			for _, p := range []*picked{a, b} {
				for row, class := range p.class {
					if p.number[row] = share[class]; class < 0 {
						p.number[row] = math.NaN()
					}
				}
			}
		}
		m.ref, m.cur = append(m.ref, a.number), append(m.cur, b.number)
	}
	return m, nil
}

// standardized fills gaps with the mean of the reference and brings columns to mean 0 and standard deviation 1 there.
func (m matrix) standardized() (ref, cur [][]float64) {
	for i := range m.ref {
		known := sortedNumbers(m.ref[i])
		mean, sd := 0.0, 1.0
		if len(known) > 0 {
			if mean, sd = stats.MeanSD(known, 0); !(sd > 0) {
				sd = 1
			}
		}
		scaled := func(values []float64) []float64 {
			out := make([]float64, len(values))
			for k, v := range values {
				if !math.IsNaN(v) && !math.IsInf(v, 0) {
					out[k] = (v - mean) / sd
				}
			}
			return out
		}
		ref, cur = append(ref, scaled(m.ref[i])), append(cur, scaled(m.cur[i]))
	}
	return ref, cur
}

// components are the principal axes of centred columns that explain a share of their variance.
func components(columns [][]float64, share float64) *mat.Dense {
	k, n := len(columns), len(columns[0])
	covariance := mat.NewSymDense(k, nil)
	for i := range k {
		for j := i; j < k; j++ {
			sum := 0.0
			for r := range n {
				sum += columns[i][r] * columns[j][r]
			}
			covariance.SetSym(i, j, sum)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return nil
	}
	values := eigen.Values(nil) // the lowest first
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	total, kept, sum := 0.0, 0, 0.0
	for _, v := range values {
		total += v
	}
	for kept < k && !(sum > share*total) {
		kept++
		sum += values[k-kept]
	}
	return mat.DenseCopyOf(vectors.Slice(0, k, k-kept, k))
}

// reconstructionErrors are the distances of rows to what is left of them when only the components are kept.
func reconstructionErrors(columns [][]float64, axes *mat.Dense) []float64 {
	k, kept := axes.Dims()
	out := make([]float64, len(columns[0]))
	for r := range out {
		whole := 0.0
		for i := range k {
			whole += columns[i][r] * columns[i][r]
		}
		for a := range kept {
			along := 0.0
			for i := range k {
				along += axes.At(i, a) * columns[i][r]
			}
			whole -= along * along
		}
		out[r] = math.Sqrt(max(0, whole))
	}
	return out
}

// reconstruction compares how well the reference's principal components describe both tables: a change of how columns go together, which no
// column alone shows. The bounds are the mean of ten chunks of the reference and three of their standard deviations (NannyML).
func reconstruction(m matrix) Joint {
	j := Joint{Name: "all features", Columns: len(m.ref), Method: "pca_reconstruction", Label: "PCA reconstruction error"}
	ref, cur := m.standardized()
	if len(ref[0]) < 2*chunks || len(cur[0]) == 0 {
		j.Note = "too few rows"
		return j
	}
	axes := components(ref, explainedShare)
	if axes == nil {
		j.Note = "the principal components could not be found"
		return j
	}
	errors := reconstructionErrors(ref, axes)
	var means []float64
	for i := range chunks {
		part := errors[i*len(errors)/chunks : (i+1)*len(errors)/chunks]
		mean, _ := stats.MeanSD(part, 0)
		means = append(means, mean)
	}
	mean, sd := stats.MeanSD(means, 0)
	score, _ := stats.MeanSD(reconstructionErrors(cur, axes), 0)
	low := mean - 3*sd
	j.Score, j.Low, j.Threshold = finite(score), finite(low), mean+3*sd
	j.Drifted = score < low || score > j.Threshold
	return j
}

// domain asks how well a model tells the tables apart: the area under the ROC curve of boosted trees, each row scored by a model that has not
// seen it.
func domain(m matrix, seed uint64) Joint {
	j := Joint{Name: "all features", Columns: len(m.ref), Method: "domain_classifier", Label: "domain classifier AUC", Low: finite(classifierLow), Threshold: classifierHigh}
	n, k := len(m.ref[0]), len(m.cur[0])
	if min(n, k) < 2*folds {
		j.Note = "too few rows"
		return j
	}
	score := outOfFold(m, seed)
	auc := stats.AreaUnderROC(score[:n:n], score[n:])
	j.Score = finite(auc)
	j.Drifted = auc < classifierLow || auc > classifierHigh
	return j
}

// outOfFold scores the rows of the reference, then the current ones, by how much they seem to be current.
func outOfFold(m matrix, seed uint64) []float64 {
	n, all := len(m.ref[0]), len(m.ref[0])+len(m.cur[0])
	fold := make([]int, all)
	for i := range fold {
		fold[i] = i % folds
	}
	dice := stats.Dice(seed)
	dice.Shuffle(all, func(i, j int) { fold[i], fold[j] = fold[j], fold[i] })
	value := func(column, row int) float64 {
		if row < n {
			return m.ref[column][row]
		}
		return m.cur[column][row-n]
	}
	out := make([]float64, all)
	for f := range folds {
		train, test := make([][]float64, len(m.ref)), make([][]float64, len(m.ref))
		var labels []float64
		var rows []int
		for row := range all {
			into := train
			if fold[row] == f {
				into = test
				rows = append(rows, row)
			} else {
				label := 0.0
				if row >= n {
					label = 1
				}
				labels = append(labels, label)
			}
			for c := range into {
				into[c] = append(into[c], value(c, row))
			}
		}
		for i, p := range boost.Fit(train, labels, boost.Logistic).Predict(test) {
			out[rows[i]] = p
		}
	}
	return out
}

// embedding compares the columns of a vector.
func (c *comparison) embedding(ctx context.Context, e Embedding) (Joint, error) {
	methods := embeddingMethods()
	at := slices.IndexFunc(methods, func(m embeddingMethod) bool { return m.name == cmp.Or(e.Method, "model") })
	if at < 0 {
		return Joint{}, fault.Invalidf("embedding %q: there is no method %q; there are model, ratio, mmd, distance, cosine, cityblock and chebyshev",
			fault.Shorten(e.Name, 60), fault.Shorten(e.Method, 40))
	}
	method := methods[at].name
	j := Joint{Name: e.Name, Columns: len(e.Columns), Method: method, Label: methods[at].label, Threshold: cmp.Or(e.Threshold, methods[at].limit)}
	parts := make([]shared, 0, len(e.Columns))
	for _, name := range e.Columns {
		at := slices.IndexFunc(c.shared, func(s shared) bool { return s.name == name })
		if at < 0 {
			return j, fault.Invalidf("embedding %q: both tables must have column %q", fault.Shorten(e.Name, 60), fault.Shorten(name, 100))
		}
		parts = append(parts, c.shared[at])
	}
	if len(parts) == 0 {
		return j, fault.Invalidf("embedding %q has no columns", fault.Shorten(e.Name, 60))
	}
	most := int64(mostRows)
	if method == "mmd" {
		most = mostPairs
	}
	m, err := c.matrix(ctx, parts, most)
	if err != nil {
		return j, err
	}
	m.ref, m.cur = complete(m.ref), complete(m.cur)
	if m.labels || len(m.ref[0]) < 2*folds || len(m.cur[0]) < 2*folds {
		return j, fault.Invalidf("embedding %q needs columns of numbers with at least %d rows without gaps in both tables", fault.Shorten(e.Name, 60), 2*folds)
	}
	score := m.score(method, c.o.Seed)
	j.Score, j.Drifted = finite(score), score > j.Threshold
	return j, nil
}

// complete leaves out rows with gaps.
func complete(columns [][]float64) [][]float64 {
	out := make([][]float64, len(columns))
	for r := range columns[0] {
		whole := true
		for _, c := range columns {
			whole = whole && !math.IsNaN(c[r]) && !math.IsInf(c[r], 0)
		}
		if whole {
			for i, c := range columns {
				out[i] = append(out[i], c[r])
			}
		}
	}
	return out
}
