package serving

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/quality"
	"levada/internal/core/reqlog"
)

// RequestLog keeps requests and answers, and what became of them.
type RequestLog interface {
	// Add takes a request and never waits.
	Add(e reqlog.Entry)
	Figures(name string) reqlog.Figures
	// Export prepares to write requests as parquet or jsonl.
	Export(ctx context.Context, q reqlog.Query, format string) (func(ctx context.Context, w io.Writer) error, error)
	// List returns a page of requests, the newest first, after a position.
	List(ctx context.Context, q reqlog.Query, after *reqlog.Position) (reqlog.LoggedPage, error)
	// ReadTruth reads truths of a format: jsonl, csv or parquet. PutTruth takes them.
	ReadTruth(ctx context.Context, r io.Reader, format string) ([]reqlog.Truth, error)
	PutTruth(ctx context.Context, name string, truths []reqlog.Truth) (reqlog.Taken, error)
	// Matches gives predictions with their truths, in the order of the requests; Covered counts those that have one; Truths counts those
	// that there are, and those whose request is not logged.
	Matches(ctx context.Context, name string, since, until time.Time, f func(reqlog.Match) error) error
	Covered(ctx context.Context, name string, since, until time.Time, ages []time.Duration) ([]reqlog.Coverage, error)
	Truths(ctx context.Context, name string) (stored, waiting int64, err error)
}

// kept is how a request is logged: under which id, and whether it is one of the sample.
type kept struct {
	log *endpoint.Log // nil where it is not
	id  string
}

// keeping decides whether a request is logged. Every request of an endpoint that logs has an id, the client's or a new one: who gets it back
// can say later what became of it.
func (s *Service) keeping(r *route, c *Call) kept {
	log := r.spec.Settings.Log
	if log == nil || s.deps.Log == nil {
		return kept{}
	}
	k := kept{id: c.Request.ID}
	if k.id == "" {
		k.id = fmt.Sprintf("%016x%016x", s.deps.Random(), s.deps.Random())
	}
	if log.Sample >= 1 || float64(s.deps.Random()>>11)/(1<<53) < log.Sample {
		k.log = log
	}
	return k
}

// logged hands a request that has ended to the log.
func (s *Service) logged(k kept, v *version, role reqlog.Role, request *infer.Request, seen endpoint.Observation, resp *infer.Response) {
	if k.log == nil {
		return
	}
	e := reqlog.Entry{Endpoint: v.endpoint, Version: v.number, Role: role, ID: k.id, At: seen.At, Latency: seen.Latency, Outcome: seen.Outcome,
		Request: request, Log: *k.log}
	if resp != nil {
		e.Outputs = slices.Clone(resp.Outputs) // the caller may change the one that it gets
	}
	s.deps.Log.Add(e)
}

// LogSettings says how an endpoint logs; the zero value where it does not.
func (s *Service) LogSettings(name string) endpoint.Log {
	l, err := s.find(name)
	if err != nil {
		return endpoint.Log{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if log := l.record.Spec.Settings.Log; log != nil {
		return *log
	}
	return endpoint.Log{}
}

// LeftOut writes into the history of an endpoint that a column is not logged.
func (s *Service) LeftOut(name string, o reqlog.LeftOut) {
	s.note(endpoint.Event{Endpoint: name, Kind: endpoint.LogLeftOut, Message: fmt.Sprintf("%s is left out of logged requests: %s", o.Column, o.Reason)})
}

// logOf finds the log of an endpoint that is there, or was.
func (s *Service) logOf(name string) (RequestLog, error) {
	if s.deps.Log == nil {
		return nil, fault.Unavailablef("this server has no log of requests")
	}
	if _, err := s.find(name); err != nil {
		if f := s.deps.Log.Figures(name); f.Files == 0 && f.Bytes == 0 {
			return nil, err
		}
	}
	return s.deps.Log, nil
}

// Logged returns what is known of the log of an endpoint.
func (s *Service) Logged(_ context.Context, name string) (reqlog.Figures, error) {
	log, err := s.logOf(name)
	if err != nil {
		return reqlog.Figures{}, err
	}
	return log.Figures(name), nil
}

// ExportRequests prepares to write logged requests as parquet or jsonl, the oldest first.
func (s *Service) ExportRequests(ctx context.Context, q reqlog.Query, format string) (func(ctx context.Context, w io.Writer) error, error) {
	log, err := s.logOf(q.Endpoint)
	if err != nil {
		return nil, err
	}
	if err := ordered(q); err != nil {
		return nil, err
	}
	return log.Export(ctx, q, format)
}

// ListRequests returns a page of logged requests with what became of them, the newest first, after a position.
func (s *Service) ListRequests(ctx context.Context, q reqlog.Query, after *reqlog.Position) (reqlog.LoggedPage, error) {
	log, err := s.logOf(q.Endpoint)
	if err != nil {
		return reqlog.LoggedPage{}, err
	}
	if err := ordered(q); err != nil {
		return reqlog.LoggedPage{}, err
	}
	return log.List(ctx, q, after)
}

// ordered refuses a question about no time at all.
func ordered(q reqlog.Query) error {
	if !q.Until.IsZero() && !q.Since.IsZero() && !q.Since.Before(q.Until) {
		return fault.Invalidf("requests: since is not before until")
	}
	return nil
}

// PutTruth takes what became of requests, in a format: jsonl, csv or parquet. It is read whole before any of it is taken.
func (s *Service) PutTruth(ctx context.Context, name string, r io.Reader, format string) (reqlog.Taken, error) {
	log, err := s.logOf(name)
	if err != nil {
		return reqlog.Taken{}, err
	}
	truths, err := log.ReadTruth(ctx, r, format)
	if err != nil {
		return reqlog.Taken{}, err
	}
	return log.PutTruth(ctx, name, truths)
}

// Matched tells rollouts of predictions whose truth became known: of requests that came since the rollout began.
func (s *Service) Matched(matches []reqlog.Match) {
	for _, m := range matches {
		l, err := s.find(m.Endpoint)
		if err != nil {
			continue
		}
		if d := l.rollout.Load(); d != nil {
			d.labelled(m)
		}
	}
}

// labelled counts a prediction whose truth became known.
func (d *driver) labelled(m reqlog.Match) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.state.Arms, m.Version)
	if i < 0 || i >= len(d.taps) {
		return
	}
	d.learn(i, m)
	if m.At.Before(d.record.StartedAt) {
		return
	}
	for metric, value := range quality.Losses(quality.Pair{Predicted: m.Predicted, Actual: m.Actual}) {
		d.taps[i].report(Reported{Metric: metric, Value: value})
	}
}
