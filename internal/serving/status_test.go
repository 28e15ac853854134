package serving

import (
	"testing"
	"time"

	"levada/internal/core/endpoint"
)

func TestRatesAreThoseOfTheNewestRequestsWithoutCopies(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	seen := func(age time.Duration, o endpoint.Outcome, shadow bool) endpoint.Observation {
		return endpoint.Observation{At: now.Add(-age), Outcome: o, Shadow: shadow}
	}
	rate, errors := rates([]endpoint.Observation{
		seen(9*time.Minute, endpoint.OK, false), seen(time.Minute, endpoint.Failure, false), seen(9*time.Second, endpoint.OK, false),
		seen(time.Second, endpoint.OK, false), seen(time.Second, endpoint.TimedOut, true),
	}, now)
	if rate != 0.2 || errors != 0.25 {
		t.Errorf("%v requests a second, %v errors; want 0.2 and 0.25", rate, errors)
	}
	// More requests than are remembered: the time for which they are counts.
	full := make([]endpoint.Observation, window)
	for i := range full {
		full[i] = seen(2*time.Second, endpoint.OK, false)
	}
	if rate, errors = rates(full, now); rate != window/2.0 || errors != 0 {
		t.Errorf("%v requests a second, %v errors; want %v and 0", rate, errors, window/2.0)
	}
	if rate, errors = rates(nil, now); rate != 0 || errors != 0 {
		t.Errorf("without requests: %v and %v", rate, errors)
	}
}
