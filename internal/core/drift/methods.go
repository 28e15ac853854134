package drift

import (
	"math"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
)

// Method is a way to compare a column.
type Method struct {
	// Name is the method's in Evidently (and ours where it has none), Label what people read.
	Name, Label string
	// Kinds are the kinds of columns that it compares.
	Kinds []Kind
	// Threshold is the limit of the score by default.
	Threshold float64
	// PValue says that the score is a p-value and a low one means drift. Otherwise it is a distance, and a high one does.
	PValue bool
	// inclusive says that a score that equals the threshold means drift.
	inclusive bool
	score     func(in *input) float64
}

// Drifted says whether a score means drift. One that is not defined does not.
func (m Method) Drifted(score, threshold float64) bool {
	if m.inclusive && score == threshold {
		return true
	}
	if m.PValue {
		return score < threshold
	}
	return score > threshold
}

// input is two columns, in the forms that methods want.
type input struct {
	kind Kind
	// a and b are the numbers of the reference and of the current table, sorted.
	a, b     []float64
	integers bool
	counts   stats.Counts
	texts    [2][]string
	// first is how many different numbers there are in the reference.
	first int
	// sd is the standard deviation of the reference.
	sd   float64
	seed uint64
}

func (in *input) dice() *stats.Dice {
	d := stats.Dice(in.seed)
	return &d
}

// mostBinned is the number of different values up to which numbers are counted one by one.
const mostBinned = 20

// binned counts numbers in Sturges' bins where the reference has more than 20 different ones, else each value.
func (in *input) binned() stats.Counts {
	if in.kind != Numerical || in.first <= mostBinned {
		return in.categories()
	}
	edges := stats.Sturges(min(in.a[0], in.b[0]), max(in.a[len(in.a)-1], in.b[len(in.b)-1]), len(in.a)+len(in.b), in.integers)
	return stats.Counts{A: stats.Binned(in.a, edges), B: stats.Binned(in.b, edges)}
}

func (in *input) categories() stats.Counts {
	if in.counts.A == nil {
		in.counts = stats.CountValues(in.a, in.b)
	}
	return in.counts
}

// hellinger has bins of its own: as many as Sturges' rule gives for the number of different values.
func (in *input) hellinger() float64 {
	if in.kind != Numerical {
		return stats.Hellinger(in.categories())
	}
	edges := stats.Sturges(min(in.a[0], in.b[0]), max(in.a[len(in.a)-1], in.b[len(in.b)-1]), stats.DistinctInBoth(in.a, in.b), in.integers)
	return stats.Hellinger(stats.Counts{A: stats.Binned(in.a, edges), B: stats.Binned(in.b, edges)})
}

const (
	permutations = 100
	// permutationsTVD is how many Evidently takes for the total variation distance.
	permutationsTVD = 1000
	// mostMMD is how many values of a sample MMD takes; its time grows with the square.
	mostMMD = 1000
	// leastSD keeps the normed Wasserstein distance of a constant finite.
	leastSD = 0.001
)

func second(f func(a, b []float64) (float64, float64)) func(*input) float64 {
	return func(in *input) float64 { _, p := f(in.a, in.b); return p }
}

func ofCounts(f func(c stats.Counts) (float64, float64)) func(*input) float64 {
	return func(in *input) float64 { _, p := f(in.categories()); return p }
}

// wasserstein is the distance in standard deviations of the reference.
func wasserstein(in *input) float64 {
	return stats.Wasserstein(in.a, in.b) / max(in.sd, leastSD)
}

