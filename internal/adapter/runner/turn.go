package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long an overseer waits for an earlier one to stop starting steps before it ends it.
const patience = 20 * time.Second

// turn makes sure that at most one overseer starts steps on a data directory. An overseer gives its turn up when its server has gone
// and everything it was told to start has its record; so whoever has the turn can trust the records. The lock is the
// kernel's: it goes with its process, however that ends.
type turn struct {
	path  string
	log   *slog.Logger
	self  identity
	got   chan struct{}
	quit  chan struct{}
	asked sync.Once
	ended sync.Once
	done  sync.WaitGroup
	file  *os.File
	err   error // set before got is closed
}

func newTurn(dataDir string, log *slog.Logger) *turn {
	return &turn{path: filepath.Join(dataDir, "supervisor.lock"), log: log, self: identify(os.Getpid()), got: make(chan struct{}), quit: make(chan struct{})}
}

// ask asks for the turn and does not wait for it.
func (t *turn) ask() {
	if t.try() {
		close(t.got)
		return
	}
	t.done.Go(func() {
		defer close(t.got)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		limit := time.NewTimer(patience)
		defer limit.Stop()
		for !t.try() {
			select {
			case <-tick.C:
			case <-limit.C:
				t.endHolder()
				limit.Reset(patience)
			case <-t.quit:
				t.err = errors.New("shutting down")
				return
			}
		}
	})
}

// try takes the lock if it is free, and reports whether there is nothing more to wait for.
func (t *turn) try() bool {
	if t.file == nil {
		if t.err = os.MkdirAll(filepath.Dir(t.path), 0o700); t.err != nil {
			return true
		}
		if t.file, t.err = os.OpenFile(t.path, os.O_CREATE|os.O_RDWR, 0o600); t.err != nil {
			return true
		}
	}
	switch err := unix.Flock(int(t.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR):
		return false
	case err != nil:
		t.err = fmt.Errorf("lock %s: %w", t.path, err)
		return true
	}
	b, err := json.Marshal(t.self)
	if err == nil {
		err = errors.Join(t.file.Truncate(0), writeAt(t.file, b))
	}
	t.err = err
	return true
}

func writeAt(f *os.File, b []byte) error {
	_, err := f.WriteAt(b, 0)
	return err
}

// endHolder kills an overseer that neither starts steps nor gives up its turn: it is stopped, or stuck.
func (t *turn) endHolder() {
	b, err := io.ReadAll(io.NewSectionReader(t.file, 0, 1<<10))
	var holder identity
	if err == nil && json.Unmarshal(b, &holder) == nil && holder != t.self && holder.alive() {
		t.log.Error("an earlier supervisor of steps does not answer: it is killed, and its steps with it", "pid", holder.PID, "after", patience)
		_ = syscall.Kill(holder.PID, syscall.SIGKILL)
	}
}

// wait returns when this overseer may start steps.
func (t *turn) wait(ctx context.Context) error {
	t.asked.Do(t.ask)
	select {
	case <-t.got:
		return t.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end gives the turn up. Ending it twice is safe.
func (t *turn) end() {
	t.ended.Do(func() {
		t.asked.Do(func() {}) // from now on nobody can ask
		close(t.quit)
		t.done.Wait()
		if t.file != nil {
			t.file.Close()
		}
	})
}
