// Package track holds the vocabulary of experiment tracking: runs with their parameters, tags, metrics and inputs, and
// the models they log.
//
// The words are MLflow's. The package is pure, and it knows no wire format: the tracking service decides with these
// types, adapters keep them, doors translate them. Start reading at Run.
package track

import (
	"cmp"
	"time"
)

// Status is how far a run is.
type Status string

// The statuses, as MLflow names them.
const (
	Running   Status = "RUNNING"
	Scheduled Status = "SCHEDULED"
	Finished  Status = "FINISHED"
	Failed    Status = "FAILED"
	Killed    Status = "KILLED"
)

// Tags that Levada and its clients give a meaning.
const (
	TagRunName   = "mlflow.runName"
	TagParentRun = "mlflow.parentRunId"
	TagUser      = "mlflow.user"
	// TagDatasetContext is the tag of a dataset input that says what the data was for: training, evaluation.
	TagDatasetContext = "mlflow.data.context"
	// TagLoggedModels holds the models that clients before MLflow 3 logged, as a JSON list.
	TagLoggedModels = "mlflow.log-model.history"
)

// KV is a parameter or a tag.
type KV struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Find returns the value of a key.
func Find(list []KV, key string) (string, bool) {
	for i := range list {
		if list[i].Key == key {
			return list[i].Value, true
		}
	}
	return "", false
}

// Newest is the order of searches that ask for none: the run that started last comes first.
func Newest(a, b *Run) int { return a.Place().Compare(b.Place()) }

// Place is where a run stands in the order of Newest.
type Place struct {
	StartMS int64
	ID      string
}

// Place returns where the run stands.
func (r *Run) Place() Place { return Place{r.StartMS, r.ID} }

// Compare is negative for a place before another one.
func (p Place) Compare(to Place) int {
	if c := cmp.Compare(to.StartMS, p.StartMS); c != 0 {
		return c
	}
	return cmp.Compare(p.ID, to.ID)
}

// Set returns a copy of list in which key has the value; a new key comes last.
func Set(list []KV, key, value string) []KV {
	out := make([]KV, len(list), len(list)+1)
	copy(out, list)
	for i := range out {
		if out[i].Key == key {
			out[i].Value = value
			return out
		}
	}
	return append(out, KV{key, value})
}

// Without returns a copy of list that lacks the key.
func Without(list []KV, key string) []KV {
	out := make([]KV, 0, len(list))
	for _, kv := range list {
		if kv.Key != key {
			out = append(out, kv)
		}
	}
	return out
}

