package textual

import (
	"hash/fnv"
	"io"
	"math"
	"strings"
)

// MinHash over shingles of words (Broder 1997), in bands, so that only texts that may be alike are compared.
const (
	// ShortText is how many words a text has at most of which no sketch is made.
	ShortText  = 10
	shingle    = 3 // words
	hashes     = 32
	bandHashes = 4
	// LeastAlike is the share of shingles from which texts are nearly the same.
	LeastAlike = 0.8
)

// Sketch is a MinHash of a text, the upper halves of 64 bits; nil of a short one.
type Sketch []uint32

// SketchOf makes a sketch of the words of a text.
func SketchOf(text string) Sketch {
	words := strings.Fields(text)
	if len(words) <= ShortText {
		return nil
	}
	var least [hashes]uint64
	for i := range least {
		least[i] = math.MaxUint64
	}
	for i := 0; i+shingle <= len(words); i++ {
		h := fnv.New64a()
		_, _ = io.WriteString(h, strings.Join(words[i:i+shingle], " ")) // a hash never fails
		x := h.Sum64()
		for k := range least {
			x ^= x >> 33
			x *= 0xff51afd7ed558ccd
			x ^= x >> 29
			least[k] = min(least[k], x)
		}
	}
	out := make(Sketch, hashes)
	for i, x := range least {
		out[i] = uint32(x >> 32)
	}
	return out
}

// Bands are the parts of a sketch by number. Texts that are alike have at least one in common.
func (s Sketch) Bands() [][]uint32 {
	out := make([][]uint32, 0, hashes/bandHashes)
	for b := 0; b < len(s); b += bandHashes {
		out = append(out, s[b:b+bandHashes])
	}
	return out
}

// Alike estimates the share of shingles that two texts have in common.
func (s Sketch) Alike(o Sketch) float64 {
	same := 0
	for i := range s {
		if s[i] == o[i] {
			same++
		}
	}
	return float64(same) / float64(len(s))
}

// Folded is a text without regard to case and spaces.
func Folded(text string) string { return strings.Join(strings.Fields(strings.ToLower(text)), " ") }
