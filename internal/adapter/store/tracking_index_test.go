package store

import (
	"context"
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
