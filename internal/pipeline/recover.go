package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"levada/internal/core/engine"
	"levada/internal/core/run"
)

// resume prepares an actor for a run that an earlier process left unfinished. Its log says where it stood: ready tasks are to be looked
// up and launched, and what was running is to be taken up. The attempts that are running are returned too.
func (s *Service) resume(ctx context.Context, r run.Run) (*actor, []run.AttemptID, error) {
	a, err := s.replay(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	var open []run.AttemptID
	due := a.state.Due()
	for _, task := range due.Ready {
		a.pending = append(a.pending, engine.Event{Type: engine.TaskReady, Task: task})
	}
	for _, task := range due.Running {
		a.pending = append(a.pending, engine.Event{Type: engine.TaskLaunched, Task: task})
		open = append(open, a.state.Step(task).ID())
	}
	if !due.WakeAt.IsZero() {
		a.wake(due.WakeAt)
	}
	s.deps.Logger.Info("run resumed", "run", r.ID, "ready", len(due.Ready), "running", len(due.Running))
	return a, open, nil
}

// replay returns an actor for a stored run, in the state that its log gives.
func (s *Service) replay(ctx context.Context, r run.Run) (_ *actor, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	p, err := s.Spec(ctx, r.SpecDigest)
	if err != nil {
		return nil, err
	}
	records, err := s.deps.Store.Events(ctx, r.ID, 1)
	if err != nil {
		return nil, err
	}
	state, err := engine.Replay(p, records)
	if err != nil {
		return nil, err
	}
	a := newActor(s, r, p, state)
	a.seq = int64(len(records))
	for _, t := range state.TakeChanged() {
		a.count(&t)
	}
	state.TakeRemoved()
	return a, nil
}

// giveUp ends a run that cannot go on: its log cannot be read or written any more, or the engine broke on it. The run is marked as
// failed with the reason, so that it can be seen, deleted and started again.
func (s *Service) giveUp(ctx context.Context, r *run.Run, cause error) {
	s.deps.Logger.Error("run given up", "run", r.ID, "error", cause)
	message, _, _ := strings.Cut(cause.Error(), "\n")
	failure := &run.Failure{Reason: run.ReasonSystem, Message: "Levada cannot go on with this run: " + message + ". Start it again; the server's log says more"}
	if err := s.bury(ctx, r, failure); err != nil {
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
