package kfp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"levada/internal/api/status"
	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/schedule"
)

var recurringColumns = columns{
	"recurring_run_id": {key: "id"}, "id": {key: "id"},
	"display_name": {key: "display_name"}, "name": {key: "display_name"},
	"description":   {key: "description"},
	"experiment_id": {key: "experiment_id"},
	"created_at":    {key: "created_at", kind: instant},
	"updated_at":    {key: "updated_at", kind: instant},
}

// recurringFields are all fields of the RecurringRun message; those that only the server sets are taken and ignored.
var recurringFields = []string{
	"recurring_run_id", "display_name", "description", "pipeline_version_id", "pipeline_spec", "pipeline_version_reference",
	"runtime_config", "service_account", "max_concurrency", "trigger", "mode", "created_at", "updated_at", "status", "error",
	"no_catchup", "namespace", "experiment_id", "plugins_input",
}

func (d *door) createRecurringRun(r *http.Request) (any, error) {
	m, err := d.readMessage(r, "recurring_run", recurringFields...)
	if err != nil {
		return nil, err
	}
	given, err := readRecurringRun(m)
	if err != nil {
		return nil, err
	}
	created, err := d.Recurring.Create(r.Context(), given)
	if err != nil {
		return nil, err
	}
	return d.toRecurringRun(r, created, specs{})
}

func readRecurringRun(m message) (r catalog.RecurringRun, err error) {
	if err := m.texts(map[string]*string{"display_name": &r.DisplayName, "description": &r.Description}); err != nil {
		return r, err
	}
	if strings.TrimSpace(r.DisplayName) == "" {
		return r, fault.Invalidf("%s.display_name is empty: give the recurring run a name", m.path)
	}
	if r.Run, err = readSubmission(m); err != nil {
		return r, err
	}
	concurrency, err := m.integer("max_concurrency")
	if err != nil {
		return r, err
	}
	if r.MaxConcurrency = int(concurrency); int64(r.MaxConcurrency) != concurrency {
		return r, fault.Invalidf("%s.max_concurrency: %d is too large", m.path, concurrency)
	}
	if r.NoCatchup, err = m.flag("no_catchup"); err != nil {
		return r, err
	}
	if r.Enabled, err = readMode(m); err != nil {
		return r, err
	}
	r.Trigger, err = readTrigger(m)
	return r, err
}

// readMode reads an enum: its words or its numbers. Like KFP it takes what is not said for disabled.
func readMode(m message) (enabled bool, err error) {
	switch mode := string(m.fields["mode"]); mode {
	case `"ENABLE"`, "1":
		return true, nil
	case "", `"DISABLE"`, "2", `"MODE_UNSPECIFIED"`, "0":
		return false, nil
	default:
		return false, fault.Invalidf("%s.mode: want ENABLE or DISABLE, got %s", m.path, excerpt(json.RawMessage(mode)))
	}
}

func readTrigger(m message) (t schedule.Trigger, err error) {
	trigger, err := m.message("trigger", "cron_schedule", "periodic_schedule")
	if err != nil {
		return t, err
	}
	if trigger.has("cron_schedule") == trigger.has("periodic_schedule") {
		return t, fault.Invalidf("%s: want exactly one of cron_schedule and periodic_schedule", trigger.path)
	}
	var when message
	if trigger.has("cron_schedule") {
		if when, err = trigger.message("cron_schedule", "cron", "start_time", "end_time"); err == nil {
			t.Cron, err = when.text("cron")
		}
	} else if when, err = trigger.message("periodic_schedule", "interval_second", "start_time", "end_time"); err == nil {
		t.IntervalSeconds, err = when.integer("interval_second")
	}
	if err != nil {
		return t, err
	}
	if t.Start, err = when.instant("start_time"); err != nil {
		return t, err
	}
	t.End, err = when.instant("end_time")
	return t, err
}

func (d *door) getRecurringRun(r *http.Request) (any, error) {
	found, err := d.Recurring.Get(r.Context(), r.PathValue("recurring"))
	if err != nil {
		return nil, err
	}
	return d.toRecurringRun(r, found, specs{})
}

