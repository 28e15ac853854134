// Package memstore is the pipeline service's Store in memory: what the simulator runs the service on, a thousand
// times faster than a database. It is held to the conformance suite of the real ones (storetest).
//
// It must not know the simulator: faults are injected around it. What a method was given or has returned may be
// changed by no one, as with a database: rows are shared, not copied, so a caller who changes one is a bug that the
// simulator's comparison with the log finds.
package memstore

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// Store is an in-memory store. Its methods may be called from any goroutine.
type Store struct {
	mu          sync.Mutex
	runs        map[string]*runRow
	tasks       map[string]*run.Task // by id
	artifacts   map[string]artifactRow
	cache       map[string][]run.CacheEntry
	experiments map[string]catalog.Experiment
	pipelines   map[string]catalog.Pipeline
	versions    map[string]catalog.Version
	specs       map[string][]byte
}

// runRow is a run with what belongs to it.
type runRow struct {
	run    run.Run
	events []run.Event
	tasks  map[string]*run.Task // by path
	order  []*run.Task
}

// New returns a store with nothing in it.
func New() *Store {
	return &Store{
		runs: map[string]*runRow{}, tasks: map[string]*run.Task{}, artifacts: map[string]artifactRow{},
		cache: map[string][]run.CacheEntry{}, experiments: map[string]catalog.Experiment{},
		pipelines: map[string]catalog.Pipeline{}, versions: map[string]catalog.Version{}, specs: map[string][]byte{},
	}
}

// Close does nothing.
func (s *Store) Close() error { return nil }

func notFound(what, id string) error { return fault.NotFoundf("%s %q does not exist", what, id) }

