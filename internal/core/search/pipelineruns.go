package search

import (
	"slices"
	"strings"
	"time"

	"levada/internal/core/fault"
)

// Moments are the attributes of pipeline runs that are times. They are compared with a date or a time, in quotes.
var moments = []string{"created", "finished"}

var pipelineRunAttributes = []string{"name", "state", "pipeline", "experiment", "created", "finished", "run_id", "description", "recurring_run_id"}

// PipelineRuns is the grammar of lists of pipeline runs: name ILIKE '%train%' AND state IN ('FAILED', 'CANCELED') AND params.lr = '0.1'.
// It is not MLflow's, which has no such runs, but reads like it.
var PipelineRuns = Grammar{
	entities:   entities("parameter", "parameters", "param", "params", "tag", "tags", "attribute", "attributes", "attr", "run"),
	valid:      "Valid values are ['params', 'tags', 'attributes']. Metrics are compared in the table of an experiment.",
	attributes: pipelineRunAttributes, aliases: map[string]string{
		"display_name": "name", "run_name": "name", "status": "state", "pipeline_name": "pipeline", "created_at": "created", "start_time": "created",
		"finished_at": "finished", "end_time": "finished", "id": "run_id",
	},
	textOps: textOps, nullable: []Entity{Param, Tag}, compare: comparePipelineRun,
}

func comparePipelineRun(p *parser, t Term, op string) (Expr, error) {
	moment := t.Entity == Attribute && slices.Contains(moments, t.Key)
	switch {
	case op == "IS NULL" || op == "IS NOT NULL":
		if t.Entity == Attribute && t.Key != "finished" {
			return nil, fault.Invalidf("%s is of parameters, tags and finished, not of %s", op, t.Key)
		}
		return present{Term: t, want: op == "IS NOT NULL"}, nil
	case !moment:
		return p.value(t, op)
	case !slices.Contains(numberOps, op):
		return nil, fault.Invalidf("Invalid comparator '%s' for the time '%s', not one of '{'%s'}'", op, t.Key, strings.Join(numberOps, "', '"))
	}
	value, err := p.text(t)
	if err != nil {
		return nil, err
	}
	at, err := moment8601(value)
	if err != nil {
		return nil, fault.Invalidf("Expected a time such as '2026-01-31' or '2026-01-31T12:00:00Z' for %s. Got '%s'", t.Key, fault.Shorten(value, 100))
	}
	return number{Term: t, op: op, value: float64(at.UnixMicro())}, nil
}

// moment8601 reads a date, which is its beginning in UTC, or a time.
func moment8601(text string) (at time.Time, err error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339Nano} {
		if at, err = time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return at, err
}
