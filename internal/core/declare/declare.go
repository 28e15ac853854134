// Package declare has what files declare of a server: resources, and what has to change so that the server has them.
//
// It compares; who reads files and who makes changes is not its business.
package declare

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"levada/internal/core/catalog"
	"levada/internal/core/endpoint"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/infergraph"
	"levada/internal/core/partition"
	"levada/internal/core/schedule"
)

// Kind says what a resource is.
type Kind string

// The kinds, in the order in which they are made.
const (
	Pipeline     Kind = "pipeline"
	RecurringRun Kind = "recurring_run"
	Trigger      Kind = "trigger"
	Endpoint     Kind = "endpoint"
	Graph        Kind = "graph"
	// Monitor stands for a pipeline that looks at a table, for what starts it, and for what is done when it finds something: see Expand.
	Monitor Kind = "monitor"
)

// Kinds returns those that are made, in the order in which they are.
func Kinds() []Kind { return []Kind{Pipeline, RecurringRun, Trigger, Endpoint, Graph} }

// MaxResources bounds a set.
const MaxResources = 1000

// Resource is one thing that is declared. Kind and Name say which; the other fields are of some kinds only.
type Resource struct {
	Kind Kind   `json:"kind" enum:"pipeline,recurring_run,trigger,endpoint,graph,monitor"`
	Name string `json:"name"`
	// At is where it is declared, for messages: file and line.
	At          string `json:"at,omitempty" maxLength:"4096" doc:"where it is declared, for messages"`
	Description string `json:"description,omitempty"`

	// Spec is the compiled pipeline.
	Spec string `json:"spec,omitempty" doc:"of a pipeline: the compiled specification as YAML or JSON text"`
	// Partitions is how the pipeline is partitioned; nil leaves it as it is.
	Partitions *partition.Definition `json:"partitions,omitempty" doc:"of a pipeline: how it is partitioned; without it that stays as it is"`

	// Those of what starts runs. Pipeline is the name of one that is declared or there already; its newest version runs.
	Pipeline   string         `json:"pipeline,omitempty" doc:"name of the pipeline to run"`
	Experiment string         `json:"experiment,omitempty" doc:"name of the experiment; made if it is missing"`
	Parameters map[string]any `json:"parameters,omitempty"`
	NoCache    bool           `json:"no_cache,omitempty"`
	Paused     bool           `json:"paused,omitempty"`

	// Those of a recurring run. MaxConcurrency is in Policy.
	Schedule    *schedule.Trigger         `json:"schedule,omitempty" doc:"of a recurring run, or of a monitor: when"`
	Concurrency catalog.ConcurrencyPolicy `json:"concurrency_policy,omitempty" enum:"queue,skip,replace"`
	Deadline    int64                     `json:"starting_deadline_seconds,omitempty"`
	NoCatchup   bool                      `json:"no_catchup,omitempty"`

	// Those of a trigger.
	On             *event.Source     `json:"on,omitempty" doc:"of a trigger: where its events come from"`
	When           string            `json:"when,omitempty"`
	ParametersFrom map[string]string `json:"parameters_from,omitempty"`
	Notify         *event.Notify     `json:"notify,omitempty" doc:"of a trigger: whom to tell instead of running a pipeline; of a monitor: whom to tell of what it finds"`
	event.Policy

	// Endpoint is the specification of an endpoint. Its versions may name aliases and "latest"; they are resolved with each apply.
	Endpoint *endpoint.Spec `json:"endpoint,omitempty" doc:"of an endpoint: its model, versions, traffic and settings"`
	// Graph is the specification of an inference graph.
	Graph *infergraph.Spec `json:"graph,omitempty" doc:"of a graph: its nodes, which ask endpoints"`
	Watch
}

// own are the fields that a kind has besides kind, name, at and description.
func own(k Kind) []string {
	runs := []string{"pipeline", "experiment", "parameters", "no_cache", "paused", "max_concurrency"}
	switch k {
	case Pipeline:
		return []string{"spec", "partitions"}
	case RecurringRun:
		return append(runs, "schedule", "concurrency_policy", "starting_deadline_seconds", "no_catchup")
	case Endpoint:
		return []string{"endpoint"}
	case Graph:
		return []string{"graph"}
	case Trigger:
		return append(runs, "on", "when", "parameters_from", "notify", "debounce_seconds", "batch_seconds", "batch_size", "dedup_key", "dedup_seconds",
			"max_runs", "max_runs_seconds")
	case Monitor:
		return []string{"experiment", "paused", "schedule", "notify", "data", "artifact", "requests", "min_rows", "suite", "schema", "environment", "reference", "drift", "then"}
	}
	return nil
}

