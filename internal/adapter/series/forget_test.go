package series

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

func points(n int) []track.Metric {
	out := make([]track.Metric, n)
	for i := range out {
		out[i] = track.Metric{Key: "loss", Point: track.Point{Time: int64(i), Step: int64(i), Value: float64(i) * 1.37}}
	}
	return out
}

func diskUse(t *testing.T, dir string) (total int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	return total
}

func TestWhatIsForgottenGivesItsSpaceBack(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, FlushPoints: 5000})
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for i := range 20 {
		id := fmt.Sprint("run-", i)
		if err := s.Log(t.Context(), id, points(1000)); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			gone = append(gone, id)
		}
	}
	s.settle()
	before := diskUse(t, dir)
	for range 2 { // the second time there is nothing to do
		if err := s.Forget(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	if after := diskUse(t, dir); after > before/5 {
		t.Errorf("%d bytes before, %d after; want about a twentieth", before, after)
	}
	look := func() {
		t.Helper()
		for i := range 20 {
			stats, err := s.Stats(fmt.Sprint("run-", i))
			if err != nil || i == 0 && (len(stats) != 1 || stats[0].Count != 1000) || i > 0 && len(stats) > 0 {
				t.Errorf("run %d: %+v %v; want only the first to be there", i, stats, err)
			}
		}
		pts, _, err := s.History("run-0", "loss", 0, -1)
		if err != nil || len(pts) != 1000 {
			t.Errorf("%d points of the first, %v", len(pts), err)
		}
	}
	look()
	// As after a crash: another store reads what is on disk.
	if s, err = Open(Options{Dir: dir, FlushPoints: 5000}); err != nil {
		t.Fatal(err)
	}
	look()
	if err := s.Log(t.Context(), "run-0", points(1001)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSegmentsThatCouldNotBeRemovedDoNotComeBack(t *testing.T) {
	dir := t.TempDir()
	var group []*segment
	seq := uint64(0)
	write := func(run string) *segment {
		seq++
		m := newMemtable()
		for _, p := range points(10) {
			m.add(run, p.Key, p.Point)
		}
		g, err := writeMemtable(dir, seq, m)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	old := write("a")
	content, err := os.ReadFile(old.path)
	if err != nil {
		t.Fatal(err)
	}
	seq++
	first, err := merge(dir, seq, []*segment{old}, nil) // the old one stays where it is
	if err != nil {
		t.Fatal(err)
	}
	group = append(group, first, write("b"))
	seq++
	second, err := merge(dir, seq, group, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(remove(group), second.release(), old.release(), os.WriteFile(old.path, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stats, err := s.Stats("a")
	if err != nil || len(stats) != 1 || stats[0].Count != 10 {
		t.Errorf("%+v %v; want the ten points once", stats, err)
	}
	if _, err := os.Stat(old.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old segment is still there: %v", err)
	}
}

func TestABatchThatNoLogCanHoldIsRefusedBeforeItIsWritten(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	defer s.Close()
	key := strings.Repeat("k", 1<<20)
	var large []track.Metric
	for i := range 65 {
		large = append(large, track.Metric{Key: key + fmt.Sprint(i), Point: track.Point{Value: 1}})
	}
	if err := s.Log(t.Context(), "r", large); fault.KindOf(err) != fault.TooLarge || err == nil {
		t.Errorf("65 MiB of keys: %v; want them refused as too large", err)
	}
	if err := s.Log(t.Context(), "r", points(200_000)); err != nil {
		t.Errorf("many points of one metric: %v", err)
	}
}

// heard collects the messages of a log.
type heard struct {
	slog.Handler
	messages *[]string
}

func (heard) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (h heard) Handle(_ context.Context, r slog.Record) error {
	*h.messages = append(*h.messages, r.Message)
	return nil
}

func TestABrokenRecordTakesNothingWithIt(t *testing.T) {
	dir := t.TempDir()
	w, err := createLog(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	var offsets []int64
	for i := range 5 {
		offsets = append(offsets, w.size)
		record := appendRecord(nil, batch{RunID: "r", Metrics: []track.Metric{{Key: fmt.Sprint("m", i), Point: track.Point{Value: 1}}}})
		if err := w.write(record); err != nil {
			t.Fatal(err)
		}
	}
	path := w.file.Name()
	if _, err := w.file.WriteAt([]byte{0xff}, offsets[1]+recordHead+3); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.file.Close(), os.Truncate(path, w.size-2)); err != nil { // and the last one is torn
		t.Fatal(err)
	}
	var messages []string
	for range 2 { // found, and after it was mended
		s, err := Open(Options{Dir: dir, Logger: slog.New(heard{slog.DiscardHandler, &messages})})
		if err != nil {
			t.Fatal(err)
		}
		stats, err := s.Stats("r")
		if err != nil || len(stats) != 3 || stats[0].Key != "m0" || stats[1].Key != "m2" || stats[2].Key != "m3" {
			t.Errorf("%+v %v; want m0, m2 and m3", stats, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(messages) != 1 || !strings.Contains(messages[0], "in the middle") {
		t.Errorf("the log says %q; want the damage told once", messages)
	}
	if _, err := os.Stat(filepath.Join(dir, "damaged-"+filepath.Base(path))); err != nil {
		t.Errorf("the damaged log was not kept: %v", err)
	}
}
