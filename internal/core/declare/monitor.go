package declare

import (
	"cmp"
	"strings"

	"levada/internal/core/catalog"
	"levada/internal/core/endpoint"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/monitor"
	"levada/internal/core/reqlog"
	"levada/internal/core/run"
)

// Watch are the fields of a monitor. Exactly one of Data, Artifact and Requests says which table it looks at.
type Watch struct {
	Data        string                `json:"data,omitempty" maxLength:"4096" doc:"of a monitor: absolute path of the table, its address s3://BUCKET/KEY, or a pattern for the newest of several files; with a schedule, macros such as [[ScheduledTime.2006-01]] are filled in"`
	Artifact    *event.ArtifactSource `json:"artifact,omitempty" doc:"of a monitor: look at each artifact of this name when it is made"`
	Requests    *Requests             `json:"requests,omitempty" doc:"of a monitor: look at what an endpoint was asked and what it answered"`
	MinRows     int64                 `json:"min_rows,omitempty" minimum:"0" doc:"of a monitor: with fewer rows nothing is judged, which the report says; 0 or left out is 500 for requests (1 judges any number), and none for other tables"`
	Suite       string                `json:"suite,omitempty" doc:"of a monitor: the expectations, in either form"`
	Schema      string                `json:"schema,omitempty" doc:"of a monitor, instead of a suite: what the columns should be like, as levada data schema writes it or in TensorFlow Data Validation's text form; skew is measured from the reference, drift from requests.earlier"`
	Environment string                `json:"environment,omitempty" maxLength:"200" doc:"of a monitor: leave out what the suite or the schema has for other environments"`
	Reference   string                `json:"reference,omitempty" maxLength:"4096" doc:"of a monitor: absolute path, or address s3:// or levada://, of the table that the data is compared with; of requests also training, for what the version was trained on"`
	Drift       *monitor.Drift        `json:"drift,omitempty" doc:"of a monitor: how the data is compared with the reference"`
	Then        *Then                 `json:"then,omitempty" doc:"of a monitor: the pipeline that runs when it finds something"`
}

// Requests are logged requests of an endpoint, up to the moment of looking.
type Requests struct {
	Endpoint string `json:"endpoint" doc:"name of the endpoint, which logs requests"`
	Window   string `json:"window,omitempty" doc:"how long back: 90s, 24h, 7d; default 24h"`
	Earlier  string `json:"earlier,omitempty" doc:"compare with a window of the same length that ended so long ago, instead of with a reference"`
	Version  string `json:"version,omitempty" doc:"only requests that this version answered"`
}

// DefaultMinRows is how many requests are wanted to judge them.
const DefaultMinRows = 500

// trainingReference stands for what the version that an endpoint serves was trained on.
const trainingReference = "training"

// tables are the addresses of the requests and of what they are compared with; that is empty where it is not an earlier window.
func (q Requests) tables() (data, earlier string, err error) {
	a := reqlog.Address{Endpoint: q.Endpoint, Version: q.Version}
	if a.Window, err = reqlog.Span(cmp.Or(q.Window, "24h")); err != nil {
		return "", "", fault.Invalidf("requests.window: %w", err)
	}
	data = a.String()
	if q.Earlier != "" {
		if a.Earlier, err = reqlog.Span(q.Earlier); err != nil {
			return "", "", fault.Invalidf("requests.earlier: %w", err)
		}
		earlier = a.String()
	}
	return data, earlier, nil
}

// Then is what runs when a monitor finds something.
type Then struct {
	Pipeline       string            `json:"pipeline" doc:"name of the pipeline"`
	When           string            `json:"when,omitempty" maxLength:"8192" doc:"condition in CEL over event, the end of the monitor's run; event.task is check or drift"`
	Parameters     map[string]any    `json:"parameters,omitempty"`
	ParametersFrom map[string]string `json:"parameters_from,omitempty" doc:"further parameters by expressions in CEL over event"`
}

// MonitorPrefix stands before the name of a monitor in the names of all that is made for it, and of the set that is it alone.
const MonitorPrefix = "monitor-"

// monitored is the name of all that is made for a monitor.
func (r Resource) monitored() string { return MonitorPrefix + r.Name }

func (r Resource) spec() monitor.Spec {
	s := monitor.Spec{Name: r.monitored(), Description: r.Description, Suite: r.Suite, Schema: r.Schema, Environment: r.Environment, Reference: r.Reference}
	if r.Drift != nil {
		s.Drift = *r.Drift
	}
	s.MinRows = r.MinRows
	if q := r.Requests; q != nil {
		s.Requests, s.MinRows = true, cmp.Or(r.MinRows, DefaultMinRows)
		if _, earlier, err := q.tables(); err == nil && earlier != "" {
			s.Reference, s.Earlier = earlier, true
		}
		if r.Reference == trainingReference {
			s.Reference = reqlog.Address{Endpoint: q.Endpoint, Training: true}.String()
		}
	}
	return s
}

