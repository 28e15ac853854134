package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/core/run"
)

func TestTheDiskIsMeasuredBesideThoseWhoAskAndNotForEach(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write := func(path string, n int) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "blobs", "a", "b"), 10)
	write(filepath.Join(dir, "blobs", "c"), 5)
	write(filepath.Join(dir, "levada.db"), 100)
	write(filepath.Join(elsewhere, "x"), 7)
	for from, to := range map[string]string{filepath.Join(dir, "envs"): elsewhere, filepath.Join(dir, "gone"): filepath.Join(dir, "nothing"), filepath.Join(dir, "blobs", "loop"): dir} {
		if err := os.Symlink(to, from); err != nil {
			t.Skip(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		var failed error
		m := newDiskMeter(dir, time.Now, func() {}, func(context.Context) (run.Swept, run.CachePruned, error) {
			asked.Add(1)
			return run.Swept{Files: 2}, run.CachePruned{Entries: 3}, failed
		})
		defer m.close()
		if first := m.status(); !first.Measuring || first.MeasuredAt != nil || first.Path != dir {
			t.Errorf("%+v, want that it is being measured", first)
		}
		synctest.Wait()
		got := m.status()
		want := []v1.DiskArea{{Name: "levada.db", Bytes: 100, Files: 1}, {Name: "blobs", Bytes: 15, Files: 2}, {Name: "envs", Bytes: 7, Files: 1}}
		if diff := cmp.Diff(want, got.Areas); diff != "" || got.Measuring || got.Problem != "" || got.Unused.Files != 2 || got.Cache.Entries != 3 || asked.Load() != 1 {
			t.Errorf("%+v, measured %d times, %s", got, asked.Load(), diff)
		}
		time.Sleep(measuredFor - time.Second)
		if m.status(); asked.Load() != 1 {
			t.Error("measured again too early")
		}
		failed = errors.New("the disk is full")
		time.Sleep(2 * time.Second)
		m.status()
		synctest.Wait()
		if got := m.status(); asked.Load() != 2 || got.Problem != "the disk is full" || got.Unused != nil || len(got.Areas) != 3 {
			t.Errorf("%+v, measured %d times; want the areas and the problem", got, asked.Load())
		}
		m.measure()
		synctest.Wait()
		if asked.Load() != 3 {
			t.Errorf("measured %d times, want 3", asked.Load())
		}
	})
}

func TestAMeasurementEndsWithTheServer(t *testing.T) {
	m := newDiskMeter(t.TempDir(), time.Now, func() {}, func(ctx context.Context) (run.Swept, run.CachePruned, error) {
		<-ctx.Done()
		return run.Swept{}, run.CachePruned{}, ctx.Err()
	})
	m.measure()
	m.close()
	if got := m.status(); got.MeasuredAt != nil || got.Measuring {
		t.Errorf("%+v, want nothing measured", got)
	}
}

func TestLittleRoomOnTheDiskIsAReasonToWarn(t *testing.T) {
	for want, d := range map[string]v1.DiskStatus{
		"ok": {TotalBytes: 100 << 30, FreeBytes: 50 << 30}, "warning": {TotalBytes: 100 << 30, FreeBytes: 1 << 30},
	} {
		if got := diskSpaceCheck(d); got.State != want {
			t.Errorf("%+v: %+v, want %s", d, got, want)
		}
	}
	if got := diskSpaceCheck(v1.DiskStatus{}); got.State != "warning" {
		t.Errorf("%+v", got)
	}
	if got := eventLog(time.Minute, 3); got.State != "warning" {
		t.Errorf("%+v", got)
	}
	if got := stepsCheck(1, 0); got.State != "warning" {
		t.Errorf("%+v", got)
	}
}
