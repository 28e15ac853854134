package sim

import (
	"context"
	"fmt"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// clientKey finds the client that a call of the store belongs to, in its context.
type clientKey struct{}

// client is one request to the service, and what came of it.
type client struct {
	name string
	proc *process
	done bool
}

// busy reports whether a request is under way, or the server starts or stops.
func (s *schedule) busy() bool {
	s.clients = slices.DeleteFunc(s.clients, func(c *client) bool { return c.done || c.proc.isDead })
	return len(s.clients) > 0 || s.proc == nil || !s.proc.opened || s.proc.stopping
}

// ask sends a request. then is told of the answer unless the server died before it: a dead server answers nobody.
func (s *schedule) ask(name string, do func(context.Context, *pipeline.Service) error, then func(error)) {
	s.requests++
	c := &client{name: fmt.Sprintf("client %d", s.requests), proc: s.proc}
	s.note(c.name + " asks to " + name)
	s.clients = append(s.clients, c)
	ctx := context.WithValue(context.Background(), clientKey{}, c)
	svc := s.proc.svc
	go func() {
		err := do(ctx, svc)
		s.mu.Lock()
		defer s.mu.Unlock()
		c.done = true
		if !c.proc.isDead && then != nil {
			then(err)
		}
	}()
}

// request lets a client ask for something, if it is time for that.
func (s *schedule) request() bool {
	if s.busy(); len(s.clients) > 3 || s.requests > 12 {
		return false
	}
	first := len(s.check.order) == 0 && len(s.clients) == 0 // a schedule without a run would show nothing
	if !first && !s.chance(s.trouble.client) {
		return false
	}
	n := len(s.check.order)
	kind := s.rng.IntN(13)
	if first || n == 0 || kind < 4 && s.trouble.submits > 0 {
		s.trouble.submits--
		s.submit()
		return true
	}
	id := s.check.order[s.rng.IntN(n)]
	switch {
	case kind < 7 && s.trouble.cancel:
		s.ask("cancel "+short(id), func(ctx context.Context, svc *pipeline.Service) error { return svc.CancelRun(ctx, id) },
			func(err error) { s.check.canceled(id, err) })
	case kind == 7:
		s.ask("delete "+short(id), func(ctx context.Context, svc *pipeline.Service) error { return svc.DeleteRun(ctx, id) },
			func(err error) { s.check.answered("delete", id, err) })
	case kind >= 10:
		s.ask("retry "+short(id), func(ctx context.Context, svc *pipeline.Service) error {
			_, err := svc.RetryRun(ctx, id)
			return err
		}, s.check.asksToRetry(id))
	case kind >= 8:
		s.watch(id)
	default:
		return false
	}
	return true
}

func (s *schedule) submit() {
	sub := pipeline.Submission{Spec: s.subject.pipeline.Canonical, CacheOff: s.rng.IntN(5) == 0, Parameters: map[string]any{}}
	sub.Parameters["text"] = []string{"a", "b"}[s.rng.IntN(2)]
	if s.rng.IntN(2) == 0 {
		sub.Parameters["number"] = float64(s.rng.IntN(4))
	}
	if s.rng.IntN(3) == 0 {
		sub.Parameters["items"] = []any{"a", "c", "b"}[:s.rng.IntN(4)]
	}
	if s.rng.IntN(2) == 0 {
		sub.Parameters["maybe"] = "given"
	}
	var got run.Run
	s.ask("submit", func(ctx context.Context, svc *pipeline.Service) (err error) {
		got, err = svc.Submit(ctx, sub)
		return err
	}, func(err error) { s.check.submitted(got, err) })
}

// watch follows a run and compares what it was told with what is stored when it ends.
func (s *schedule) watch(id string) {
	seen := map[string]run.Task{}
	var last run.Run
	s.ask("watch "+short(id), func(ctx context.Context, svc *pipeline.Service) error {
		r, tasks, updates, err := svc.Watch(ctx, id)
		if err != nil {
			return err
		}
		last = r
		for _, t := range tasks {
			seen[t.Path] = t
		}
		// The request is answered when the stream has begun; reading on is not a part of it.
		go func() {
			for u := range updates {
				if u.Run != nil {
					last = *u.Run
				}
				if u.Task != nil {
					seen[u.Task.Path] = *u.Task
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.check.watched(id, last, seen)
		}()
		return nil
	}, func(err error) {
		if err != nil {
			s.check.answered("watch", id, err)
		}
	})
}

// excused reports whether an error is one that a client must expect: the store or the server failed, the thing is gone.
func excused(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.NotFound, fault.Internal, fault.Conflict:
		return true
	}
	return false
}
