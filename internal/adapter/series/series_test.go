package series

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"levada/internal/core/track"
)

// model is what a store should hold, kept in the simplest way.
type model map[string]map[string][]track.Point

func (m model) add(b batch) {
	if m[b.RunID] == nil {
		m[b.RunID] = map[string][]track.Point{}
	}
	for _, x := range b.Metrics {
		p := x.Point
		p.Value = track.Clean(p.Value)
		pts := m[b.RunID][x.Key]
		i, found := slices.BinarySearchFunc(pts, p, track.Compare)
		if !found {
			m[b.RunID][x.Key] = slices.Insert(pts, i, p)
		}
	}
}

func (m model) stats(runID string) []track.Stat {
	var out []track.Stat
	for key, pts := range m[runID] {
		s := track.NewStat(key, pts[0])
		for _, p := range pts[1:] {
			s.Add(p)
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b track.Stat) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// sample is MLflow's rule, written as its documentation says it.
func sample(pts []track.Point, within *track.Steps, n int) []track.Point {
	pts = cut(within, slices.Clone(pts))
	slices.SortFunc(pts, track.CompareSteps)
	if len(pts) <= n {
		return pts
	}
	var out []track.Point
	at := 0
	for i := range n {
		out = append(out, pts[at])
		at += len(pts) / n
		if i < len(pts)%n {
			at++
		}
	}
	out[n-1] = pts[len(pts)-1]
	return out
}

var equal = gocmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateEmpty()}

func open(t testing.TB, dir string, flush int) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, FlushPoints: flush, CachedStats: 3})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func drawPoint(t *rapid.T) track.Point {
	value := rapid.OneOf(
		rapid.Float64(),
		rapid.Map(rapid.IntRange(0, 9), func(i int) float64 { return float64(i) / 10 }),
		rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e300, 5e-324}),
	)
	return track.Point{
		Time:  rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, 1<<45), rapid.Just(int64(math.MaxInt64))).Draw(t, "time"),
		Step:  rapid.OneOf(rapid.Int64Range(-2, 6), rapid.Int64()).Draw(t, "step"),
		Value: value.Draw(t, "value"),
	}
}

func TestAStoreHoldsWhatWasAppendedWhateverTheOrderThroughRestartsAndCrashes(t *testing.T) {
	base := t.TempDir()
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		dir := filepath.Join(base, fmt.Sprint(round))
		flush := rapid.SampledFrom([]int{1, 7, 60, 1 << 20}).Draw(rt, "flush")
		s := open(t, dir, flush)
		want := model{}
		var before []batch
		for range rapid.IntRange(1, 15).Draw(rt, "actions") {
			switch rapid.IntRange(0, 9).Draw(rt, "action") {
			case 0:
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = open(t, dir, flush)
			case 1: // kill -9: what the next process finds is a copy of the files as they are now
				round++
				next := filepath.Join(base, fmt.Sprint(round))
				s.settle()
				if err := os.CopyFS(next, os.DirFS(dir)); err != nil {
					rt.Fatal(err)
				}
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				tear(rt, next)
				dir = next
				s = open(t, dir, flush)
			case 2: // a client that did not see the answer
				if len(before) > 0 {
					b := rapid.SampledFrom(before).Draw(rt, "repeated")
					if err := s.Log(context.Background(), b.RunID, slices.Clone(b.Metrics)); err != nil {
						rt.Fatal(err)
					}
				}
			default:
				b := batch{RunID: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "run")}
				at := rapid.Int64Range(0, 1000).Draw(rt, "from")
				for i := range rapid.IntRange(1, 40).Draw(rt, "points") {
					p := drawPoint(rt)
					if i%3 > 0 {
						p = track.Point{Time: at + int64(i), Step: at + int64(i), Value: p.Value}
					}
					b.Metrics = append(b.Metrics, track.Metric{Key: rapid.SampledFrom([]string{"loss", "acc", "é"}).Draw(rt, "key"), Point: p})
				}
				before = append(before, batch{b.RunID, slices.Clone(b.Metrics)})
				want.add(b)
				if err := s.Log(context.Background(), b.RunID, b.Metrics); err != nil {
					rt.Fatal(err)
				}
			}
		}
		check(rt, s, want)
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

