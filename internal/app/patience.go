package app

import (
	"context"
	"errors"
	"syscall"
	"time"

	"levada/internal/core/fault"
)

// A server that is killed while it starts a process leaves a fork that holds all it had open, the lock and the port too, until
// that process runs its own program. Whoever starts the next server at once should not notice.
const (
	lockPatience = 3 * time.Second
	portPatience = time.Second
)

func held(err error) bool  { return fault.KindOf(err) == fault.Conflict }
func taken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// patiently tries again for a while when an attempt fails with an error that may pass.
func patiently[T any](ctx context.Context, limit time.Duration, passing func(error) bool, try func() (T, error)) (T, error) {
	deadline := time.Now().Add(limit)
	for {
		v, err := try()
		if err == nil || !passing(err) || time.Now().After(deadline) {
			return v, err
		}
		wait := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			wait.Stop()
			return v, err
		case <-wait.C:
		}
	}
}
