package steplog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"levada/internal/core/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, s *Store) *Writer {
	t.Helper()
	w, err := s.Open("run", "task", 1)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func read(t testing.TB, s *Store) []run.LogLine {
	t.Helper()
	var out []run.LogLine
	err := s.Read(t.Context(), "run", "task", 1, false, func(l run.LogLine) error {
		out = append(out, l)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func texts(lines []run.LogLine) []string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Stream+" "+l.Text)
	}
	return out
}

func finish(t testing.TB, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLinesComeBackWithTheirTimesAndStreams(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.UTC)
	s := New(Options{Dir: t.TempDir(), Clock: func() time.Time { return at }})
	w := open(t, s)
	w.Write(Stdout, []byte("one\ntw"))
	w.Write(Stderr, []byte("err\r\n"))
	w.Write(Stdout, []byte("o\n\nbell\x07 tab\t nul\x00 bad\xff ü \xc2"))
	w.System("hello %d", 1)
	finish(t, w)
	want := []string{"stdout one", "stderr err", "stdout two", "stdout ", "system hello 1", `stdout bell\x07 tab	 nul\x00 bad\xff ü \xc2`}
	got := read(t, s)
	if diff := cmp.Diff(want, texts(got)); diff != "" {
		t.Error(diff)
	}
	if !got[0].At.Equal(at) {
		t.Errorf("time %s", got[0].At)
	}
	b, err := os.ReadFile(filepath.Join(s.opt.Dir, "run", "task", "1.log"))
	if err != nil || !strings.HasPrefix(string(b), "2026-01-02T03:04:05.6789Z stdout F one\n") {
		t.Errorf("file: %q, %v", b, err)
	}
}

func TestAnyBytesInAnyPiecesGiveTheSameLines(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("aü€\n\t😀")), 0, 200, -1).Draw(rt, "text")
		text += strings.Repeat("€", rapid.SampledFrom([]int{0, 5461, 5462, 12000}).Draw(rt, "long")) + "\n"
		n++
		dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
		s := New(Options{Dir: dir})
		w := open(t, s)
		for rest := []byte(text); len(rest) > 0; {
			k := rapid.IntRange(1, len(rest)).Draw(rt, "piece")
			w.Write(Stdout, rest[:k])
			rest = rest[k:]
		}
		finish(t, w)
		var got []string
		for _, l := range read(t, s) {
			got = append(got, l.Text)
		}
		if diff := cmp.Diff(strings.Split(strings.TrimSuffix(text, "\n"), "\n"), got); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestALongLogKeepsItsBeginningAndItsEnd(t *testing.T) {
	s := New(Options{Dir: t.TempDir(), MaxBytes: 10_000, TailBytes: 2_000})
	w := open(t, s)
	for i := range 5000 {
		w.Write(Stdout, fmt.Appendf(nil, "line %d\n", i))
	}
	finish(t, w)
	got := texts(read(t, s))
	joined := strings.Join(got, "\n")
	for _, want := range []string{"stdout line 0\n", "longer than 10000 bytes", "were dropped here"} {
		if !strings.Contains(joined, want) {
			t.Errorf("no %q", want)
		}
	}
	if got[len(got)-1] != "stdout line 4999" || len(joined) > 20_000 {
		t.Errorf("%d bytes, last %q", len(joined), got[len(got)-1])
	}
	var dropped, bytes int
	for _, l := range got {
		fmt.Sscanf(l, "system %d lines (%d bytes)", &dropped, &bytes)
	}
	if lines := strings.Count(joined, "stdout "); lines+dropped != 5000 {
		t.Errorf("%d lines kept and %d dropped of 5000", lines, dropped)
	}
}

func TestAFollowerSeesLinesAsTheyAreWrittenAndEndsWithTheAttempt(t *testing.T) {
	s := New(Options{Dir: t.TempDir(), PollInterval: time.Millisecond})
	lines := make(chan string)
	done := make(chan error, 1)
	go func() {
		done <- s.Read(t.Context(), "run", "task", 1, true, func(l run.LogLine) error {
			lines <- l.Text
			return nil
		})
	}()
	w := open(t, s)
	for i := range 20 {
		w.System("%d", i)
		if got := <-lines; got != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
	}
	finish(t, w)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := s.Open("run", "task", 1); err != nil {
		t.Error("a closed log could not be continued:", err)
	}
}

func TestAFollowerFollowsAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	writing := New(Options{Dir: dir})
	reading := New(Options{Dir: dir, PollInterval: time.Millisecond})
	w := open(t, writing)
	w.System("first")
	got := make(chan string, 2)
	done := make(chan error, 1)
	go func() {
		done <- reading.Read(t.Context(), "run", "task", 1, true, func(l run.LogLine) error {
			got <- l.Text
			return nil
		})
	}()
	if l := <-got; l != "first" {
		t.Error(l)
	}
	w.System("second")
	finish(t, w)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFollowingEndsWithItsContextAndWithAnError(t *testing.T) {
	s := New(Options{Dir: t.TempDir()})
	w := open(t, s)
	defer w.Close()
	w.System("x")
	stop := errors.New("enough")
	if err := s.Read(t.Context(), "run", "task", 1, true, func(run.LogLine) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Read(ctx, "run", "task", 1, true, func(run.LogLine) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Read(t.Context(), "run", "nothing", 1, false, nil); err != nil {
		t.Error(err)
	}
}

func TestIdsCannotLeaveTheDirectory(t *testing.T) {
	s := New(Options{Dir: t.TempDir()})
	for _, id := range []string{"", "..", "a/b", ".hidden", "a\x00", strings.Repeat("x", 200)} {
		if _, err := s.Open(id, "task", 1); err == nil {
			t.Errorf("%q was accepted", id)
		}
		if err := s.DeleteRun(id); err == nil {
			t.Errorf("run %q was deleted", id)
		}
	}
	if _, err := s.Open("run", "task", 0); err == nil {
		t.Error("attempt 0 was accepted")
	}
	finish(t, open(t, s))
	if err := s.DeleteRun("run"); err != nil {
		t.Error(err)
	}
}

func TestARecordThatACrashCutShortDoesNotSpoilTheNext(t *testing.T) {
	s := New(Options{Dir: t.TempDir()})
	w := open(t, s)
	w.System("whole")
	finish(t, w)
	path := filepath.Join(s.opt.Dir, "run", "task", "1.log")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("2026-01-02T03:0")
	f.Close()
	w = open(t, s)
	w.System("after")
	finish(t, w)
	if diff := cmp.Diff([]string{"system whole", "system 2026-01-02T03:0", "system after"}, texts(read(t, s))); diff != "" {
		t.Error(diff)
	}
}

func TestManyStreamsAndReadersAtOnce(t *testing.T) {
	s := New(Options{Dir: t.TempDir()})
	w := open(t, s)
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			n := 0
			err := s.Read(t.Context(), "run", "task", 1, true, func(run.LogLine) error { n++; return nil })
			if err != nil || n != 600 {
				t.Errorf("%d lines, %v", n, err)
			}
		})
	}
	for _, stream := range []string{Stdout, Stderr, System} {
		writers.Go(func() {
			for i := range 200 {
				w.Write(stream, fmt.Appendf(nil, "%d\n", i))
			}
		})
	}
	writers.Wait()
	finish(t, w)
	readers.Wait()
}

func BenchmarkWriting(b *testing.B) {
	s := New(Options{Dir: b.TempDir()})
	w := open(b, s)
	defer w.Close()
	chunk := []byte(strings.Repeat("a line of ordinary length, as steps print them, with some numbers 1 2 3\n", 900))
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		w.Write(Stdout, chunk)
	}
}

func TestWhatIsToBeHiddenIsNeverStoredHoweverItArrives(t *testing.T) {
	const secret = "correct horse battery"
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		s := New(Options{Dir: dir})
		w := open(t, s)
		w.Hide(func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), secret, "***")) }, len(secret))
		// Lines around the length at which they are split, written in pieces.
		text := strings.Repeat("x", rapid.IntRange(0, maxPiece+100).Draw(r, "before")) + secret + strings.Repeat("y", rapid.IntRange(0, 100).Draw(r, "after"))
		if rapid.Bool().Draw(r, "whole") {
			text += "\n"
		}
		for len(text) > 0 {
			n := rapid.IntRange(1, len(text)).Draw(r, "piece")
			w.Write(Stdout, []byte(text[:n]))
			text = text[n:]
		}
		finish(t, w)
		var all strings.Builder
		for _, l := range read(t, s) {
			all.WriteString(l.Text)
		}
		if strings.Contains(all.String(), secret) || !strings.Contains(all.String(), "***") {
			r.Fatalf("stored: %q", all.String()[max(0, all.Len()-300):])
		}
	})
}