// tear adds what a process that died in a write leaves behind.
func tear(t *rapid.T, dir string) {
	f, err := listFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.logs) == 0 {
		return
	}
	path := filepath.Join(dir, logName(f.logs[len(f.logs)-1]))
	rec := appendRecord(nil, batch{"torn", []track.Metric{{Key: "k", Point: track.Point{Time: 1}}}})
	cut := rapid.IntRange(0, len(rec)-1).Draw(t, "torn at")
	log, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Write(rec[:cut]); err != nil {
		t.Fatal(err)
	}
}

func check(t *rapid.T, s *Store, want model) {
	for _, runID := range []string{"a", "b"} {
		stats, err := s.Stats(runID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want.stats(runID), stats, equal); diff != "" {
			t.Fatalf("sums of run %s:\n%s", runID, diff)
		}
		for _, key := range []string{"loss", "acc", "é", "none"} {
			pts := want[runID][key]
			got, more, err := s.History(runID, key, 0, -1)
			if err != nil || more {
				t.Fatal(err, more)
			}
			if diff := gocmp.Diff(pts, got, equal); diff != "" {
				t.Fatalf("history of %s/%s:\n%s", runID, key, diff)
			}
			size := rapid.IntRange(1, 50).Draw(t, "page")
			var paged []track.Point
			for more = true; more; {
				got, more, err = s.History(runID, key, len(paged), size)
				if err != nil || (more && len(got) != size) {
					t.Fatal(err, len(got), size)
				}
				paged = append(paged, got...)
			}
			if diff := gocmp.Diff(pts, paged, equal); diff != "" {
				t.Fatalf("pages of %s/%s:\n%s", runID, key, diff)
			}
			var within *track.Steps
			if rapid.Bool().Draw(t, "bounded") {
				within = &track.Steps{From: rapid.Int64Range(-3, 500).Draw(t, "from"), To: rapid.Int64Range(-3, 1000).Draw(t, "to")}
			}
			n := rapid.IntRange(1, 30).Draw(t, "sample")
			got, err = s.Sample(runID, key, within, n)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(sample(pts, within, n), got, equal); diff != "" {
				t.Fatalf("%d samples of %s/%s within %v:\n%s", n, runID, key, within, diff)
			}
		}
	}
}

func TestExtremesKeepTheHighestAndTheLowestValue(t *testing.T) {
	s := open(t, t.TempDir(), 1000)
	defer s.Close()
	r := rand.New(rand.NewPCG(1, 2))
	var b batch
	b.RunID = "r"
	for i := range 5000 {
		v := r.NormFloat64()
		switch i {
		case 1234:
			v = 99
		case 4321:
			v = -99
		case 77:
			v = math.NaN()
		}
		b.Metrics = append(b.Metrics, track.Metric{Key: "k", Point: track.Point{Time: int64(i), Step: int64(i), Value: v}})
	}
	if err := s.Log(t.Context(), b.RunID, b.Metrics); err != nil {
		t.Fatal(err)
	}
	pts, err := s.Extremes("r", "k", nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i, p := range pts {
		low, high = min(low, p.Value), max(high, p.Value)
		if i > 0 && pts[i-1].Step >= p.Step {
			t.Errorf("step %d comes after step %d", p.Step, pts[i-1].Step)
		}
	}
	if low != -99 || high != 99 || len(pts) > 100 || pts[0].Step != 0 || pts[len(pts)-1].Step != 4999 {
		t.Errorf("%d points from step %d to %d between %v and %v; want at most 100 from 0 to 4999 between -99 and 99",
			len(pts), pts[0].Step, pts[len(pts)-1].Step, low, high)
	}
}

func TestAPointOfARealCurveTakesAFewBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		name  string
		value func(i int) float64
		most  float64
	}{
		{"losses with every bit of a double", func(i int) float64 { return 1/math.Sqrt(float64(i+1)) + 0.02*r.Float64() }, 8},
		{"losses of a float32", func(i int) float64 { return float64(float32(1/math.Sqrt(float64(i+1)) + 0.02*r.Float64())) }, 5},
		{"accuracies of four digits", func(int) float64 { return math.Round(1e4*(0.9+0.01*r.Float64())) / 1e4 }, 3},
		{"a constant", func(int) float64 { return 0.001 }, 1.5},
	} {
		dir := t.TempDir()
		s := open(t, dir, 1<<20)
		const n = 20_000
		now := int64(1_790_000_000_000)
		b := batch{RunID: "0123456789abcdef0123456789abcdef"}
		for i := range n {
			now += 50 + r.Int64N(12)
			b.Metrics = append(b.Metrics, track.Metric{Key: "train/loss", Point: track.Point{Time: now, Step: int64(i), Value: c.value(i)}})
		}
		if err := s.Log(t.Context(), b.RunID, b.Metrics); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		size := int64(0)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			size += info.Size()
		}
		per := float64(size) / n
		t.Logf("%s: %.2f bytes a point", c.name, per)
		if per > c.most {
			t.Errorf("%s: %.2f bytes a point, want at most %v", c.name, per, c.most)
		}
	}
}

