// Package model holds the vocabulary of the model registry: registered models, their versions, stages and aliases.
//
// The words are MLflow's. The package is pure and knows neither wire format nor storage; its JSON is how the store keeps
// records.
package model

import (
	"cmp"
	"slices"
	"strings"

	"levada/internal/core/track"
	"levada/internal/core/webhook"
)

// Stage is how far a version has come, in the scheme that aliases have replaced.
type Stage string

// The stages.
const (
	None       Stage = "None"
	Staging    Stage = "Staging"
	Production Stage = "Production"
	Archived   Stage = "Archived"
)

// Stages are all stages.
var Stages = []Stage{None, Staging, Production, Archived}

// TagIsPrompt marks registered models that are prompts.
const TagIsPrompt = "mlflow.prompt.is_prompt"

// Registered is a registered model: a name that versions are filed under. Its times, and those of versions, are microseconds
// since 1970: clients see milliseconds, in which too much happens to sort by them.
type Registered struct {
	Name        string     `json:"name"`
	Description *string    `json:"description,omitempty"`
	CreatedUS   int64      `json:"created_us"`
	UpdatedUS   int64      `json:"updated_us"`
	Tags        []track.KV `json:"tags,omitempty"`
	Aliases     []Alias    `json:"aliases,omitempty"`
	// Last is the number that was given last; numbers of deleted versions are not used again.
	Last int64 `json:"last"`
	// Told is what webhooks are told of a change that is being made. It is no part of the record: the store writes the
	// deliveries in the transaction of the change.
	Told []webhook.Happening `json:"-"`
	// Noted is what becomes part of the history, in the same way.
	Noted []Change `json:"-"`
}

// Tell notes what webhooks are told of a change.
func (r *Registered) Tell(entity webhook.Entity, action webhook.Action, data any) {
	r.Told = append(r.Told, webhook.Happening{Event: webhook.Event{Entity: entity, Action: action}, Data: data})
}

// Prompt reports whether the model is a prompt.
func (r Registered) Prompt() bool {
	v, _ := track.Find(r.Tags, TagIsPrompt)
	return strings.EqualFold(v, "true")
}

// AliasesOf returns the names that point to a version.
func (r Registered) AliasesOf(version int64) []string {
	var out []string
	for _, a := range r.Aliases {
		if a.Version == version {
			out = append(out, a.Name)
		}
	}
	return out
}

// Alias is a name that points to a version.
type Alias struct {
	Name    string `json:"name"`
	Version int64  `json:"version"`
}

// SetAlias returns a copy of the aliases, in the order of their names, in which name points to version.
func SetAlias(list []Alias, name string, version int64) []Alias {
	list = append(slices.DeleteFunc(slices.Clone(list), func(a Alias) bool { return a.Name == name }), Alias{name, version})
	slices.SortFunc(list, func(a, b Alias) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Version is one version of a registered model.
type Version struct {
	Name        string  `json:"name"`
	Number      int64   `json:"version"`
	Description *string `json:"description,omitempty"`
	CreatedUS   int64   `json:"created_us"`
	UpdatedUS   int64   `json:"updated_us"`
	Stage       Stage   `json:"stage"`
	// Source is the URI that the client gave, Location where the files are.
	Source   string `json:"source"`
	Location string `json:"location"`
	// RunID is the run that made the model. For a step of a pipeline it is the id of the task.
	RunID   string `json:"run_id,omitempty"`
	RunLink string `json:"run_link,omitempty"`
	// Status is empty for READY, the status of every version that was made here. Others come from imports, as do the user and the
	// message.
	Status        string     `json:"status,omitempty"`
	StatusMessage string     `json:"status_message,omitempty"`
	UserID        string     `json:"user_id,omitempty"`
	ModelID       string     `json:"model_id,omitempty"`
	Tags          []track.KV `json:"tags,omitempty"`
	// Files are the files of the model at the time of its registration, with their digests.
	Files []File `json:"files,omitempty"`
}

// Brought says what became of a registered model that an import sent.
type Brought struct {
	// Name is the name that the model has here; empty for one that was deleted here.
	Name string `json:"name" doc:"the name that the model has here; empty for one that was deleted here and stays deleted"`
	// Kept are versions that were made here and stay as they are, Deleted those that were deleted here and stay so.
	Kept    []int64 `json:"kept,omitempty" doc:"versions that were here already and stay as they are"`
	Deleted []int64 `json:"deleted,omitempty" doc:"versions that were deleted here and stay so"`
}

// File is a file of a version.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Digest string `json:"digest"`
}
