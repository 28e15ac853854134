package serving

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/rollout"
	"levada/internal/core/traffic"
)

// RolloutStore keeps rollouts. A method that returns nil has its writes on disk.
type RolloutStore interface {
	// AppendRollout stores the record of a rollout, appends to its events, and those that are shown to the history of the endpoint, all in one
	// transaction.
	AppendRollout(ctx context.Context, r rollout.Record, events []rollout.Event, shown []endpoint.Event) error
	// Rollout returns a rollout with all its events.
	Rollout(ctx context.Context, id string) (rollout.Record, []rollout.Event, error)
	// Rollouts returns up to limit rollouts of an endpoint, the newest first.
	Rollouts(ctx context.Context, endpoint string, limit int) ([]rollout.Record, error)
	// PutRolloutEnd keeps what a rollout that has ended came to; RolloutEnd returns it, or a NotFound error.
	PutRolloutEnd(ctx context.Context, id string, end rollout.End) error
	RolloutEnd(ctx context.Context, id string) (rollout.End, error)
	// UnsettledRollouts returns those that go on, or whose outcome is not followed yet.
	UnsettledRollouts(ctx context.Context) ([]rollout.Record, error)
}

// Aliases names versions of registered models.
type Aliases interface {
	SetAlias(ctx context.Context, name, alias, version string) error
	// CheckAlias refuses what no model can have as alias.
	CheckAlias(alias string) error
}

// AliasFailed is the kind of the event that an alias was not moved to the version that a rollout wants it to name.
const AliasFailed endpoint.EventKind = "rollout_alias_failed"

// lookEvery is how often it is looked whether the versions of a rollout can serve, and whether it has ended, however long its windows are.
const lookEvery = time.Second

// flushEvery is how long windows are held before they are stored, if nothing is decided: so much is not known to the comparison after a
// crash.
const flushEvery = 5 * time.Second

// moveLimit is how long it is waited for that requests follow a change of traffic. All versions are loaded by then, so it takes milliseconds.
const moveLimit = 2 * time.Second

func newDriver(l *live, r *rollout.Reporter, record rollout.Record) *driver {
	return &driver{s: l.s, l: l, id: record.ID, reporter: r, state: r.State(), record: record, ended: make(chan struct{})}
}

// StartRollout is what a rollout is started with.
type StartRollout struct {
	// Plan may be without any stage: then the endpoint's own is followed.
	Plan rollout.Plan
	// Candidates are versions of the endpoint's model: numbers, "@" with an alias, or "latest".
	Candidates []string
	// Alias of the model is moved to the version that is promoted; empty for none.
	Alias string
	By    string
}

// RolloutStatus is a rollout with how it is at present.
type RolloutStatus struct {
	rollout.Record
	State rollout.State `json:"state"`
}

// Reported is a value that is reported of an answer: a business metric, or whether a prediction was right, once that is known.
type Reported struct {
	Version string  `json:"version" doc:"version that answered, as the answer's model_version says"`
	Metric  string  `json:"metric" maxLength:"200"`
	Value   float64 `json:"value"`
	// Before is a value of the same unit from before the rollout, which explains a part of the variance (CUPED).
	Before *float64 `json:"before,omitempty"`
}

// driver runs a rollout: it makes windows of what the versions do, has core/rollout decide, stores what was decided and then does it.
type driver struct {
	s  *Service
	l  *live
	id string // of the rollout

	mu     sync.Mutex
	record rollout.Record
	state  *rollout.State
	taps   []*tap
	// calibrations are those of the versions by number; nil where the plan estimates nothing.
	calibrations map[string]*calibration
	from         time.Time // when the present window began
	latest       time.Time // see now
	// observed is when the newest window that was kept ended.
	observed time.Time
	// owed is the time of the newest window, if what follows from it could not be stored; zero otherwise. Until it is, nothing more is observed: requests are counted
	// meanwhile.
	owed time.Time
	// held are windows that are not stored yet.
	held []rollout.Event
	// asked, took and flushed are when monitors were asked last, a window was kept and something was stored: by the clock of this process, which nobody sets back.
	asked, took, flushed time.Time
	// reporter has seen every event so far, and state is its own.
	reporter *rollout.Reporter
	// followed and named are the traffic and the alias's version that were brought about last.
	followed *rollout.Traffic
	named    string
	ended    chan struct{}
}

