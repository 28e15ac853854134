package tracking_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"levada/internal/core/track"
	"levada/internal/tracking"
)

func TestModelsThatAreLoggedAtOnceAreAllInTheTag(t *testing.T) {
	s, _ := open(t, tracking.Options{Now: time.Now, Series: noSeries{}})
	experiment, err := s.CreateExperiment(t.Context(), "e", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.CreateRun(t.Context(), tracking.NewRun{ExperimentID: experiment})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.CreateModel(t.Context(), tracking.NewModel{ExperimentID: experiment})
	if err != nil {
		t.Fatal(err)
	}
	const writers = 40
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			path := json.RawMessage(fmt.Sprintf("%q", fmt.Sprint("model", i)))
			if err := s.LogModelTag(t.Context(), r.ID, map[string]json.RawMessage{"artifact_path": path}); err != nil {
				t.Error(err)
			}
			err := s.ChangeModelTag(t.Context(), m.ID, "list", func(before string) (string, error) { return before + "x", nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	after, err := s.Run(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	var list []json.RawMessage
	text, _ := track.Find(after.Tags, track.TagLoggedModels)
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != writers {
		t.Errorf("%d models are in the tag, %v; want %d", len(list), err, writers)
	}
	if m, err = s.Model(t.Context(), m.ID, false); err != nil {
		t.Fatal(err)
	}
	if text, _ := track.Find(m.Tags, "list"); len(text) != writers {
		t.Errorf("%d of %d changes are there", len(text), writers)
	}
}

// noSeries holds no points.
type noSeries struct{ tracking.Series }

func (noSeries) Stats(string) ([]track.Stat, error) { return nil, nil }
