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
		{"alike", "embedding", rows(400, 8, 0, 1), rows(400, 8, 0, 1)},
		{"of other sizes", "embedding", rows(900, 16, 0, 1), rows(350, 16, 0, 1)},
		{"a part has moved", "embedding", rows(500, 8, 0, 1), rows(600, 8, 0.8, 1)},
		{"a little", "embedding", rows(500, 32, 0, 1), rows(500, 32, 0.15, 1)},
		{"wider", "embedding", rows(500, 12, 0, 1), rows(500, 12, 0, 2)},
		{"far away", "embedding", rows(300, 4, 0, 1), rows(300, 4, 9, 1)},
		{"one part", "embedding", rows(200, 1, 0, 1), rows(200, 1, 0.4, 1)},
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

// Distances, ratio and MMD are Evidently's to 1e-6. The classifier's halves of the rows are drawn by another generator, so its area differs
// as much as that of two draws does.
func TestDriftOfEmbeddingsEqualsEvidentlys(t *testing.T) {
	if os.Getenv("LEVADA_DRIFT") == "" {
		t.Skip("Evidently takes a while to install: run make test-drift, or set LEVADA_DRIFT=all")
	}
	cases := embeddingCases()
	var want []map[string]judgement
	ask(t, "evidently", "evidently_values.py", cases, &want)
	for i, c := range cases {
		a, b := vectors(c.A), vectors(c.B)
		var names []string
		for _, column := range a.Names {
			names = append(names, column.Name)
		}
		for _, method := range []string{"distance", "cosine", "cityblock", "chebyshev", "ratio", "mmd", "model"} {
			r, err := drift.Compare(context.Background(), a, b, drift.Options{Embeddings: []drift.Embedding{{Name: "e", Columns: names, Method: method}}})
			if err != nil {
				t.Fatal(err)
			}
			got, w := r.Together[0], want[i][method]
			if w.Score == nil || got.Score == nil {
				t.Errorf("%s: %s: %v, want %+v", c.Name, method, shown(got.Score), w)
				continue
			}
			apart, most := math.Abs(*got.Score-*w.Score), 1e-6
			if method == "model" {
				most = 0.1
			}
			decided := got.Drifted == w.Drifted || method == "model" && math.Abs(*w.Score-got.Threshold) < most
			if apart > most || !decided {
				t.Errorf("%s: %s is %v (drift %v), want %v (drift %v)", c.Name, method, *got.Score, got.Drifted, *w.Score, w.Drifted)
			}
			if method == "model" {
				t.Logf("%s: area %.3f, Evidently's %.3f", c.Name, *got.Score, *w.Score)
			}
		}
	}
}
