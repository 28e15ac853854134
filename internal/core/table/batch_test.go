package table

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVectorGivesBackItsCells(t *testing.T) {
	for name, cells := range map[string][]Cell{
		"empty":      {},
		"only nulls": {{}, {}},
		"integers":   {{Kind: Integer, Int: 3}, {}, {Kind: Integer, Int: -1}},
		"numbers":    {{}, {Kind: Number, Float: 0.5}},
		"texts":      {{Kind: Text, Text: "a"}, {}, {Kind: Text}},
		"dates":      {{Kind: Date, Int: 19000}},
		"mixed":      {{Kind: Integer, Int: 1}, {}, {Kind: Text, Text: "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := VectorOf(cells)
			got := make([]Cell, v.Size)
			for i := range got {
				got[i] = v.Cell(i)
			}
			if d := cmp.Diff(cells, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestVectorOverADictionary(t *testing.T) {
	v := Vector{Kind: Text, Size: 3, Texts: []string{"x", "y"}, Codes: []uint32{1, 0, 1}}
	v.SetNull(1)
	got := []Cell{v.Cell(0), v.Cell(1), v.Cell(2)}
	if d := cmp.Diff([]Cell{{Kind: Text, Text: "y"}, {}, {Kind: Text, Text: "y"}}, got); d != "" {
		t.Error(d)
	}
}
