// Package dataset_test compares what Levada says of tables with what DuckDB says of them. The table is written by other programs, in every
// format that is read.
package dataset_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"levada/internal/adapter/tabular"
	"levada/internal/core/table/profile"
	"levada/internal/dataset"
	"levada/test/levadatest"
)

// oracle writes the files of oracle.py.
func oracle(t *testing.T, rows int) string {
	t.Helper()
	python, err := levadatest.LibraryPython("dataset", "duckdb")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, err := exec.Command(python, filepath.Join(levadatest.Root(), "test", "dataset", "oracle.py"), dir, fmt.Sprint(rows)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// own are the figures of a profile by the names of the oracle.
func own(p profile.Column) map[string]float64 {
	out := map[string]float64{"count": float64(p.Count), "nulls": float64(p.Nulls), "distinct": float64(p.Distinct)}
	for name, v := range map[string]*float64{"low": p.Low, "high": p.High, "mean": p.Mean, "sd": p.SD, "skew": p.Skew, "kurtosis": p.Kurtosis} {
		if v != nil {
			out[name] = *v
		}
	}
	for _, q := range p.Quantiles {
		out[fmt.Sprintf("q%g", q.Share)] = q.Value
	}
	if p.Length != nil {
		out["shortest"], out["longest"], out["length"] = float64(p.Length.Min), float64(p.Length.Max), p.Length.Mean
	}
	if len(p.Top) > 0 {
		out["most"] = float64(p.Top[0].Count)
	}
	return out
}

func TestFiguresAreThoseOfDuckDB(t *testing.T) {
	dir := oracle(t, 20_000)
	var want map[string]map[string]*float64
	readJSON(t, filepath.Join(dir, "figures.json"), &want)
	for _, file := range []string{"plain.parquet", "groups.parquet", "values.parquet", "duckdb.parquet", "table.csv", "table.jsonl", "parts"} {
		t.Run(file, func(t *testing.T) {
			src, closer, err := tabular.OpenSource(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			defer closer.Close()
			all, err := dataset.Choose(src, nil)
			if err != nil {
				t.Fatal(err)
			}
			p, err := dataset.Read(context.Background(), src, all)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Columns) != len(want) {
				t.Fatalf("%d columns, want %d", len(p.Columns), len(want))
			}
			checked := 0
			for _, c := range p.Columns {
				if c.Estimated || c.RankError > 0 {
					t.Errorf("%s is estimated", c.Name)
				}
				got := own(c)
				for name, w := range want[c.Name] {
					if w == nil { // DuckDB has none, of a column without values
						continue
					}
					g, ok := got[name]
					if name == "most" && *w == 1 {
						continue // no value is more frequent than another
					}
					if checked++; !ok || math.Abs(g-*w) > 1e-9*max(1, math.Abs(*w)) && !loose(name, g, *w) {
						t.Errorf("%s: %s is %v, DuckDB has %v", c.Name, name, g, *w)
					}
				}
			}
			if checked < 90 {
				t.Errorf("only %d figures were compared", checked)
			}
		})
	}
}

// loose allows for the sums of third and fourth powers, which DuckDB does not take about the mean: of numbers far from 0 it loses digits.
func loose(name string, got, want float64) bool {
	return (name == "skew" || name == "kurtosis") && math.Abs(got-want) < 0.05
}

func TestRowsThatDifferAreThoseOfAFullJoin(t *testing.T) {
	dir := oracle(t, 20_000)
	var want struct{ Same, Changed, Added, Removed int64 }
	readJSON(t, filepath.Join(dir, "diff.json"), &want)
	for _, file := range []string{"plain.parquet", "table.csv"} {
		was, _, err := tabular.OpenSource(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		is, _, err := tabular.OpenSource(filepath.Join(dir, "later.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := dataset.Compare(context.Background(), was, is, []string{"id"}, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		r := c.ByKey
		if r.Same != want.Same || r.Changed != want.Changed || r.Added != want.Added || r.Removed != want.Removed {
			t.Errorf("%s: %+v, DuckDB has %+v", file, r, want)
		}
		if r.Columns["money"] == 0 || r.Columns["name"] == 0 || len(r.Columns) != 2 || len(r.ChangedRows) != 5 {
			t.Errorf("%s: %v", file, r.Columns)
		}
	}
}
