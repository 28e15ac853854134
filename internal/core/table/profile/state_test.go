package profile

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"levada/internal/core/table"
)

func of(cells ...table.Cell) Column {
	s := New(1)
	v := table.VectorOf(cells)
	s.Add(&v)
	return s.Column(table.Column{Name: "x"})
}

func integer(n int64) table.Cell { return table.Cell{Kind: table.Integer, Int: n} }
func real(f float64) table.Cell  { return table.Cell{Kind: table.Number, Float: f} }
func text(s string) table.Cell   { return table.Cell{Kind: table.Text, Text: s} }
func numbers(f []float64) *table.Vector {
	return &table.Vector{Kind: table.Number, Size: len(f), Floats: f}
}

func TestAProfileSaysWhatAColumnIsLike(t *testing.T) {
	got := of(integer(1), table.Cell{}, real(2), real(math.NaN()), integer(1), real(math.Inf(-1)), integer(-4), real(0))
	if got.Type != "number" || got.Count != 8 || got.Nulls != 1 || got.Min != "-4" || got.Max != "2" || got.Distinct != 6 || got.NaN != 1 || got.Infinite != 1 ||
		got.Zero != 1 || got.Negative != 1 || *got.Mean != 0 || got.Top[0] != (Frequent{"1", 2}) {
		t.Errorf("%+v", got)
	}
	if got := of(integer(1), integer(2)); *got.Mean != 1.5 || cmp.Diff([]int64{1, 1}, got.Histogram.Counts) != "" || got.Quantiles[3].Shown != "1.5" {
		t.Errorf("%+v %+v", got, got.Histogram)
	}
	if got := of(integer(1), text("x")); got.Type != "mixed" || got.Min != "" || got.Mean != nil || got.Histogram != nil || got.Distinct != 2 || got.Kinds["text"] != 1 {
		t.Errorf("%+v", got)
	}
	if got := of(table.Cell{}, table.Cell{}); got.Type != "empty" || got.Nulls != 2 || got.Distinct != 0 {
		t.Errorf("%+v", got)
	}
	if got := of(text("é"), text(""), text("\xff\xff")); got.Type != "text" || got.Length.Min != 0 || got.Length.Max != 2 || got.Length.Mean != 1 || got.Length.Empty != 1 || got.Length.Broken != 1 {
		t.Errorf("%+v %+v", got, got.Length)
	}
	if got := of(integer(math.MaxInt64), integer(math.MaxInt64-1), integer(math.MinInt64)); got.Distinct != 3 || got.Max != "9223372036854775807" || got.Min != "-9223372036854775808" {
		t.Errorf("%+v", got)
	}
	if got := of(table.Cell{Kind: table.Date, Int: 0}, table.Cell{Kind: table.Date, Int: 1}); got.Min != "1970-01-01" || got.Max != "1970-01-02" || got.Quantiles[3].Shown != "1970-01-01 12:00:00" {
		t.Errorf("%+v", got)
	}
}

func TestLongTextsAreToldApartByAllOfThem(t *testing.T) {
	long := strings.Repeat("x", 1000)
	got := of(text(long+"a"), text(long+"b"), text(long+"b"))
	if got.Distinct != 2 || got.Top[0].Count != 2 || len(got.Max) > 400 {
		t.Errorf("%+v", got)
	}
}

func TestManyDifferentValuesAreEstimated(t *testing.T) {
	for _, n := range []int{100_000, 1_000_000} {
		s, d := New(1), New(1)
		for i := range n {
			v := table.Vector{Kind: table.Text, Size: 1, Texts: []string{fmt.Sprintf("user %d", i)}}
			s.Add(&v)
			v = table.Vector{Kind: table.Integer, Size: 1, Ints: []int64{int64(i) * 1e12}}
			d.Add(&v)
		}
		for _, got := range []Column{s.Column(table.Column{}), d.Column(table.Column{})} {
			if off := math.Abs(float64(got.Distinct)/float64(n) - 1); !got.Estimated || off > 0.025 {
				t.Errorf("%d of %d values", got.Distinct, n)
			}
			if len(got.Top) != 0 {
				t.Errorf("top of values that are there once: %v", got.Top)
			}
		}
	}
}

func TestFrequentValuesAreFoundAmongMany(t *testing.T) {
	s, n := New(1), New(1)
	r := rand.New(rand.NewPCG(1, 2))
	for range 1_000_000 {
		v := table.Vector{Kind: table.Text, Size: 1, Texts: []string{fmt.Sprint(r.Uint64())}}
		w := table.Vector{Kind: table.Integer, Size: 1, Ints: []int64{r.Int64()}}
		if k := r.IntN(50); k < 3 {
			v.Texts[0], w.Ints[0] = fmt.Sprint("often ", k), int64(k)
		}
		s.Add(&v)
		n.Add(&w)
	}
	for _, got := range []Column{s.Column(table.Column{}), n.Column(table.Column{})} {
		if len(got.Top) < 3 || !got.Bounded || !strings.HasSuffix(got.Top[2].Value, "0") && !strings.HasSuffix(got.Top[2].Value, "1") && !strings.HasSuffix(got.Top[2].Value, "2") {
			t.Fatalf("%+v", got.Top)
		}
		for _, f := range got.Top[:3] {
			if f.Count > 20_600 || f.Count+got.TopError < 19_400 {
				t.Errorf("%s is there about 20000 times, not %d to %d", f.Value, f.Count, f.Count+got.TopError)
			}
		}
	}
}

