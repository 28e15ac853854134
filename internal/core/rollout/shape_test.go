package rollout

import (
	"encoding/json"
	"testing"
)

func TestPredictionsOfAnySizeHaveAShape(t *testing.T) {
	tests := map[string][]float64{
		"one large number":    {1e300, 1e300},
		"the largest":         {-1.7e308, 1.7e308, 0},
		"the smallest":        {5e-324, -5e-324},
		"far from each other": {1e-12, 1e17, 3},
	}
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			d := newArmData()
			for _, v := range values {
				d.Predictions.Add(v)
			}
			s := predictionShape([]*armData{d, newArmData()})
			if text, err := json.Marshal(s); err != nil {
				t.Errorf("%v: %+v", err, s)
			} else if s == nil || len(s.Edges) != len(s.Counts[0])+1 {
				t.Errorf("%s", text)
			}
			n := int64(0)
			for _, c := range s.Counts[0] {
				n += c
			}
			if n != int64(len(values)) {
				t.Errorf("%d of %d are drawn", n, len(values))
			}
		})
	}
}