// StartRollout begins a rollout: it deploys the candidates without traffic, waits until they answer, and gives them the traffic of the plan's
// first stage.
func (s *Service) StartRollout(ctx context.Context, name string, r StartRollout) (RolloutStatus, error) {
	l, err := s.find(name)
	if err != nil {
		return RolloutStatus{}, err
	}
	if err := l.free(); err != nil {
		return RolloutStatus{}, err
	}
	if err := l.awaitUpdate(ctx); err != nil {
		return RolloutStatus{}, err
	}
	spec, baseline, err := l.baseline()
	if err != nil {
		return RolloutStatus{}, err
	}
	if err := r.planned(name, spec); err != nil {
		return RolloutStatus{}, err
	}
	if err := errors.Join(s.movable(spec, baseline, r), measurable(name, spec, r.Plan), s.monitored(ctx, r.Plan)); err != nil {
		return RolloutStatus{}, err
	}
	start := rollout.Start{At: s.deps.Now().UTC(), Plan: r.Plan, Baseline: baseline, Seed: s.deps.Random() >> 11, By: r.By}
	for _, c := range r.Candidates {
		if _, remote := spec.Remotes[c]; remote {
			start.Candidates = append(start.Candidates, c)
			continue
		}
		found, err := s.deps.Models.Resolve(ctx, spec.Model, c)
		if err != nil {
			return RolloutStatus{}, err
		}
		start.Candidates = append(start.Candidates, fmt.Sprint(found.Number))
	}
	if _, err := rollout.Decide(rollout.New(), start); err != nil {
		return RolloutStatus{}, err
	}
	id := fmt.Sprintf("%016x", s.deps.Random())
	d := newDriver(l, rollout.NewReporter(), rollout.Record{ID: id, Endpoint: name, Model: spec.Model, Alias: r.Alias, Baseline: baseline, Candidates: start.Candidates, By: r.By})
	if !l.rollout.CompareAndSwap(nil, d) {
		return RolloutStatus{}, fault.Conflictf("endpoint %q: another rollout was started at the same time", name)
	}
	if err := d.begin(ctx, start); err != nil {
		l.rollout.Store(nil)
		return RolloutStatus{}, err
	}
	d.drive()
	return d.status(), nil
}

