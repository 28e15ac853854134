package series

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestAColumnIsReadAsItWasWrittenWhateverItsNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		column := make([]int64, 1+r.IntN(300))
		wide := r.IntN(65)
		last, step := r.Int64(), int64(r.IntN(1000))
		for i := range column {
			// Regular, with noise of some width, and now and then something else entirely.
			last += step
			column[i] = last
			if wide > 0 {
				column[i] += int64(r.Uint64() >> (64 - wide))
			}
			if r.IntN(100) == 0 {
				column[i] = int64(r.Uint64())
			}
		}
		after := []byte{1, 2, 3}
		written := append(appendColumn(nil, column), after...)
		read := make([]int64, len(column))
		rest, err := readColumn(written, read)
		if err != nil || !slices.Equal(read, column) || !slices.Equal(rest, after) {
			t.Fatalf("%d numbers with %d bits of noise: %v, read %v, want %v, and %v after it, want %v", len(column), wide, err, read, column, rest, after)
		}
		// What is cut off is refused, or read without a look beyond the end.
		if n := len(written) - len(after); n > 0 {
			_, _ = readColumn(written[:r.IntN(n)], read)
		}
	}
}
