package tracing

import (
	"context"

	"levada/internal/core/fault"
	"levada/internal/core/trace"
	"levada/internal/core/track"
)

// Begin stores a trace that has begun, as clients before MLflow 3 do; their spans come as a file when the trace ends.
func (s *Service) Begin(ctx context.Context, experiment string, startMS int64, metadata, tags []track.KV) (*trace.Trace, error) {
	if err := check(tags, metadata); err != nil {
		return nil, err
	}
	e, err := s.activeExperiment(ctx, experiment)
	if err != nil {
		return nil, err
	}
	t := &trace.Trace{ID: s.newID(""), ExperimentID: e.ID, StartMS: startMS, State: trace.InProgress}
	if err := say(t, tags, metadata); err != nil {
		return nil, err
	}
	t.Tags = append(t.Tags, artifactTag(e, t.ID))
	return t, s.deps.Store.Change(ctx, nil, func(tx trace.Tx, _ []bool) error { return tx.Put(t) })
}

// End says how a trace ended that was begun with Begin.
func (s *Service) End(ctx context.Context, id string, endMS int64, state trace.State, metadata, tags []track.KV) (*trace.Trace, error) {
	if err := check(tags, metadata); err != nil {
		return nil, err
	}
	return s.change(ctx, id, noTrace(id, fault.NotFoundf("")), func(t *trace.Trace) error {
		d := endMS - t.StartMS
		t.DurationMS, t.State = &d, state
		return say(t, tags, metadata)
	})
}
