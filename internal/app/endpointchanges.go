package app

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"levada/internal/changes"
	"levada/internal/core/change"
	"levada/internal/core/reqlog"
	endpoints "levada/internal/serving"
)

const (
	// tellEvery is how often those who look at endpoints are told that requests came.
	tellEvery = 2 * time.Second
	// tellAfter is how often they are told once more after the last request, until rates are 0.
	tellAfter = 6
)

// tellOfRequests tells that the figures of endpoints have changed, while they do and somebody listens, until the function that it returns is
// called.
func (s *server) tellOfRequests() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		now := func() string { return fmt.Sprint(shownFigures(s.endpoints.Measure())) }
		last, left := now(), 0
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !s.changes.Listening() {
				continue
			}
			if is := now(); is != last {
				last, left = is, tellAfter
			}
			if left > 0 {
				left--
				var changed change.Set
				changed.Add(change.Endpoints, "")
				s.changes.Publish(&changed)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// shownFigures are those that people look at, in an order of their own.
func shownFigures(measured []endpoints.Measured) []string {
	out := make([]string, len(measured))
	for i, m := range measured {
		out[i] = fmt.Sprint(m.Endpoint, m.Version, m.State, m.Requests, m.Shadows, m.Workers, m.Queued)
	}
	slices.Sort(out)
	return out
}

// tellingOfTruth is the service of endpoints for a door through which truths come: who looks at the quality is told of them.
type tellingOfTruth struct {
	*endpoints.Service
	changes *changes.Feed
}

// PutTruth takes what became of requests.
func (t tellingOfTruth) PutTruth(ctx context.Context, name string, r io.Reader, format string) (reqlog.Taken, error) {
	taken, err := t.Service.PutTruth(ctx, name, r, format)
	if err == nil && taken.New+taken.Replaced > 0 {
		var changed change.Set
		changed.Add(change.Endpoints, "")
		t.changes.Publish(&changed)
	}
	return taken, err
}
