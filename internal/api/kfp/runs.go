package kfp

import (
	"net/http"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

var runColumns = columns{
	"run_id": {key: "id"}, "id": {key: "id"},
	"display_name": {key: "display_name"}, "name": {key: "display_name"},
	"description":      {key: "description"},
	"experiment_id":    {key: "experiment_id"},
	"recurring_run_id": {key: "recurring_run_id"},
	"state":            {key: "state", kind: state},
	"status":           {key: "state", kind: state}, // the name in KFP's own examples of filters
	"created_at":       {key: "created_at", kind: instant},
	"scheduled_at":     {key: "scheduled_at", kind: instant},
	"finished_at":      {key: "finished_at", kind: instant},
	"storage_state":    {key: "archived", kind: hidden},
}

// runFields are all fields of the Run message. Those that only the server sets are taken and ignored, as by KFP, so that
// a run that was read can be sent again.
var runFields = []string{
	"experiment_id", "run_id", "display_name", "storage_state", "description", "pipeline_version_id", "pipeline_spec",
	"pipeline_version_reference", "runtime_config", "service_account", "created_at", "scheduled_at", "finished_at", "state",
	"error", "run_details", "recurring_run_id", "state_history", "plugins_input", "plugins_output",
}

func (d *door) createRun(r *http.Request) (any, error) {
	m, err := d.readMessage(r, "run", runFields...)
	if err != nil {
		return nil, err
	}
	sub, err := readSubmission(m)
	if err != nil {
		return nil, err
	}
	if err := m.texts(map[string]*string{"display_name": &sub.DisplayName, "description": &sub.Description}); err != nil {
		return nil, err
	}
	if sub.ExperimentID == "" {
		sub.ExperimentID = r.URL.Query().Get("experiment_id")
	}
	created, err := d.Service.Submit(r.Context(), sub)
	if err != nil {
		return nil, err
	}
	return d.runWithTasks(r, created)
}

// successWord is what an exit handler reads as the state of a task that succeeded. KFP's own backend hands out this word of
// its metadata store, and components compare with it.
const successWord = "COMPLETE"

// readSubmission reads what a run and a recurring run have in common: all but their names.
func readSubmission(m message) (pipeline.Submission, error) {
	sub := pipeline.Submission{SuccessWord: successWord}
	if m.has("plugins_input") && string(m.fields["plugins_input"]) != "{}" {
		return sub, fault.Unimplementedf("not implemented by Levada: %s.plugins_input", m.path)
	}
	if err := m.texts(map[string]*string{"experiment_id": &sub.ExperimentID, "service_account": &sub.ServiceAccount}); err != nil {
		return sub, err
	}
	if err := readSource(m, &sub); err != nil {
		return sub, err
	}
	config, err := m.message("runtime_config", "parameters", "pipeline_root")
	if err != nil {
		return sub, err
	}
	if sub.PipelineRoot, err = config.text("pipeline_root"); err != nil {
		return sub, err
	}
	sub.Parameters, err = config.object("parameters")
	return sub, err
}

// readSource reads the oneof that says what to run.
func readSource(m message, sub *pipeline.Submission) error {
	var given []string
	for _, name := range []string{"pipeline_spec", "pipeline_version_reference", "pipeline_version_id"} {
		if m.has(name) {
			given = append(given, name)
		}
	}
	if len(given) != 1 {
		return fault.Invalidf("%s: want exactly one of pipeline_spec and pipeline_version_reference, got %s", m.path, orNone(given))
	}
	if given[0] == "pipeline_spec" {
		if _, err := m.object("pipeline_spec"); err != nil {
			return err
		}
		sub.Spec = m.fields["pipeline_spec"]
		return nil
	}
	if given[0] == "pipeline_version_id" { // deprecated since KFP 2.0, and still taken by it
		var err error
		sub.VersionID, err = m.text("pipeline_version_id")
		return err
	}
	ref, err := m.message("pipeline_version_reference", "pipeline_id", "pipeline_version_id")
	if err != nil {
		return err
	}
	if err := ref.texts(map[string]*string{"pipeline_id": &sub.PipelineID, "pipeline_version_id": &sub.VersionID}); err != nil {
		return err
	}
	if sub.PipelineID == "" && sub.VersionID == "" {
		return fault.Invalidf("%s is empty: name the pipeline to run by pipeline_id, and its version by pipeline_version_id", ref.path)
	}
	return nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " and ")
}

func (d *door) getRun(r *http.Request) (any, error) {
	found, err := d.Service.GetRun(r.Context(), r.PathValue("run"))
	if err != nil {
		return nil, err
	}
	return d.runWithTasks(r, found)
}

// listRuns leaves run_details out: they would cost one query for each run of the page.
func (d *door) listRuns(r *http.Request) (any, error) {
	p, err := readPage(r, runColumns)
	if err != nil {
		return nil, err
	}
	if id := r.URL.Query().Get("experiment_id"); id != "" {
		p.Where = append(p.Where, listing.Predicate{Key: "experiment_id", Op: listing.Equals, Values: []any{id}})
	}
	found, err := d.Service.ListRuns(r.Context(), p.Query)
	if err != nil {
		return nil, err
	}
	list := runList{TotalSize: found.Total, NextPageToken: p.next(found.NextPageToken)}
	seen := specs{}
	for _, item := range found.Items {
		wire, err := d.toRun(r.Context(), item, seen)
		if err != nil {
			return nil, err
		}
		list.Runs = append(list.Runs, wire)
	}
	return list, nil
}

func (d *door) terminateRun(r *http.Request) (any, error) {
	return empty{}, d.Service.CancelRun(r.Context(), r.PathValue("run"))
}

func (d *door) retryRun(r *http.Request) (any, error) {
	_, err := d.Service.RetryRun(r.Context(), r.PathValue("run"))
	return empty{}, err
}

func (d *door) archiveRun(archived bool) call {
	return func(r *http.Request) (any, error) {
		return empty{}, d.Service.ArchiveRun(r.Context(), r.PathValue("run"), archived)
	}
}

func (d *door) deleteRun(r *http.Request) (any, error) {
	return empty{}, d.Service.DeleteRun(r.Context(), r.PathValue("run"))
}

// runWithTasks is a run as get_run shows it.
func (d *door) runWithTasks(r *http.Request, found run.Run) (any, error) {
	wire, err := d.toRun(r.Context(), found, specs{})
	if err != nil {
		return nil, err
	}
	tasks, err := d.Service.Tasks(r.Context(), found.ID)
	if err != nil {
		return nil, err
	}
	if len(tasks) > 0 {
		wire.RunDetails = &runDetails{TaskDetails: toTasks(tasks)}
	}
	return wire, nil
}
