package serving

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/reqlog"
	"levada/internal/core/traffic"
)

// Infer asks an endpoint for a prediction. The version is chosen once: what is joined to the request, the signature that it has to fit and the
// model that answers are of one moment. The request is not changed, and must never be: it may still be read when Infer has returned, by
// shadows, or by a worker when the caller did not wait.
func (s *Service) Infer(ctx context.Context, c Call) (*infer.Response, error) {
	l, err := s.find(c.Endpoint)
	g := s.graph(c.Endpoint)
	if err != nil && g == nil {
		return nil, err
	}
	if s.closed.Load() || s.deps.Paused {
		return nil, errStopped()
	}
	if l == nil {
		if err := c.read(nil); err != nil {
			return nil, err
		}
		return s.inferGraph(ctx, g, c)
	}
	for {
		r := l.route.Load()
		if r == nil {
			return nil, l.notYet()
		}
		chosen, err := s.choose(r, c)
		if err != nil {
			return nil, err
		}
		v := r.versions[chosen.Version]
		if !v.enter() {
			continue // it was drained a moment ago: there is another route by now
		}
		defer v.leave() // what shadows do is counted by then
		fit, err := s.fitted(ctx, l, r, v, c)
		if err != nil {
			if o, known := outcomeOf(err); known {
				v.stats.refuse(chosen.seen(s.deps.Now(), o), func(t *tap) bool { return s.blamed(ctx, l, r, t, c) })
			}
			return nil, err
		}
		return s.answered(ctx, r, v, chosen, fit)
	}
}

// read makes the request, where its form depends on the signature.
func (c *Call) read(signature *infer.Signature) (err error) {
	if c.Read != nil {
		if c.Request, err = c.Read(signature); err != nil {
			return err
		}
		c.Read = nil
	}
	if len(c.Request.Inputs) == 0 {
		return fault.Invalidf("the request has no inputs")
	}
	return nil
}

// fitted is a call whose request has what the endpoint looks up, and fits the signature of the version.
func (s *Service) fitted(ctx context.Context, l *live, r *route, v *version, c Call) (Call, error) {
	signature, err := l.signature(ctx, r, v)
	if err != nil {
		return c, err
	}
	if err := c.read(signature); err != nil {
		return c, err
	}
	if c.Request, err = r.joined(ctx, c.Request); err == nil {
		c.Request, err = infer.Fit(signature, c.Request)
	}
	if err != nil {
		return c, &misfit{err}
	}
	return c, nil
}

// blamed reports whether a request that does not fit a version says something about that version: another one which it is compared with would have been asked with it.
// What fits neither is the client's doing. Where that other one has no signature, so that anything fits it, it says something only while requests are divided among
// both.
func (s *Service) blamed(ctx context.Context, l *live, r *route, t *tap, c Call) bool {
	for _, number := range t.others {
		other := r.versions[number]
		if other == nil {
			continue
		}
		signature, err := l.signature(ctx, r, other)
		if err != nil || signature == nil && !slices.Contains(r.spec.Traffic.Answering(), number) {
			continue
		}
		if _, err := s.fitted(ctx, l, r, other, c); err == nil {
			return true
		}
	}
	return false
}

// misfit is the error of a request that a version cannot be asked with.
type misfit struct{ error }

func (m *misfit) Unwrap() error { return m.error }

// signature is that of a version. What another server serves has none of its own: requests to it fit that of the version with most requests.
func (l *live) signature(ctx context.Context, r *route, v *version) (*infer.Signature, error) {
	if v.deployed.Remote != nil {
		if v = r.versions[r.spec.Traffic.Most()]; v == nil || v.deployed.Remote != nil {
			return nil, nil //nolint:nilnil // as of a model that does not say
		}
	}
	if d := v.described.Load(); d != nil {
		return d.Signature, nil
	}
	d, err := l.describe(ctx, v.deployed)
	if err != nil {
		return nil, err
	}
	v.described.Store(&d)
	return d.Signature, nil
}

// answered has a version answer a request that fits it. The caller has entered the version.
func (s *Service) answered(ctx context.Context, r *route, v *version, chosen chosen, c Call) (*infer.Response, error) {
	k := s.keeping(r, &c)
	began := s.deps.Now()
	resp, err := v.ask(ctx, c.Request)
	took := s.deps.Now().Sub(began)
	if o, known := outcomeOf(err); known {
		seen := observed(took, c.Request, resp, chosen.seen(began, o))
		v.stats.observe(seen)
		s.logged(k, v, reqlog.Served, c.Request, seen, resp)
		if len(chosen.Shadows) > 0 {
			s.shadows(r, chosen.Shadows, c.Request, original{v, seen, resp, err, k})
		}
	}
	if err != nil {
		return nil, err
	}
	resp.Model, resp.Version = c.Endpoint, v.number
	if k.id != "" {
		resp.ID = k.id
	}
	return resp, resp.Keep(c.Request.Outputs)
}

