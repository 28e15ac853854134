package sim

import (
	"context"
	"fmt"
	"strings"

	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// unfinished describes the runs that have not ended.
func (c *checker) unfinished() string {
	var b strings.Builder
	for _, id := range c.order {
		if h := c.runs[id]; !h.run.State.Final() {
			fmt.Fprintf(&b, "%s is %s", short(id), h.run.State)
			for _, path := range sorted(h.rows) {
				if t := h.rows[path]; !t.State.Final() {
					fmt.Fprintf(&b, ", %s is %s", path, t.State)
				}
			}
			b.WriteString("; ")
		}
	}
	for _, call := range c.world.parked {
		fmt.Fprintf(&b, "parked: %s; ", call.what)
	}
	if b.Len() == 0 {
		return fmt.Sprintf("%d requests are not answered", len(c.world.clients))
	}
	return b.String()
}

// end looks at everything once more when the schedule is over.
func (c *checker) end() {
	for _, id := range c.order {
		h := c.runs[id]
		c.stored(h)
		if !h.gone && h.cancelAt == 0 {
			c.outcome(h)
		}
	}
}

// stored reads a run back and compares it with what was acknowledged, and its rows with a replay of its whole log.
func (c *checker) stored(h *history) {
	ctx := context.Background()
	r, err := c.world.store.GetRun(ctx, h.id)
	if h.gone {
		if fault.KindOf(err) != fault.NotFound {
			c.violation(h, "a deleted run is there: %v", err)
		}
		return
	}
	var log []run.Event
	var rows []run.Task
	if err == nil {
		log, err = c.world.store.Events(ctx, h.id, 1)
	}
	if err == nil {
		rows, err = c.world.store.Tasks(ctx, h.id)
	}
	switch {
	case err != nil:
		c.violation(h, "it cannot be read: %v", err)
		return
	case r.State != h.run.State || len(log) != len(h.log) || len(rows) != len(h.rows):
		c.violation(h, "it is stored as %s with %d events and %d tasks, want %s with %d and %d", r.State, len(log), len(rows), h.run.State, len(h.log), len(h.rows))
		return
	}
	if c.world.seed%8 != 0 && !c.world.thorough {
		return // the log was replayed as it grew; doing it again finds little more and costs as much as the rest
	}
	again, err := engine.Replay(c.world.subject.pipeline, log)
	if err != nil {
		c.violation(h, "replay: %v", err)
		return
	}
	replayed := map[string]run.Task{}
	for _, t := range again.TakeChanged() {
		replayed[t.Path] = t
	}
	for i := range rows {
		t := replayed[rows[i].Path]
		if diff := differ(&t, &rows[i]); diff != "" {
			c.violation(h, "the stored row of %s differs from the replay of the log: %s", rows[i].Path, diff)
		}
	}
}

// outcome compares a run that nobody has cancelled with what the oracle says.
func (c *checker) outcome(h *history) {
	if h.run.State != h.oracle.state {
		c.violation(h, "the run ends as %s, the oracle says %s", h.run.State, h.oracle.state)
	}
	for path, want := range h.oracle.tasks {
		got, ok := h.rows[path]
		if !ok {
			c.violation(h, "task %s is missing; the oracle says it is %s", path, want.state)
			continue
		}
		c.compare(h, got, want)
	}
	for path := range h.rows {
		if h.oracle.tasks[path] == nil {
			c.violation(h, "the oracle knows no task %s", path)
		}
	}
}

func (c *checker) compare(h *history, got run.Task, want *expected) {
	switch {
	case got.State != want.state || got.Kind != want.kind:
		c.violation(h, "task %s is a %s that is %s (%s), the oracle says a %s that is %s %s", got.Path, got.Kind, got.State, got.Reason, want.kind, want.state, want.failed)
	case want.kind != run.KindIteration && want.state != run.Skipped && want.failed == "" && !equalValues(settled(got.Inputs), settled(want.inputs)):
		c.violation(h, "task %s has inputs %v, the oracle says %v", got.Path, got.Inputs, want.inputs)
	case want.state == run.Succeeded && !equalValues(got.Outputs, want.outputs):
		c.violation(h, "task %s has outputs %v, the oracle says %v", got.Path, got.Outputs, want.outputs)
	case !want.kind.Leaf() || want.cacheable:
	case got.Attempts != h.oracle.results[got.Path]+h.lost[got.Path]:
		c.violation(h, "task %s was tried %d times of which %d were lost, the oracle says %d", got.Path, got.Attempts, h.lost[got.Path], h.oracle.results[got.Path])
	}
}
