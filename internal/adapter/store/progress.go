package store

import (
	"time"

	"levada/internal/core/run"
)

// progress is what changes while a run goes on. It is stored apart from the rest, so that a commit of one step costs the same
// whatever the run was started with.
type progress struct {
	State      run.State         `json:"state"`
	Failure    *run.Failure      `json:"failure"`
	Outputs    run.Values        `json:"outputs"`
	History    []run.StateChange `json:"history"`
	FinishedAt *time.Time        `json:"finished_at"`
	Tasks      map[run.State]int `json:"tasks"`
	Cached     int               `json:"cached"`
}

func progressOf(r *run.Run) progress {
	return progress{r.State, r.Failure, r.Outputs, r.History, r.FinishedAt, r.Tasks, r.Cached}
}

func (p progress) onto(r *run.Run) {
	r.State, r.Failure, r.Outputs, r.History, r.FinishedAt, r.Tasks, r.Cached = p.State, p.Failure, p.Outputs, p.History, p.FinishedAt, p.Tasks, p.Cached
}
