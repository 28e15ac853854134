package boost

import (
	"math"
	"testing"

	"levada/internal/core/stats"
)

// drawn are rows whose label is a function of two features, with steps and a product; the third says nothing, and a tenth of all is missing.
func drawn(seed uint64, n int) (features [][]float64, labels []float64) {
	d := stats.Dice(seed)
	features = make([][]float64, 3)
	for range n {
		x := [3]float64{d.Float(), d.Float(), d.Float()}
		y := 3*x[0]*x[1] + map[bool]float64{true: 1}[x[0] > 0.5]
		for f, v := range x {
			if f == 2 && d.Below(10) == 0 {
				v = math.NaN()
			}
			features[f] = append(features[f], v)
		}
		labels = append(labels, y)
	}
	return features, labels
}

func TestTreesLearnAFunctionOfTheirFeatures(t *testing.T) {
	features, labels := drawn(1, 5000)
	model := Fit(features, labels, Squared)
	unseen, want := drawn(2, 2000)
	mean, off, spread := 0.0, 0.0, 0.0
	for _, y := range want {
		mean += y / float64(len(want))
	}
	for i, p := range model.Predict(unseen) {
		off += (p - want[i]) * (p - want[i])
		spread += (want[i] - mean) * (want[i] - mean)
	}
	if r2 := 1 - off/spread; r2 < 0.99 {
		t.Errorf("R² %v on rows that it has not seen", r2)
	}
}

func TestTreesTellClassesApartAndNothingWhereThereIsNothing(t *testing.T) {
	for _, c := range []struct {
		shift     float64
		low, high float64
	}{{0, 0.45, 0.55}, {1, 0.7, 0.8}} {
		d := stats.Dice(4)
		draw := func(n int) (x [][]float64, y []float64) {
			x = make([][]float64, 2)
			for i := range n {
				label := float64(i % 2)
				y = append(y, label)
				for f := range x {
					v := math.Sqrt(-2*math.Log(1-d.Float())) * math.Cos(2*math.Pi*d.Float())
					if f == 0 {
						v += c.shift * label
					}
					x[f] = append(x[f], v)
				}
			}
			return x, y
		}
		x, y := draw(4000)
		model := Fit(x, y, Logistic)
		x, y = draw(4000)
		var scores [2][]float64
		for i, p := range model.Predict(x) {
			scores[int(y[i])] = append(scores[int(y[i])], p)
		}
		if auc := stats.AreaUnderROC(scores[0], scores[1]); auc < c.low || auc > c.high {
			t.Errorf("shift %v: area under the curve %v", c.shift, auc)
		}
	}
}

func TestConstantLabelsAndFewRowsArePredictedAsTheyAre(t *testing.T) {
	for _, n := range []int{1, 3, 100} {
		x, y := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i], y[i] = float64(i), 7
		}
		for _, p := range Fit([][]float64{x}, y, Squared).Predict([][]float64{{-1, math.NaN(), 1e300}}) {
			if math.Abs(p-7) > 1e-9 {
				t.Errorf("%d rows: %v", n, p)
			}
		}
	}
}
