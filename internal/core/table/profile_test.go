package table

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func profile(cells ...Cell) Profile {
	p := NewProfiler(1)
	p.Add(Chunk{Cells: cells})
	return p.Profile(0, int64(len(cells)))
}

func TestAProfileSaysWhatAColumnIsLike(t *testing.T) {
	mean := 1.5
	got := profile(Cell{Kind: Integer, Int: 1}, Cell{}, Cell{Kind: Number, Float: 2, Text: "2.0"}, Cell{Kind: Number, Float: math.NaN()}, Cell{Kind: Integer, Int: 1})
	if got.Type != "number" || got.Count != 5 || got.Nulls != 1 || got.Min != "1" || got.Max != "2.0" || got.Distinct != 3 {
		t.Errorf("%+v", got)
	}
	if got := profile(Cell{Kind: Integer, Int: 1}, Cell{Kind: Integer, Int: 2}); *got.Mean != mean || cmp.Diff([]int64{1, 1}, got.Histogram.Counts) != "" {
		t.Errorf("%+v %+v", got, got.Histogram)
	}
	if got := profile(Cell{Kind: Integer, Int: 1}, Cell{Kind: Text, Text: "x"}); got.Type != "mixed" || got.Min != "" || got.Mean != nil || got.Histogram != nil {
		t.Errorf("%+v", got)
	}
	if got := profile(Cell{}, Cell{}); got.Type != "empty" || got.Nulls != 2 || got.Distinct != 0 {
		t.Errorf("%+v", got)
	}
}

func TestARowThatAColumnHasNoCellForIsNull(t *testing.T) {
	p := NewProfiler(2)
	p.Add(Chunk{Column: 1, Row: 3, Cells: []Cell{{Kind: Text, Text: "late"}}})
	if got := p.Profile(1, 10); got.Count != 10 || got.Nulls != 9 {
		t.Errorf("%+v", got)
	}
	if got := p.Profile(5, 10); got.Type != "empty" || got.Nulls != 10 {
		t.Errorf("%+v", got)
	}
}

func TestManyDifferentValuesAreEstimated(t *testing.T) {
	for _, n := range []int{20_000, 200_000} {
		p := NewProfiler(1)
		for i := range n {
			p.Add(Chunk{Row: int64(i), Cells: []Cell{{Kind: Text, Text: fmt.Sprintf("user %d", i)}}})
		}
		got := p.Profile(0, int64(n))
		if off := math.Abs(float64(got.Distinct)/float64(n) - 1); !got.Estimated || off > 0.06 {
			t.Errorf("%d of %d values", got.Distinct, n)
		}
	}
}
