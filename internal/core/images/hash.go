package images

import (
	"math"
	"math/bits"
	"slices"
)

// The perceptual hash: an image of 32×32 gray pixels, of whose cosine transform the 8×8 lowest frequencies are compared with their
// median (the pHash of the Python package imagehash). Equal images of other sizes and qualities have equal hashes, or nearly so.
const (
	hashSide = 32
	lowFreqs = 8
)

// cosines are those of the transform, for the lowest frequencies.
var cosines = func() (c [lowFreqs][hashSide]float64) {
	for u := range c {
		for x := range c[u] {
			c[u][x] = math.Cos(math.Pi * float64(u*(2*x+1)) / (2 * hashSide))
		}
	}
	return c
}()

func perceptual(pixels []byte) uint64 {
	var across [hashSide][lowFreqs]float64
	for y := range hashSide {
		for v := range lowFreqs {
			for x := range hashSide {
				across[y][v] += float64(pixels[y*hashSide+x]) * cosines[v][x]
			}
		}
	}
	values := make([]float64, 0, lowFreqs*lowFreqs)
	for u := range lowFreqs {
		for v := range lowFreqs {
			sum := 0.0
			for y := range hashSide {
				sum += across[y][v] * cosines[u][y]
			}
			// A frequency that is not there is 0 but for the rounding of the sum, whose sign says nothing.
			values = append(values, math.Round(sum*1e6)/1e6)
		}
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	median := (sorted[31] + sorted[32]) / 2
	hash := uint64(0)
	for _, v := range values {
		hash <<= 1
		if v > median {
			hash |= 1
		}
	}
	return hash
}

// Apart is how many bits two perceptual hashes differ in; those of unrelated images differ in about 32.
func Apart(a, b uint64) int { return bits.OnesCount64(a ^ b) }
