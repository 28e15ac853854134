// Package trigger starts runs by themselves: it owns recurring runs and backfills.
//
// When a run is due is decided in core/schedule, which partitions there are in core/partition; how one runs is the pipeline service's
// business, which this package knows only as the interface Runs. It must not know HTTP or SQL. One goroutine starts what is due. A
// run's id is made of the recurring run and the time it is for, or of the backfill and the partition, and what was started is noted
// only when the run is on disk: a process that dies between the two asks for the same run again and is told that it exists. So
// nothing is left out and nothing is done twice. Start reading at fire.go; backfills go on in advance.go.
package trigger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/partition"
	"levada/internal/core/schedule"
)

// Options are what a service is made of.
type Options struct {
	Store Store
	Runs  Runs
	// Pipelines and Changed are needed for partitions and backfills only. Changed says why what a run imported is not the same any
	// more, or "".
	Pipelines Pipelines
	Changed   func(ctx context.Context, in partition.Input, since time.Time) string
	// Known tells what is missing; without it nothing is.
	Known  Known
	Logger *slog.Logger
	// Now and NewID give the time and new UUIDs.
	Now   func() time.Time
	NewID func() string
	// Ended tells that a run has ended, and so that the next of its recurring run or backfill may have room. One signal may stand for several.
	Ended <-chan struct{}
	// Paused starts no runs: for commands that only read.
	Paused bool
}

// Service keeps recurring runs and starts their runs. Its methods may be called from any goroutine.
type Service struct {
	deps Options
	stop context.CancelFunc
	done chan struct{}
	// changed wakes the loop.
	changed chan struct{}

	// mu is held while a run is started, so that nothing starts once a disabling has been acknowledged.
	mu sync.Mutex
	// entries are the enabled recurring runs that are not over, by id. queue orders those that wait for a time, full holds those that
	// wait for one of their runs to end.
	entries map[string]*entry
	queue   queue
	full    map[string]*entry
	// backfills are those that have runs to start or to cancel; the one whose turn it is comes first.
	backfills []*follower

	refused atomic.Int64

	// planning is held while a backfill is made, and before mu.
	planning sync.Mutex
}

// The bounds of MaxConcurrency, as KFP has them.
const minConcurrency, maxConcurrency = 1, 10

// maxDeadline is a year, in seconds: a run that starts later was not meant.
const maxDeadline = 365 * 24 * 60 * 60

// Open returns a service that has taken up the recurring runs that are enabled.
func Open(ctx context.Context, o Options) (*Service, error) {
	s := &Service{deps: o, done: make(chan struct{}), changed: make(chan struct{}, 1), entries: map[string]*entry{}, full: map[string]*entry{}}
	if o.Paused {
		close(s.done)
		s.stop = func() {}
		return s, nil
	}
	enabled, err := o.Store.EnabledRecurringRuns(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range enabled {
		s.enter(r)
	}
	unfinished, err := o.Store.UnfinishedBackfills(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range unfinished {
		s.follow(b)
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(s.done)
		s.loop(ctx)
	}()
	return s, nil
}

// Refused is how many runs of recurring runs were refused since the start.
func (s *Service) Refused() int64 { return s.refused.Load() }

// Close stops starting runs and returns when nothing of the service is active. Closing twice is safe.
func (s *Service) Close(ctx context.Context) error {
	s.stop()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close trigger service: %w", context.Cause(ctx))
	}
}

// now is the time in the form in which it is stored.
func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Microsecond) }

// Create validates a recurring run whole, stores it and, if it is enabled, begins to follow its schedule. Id, times and state of r
// are filled in.
func (s *Service) Create(ctx context.Context, r catalog.RecurringRun) (catalog.RecurringRun, error) {
	plan, err := s.prepare(ctx, &r)
	if err != nil {
		return r, err
	}
	if err := s.refuseOver(r.Trigger, plan); err != nil {
		return r, err
	}
	r.ID, r.CreatedAt = s.deps.NewID(), s.now()
	r.UpdatedAt, r.CountsFrom, r.LastAt, r.Index, r.Failure = r.CreatedAt, nil, nil, 0, ""
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.deps.Store.CreateRecurringRun(ctx, r); err != nil {
		return r, err
	}
	s.enter(r)
	return s.withNext(r), nil
}

