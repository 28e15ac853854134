package series

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"levada/internal/core/track"
)

// logWith writes a log with one batch and whatever is to follow it, as if the process had died then.
func logWith(t *testing.T, dir string, seq uint64, tail string) string {
	t.Helper()
	w, err := createLog(dir, seq)
	if err != nil {
		t.Fatal(err)
	}
	b := batch{RunID: "r", Metrics: []track.Metric{{Key: "loss", Point: track.Point{Time: int64(seq), Value: 1}}}}
	if err := errors.Join(w.write(append(appendRecord(nil, b), tail...)), w.close()); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, logName(seq))
}

func TestWhatAPowerFailureLeavesAtTheEndOfTheNewestLogIsCutOff(t *testing.T) {
	for name, tail := range map[string]string{
		"zeros where the data did not reach the disk": string(make([]byte, 64)),
		"the beginning of a header":                   "abc",
		"a header without its body":                   "\x09\x00\x00\x00abcd",
		"bytes that are no record":                    "\x01\x00\x00\x00abcdx",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			logWith(t, dir, 1, tail)
			s, err := Open(Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			stats, err := s.Stats("r")
			if err != nil || len(stats) != 1 || stats[0].Count != 1 {
				t.Errorf("%+v %v, want the point that was acknowledged", stats, err)
			}
		})
	}
}

func TestALogWhoseBeginningIsDamagedIsNotRemoved(t *testing.T) {
	dir := t.TempDir()
	path := logWith(t, dir, 1, "")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("X"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, errDamaged) {
		t.Errorf("%v, want that the store is damaged", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("the log, with points that were acknowledged, is gone: ", err)
	}
}