// Check refuses a resource that lacks what its kind needs, or has what its kind has not.
func (r Resource) Check() error {
	if all := append(Kinds(), Monitor); !slices.Contains(all, r.Kind) {
		return fault.Invalidf("kind is %q; want one of %v", fault.Shorten(string(r.Kind), 100), all)
	}
	if err := catalog.CheckName(string(r.Kind), r.Name); err != nil {
		return err
	}
	allowed := append(own(r.Kind), "kind", "name", "at", "description")
	for _, field := range slices.Sorted(maps.Keys(Fields(r))) {
		if !slices.Contains(allowed, field) {
			return fault.Invalidf("%s %q: a %s has no field %s", r.Kind, r.Name, r.Kind, field)
		}
	}
	if r.Kind == Monitor {
		return r.checkMonitor()
	}
	if r.Partitions != nil {
		if _, err := partition.Parse(*r.Partitions); err != nil {
			return fault.Invalidf("partitions: %w", err)
		}
	}
	missing := ""
	switch {
	case r.Kind == Pipeline && r.Spec == "":
		missing = "spec (in a file: file, the path of the compiled pipeline)"
	case r.Notify != nil && (r.Pipeline != "" || r.Parameters != nil || r.Experiment != ""):
		return fault.Invalidf("%s %q: it either runs a pipeline or notifies", r.Kind, r.Name)
	case r.Kind == Endpoint && r.Endpoint == nil:
		missing = "endpoint, which has its model, versions, traffic and settings"
	case r.Kind == Endpoint:
		return endpoint.CheckName(r.Name)
	case r.Kind == Graph && r.Graph == nil:
		missing = "graph, which has its nodes"
	case r.Kind == Graph:
		_, err := infergraph.Compile(r.Name, *r.Graph)
		return err
	case r.Kind != Pipeline && r.Pipeline == "" && r.Notify == nil:
		missing = "pipeline"
	case r.Kind == RecurringRun && r.Schedule == nil:
		missing = "schedule"
	case r.Kind == Trigger && r.On == nil:
		missing = "on"
	}
	if missing != "" {
		return fault.Invalidf("%s %q has no %s", r.Kind, r.Name, missing)
	}
	return nil
}

// Fields are the fields of a value that are set, as JSON has them.
func Fields(v any) map[string]any {
	out := map[string]any{}
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return map[string]any{} // it came from JSON
	}
	return out
}

// Action says what is done to a resource.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
	None   Action = "none"
)

// Change is what has to be done to a resource.
type Change struct {
	Action Action `json:"action" enum:"create,update,delete,none"`
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	At     string `json:"at,omitempty"`
	// Fields are those that get another value.
	Fields []Difference `json:"fields,omitempty"`
	// Note says what else there is to know.
	Note string `json:"note,omitempty"`
	// Warnings say what the resource names and what is not there, and where its times may be meant otherwise, also where nothing is changed.
	Warnings []string `json:"warnings,omitempty" doc:"what it names and what is not there, such as a secret, or the pipeline whose runs a trigger waits for; and where its times may be meant otherwise"`
}

// Difference is a field with its value before and after; what is not set is absent.
type Difference struct {
	Field  string `json:"field"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// Compare returns the fields in which two values differ, as JSON has them.
func Compare(before, after any) []Difference {
	b, a := Fields(before), Fields(after)
	names := slices.Sorted(maps.Keys(b))
	for name := range a {
		if _, both := b[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []Difference
	for _, name := range names {
		if !reflect.DeepEqual(b[name], a[name]) {
			out = append(out, Difference{name, b[name], a[name]})
		}
	}
	return out
}

// Misdeclared are resources that cannot be made as they are declared.
type Misdeclared []Mistake

// Mistake is what is wrong with one resource.
type Mistake struct {
	// Resource is its place in the list, At where it is declared.
	Resource int
	At       string
	Message  string
}

// Error says what is wrong with the first of them.
func (m Misdeclared) Error() string {
	text := m[0].Message
	if m[0].At != "" {
		text = m[0].At + ": " + text
	}
	if more := len(m) - 1; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// Owned is a resource that belongs to a set. An empty ID means that it was going to be made, and may be there.
type Owned struct {
	Set  string
	Kind Kind
	Name string
	ID   string
}
