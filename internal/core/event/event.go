// Package event has what triggers are made of: events, where they come from, under which conditions they start a run and together with
// which others.
//
// Everything here is pure: who notices events and who starts runs is not its business. Start reading at Trigger.
package event

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"levada/internal/core/model"
	"levada/internal/core/run"
)

// Kind says what sort of thing has happened.
type Kind string

// The kinds.
const (
	File     Kind = "file"     // a file is new or has other content
	Artifact Kind = "artifact" // a task has made an artifact
	Registry Kind = "registry" // a registered model has changed
	Run      Kind = "run"      // a run has ended
	Metric   Kind = "metric"   // a metric of a tracked run has crossed a line
	Late     Kind = "late"     // a run has not ended in time
	Webhook  Kind = "webhook"  // somebody has posted something
	Manual   Kind = "manual"   // somebody has fired the trigger
)

// Event is something that has happened.
type Event struct {
	// ID is unique among the events of a trigger: with its id it makes that of the firing.
	ID   string    `json:"id"`
	Kind Kind      `json:"kind"`
	At   time.Time `json:"at"`
	// Cause are the ids of the triggers that have led to it by the runs that they started, the first one first.
	Cause []string `json:"cause,omitempty"`
	// Data are the fields that conditions and parameters see besides id, kind and time; docs/automation.md lists them by kind.
	Data map[string]any `json:"data,omitempty"`
}

// Value is what conditions and parameters see of an event.
func (e Event) Value() map[string]any {
	out := maps.Clone(e.Data)
	if out == nil {
		out = map[string]any{}
	}
	out["id"], out["kind"], out["time"] = e.ID, string(e.Kind), e.At.UTC().Format(time.RFC3339Nano)
	return out
}

// text returns a field that holds text.
func (e Event) text(key string) string {
	s, _ := e.Data[key].(string)
	return s
}

// Source says which events a trigger is for: exactly one of its fields is set.
type Source struct {
	File     *FileSource     `json:"file,omitempty" doc:"a file is new or has other content"`
	Artifact *ArtifactSource `json:"artifact,omitempty" doc:"a task of a pipeline has made an artifact"`
	Registry *RegistrySource `json:"registry,omitempty" doc:"a registered model has changed"`
	Run      *RunSource      `json:"run,omitempty" doc:"a run of a pipeline has ended"`
	Metric   *MetricSource   `json:"metric,omitempty" doc:"a metric of a tracked run has crossed a line"`
	Late     *LateSource     `json:"late,omitempty" doc:"a run of a pipeline has not ended in time"`
	Webhook  *WebhookSource  `json:"webhook,omitempty" doc:"a signed request has come"`
}

// FileSource is a place at which files appear: on the machine of the server, or in a bucket.
type FileSource struct {
	Path        string `json:"path" maxLength:"4096" doc:"absolute path of a file, of a directory with all below it, or a pattern such as /data/*.csv; the same in a bucket: s3://BUCKET/KEY, s3://BUCKET/PREFIX, s3://BUCKET/*.csv"`
	PollSeconds int64  `json:"poll_seconds,omitempty" minimum:"0" maximum:"86400" doc:"how often to look; default 10, in a bucket 60"`
}

// ArtifactSource narrows artifacts; what is empty does not.
type ArtifactSource struct {
	Name     string `json:"name,omitempty" maxLength:"1000" doc:"name of the output that it is"`
	Type     string `json:"type,omitempty" maxLength:"200" doc:"its type, such as system.Dataset"`
	Pipeline string `json:"pipeline,omitempty" maxLength:"1000" doc:"name of the pipeline that made it"`
}

// RegistrySource narrows changes of registered models; what is empty does not.
type RegistrySource struct {
	Model   string             `json:"model,omitempty" maxLength:"1000"`
	Changes []model.ChangeKind `json:"changes,omitempty" maxItems:"20" doc:"kinds of change: version_created, alias_set, alias_removed, stage_changed, model_created and others"`
	Alias   string             `json:"alias,omitempty" maxLength:"1000" doc:"only changes of this alias"`
	Stage   string             `json:"stage,omitempty" maxLength:"1000" doc:"only changes to this stage"`
}

// RunSource narrows runs that ended; what is empty does not, but that without states only SUCCEEDED counts.
type RunSource struct {
	Pipeline string      `json:"pipeline,omitempty" maxLength:"1000" doc:"name of the pipeline"`
	States   []run.State `json:"states,omitempty" maxItems:"10" doc:"final states: SUCCEEDED (default), FAILED, CANCELED; and REFUSED, of a run that a schedule or a trigger could not start: who is told of FAILED is told of it too"`
}