// awaitUpdate waits for the end of an update that goes on, such as the one with which the rollout before gave all requests to one version.
func (l *live) awaitUpdate(ctx context.Context) error {
	l.mu.Lock()
	settled := l.settled
	l.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// free refuses while a rollout of an endpoint goes on; an endpoint that is not there is free.
func (s *Service) free(name string) error {
	if l := (*s.all.Load())[name]; l != nil {
		return l.free()
	}
	return nil
}

// free refuses while a rollout goes on.
func (l *live) free() error {
	if d := l.rollout.Load(); d != nil {
		return fault.Conflictf("endpoint %q has rollout %s going on, which changes its traffic: wait for its end, promote or abort it", l.name, d.id)
	}
	return nil
}

// baseline is the version that has all requests which no rule takes.
func (l *live) baseline() (endpoint.Spec, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.record.Active == nil {
		return endpoint.Spec{}, "", fault.Conflictf("endpoint %q does not answer yet: a rollout needs a version to compare with", l.name)
	}
	spec := *l.record.Active
	answering := ""
	for _, share := range spec.Traffic.Split {
		switch {
		case share.Percent > 0 && answering != "":
			return spec, "", fault.Conflictf("endpoint %q shares its requests between versions %s and %s: a rollout begins with one that has all of them", l.name, answering, share.Version)
		case share.Percent > 0:
			answering = share.Version
		}
	}
	return spec, answering, nil
}

// begin deploys the candidates, waits for them and stores the start.
func (d *driver) begin(ctx context.Context, start rollout.Start) error {
	_, err := d.s.change(ctx, d.l.name, func(before *endpoint.Spec) (endpoint.Spec, error) {
		spec := *before
		spec.Versions = slices.Clone(before.Versions)
		for _, c := range start.Candidates {
			if !slices.Contains(spec.Versions, c) {
				spec.Versions = append(spec.Versions, c)
			}
		}
		return spec, nil
	})
	if err != nil {
		return err
	}
	for _, c := range start.Candidates {
		if err := d.l.awaitVersion(ctx, c); err != nil {
			return errors.Join(err, d.withdraw(start.Candidates))
		}
	}
	start.At = d.s.deps.Now().UTC()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record.StartedAt = start.At
	if err := d.command(ctx, start); err != nil {
		return err
	}
	if err := d.bring(ctx); err != nil {
		d.s.deps.Logger.Warn("the traffic of a rollout's first stage cannot be brought about at the moment", "endpoint", d.l.name, "rollout", d.id, "error", err)
	}
	return nil
}

// withdraw takes back versions that a rollout has deployed and does not begin with.
func (d *driver) withdraw(candidates []string) error {
	_, err := d.s.change(d.s.until, d.l.name, func(before *endpoint.Spec) (endpoint.Spec, error) {
		spec := *before
		named := spec.Traffic.Versions()
		spec.Versions = slices.DeleteFunc(slices.Clone(before.Versions), func(n string) bool {
			return slices.Contains(candidates, n) && !slices.Contains(named, n)
		})
		return spec, nil
	})
	return err
}

// awaitVersion waits until a version that is deployed answers.
func (l *live) awaitVersion(ctx context.Context, number string) error {
	l.mu.Lock()
	settled := l.settled
	l.mu.Unlock()
	select {
	case <-settled:
	case <-ctx.Done():
		return ctx.Err()
	}
	r := l.route.Load()
	if r == nil || r.versions[number] == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.trouble != nil {
			return fault.Unavailablef("endpoint %q: version %s could not be loaded: %s", l.name, number, fault.Shorten(l.trouble.Error(), 1000))
		}
		return fault.Unavailablef("endpoint %q was changed while version %s was loaded; try again", l.name, number)
	}
	v := r.versions[number]
	v.warm()
	if err := v.await(ctx); err != nil {
		return fault.Unavailablef("endpoint %q: version %s could not be loaded: %s", l.name, number, fault.Shorten(err.Error(), 1000))
	}
	return nil
}

