package expect

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"levada/internal/core/expect/cells"
	"levada/internal/core/expect/dist"
	"levada/internal/core/stats"
	"levada/internal/core/table"
)

// partition is the expected distribution of a column: weights of values, or of the bins between bounds.
type partition struct {
	values        []table.Cell
	bins, weights []float64
	tails         []float64 // the weights below and above all bins; nil where not given
	categorical   bool
}

// partition reads partition_object; nil where none was given.
func (b *build) partition() *partition {
	if !b.has("partition_object") {
		return nil
	}
	m, ok := b.value("partition_object").(map[string]any)
	if !ok {
		b.bad("partition_object", "want an object")
		return nil
	}
	inner := &args{values: m, now: b.now}
	p := &partition{weights: inner.floats("weights"), categorical: inner.has("values")}
	if p.categorical {
		p.values = inner.cells("values")
	} else {
		p.bins = inner.floats("bins")
	}
	if inner.has("tail_weights") {
		p.tails = inner.floats("tail_weights")
	}
	b.fail2(inner.err)
	if b.err != nil || !p.valid() {
		b.fail(valueError("Invalid partition object: weights that sum to 1 are needed, with one value for each, or with bins in order, one more than weights"))
		return nil
	}
	return p
}

func (a *args) floats(name string) []float64 {
	var out []float64
	for _, v := range a.list(name) {
		f, ok := float(v)
		if !ok {
			a.bad(name, "want a list of numbers")
			return nil
		}
		out = append(out, f)
	}
	return out
}

func (p *partition) valid() bool {
	sum := 0.0
	for _, w := range slices.Concat(p.weights, p.tails) {
		if w < 0 {
			return false
		}
		sum += w
	}
	if math.Abs(sum-1) > 1e-8+1e-5 || p.tails != nil && len(p.tails) != 2 {
		return false
	}
	if p.categorical {
		return len(p.values) == len(p.weights) && len(p.weights) > 0
	}
	for i := 1; i < len(p.bins); i++ {
		if !(p.bins[i] > p.bins[i-1]) {
			return false
		}
	}
	return len(p.bins) == len(p.weights)+1 && len(p.bins) >= 2
}

// histogram counts numbers in bins; the last bin has both its ends. below and above are those outside.
func histogram(values, bins []float64) (counts []float64, below, above float64) {
	counts = make([]float64, len(bins)-1)
	for _, x := range values {
		switch last := len(bins) - 1; {
		case x < bins[0]:
			below++
		case x > bins[last]:
			above++
		default:
			at, exact := slices.BinarySearch(bins, x)
			if !exact || at == last {
				at--
			}
			counts[max(0, at)]++
		}
	}
	return counts, below, above
}

// divergence is the arguments of expect_column_kl_divergence_to_be_less_than.
type divergence struct {
	expected       *partition
	threshold      float64
	limited        bool
	tail, internal float64
	bucketize      bool
}

func buildKL(b *build) check {
	d := &divergence{expected: b.partition(), bucketize: b.boolean("bucketize_data", true)}
	d.threshold, d.limited = b.number("threshold")
	if d.limited && d.threshold < 0 {
		b.fail(valueError("Threshold must be specified, greater than or equal to zero."))
	}
	d.tail, d.internal = b.share("tail_weight_holdout", 0), b.share("internal_weight_holdout", 0)
	if d.tail != 0 && d.expected != nil && d.expected.tails != nil {
		b.fail(valueError("tail_weight_holdout must be 0 when using tail_weights in partition object"))
	}
	if d.expected == nil && !d.bucketize || d.expected != nil && d.expected.categorical {
		if d.internal > 0 {
			b.fail(valueError("Internal weight holdout cannot be used for discrete data."))
		}
		m := b.valueCounts(b.place())
		return b.figure(m, &m.domain, func() (outcome, error) { return d.categorical(m, b.setOf) })
	}
	if d.expected != nil {
		b.fail2(d.expected.infinite(d.tail))
		if !d.bucketize {
			b.fail(valueError("KL Divergence cannot be computed with a continuous partition object and the bucketize_data parameter set to false."))
		}
	}
	m := b.numbers(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) { return d.continuous(m) })
}

