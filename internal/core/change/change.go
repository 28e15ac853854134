// Package change says in few words what a commit has changed, for those who show it: which topics, and where it is known which
// of their things.
//
// It holds sets of such words and nothing else: who is told, when and how, is not its business. Start reading at Set.
package change

import (
	"maps"
	"slices"
)

// Topic is a kind of thing that is shown.
type Topic string

// The topics.
const (
	Runs          Topic = "runs"           // runs of pipelines and their tasks
	TrackedRuns   Topic = "tracked-runs"   // runs of experiments, with what they logged
	Experiments   Topic = "experiments"    //
	Models        Topic = "models"         // registered and logged models
	Pipelines     Topic = "pipelines"      // pipelines and their versions
	RecurringRuns Topic = "recurring-runs" // and triggers with what they made of events
	Backfills     Topic = "backfills"      // backfills, and how pipelines are partitioned
	Artifacts     Topic = "artifacts"      // what tasks made
	Endpoints     Topic = "endpoints"      // where models are served, and what happened there
	System        Topic = "system"         // the cache, secrets, what is waiting and running
)

// Topics returns all of them.
func Topics() []Topic {
	return []Topic{Runs, TrackedRuns, Experiments, Models, Pipelines, RecurringRuns, Backfills, Artifacts, Endpoints, System}
}

// MaxIDs is how many things of a topic a set names. With more of them it says only that the topic has changed.
const MaxIDs = 200

// Set is what has changed. The zero value is empty. It is as large as MaxIDs names for each topic, however much is added.
type Set struct {
	// ids are the changed things by topic; nil for a topic of which anything may have changed.
	ids map[Topic]map[string]struct{}
}

// Add notes that a thing has changed; an empty id stands for anything of the topic.
func (s *Set) Add(t Topic, id string) {
	known, there := s.ids[t]
	switch {
	case there && known == nil:
		return
	case id == "" || len(known) >= MaxIDs:
		if _, again := known[id]; again {
			return
		}
		s.set(t, nil)
	case known == nil:
		s.set(t, map[string]struct{}{id: {}})
	default:
		known[id] = struct{}{}
	}
}

func (s *Set) set(t Topic, ids map[string]struct{}) {
	if s.ids == nil {
		s.ids = map[Topic]map[string]struct{}{}
	}
	s.ids[t] = ids
}

// Merge adds what another set holds of topics for which wanted is true.
func (s *Set) Merge(o *Set, wanted func(Topic) bool) {
	for t, ids := range o.ids {
		if !wanted(t) {
			continue
		}
		if ids == nil {
			s.Add(t, "")
		}
		for id := range ids {
			s.Add(t, id)
		}
	}
}

// Empty reports whether nothing has changed.
func (s *Set) Empty() bool { return len(s.ids) == 0 }

// Each calls fn with each topic that has changed.
func (s *Set) Each(fn func(Topic)) {
	for t := range s.ids {
		fn(t)
	}
}

// Notice tells of one topic.
type Notice struct {
	Topic Topic `json:"topic"`
	// IDs are the things that have changed; without them anything of the topic may have.
	IDs []string `json:"ids,omitempty"`
}

// Notices tells of everything in the set, in the order of the topics.
func (s *Set) Notices() []Notice {
	out := make([]Notice, 0, len(s.ids))
	for _, t := range Topics() {
		if ids, there := s.ids[t]; there {
			out = append(out, Notice{Topic: t, IDs: slices.Sorted(maps.Keys(ids))})
		}
	}
	return out
}
