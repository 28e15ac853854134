// Package endpoint holds the vocabulary of serving: endpoints, the versions of registered models that are deployed there, and what
// happened to them.
//
// The package is pure and knows neither wire format nor storage nor processes; its JSON is how the store keeps records and how the API
// shows them. Which version gets a request is in core/traffic.
package endpoint

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/model"
	"levada/internal/core/rollout"
	"levada/internal/core/traffic"
)

// MaxVersions bounds how many versions an endpoint has at once.
const MaxVersions = traffic.MaxVersions

// Spec is what an endpoint should be.
type Spec struct {
	// Model is the name of the registered model; empty where all versions are remotes.
	Model string `json:"model,omitempty" doc:"name of the registered model; needed unless all versions are remotes"`
	// Versions are the deployed versions by number, and remotes by name, each once.
	Versions []string     `json:"versions" nullable:"false" doc:"deployed versions of the model by number, and remotes by name"`
	Traffic  traffic.Plan `json:"traffic"`
	Settings Settings     `json:"settings"`
	// Remotes are models that other servers serve, by the name that stands among the versions; nil for none.
	Remotes map[string]Remote `json:"remotes,omitempty" doc:"models that other servers serve, by the name that stands among the versions"`
}

// Settings say how the versions of an endpoint are served. The zero value of each means its default.
type Settings struct {
	Description string `json:"description,omitempty" maxLength:"2000"`
	// Workers is how many processes serve a version, 1 by default; MaxWorkers lets there be more while requests wait.
	Workers    int `json:"workers,omitempty" minimum:"0" maximum:"64" doc:"processes for each version; 1 by default"`
	MaxWorkers int `json:"max_workers,omitempty" minimum:"0" maximum:"64" doc:"most processes while requests wait; as many as workers by default"`
	// Threads is how many threads numerical libraries may use in one worker, 1 by default: what does not fit into one batch is better
	// spread over workers.
	Threads int `json:"threads,omitempty" minimum:"0" maximum:"256" doc:"threads of numerical libraries in a worker; 1 by default"`
	// MaxBatch is the most rows that are given to a model at once, 256 by default; 1 gives it each request by itself.
	MaxBatch int `json:"max_batch,omitempty" minimum:"0" maximum:"65536" doc:"most rows that are given to the model at once; 256 by default"`
	// BatchLatencyMS bounds how long a batch may take: batches are kept small enough. 100 by default.
	BatchLatencyMS int `json:"batch_latency_ms,omitempty" minimum:"0" maximum:"60000" doc:"batches are kept small enough to take no longer; 100 by default"`
	// BatchDelayMS is how long a request waits for others to join it. The default, 0, is never: batches form while workers are busy.
	BatchDelayMS float64 `json:"batch_delay_ms,omitempty" minimum:"0" maximum:"10000" doc:"how long a request waits for others to join it; 0, the default, is never"`
	// QueueLimit is how many requests of a version may wait, 512 by default; more are refused at once.
	QueueLimit int `json:"queue_limit,omitempty" minimum:"0" maximum:"100000" doc:"requests that may wait; more are refused at once; 512 by default"`
	// TimeoutMS is how long a request may take, 30000 by default. A worker that takes longer for a batch is ended.
	TimeoutMS int `json:"timeout_ms,omitempty" minimum:"0" maximum:"3600000" doc:"how long a request may take; a worker that takes longer for a batch is ended; 30000 by default"`
	// LoadTimeoutSeconds is how long a worker may take to load a model, 300 by default.
	LoadTimeoutSeconds int `json:"load_timeout_seconds,omitempty" minimum:"0" maximum:"86400" doc:"how long loading the model may take; 300 by default"`
	// MemoryMB limits each worker, in MiB. The default, 0, is no limit of its own.
	MemoryMB int `json:"memory_mb,omitempty" minimum:"0" maximum:"16777216" doc:"MiB that a worker may use; one that uses more is ended; no limit by default"`
	// IdleSeconds is after how long without a request the workers end, until the next request; 0, the default, is never.
	IdleSeconds int `json:"idle_seconds,omitempty" minimum:"0" maximum:"31536000" doc:"seconds without a request after which workers end until the next request; never by default"`
	// Log keeps requests and answers; nil keeps none.
	Log *Log `json:"log,omitempty" doc:"keeps requests and answers in Parquet files; without it nothing is kept"`
	// Lookup joins columns of a table to each request; nil joins none.
	Lookup *Lookup `json:"lookup,omitempty" doc:"joins columns of a table to each request by a key, before the model gets it"`
	// Rollout is the plan of rollouts that bring none; nil for none.
	Rollout *rollout.Plan `json:"rollout,omitempty" doc:"the plan, with the thresholds of this endpoint, of rollouts that bring none; docs/canary.md describes it"`
}

