package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"levada/internal/adapter/store"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// crashEnv names the database for the child process of the crash test.
const crashEnv = "LEVADA_TEST_CRASH_DATABASE"

// crashChild writes rows until it is killed, and prints each one after it was acknowledged.
func crashChild() {
	path := os.Getenv(crashEnv)
	if path == "" {
		return
	}
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{Path: path})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			r := run.Run{ID: fmt.Sprint(os.Getpid(), "-", w), State: run.Running, CreatedAt: time.UnixMicro(1)}
			for seq := int64(1); ; seq++ {
				var err error
				event := []run.Event{{Seq: seq, Type: "e", Body: fmt.Appendf(nil, "%d", seq)}}
				if seq == 1 {
					err = s.CreateRun(ctx, r, event, nil)
				} else {
					err = s.Append(ctx, r.ID, event, run.Changes{Run: &r})
				}
				if err != nil {
					fmt.Println("error:", err)
					os.Exit(1)
				}
				// One write, so that lines of several writers do not mix.
				_, _ = os.Stdout.WriteString(fmt.Sprintf("%s %d\n", r.ID, seq))
			}
		})
	}
	writers.Wait()
}

func TestWhatWasAcknowledgedIsThereAfterTheProcessIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levada.db")
	acknowledged := map[string]int64{}
	for round := range 5 {
		killAfter(t, path, 200+100*round, acknowledged)
		s, err := store.Open(t.Context(), store.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		for id, last := range acknowledged {
			log, err := s.Events(t.Context(), id, 1)
			if err != nil {
				t.Fatal(err)
			}
			if n := int64(len(log)); n < last {
				t.Errorf("round %d: run %s has %d events, %d were acknowledged", round, id, n, last)
			}
			for i, e := range log {
				if e.Seq != int64(i+1) || string(e.Body) != strconv.Itoa(i+1) {
					t.Fatalf("run %s: event %d is %+v", id, i, e)
				}
			}
			if err := s.Append(t.Context(), id, []run.Event{{Seq: int64(len(log)), Type: "e"}}, run.Changes{}); fault.KindOf(err) != fault.Conflict {
				t.Errorf("append at the old end gave %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter starts a child, kills it once it has acknowledged n rows, and notes the last row of each run.
func killAfter(t *testing.T, path string, n int, acknowledged map[string]int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		if i == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		id, seq, ok := strings.Cut(lines.Text(), " ")
		last, err := strconv.ParseInt(seq, 10, 64)
		if !ok || err != nil {
			if i > n {
				continue // the line that the kill cut off
			}
			t.Fatalf("child said %q", lines.Text())
		}
		acknowledged[id] = max(acknowledged[id], last)
	}
	_ = child.Wait() // killed
}