// infinite refuses weights for tails that the bins hold already.
func (p *partition) infinite(tail float64) error {
	low, high := math.IsInf(p.bins[0], -1), math.IsInf(p.bins[len(p.bins)-1], 1)
	if low && high && tail > 0 {
		return valueError("tail_weight_holdout cannot be used for partitions with infinite endpoints.")
	}
	if (low || high) && p.tails != nil {
		return valueError("There can be no tail weights for partitions with one or both endpoints at infinity")
	}
	return nil
}

// discrete puts observed and expected weights of values side by side: the expected values first, then those that were not expected.
// holdout is the weight that those share.
func (p *partition) discrete(m *valueCounts, holdout float64) (values []table.Cell, observed, expected []float64) {
	hasher := cells.NewHasher()
	at := map[cells.Key]int{}
	for i, v := range p.values {
		at[hasher.Key(v)] = i
		values, observed, expected = append(values, v), append(observed, 0), append(expected, p.weights[i])
	}
	surprises := 0
	for _, c := range m.sorted() {
		share := float64(c.count) / float64(m.count())
		if i, ok := at[hasher.Key(c.value)]; ok {
			observed[i] = share
			continue
		}
		surprises++
		values, observed, expected = append(values, c.value), append(observed, share), append(expected, 0)
	}
	if surprises > 0 {
		for i := range expected {
			if expected[i] *= 1 - holdout; i >= len(p.values) {
				expected[i] = holdout / float64(surprises)
			}
		}
	}
	return values, observed, expected
}

func (d *divergence) categorical(m *valueCounts, _ func([]table.Cell) *set) (outcome, error) {
	p := d.expected
	if p == nil {
		p = &partition{}
		for _, c := range m.sorted() {
			p.values, p.weights = append(p.values, c.value), append(p.weights, float64(c.count)/float64(m.count()))
		}
	}
	values, observed, expected := p.discrete(m, d.tail)
	return d.verdict(dist.Entropy(observed, expected), map[string]any{
		"observed_partition": map[string]any{"values": shown(values), "weights": observed},
		"expected_partition": map[string]any{"values": shown(values), "weights": expected},
	})
}

// verdict compares a divergence with the threshold. One that is infinite or undefined has no observed value.
func (d *divergence) verdict(kl float64, details map[string]any) (outcome, error) {
	o := outcome{shown: true, success: !d.limited || kl <= d.threshold, details: details}
	if !math.IsInf(kl, 0) && !math.IsNaN(kl) {
		o.observed = kl
	}
	return o, nil
}

func (d *divergence) continuous(m *numbersOf) (outcome, error) {
	if m.count() == 0 {
		return outcome{}, valueError("the column has no values: division by zero")
	}
	p := d.expected
	if p == nil {
		if p = m.automatic(); !p.valid() {
			return outcome{}, valueError("Invalid partition object: all values are the same, no bins can be made of them")
		}
	}
	n := float64(m.count())
	counts, below, above := histogram(m.values, p.bins)
	observed := make([]float64, len(counts))
	for i := range counts {
		observed[i] = counts[i] / n
	}
	expected := d.heldOut(p.weights)
	bins := p.bins
	observedTails, expectedTails := []float64{below / n, above / n}, []float64{d.tail / 2, d.tail / 2}
	low, high := math.IsInf(bins[0], -1), math.IsInf(bins[len(bins)-1], 1)
	if low != high {
		expectedTails = []float64{d.tail, d.tail}
	}
	if p.tails != nil {
		expectedTails = p.tails
	}
	// An infinite end is a tail with a weight of its own.
	if low {
		observedTails[0], expectedTails[0] = observed[0], expected[0]
		bins, observed, expected = bins[1:], observed[1:], expected[1:]
	}
	if high {
		last := len(observed) - 1
		observedTails[1], expectedTails[1] = observed[last], expected[last]
		bins, observed, expected = bins[:len(bins)-1], observed[:last], expected[:last]
	}
	side := func(tails, middle []float64) []float64 { return slices.Concat(tails[:1], middle, tails[1:]) }
	kl := dist.Entropy(side(observedTails, observed), side(expectedTails, expected))
	return d.verdict(kl, map[string]any{
		"observed_partition": map[string]any{"bins": bins, "weights": observed, "tail_weights": observedTails},
		"expected_partition": map[string]any{"bins": bins, "weights": expected, "tail_weights": expectedTails},
	})
}