// Methods returns all methods, in the order in which they are listed.
func Methods() []Method {
	numbers, categories, both, texts := []Kind{Numerical}, []Kind{Categorical}, []Kind{Categorical, Numerical}, []Kind{Text}
	return []Method{
		{"ks", "Kolmogorov-Smirnov p", numbers, 0.05, true, true, second(stats.KolmogorovSmirnov)},
		{"wasserstein", "Wasserstein distance (normed)", numbers, 0.1, false, true, wasserstein},
		{"chisquare", "chi-squared p", categories, 0.05, true, false, ofCounts(stats.ChiSquared)},
		{"chi2_contingency", "chi-squared p (both samples)", categories, 0.05, true, false, ofCounts(stats.ChiSquaredBoth)},
		{"z", "z-test p", categories, 0.05, true, false, ofCounts(stats.TwoProportions)},
		{"jensenshannon", "Jensen-Shannon distance", both, 0.1, false, true, func(in *input) float64 { return stats.JensenShannon(in.binned()) }},
		{"psi", "PSI", both, 0.1, false, true, func(in *input) float64 { return stats.PSI(in.binned()) }},
		{"kl_div", "Kullback-Leibler divergence", both, 0.1, false, true, func(in *input) float64 { return stats.KullbackLeibler(in.binned()) }},
		{"hellinger", "Hellinger distance", both, 0.1, false, true, (*input).hellinger},
		{"anderson", "Anderson-Darling p", numbers, 0.1, true, false, second(stats.AndersonDarling)},
		{"cramer_von_mises", "Cramér-von Mises p", numbers, 0.1, true, true, second(stats.CramerVonMises)},
		{"ed", "energy distance", numbers, 0.1, false, false, func(in *input) float64 { return stats.Energy(in.a, in.b) }},
		{"es", "Epps-Singleton p", numbers, 0.05, true, false, second(stats.EppsSingleton)},
		{"mannw", "Mann-Whitney p", numbers, 0.05, true, false, second(stats.MannWhitney)},
		{"t_test", "t-test p", numbers, 0.05, true, false, second(stats.Student)},
		{"welch", "Welch's t-test p", numbers, 0.05, true, false, second(stats.Welch)},
		{"empirical_mmd", "MMD p", numbers, 0.1, true, false, func(in *input) float64 {
			dice := in.dice()
			_, p := stats.MMD(drawn(in.a, mostMMD, dice), drawn(in.b, mostMMD, dice), permutations, dice)
			return p
		}},
		{"g_test", "G-test p", categories, 0.1, true, false, ofCounts(stats.GTest)},
		{"fisher_exact", "Fisher's exact p", categories, 0.1, true, false, func(in *input) float64 { return stats.FisherExact(in.categories()) }},
		{"TVD", "total variation p", categories, 0.1, true, false, func(in *input) float64 {
			_, p := stats.TotalVariation(in.categories(), permutationsTVD, in.dice())
			return p
		}},
		{"l_infinity", "L-infinity distance", categories, 0.1, false, true, func(in *input) float64 { return stats.LInfinity(in.categories()) }},
		{"perc_text_content_drift", "domain classifier AUC over chance", texts, 0.95, false, false, nil},
		{"abs_text_content_drift", "domain classifier AUC", texts, 0.55, false, false, nil},
	}
}

// drawn takes up to most values of a sample at random.
func drawn(a []float64, most int, dice *stats.Dice) []float64 {
	if len(a) <= most {
		return a
	}
	out := slices.Clone(a)
	for i := range most {
		j := i + dice.Below(len(out)-i)
		out[i], out[j] = out[j], out[i]
	}
	return out[:most]
}

// MethodNamed returns a method by its name.
func MethodNamed(name string) (Method, error) {
	var names []string
	for _, m := range Methods() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, fault.Invalidf("there is no drift method %q; there are %s", fault.Shorten(name, 60), strings.Join(names, ", "))
}

// smallReference is the size of the reference up to which tests are chosen over distances: a test of many values finds differences that
// are too small to matter.
const smallReference = 1000

// Default is the name of the method that Evidently takes for a kind of column, a number of values in the reference and a number of
// different values in both tables. Missing values are not counted.
func Default(kind Kind, reference, distinct int) string {
	small := reference <= smallReference
	switch {
	case kind == Text && small:
		return "perc_text_content_drift"
	case kind == Text:
		return "abs_text_content_drift"
	case kind == Numerical && distinct > 5 && small:
		return "ks"
	case kind == Numerical && distinct > 5:
		return "wasserstein"
	case !small:
		return "jensenshannon"
	case distinct > 2:
		return "chisquare"
	}
	return "z"
}

// evaluate scores two columns by a method. The score is NaN where the method is not defined for them.
func (m Method) evaluate(in *input, threshold float64) (score float64, drifted bool) {
	if m.score == nil {
		return textDrift(in, m.Name == "perc_text_content_drift", threshold)
	}
	if len(in.a)+len(in.b) > 0 && (len(in.a) == 0 || len(in.b) == 0) {
		return math.NaN(), false
	}
	score = m.score(in)
	return score, m.Drifted(score, threshold)
}

// compares says whether a method can compare columns of a kind.
func (m Method) compares(k Kind) bool { return slices.Contains(m.Kinds, k) }
