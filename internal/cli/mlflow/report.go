package mlflow

import (
	"cmp"
	"slices"
	"sync"
)

// Kind is a kind of things that are counted.
type Kind string

// The kinds, in the order in which they are shown.
const (
	Experiments      Kind = "experiments"
	Runs             Kind = "runs"
	Params           Kind = "params"
	Tags             Kind = "tags"
	Points           Kind = "metric points"
	Inputs           Kind = "inputs and outputs"
	LoggedModels     Kind = "logged models"
	ModelMetrics     Kind = "metrics of logged models"
	RegisteredModels Kind = "registered models"
	Versions         Kind = "model versions"
	Aliases          Kind = "aliases"
	Files            Kind = "files"
	Bytes            Kind = "bytes of files"
)

// Kinds are all kinds, in the order in which they are shown.
var Kinds = []Kind{Experiments, Runs, Params, Tags, Points, Inputs, LoggedModels, ModelMetrics, RegisteredModels, Versions, Aliases, Files, Bytes}

// Count is how many things of a kind there were. Read counts what was read from the source, Written what Levada has taken of that,
// Before what an earlier import had brought already and was not brought again.
type Count struct {
	Read    int64 `json:"read"`
	Written int64 `json:"written"`
	Before  int64 `json:"before"`
}

// Note says why things were not brought, or were brought in another form.
type Note struct {
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
	// Examples name a few of the things.
	Examples []string `json:"examples,omitempty"`
	// Failed says that somebody should look: a thing was expected to come and did not.
	Failed bool `json:"failed,omitempty"`
}

// Report counts what an import does. Its methods may be called from any goroutine.
type Report struct {
	mu     sync.Mutex
	counts map[Kind]*Count
	notes  map[[2]string]*Note
}

// NewReport returns an empty report.
func NewReport() *Report { return &Report{counts: map[Kind]*Count{}, notes: map[[2]string]*Note{}} }

func (r *Report) count(k Kind, change func(*Count)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts[k] == nil {
		r.counts[k] = &Count{}
	}
	change(r.counts[k])
}

func (r *Report) read(k Kind, n int)    { r.count(k, func(c *Count) { c.Read += int64(n) }) }
func (r *Report) written(k Kind, n int) { r.count(k, func(c *Count) { c.Written += int64(n) }) }
func (r *Report) before(k Kind, n int)  { r.count(k, func(c *Count) { c.Before += int64(n) }) }

// fail notes a thing that should have come and did not.
func (r *Report) fail(kind, reason, example string) { r.note(kind, reason, example, 1, true) }

// leave notes a thing that is not brought, or not in the form it had, as it is meant to be.
func (r *Report) leave(kind, reason, example string, n int64) {
	r.note(kind, reason, example, n, false)
}

func (r *Report) note(kind, reason, example string, n int64, failed bool) {
	const examples = 3
	r.mu.Lock()
	defer r.mu.Unlock()
	key := [2]string{kind, reason}
	if r.notes[key] == nil {
		r.notes[key] = &Note{Kind: kind, Reason: reason, Failed: failed}
	}
	note := r.notes[key]
	note.Count += n
	if example != "" && len(note.Examples) < examples {
		note.Examples = append(note.Examples, example)
	}
}

// Count returns the count of a kind as it is now.
func (r *Report) Count(k Kind) Count {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.counts[k]; c != nil {
		return *c
	}
	return Count{}
}

// Notes returns the notes, failures first.
func (r *Report) Notes() []Note {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Note, 0, len(r.notes))
	for _, n := range r.notes {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(a, b Note) int {
		if a.Failed != b.Failed {
			if a.Failed {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}
