package event

import (
	"encoding/json"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// maxParameters bounds the parameters in the event of a run, in bytes of JSON: they may be as large as a specification.
const maxParameters = 16 << 10

// maxMessage bounds the message of a failure in that event, in bytes.
const maxMessage = 4 << 10

// Ended are the fields of the event of a run that has ended, with how long it took; docs/automation.md lists them. Parameters that are too
// large for an event are left out.
func Ended(r run.Run, seconds float64) map[string]any {
	data := map[string]any{
		"run_id": r.ID, "name": r.DisplayName, "state": string(r.State), "pipeline": r.PipelineName, "pipeline_id": r.PipelineID,
		"version_id": r.VersionID, "experiment_id": r.ExperimentID, "recurring_run_id": r.RecurringRunID, "seconds": seconds,
		"task": "", "reason": "", "message": "",
	}
	if f := r.Failure; f != nil {
		data["task"], data["reason"], data["message"] = f.Task, string(f.Reason), fault.Shorten(f.Message, maxMessage)
	}
	parameters := r.Parameters
	if parameters == nil {
		parameters = map[string]any{}
	}
	if b, err := json.Marshal(parameters); err == nil && len(b) <= maxParameters {
		data["parameters"] = parameters
	}
	return data
}