// heldOut scales expected weights so that room is left for the holdouts, and gives that of the inside to the bins without weight.
func (d *divergence) heldOut(weights []float64) []float64 {
	out := make([]float64, len(weights))
	zeros := 0
	for i, w := range weights {
		if out[i] = w * (1 - d.tail - d.internal); out[i] == 0 {
			zeros++
		}
	}
	for i := range out {
		if out[i] == 0 && d.internal > 0 {
			out[i] = d.internal / float64(zeros)
		}
	}
	return out
}

// automatic makes bins as numpy's "auto" does: the finer of Sturges' and Freedman and Diaconis' rules.
func (m *numbersOf) automatic() *partition {
	low, high := m.quantile(0, "nearest"), m.quantile(1, "nearest")
	n := float64(m.count())
	count := math.Ceil(math.Log2(n + 1))
	if spread := m.quantile(0.75, "nearest") - m.quantile(0.25, "nearest"); spread >= 1e-10 {
		count = max(count, math.Ceil((high-low)/(2*spread/math.Cbrt(n))))
	}
	const mostBins = 100_000
	k := int(min(max(1, count), mostBins))
	p := &partition{bins: make([]float64, k+1)}
	for i := range p.bins {
		p.bins[i] = low + (high-low)*float64(i)/float64(k)
	}
	p.bins[k] = high
	counts, _, _ := histogram(m.values, p.bins)
	rest := 1.0
	for _, c := range counts {
		p.weights = append(p.weights, c/n)
		rest -= c / n
	}
	if rest = max(0, rest); rest < 1e-12 {
		rest = 0 // what is left of rounding
	}
	p.tails = []float64{rest / 2, rest / 2}
	return p
}

func buildChiSquare(b *build) check {
	p := b.partition()
	limit := b.share("p", 0.05)
	tail := b.share("tail_weight_holdout", 0)
	if b.err == nil && (p == nil || !p.categorical) {
		b.fail(valueError("Invalid partition object: values with weights are needed"))
	}
	m := b.valueCounts(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) {
		values, observed, expected := p.discrete(m, tail)
		n, statistic, sum := float64(m.count()), 0.0, 0.0
		for i := range values {
			o, e := observed[i]*n, expected[i]*n
			if e > 0 || o > 0 {
				statistic += (o - e) * (o - e) / e
			}
			sum += expected[i]
		}
		chance := stats.Chi2SF(statistic, float64(len(values)-1))
		if math.IsInf(statistic, 1) {
			chance = 0
		}
		for i := range expected {
			expected[i] /= sum
		}
		return outcome{success: chance > limit, observed: cells.JSON(number(chance)), shown: true, missingUnsaid: true, details: map[string]any{
			"observed_partition": map[string]any{"values": shown(values), "weights": observed},
			"expected_partition": map[string]any{"values": shown(values), "weights": expected},
		}}, nil
	})
}