// MetricSource is a line that the newest value of a metric may cross in a run of an experiment.
type MetricSource struct {
	Experiment  string   `json:"experiment" maxLength:"500" doc:"name of the experiment"`
	Metric      string   `json:"metric" maxLength:"1000"`
	Above       *float64 `json:"above,omitempty" doc:"the value becomes greater than this; or give below"`
	Below       *float64 `json:"below,omitempty" doc:"the value becomes less than this"`
	PollSeconds int64    `json:"poll_seconds,omitempty" minimum:"0" maximum:"86400" doc:"how often to look; default 10"`
}

// Crossed reports whether a value is beyond the line.
func (m MetricSource) Crossed(value float64) bool {
	return m.Above != nil && value > *m.Above || m.Below != nil && value < *m.Below
}

// LateSource is how long a run may take.
type LateSource struct {
	Pipeline    string `json:"pipeline,omitempty" maxLength:"1000" doc:"name of the pipeline; without it all"`
	Seconds     int64  `json:"seconds" minimum:"1" doc:"how long after the time that it was for (its schedule's, or its start) a run has to end"`
	PollSeconds int64  `json:"poll_seconds,omitempty" minimum:"0" maximum:"86400" doc:"how often to look; default 10"`
}

// WebhookSource says with what requests must be signed.
type WebhookSource struct {
	Secret string `json:"secret" maxLength:"253" doc:"name of the secret (levada secret) that the sender shares"`
	Key    string `json:"key,omitempty" maxLength:"253" doc:"which of its keys; default: secret"`
}

// SameThings reports whether two sources look at the same things: then what is remembered of these stays right.
func (s Source) SameThings(o Source) bool {
	switch {
	case s.File != nil && o.File != nil:
		return s.File.Path == o.File.Path
	case s.Metric != nil && o.Metric != nil:
		a, b := *s.Metric, *o.Metric
		a.PollSeconds, b.PollSeconds = 0, 0
		return reflect.DeepEqual(a, b)
	case s.Late != nil && o.Late != nil:
		return s.Late.Pipeline == o.Late.Pipeline && s.Late.Seconds == o.Late.Seconds
	}
	return s.Kind() == o.Kind()
}

// Kind is that of the events of a source; empty when none is named.
func (s Source) Kind() Kind {
	kind := Kind("")
	for k, set := range map[Kind]bool{File: s.File != nil, Artifact: s.Artifact != nil, Registry: s.Registry != nil, Run: s.Run != nil,
		Metric: s.Metric != nil, Late: s.Late != nil, Webhook: s.Webhook != nil} {
		if set {
			kind = k
		}
	}
	return kind
}

// Hears reports whether an event is one of the trigger's source. One that tells somebody of failed runs hears of refused ones too.
func (t Trigger) Hears(e Event) bool { return t.On.matches(e, t.Notify != nil) }

// matches reports whether an event is one of the source. With refused, runs that were refused count as failed.
func (s Source) matches(e Event, refused bool) bool {
	if e.Kind != s.Kind() {
		return false
	}
	is := func(key, want string) bool { return want == "" || e.text(key) == want }
	switch e.Kind {
	case Artifact:
		return is("name", s.Artifact.Name) && is("type", s.Artifact.Type) && is("pipeline", s.Artifact.Pipeline)
	case Registry:
		r := s.Registry
		return is("model", r.Model) && is("alias", r.Alias) && is("to", r.Stage) &&
			(len(r.Changes) == 0 || slices.Contains(r.Changes, model.ChangeKind(e.text("change"))))
	case Run:
		states := s.Run.States
		if len(states) == 0 {
			states = []run.State{run.Succeeded}
		}
		state := run.State(e.text("state"))
		return is("pipeline", s.Run.Pipeline) && (slices.Contains(states, state) || refused && state == Refused && slices.Contains(states, run.Failed))
	default: // what else there is was looked for on behalf of the trigger
		return true
	}
}

// FiringID is the id of the firing of a trigger by an event: a UUID (version 5), the same each time it is asked for.
func FiringID(triggerID, eventID string) string { return id(triggerID, "firing/"+eventID) }

// RunID is the id of the run that a trigger starts for events of which the first has the given id: a UUID (version 5), the same each
// time it is asked for.
func RunID(triggerID, eventID string) string { return id(triggerID, "run/"+eventID) }

func id(triggerID, rest string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("levada:trigger/"+triggerID+"/"+rest)).String()
}
