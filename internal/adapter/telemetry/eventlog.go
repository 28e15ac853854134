package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"levada/internal/core/run"
)

// Log is the part of the store that event logs go through.
type Log interface {
	Append(ctx context.Context, runID string, events []run.Event, changed run.Changes) error
	CreateRun(ctx context.Context, r run.Run, events []run.Event, tasks []run.Task) error
}

// eventLog measures writes to event logs. Rows change in the same transaction, so how far they lag behind what the engine has
// decided is how long the oldest write has been on its way.
type eventLog struct {
	events *prometheus.CounterVec
	writes *prometheus.HistogramVec

	pending *pending
}

// pending remembers when the writes began that are on their way.
type pending struct {
	mu    sync.Mutex
	next  int
	began map[int]time.Time
}

func newEventLog() eventLog {
	return eventLog{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "levada_events_total", Help: "Events of runs that were made durable, by type: task_launched counts steps, task_cached results that were reused.",
		}, []string{"type"}),
		writes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "levada_event_log_write_seconds", Help: "How long events waited to be durable, by result.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}, []string{"result"}),
		pending: &pending{began: map[int]time.Time{}},
	}
}

func (l eventLog) register(r *prometheus.Registry) {
	r.MustRegister(l.events, l.writes, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "levada_event_log_lag_seconds", Help: "How long the oldest events that are not yet durable have been waiting; 0 when there are none.",
	}, func() float64 { return l.pending.lag().Seconds() }))
}

func (p *pending) begin() (end func() time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, began := p.next, time.Now()
	p.next++
	p.began[id] = began
	return func() time.Duration {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.began, id)
		return time.Since(began)
	}
}

func (p *pending) lag() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	for _, began := range p.began {
		longest = max(longest, time.Since(began))
	}
	return longest
}

// EventLogLag is how long the oldest events that are not yet durable have been waiting; 0 when there are none.
func (m *Metrics) EventLogLag() time.Duration { return m.log.pending.lag() }

func (l eventLog) write(events []run.Event, store func() error) error {
	end := l.pending.begin()
	err := store()
	took := end().Seconds()
	if err != nil {
		l.writes.WithLabelValues("error").Observe(took)
		return err
	}
	l.writes.WithLabelValues("ok").Observe(took)
	for _, e := range events {
		l.events.WithLabelValues(e.Type).Inc()
	}
	return nil
}

// MeasuredLog writes through to another log and measures it.
type MeasuredLog struct {
	log  Log
	into eventLog
}

// Measure returns a log that writes to l and is measured.
func (m *Metrics) Measure(l Log) MeasuredLog { return MeasuredLog{l, m.log} }

// Append writes events and the rows they changed.
func (l MeasuredLog) Append(ctx context.Context, runID string, events []run.Event, changed run.Changes) error {
	return l.into.write(events, func() error { return l.log.Append(ctx, runID, events, changed) })
}

// CreateRun writes a new run with its first events.
func (l MeasuredLog) CreateRun(ctx context.Context, r run.Run, events []run.Event, tasks []run.Task) error {
	return l.into.write(events, func() error { return l.log.CreateRun(ctx, r, events, tasks) })
}