func buildParametricKS(b *build) check {
	limit, ok := b.number("p_value")
	if !ok {
		limit = 0.05
	}
	if !(limit > 0 && limit < 1) {
		b.fail(valueError("p_value must be between 0 and 1 exclusive, got %v", b.value("p_value")))
	}
	name := b.text("distribution")
	params := b.shape(name)
	f, err := dist.Named(name, params)
	if b.err == nil && err != nil {
		b.fail(valueError("%v", err))
	}
	m := b.numbers(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) {
		m.sorted = true
		distance, chance := dist.KS(m.values, f)
		if len(m.values) == 0 {
			return outcome{shown: true}, nil
		}
		return outcome{success: chance >= limit, observed: cells.JSON(number(chance)), shown: true, details: map[string]any{
			"expected_params": params, "observed_ks_result": []float64{distance, chance},
		}}, nil
	})
}

// shape reads the parameters of a distribution, a list or an object, in scipy's order: shapes, location, scale.
func (b *build) shape(distribution string) []float64 {
	m, ok := b.value("params").(map[string]any)
	if !ok {
		if !b.has("params") {
			b.fail(valueError("params must be a dict or list"))
		}
		return b.floats("params")
	}
	names := map[string][]string{"norm": {"mean", "std_dev"}, "beta": {"alpha", "beta", "loc", "scale"}, "gamma": {"alpha", "loc", "scale"},
		"uniform": {"min", "max"}, "chi2": {"df", "loc", "scale"}, "expon": {"loc", "scale"}, "poisson": {"lambda", "loc"}}[distribution]
	inner := &args{values: m}
	var out []float64
	for _, name := range names {
		x, ok := inner.number(name)
		switch {
		case ok:
		case name == "scale" || name == "std_dev" || name == "max":
			x = 1
		case name != "loc" && name != "mean" && name != "min":
			b.fail(valueError("missing required parameters: %s needs %q", distribution, name))
		}
		out = append(out, x)
	}
	b.fail2(inner.err)
	return out
}

// bootstrapSeed makes the draws of expect_column_bootstrapped_ks_test_p_value_to_be_greater_than the same each time.
const bootstrapSeed = 42

// thrown is a random number below n (splitmix64: Steele, Lea, Flood 2014).
func thrown(state *uint64, n int) int {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	high, _ := bits.Mul64(z^z>>31, uint64(n))
	return int(high)
}

func buildBootstrappedKS(b *build) check {
	p := b.partition()
	limit := b.share("p", 0.05)
	samples, size := int64(1000), int64(0)
	if n, ok := b.whole("bootstrap_samples"); ok {
		samples = n
	}
	if n, ok := b.whole("bootstrap_sample_size"); ok {
		size = n
	}
	switch {
	case b.err != nil:
	case p == nil || p.categorical:
		b.fail(valueError("Invalid continuous partition object."))
	case math.IsInf(p.bins[0], 0) || math.IsInf(p.bins[len(p.bins)-1], 0):
		b.fail(valueError("Partition endpoints must be finite."))
	case len(p.tails) == 2 && p.tails[0]+p.tails[1] > 0:
		b.fail(valueError("Partition cannot have tail weights -- endpoints must be finite."))
	}
	if b.err != nil {
		return nil
	}
	if size == 0 {
		size = int64(2 * len(p.weights))
	}
	if samples < 1 || size < 1 || samples*size > 100_000_000 {
		b.fail(valueError("bootstrap_samples and bootstrap_sample_size must be positive, and their product 100 million at most"))
	}
	m := b.numbers(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) {
		if len(m.values) == 0 {
			return outcome{shown: true}, nil
		}
		m.sort()
		dice := uint64(bootstrapSeed)
		drawn, enough := make([]float64, size), 0
		for range samples {
			for i := range drawn {
				drawn[i] = m.values[thrown(&dice, len(m.values))]
			}
			if _, chance := dist.KS(drawn, p.cdf); chance >= limit {
				enough++
			}
		}
		result, observed := float64(1+enough)/float64(samples+1), p.observed(m.values)
		return outcome{success: result > limit, observed: result, shown: true, details: map[string]any{
			"bootstrap_samples": samples, "bootstrap_sample_size": size,
			"expected_partition": map[string]any{"bins": p.bins, "weights": p.weights},
			"observed_partition": observed, "observed_cdf": cumulated(observed["bins"], observed["weights"]), "expected_cdf": cumulated(p.bins, p.weights),
		}}, nil
	})
}

