package engine

import (
	"fmt"
	"time"

	"levada/internal/core/run"
)

// setDeadline notes when a run that starts now must have ended: activeDeadlineSeconds of its pipeline.
func (s *State) setDeadline(now time.Time) {
	if c := s.pipeline.Config(); c != nil && c.ActiveDeadlineSeconds > 0 {
		s.deadline = now.Add(time.Duration(c.ActiveDeadlineSeconds) * time.Second)
	}
}

// deadlineDue returns the deadline of a run that may still miss it, and zero otherwise.
func (s *State) deadlineDue() time.Time {
	if s.root == nil || s.canceling || s.state.Final() {
		return time.Time{}
	}
	return s.deadline
}

// whyStopping completes sentences about tasks of a run that is being stopped.
func (s *State) whyStopping() string {
	if s.timedOut {
		return fmt.Sprintf("the run had reached its deadline of %s", s.limit())
	}
	return "the run was cancelled"
}

func (s *State) limit() time.Duration {
	return time.Duration(s.pipeline.Config().ActiveDeadlineSeconds) * time.Second
}

func (s *State) deadlineFailure() *run.Failure {
	return &run.Failure{Reason: run.ReasonTimeout, Message: fmt.Sprintf(
		"the run took longer than its deadline of %s and was stopped: raise active_deadline_seconds in the pipeline's PipelineConfig, "+
			"or find out which task takes so long", s.limit())}
}
