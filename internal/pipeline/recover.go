package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// resume starts the actor of a run that is on disk, or may be; it reads the log itself.
func (s *Service) resume(id string) { s.begin(newActor(s, run.Run{ID: id}, nil, nil)) }

// read puts an actor that has no state into the one of its run's log. While the log cannot be read it tries again: to give a run up
// for that would lose it. A run that does not exist, or has ended, leaves the actor without a state.
func (a *actor) read(ctx context.Context) error {
	var log storedLog
	err := a.svc.patiently(ctx, a.run.ID, "the run cannot be read", func() (err error) {
		log, err = a.svc.readLog(ctx, a.run.ID)
		return err
	})
	if fault.KindOf(err) == fault.NotFound && log.run.ID == "" || err == nil && log.run.State.Final() {
		return nil
	}
	if err != nil {
		return err
	}
	if err := a.restore(log); err != nil {
		return err
	}
	a.takeUp()
	return nil
}

// takeUp prepares the actor of a run that an earlier process left unfinished. Its log says where it stood: ready tasks are to be
// looked up and launched, and what was running is to be taken up. The attempts that are running are returned.
func (a *actor) takeUp() []run.AttemptID {
	var open []run.AttemptID
	due := a.state.Due()
	for _, task := range due.Ready {
		a.pending = append(a.pending, engine.Event{Type: engine.TaskReady, Task: task})
	}
	for _, task := range due.Running {
		a.pending = append(a.pending, engine.Event{Type: engine.TaskLaunched, Task: task})
		open = append(open, a.state.Step(task).ID())
	}
	a.svc.deps.Logger.Info("run resumed", "run", a.run.ID, "ready", len(due.Ready), "running", len(due.Running))
	return open
}

// storedLog is what is on disk of a run.
type storedLog struct {
	run      run.Run
	pipeline *ir.Pipeline
	records  []run.Event
}

func (s *Service) readLog(ctx context.Context, id string) (log storedLog, err error) {
	if log.run, err = s.deps.Store.GetRun(ctx, id); err != nil {
		return log, err
	}
	if log.pipeline, err = s.Spec(ctx, log.run.SpecDigest); err != nil {
		return log, fmt.Errorf("its specification: %w", err)
	}
	log.records, err = s.deps.Store.Events(ctx, id, 1)
	return log, err
}

// restore puts the actor into the state that a log gives. Nothing is changed when that fails.
func (a *actor) restore(log storedLog) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	state, err := engine.Replay(log.pipeline, log.records)
	if err != nil {
		return err
	}
	a.run, a.pipeline, a.state = log.run, log.pipeline, state
	a.run.Tasks, a.run.Cached = map[run.State]int{}, 0
	a.seq = int64(len(log.records))
	if len(log.records) > 0 {
		a.last = log.records[len(log.records)-1].At
	}
	for _, t := range state.TakeChanged() {
		a.count(&t)
	}
	state.TakeRemoved()
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
