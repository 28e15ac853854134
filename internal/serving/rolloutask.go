package serving

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/rollout"
)

// maxReported bounds the values of one report.
const maxReported = 10_000

// CommandRollout has the rollout of an endpoint obey somebody: a command that pauses, resumes, aborts or promotes. At of the command is
// set here.
func (s *Service) CommandRollout(ctx context.Context, name string, c rollout.Command) (RolloutStatus, error) {
	d, err := s.driverOf(name)
	if err != nil {
		return RolloutStatus{}, err
	}
	d.mu.Lock()
	at := d.now()
	switch command := c.(type) {
	case rollout.Pause:
		command.At = at
		c = command
	case rollout.Resume:
		command.At = at
		c = command
	case rollout.Abort:
		command.At = at
		c = command
	case rollout.Promote:
		command.At = at
		c = command
	}
	if err = d.settle(ctx); err == nil {
		err = d.command(ctx, c)
	}
	if err == nil {
		err = d.bring(ctx)
	}
	d.mu.Unlock()
	if err != nil {
		return RolloutStatus{}, err
	}
	return d.status(), nil
}

// driverOf finds the rollout of an endpoint that goes on.
func (s *Service) driverOf(name string) (*driver, error) {
	l, err := s.find(name)
	if err != nil {
		return nil, err
	}
	if d := l.rollout.Load(); d != nil {
		return d, nil
	}
	return nil, fault.NotFoundf("endpoint %q has no rollout going on", name)
}

// Rollout returns the rollout of an endpoint that goes on, or its last one.
func (s *Service) Rollout(ctx context.Context, name string) (RolloutStatus, error) {
	if d, err := s.driverOf(name); err == nil {
		return d.status(), nil
	}
	last, err := s.deps.Rollouts.Rollouts(ctx, name, 1)
	if err != nil {
		return RolloutStatus{}, err
	}
	if len(last) == 0 {
		if _, err := s.find(name); err != nil {
			return RolloutStatus{}, err
		}
		return RolloutStatus{}, fault.NotFoundf("endpoint %q has had no rollout", name)
	}
	end, err := s.cameTo(ctx, last[0].ID)
	if err != nil {
		return RolloutStatus{}, err
	}
	return RolloutStatus{Record: last[0], State: end.State}, nil
}

// cameTo is what a rollout that does not go on came to. It is replayed once, where it was not kept.
func (s *Service) cameTo(ctx context.Context, id string) (rollout.End, error) {
	end, err := s.deps.Rollouts.RolloutEnd(ctx, id)
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return end, err
	}
	record, events, err := s.deps.Rollouts.Rollout(ctx, id)
	if err != nil {
		return end, err
	}
	reporter, err := rollout.ReplayReporter(events)
	if err != nil {
		return end, err
	}
	end = reporter.End(record)
	if record.Settled {
		s.keepEnd(ctx, id, end)
	}
	return end, nil
}

// keepEnd keeps what a rollout came to. Where that fails it is made again when somebody asks.
func (s *Service) keepEnd(ctx context.Context, id string, end rollout.End) {
	if err := s.deps.Rollouts.PutRolloutEnd(ctx, id, end); err != nil {
		s.deps.Logger.Warn("the report of a rollout could not be kept", "rollout", id, "error", err)
	}
}

// Rollouts returns the rollouts of an endpoint, the newest first.
func (s *Service) Rollouts(ctx context.Context, name string, limit int) ([]rollout.Record, error) {
	return s.deps.Rollouts.Rollouts(ctx, name, limit)
}

// RolloutReport returns what each stage of a rollout saw, without its events.
func (s *Service) RolloutReport(ctx context.Context, id string) (rollout.Report, error) {
	for _, l := range *s.all.Load() {
		if d := l.rollout.Load(); d != nil && d.id == id {
			return d.report(), nil
		}
	}
	end, err := s.cameTo(ctx, id)
	return end.Report, err
}

func (d *driver) report() rollout.Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reporter.Report(d.record)
}

// RolloutEvents returns a rollout with all its events: what was observed among them, until now.
func (s *Service) RolloutEvents(ctx context.Context, id string) (rollout.Record, []rollout.Event, error) {
	record, events, err := s.deps.Rollouts.Rollout(ctx, id)
	if err != nil || record.FinishedAt != nil || len(events) == 0 {
		return record, events, err
	}
	if d, err := s.driverOf(record.Endpoint); err == nil {
		events = append(events, d.heldAfter(id, events[len(events)-1].At)...)
	}
	return record, events, nil
}

// heldAfter are the windows of a rollout after a time that are not stored yet; none where something was stored since then.
func (d *driver) heldAfter(id string, at time.Time) []rollout.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.record.ID != id || len(d.held) == 0 || d.held[0].Window.From.Before(at) {
		return nil
	}
	return slices.Clone(d.held)
}

// ReportValues adds values that are reported of answers to the comparison that goes on. It returns how many were taken: those of versions that
// are not compared are left out.
func (s *Service) ReportValues(_ context.Context, name string, values []Reported) (taken int, err error) {
	l, err := s.find(name)
	if err != nil {
		return 0, err
	}
	if len(values) > maxReported {
		return 0, fault.Invalidf("%d values are reported; the most at once are %d", len(values), maxReported)
	}
	for _, v := range values {
		if rollout.FromTruth(v.Metric) {
			return 0, fault.Invalidf("%s is counted from the truth of logged requests: hand in the truth (levada truth, POST /api/v1/endpoints/NAME/truth)", v.Metric)
		}
		if rollout.FromGateway(v.Metric) {
			return 0, fault.Invalidf("%s is measured by the gateway itself: report the value under another name", v.Metric)
		}
		before := 0.0
		if v.Before != nil {
			before = *v.Before
		}
		if v.Metric == "" || math.IsNaN(v.Value+before) || math.Abs(v.Value) > 1e100 || math.Abs(before) > 1e100 {
			return 0, fault.Invalidf("a reported value needs a metric and a finite number; got %q and %v", fault.Shorten(v.Metric, 100), v.Value)
		}
	}
	d := l.rollout.Load()
	if d == nil {
		return 0, nil // whoever reports does not have to know when versions are compared
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range values {
		if i := slices.Index(d.state.Arms, v.Version); i >= 0 {
			d.taps[i].report(v)
			taken++
		}
	}
	return taken, nil
}

// resumeRollouts goes on with the rollouts of an earlier server: their state is replayed from their events, and what was decided and not done
// is done.
func (s *Service) resumeRollouts(ctx context.Context) error {
	records, err := s.deps.Rollouts.UnsettledRollouts(ctx)
	if err != nil {
		return err
	}
	for _, r := range records {
		l, err := s.find(r.Endpoint)
		if err != nil {
			r.Settled = true // the endpoint was deleted
			if err := s.deps.Rollouts.AppendRollout(ctx, r, nil, nil); err != nil {
				return err
			}
			continue
		}
		record, events, err := s.deps.Rollouts.Rollout(ctx, r.ID)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return fmt.Errorf("rollout %s has no events", r.ID)
		}
		reporter, err := rollout.ReplayReporter(events)
		if err != nil {
			return fmt.Errorf("rollout %s: %w", r.ID, err)
		}
		d := newDriver(l, reporter, record)
		d.latest = events[len(events)-1].At
		l.rollout.Store(d)
		d.drive()
	}
	return nil
}