// Filled returns the settings with the defaults in place of what is not set.
func (s Settings) Filled() Settings {
	or := func(v *int, standard int) {
		if *v == 0 {
			*v = standard
		}
	}
	or(&s.Workers, 1)
	s.MaxWorkers = max(s.MaxWorkers, s.Workers)
	or(&s.Threads, 1)
	or(&s.MaxBatch, 256)
	or(&s.BatchLatencyMS, 100)
	or(&s.QueueLimit, 512)
	or(&s.TimeoutMS, 30_000)
	or(&s.LoadTimeoutSeconds, 300)
	return s
}

// Timeout is how long a request may take.
func (s Settings) Timeout() time.Duration { return time.Duration(s.TimeoutMS) * time.Millisecond }

// check refuses settings out of their range.
func (s Settings) check() error {
	for _, v := range []struct {
		name      string
		value, to int
	}{
		{"workers", s.Workers, 64}, {"max_workers", s.MaxWorkers, 64}, {"threads", s.Threads, 256}, {"max_batch", s.MaxBatch, 65536},
		{"batch_latency_ms", s.BatchLatencyMS, 60_000}, {"queue_limit", s.QueueLimit, 100_000}, {"timeout_ms", s.TimeoutMS, 3_600_000},
		{"load_timeout_seconds", s.LoadTimeoutSeconds, 86_400}, {"memory_mb", s.MemoryMB, 16_777_216}, {"idle_seconds", s.IdleSeconds, 31_536_000},
	} {
		if v.value < 0 || v.value > v.to {
			return fault.Invalidf("settings: %s is %d; want a number from 0 to %d", v.name, v.value, v.to)
		}
	}
	if !(s.BatchDelayMS >= 0 && s.BatchDelayMS <= 10_000) {
		return fault.Invalidf("settings: batch_delay_ms is %v; want a number from 0 to 10000", s.BatchDelayMS)
	}
	if len(s.Description) > 2000 {
		return fault.Invalidf("settings: the description is longer than 2000 bytes")
	}
	if s.Rollout != nil {
		plan := *s.Rollout
		if err := plan.Complete(); err != nil {
			return fault.Invalidf("settings: rollout: %w", err)
		}
	}
	if err := s.Log.check(); err != nil {
		return err
	}
	return s.Lookup.check()
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// CheckName refuses names that are no part of a URL, a label or a file name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fault.Invalidf("endpoint %q: want a name of at most 63 letters, digits, dots, hyphens and underscores, the first a letter or digit",
			fault.Shorten(name, 100))
	}
	return nil
}

// Validate refuses a specification that cannot be served. Whether the versions exist is not checked here.
func (s *Spec) Validate() error {
	if s.Model == "" && len(s.Remotes) < len(s.Versions) || s.Model == "" && len(s.Versions) == 0 {
		return fault.Invalidf("model: name the registered model")
	}
	if len(s.Versions) == 0 {
		return fault.Invalidf("versions: name at least one version of model %q", fault.Shorten(s.Model, 100))
	}
	if len(s.Versions) > MaxVersions {
		return fault.Invalidf("versions: %d of them; at most %d are possible", len(s.Versions), MaxVersions)
	}
	for name, r := range s.Remotes {
		if err := r.check(name); err != nil {
			return err
		}
		if !slices.Contains(s.Versions, name) {
			return fault.Invalidf("remotes: %s is not among the versions", name)
		}
	}
	for i, v := range s.Versions {
		if slices.Contains(s.Versions[:i], v) {
			return fault.Invalidf("versions: %s is there twice", v)
		}
		if _, remote := s.Remotes[v]; remote {
			continue
		}
		if n, err := strconv.ParseInt(v, 10, 64); err != nil || n <= 0 || strconv.FormatInt(n, 10) != v {
			return fault.Invalidf("versions: %q is neither the number of a version nor the name of a remote", fault.Shorten(v, 50))
		}
	}
	if err := s.Traffic.Validate(s.Versions); err != nil {
		return err
	}
	return s.Settings.check()
}

// ParseReference reads models:/NAME/VERSION, models:/NAME@ALIAS and models:/NAME, which means the latest version. It returns the name and
// what follows it, with its "@" for an alias.
func ParseReference(uri string) (name, version string, err error) {
	bad := fault.Invalidf("%q does not name a registered model: want models:/NAME@ALIAS or models:/NAME/VERSION", fault.Shorten(uri, 200))
	ref, ok := strings.CutPrefix(uri, "models:/")
	if !ok {
		return "", "", bad
	}
	if name, version, ok = strings.Cut(ref, "/"); ok {
		if name == "" || version == "" || strings.Contains(version, "/") {
			return "", "", bad
		}
		return name, version, nil
	}
	if at := strings.LastIndexByte(ref, '@'); at >= 0 {
		if at == 0 || at == len(ref)-1 {
			return "", "", bad
		}
		return ref[:at], ref[at:], nil
	}
	if ref == "" {
		return "", "", bad
	}
	return ref, "latest", nil
}

