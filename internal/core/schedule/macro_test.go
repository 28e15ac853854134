package schedule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMacrosInParametersAreFilledIn(t *testing.T) {
	scheduled := at("2026-11-24 02:30:00")
	m := Moment{RunID: "run-1", Now: at("2026-11-24 02:30:07"), Scheduled: &scheduled, Index: 12}
	given := map[string]any{
		"id":      "[[RunUUID]]/[[Index]]",
		"times":   "[[ScheduledTime]] [[CurrentTime]]",
		"layouts": "[[ScheduledTime.15-04-05]] [[CurrentTime.2006-01-02T15:04:05Z]]",
		"strftime": "{{$.scheduledTime.strftime('%Y-%m-%d %H:%M:%S %j %% %s %q')}} " +
			"{{$.currentTime.strftime('%y%m%d')}}",
		"unknown": "[[Other]] [[RunUUID {{$.pipeline_job_name}} [[ScheduledTimes]]",
		"number":  3.0,
		"list":    []any{"[[Index]]", map[string]any{"a": "[[RunUUID]]"}, true},
	}
	want := map[string]any{
		"id":       "run-1/12",
		"times":    "20261124023000 20261124023007",
		"layouts":  "02-30-00 2026-11-24T02:30:07Z",
		"strftime": "2026-11-24 02:30:00 328 % 1795487400 %q 261124",
		"unknown":  "[[Other]] [[RunUUID {{$.pipeline_job_name}} [[ScheduledTimes]]",
		"number":   3.0,
		"list":     []any{"12", map[string]any{"a": "run-1"}, true},
	}
	if diff := cmp.Diff(want, m.Expand(given)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if given["id"] != "[[RunUUID]]/[[Index]]" {
		t.Error("the given map was changed")
	}
}

func TestARunWithoutAScheduleKeepsTheMacrosOfOne(t *testing.T) {
	m := Moment{RunID: "run-1", Now: at("2026-11-24 02:30:07")}
	const text = "[[ScheduledTime]] [[ScheduledTime.2006]] [[Index]] {{$.scheduledTime.strftime('%Y')}}"
	want := map[string]any{"kept": text, "filled": "run-1 2026"}
	if diff := cmp.Diff(want, m.Expand(map[string]any{"kept": text, "filled": "[[RunUUID]] [[CurrentTime.2006]]"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.Expand(nil) != nil {
		t.Error("no parameters became some")
	}
}