func TestDamageIsFoundAndNamed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 10)
	for i := range 40 {
		b := batch{"r", []track.Metric{{Key: "k", Point: track.Point{Time: int64(i), Value: 0.1}}}}
		if err := s.Log(t.Context(), b.RunID, b.Metrics); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := listFiles(dir)
	if err != nil || len(f.segments) == 0 {
		t.Fatal(err, f)
	}
	path := filepath.Join(dir, segmentName(f.segments[0]))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		bad := slices.Clone(good)
		bad[at] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{Dir: dir})
		if err != nil {
			continue
		}
		pts, _, err := s.History("r", "k", 0, -1)
		if err == nil && at >= len(segmentMagic) {
			t.Errorf("a bit at %d of %d is wrong and nothing says so: %d points", at, len(good), len(pts))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzADecodedBlockIsWhatWasEncoded(f *testing.F) {
	f.Add([]byte{1, 0, 0})
	f.Add(appendBlock(nil, []track.Point{{Time: 1, Step: 2, Value: 3}, {Time: 2, Step: 3, Value: math.Pi}, {Time: 9, Step: 4, Value: math.NaN()}}))
	f.Fuzz(func(t *testing.T, in []byte) {
		pts, err := decodePoints(in)
		if err != nil {
			return
		}
		again, err := readBlock(appendBlock(nil, pts))
		if err != nil {
			t.Fatal(err)
		}
		for i := range pts {
			if a, b := pts[i], again[i]; a.Time != b.Time || a.Step != b.Step || math.Float64bits(a.Value) != math.Float64bits(b.Value) &&
				!(a.Value == 0 && b.Value == 0) && !(a.Value != a.Value && b.Value != b.Value) {
				t.Fatalf("point %d: %v became %v", i, a, b)
			}
		}
	})
}

func FuzzALogRecordIsReadOrRefused(f *testing.F) {
	f.Add(appendRecord(nil, batch{"run", []track.Metric{{Key: "k", Point: track.Point{Time: 1}}}})[recordHead:])
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := decodeRecord(in)
		if err != nil {
			return
		}
		if _, err := decodeRecord(appendRecord(nil, b)[recordHead:]); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkAppendOnePoint(b *testing.B) {
	s := open(b, b.TempDir(), 0)
	defer s.Close()
	b.SetParallelism(20)
	b.RunParallel(func(pb *testing.PB) {
		for i := int64(0); pb.Next(); i++ {
			if err := s.Log(context.Background(), "run", []track.Metric{{Key: "k", Point: track.Point{Time: rand.Int64N(1 << 40), Step: i}}}); err != nil {
				b.Error(err)
			}
		}
	})
}
