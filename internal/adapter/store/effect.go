package store

import (
	"regexp"
	"strings"

	"levada/internal/core/change"
)

// topicsOf says what is shown of each table, for those who are told of commits. A table of which nothing is shown stands here as well,
// so that none is forgotten.
var topicsOf = map[string][]change.Topic{
	"runs":         {change.Runs, change.System},
	"run_progress": {change.Runs},
	"tasks":        {change.Runs, change.System},
	"events":       nil, // what follows from them is in the tables above
	"run_counts":   nil,

	"artifacts":       {change.Artifacts},
	"artifact_counts": nil,
	"artifact_uses":   {change.Artifacts},
	"data_queue":      nil, // what is found is in the tables below
	"profiles":        {change.Artifacts},
	"data_reports":    {change.Artifacts},
	"cache_entries":   {change.System},
	"secrets":         {change.System},

	"experiments":       {change.Experiments},
	"pipelines":         {change.Pipelines},
	"pipeline_versions": {change.Pipelines},
	"specs":             nil,
	"recurring_runs":    {change.RecurringRuns},
	"triggers":          {change.RecurringRuns},
	"trigger_firings":   {change.RecurringRuns},
	"trigger_events":    nil, // told of when triggers have taken them
	"trigger_runs":      nil,
	"trigger_marks":     nil,
	"declared":          nil,

	"partitionings":       {change.Backfills},
	"backfills":           {change.Backfills},
	"backfill_partitions": {change.Backfills},

	"tracking_runs":          {change.TrackedRuns},
	"tracking_params":        {change.TrackedRuns},
	"tracking_tags":          {change.TrackedRuns},
	"tracking_links":         {change.TrackedRuns},
	"tracking_models":        {change.TrackedRuns, change.Models},
	"tracking_model_metrics": {change.TrackedRuns, change.Models},
	"tracking_files":         {change.TrackedRuns},
	"tracking_outbox":        nil, // told of when the points are stored
	"tracking_forgotten":     nil,
	"tracking_uploads":       nil,
	"tracking_parts":         nil,
	"registry_models":        {change.Models},
	"registry_versions":      {change.Models, change.TrackedRuns},
	"registry_changes":       {change.Models},

	"endpoints":         {change.Endpoints},
	"endpoint_versions": nil, // told of with their endpoints
	"endpoint_events":   {change.Endpoints},
	"rollouts":          {change.Endpoints},
	"graphs":            {change.Endpoints},
	"rollout_events":    nil, // those that people see are events of their endpoints
	"rollout_ends":      nil, // told of with their rollouts

	"traces": nil, "trace_spans": nil, "trace_runs": nil,
	"webhooks": nil, "webhook_deliveries": nil, "url_key": nil, "imported": nil,
}

// named are the tables whose rows are of one run, and the topic that names it.
var named = map[string]change.Topic{
	"runs": change.Runs, "run_progress": change.Runs, "tasks": change.Runs,
	"tracking_runs": change.TrackedRuns, "tracking_params": change.TrackedRuns, "tracking_tags": change.TrackedRuns, "tracking_links": change.TrackedRuns,
}

// effect is what a statement changes.
type effect struct {
	topics []change.Topic
	// named is the topic whose thing is the statement's first argument; empty where it is not.
	named change.Topic
}

var (
	writes = regexp.MustCompile(`(?s)^\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)`)
	// ofOne matches what writes rows of the run that is the first argument, and of no other.
	ofOne = regexp.MustCompile(`(?s)^\s*INSERT INTO \w+ \((?:run_)?id\b.*VALUES \((?:\$1|\?)\b?|WHERE (?:run_)?id = \$1`)
)

// effectOf reads what a statement changes from its text.
func effectOf(query string) effect {
	found := writes.FindStringSubmatch(query)
	if found == nil {
		return effect{}
	}
	e := effect{topics: topicsOf[found[1]]}
	if ofOne.MatchString(query) && !strings.Contains(query, " OR ") {
		e.named = named[found[1]]
	}
	return e
}

// note adds what a statement has changed.
func (t *tx) note(e effect, args []any) {
	for _, topic := range e.topics {
		id := ""
		if topic == e.named && t.naming && len(args) > 0 {
			id, _ = args[0].(string)
		}
		t.changed.Add(topic, id)
	}
}
