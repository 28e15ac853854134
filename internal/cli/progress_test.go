package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/run"
)

func liveProgress(tasks ...run.Task) *progress {
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	p := &progress{app: &app{deps: Deps{Now: func() time.Time { return now }}}, live: true,
		run:   run.Run{DisplayName: "demo", CreatedAt: now.Add(-5 * time.Second)},
		index: map[string]int{}, lines: map[string]string{}, following: map[string]bool{}}
	for _, t := range tasks {
		if t.State != run.Pending {
			began := now.Add(-2 * time.Second)
			t.StartedAt = &began
		}
		if t.State.Final() {
			t.FinishedAt = &now
		}
		t.ID = t.Path
		p.noteTask(t)
	}
	return p
}

func leaf(path string, s run.State) run.Task {
	return run.Task{Path: path, Kind: run.KindContainer, State: s}
}

func TestTheLiveDisplayShowsOneLinePerTask(t *testing.T) {
	cached := leaf("load", run.Succeeded)
	cached.Cached = true
	group := run.Task{Path: "if", Kind: run.KindDAG, State: run.Running}
	passed := run.Task{Path: "else", Kind: run.KindDAG, State: run.Skipped, Reason: "condition is false"}
	p := liveProgress(cached, leaf("train", run.Running), group, passed, leaf("report", run.Pending))
	p.lines["train"] = "epoch 3"
	want := []string{
		"⠋ demo  5.0s  2/4 tasks",
		"  ✓ load    cached",
		"  ⠋ train   2.0s  epoch 3",
		"  - else    2.0s, condition is false",
		"  · report  ",
	}
	if diff := cmp.Diff(want, p.block(80, 24, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestTheLiveDisplayFitsASmallTerminal(t *testing.T) {
	var tasks []run.Task
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		tasks = append(tasks, leaf(strings.Repeat(name, 30), run.Succeeded))
	}
	tasks = append(tasks, leaf("running", run.Running), leaf("failed", run.Failed), leaf("pending", run.Pending))
	lines := liveProgress(tasks...).block(30, 6, 0)
	if len(lines) != 6 {
		t.Fatalf("%d lines on a screen of 6: %q", len(lines), lines)
	}
	text := strings.Join(lines, "\n")
	for _, part := range []string{"running", "failed", "… and 5 more"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
	for _, l := range lines {
		if n := len([]rune(l)); n > 30 {
			t.Errorf("line of %d cells: %q", n, l)
		}
	}
}

func TestAServerFileIsBelievedOnlyWhileItsServerLives(t *testing.T) {
	dir := t.TempDir()
	if err := writeServerFile(dir, serverFile{URL: "http://127.0.0.1:1", PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	if f, ok := readServerFile(dir); !ok || f.PID != os.Getpid() {
		t.Errorf("read back %+v, %t", f, ok)
	}
	if url, ok := runningServer(t.Context(), dir); ok {
		t.Errorf("believed %s, where nothing listens", url)
	}
	if err := removeServerFile(dir, os.Getpid()+1); err != nil {
		t.Fatal(err)
	}
	if _, ok := readServerFile(dir); !ok {
		t.Error("the announcement of another process was removed")
	}
	if err := removeServerFile(dir, os.Getpid()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.WriteFile(filepath.Join(dir, serverFileName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := readServerFile(dir); ok {
		t.Error("a broken file was believed")
	}
}
