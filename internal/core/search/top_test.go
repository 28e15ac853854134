package search_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"levada/internal/core/search"
)

func TestThePageIsThatOfTheSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.IntRange(0, rapid.IntRange(1, 1000).Draw(t, "kinds")), 0, 400).Draw(t, "rows")
		n := rapid.IntRange(-1, 420).Draw(t, "n")
		want := slices.Sorted(slices.Values(rows))
		got := search.Top(slices.Clone(rows), n, cmp.Compare[int])
		if !slices.Equal(got, want[:min(max(n, 0), len(want))]) {
			t.Fatalf("first %d of %v: %v", n, rows, got)
		}
	})
}
