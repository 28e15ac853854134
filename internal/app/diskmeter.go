package app

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	v1 "levada/internal/api/v1"
	"levada/internal/core/run"
)

// How long figures of the disk are good for, and how long measuring may take.
const (
	measuredFor = 10 * time.Minute
	measureMost = 5 * time.Minute
)

// diskMeter measures what takes room in the data directory, one measurement at a time, beside those who ask for the figures.
type diskMeter struct {
	dir      string
	freeable func(context.Context) (run.Swept, run.CachePruned, error)
	now      func() time.Time
	// told is called when a measurement is over.
	told func()

	ctx  context.Context //nolint:containedctx // the lifetime of the server, not of a request
	stop context.CancelFunc
	busy sync.WaitGroup

	mu        sync.Mutex
	measuring bool
	closed    bool
	last      v1.DiskStatus
}

func newDiskMeter(dir string, now func() time.Time, told func(), freeable func(context.Context) (run.Swept, run.CachePruned, error)) *diskMeter {
	m := &diskMeter{dir: dir, now: now, told: told, freeable: freeable}
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m
}

// close gives up a measurement and waits for it.
func (m *diskMeter) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.stop()
	m.busy.Wait()
}

// status returns the figures that were measured last, and has them measured again when they are old.
func (m *diskMeter) status() v1.DiskStatus {
	m.mu.Lock()
	old := m.last.MeasuredAt == nil || m.now().Sub(*m.last.MeasuredAt) > measuredFor
	m.mu.Unlock()
	if old {
		m.measure()
	}
	m.mu.Lock()
	out := m.last
	out.Measuring = m.measuring
	m.mu.Unlock()
	out.Path = m.dir
	out.TotalBytes, out.FreeBytes = diskSpace(m.dir)
	return out
}

// measure begins to measure, unless that is being done.
func (m *diskMeter) measure() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.measuring || m.closed {
		return
	}
	m.measuring = true
	m.busy.Add(1)
	go func() {
		defer m.busy.Done()
		got := m.take()
		m.mu.Lock()
		m.measuring = false
		if m.ctx.Err() == nil {
			m.last = got
		}
		m.mu.Unlock()
		m.told()
	}()
}

func (m *diskMeter) take() v1.DiskStatus {
	ctx, cancel := context.WithTimeout(m.ctx, measureMost)
	defer cancel()
	var out v1.DiskStatus
	entries, err := os.ReadDir(m.dir)
	for _, e := range entries {
		area := v1.DiskArea{Name: e.Name()}
		if failed := weigh(ctx, filepath.Join(m.dir, e.Name()), &area); failed != nil {
			out.Partial = true
			err = errors.Join(err, failed)
		}
		if area.Files > 0 {
			out.Areas = append(out.Areas, area)
		}
	}
	slices.SortFunc(out.Areas, func(a, b v1.DiskArea) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name)) })
	swept, cache, failed := m.freeable(ctx)
	if failed == nil {
		out.Unused, out.Cache = &swept, &cache
	}
	if err = errors.Join(err, failed); err != nil {
		out.Problem = err.Error()
	}
	at := m.now().UTC()
	out.MeasuredAt = &at
	return out
}

// weigh adds up the files at and below a path. Files come and go meanwhile. A link at the path itself is followed, those below are not.
func weigh(ctx context.Context, path string, area *v1.DiskArea) error {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return filepath.WalkDir(real, func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && info.Mode().IsRegular() {
			area.Bytes += info.Size()
			area.Files++
		}
		return err
	})
}
