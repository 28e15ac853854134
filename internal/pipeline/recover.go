package pipeline

import (
	"context"

	"levada/internal/core/engine"
	"levada/internal/core/run"
)

// resume takes up a run that an earlier process left unfinished. Its log says where it stood: ready tasks are looked up and
// launched, and attempts that were running are started anew (the runner has ended what was left of them).
func (s *Service) resume(ctx context.Context, id string) error {
	r, err := s.deps.Store.GetRun(ctx, id)
	if err != nil {
		return err
	}
	p, err := s.Spec(ctx, r.SpecDigest)
	if err != nil {
		return err
	}
	records, err := s.deps.Store.Events(ctx, id, 1)
	if err != nil {
		return err
	}
	state, err := engine.Replay(p, records)
	if err != nil {
		return err
	}
	a := newActor(s, r, p, state)
	a.seq = int64(len(records))
	a.run.Tasks, a.run.Cached = nil, 0
	for _, t := range state.TakeChanged() {
		a.count(&t)
	}
	due := state.Due()
	for _, task := range due.Ready {
		a.pending = append(a.pending, engine.Event{Type: engine.TaskReady, Task: task})
	}
	for _, task := range due.Running {
		step := state.Step(task)
		a.send(lost(state, task, step))
	}
	if !due.WakeAt.IsZero() {
		a.wake(due.WakeAt)
	}
	s.deps.Logger.Info("run resumed", "run", id, "ready", len(due.Ready), "restarted", len(due.Running))
	s.begin(a)
	return nil
}

// lost is the command for an attempt whose process is gone: to be started anew, unless the run is being cancelled.
func lost(state *engine.State, task string, step *run.Step) engine.Command {
	if _, canceling := state.Status(); canceling {
		return engine.Stopped{Task: task, Attempt: step.Attempt}
	}
	return engine.Lost{Task: task, Attempt: step.Attempt}
}