// Endpoint is an endpoint as it is kept.
type Endpoint struct {
	Name string `json:"name"`
	// Spec is what was asked for last, Active what is followed: they differ while versions of an update load, and when those fail to.
	// Active is nil until the endpoint has answered for the first time.
	Spec   Spec  `json:"spec"`
	Active *Spec `json:"active,omitempty" doc:"what is followed at present; absent until the first version is ready"`
	// Generation counts the changes of the specification.
	Generation int64     `json:"generation"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// Deployed is a version of a registered model as it was when it was deployed: the registry may lose it, the endpoint does not.
type Deployed struct {
	Endpoint string       `json:"endpoint"`
	Model    string       `json:"model"`
	Version  string       `json:"version"`
	Files    []model.File `json:"files" nullable:"false"`
	At       time.Time    `json:"at"`
	// Remote is what another server serves; nil for a version of a registered model.
	Remote *Remote `json:"remote,omitempty"`
}

// Described is what the files of a version say about it.
type Described struct {
	// Platform is the kind of model, such as mlflow_sklearn.
	Platform string
	// Signature is nil where the model has none.
	Signature *infer.Signature
}

// State is the state of a deployed version.
type State string

// The states.
const (
	Building State = "BUILDING" // its Python environment is made
	Loading  State = "LOADING"  // its workers start and load the model
	Ready    State = "READY"    // it answers
	Idle     State = "IDLE"     // it has no workers, and gets them with the next request
	Failed   State = "FAILED"   // it could not be loaded
	Draining State = "DRAINING" // it answers what it has, and gets nothing more
)

// EventKind says what happened to an endpoint.
type EventKind string

// What is kept of an endpoint's history. Rollouts add kinds of their own, which begin with "rollout_".
const (
	Created        EventKind = "created"
	Updated        EventKind = "updated"         // another specification was asked for
	Deleted        EventKind = "deleted"         //
	VersionReady   EventKind = "version_ready"   // a version answers for the first time, or again after it could not
	VersionFailed  EventKind = "version_failed"  // a version could not be loaded
	VersionRemoved EventKind = "version_removed" // a version was drained and its workers have ended
	TrafficMoved   EventKind = "traffic_moved"   // a plan took effect
	WorkerLost     EventKind = "worker_lost"     // a worker died, hung, or used too much memory
	ScaledToZero   EventKind = "scaled_to_zero"  //
	Evicted        EventKind = "evicted"         // a version lost its workers to the memory budget
	LogLeftOut     EventKind = "log_left_out"    // an input or output is not logged any more
)

// Event is something that happened to an endpoint. Events are never changed.
type Event struct {
	// ID counts up over all endpoints; 0 before the event is stored.
	ID       int64     `json:"id"`
	Endpoint string    `json:"endpoint"`
	At       time.Time `json:"at"`
	Kind     EventKind `json:"kind"`
	Version  string    `json:"version,omitempty"`
	// Message is one sentence for people.
	Message string `json:"message"`
	// Data is the evidence, such as the plans before and after.
	Data map[string]any `json:"data,omitempty"`
}

// Observation is what is remembered of one request to one version.
type Observation struct {
	At      time.Time
	Latency time.Duration
	// Rows is how many rows the request had.
	Rows    int
	Outcome Outcome
	// Prediction is the first element of the first output where it is a number, and NaN where not; Label is it where it is text, cut
	// to 64 bytes.
	Prediction float64
	Label      string
	// Key is the request's key, for tests over users; empty for none.
	Key string
	// Aimed says that a rule sent the request to the version, or that it asked for it: it says nothing about a version that others were drawn for.
	Aimed bool
	// Shadow says that the request was a copy. Agreed then says that the answer was the same as the client's; Difference is the largest
	// absolute difference of a number, and NaN where there is none to take.
	Shadow     bool
	Agreed     bool
	Difference float64
}

// Outcome is how a request ended.
type Outcome uint8

// The outcomes.
const (
	OK       Outcome = iota // a prediction
	Rejected                // the model raised an exception for the input, or the input was wrong: the client's doing
	Failure                 // the worker died, hung, or answered garbage
	TimedOut                // no answer before the deadline
	Shed                    // refused because too many were waiting
)

// Outcomes are the names of the outcomes, in their order.
var Outcomes = []string{"ok", "rejected", "failed", "timeout", "shed"}

func (o Outcome) String() string { return Outcomes[o] }
