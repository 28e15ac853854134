package trigger

import "time"

// alarm rings at a time. It is a timer without the channel that timers have: where several of those are due at once in a test on virtual
// time, Go 1.26 with the race detector crashes now and then, because they share one race context (runtime, timer.unlockAndRun).
type alarm struct {
	*time.Timer
	rings chan struct{}
}

// newAlarm returns an alarm that rings at once. Stop it in the end.
func newAlarm() alarm {
	rings := make(chan struct{}, 1)
	return alarm{rings: rings, Timer: time.AfterFunc(0, func() {
		select {
		case rings <- struct{}{}:
		default:
		}
	})}
}
