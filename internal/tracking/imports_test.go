package tracking_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"levada/internal/adapter/store"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

// dying is a store whose server dies when it has created an experiment.
type dying struct{ store.Tracking }

var errDied = errors.New("the server died")

func (d dying) CreateExperiment(ctx context.Context, e track.Experiment) error {
	return errors.Join(d.Tracking.CreateExperiment(ctx, e), errDied)
}

func TestAnExperimentIsNotDoubledWhenTheServerDiesBetween(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "levada.db"), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	e := track.Experiment{ID: "no number", Name: "e", CreatedAt: time.UnixMilli(5).UTC(), Tags: []track.KV{{Key: "t", Value: "1"}}}
	o := tracking.Options{Store: dying{db.Tracking()}, Now: time.Now, NewID: uuid.NewString}
	if _, err := tracking.New(o).ImportExperiment(t.Context(), e); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	o.Store = db.Tracking()
	for range 2 {
		there, err := tracking.New(o).ImportExperiment(t.Context(), e)
		if err != nil || there.Name != "e" || len(there.Tags) != 1 {
			t.Errorf("the experiment is %+v, %v", there, err)
		}
	}
}
