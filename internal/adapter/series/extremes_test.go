package series

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"levada/internal/core/track"
)

// logNoise logs a curve of noise with gaps, a thousand points at a time, and returns it.
func logNoise(t testing.TB, s *Store, runID string, n int, value func(i int, r *rand.Rand) float64) []track.Point {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	var all []track.Point
	for first := 0; first < n; first += 1000 {
		b := batch{RunID: runID}
		for i := first; i < min(n, first+1000); i++ {
			p := track.Point{Time: int64(i), Step: int64(i), Value: value(i, r)}
			all = append(all, p)
			b.Metrics = append(b.Metrics, track.Metric{Key: "k", Point: p})
		}
		if err := s.Log(context.Background(), b.RunID, b.Metrics); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func gappy(i int, r *rand.Rand) float64 {
	if r.IntN(50) == 0 || i/2000 == 7 {
		return math.NaN()
	}
	return r.NormFloat64()
}

// checkExtremes fails when what was given of all points is not what an eye would see of them.
func checkExtremes(t *testing.T, what string, got, all []track.Point, n int) {
	t.Helper()
	if len(got) > n || asKey(got[0]) != asKey(all[0]) || asKey(got[len(got)-1]) != asKey(all[len(all)-1]) {
		t.Fatalf("%s: %d points from %v to %v; want at most %d from %v to %v", what, len(got), got[0], got[len(got)-1], n, all[0], all[len(all)-1])
	}
	for i, p := range got {
		if i > 0 && got[i-1].Step >= p.Step {
			t.Fatalf("%s: step %d comes after step %d", what, p.Step, got[i-1].Step)
		}
		if asKey(all[p.Step]) != asKey(p) {
			t.Fatalf("%s: %v was never logged", what, p)
		}
	}
	// Every value lies between those that are shown of its neighbourhood, which is two buckets wide to either side.
	width := int64(2*len(all)/max(1, (n-2)/2) + 1)
	for i, p := range all {
		if math.IsNaN(p.Value) || i == 0 || i == len(all)-1 || n < 4 {
			continue
		}
		low, high := math.Inf(1), math.Inf(-1)
		from, _ := slices.BinarySearchFunc(got, p.Step-width, func(a track.Point, step int64) int { return int(a.Step - step) })
		for _, g := range got[from:] {
			if g.Step > p.Step+width {
				break
			}
			low, high = min(low, g.Value), max(high, g.Value)
		}
		if p.Value < low || p.Value > high {
			t.Fatalf("%s: %v is not between %v and %v, which are shown around it", what, p, low, high)
		}
	}
}

func TestExtremesAreSeenThoughFewPointsAreRead(t *testing.T) {
	for _, flush := range []int{3000, 1 << 20} {
		s := open(t, t.TempDir(), flush)
		all := logNoise(t, s, "r", 40_000, gappy)
		for _, n := range []int{2, 3, 7, 12, 50, 80, 400, 50_000} {
			got, err := s.Extremes("r", "k", nil, n)
			if err != nil {
				t.Fatal(err)
			}
			checkExtremes(t, fmt.Sprintf("at most %d, %d in memory", n, flush), got, all, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// writeFirst writes a segment of the first form.
func writeFirst(t *testing.T, dir string, seq uint64, runID string, pts []track.Point) {
	t.Helper()
	w, err := newSegmentWriter(dir, seq)
	if err != nil {
		t.Fatal(err)
	}
	w.magic, w.buffer = magicOfFirst, []byte(magicOfFirst)
	w.add(runID, "k", pts)
	g, err := w.finish(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.release(); err != nil {
		t.Fatal(err)
	}
}

func TestSegmentsOfTheFirstFormAreReadAndMergedIntoTheSecond(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(5, 6))
	var all []track.Point
	for i := range 6 * 5000 {
		all = append(all, track.Point{Time: int64(i), Step: int64(i), Value: gappy(i, r)})
	}
	for i := range 6 {
		writeFirst(t, dir, uint64(i+1), "r", all[5000*i:5000*(i+1)])
	}
	s := open(t, dir, 1<<20)
	before, err := s.Extremes("r", "k", nil, 30)
	if err != nil {
		t.Fatal(err)
	}
	checkExtremes(t, "first form", before, all, 30)
	if err := s.compact(); err != nil {
		t.Fatal(err)
	}
	if len(s.segments) != 1 || !s.segments[0].located {
		t.Fatalf("%d segments, want one of the second form", len(s.segments))
	}
	after, err := s.Extremes("r", "k", nil, 30)
	if err != nil {
		t.Fatal(err)
	}
	checkExtremes(t, "second form", after, all, 30)
	history, _, err := s.History("r", "k", 0, -1)
	if err != nil || !slices.EqualFunc(history, all, func(a, b track.Point) bool { return asKey(a) == asKey(b) }) {
		t.Fatalf("%d points after the merge, %v; want all %d", len(history), err, len(all))
	}
	v, err := s.view("r", "k")
	if err != nil {
		t.Fatal(err)
	}
	defer v.release()
	for _, c := range v.clusters {
		if len(c) != 1 || !c[0].ref.located {
			t.Errorf("the block of step %d is not located", c[0].ref.first.Step)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(filepath.Join(dir, segmentName(s.segments[0].seq)))
	if err != nil || string(head[:len(segmentMagic)]) != segmentMagic {
		t.Errorf("the file begins with %q, %v", head[:min(len(head), len(segmentMagic))], err)
	}
}

func BenchmarkExtremesOfAMillionPoints(b *testing.B) { benchmarkExtremes(b, 1_000_000) }

// Blocks of these are longer than a bucket: each of them is read.
func BenchmarkExtremesOfAHundredThousandPoints(b *testing.B) { benchmarkExtremes(b, 100_000) }

func benchmarkExtremes(b *testing.B, points int) {
	s := open(b, b.TempDir(), 100_000)
	defer s.Close()
	logNoise(b, s, "r", points, func(i int, r *rand.Rand) float64 { return math.Round(1e4*(1/(1+float64(i)/1e5)+r.Float64()/10)) / 1e4 })
	for b.Loop() {
		if _, err := s.Extremes("r", "k", nil, 240); err != nil {
			b.Fatal(err)
		}
	}
}
