package stats

import "math"

// Normal returns a number of the standard normal distribution (Box and Muller, 1958).
func (d *Dice) Normal() float64 {
	return math.Sqrt(-2*math.Log(1-d.Float())) * math.Cos(2*math.Pi*d.Float())
}

// Gamma returns a number of the gamma distribution with a shape above 0 and scale 1 (Marsaglia and Tsang, 2000).
func (d *Dice) Gamma(shape float64) float64 {
	if shape < 1 {
		return d.Gamma(shape+1) * math.Pow(1-d.Float(), 1/shape)
	}
	a := shape - 1.0/3
	c := 1 / math.Sqrt(9*a)
	for {
		x := d.Normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-d.Float()) < x*x/2+a-a*v+a*math.Log(v) {
			return a * v
		}
	}
}

// Beta returns a number of the beta distribution.
func (d *Dice) Beta(a, b float64) float64 {
	x := d.Gamma(a)
	return x / (x + d.Gamma(b))
}

// Reward is what is known of the reward of an arm of a bandit.
type Reward struct {
	Moments
	// Bernoulli says that rewards are 0 or 1: the mean has a Beta distribution with a uniform prior. Else it has Student's distribution
	// about the mean of the sample, which is that of normal rewards with a flat prior.
	Bernoulli bool
}

// Draw returns a mean from the posterior distribution. An arm with too few rewards for one (none, or fewer than two that are not
// Bernoulli) may be anything: it draws infinity, which has it tried.
func (r Reward) Draw(d *Dice) float64 {
	if r.Bernoulli {
		k := 0.0
		if r.N > 0 {
			k = r.N * r.Mean
		}
		return d.Beta(1+k, 1+r.N-k)
	}
	if r.N < 2 {
		return math.Inf(1)
	}
	df := r.N - 1
	t := d.Normal() / math.Sqrt(2*d.Gamma(df/2)/df)
	return r.Mean + t*math.Sqrt(r.Variance/r.N)
}

// Thompson returns for each arm the chance that its mean reward is the highest, and by how much another's is expected to be higher, from so
// many draws of all posteriors. Traffic in the first shares is Thompson sampling (1933). Infinite draws share what is theirs.
func Thompson(arms []Reward, draws int, d *Dice) (best, loss []float64) {
	best, loss = make([]float64, len(arms)), make([]float64, len(arms))
	drawn := make([]float64, len(arms))
	for range draws {
		highest, ties := math.Inf(-1), 0.0
		for i, a := range arms {
			drawn[i] = a.Draw(d)
			switch {
			case drawn[i] > highest:
				highest, ties = drawn[i], 1
			case drawn[i] == highest:
				ties++
			}
		}
		for i, v := range drawn {
			if v == highest {
				best[i] += 1 / ties
			} else {
				loss[i] += (highest - v) / float64(draws)
			}
		}
	}
	for i := range best {
		best[i] /= float64(draws)
	}
	return best, loss
}
