package pyenv

import (
	"context"
	"fmt"
	"time"
)

// placeVariable is in the environment of every tool and says what it works on. All that a tool starts inherits it, whatever
// process group or session it moves to, so that what a killed server left behind can be found.
const placeVariable = "LEVADA_BUILD_PLACE"

// endLeftovers ends the tools that still work on the place for a server that is gone. The caller holds the lock of the
// place, so nobody alive has any tool there.
func (w work) endLeftovers(ctx context.Context) error {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, patience,
		fmt.Errorf("processes of an earlier build still work on %s: end them and try again", w.place))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	// A process may start another while it is looked at: only an empty list is the end.
	for first := true; ; first = false {
		ended := killMarked(placeVariable + "=" + w.place)
		if ended == 0 {
			return nil
		}
		if first {
			w.say(fmt.Sprintf("ended %d process(es) of an earlier build that outlived its server", ended))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
