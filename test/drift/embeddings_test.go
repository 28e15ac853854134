package drift

import (
	"context"
	"fmt"
	"math"
	"os"
	"testing"

	"levada/internal/core/drift"
	"levada/internal/core/stats"
	"levada/internal/core/table"
)

// embeddingCase are the rows of two tables of vectors.
type embeddingCase struct {
	Name string      `json:"name"`
	Kind string      `json:"kind"`
	A    [][]float64 `json:"a"`
	B    [][]float64 `json:"b"`
	// Draws is how often the classifier is fitted.
	Draws int `json:"draws"`
}

func embeddingCases() []embeddingCase {
	d := stats.Dice(21)
	rows := func(n, parts int, shift, scale float64) [][]float64 {
		out := make([][]float64, n)
		for i := range out {
			common := normal(&d, 0, 1)()
			for k := range parts {
				v := normal(&d, 0.3*float64(k%3), 1)() + 0.5*common
				if k%4 == 0 {
					v = v*scale + shift
				}
				out[i] = append(out[i], v)
			}
		}
		return out
	}
	return []embeddingCase{
		{"alike", "embedding", rows(400, 8, 0, 1), rows(400, 8, 0, 1), draws},
		{"of other sizes", "embedding", rows(900, 16, 0, 1), rows(350, 16, 0, 1), draws},
		{"a part has moved", "embedding", rows(500, 8, 0, 1), rows(600, 8, 0.8, 1), draws},
		{"a little", "embedding", rows(500, 32, 0, 1), rows(500, 32, 0.15, 1), draws},
		{"wider", "embedding", rows(500, 12, 0, 1), rows(500, 12, 0, 2), draws},
		{"far away", "embedding", rows(300, 4, 0, 1), rows(300, 4, 9, 1), draws},
		{"one part", "embedding", rows(200, 1, 0, 1), rows(200, 1, 0.4, 1), draws},
	}
}

// vectors is a table of vectors.
func vectors(rows [][]float64) table.Memory {
	var m table.Memory
	for k := range rows[0] {
		v := table.Vector{Kind: table.Number, Size: len(rows)}
		for _, r := range rows {
			v.Floats = append(v.Floats, r[k])
		}
		m.Names, m.Vectors = append(m.Names, table.Column{Name: fmt.Sprint("e", k)}), append(m.Vectors, v)
	}
	return m
}

// draws is how often the classifier's halves of the rows are drawn.
const draws = 40

// Distances, ratio and MMD are Evidently's to 1e-6. Its classifier always has the same halves of the rows, drawn by another generator, and
// how large the area is depends on them. So the means over many draws are compared, with scikit-learn's classifier as Evidently calls it.
func TestDriftOfEmbeddingsEqualsEvidentlys(t *testing.T) {
	if os.Getenv("LEVADA_DRIFT") == "" {
		t.Skip("Evidently takes a while to install: run make test-drift, or set LEVADA_DRIFT=all")
	}
	cases := embeddingCases()
	var want []map[string]judgement
	ask(t, "evidently", "evidently_values.py", cases, &want)
	for i, c := range cases {
		for _, method := range []string{"distance", "cosine", "cityblock", "chebyshev", "ratio", "mmd"} {
			got, w := embedded(t, c, method, 0), want[i][method]
			if w.Score == nil || got.Score == nil || math.Abs(*got.Score-*w.Score) > 1e-6 || got.Drifted != w.Drifted {
				t.Errorf("%s: %s is %v (drift %v), want %v (drift %v)", c.Name, method, shown(got.Score), got.Drifted, shown(w.Score), w.Drifted)
			}
		}
		var ours, theirs []float64
		for draw := range draws {
			ours = append(ours, *embedded(t, c, "model", uint64(draw)).Score)
			theirs = append(theirs, *want[i][fmt.Sprint("draw ", draw)].Score)
		}
		a, sa := stats.MeanSD(ours, 1)
		b, sb := stats.MeanSD(theirs, 1)
		t.Logf("%s: mean area %.3f ± %.3f, scikit-learn's %.3f ± %.3f; Evidently's draw %.3f", c.Name, a, sa, b, sb, *want[i]["model"].Score)
		if math.Abs(a-b) > 0.01+4*math.Sqrt((sa*sa+sb*sb)/draws) {
			t.Errorf("%s: the mean area is %v, want %v", c.Name, a, b)
		}
	}
}

// embedded compares the vectors of a case.
func embedded(t *testing.T, c embeddingCase, method string, seed uint64) drift.Joint {
	t.Helper()
	a, b := vectors(c.A), vectors(c.B)
	var names []string
	for _, column := range a.Names {
		names = append(names, column.Name)
	}
	r, err := drift.Compare(context.Background(), a, b, drift.Options{Seed: seed, Embeddings: []drift.Embedding{{Name: "e", Columns: names, Method: method}}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Together[0].Score == nil {
		t.Fatalf("%s: %s is not defined", c.Name, method)
	}
	return r.Together[0]
}