// observed is the distribution of sorted numbers in the bins of a partition, and in a bin more at an end that they go beyond.
func (p *partition) observed(sorted []float64) map[string][]float64 {
	counts, below, above := histogram(sorted, p.bins)
	bins := slices.Clone(p.bins)
	if below > 0 {
		bins, counts = slices.Insert(bins, 0, sorted[0]), slices.Insert(counts, 0, below)
	}
	if above > 0 {
		bins, counts = append(bins, sorted[len(sorted)-1]), append(counts, above)
	}
	for i := range counts {
		counts[i] /= float64(len(sorted))
	}
	return map[string][]float64{"bins": bins, "weights": counts}
}

// cumulated is a distribution function at the bounds of bins.
func cumulated(bins, weights []float64) map[string]any {
	values := make([]float64, 1, len(weights)+1)
	for _, w := range weights {
		values = append(values, values[len(values)-1]+w)
	}
	return map[string]any{"x": bins, "cdf_values": values}
}

// cdf is the distribution of a partition, straight between the bounds of bins.
func (p *partition) cdf(x float64) float64 {
	sum := 0.0
	for i, w := range p.weights {
		if x < p.bins[i+1] {
			return sum + w*max(0, (x-p.bins[i])/(p.bins[i+1]-p.bins[i]))
		}
		sum += w
	}
	return 1
}

// binned replaces numbers by their bins, given or of one width, and rare texts by one group, where there are more different values than
// bins.
func binned(texts []string, values []float64, bins int, edges []float64) {
	if len(edges) > 0 {
		for i, x := range values {
			if texts[i] != "(missing)" {
				at, exact := slices.BinarySearch(edges, x)
				if exact {
					at++
				}
				texts[i] = strconv.Itoa(at)
			}
		}
		return
	}
	counts := map[string]int{}
	numbers := true
	low, high := math.Inf(1), math.Inf(-1)
	for i, t := range texts {
		counts[t]++
		if t != "(missing)" {
			numbers = numbers && !math.IsNaN(values[i])
			low, high = min(low, values[i]), max(high, values[i])
		}
	}
	if len(counts) <= bins {
		return
	}
	if numbers {
		for i, x := range values {
			if texts[i] != "(missing)" {
				texts[i] = strconv.Itoa(min(bins-1, int((x-low)/(high-low)*float64(bins))))
			}
		}
		return
	}
	names := make([]string, 0, len(counts))
	for t := range counts {
		names = append(names, t)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	kept := map[string]bool{}
	for _, n := range names[:bins] {
		kept[n] = true
	}
	for i, t := range texts {
		if !kept[t] {
			texts[i] = "(other)"
		}
	}
}

// cramersPhi is Cramér's V of two columns: the square root of chi squared over the rows and the smaller side less one. Chi squared of a
// table of two by two has Yates' correction, as in scipy.stats.chi2_contingency.
func cramersPhi(a, b []string) (float64, map[string]any) {
	rows, columns := map[string]float64{}, map[string]float64{}
	crossed := map[[2]string]float64{}
	for i := range a {
		rows[a[i]]++
		columns[b[i]]++
		crossed[[2]string{a[i], b[i]}]++
	}
	n, statistic := float64(len(a)), 0.0
	correction := 0.0
	if len(rows) == 2 && len(columns) == 2 {
		correction = 0.5
	}
	shown := map[string]any{}
	for r, x := range rows {
		line := map[string]any{}
		for c, y := range columns {
			seen, expected := crossed[[2]string{r, c}], x*y/n
			off := math.Abs(seen - expected)
			off -= min(correction, off)
			statistic += off * off / expected
			line[c] = seen
		}
		shown[r] = line
	}
	side := float64(min(len(rows), len(columns)) - 1)
	if side <= 0 {
		return 0, shown
	}
	return math.Sqrt(min(1, max(0, statistic/n/side))), shown
}
