// Package catalog holds the things that runs are filed under: experiments, pipelines and their versions.
//
// It is vocabulary only; the pipeline service decides, the store keeps.
package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"
)

// Experiment is a named group of runs.
type Experiment struct {
	ID          string     `json:"id"`
	DisplayName string     `json:"display_name"`
	Description string     `json:"description,omitempty"`
	Archived    bool       `json:"archived,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	LastRunAt   *time.Time `json:"last_run_at,omitempty"`
}

// Pipeline is an uploaded pipeline; its specifications are in its versions.
type Pipeline struct {
	ID string `json:"id"`
	// Name is unique among pipelines.
	Name        string            `json:"name"`
	DisplayName string            `json:"display_name"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"created_at"`
}

// Version is one specification of a pipeline.
type Version struct {
	ID         string `json:"id"`
	PipelineID string `json:"pipeline_id"`
	// Name is unique among the versions of a pipeline.
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Description string `json:"description,omitempty"`
	SpecDigest  string `json:"spec_digest"`
	// CodeSourceURL is where the pipeline's code is kept, for people to follow.
	CodeSourceURL string            `json:"code_source_url,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
	CreatedAt     time.Time         `json:"created_at"`
}

// DefaultExperimentID is the id of the experiment that takes the runs that name none. MLflow's clients expect this one.
const DefaultExperimentID = "0"

// ExperimentID turns a UUID into the id of an experiment: a decimal number of 18 digits. MLflow's clients and servers take
// the ids of experiments for numbers, and to KFP's any text is good.
func ExperimentID(uuid string) string {
	sum := sha256.Sum256([]byte(uuid))
	return strconv.FormatUint(1e17+binary.BigEndian.Uint64(sum[:])%9e17, 10)
}
