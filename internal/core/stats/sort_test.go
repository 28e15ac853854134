package stats

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSortOrdersAnyFiniteNumbers(t *testing.T) {
	d := Dice(1)
	forms := map[string]func(i int) float64{
		"bits":           func(int) float64 { return finiteBits(d.Next()) },
		"uniform":        func(int) float64 { return d.Float() },
		"near a million": func(int) float64 { return 1e6 + d.Float()*1e-6 },
		"an outlier":     func(i int) float64 { return map[bool]float64{true: -1e300, false: 1e6 + d.Float()}[i == 7] },
		"zeros":          func(i int) float64 { return math.Copysign(0, float64(i%2)-0.5) },
		"few":            func(int) float64 { return float64(d.Below(3)) - 1 },
		"ascending":      func(i int) float64 { return float64(i) },
		"descending":     func(i int) float64 { return -float64(i) },
		"subnormal":      func(int) float64 { return float64(d.Below(1000)) * 5e-324 },
	}
	for name, of := range forms {
		for _, n := range []int{0, 1, 2, short - 1, short, 3 * short} {
			values := make([]float64, n)
			for i := range values {
				values[i] = of(i)
			}
			want := slices.Clone(values)
			slices.Sort(want)
			got, room := Sort(values, make([]float64, n+5))
			if !slices.Equal(want, got) {
				t.Errorf("%s, %d numbers are not sorted", name, n)
			}
			if len(got) > 0 && len(room) > 0 && &got[0] == &room[0] {
				t.Errorf("%s: the room is the result", name)
			}
		}
	}
}

func finiteBits(b uint64) float64 {
	if v := math.Float64frombits(b); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return v
	}
	return 0
}

func TestPooledQuantilesAreThoseOfBothSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Float64Range(-5, 5), 1, 20)
		a, b := numbers.Draw(t, "a"), numbers.Draw(t, "b")
		slices.Sort(a)
		slices.Sort(b)
		all := slices.Concat(a, b)
		slices.Sort(all)
		p := rapid.Float64Range(0, 1).Draw(t, "p")
		if got, want := PooledQuantile(a, b, p), Quantile(all, p); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestDistancesAreThoseOfADirectSum compares with the definition, value by value.
func TestDistancesAreThoseOfADirectSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Map(rapid.IntRange(-5, 5), func(i int) float64 { return float64(i) }), 1, 15)
		a, b := numbers.Draw(t, "a"), numbers.Draw(t, "b")
		slices.Sort(a)
		slices.Sort(b)
		share := func(s []float64, v float64) float64 {
			n := 0
			for _, x := range s {
				if x <= v {
					n++
				}
			}
			return float64(n) / float64(len(s))
		}
		area, squares, most := 0.0, 0.0, 0.0
		for v := -6.0; v <= 6; v++ { // between two integers nothing changes
			off := math.Abs(share(a, v) - share(b, v))
			area, squares, most = area+off, squares+off*off, max(most, off)
		}
		d, _ := KolmogorovSmirnov(a, b)
		for name, pair := range map[string][2]float64{"Wasserstein": {Wasserstein(a, b), area}, "energy": {Energy(a, b), math.Sqrt(2 * squares)}, "Kolmogorov": {d, most}} {
			if math.Abs(pair[0]-pair[1]) > 1e-12 {
				t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
			}
		}
	})
}

func TestAHypergeometricDrawHasItsMeanAndVariance(t *testing.T) {
	d := Dice(3)
	for _, c := range [][3]int64{{10, 4, 5}, {100, 50, 20}, {1_000_000, 300_000, 500_000}, {50, 50, 10}, {50, 0, 10}, {7, 3, 7}} {
		total, marked, draws := float64(c[0]), float64(c[1]), float64(c[2])
		const n = 20_000
		sum, squares := 0.0, 0.0
		for range n {
			k := float64(d.Hypergeometric(c[0], c[1], c[2]))
			if k < 0 || k > marked || k > draws {
				t.Fatalf("%v: drew %v", c, k)
			}
			sum, squares = sum+k, squares+k*k
		}
		mean, variance := sum/n, squares/n-sum/n*sum/n
		wantMean := draws * marked / total
		wantVariance := wantMean * (1 - marked/total) * (total - draws) / (total - 1)
		if math.Abs(mean-wantMean) > 5*math.Sqrt(wantVariance/n)+1e-9 || math.Abs(variance-wantVariance) > 0.06*wantVariance+1e-9 {
			t.Errorf("%v: mean %v and variance %v, want %v and %v", c, mean, variance, wantMean, wantVariance)
		}
	}
}