// Experiment is a named group of runs. It is the same thing as a pipeline run's experiment.
type Experiment struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Deleted bool   `json:"deleted,omitempty"`
	// ArtifactLocation is the URI below which the runs keep their files.
	ArtifactLocation string    `json:"artifact_location,omitempty"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
	Tags             []KV      `json:"tags,omitempty"`
}

// Run is one tracked run, without its metrics, which the series store holds. A Run that was handed out is not changed any
// more: whoever changes one makes a copy.
type Run struct {
	ID           string `json:"id"`
	ExperimentID string `json:"experiment_id"`
	Name         string `json:"name"`
	UserID       string `json:"user_id"`
	Status       Status `json:"status"`
	// StartMS and EndMS are milliseconds since 1970, as clients gave them; EndMS is nil while there is no end.
	StartMS int64  `json:"start_ms"`
	EndMS   *int64 `json:"end_ms,omitempty"`
	Deleted bool   `json:"deleted,omitempty"`
	// ArtifactURI is where the run's files are.
	ArtifactURI string         `json:"artifact_uri,omitempty"`
	Params      []KV           `json:"params,omitempty"`
	Tags        []KV           `json:"tags,omitempty"`
	Datasets    []DatasetInput `json:"datasets,omitempty"`
	ModelInputs []string       `json:"model_inputs,omitempty"`
	Outputs     []ModelOutput  `json:"model_outputs,omitempty"`
}

// DatasetInput is a dataset that a run read.
type DatasetInput struct {
	Tags    []KV    `json:"tags,omitempty"`
	Dataset Dataset `json:"dataset"`
}

// Context returns what the data was for, when the client said it.
func (d DatasetInput) Context() (string, bool) { return Find(d.Tags, TagDatasetContext) }

// Dataset describes data by its name and digest. Schema and Profile are JSON texts, nil where the client gave none.
type Dataset struct {
	Name       string  `json:"name"`
	Digest     string  `json:"digest"`
	SourceType string  `json:"source_type"`
	Source     string  `json:"source"`
	Schema     *string `json:"schema,omitempty"`
	Profile    *string `json:"profile,omitempty"`
}

// ModelOutput is a logged model that a run made at a step.
type ModelOutput struct {
	ModelID string `json:"model_id"`
	Step    int64  `json:"step"`
}

// Metric is one measured value with its key.
type Metric struct {
	Key string
	Point
	// ModelID, DatasetName and DatasetDigest say which logged model was measured on which data; empty where that was not said.
	ModelID       string
	DatasetName   string
	DatasetDigest string
}

// ModelStatus says whether a logged model can be used. The numbers are MLflow's.
type ModelStatus int

// The statuses of logged models.
const (
	ModelUnspecified  ModelStatus = 0
	ModelPending      ModelStatus = 1
	ModelReady        ModelStatus = 2
	ModelUploadFailed ModelStatus = 3
)

// String is the name of the status: PENDING, READY, UPLOAD_FAILED, or UNSPECIFIED for any other number.
func (s ModelStatus) String() string {
	switch s {
	case ModelPending:
		return "PENDING"
	case ModelReady:
		return "READY"
	case ModelUploadFailed:
		return "UPLOAD_FAILED"
	}
	return "UNSPECIFIED"
}

// LoggedModel is a model as MLflow 3 knows it: a thing of its own, made by a run. Its times are microseconds since 1970.
type LoggedModel struct {
	ID               string        `json:"model_id"`
	ExperimentID     string        `json:"experiment_id"`
	Name             string        `json:"name"`
	Type             string        `json:"model_type"`
	SourceRunID      string        `json:"source_run_id"`
	ArtifactLocation string        `json:"artifact_location"`
	Status           ModelStatus   `json:"status"`
	Deleted          bool          `json:"deleted,omitempty"`
	CreatedUS        int64         `json:"created_us"`
	UpdatedUS        int64         `json:"updated_us"`
	Params           []KV          `json:"params,omitempty"`
	Tags             []KV          `json:"tags,omitempty"`
	Metrics          []ModelMetric `json:"-"`
}

// ModelMetric is a metric of a logged model.
type ModelMetric struct {
	Metric
	RunID string
}

// File is a file or a directory below a run's artifact location.
type File struct {
	Path string
	Dir  bool
	Size int64
}

// ParamConflict is a parameter that was logged with another value before.
type ParamConflict struct{ Key, Old, New string }

// ParamsError says that parameters have other values already: a parameter is written once.
type ParamsError struct {
	RunID     string
	Conflicts []ParamConflict
}

// Error names the first of the parameters.
func (e *ParamsError) Error() string {
	c := e.Conflicts[0]
	return "Changing param values is not allowed. Param with key='" + c.Key + "' was already logged with value='" + c.Old +
		"' for run ID='" + e.RunID + "'. Attempted logging new value '" + c.New + "'."
}

// StoredFile is a file that a client put below an artifact location: its path and the digest of its content.
type StoredFile struct {
	Path   string
	Digest string
	Size   int64
}

// UploadTime is how long an upload in parts may take; what is there of it is then forgotten.
const UploadTime = 7 * 24 * time.Hour

// Upload is the upload of a file in parts.
type Upload struct {
	ID, Path  string
	Parts     int64
	CreatedAt time.Time
	// Digest is that of the file once the upload is complete.
	Digest string
}

// Part is one part of an upload; numbers begin with 1.
type Part struct {
	Number int64
	Digest string
	Size   int64
}
