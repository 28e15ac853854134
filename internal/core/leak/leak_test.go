package leak

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"levada/internal/core/table"
)

// columns makes a table of columns of cells.
func columns(names []string, rows [][]any) table.Memory {
	m := table.Memory{}
	for i, name := range names {
		list := make([]table.Cell, len(rows))
		for k, row := range rows {
			switch v := row[i].(type) {
			case int:
				list[k] = table.Cell{Kind: table.Integer, Int: int64(v)}
			case float64:
				list[k] = table.Cell{Kind: table.Number, Float: v}
			case string:
				list[k] = table.Cell{Kind: table.Text, Text: v}
			}
		}
		m.Names, m.Vectors = append(m.Names, table.Column{Name: name}), append(m.Vectors, table.VectorOf(list))
	}
	return m
}

// sample makes rows of a number, a text, a time and a target that depends a little on the number.
func sample(seed uint64, n, day int) [][]any {
	d := rand.New(rand.NewPCG(seed, 1))
	var out [][]any
	for i := range n {
		x := d.NormFloat64() * 1000
		y := 0
		if x/1000+2*d.NormFloat64() > 0 {
			y = 1
		}
		words := make([]string, 30)
		for k := range words {
			words[k] = fmt.Sprint("w", d.IntN(5000))
		}
		out = append(out, []any{i, x, strings.Join(words, " "), day + i/100, y})
	}
	return out
}

var names = []string{"id", "x", "text", "day", "y"}

func find(t *testing.T, train, test [][]any, o Options) *Report {
	t.Helper()
	r, err := Find(context.Background(), columns(names, train), columns(names, test), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestACleanSplitHasNoLeaks(t *testing.T) {
	r := find(t, sample(1, 2000, 0), sample(2, 1000, 20), Options{Target: "y", Time: "day", Ignore: []string{"id"}})
	if r.Leaks() {
		t.Errorf("%+v", r)
	}
	if len(r.Features) != 3 || r.Features[0].Column != "x" || math.Abs(r.Features[0].Score-0.65) > 0.1 {
		t.Errorf("features: %+v", r.Features)
	}
}

func TestSharedRowsAreFoundExactlyAndNearly(t *testing.T) {
	train, test := sample(1, 2000, 0), sample(2, 1000, 20)
	for i := range 30 {
		test[i*10] = append([]any{}, train[i*7]...) // the same row
		near := append([]any{}, train[1000+i]...)
		near[1] = near[1].(float64) * 1.00001
		test[i*10+1] = near
		reworded := append([]any{}, train[1500+i]...)
		reworded[1] = 7.0 + float64(i)
		reworded[2] = strings.Replace(reworded[2].(string), " ", " another ", 1)
		test[i*10+2] = reworded
	}
	r := find(t, train, test, Options{Ignore: []string{"id", "day"}})
	if r.Exact.Rows != 30 || r.Exact.Examples[1] != (Pair{Test: 10, Train: 7}) {
		t.Errorf("exact: %+v", r.Exact)
	}
	// A number next to a bound of rounding may fall on its other side.
	if r.Near.Rows < 50 || r.Near.Rows > 60 {
		t.Errorf("near: %d of 60", r.Near.Rows)
	}
}

func TestAFeatureThatGivesTheTargetAwayIsSuspicious(t *testing.T) {
	train, test := sample(1, 2000, 0), sample(2, 1000, 20)
	for _, rows := range [][][]any{train, test} {
		for _, row := range rows {
			row[0] = row[4].(int)*1000 + row[0].(int)%10
		}
	}
	r := find(t, train, test, Options{Target: "y"})
	if f := r.Features[0]; f.Column != "id" || !f.Suspicious || f.Score < 0.999 {
		t.Errorf("%+v", r.Features)
	}
	if r.Features[1].Suspicious {
		t.Errorf("%+v", r.Features)
	}
	// A number as the target: a feature that is the same in another unit.
	for _, row := range train {
		row[4], row[0] = row[1], int(row[1].(float64)*1.6)
	}
	for _, row := range test {
		row[4] = row[1]
	}
	r = find(t, train, test, Options{Target: "y"})
	if f := r.Features[0]; f.Measure != "R²" || !f.Suspicious {
		t.Errorf("%+v", r.Features)
	}
}

func TestTheFutureInTheTrainingTableIsFound(t *testing.T) {
	r := find(t, sample(1, 2000, 0), sample(2, 1000, 15), Options{Time: "day"})
	if r.Future.Rows != 400 || r.Future.LastTrain != "19" || r.Future.FirstTest != "15" || !r.Leaks() {
		t.Errorf("%+v", r.Future)
	}
}

func TestAColumnThatIsNotThereIsNamed(t *testing.T) {
	for want, o := range map[string]Options{`the target "z"`: {Target: "z"}, `the time "z"`: {Time: "z"}, `no column "z" to ignore`: {Ignore: []string{"z"}}} {
		_, err := Find(context.Background(), columns(names, sample(1, 10, 0)), columns(names, sample(1, 10, 0)), o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