// locked runs fn while nobody else looks, unless ctx is done.
func locked[T any](ctx context.Context, s *Store, fn func() (T, error)) (T, error) {
	if err := ctx.Err(); err != nil {
		var zero T
		return zero, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fn()
}

// change is locked for what returns nothing.
func change(ctx context.Context, s *Store, fn func() error) error {
	_, err := locked(ctx, s, func() (struct{}, error) { return struct{}{}, fn() })
	return err
}

func checkSequence(runID string, events []run.Event) error {
	for i, e := range events {
		if want := events[0].Seq + int64(i); e.Seq != want || e.Seq < 1 {
			return fault.Invalidf("log of run %q: event %d has sequence number %d, want %d", runID, i, e.Seq, max(want, 1))
		}
	}
	return nil
}

// CreateRun stores a new run with its first events and tasks.
func (s *Store) CreateRun(ctx context.Context, r run.Run, events []run.Event, tasks []run.Task) error {
	return change(ctx, s, func() error {
		if s.runs[r.ID] != nil {
			return fault.Conflictf("run %q already exists", r.ID)
		}
		if err := checkSequence(r.ID, events); err != nil {
			return err
		}
		row := &runRow{run: r, events: slices.Clone(events), tasks: map[string]*run.Task{}}
		if err := s.checkTasks(row, nil, tasks); err != nil {
			return err
		}
		s.runs[r.ID] = row
		s.putTasks(row, tasks)
		if e, ok := s.experiments[r.ExperimentID]; ok && (e.LastRunAt == nil || e.LastRunAt.Before(r.CreatedAt)) {
			at := r.CreatedAt
			e.LastRunAt = &at
			s.experiments[e.ID] = e
		}
		return nil
	})
}

// Append adds events to a run's log and replaces the rows they changed, all or nothing.
func (s *Store) Append(ctx context.Context, runID string, events []run.Event, changed run.Changes) error {
	return change(ctx, s, func() error {
		row := s.runs[runID]
		if err := checkAppend(runID, row, events, changed); err != nil {
			return err
		}
		if err := s.checkTasks(row, changed.Removed, changed.Tasks); err != nil {
			return err
		}
		row.events = append(row.events, events...)
		if r := changed.Run; r != nil {
			experiment, archived := row.run.ExperimentID, row.run.Archived
			row.run = *r
			row.run.ExperimentID, row.run.Archived = experiment, archived
		}
		s.removeTasks(row, changed.Removed)
		s.putTasks(row, changed.Tasks)
		for _, a := range changed.Artifacts {
			at := events[len(events)-1].At
			if before, ok := s.artifacts[a.ID]; ok {
				at = before.at
			}
			s.artifacts[a.ID] = artifactRow{a, at}
		}
		for _, h := range changed.Hits {
			for _, a := range h.Artifacts { // their run may have been deleted between the lookup and now
				if _, ok := s.artifacts[a.ID]; !ok {
					s.artifacts[a.ID] = artifactRow{a, h.At}
				}
			}
		}
		for _, e := range changed.Cache {
			s.cache[e.Key] = append(slices.DeleteFunc(s.cache[e.Key], func(x run.CacheEntry) bool { return x.TaskID == e.TaskID }), e)
		}
		return nil
	})
}

// checkAppend says why events cannot be appended.
func checkAppend(runID string, row *runRow, events []run.Event, changed run.Changes) error {
	if len(events) == 0 {
		return fault.Invalidf("append to run %q: no events", runID)
	}
	if err := checkSequence(runID, events); err != nil {
		return err
	}
	if row == nil {
		return notFound("run", runID)
	}
	if changed.Run != nil && changed.Run.ID != runID {
		return fault.Invalidf("append to run %q: the changed run is %q", runID, changed.Run.ID)
	}
	if last, first := int64(len(row.events)), events[0].Seq; last != first-1 {
		return fault.Conflictf("log of run %q: it ends at event %d, so event %d cannot be appended", runID, last, first)
	}
	return nil
}

// checkTasks refuses tasks whose ids other tasks have.
func (s *Store) checkTasks(row *runRow, removed []string, tasks []run.Task) error {
	for i := range tasks {
		t := &tasks[i]
		if t.RunID != row.run.ID {
			return fault.Invalidf("store tasks of run %q: task %q belongs to run %q", row.run.ID, t.Path, t.RunID)
		}
		if other := s.tasks[t.ID]; other != nil && (other.RunID != t.RunID || other.Path != t.Path) && !slices.Contains(removed, other.Path) {
			return fault.Conflictf("task %q of run %q: another task has its id %q", t.Path, row.run.ID, t.ID)
		}
	}
	return nil
}

// putTasks stores tasks, replacing those that are there, which keep their place.
func (s *Store) putTasks(row *runRow, tasks []run.Task) {
	for i := range tasks {
		t := tasks[i]
		if old := row.tasks[t.Path]; old != nil {
			*old = t
			continue
		}
		row.tasks[t.Path] = &t
		row.order = append(row.order, &t)
		s.tasks[t.ID] = &t
	}
}

func (s *Store) removeTasks(row *runRow, paths []string) {
	for _, path := range paths {
		t := row.tasks[path]
		if t == nil {
			continue
		}
		delete(row.tasks, path)
		delete(s.tasks, t.ID)
		row.order = slices.DeleteFunc(row.order, func(x *run.Task) bool { return x == t })
	}
}

// Events returns a run's log from the given sequence number on.
func (s *Store) Events(ctx context.Context, runID string, from int64) ([]run.Event, error) {
	return ofRun(ctx, s, runID, func(row *runRow) []run.Event {
		return slices.Clone(row.events[min(max(from-1, 0), int64(len(row.events))):])
	})
}

func ofRun[T any](ctx context.Context, s *Store, id string, read func(*runRow) T) (T, error) {
	return locked(ctx, s, func() (out T, err error) {
		row := s.runs[id]
		if row == nil {
			return out, notFound("run", id)
		}
		return read(row), nil
	})
}

// GetRun returns a run.
func (s *Store) GetRun(ctx context.Context, id string) (run.Run, error) {
	return ofRun(ctx, s, id, func(row *runRow) run.Run { return row.run })
}

// Tasks returns all tasks of a run in the order in which they were created.
func (s *Store) Tasks(ctx context.Context, runID string) ([]run.Task, error) {
	return ofRun(ctx, s, runID, func(row *runRow) []run.Task {
		out := make([]run.Task, len(row.order))
		for i, t := range row.order {
			out[i] = *t
		}
		return out
	})
}

// EncodedTasks calls yield with the JSON of each task of a run, in the order in which they were created.
func (s *Store) EncodedTasks(ctx context.Context, runID string, yield func(task []byte) error) error {
	tasks, err := s.Tasks(ctx, runID)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		body, err := json.Marshal(t)
		if err != nil {
			return err
		}
		if err := yield(body); err != nil {
			return err
		}
	}
	return nil
}

// GetTask finds a task of a run by id.
func (s *Store) GetTask(ctx context.Context, runID, taskID string) (run.Task, error) {
	return locked(ctx, s, func() (run.Task, error) {
		if t := s.tasks[taskID]; t != nil && t.RunID == runID {
			return *t, nil
		}
		return run.Task{}, notFound("task", taskID)
	})
}

// UnfinishedRuns returns the ids of the runs whose state is not final, oldest first.
func (s *Store) UnfinishedRuns(ctx context.Context) ([]string, error) {
	return locked(ctx, s, func() ([]string, error) {
		var rows []*runRow
		for _, row := range s.runs {
			if !row.run.State.Final() {
				rows = append(rows, row)
			}
		}
		slices.SortFunc(rows, func(a, b *runRow) int {
			if c := a.run.CreatedAt.Compare(b.run.CreatedAt); c != 0 {
				return c
			}
			return strings.Compare(a.run.ID, b.run.ID)
		})
		var ids []string
		for _, row := range rows {
			ids = append(ids, row.run.ID)
		}
		return ids, nil
	})
}