func TestQuantilesOfManyNumbersAreNear(t *testing.T) {
	bad, checked, worst := 0, 0, 0.0
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 200_000
		if seed%4 == 0 {
			n = 3_000_000
		}
		values := make([]float64, n)
		for i := range values {
			switch seed % 3 {
			case 0:
				values[i] = r.NormFloat64()
			case 1:
				values[i] = float64(i) // in order
			default:
				values[i] = math.Exp(3 * r.NormFloat64())
			}
		}
		s := New(1)
		for at := 0; at < n; at += 10_007 {
			s.Add(numbers(values[at:min(n, at+10_007)]))
		}
		slices.Sort(values)
		for _, share := range []float64{0.001, 0.01, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95, 0.99, 0.999} {
			v, estimated, ok := s.Quantile(share)
			if !ok || !estimated {
				t.Fatal("no estimate")
			}
			rank, _ := slices.BinarySearch(values, v)
			off := math.Abs(float64(rank)/float64(n) - share)
			worst = max(worst, off)
			if checked++; off > RankError {
				bad++
			}
		}
	}
	t.Logf("largest error of a rank: %.4f", worst)
	if bad*100 > checked {
		t.Errorf("%d of %d ranks are off by more than %v", bad, checked, RankError)
	}
}

// figures are those that do not depend on how the values came: within rounding.
var rounding = cmp.Options{cmpopts.EquateApprox(1e-9, 1e-12), cmpopts.EquateNaNs()}

func TestTheProfileOfPartsMergedIsThatOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.Custom(func(t *rapid.T) table.Cell {
			switch rapid.IntRange(0, 6).Draw(t, "kind") {
			case 0:
				return table.Cell{}
			case 1:
				return integer(rapid.Int64().Draw(t, "n"))
			case 2:
				return real(rapid.Float64Range(-1e6, 1e6).Draw(t, "f"))
			case 3:
				return text(rapid.SampledFrom([]string{"", "a", "b", "ccc", "ü"}).Draw(t, "s"))
			case 4:
				return table.Cell{Kind: table.Date, Int: rapid.Int64Range(-1000, 30000).Draw(t, "d")}
			}
			return integer(rapid.Int64Range(-3, 3).Draw(t, "small"))
		})
		cells := rapid.SliceOfN(cell, 0, 60).Draw(t, "cells")
		whole := New(3)
		v := table.VectorOf(cells)
		whole.Add(&v)
		merged := New(3)
		for len(cells) > 0 {
			n := rapid.IntRange(1, len(cells)).Draw(t, "part")
			part := New(3)
			v := table.VectorOf(cells[:n])
			part.Add(&v)
			cells = cells[n:]
			merged.Merge(again(t, part))
		}
		if d := cmp.Diff(whole.Column(table.Column{}), merged.Column(table.Column{}), rounding); d != "" {
			t.Fatal(d)
		}
	})
}

// again stores a State and reads it again.
func again(t interface{ Fatal(...any) }, s *State) *State {
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out := &State{}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPartsOfALargeTableMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const n = 400_000
	values := make([]float64, n)
	texts := make([]string, n)
	for i := range values {
		values[i], texts[i] = r.NormFloat64(), fmt.Sprint("user ", r.IntN(300_000))
		if i%10 == 0 {
			values[i], texts[i] = 7, "often"
		}
	}
	whole, wholeText, merged, mergedText := New(1), New(1), New(1), New(1)
	for at := 0; at < n; at += 40_000 {
		v := numbers(values[at : at+40_000])
		w := &table.Vector{Kind: table.Text, Size: 40_000, Texts: texts[at : at+40_000]}
		whole.Add(v)
		wholeText.Add(w)
		part, partText := New(1), New(1)
		part.Add(v)
		partText.Add(w)
		merged.Merge(again(t, part))
		mergedText.Merge(again(t, partText))
	}
	merged, mergedText = again(t, merged), again(t, mergedText)
	a, b := whole.Column(table.Column{}), merged.Column(table.Column{})
	if d := cmp.Diff([]any{a.Count, a.Distinct, a.Min, a.Max, *a.Mean, *a.SD, *a.Skew, *a.Kurtosis}, []any{b.Count, b.Distinct, b.Min, b.Max, *b.Mean, *b.SD, *b.Skew, *b.Kurtosis}, rounding); d != "" {
		t.Error(d)
	}
	slices.Sort(values)
	for _, q := range b.Quantiles {
		low, _ := slices.BinarySearch(values, q.Value)
		high, _ := slices.BinarySearch(values, math.Nextafter(q.Value, 1e9))
		if float64(low)/n > q.Share+RankError || float64(high)/n < q.Share-RankError {
			t.Errorf("quantile %v is at %v to %v", q.Share, float64(low)/n, float64(high)/n)
		}
	}
	if len(b.Top) == 0 || b.Top[0].Value != "7" || b.Top[0].Count > n/10 || b.Top[0].Count+b.TopError < n/10 {
		t.Errorf("top %v, error %d", b.Top, b.TopError)
	}
	at, bt := wholeText.Column(table.Column{}), mergedText.Column(table.Column{})
	if at.Distinct != bt.Distinct || at.Min != bt.Min || at.Max != bt.Max || math.Abs(at.Length.Mean-bt.Length.Mean) > 1e-9 || at.Length.Max != bt.Length.Max {
		t.Errorf("%+v\n%+v", at, bt)
	}
	if bt.Top[0].Value != "often" || bt.Top[0].Count > n/10 || bt.Top[0].Count+bt.TopError < n/10 {
		t.Errorf("top %v", bt.Top)
	}
}

