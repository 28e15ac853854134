package trigger

import (
	"container/heap"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
)

// maxPause bounds how long the loop sleeps: after a machine has slept or its clock was set, times are noticed this late at most.
const maxPause = time.Minute

// The pauses before a run is asked for again that could not be started because of the disk, the database or a shutdown.
const firstPause, lastPause = time.Second, time.Minute

// entry is a recurring run that waits for its time, for room, or to be tried again.
type entry struct {
	run  catalog.RecurringRun
	plan *schedule.Schedule
	// at is when to look at it again; place is its position in the queue, or -1 while it is not in it.
	at    time.Time
	place int
	pause time.Duration
}

// queue is a heap by time (container/heap).
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	e.place = -1
	*q = old[:len(old)-1]
	return e
}

// enter takes up a recurring run as it is now, or drops it when it is disabled or over. s.mu is held, or nobody else is there yet.
func (s *Service) enter(r catalog.RecurringRun) {
	s.leave(r.ID)
	if !r.Enabled || s.deps.Paused {
		return
	}
	plan, err := schedule.Parse(r.Trigger)
	if err != nil {
		s.deps.Logger.Error("a stored recurring run cannot be followed", "recurring_run", r.ID, "error", err)
		return
	}
	e := &entry{run: r, plan: plan, place: -1}
	s.entries[r.ID] = e
	s.await(e)
}

// leave forgets a recurring run.
func (s *Service) leave(id string) {
	e := s.entries[id]
	if e == nil {
		return
	}
	if e.place >= 0 {
		heap.Remove(&s.queue, e.place)
	}
	delete(s.entries, id)
	delete(s.full, id)
}

// await queues an entry for its next time.
func (s *Service) await(e *entry) {
	at, ok := e.plan.Due(last(e.plan, e.run), s.now(), !e.run.NoCatchup)
	if !ok {
		delete(s.entries, e.run.ID) // over
		return
	}
	s.awaitAt(e, at)
}

func (s *Service) awaitAt(e *entry, at time.Time) {
	e.at = at
	heap.Push(&s.queue, e)
	s.wake()
}

// wake has the loop look what there is to do.
func (s *Service) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// loop starts what is due until ctx is done.
func (s *Service) loop(ctx context.Context) {
	timer := newAlarm()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.rings:
			s.lookAgain()
		case <-s.changed:
		case <-s.deps.Ended:
			s.room()
			s.lookAgain()
		}
		timer.Reset(s.startDue(ctx))
	}
}

// room has all entries looked at again that wait for one of their runs to end.
func (s *Service) room() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.full {
		s.awaitAt(e, s.now())
	}
	clear(s.full)
}

// startDue starts every run that is due and returns how long to sleep.
func (s *Service) startDue(ctx context.Context) time.Duration {
	for ctx.Err() == nil {
		pause, more := s.startNext(ctx)
		if more {
			continue
		}
		wait, more := s.advance(ctx)
		if !more {
			return min(pause, wait)
		}
	}
	return maxPause
}

// startNext starts the first run that is due, or returns how long it takes until one is. The lock is given up between two runs, so that
// a long backlog keeps nobody waiting.
func (s *Service) startNext(ctx context.Context) (pause time.Duration, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return maxPause, false
	}
	now := s.now()
	if wait := s.queue[0].at.Sub(now); wait > 0 {
		return min(wait, maxPause), false
	}
	e := heap.Pop(&s.queue).(*entry)
	at, ok := e.plan.Due(last(e.plan, e.run), now, !e.run.NoCatchup)
	if ok && at.After(now) {
		s.awaitAt(e, at)
		return 0, true
	}
	if err := s.start(ctx, e, at); err != nil {
		e.pause = min(max(firstPause, 2*e.pause), lastPause)
		s.deps.Logger.Warn("a run of a recurring run cannot be started now; trying again", "recurring_run", e.run.ID, "for", at, "in", e.pause, "error", err)
		s.awaitAt(e, now.Add(e.pause))
	}
	return 0, true
}