// chosen is what becomes of a call.
type chosen struct {
	traffic.Choice
	// key is what sticks to a version; empty for none.
	key string
	// aimed says that the version was not drawn.
	aimed bool
}

// seen begins the description of a request.
func (c chosen) seen(at time.Time, o endpoint.Outcome) endpoint.Observation {
	return endpoint.Observation{At: at, Outcome: o, Key: c.key, Aimed: c.aimed, Prediction: math.NaN(), Difference: math.NaN()}
}

// choose finds the version for a call, and its key.
func (s *Service) choose(r *route, c Call) (chosen, error) {
	key := c.Key
	if key == "" && c.Header != nil {
		key = c.Header(r.spec.Traffic.Header())
	}
	if c.Version != "" {
		if r.versions[c.Version] == nil {
			return chosen{}, noVersion(c.Endpoint, c.Version)
		}
		return chosen{traffic.Choice{Version: c.Version}, key, true}, nil
	}
	choice := r.spec.Traffic.Choose(key, c.Header, s.deps.Random())
	return chosen{choice, key, choice.Rule != ""}, nil
}

// pending is a request that waits for its answer.
type pending struct {
	ctx     context.Context //nolint:containedctx // whoever runs it must know whether anybody still waits
	request *infer.Request
	since   time.Time
	rows    int64
	rowed   bool
	done    chan answer // one value, never blocks
	// lost counts the workers that died while they had it.
	lost int
}

type answer struct {
	response *infer.Response
	err      error
}

func (p *pending) answer(r *infer.Response, err error) { p.done <- answer{r, err} }

// ask puts a request into the queue and waits for its answer. The caller has entered the version.
func (v *version) ask(ctx context.Context, r *infer.Request) (*infer.Response, error) {
	if err := v.refuses(); err != nil {
		return nil, err
	}
	p := &pending{ctx: ctx, request: r, since: time.Now(), done: make(chan answer, 1)}
	p.rows, p.rowed = infer.BatchRows(r)
	v.used.Store(v.s.deps.Now().UnixNano())
	if v.patient.Load() && v.patient.CompareAndSwap(true, false) {
		close(v.asked)
	}
	select {
	case v.queue <- p:
	default:
		return nil, fault.Exhaustedf("endpoint %q: %d requests are waiting for version %s, which is the most: try again, or raise queue_limit or workers",
			v.endpoint, cap(v.queue), v.number)
	}
	limit := time.NewTimer(v.settings.Timeout())
	defer limit.Stop()
	select {
	case a := <-p.done:
		return a.response, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-limit.C:
		return nil, v.late()
	}
}

// late is the error of a request that got no answer in time.
func (v *version) late() error {
	return &fault.Error{Kind: fault.Unavailable, Cause: context.DeadlineExceeded,
		Message: "endpoint \"" + v.endpoint + "\": version " + v.number + " gave no answer within " + v.settings.Timeout().String()}
}

// outcomeOf says how a request ended; known is false where that says nothing about the version.
func outcomeOf(err error) (o endpoint.Outcome, known bool) {
	switch {
	case err == nil:
		return endpoint.OK, true
	case errors.Is(err, context.DeadlineExceeded):
		return endpoint.TimedOut, true
	case errors.Is(err, context.Canceled):
		return 0, false // the client has gone
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.TooLarge:
		return endpoint.Rejected, true
	case fault.Exhausted:
		return endpoint.Shed, true
	}
	return endpoint.Failure, true
}

// shadows gives versions copies of a request that was answered.
func (s *Service) shadows(r *route, numbers []string, request *infer.Request, o original) {
	if o.response != nil { // the caller may change the one that it gets
		o.response = &infer.Response{Outputs: slices.Clone(o.response.Outputs)}
	}
	for _, n := range numbers {
		s.shadow(r.versions[n], request, o)
	}
}

// original is a request that a client got an answer to.
type original struct {
	version  *version
	seen     endpoint.Observation
	response *infer.Response
	err      error
	kept     kept
}

// shadow gives a version a copy of a request that was answered, and compares.
func (s *Service) shadow(v *version, r *infer.Request, o original) {
	if v == nil || !v.enter() {
		return
	}
	done := func() { v.copies.Add(-1); v.leave() }
	if v.copies.Add(1) > int64(cap(v.queue)/2) {
		done()
		return // copies leave room for requests, also when the version gets some of its own a moment later
	}
	s.parts.Go(func() {
		defer done()
		began := s.deps.Now()
		resp, err := v.ask(s.until, r)
		took := s.deps.Now().Sub(began)
		// A copy that found no place in the queue is one that the shadow has not seen.
		if outcome, known := outcomeOf(err); known && outcome != endpoint.Shed {
			about := o.seen
			about.At, about.Outcome, about.Shadow = began, outcome, true
			seen := observed(took, r, resp, about)
			seen.Agreed, seen.Difference = compare(o.response, resp, o.err, err)
			v.stats.observe(seen)
			o.version.stats.copied(o.seen)
			s.logged(o.kept, v, reqlog.Shadow, r, seen, resp)
		}
	})
}
