package pipeline

import (
	"context"
	"fmt"
	"strings"

	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// resume starts the actor of a run that is on disk, or may be; it reads the log itself.
func (s *Service) resume(id string) { s.begin(newActor(s, run.Run{ID: id}, nil, nil)) }

// takeUp takes up a run that an earlier process left unfinished. Its log says where it stood: ready tasks are looked up and
// launched, and attempts that were running are started anew (the runner has ended what was left of them). While the log
// cannot be read it tries again: to give a run up for that would lose it. A run that does not exist leaves the actor without a
// state.
func (a *actor) takeUp(ctx context.Context) error {
	s := a.svc
	var r run.Run
	var p *ir.Pipeline
	var records []run.Event
	err := s.patiently(ctx, a.run.ID, "the run cannot be read", func() (err error) {
		if r, err = s.deps.Store.GetRun(ctx, a.run.ID); err != nil || r.State.Final() {
			return err
		}
		if p, err = s.Spec(ctx, r.SpecDigest); err != nil {
			return fmt.Errorf("its specification: %w", err)
		}
		records, err = s.deps.Store.Events(ctx, r.ID, 1)
		return err
	})
	if fault.KindOf(err) == fault.NotFound && r.ID == "" || r.State.Final() {
		return nil
	}
	if err != nil {
		return err
	}
	state, err := engine.Replay(p, records)
	if err != nil {
		return err
	}
	r.Tasks, r.Cached = map[run.State]int{}, 0
	a.run, a.pipeline, a.state = r, p, state
	a.seq = int64(len(records))
	if len(records) > 0 {
		a.last = records[len(records)-1].At
	}
	for _, t := range state.TakeChanged() {
		a.count(&t)
	}
	state.TakeRemoved()
	due := state.Due()
	for _, task := range due.Ready {
		a.pending = append(a.pending, engine.Event{Type: engine.TaskReady, Task: task})
	}
	for _, task := range due.Running {
		a.send(engine.Lost{Task: task, Attempt: state.Step(task).Attempt})
	}
	a.wake(due.WakeAt)
	s.deps.Logger.Info("run resumed", "run", r.ID, "ready", len(due.Ready), "restarted", len(due.Running))
	return nil
}

// giveUp ends a run that cannot go on: its log cannot be read or written any more, or the engine broke on it. The run is marked as
// failed with the reason, so that it can be seen, deleted and started again.
func (s *Service) giveUp(ctx context.Context, r *run.Run, cause error) {
	s.deps.Logger.Error("run given up", "run", r.ID, "error", cause)
	message, _, _ := strings.Cut(cause.Error(), "\n")
	failure := &run.Failure{Reason: run.ReasonSystem, Message: "Levada cannot go on with this run: " + message + ". Start it again; the server's log says more"}
	err := s.patiently(ctx, r.ID, "the end of a run cannot be stored", func() error { return s.bury(ctx, r, failure) })
	if err != nil && ctx.Err() == nil {
		s.deps.Logger.Error("a run that was given up could not be marked as failed", "run", r.ID, "error", err)
	}
}

// bury appends the end of a run to its log and makes everything final that is not.
func (s *Service) bury(ctx context.Context, r *run.Run, failure *run.Failure) error {
	log, err := s.deps.Store.Events(ctx, r.ID, 1)
	if err != nil {
		return err
	}
	stored, err := s.deps.Store.GetRun(ctx, r.ID)
	if err != nil {
		return err
	}
	tasks, err := s.deps.Store.Tasks(ctx, r.ID)
	if err != nil {
		return err
	}
	if stored.State.Final() {
		*r = stored
		return nil // an earlier try was stored although it was reported as failed
	}
	now := s.now()
	record, err := engine.Event{Type: engine.RunFinished, At: now, State: run.Failed, Failure: failure}.Encode(int64(len(log)) + 1)
	if err != nil {
		return err
	}
	changed := run.Changes{Run: &stored}
	for _, t := range tasks {
		if !t.State.Final() {
			t.State, t.Reason, t.FinishedAt = run.Canceled, "Levada could not go on with the run", &now
			changed.Tasks = append(changed.Tasks, t)
		}
	}
	stored.State, stored.Failure, stored.FinishedAt = run.Failed, failure, &now
	stored.History = append(stored.History, run.StateChange{State: run.Failed, At: now})
	*r = stored
	return s.deps.Store.Append(ctx, r.ID, []run.Event{record}, changed)
}