func (d *door) listRecurringRuns(r *http.Request) (any, error) {
	p, err := readPage(r, recurringColumns)
	if err != nil {
		return nil, err
	}
	if id := r.URL.Query().Get("experiment_id"); id != "" {
		p.Where = append(p.Where, listing.Predicate{Key: "experiment_id", Op: listing.Equals, Values: []any{id}})
	}
	found, err := d.Recurring.List(r.Context(), p.Query)
	if err != nil {
		return nil, err
	}
	list := recurringRunList{TotalSize: found.Total, NextPageToken: p.next(found.NextPageToken)}
	seen := specs{}
	for _, item := range found.Items {
		wire, err := d.toRecurringRun(r, item, seen)
		if err != nil {
			return nil, err
		}
		list.RecurringRuns = append(list.RecurringRuns, wire)
	}
	return list, nil
}

func (d *door) enableRecurringRun(enabled bool) call {
	return func(r *http.Request) (any, error) {
		return empty{}, d.Recurring.SetEnabled(r.Context(), r.PathValue("recurring"), enabled)
	}
}

// deleteRecurringRun keeps the runs that were started. The other propagation policies would have them removed with their schedule.
func (d *door) deleteRecurringRun(r *http.Request) (any, error) {
	switch policy := r.URL.Query().Get("propagation_policy"); policy {
	case "", "DELETE_PROPAGATION_POLICY_UNSPECIFIED", "0", "ORPHAN", "3":
	case "FOREGROUND", "1", "BACKGROUND", "2":
		return nil, fault.Unimplementedf("not implemented by Levada: propagation_policy %s; the runs of a deleted recurring run stay, "+
			"terminate or delete them one by one", policy)
	default:
		return nil, fault.Invalidf("propagation_policy: want FOREGROUND, BACKGROUND or ORPHAN, got %q", shorten(policy))
	}
	return empty{}, d.Recurring.Delete(r.Context(), r.PathValue("recurring"))
}

func (d *door) toRecurringRun(r *http.Request, from catalog.RecurringRun, seen specs) (recurringRun, error) {
	wire := recurringRun{
		RecurringRunID: from.ID,
		DisplayName:    from.DisplayName,
		Description:    from.Description,
		ServiceAccount: from.Run.ServiceAccount,
		MaxConcurrency: strconv.Itoa(from.MaxConcurrency),
		Trigger:        toTrigger(from.Trigger),
		Mode:           "DISABLE",
		Status:         "DISABLED",
		NoCatchup:      from.NoCatchup,
		ExperimentID:   from.Run.ExperimentID,
		CreatedAt:      stamp(from.CreatedAt),
		UpdatedAt:      stamp(from.UpdatedAt),
	}
	if from.Enabled {
		wire.Mode, wire.Status = "ENABLE", "ENABLED"
	}
	if from.Failure != "" {
		wire.Error = &rpcStatus{Code: status.FailedPrecondition, Message: from.Failure}
	}
	if len(from.Run.Parameters) > 0 || from.Run.PipelineRoot != "" {
		wire.RuntimeConfig = &runtimeConfig{Parameters: from.Run.Parameters, PipelineRoot: from.Run.PipelineRoot}
	}
	if from.Run.PipelineID != "" {
		wire.PipelineVersionReference = &versionReference{PipelineID: from.Run.PipelineID, PipelineVersionID: from.Run.VersionID}
		return wire, nil
	}
	var err error
	if wire.PipelineSpec, err = d.spec(r.Context(), from.Run.SpecDigest, seen); err != nil {
		return wire, fmt.Errorf("recurring run %s: %w", from.ID, err)
	}
	return wire, nil
}

// toTrigger shows a trigger as one of KFP's kinds. A single time is an expression that allows one second between its start and end.
func toTrigger(t schedule.Trigger) runTrigger {
	times := scheduleTimes{StartTime: stampOf(t.Start), EndTime: stampOf(t.End)}
	if t.At != nil {
		at := t.At.UTC().Truncate(time.Second)
		before := at.Add(-time.Second)
		times = scheduleTimes{StartTime: stampOf(&before), EndTime: stampOf(&at)}
		return runTrigger{Cron: &cronSchedule{scheduleTimes: times, Cron: at.Format("5 4 15 2 1 *")}}
	}
	if t.Cron != "" && t.TimeZone != "" {
		return runTrigger{Cron: &cronSchedule{scheduleTimes: times, Cron: schedule.ZonePrefix + t.TimeZone + " " + t.Cron}}
	}
	if t.Cron != "" {
		return runTrigger{Cron: &cronSchedule{scheduleTimes: times, Cron: t.Cron}}
	}
	return runTrigger{Periodic: &periodicSchedule{scheduleTimes: times, IntervalSecond: strconv.FormatInt(t.IntervalSeconds, 10)}}
}