// start starts the run of a recurring run that is for the given time. An error means that it is to be asked for again.
func (s *Service) start(ctx context.Context, e *entry, at time.Time) error {
	r := e.run
	if late := s.now().Add(-seconds(r.StartingDeadlineSeconds)); r.StartingDeadlineSeconds > 0 && at.Before(late) {
		newest, _ := e.plan.Due(last(e.plan, r), late.Add(-time.Second), false) // there is one: at
		return s.leaveOut(ctx, e, newest, fmt.Sprintf("it could not start within %s", seconds(r.StartingDeadlineSeconds)), true)
	}
	active, err := s.deps.Runs.ActiveRuns(ctx, r.ID)
	if err != nil {
		return err
	}
	if len(active) >= r.MaxConcurrency {
		return s.crowded(ctx, e, at, active)
	}
	experiment, err := s.deps.Runs.GetExperiment(ctx, r.Run.ExperimentID)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		r.Run.ExperimentID = "" // its runs went to the default experiment, and so do new ones
	case err != nil:
		return err
	case experiment.Archived:
		r.Enabled, r.Failure = false, fmt.Sprintf("disabled: its experiment %q is archived", experiment.DisplayName)
		return s.refuse(ctx, e, r, at)
	}
	sub := e.submission(at)
	sub.ExperimentID = r.Run.ExperimentID
	started, err := s.deps.Runs.Submit(ctx, sub)
	switch fault.KindOf(err) {
	case fault.Conflict: // it is there: an earlier process did not come to note it
		err = nil
	case fault.Internal, fault.Unavailable:
		if err != nil {
			return err
		}
		r.Run.ExperimentID = started.ExperimentID
	}
	r.LastAt, r.Failure = &at, ""
	if err == nil {
		r.Index++
		s.deps.Logger.Info("run started by its schedule", "recurring_run", r.ID, "run", sub.ID, "for", at, "index", r.Index)
	} else {
		// Asking again would give the same answer now, and so would all times that were missed. Later there may be a new version of
		// the pipeline.
		if newest, ok := e.plan.Due(last(e.plan, e.run), s.now(), false); ok {
			r.LastAt = &newest
		}
		r.Failure = fmt.Sprintf("no run was started for %s: %v", at.Format(time.RFC3339), err)
		s.deps.Logger.Error("a recurring run cannot start its run", "recurring_run", r.ID, "for", at, "error", err)
		return s.refuse(ctx, e, r, at)
	}
	return s.note(ctx, r)
}

// crowded does what is asked for when as many of the runs are active as may be.
func (s *Service) crowded(ctx context.Context, e *entry, at time.Time, active []string) error {
	id, policy := e.run.ID, e.run.Concurrency
	if policy == catalog.Skip {
		return s.leaveOut(ctx, e, at, fmt.Sprintf("%d of its runs were active", len(active)), false) // as it was asked for: nobody is told
	}
	s.full[id] = e // room puts it back
	if policy != catalog.Replace {
		return nil
	}
	for _, one := range active {
		if err := s.deps.Runs.CancelRun(ctx, one); err != nil && fault.KindOf(err) != fault.Conflict {
			delete(s.full, id)
			return err
		}
	}
	return nil
}

// submission is what a run for a time is started from.
func (e *entry) submission(at time.Time) run.Submission {
	sub, local := e.run.Run, at.In(e.plan.Zone())
	sub.ID, sub.RecurringRunID, sub.ScheduledAt, sub.Index = RunID(e.run.ID, at), e.run.ID, &local, e.run.Index+1
	sub.DisplayName = fmt.Sprintf("%s %s", e.run.DisplayName, local.Format("2006-01-02 15-04-05"))
	return sub
}

// leaveOut notes that no run is started for a time; where that was not asked for it is an event.
func (s *Service) leaveOut(ctx context.Context, e *entry, at time.Time, why string, refused bool) error {
	r := e.run
	r.LastAt, r.Failure = &at, fmt.Sprintf("no run was started for %s: %s", at.Format(time.RFC3339), why)
	s.deps.Logger.Warn("a time of a recurring run is left out", "recurring_run", r.ID, "for", at, "because", why)
	if !refused {
		return s.note(ctx, r)
	}
	return s.refuse(ctx, e, r, at)
}

// refuse notes that no run was started for a time, which is an event.
func (s *Service) refuse(ctx context.Context, e *entry, r catalog.RecurringRun, at time.Time) error {
	next := "nothing is started again by itself"
	if at, ok := e.plan.Due(last(e.plan, r), s.now(), !r.NoCatchup); ok && r.Enabled {
		next = "the next time is " + at.UTC().Format(time.RFC3339)
	}
	sub := e.submission(at)
	sub.PipelineName = s.deps.Runs.PipelineName(ctx, sub)
	refused := event.Refusal{Run: sub, Reason: r.Failure, At: s.now(),
		ToDo: fmt.Sprintf("Put that right, and start a run by hand if it must not wait: %s; levada schedules show %q tells more", next, r.DisplayName)}
	if err := s.note(ctx, r, refused.Event()); err != nil {
		return err
	}
	s.refused.Add(1)
	return nil
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// note stores what was done, and what has happened with it, and waits for the next time.
func (s *Service) note(ctx context.Context, r catalog.RecurringRun, happened ...event.Event) error {
	if !r.Enabled {
		r.UpdatedAt = s.now()
	}
	if err := s.deps.Store.UpdateRecurringRun(ctx, r, happened...); err != nil {
		return err
	}
	s.enter(r)
	return nil
}

// RunID is the id of the run that a recurring run starts for a time: a UUID (version 5), the same each time it is asked for.
func RunID(recurringRunID string, at time.Time) string {
	return derived("recurring-run", recurringRunID, "at", at.UTC().Format(time.RFC3339))
}

// derived is an id that is made of others.
func derived(parts ...string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("levada:"+strings.Join(parts, "/"))).String()
}
