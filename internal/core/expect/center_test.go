package expect

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// centerTests are numbers whose plain mean is good, and one whose is not.
func centerTests() map[string][]float64 {
	r := rand.New(rand.NewPCG(1, 2))
	tests := map[string][]float64{"same": slices.Repeat([]float64{0.1}, 10_000), "whole": nil, "uniform": nil, "normal": nil, "shifted": nil, "far": nil}
	for range 10_000 {
		tests["whole"] = append(tests["whole"], float64(r.IntN(1000)))
		tests["uniform"] = append(tests["uniform"], r.Float64())
		tests["normal"] = append(tests["normal"], 100*r.NormFloat64())
		tests["shifted"] = append(tests["shifted"], 1e6+r.Float64())
		tests["far"] = append(tests["far"], 1e15+float64(r.IntN(2)))
	}
	return tests
}

func TestTheCenterIsExactAlsoOfNumbersThatAreFarFromZero(t *testing.T) {
	for name, values := range centerTests() {
		sum, n := new(big.Rat), new(big.Rat).SetInt64(int64(len(values)))
		for _, x := range values {
			sum.Add(sum, new(big.Rat).SetFloat64(x))
		}
		exact := sum.Quo(sum, n)
		around := new(big.Rat)
		for _, x := range values {
			d := new(big.Rat).SetFloat64(x)
			d.Sub(d, exact)
			around.Add(around, d.Mul(d, d))
		}
		wantMean, _ := exact.Float64()
		wantSquares, _ := around.Float64()
		mean, squares := center(values)
		half := (math.Nextafter(wantMean, math.Inf(1)) - wantMean) / 2 // what a float cannot say of the mean
		spread := math.Sqrt(wantSquares / float64(len(values)))
		if math.Abs(mean-wantMean) > 2*half+1e-15*spread || math.Abs(squares-wantSquares) > 1e-13*wantSquares+float64(len(values))*half*half {
			t.Errorf("%s: mean %v, want %v; squares %v, want %v", name, mean, wantMean, squares, wantSquares)
		}
	}
}

func BenchmarkCenter(b *testing.B) {
	for name, values := range centerTests() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(8 * len(values)))
			for b.Loop() {
				center(values)
			}
		})
	}
}
