package store

import (
	"context"
	"sync"
	"testing"
	"time"

	"levada/internal/core/track"
)

// What a write does to the index comes after the commit of all writes of its batch: a run that the first of them reads again has
// the parameters of the second.
func TestParametersOfWritesThatAreCommittedTogetherAreInTheIndexOnce(t *testing.T) {
	s := openForTest(t)
	tr := s.Tracking()
	ctx := t.Context()
	if err := tr.CreateExperiment(ctx, track.Experiment{ID: "7", Name: "e", CreatedAt: time.UnixMilli(1)}); err != nil {
		t.Fatal(err)
	}
	if err := tr.CreateRun(ctx, track.Run{ID: "r", ExperimentID: "7", Status: track.Running, ArtifactURI: "u"}); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.RunsOf(ctx, "7"); err != nil {
		t.Fatal(err)
	}
	err := s.update(ctx, func(ctx context.Context, tx *tx) error {
		tx.committed(func() { s.refresh("7", "r") })
		return tr.logData(ctx, tx, "r", []track.KV{{Key: "lr", Value: "1"}}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := tr.RunsOf(ctx, "7")
	if err != nil || len(runs) != 1 || len(runs[0].Params) != 1 {
		t.Errorf("the index has %+v, %v; want one run with one parameter", runs, err)
	}
}

func TestTheIndexKeepsNothingOfExperimentsWithoutRuns(t *testing.T) {
	s := openForTest(t)
	tr := s.Tracking()
	ctx := t.Context()
	if err := tr.CreateExperiment(ctx, track.Experiment{ID: "7", Name: "e", CreatedAt: time.UnixMilli(1)}); err != nil {
		t.Fatal(err)
	}
	var searches sync.WaitGroup
	for range 8 {
		searches.Go(func() {
			for _, id := range []string{"7", "never there", "nor this"} {
				if runs, err := tr.RunsOf(ctx, id); err != nil || len(runs) != 0 {
					t.Errorf("experiment %q has %d runs, %v", id, len(runs), err)
				}
			}
		})
	}
	searches.Wait()
	if n := len(s.index.sets); n != 0 {
		t.Errorf("%d experiments without runs are kept", n)
	}
	if err := tr.CreateRun(ctx, track.Run{ID: "r", ExperimentID: "7", Status: track.Running, ArtifactURI: "u"}); err != nil {
		t.Fatal(err)
	}
	if runs, err := tr.RunsOf(ctx, "7"); err != nil || len(runs) != 1 || len(s.index.sets) != 1 {
		t.Errorf("%d runs in %d experiments, %v; want the first run of the experiment", len(runs), len(s.index.sets), err)
	}
}
