package event_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/event"
	"levada/internal/core/run"
)

func TestARefusedRunHasTheFieldsOfOneThatFailed(t *testing.T) {
	large := map[string]any{"text": strings.Repeat("x", 17<<10)}
	for name, parameters := range map[string]map[string]any{"none": nil, "some": {"a": 1.0}, "too large": large} {
		ended := event.Ended(run.Run{ID: "r", DisplayName: "n", State: run.Failed, PipelineName: "p", Parameters: parameters,
			Failure: &run.Failure{Reason: run.ReasonInput, Message: strings.Repeat("m", 5000), Task: "t"}}, 2.5)
		refused := event.Refusal{Run: run.Submission{ID: "r", DisplayName: "n", PipelineName: "p", Parameters: parameters}, TriggerID: "t1", Reason: "gone", ToDo: "Upload it"}.Event().Data
		if refused["trigger_id"] != "t1" || refused["run_id"] != "" || refused["reason"] != "REFUSED" || refused["message"] != "gone. Upload it" || refused["seconds"] != 0.0 {
			t.Errorf("%s: %v", name, refused)
		}
		if text := ended["message"].(string); ended["task"] != "t" || ended["reason"] != "InputError" || len(text) > 4<<10+len("...") || ended["seconds"] != 2.5 {
			t.Errorf("%s: a message of %d bytes, task %v, reason %v, %v seconds", name, len(text), ended["task"], ended["reason"], ended["seconds"])
		}
		delete(refused, "trigger_id")
		if diff := cmp.Diff(slices.Sorted(maps.Keys(ended)), slices.Sorted(maps.Keys(refused))); diff != "" {
			t.Errorf("%s: the fields differ (-ended +refused):\n%s", name, diff)
		}
		if diff := cmp.Diff(ended["parameters"], refused["parameters"]); diff != "" {
			t.Errorf("%s: the parameters differ:\n%s", name, diff)
		}
		if got, there := ended["parameters"]; there == (name == "too large") || there && got == nil {
			t.Errorf("%s: parameters are %v", name, got)
		}
	}
}