func TestValuesOfADictionaryCountAsTexts(t *testing.T) {
	coded, plain := New(1), New(1)
	for _, dictionary := range [][]string{{"a", "b", "unused"}, {"c", "a"}} {
		v := table.Vector{Kind: table.Text, Size: 4, Texts: dictionary, Codes: []uint32{0, 1, 0, 0}}
		v.SetNull(3)
		coded.Add(&v)
		coded.Add(&v)
		for range 2 {
			w := table.VectorOf([]table.Cell{text(dictionary[0]), text(dictionary[1]), text(dictionary[0]), {}})
			plain.Add(&w)
		}
	}
	if d := cmp.Diff(plain.Column(table.Column{}), coded.Column(table.Column{})); d != "" {
		t.Error(d)
	}
}

func TestMemoryIsBoundedWhereColumnsAreMany(t *testing.T) {
	s := New(100_000)
	for i := range 5000 {
		v := table.Vector{Kind: table.Integer, Size: 1, Ints: []int64{int64(i)}}
		s.Add(&v)
	}
	if got := s.Column(table.Column{}); !got.Estimated || len(s.numbers[table.Number].counter.entries) > 1024 {
		t.Errorf("%d entries are kept", len(s.numbers[table.Number].counter.entries))
	}
}

func TestAnyNumberOfColumnsCanBeProfiled(t *testing.T) {
	for _, columns := range []int{1, 63, 100, 1000, 3000, 10_000} {
		s := New(columns)
		for i := range 100_000 {
			v := table.VectorOf([]table.Cell{integer(int64(i)), integer(int64(i) << 40), text(fmt.Sprint(i))})
			s.Add(&v)
		}
		if got := s.Column(table.Column{}); got.Count != 300_000 || !got.Estimated {
			t.Errorf("%d columns: %+v", columns, got)
		}
	}
}

func TestNumbersAtTheEndsOfAllFloatsAreToldAndStored(t *testing.T) {
	for _, n := range []int{5, 2 * MostValues} { // counted one by one, and estimated
		cells := make([]table.Cell, n)
		for i := range cells {
			cells[i] = real(math.MaxFloat64 * (1 - float64(i)/1e7) * float64(1-2*(i%2)))
		}
		v := table.VectorOf(cells)
		s := New(1)
		s.Add(&v)
		told, err := json.Marshal(s.Column(table.Column{}))
		if err != nil {
			t.Fatalf("%d numbers: %v", n, err)
		}
		kept, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("%d numbers: %v", n, err)
		}
		again := &State{}
		if err := json.Unmarshal(kept, again); err != nil {
			t.Fatalf("%d numbers: %v", n, err)
		}
		if same, err := json.Marshal(again.Column(table.Column{})); err != nil || string(same) != string(told) {
			t.Errorf("%d numbers: they were\n%s\nand are, once stored,\n%s %v", n, told, same, err)
		}
	}
}

// FuzzStored reads what may be no stored State. What is read can be used.
func FuzzStored(f *testing.F) {
	s := New(1)
	for _, cells := range [][]table.Cell{{integer(1), real(2.5), text("x")}, {{Kind: table.Date, Int: 3}}, {real(math.MaxFloat64), real(-math.MaxFloat64)}} {
		v := table.VectorOf(cells)
		s.Add(&v)
		b, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &State{}
		if json.Unmarshal(b, s) != nil {
			return
		}
		o := New(1)
		v := table.VectorOf([]table.Cell{integer(1), text("y"), real(7)})
		o.Add(&v)
		o.Merge(s)
		s.Add(&v)
		for _, x := range []*State{s, o} {
			if _, err := json.Marshal(x.Column(table.Column{})); err != nil {
				t.Errorf("what is known of the column cannot be told: %v", err)
			}
		}
	})
}
