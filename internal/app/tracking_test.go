package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"levada/internal/adapter/series"
	"levada/internal/adapter/store"
	"levada/internal/changes"
	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/core/track"
)

type fakeOutbox struct{ waiting []store.Pending }

func (f *fakeOutbox) Outbox(context.Context) ([]store.Pending, error) { return f.waiting, nil }
func (f *fakeOutbox) Delivered(_ context.Context, id int64) error {
	if f.waiting[0].ID != id {
		return errors.New("not the first")
	}
	f.waiting = f.waiting[1:]
	return nil
}

// choosy refuses runs with an error of their own and counts the points of the others.
type choosy struct {
	refused map[string]error
	got     map[string]int
	largest int
}

func (c *choosy) Log(_ context.Context, runID string, metrics []track.Metric) error {
	c.largest = max(c.largest, len(metrics))
	if err := c.refused[runID]; err != nil {
		return err
	}
	c.got[runID] += len(metrics)
	return nil
}

func TestAnEntryThatCanNeverBeStoredHoldsUpNoOther(t *testing.T) {
	from := &fakeOutbox{}
	for id, run := range []string{"large", "wrong", "many", "later", "last"} {
		metrics := make([]track.Metric, 1)
		if run == "many" {
			metrics = make([]track.Metric, 25_001)
		}
		from.waiting = append(from.waiting, store.Pending{ID: int64(id), RunID: run, Metrics: metrics})
	}
	to := &choosy{got: map[string]int{}, refused: map[string]error{
		"large": fault.TooLargef("too large"), "wrong": fault.Invalidf("wrong"), "later": fault.Unavailablef("the disk is full"),
	}}
	if err := empty(t.Context(), from, to, slog.New(slog.DiscardHandler)); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v; want that the disk is full", err)
	}
	if to.got["many"] != 25_001 || to.largest != deliveredAtOnce || len(from.waiting) != 2 {
		t.Errorf("got %v, at most %d at once, %d entries wait; want what is full to wait with what follows", to.got, to.largest, len(from.waiting))
	}
	delete(to.refused, "later")
	if err := empty(t.Context(), from, to, slog.New(slog.DiscardHandler)); err != nil || to.got["later"] != 1 || to.got["last"] != 1 || len(from.waiting) > 0 {
		t.Errorf("%v, got %v, %d wait; want everything delivered", err, to.got, len(from.waiting))
	}
}

func TestThePointsOfADeletedRunAreRemovedWithOtherUnusedContent(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "db"), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	points, err := series.Open(series.Options{Dir: filepath.Join(dir, "metrics")})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{store: db, series: points, changes: changes.New(time.Now)}
	defer func() {
		if err := errors.Join(points.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	for _, id := range []string{"gone", "stays"} {
		r := run.Run{ID: id, ExperimentID: "0", State: run.Succeeded, CreatedAt: time.UnixMilli(1)}
		if err := db.CreateRun(ctx, r, []run.Event{{Seq: 1, Type: "x", Body: []byte("{}")}}, nil); err != nil {
			t.Fatal(err)
		}
		if err := points.Log(ctx, id, []track.Metric{{Key: "loss", Point: track.Point{Value: 1}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.DeleteRun(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.forgetPoints(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]int{"gone": 0, "stays": 1} {
		if stats, err := points.Stats(id); err != nil || len(stats) != want {
			t.Errorf("run %s has %d metrics, %v; want %d", id, len(stats), err, want)
		}
	}
	if left, err := db.Tracking().Forgotten(ctx); err != nil || len(left) > 0 {
		t.Errorf("%q are still to be removed, %v", left, err)
	}
}
