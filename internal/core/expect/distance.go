package expect

import (
	"math"

	"levada/internal/core/expect/cells"
)

// buildDistance builds expect_column_distribution_distance_to_be_less_than, an expectation of our own after TFDV's skew and drift
// comparators: L-infinity is the greatest difference between two shares, the Jensen-Shannon divergence is in bits, from 0 to 1.
func buildDistance(b *build) check {
	p := b.partition()
	metric := b.choice("metric", "l_infinity", "jensen_shannon")
	threshold, ok := b.number("threshold")
	if !ok {
		b.bad("threshold", "want a number")
	}
	if b.err == nil && p == nil {
		b.bad("partition_object", "want the distribution to compare with")
	}
	if b.err != nil {
		return nil
	}
	verdict := func(observed, expected []float64, details map[string]any) (outcome, error) {
		d := shift(observed, expected)
		if metric == "jensen_shannon" {
			d = jensenShannon(observed, expected)
		}
		return outcome{success: d <= threshold, observed: cells.JSON(number(d)), shown: true, details: details}, nil
	}
	if p.categorical {
		m := b.valueCounts(b.place())
		return b.figure(m, &m.domain, func() (outcome, error) {
			if m.count() == 0 {
				return outcome{success: true, shown: true}, nil
			}
			values, observed, expected := p.discrete(m, 0)
			return verdict(observed, expected, map[string]any{"values": shown(values), "observed": observed, "expected": expected})
		})
	}
	m := b.numbers(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) {
		if m.count() == 0 {
			return outcome{success: true, shown: true}, nil
		}
		counts, below, above := histogram(m.values, p.bins)
		observed := []float64{below}
		observed = append(append(observed, counts...), above)
		for i := range observed {
			observed[i] /= float64(m.count())
		}
		expected := []float64{0}
		expected = append(append(expected, p.weights...), 0)
		if p.tails != nil {
			expected[0], expected[len(expected)-1] = p.tails[0], p.tails[1]
		}
		return verdict(observed, expected, map[string]any{"bins": p.bins, "observed": observed, "expected": expected})
	})
}

func shift(p, q []float64) float64 {
	most := 0.0
	for i := range p {
		most = max(most, math.Abs(p[i]-q[i]))
	}
	return most
}

func jensenShannon(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		middle := (p[i] + q[i]) / 2
		for _, x := range []float64{p[i], q[i]} {
			if x > 0 {
				sum += x * math.Log2(x/middle) / 2
			}
		}
	}
	return max(0, sum)
}
