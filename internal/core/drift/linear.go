package drift

import (
	"math"

	"levada/internal/core/stats"
)

// linear is a linear classifier that is fitted by stochastic gradient descent, in the way of scikit-learn's SGDClassifier: the same losses,
// step sizes ("optimal", Bottou) and end (five passes without progress). Labels are -1 and 1.
type linear struct {
	weights   []float64
	intercept float64
	loss      loss
	penalty   penalty
}

type penalty int

const (
	l1 penalty = iota
	l2
)

// loss is the cost of a decision for a label, and its derivative by the decision.
type loss func(decision, label float64) (cost, slope float64)

// modifiedHuber is quadratic near the margin and linear beyond it.
func modifiedHuber(decision, label float64) (cost, slope float64) {
	switch z := decision * label; {
	case z >= 1:
		return 0, 0
	case z >= -1:
		return (1 - z) * (1 - z), -2 * (1 - z) * label
	default:
		return -4 * z, -4 * label
	}
}

// logistic is the loss of logistic regression.
func logistic(decision, label float64) (cost, slope float64) {
	z := decision * label
	if z > 18 {
		return math.Exp(-z), -math.Exp(-z) * label
	}
	if z < -18 {
		return -z, -label
	}
	return math.Log1p(math.Exp(-z)), -label / (math.Exp(z) + 1)
}

func (m *linear) decide(v []entry) float64 {
	sum := m.intercept
	for _, e := range v {
		sum += m.weights[e.at] * e.value
	}
	return sum
}

// fit learns from rows. With an L1 penalty, each weight is brought towards 0 by what all weights should have been since it was last looked
// at (cumulative penalty: Tsuruoka, Tsujii, Ananiadou, 2009).
func (m *linear) fit(rows [][]entry, labels []float64, dice *stats.Dice) {
	typical := math.Sqrt(1 / math.Sqrt(textAlpha))
	_, slope := m.loss(-typical, 1)
	start := 1 / (typical / max(1, slope) * textAlpha)
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	owed := make([]float64, len(m.weights))
	due, scale := 0.0, 1.0
	best, without := math.Inf(1), 0
	t := 1.0
	for range textRounds {
		dice.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		total := 0.0
		for _, i := range order {
			decision := m.intercept
			for _, e := range rows[i] {
				decision += scale * m.weights[e.at] * e.value
			}
			cost, slope := m.loss(decision, labels[i])
			total += cost
			eta := 1 / (textAlpha * (start + t - 1))
			t++
			if m.penalty == l2 {
				scale *= max(0, 1-eta*textAlpha)
				if scale < 1e-9 {
					scale = m.rescale(scale)
				}
			}
			step := max(-1e12, min(1e12, -eta*slope))
			for _, e := range rows[i] {
				m.weights[e.at] += step * e.value / scale
			}
			m.intercept += step
			if m.penalty == l1 {
				due += eta * textAlpha
				m.pay(rows[i], owed, due)
			}
		}
		if total > best-textTolerance*float64(len(rows)) {
			without++
		} else {
			without = 0
		}
		if best = min(best, total); without >= textPatience {
			break
		}
	}
	m.rescale(scale)
}

func (m *linear) rescale(scale float64) float64 {
	for i := range m.weights {
		m.weights[i] *= scale
	}
	return 1
}

// pay brings the weights of a row towards 0 by the penalty that is due and was not paid.
func (m *linear) pay(row []entry, owed []float64, due float64) {
	for _, e := range row {
		before := m.weights[e.at]
		switch {
		case before > 0:
			m.weights[e.at] = max(0, before-(due+owed[e.at]))
		case before < 0:
			m.weights[e.at] = min(0, before+(due-owed[e.at]))
		}
		owed[e.at] += m.weights[e.at] - before
	}
}
