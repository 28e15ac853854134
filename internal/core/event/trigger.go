package event

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"cel.dev/cel-go/cel"

	"levada/internal/core/catalog"
	"levada/internal/core/expr"
	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/run"
)

// Bounds.
const (
	// MaxBatch is how many events one run may be for.
	MaxBatch = 1000
	// MaxWaiting is how many events of a trigger may wait; what comes then is ignored, and noted as that.
	MaxWaiting = 1000
	// MaxBody bounds what a webhook or a firing by hand may bring, in bytes.
	MaxBody = 64 << 10
	// maxSeconds is a year: longer times were not meant.
	maxSeconds = 365 * 24 * 60 * 60
	maxFrom    = 200 // parameters with expressions
)

// Trigger starts runs when something happens.
type Trigger struct {
	ID          string `json:"id"`
	Name        string `json:"display_name"`
	Description string `json:"description,omitempty"`
	On          Source `json:"on"`
	// When is a condition in CEL over event; without it every event counts.
	When string `json:"when,omitempty"`
	// Run is what each run is started from; macros in its parameters are filled in then, with the time of the event as the scheduled
	// one. ParametersFrom gives further parameters by expressions in CEL over event, the newest, and events, all of them.
	Run            run.Submission    `json:"run"`
	ParametersFrom map[string]string `json:"parameters_from,omitempty"`
	// Notify says whom to tell instead of starting a run; then Run and ParametersFrom are empty.
	Notify *Notify `json:"notify,omitempty"`
	Policy
	Paused    bool      `json:"paused"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	// Failure says why its events cannot be looked for, or why it started nothing the last time; empty when all is well.
	Failure string `json:"failure,omitempty"`
}

// Policy says how many events make a run, and how many runs there may be.
type Policy struct {
	// DebounceSeconds is how long nothing more must happen before a run starts for all that has happened.
	DebounceSeconds int64 `json:"debounce_seconds,omitempty" minimum:"0" doc:"wait until nothing more has happened for so long, then start one run for all of it"`
	// BatchSeconds is how long after the first event the run starts at the latest, BatchSize with how many events.
	BatchSeconds int64 `json:"batch_seconds,omitempty" minimum:"0" doc:"start one run for all that happens within this time of the first event"`
	BatchSize    int   `json:"batch_size,omitempty" minimum:"0" maximum:"1000" doc:"start one run for every so many events, or sooner if batch_seconds or debounce_seconds say so"`
	// DedupKey is an expression that gives the same text for events of which only the first counts within DedupSeconds.
	DedupKey     string `json:"dedup_key,omitempty" maxLength:"8192" doc:"expression in CEL over event; of events that give the same, only the first counts"`
	DedupSeconds int64  `json:"dedup_seconds,omitempty" minimum:"0" doc:"for how long dedup_key counts; default a day"`
	// MaxRuns is how many runs may start in MaxRunsSeconds; what comes after that waits. 0 means no limit.
	MaxRuns        int   `json:"max_runs,omitempty" minimum:"0" maximum:"1000" doc:"start at most so many runs in max_runs_seconds; what is more waits"`
	MaxRunsSeconds int64 `json:"max_runs_seconds,omitempty" minimum:"0" doc:"default an hour"`
	// MaxConcurrency is how many of its runs may be active at once; 0 means no limit.
	MaxConcurrency int `json:"max_concurrency,omitempty" minimum:"0" maximum:"1000" doc:"how many of its runs may be active at once; what is more waits"`
}

// DedupWindow is for how long DedupKey counts.
func (p Policy) DedupWindow() time.Duration { return orElse(p.DedupSeconds, 24*time.Hour) }

// RateWindow is the time in which MaxRuns runs may start.
func (p Policy) RateWindow() time.Duration { return orElse(p.MaxRunsSeconds, time.Hour) }

// Poll is how often to look whether something has happened.
func Poll(seconds int64) time.Duration { return orElse(seconds, lookAtFiles) }

func orElse(n int64, or time.Duration) time.Duration {
	if n == 0 {
		return or
	}
	return seconds(n)
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// gathers reports whether several events make one run.
func (p Policy) gathers() bool { return p.DebounceSeconds > 0 || p.BatchSeconds > 0 || p.BatchSize > 1 }

// Ready says how many of the events that wait, oldest first, one run is to be started for now. When it is 0, look is when that may
// change without another event; zero for never.
func (p Policy) Ready(waiting []time.Time, now time.Time) (n int, look time.Time) {
	switch {
	case len(waiting) == 0:
		return 0, time.Time{}
	case !p.gathers():
		return 1, time.Time{}
	}
	most := p.BatchSize
	if most == 0 {
		most = MaxBatch
	}
	for n = 1; ; n++ {
		if n == most {
			return n, time.Time{}
		}
		closed := p.closes(waiting[0], waiting[n-1])
		if n < len(waiting) && (closed.IsZero() || waiting[n].Before(closed)) {
			continue
		}
		if closed.IsZero() || closed.After(now) {
			return 0, closed
		}
		return n, time.Time{}
	}
}

// closes is when nothing more is waited for; zero for never.
func (p Policy) closes(first, last time.Time) (at time.Time) {
	if p.DebounceSeconds > 0 {
		at = last.Add(seconds(p.DebounceSeconds))
	}
	if p.BatchSeconds > 0 {
		if end := first.Add(seconds(p.BatchSeconds)); at.IsZero() || end.Before(at) {
			at = end
		}
	}
	return at
}

// Hold says what events wait for that Ready does not let go, given when it says to look again.
func (p Policy) Hold(waiting []time.Time, look time.Time) Hold {
	if p.DebounceSeconds > 0 && len(waiting) > 0 && look.Equal(waiting[len(waiting)-1].Add(seconds(p.DebounceSeconds))) {
		return HoldQuiet
	}
	return HoldMore
}

func (p Policy) check() error {
	for name, n := range map[string]int64{"debounce_seconds": p.DebounceSeconds, "batch_seconds": p.BatchSeconds, "dedup_seconds": p.DedupSeconds,
		"max_runs_seconds": p.MaxRunsSeconds} {
		if n < 0 || n > maxSeconds {
			return fault.Invalidf("%s is %d; want 0 to %d", name, n, maxSeconds)
		}
	}
	for name, n := range map[string]int{"batch_size": p.BatchSize, "max_runs": p.MaxRuns, "max_concurrency": p.MaxConcurrency} {
		if n < 0 || n > MaxBatch {
			return fault.Invalidf("%s is %d; want 0 to %d", name, n, MaxBatch)
		}
	}
	return nil
}

// check refuses a source that could have no events.
func (s Source) check() error {
	named := 0
	for _, set := range []bool{s.File != nil, s.Artifact != nil, s.Registry != nil, s.Run != nil, s.Metric != nil, s.Late != nil, s.Webhook != nil} {
		if set {
			named++
		}
	}
	if named != 1 {
		return fault.Invalidf("on names %d sources; want one of file, artifact, registry, run, metric, late and webhook", named)
	}
	switch {
	case s.File != nil:
		if err := CheckPlace(s.File.Path); err != nil {
			return fault.Invalidf("on.file.path is %w", err)
		}
		return checkPoll("on.file", s.File.PollSeconds)
	case s.Registry != nil:
		for _, c := range s.Registry.Changes {
			if !slices.Contains(model.ChangeKinds(), c) {
				return fault.Invalidf("on.registry.changes has %q; want some of %v", fault.Shorten(string(c), 100), model.ChangeKinds())
			}
		}
	case s.Run != nil:
		for _, state := range s.Run.States {
			if !state.Final() && state != Refused {
				return fault.Invalidf("on.run.states has %q; want final states: SUCCEEDED, FAILED, CANCELED, REFUSED", fault.Shorten(string(state), 100))
			}
		}
	case s.Metric != nil:
		m := s.Metric
		if m.Experiment == "" || m.Metric == "" {
			return fault.Invalidf("on.metric needs the names of an experiment and of a metric")
		}
		if (m.Above == nil) == (m.Below == nil) {
			return fault.Invalidf("on.metric needs above or below, one of them")
		}
		for _, line := range []*float64{m.Above, m.Below} {
			if line != nil && (math.IsNaN(*line) || math.IsInf(*line, 0)) {
				return fault.Invalidf("on.metric: the line is %v; want a number", *line)
			}
		}
		return checkPoll("on.metric", m.PollSeconds)
	case s.Late != nil:
		if s.Late.Seconds < 1 || s.Late.Seconds > maxSeconds {
			return fault.Invalidf("on.late.seconds is %d; want 1 to %d", s.Late.Seconds, maxSeconds)
		}
		return checkPoll("on.late", s.Late.PollSeconds)
	case s.Webhook != nil:
		if s.Webhook.Secret == "" {
			return fault.Invalidf("on.webhook.secret is missing: name a secret; \"levada secret set NAME secret=VALUE\" makes one")
		}
	}
	return nil
}

func checkPoll(what string, n int64) error {
	if n < 0 || n > 24*60*60 {
		return fault.Invalidf("%s.poll_seconds is %d; want 1 to %d", what, n, 24*60*60)
	}
	return nil
}

// environment declares what expressions of triggers may name.
var environment = sync.OnceValues(func() (*expr.Environment, error) {
	return expr.NewEnvironment(
		cel.Variable("event", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("events", cel.ListType(cel.DynType)),
	)
})

// Rules are the expressions of a trigger, ready to be asked.
type Rules struct {
	trigger     Trigger
	when, dedup *expr.Program
	from        map[string]*expr.Program
	// text is that of the message, nil for one of ours.
	text *expr.Program
}

// Compile checks a trigger but for what it starts, and returns its expressions. What is wrong is an Invalid error.
func Compile(t Trigger) (*Rules, error) {
	if err := catalog.CheckName("trigger", t.Name); err != nil {
		return nil, err
	}
	if err := t.On.check(); err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	if len(t.ParametersFrom) > maxFrom {
		return nil, fault.Invalidf("parameters_from has %d parameters; at most %d are accepted", len(t.ParametersFrom), maxFrom)
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	r := &Rules{trigger: t, from: map[string]*expr.Program{}}
	if t.When != "" {
		if r.when, err = env.CompileCondition(t.When); err != nil {
			return nil, fault.Invalidf("when: %w", err)
		}
	}
	if n := t.Notify; n != nil {
		if err := n.check(); err != nil {
			return nil, err
		}
		if len(t.ParametersFrom)+t.MaxRuns+t.MaxConcurrency > 0 {
			return nil, fault.Invalidf("a trigger that notifies starts no runs: leave out parameters_from, max_runs and max_concurrency")
		}
		if n.Text != "" {
			if r.text, err = env.Compile(n.Text); err != nil {
				return nil, fault.Invalidf("notify.text: %w", err)
			}
		}
	}
	if t.DedupKey != "" {
		if r.dedup, err = env.Compile(t.DedupKey); err != nil {
			return nil, fault.Invalidf("dedup_key: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.ParametersFrom)) {
		if _, twice := t.Run.Parameters[name]; twice {
			return nil, fault.Invalidf("parameters and parameters_from both give %q", fault.Shorten(name, 100))
		}
		if r.from[name], err = env.Compile(t.ParametersFrom[name]); err != nil {
			return nil, fault.Invalidf("parameters_from.%s: %w", fault.Shorten(name, 100), err)
		}
	}
	return r, nil
}

// Wants says whether an event counts, and if not, why. An expression that fails means that it does not count.
func (r *Rules) Wants(e Event) (wanted bool, reason string) {
	if slices.Contains(e.Cause, r.trigger.ID) {
		return false, "a run that this trigger started has caused it: the trigger would go on for ever"
	}
	if r.when == nil || e.Kind == Manual {
		return true, ""
	}
	holds, err := r.when.Holds(variables([]Event{e}))
	switch {
	case err != nil:
		return false, err.Error()
	case !holds:
		return false, "the condition does not hold"
	}
	return true, ""
}

// Key is what DedupKey gives for an event; empty without one, and for a firing by hand.
func (r *Rules) Key(e Event) (string, error) {
	if r.dedup == nil || e.Kind == Manual {
		return "", nil
	}
	v, err := r.dedup.Eval(variables([]Event{e}))
	if err != nil {
		return "", fault.Invalidf("dedup_key: %w", err)
	}
	key := text(v)
	if len(key) > 500 {
		return "", fault.Invalidf("dedup_key gives a text of %d bytes; at most 500 are accepted", len(key))
	}
	return key, nil
}

// Parameters are those of the run for some events, oldest first, before macros are filled in.
func (r *Rules) Parameters(events []Event) (map[string]any, error) {
	out := maps.Clone(r.trigger.Run.Parameters)
	if out == nil {
		out = map[string]any{}
	}
	seen := variables(events)
	for _, name := range slices.Sorted(maps.Keys(r.from)) {
		v, err := r.from[name].Eval(seen)
		if err != nil {
			return nil, fault.Invalidf("parameters_from.%s: %w", fault.Shorten(name, 100), err)
		}
		out[name] = v
	}
	return out, nil
}

func variables(events []Event) map[string]any {
	all := make([]any, len(events))
	for i, e := range events {
		all[i] = e.Value()
	}
	return map[string]any{"event": all[len(all)-1], "events": all}
}