func (q Requests) check(r Resource) error {
	if err := endpoint.CheckName(q.Endpoint); err != nil {
		return fault.Invalidf("requests: %w", err)
	}
	if _, _, err := q.tables(); err != nil {
		return err
	}
	switch {
	case r.Schedule == nil:
		return fault.Invalidf("requests are looked at by a schedule, and there is none")
	case q.Earlier != "" && r.Reference != "":
		return fault.Invalidf("requests.earlier and reference are two things to compare with; want one of them")
	}
	return nil
}

// sources counts what it is to look at.
func (r Resource) sources() (n int) {
	for _, is := range []bool{r.Data != "", r.Artifact != nil, r.Requests != nil} {
		if is {
			n++
		}
	}
	return n
}

func (r Resource) checkMonitor() error {
	wrong := func(format string, args ...any) error {
		return fault.Invalidf("monitor %q: %w", r.Name, fault.Invalidf(format, args...))
	}
	place, _, _ := strings.Cut(r.Data, "[[") // a macro looks like a pattern that cannot be read
	switch {
	case r.sources() != 1:
		return wrong("it needs data, artifact or requests, one of them, to look at")
	case r.Artifact != nil && r.Artifact.Name == "":
		return wrong("artifact has no name")
	case r.Artifact != nil && r.Schedule != nil:
		return wrong("an artifact is looked at when it is made: leave out schedule")
	case r.Data != "" && event.CheckPlace(place) != nil:
		return wrong("data is %w", event.CheckPlace(place))
	case r.Schedule == nil && strings.Contains(r.Data, "[["):
		return wrong("data has a macro, which is filled in with the time of a schedule, and there is no schedule")
	case r.Reference != "" && !strings.HasPrefix(r.Reference, "levada://") && event.CheckPlace(r.Reference) != nil &&
		(r.Requests == nil || r.Reference != trainingReference):
		return wrong("reference is %w, or an address levada://, or for requests training", event.CheckPlace(r.Reference))
	case r.Then != nil && r.Then.Pipeline == "":
		return wrong("then has no pipeline")
	}
	if r.Requests != nil {
		if err := r.Requests.check(r); err != nil {
			return wrong("%w", err)
		}
	}
	for _, address := range []string{r.Data, r.Reference} {
		if _, _, err := reqlog.ParseAddress(address); err != nil {
			return wrong("%w", err)
		}
	}
	if err := r.spec().Check(); err != nil {
		return wrong("%w", err)
	}
	return nil
}

// Expand puts in the place of each monitor what it stands for: a pipeline, the recurring run or the trigger that starts it, and triggers
// for what is to be done when its run has failed. of says for each resource of the answer which one of the given it is from. The
// monitors must have been checked.
func Expand(resources []Resource, parts *monitor.Parts) (out []Resource, of []int, err error) {
	for i, r := range resources {
		list := []Resource{r}
		if r.Kind == Monitor {
			if list, err = r.expand(parts); err != nil {
				return nil, nil, err
			}
		}
		for _, one := range list {
			out, of = append(out, one), append(of, i)
		}
	}
	return out, of, nil
}

func (r Resource) expand(parts *monitor.Parts) ([]Resource, error) {
	spec, err := parts.Pipeline(r.spec())
	if err != nil {
		return nil, err
	}
	name := r.monitored()
	start := Resource{Kind: Trigger, Name: name, At: r.At, Description: r.Description, Pipeline: name, Experiment: r.Experiment, Paused: r.Paused}
	switch {
	case r.Schedule != nil:
		data := r.Data
		if r.Requests != nil {
			if data, _, err = r.Requests.tables(); err != nil {
				return nil, err
			}
		}
		start.Kind, start.Schedule, start.Parameters = RecurringRun, r.Schedule, map[string]any{"data": data}
		if !strings.Contains(r.Data, "[[") { // at another time it would see the same
			start.Concurrency, start.NoCatchup = catalog.Skip, true
		}
	case r.Artifact != nil:
		start.On, start.ParametersFrom = &event.Source{Artifact: r.Artifact}, map[string]string{"data": "event.uri"}
	default:
		start.On, start.ParametersFrom = &event.Source{File: &event.FileSource{Path: r.Data}}, map[string]string{"data": "event.path"}
	}
	out := []Resource{{Kind: Pipeline, Name: name, At: r.At, Description: r.Description, Spec: spec}, start}
	failed := &event.Source{Run: &event.RunSource{Pipeline: name, States: []run.State{run.Failed}}}
	if r.Notify != nil {
		out = append(out, Resource{Kind: Trigger, Name: name + "-notify", At: r.At, On: failed, Notify: r.Notify})
	}
	if t := r.Then; t != nil {
		out = append(out, Resource{Kind: Trigger, Name: name + "-then", At: r.At, On: failed, When: t.When, Pipeline: t.Pipeline, Experiment: r.Experiment,
			Parameters: t.Parameters, ParametersFrom: t.ParametersFrom})
	}
	return out, nil
}