// drive runs the rollout until it has ended, or the service has.
func (d *driver) drive() {
	d.mu.Lock()
	every := time.Duration(d.state.Plan.Interval)
	d.tapped()
	d.mu.Unlock()
	d.s.parts.Go(func() { d.calibrate(d.s.until) })
	d.s.parts.Go(func() {
		defer close(d.ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		look := time.NewTicker(min(every, lookEvery))
		defer look.Stop()
		for {
			due := false
			select {
			case <-d.s.until.Done():
				d.untap()
				return
			case <-look.C:
			case <-tick.C:
				due = true
			}
			if d.step(due) {
				d.untap()
				d.l.rollout.Store(nil)
				return
			}
		}
	})
}

// now is the time by which the rollout goes. It stands still while the machine's clock is behind what has been stored, as after it was set back: windows
// that lie before their stage would not be looked at.
func (d *driver) now() time.Time {
	if now := d.s.deps.Now().UTC(); now.After(d.latest) {
		d.latest = now
	}
	return d.latest
}

// step takes up a window if one is due, has what follows decided, and brings about what was. It reports whether the rollout is over.
func (d *driver) step(due bool) (over bool) {
	ctx := d.s.until
	found := d.findings(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.state.Done() {
		if err := d.decide(ctx, due, found); err != nil {
			d.s.deps.Logger.Warn("a rollout cannot go on at the moment", "endpoint", d.l.name, "rollout", d.record.ID, "error", err)
		}
	}
	if err := d.bring(ctx); err != nil {
		d.s.deps.Logger.Warn("what a rollout has decided cannot be brought about at the moment", "endpoint", d.l.name, "rollout", d.record.ID, "error", err)
		return false
	}
	if !d.state.Done() {
		return false
	}
	d.record.Settled = true
	if err := d.s.deps.Rollouts.AppendRollout(ctx, d.record, nil, nil); err != nil {
		d.record.Settled = false
		d.s.deps.Logger.Warn("the end of a rollout cannot be stored at the moment", "rollout", d.record.ID, "error", err)
		return false
	}
	d.s.keepEnd(ctx, d.record.ID, d.reporter.End(d.record))
	return true
}

// observe takes up the window that ends now; d.mu is held.
func (d *driver) observe(ctx context.Context, now time.Time) error {
	w := rollout.Window{From: d.from, To: now}
	for _, t := range d.taps {
		w.Arms = append(w.Arms, t.take())
	}
	if w.Empty() && d.quiet(now) {
		return d.flush(ctx)
	}
	d.from, d.observed, d.took = now, now, d.s.deps.Now()
	seen, err := rollout.Decide(d.state, rollout.Observe{Window: w})
	if err != nil {
		return err
	}
	for _, e := range seen {
		if err := d.reporter.Add(e); err != nil {
			return err
		}
	}
	d.held = append(d.held, seen...)
	return d.command(ctx, rollout.Tick{At: now})
}

// quiet reports whether a window without anything need not be kept: nothing can be decided by it yet. When something is due it is kept at once and then once a
// minute, until the stage goes on. The next window begins where this one did.
func (d *driver) quiet(now time.Time) bool {
	due := d.state.Until
	return d.state.Paused || now.Before(due) || !d.observed.Before(due) && d.s.deps.Now().Sub(d.took) < rollout.DueEvery
}

// flush stores what is held for long; d.mu is held.
func (d *driver) flush(ctx context.Context) error {
	now := d.s.deps.Now()
	if len(d.held) == 0 || now.Sub(d.flushed) < flushEvery {
		return nil
	}
	if err := d.s.deps.Rollouts.AppendRollout(ctx, d.record, d.held, nil); err != nil {
		return err
	}
	d.held, d.flushed = nil, now
	return nil
}

// command decides, stores the events with the windows before them, and applies them; d.mu is held.
func (d *driver) command(ctx context.Context, c rollout.Command) error {
	events, err := rollout.Decide(d.state, c)
	if err != nil {
		return err
	}
	now := d.s.deps.Now()
	if len(events) == 0 && now.Sub(d.flushed) < flushEvery {
		return nil
	}
	record := d.record
	var shown []endpoint.Event
	for _, e := range events {
		shown = append(shown, d.show(e))
		if e.Type == rollout.Finished {
			at := e.At
			record.FinishedAt, record.Outcome, record.Reason = &at, e.Outcome, e.Reason
		}
	}
	if err := d.s.deps.Rollouts.AppendRollout(ctx, record, slices.Concat(d.held, events), shown); err != nil {
		if tick, ok := c.(rollout.Tick); ok {
			d.owed = tick.At
		}
		return err
	}
	d.record, d.held, d.flushed, d.owed = record, nil, now, time.Time{}
	for _, e := range events {
		if err := d.reporter.Add(e); err != nil {
			return err
		}
		if e.Traffic != nil {
			d.tapped()
		}
	}
	return nil
}

// bring brings about what was decided: traffic, the alias, and at the end that the version that has lost is taken away. What is so already is
// left; d.mu is held.
func (d *driver) bring(ctx context.Context) error {
	if d.followed == nil || !equalTraffic(*d.followed, d.state.Traffic) || d.state.Done() {
		if _, err := d.s.change(ctx, d.l.name, d.wanted); err != nil {
			return err
		}
		t := d.state.Traffic
		d.followed = &t
		// What is compared begins when requests follow: in the meantime they are divided as before.
		within, cancel := context.WithTimeout(ctx, moveLimit)
		_ = d.l.awaitUpdate(within) // a version that loads anew may take longer; then it is counted all the same
		cancel()
		if !d.state.Done() {
			d.tapped()
		}
	}
	if d.record.Alias == "" || d.state.Arm == "" {
		return nil
	}
	version := d.state.Arm
	if d.state.Done() && d.state.Outcome != rollout.OutcomePromoted {
		version = d.record.Baseline
	}
	if d.named == version {
		return nil
	}
	err := d.s.deps.Aliases.SetAlias(ctx, d.record.Model, d.record.Alias, version)
	if kind := fault.KindOf(err); err != nil && kind != fault.NotFound && kind != fault.Invalid {
		return err
	}
	if err != nil { // the registry has lost the version or the model: another try would fail as well
		d.s.note(endpoint.Event{Endpoint: d.l.name, Kind: AliasFailed, Version: version, Data: map[string]any{"rollout": d.record.ID},
			Message: fmt.Sprintf("alias %s of model %s was not moved to version %s: %s", d.record.Alias, d.record.Model, version, fault.Shorten(err.Error(), 500))})
	}
	d.named = version
	return nil
}

func equalTraffic(a, b rollout.Traffic) bool {
	return slices.Equal(a.Shares, b.Shares) && a.Rest == b.Rest && a.Mirror == b.Mirror
}

// wanted is the specification that follows from the state.
func (d *driver) wanted(before *endpoint.Spec) (endpoint.Spec, error) {
	if before == nil {
		return endpoint.Spec{}, fault.NotFoundf("there is no endpoint %q", d.l.name)
	}
	spec := *before
	t := d.state.Traffic
	spec.Traffic.Split, spec.Traffic.Shadows = nil, nil
	for i, number := range d.state.Arms {
		percent := t.Shares[i]
		if i == 0 {
			percent += t.Rest
		} else if t.Mirror > 0 {
			spec.Traffic.Shadows = append(spec.Traffic.Shadows, traffic.Shadow{Version: number, Percent: t.Mirror})
		}
		if percent > 0 {
			spec.Traffic.Split = append(spec.Traffic.Split, traffic.Share{Version: number, Percent: percent})
		}
	}
	if d.state.Done() {
		named := spec.Traffic.Versions()
		spec.Versions = slices.DeleteFunc(slices.Clone(before.Versions), func(n string) bool {
			return slices.Contains(d.state.Arms, n) && !slices.Contains(named, n)
		})
	}
	return spec, nil
}

// show is an event as the history of the endpoint has it.
func (d *driver) show(e rollout.Event) endpoint.Event {
	out := endpoint.Event{Endpoint: d.l.name, At: e.At, Kind: endpoint.EventKind(e.Type), Version: e.Arm, Message: e.Words(), Data: map[string]any{"rollout": d.record.ID, "event": e}}
	if out.Version == "" {
		out.Version = d.record.Candidates[0]
	}
	return out
}

// tapped makes the taps count what is compared in the present stage; d.mu is held.
func (d *driver) tapped() {
	d.from = d.now()
	t := d.state.Traffic
	for i, number := range d.state.Arms {
		if len(d.taps) <= i {
			others := d.state.Arms[:1]
			if i == 0 {
				others = d.state.Arms[1:]
			}
			d.taps = append(d.taps, newTap(d.s.deps.Random, others))
		}
		keep := 1.0
		if i == 0 && t.Rest > 0 {
			keep = t.Shares[0] / (t.Shares[0] + t.Rest)
		}
		counts := countAnswers
		switch {
		case t.Mirror > 0 && i == 0:
			counts = countOriginals
		case t.Mirror > 0:
			counts = countCopies
		}
		d.taps[i].set(keep, counts, d.s.deps.Now())
		d.l.statsOf(number).tap.Store(d.taps[i])
	}
}

func (d *driver) untap() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	for _, st := range d.l.stats {
		st.tap.Store(nil)
	}
}

func (d *driver) status() RolloutStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	return RolloutStatus{Record: d.record, State: d.state.View()}
}
