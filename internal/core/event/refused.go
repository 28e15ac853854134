package event

import (
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// Refused is the state, in the event of a run, of one that a recurring run or a trigger was to start and that was refused: it is not
// there and has no id. Whoever is told of failed runs is told of these; runs are started for them only where a trigger names the state.
const Refused run.State = "REFUSED"

// Refusal is a run that was to start by itself and was refused.
type Refusal struct {
	// Run is what was asked for, with the id and the name that the run would have had.
	Run run.Submission
	// TriggerID is the trigger that was to start it, if it was one; Cause are those that have led to it.
	TriggerID string
	Cause     []string
	// Reason says why it was refused, ToDo what to do about it.
	Reason, ToDo string
	At           time.Time
}

// Event is that of the end of a run, with the fields of one that there is not. It is the same event however often the run is asked for.
func (r Refusal) Event() Event {
	cause := r.Cause
	if r.TriggerID != "" {
		cause = append(append([]string{}, cause...), r.TriggerID)
	}
	data := Ended(run.Run{
		DisplayName: r.Run.DisplayName, State: Refused, PipelineName: r.Run.PipelineName, PipelineID: r.Run.PipelineID, VersionID: r.Run.VersionID,
		ExperimentID: r.Run.ExperimentID, RecurringRunID: r.Run.RecurringRunID, Parameters: r.Run.Parameters,
		Failure: &run.Failure{Reason: run.Reason(Refused), Message: fault.Shorten(r.Reason, 2000) + ". " + r.ToDo},
	}, 0)
	data["trigger_id"] = r.TriggerID
	return Event{ID: "refused/" + r.Run.ID, Kind: Run, At: r.At, Cause: cause, Data: data}
}