// Replace gives a recurring run another definition. Its id, the runs that it has started and their number stay. A schedule that is
// another one counts from now on: none of its times before is caught up.
func (s *Service) Replace(ctx context.Context, id string, r catalog.RecurringRun) (catalog.RecurringRun, error) {
	if _, err := s.deps.Store.GetRecurringRun(ctx, id); err != nil {
		return r, err
	}
	plan, err := s.prepare(ctx, &r)
	if err != nil {
		return r, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := s.deps.Store.GetRecurringRun(ctx, id)
	if err != nil {
		return r, err
	}
	r.ID, r.CreatedAt, r.CountsFrom, r.LastAt, r.Index = id, before.CreatedAt, before.CountsFrom, before.LastAt, before.Index
	r.UpdatedAt, r.Failure = s.now(), ""
	if !sameSchedule(before.Trigger, r.Trigger) {
		if err := s.refuseOver(r.Trigger, plan); err != nil {
			return r, err
		}
		from := plan.First(s.now())
		if at, ok := plan.Due(from, s.now(), false); ok && !at.After(s.now()) {
			from = at // intervals keep to the grid of their start
		}
		r.CountsFrom, r.LastAt = &from, nil
	}
	if err := s.deps.Store.ReplaceRecurringRun(ctx, r); err != nil {
		return r, err
	}
	s.enter(r)
	return s.withNext(r), nil
}

// sameSchedule reports whether two schedules are written alike.
func sameSchedule(a, b schedule.Trigger) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// refuseOver refuses a single time that is over.
func (s *Service) refuseOver(t schedule.Trigger, plan *schedule.Schedule) error {
	if _, ok := s.firstTime(plan); t.At != nil && !ok {
		return fault.Invalidf("the time of the trigger, %s, is over: it would start no run", t.At.UTC().Format(time.RFC3339))
	}
	return nil
}

// prepare checks a recurring run whole, and returns its schedule.
func (s *Service) prepare(ctx context.Context, r *catalog.RecurringRun) (*schedule.Schedule, error) {
	if err := catalog.CheckName("recurring run", r.DisplayName); err != nil {
		return nil, err
	}
	if r.MaxConcurrency < minConcurrency || r.MaxConcurrency > maxConcurrency {
		return nil, fault.Invalidf("max_concurrency is %d; at least %d and at most %d runs of a recurring run may be active at once",
			r.MaxConcurrency, minConcurrency, maxConcurrency)
	}
	switch r.Concurrency {
	case "", catalog.Queue, catalog.Skip, catalog.Replace:
	default:
		return nil, fault.Invalidf("concurrency_policy is %q; want %s, %s or %s", r.Concurrency, catalog.Queue, catalog.Skip, catalog.Replace)
	}
	if d := r.StartingDeadlineSeconds; d < 0 || d > maxDeadline {
		return nil, fault.Invalidf("starting_deadline_seconds is %d; want 1 to %d, or none", d, maxDeadline)
	}
	plan, err := schedule.Parse(r.Trigger)
	if err == nil {
		r.Run, err = s.deps.Runs.Prepare(ctx, r.Run)
	}
	return plan, err
}

// Times returns the first times of a trigger after now, at most n.
func (s *Service) Times(t schedule.Trigger, n int) ([]time.Time, error) {
	plan, err := schedule.Parse(t)
	if err != nil {
		return nil, err
	}
	var times []time.Time
	for last, ok := s.firstTime(plan); ok && len(times) < n; last, ok = plan.Next(last) {
		times = append(times, last)
	}
	return times, nil
}

// firstTime is the first time of a schedule that would be created now. One that began earlier keeps its grid, so its past times are left out.
func (s *Service) firstTime(plan *schedule.Schedule) (time.Time, bool) {
	now := s.now()
	at, ok := plan.Due(plan.First(now), now, false)
	if ok && !at.After(now) {
		at, ok = plan.Next(at)
	}
	return at, ok
}

// Get returns a recurring run.
func (s *Service) Get(ctx context.Context, id string) (catalog.RecurringRun, error) {
	r, err := s.deps.Store.GetRecurringRun(ctx, id)
	if err != nil {
		return r, err
	}
	one := []catalog.RecurringRun{s.withNext(r)}
	s.warn(ctx, one)
	return one[0], nil
}

// List lists recurring runs; keys as in Store.
func (s *Service) List(ctx context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error) {
	page, err := s.deps.Store.ListRecurringRuns(ctx, q)
	if err != nil {
		return page, err
	}
	for i, r := range page.Items {
		page.Items[i] = s.withNext(r)
	}
	s.warn(ctx, page.Items)
	return page, nil
}

// SetEnabled lets a recurring run start runs, or stops it; its active runs go on. Times that pass meanwhile count as missed.
func (s *Service) SetEnabled(ctx context.Context, id string, enabled bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.deps.Store.GetRecurringRun(ctx, id)
	if err != nil || r.Enabled == enabled {
		return err
	}
	r.Enabled, r.UpdatedAt, r.Failure = enabled, s.now(), ""
	if err := s.deps.Store.UpdateRecurringRun(ctx, r); err != nil {
		return err
	}
	s.enter(r)
	return nil
}

// DisableExperiment disables the recurring runs of an experiment, because it was archived.
func (s *Service) DisableExperiment(ctx context.Context, experimentID string) error {
	q := listing.Query{PageSize: 200, Where: []listing.Predicate{
		{Key: "experiment_id", Op: listing.Equals, Values: []any{experimentID}},
		{Key: "enabled", Op: listing.Equals, Values: []any{true}},
	}}
	for {
		page, err := s.deps.Store.ListRecurringRuns(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range page.Items {
			if err := s.SetEnabled(ctx, r.ID, false); err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			return nil
		}
	}
}

// Delete removes a recurring run. The runs it has started stay.
func (s *Service) Delete(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.deps.Store.DeleteRecurringRun(ctx, id); err != nil {
		return err
	}
	s.leave(id)
	return nil
}

// withNext fills in when the next run is due.
func (s *Service) withNext(r catalog.RecurringRun) catalog.RecurringRun {
	plan, err := schedule.Parse(r.Trigger)
	if err != nil || !r.Enabled {
		return r
	}
	at, ok := plan.Due(last(plan, r), s.now(), !r.NoCatchup)
	if ok {
		r.NextAt = &at
	}
	r.NextTimes = nil
	for next := at; ok && len(r.NextTimes) < catalog.NextShown; next, ok = plan.Next(next) {
		r.NextTimes = append(r.NextTimes, next)
	}
	return r
}

// last is the time after which the next run of a recurring run comes.
func last(plan *schedule.Schedule, r catalog.RecurringRun) time.Time {
	switch {
	case r.LastAt != nil:
		return *r.LastAt
	case r.CountsFrom != nil:
		return *r.CountsFrom
	}
	return plan.First(r.CreatedAt)
}
