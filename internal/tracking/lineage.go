package tracking

import (
	"context"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// Producer is the run that made something. Where a task of a pipeline made it, that is the task's run.
type Producer struct {
	RunID, RunName, ExperimentID string
	// PipelineRunID and Task, a path in it, are set for tasks of pipelines.
	PipelineRunID, Task string
	// Deleted says that the run is there no more; its id is all that is known.
	Deleted bool
}

// ProducerOf tells of a run that made something.
func (s *Service) ProducerOf(ctx context.Context, runID string) (Producer, error) {
	r, err := s.deps.Store.Run(ctx, runID)
	if fault.KindOf(err) == fault.NotFound {
		return Producer{RunID: runID, Deleted: true}, nil
	}
	if err != nil {
		return Producer{}, err
	}
	p := Producer{RunID: r.ID, RunName: r.Name, ExperimentID: r.ExperimentID, Deleted: r.Deleted}
	p.PipelineRunID, _ = track.Find(r.Tags, track.TagPipelineRun)
	p.Task, _ = track.Find(r.Tags, track.TagTask)
	return p, nil
}

// MadeIn returns the ids of a run and of all runs beneath it, and the logged models that they made, the oldest first.
func (s *Service) MadeIn(ctx context.Context, runID string) ([]string, []track.LoggedModel, error) {
	r, err := s.deps.Store.Info(ctx, runID)
	if err != nil {
		return nil, nil, err
	}
	runs, err := s.deps.Store.RunsOf(ctx, r.ExperimentID)
	if err != nil {
		return nil, nil, err
	}
	children := map[string][]string{}
	for _, c := range runs {
		if parent, there := track.Find(c.Tags, track.TagParentRun); there {
			children[parent] = append(children[parent], c.ID)
		}
	}
	ids, in := []string{runID}, map[string]bool{runID: true}
	for i := 0; i < len(ids); i++ {
		for _, id := range children[ids[i]] {
			if !in[id] { // clients can write circles
				in[id] = true
				ids = append(ids, id)
			}
		}
	}
	all, err := s.deps.Store.Models(ctx, []string{r.ExperimentID})
	if err != nil {
		return nil, nil, err
	}
	var made []track.LoggedModel
	for _, m := range all {
		if in[m.SourceRunID] && !m.Deleted {
			made = append(made, *m)
		}
	}
	slices.SortFunc(made, func(a, b track.LoggedModel) int { return int(a.CreatedUS - b.CreatedUS) })
	return ids, made, nil
}