// SetArchived hides a run from default lists, or brings it back.
func (s *Store) SetArchived(ctx context.Context, runID string, archived bool) error {
	_, err := ofRun(ctx, s, runID, func(row *runRow) error {
		row.run.Archived = archived
		return nil
	})
	return err
}

// DeleteRun removes a run with its tasks, events and cache entries, and those of its artifacts that no other run has
// taken from the cache. Artifacts that outlived their own run go with the last run that uses them.
func (s *Store) DeleteRun(ctx context.Context, id string) error {
	_, err := ofRun(ctx, s, id, func(row *runRow) error {
		usedHere, usedElsewhere := map[string]bool{}, map[string]bool{}
		for _, t := range s.tasks {
			switch {
			case t.CachedFrom == "":
			case t.RunID == id:
				usedHere[t.CachedFrom] = true
			default:
				usedElsewhere[t.CachedFrom] = true
			}
		}
		maps.DeleteFunc(s.artifacts, func(_ string, a artifactRow) bool {
			orphan := usedHere[a.TaskID] && s.runs[a.RunID] == nil
			return (a.RunID == id || orphan) && !usedElsewhere[a.TaskID]
		})
		for key, entries := range s.cache {
			s.cache[key] = slices.DeleteFunc(entries, func(e run.CacheEntry) bool { return e.RunID == id })
		}
		for _, t := range row.order {
			delete(s.tasks, t.ID)
		}
		delete(s.runs, id)
		return nil
	})
	return err
}

// GetArtifact returns an artifact.
func (s *Store) GetArtifact(ctx context.Context, id string) (run.Artifact, error) {
	a, err := byID(ctx, s, "artifact", s.artifacts, id)
	return a.Artifact, err
}

// CacheEntry finds the newest entry of a key.
func (s *Store) CacheEntry(ctx context.Context, key string) (run.CacheEntry, error) {
	return locked(ctx, s, func() (run.CacheEntry, error) {
		entries := s.cache[key]
		if len(entries) == 0 {
			return run.CacheEntry{}, notFound("cache entry", key)
		}
		return slices.MaxFunc(entries, func(a, b run.CacheEntry) int {
			if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
				return c
			}
			return strings.Compare(a.TaskID, b.TaskID)
		}), nil
	})
}

// PutSpec stores a specification under its digest; storing it again is not an error.
func (s *Store) PutSpec(ctx context.Context, digest string, spec []byte) error {
	return change(ctx, s, func() error {
		s.specs[digest] = spec
		return nil
	})
}

// GetSpec returns a specification by digest.
func (s *Store) GetSpec(ctx context.Context, digest string) ([]byte, error) {
	return byID(ctx, s, "specification", s.specs, digest)
}

func byID[T any](ctx context.Context, s *Store, what string, rows map[string]T, id string) (T, error) {
	return locked(ctx, s, func() (T, error) {
		row, ok := rows[id]
		if !ok {
			return row, notFound(what, id)
		}
		return row, nil
	})
}

// ListRuns lists runs.
func (s *Store) ListRuns(ctx context.Context, q listing.Query) (listing.Page[run.Run], error) {
	return locked(ctx, s, func() (listing.Page[run.Run], error) {
		rows := make([]run.Run, 0, len(s.runs))
		for _, row := range s.runs {
			rows = append(rows, row.run)
		}
		return page(runList(), rows, q)
	})
}

// Artifacts lists artifacts.
func (s *Store) Artifacts(ctx context.Context, q listing.Query) (listing.Page[run.Artifact], error) {
	return locked(ctx, s, func() (listing.Page[run.Artifact], error) {
		p, err := page(artifactList(), slices.Collect(maps.Values(s.artifacts)), q)
		out := listing.Page[run.Artifact]{Total: p.Total, NextPageToken: p.NextPageToken}
		for _, a := range p.Items {
			out.Items = append(out.Items, a.Artifact)
		}
		return out, err
	})
}

// ArtifactDigests calls yield with the digest of each content that a stored artifact has, each once.
func (s *Store) ArtifactDigests(ctx context.Context, yield func(digest string) error) error {
	digests, err := locked(ctx, s, func() (map[string]bool, error) {
		found := map[string]bool{}
		for _, a := range s.artifacts {
			if a.Digest != "" {
				found[a.Digest] = true
			}
		}
		return found, nil
	})
	if err != nil {
		return err
	}
	for digest := range digests {
		if err := yield(digest); err != nil {
			return err
		}
	}
	return nil
}
