// Package tracing owns traces: what an application did for each request, span by span, and the judgements on it.
//
// Its rules, limits and messages are MLflow's, because MLflow's clients are most callers. It must not know HTTP, SQL, or how spans
// come over a wire: doors decode them. Start reading at Service.Start, Service.AddSpans and Service.Search.
package tracing

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/trace"
	"levada/internal/core/track"
)

// Options are what a service is made of.
type Options struct {
	Store       Store
	Experiments Experiments
	// CheckName refuses names that a tag must not have.
	CheckName func(what, name string) error
	// Reading is shared by those who hold spans that were read, and has MaxReading to give.
	Reading Room
	// Now and NewID give the time and new UUIDs.
	Now   func() time.Time
	NewID func() string
}

// Service answers everything about traces. Its methods may be called from any goroutine.
type Service struct {
	deps Options
	sums kept
}

// New returns a service.
func New(o Options) *Service { return &Service{deps: o} }

func (s *Service) nowMS() int64 { return s.deps.Now().UnixMilli() }

// newID is a prefix with a UUID without hyphens.
func (s *Service) newID(prefix string) string {
	return prefix + strings.ReplaceAll(s.deps.NewID(), "-", "")
}

// maxID bounds the id of a trace, in bytes.
const maxID = 250

// validID says what an id may be. Ids become parts of paths.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]*$`)

func (s *Service) activeExperiment(ctx context.Context, id string) (track.Experiment, error) {
	e, err := s.deps.Experiments.Experiment(ctx, id)
	if err == nil && e.Deleted {
		err = fault.Invalidf("The experiment %s must be in the 'active' state. Current state is deleted.", e.ID)
	}
	return e, err
}

// artifactTag says where the files of a trace are: its attachments, and the spans of older clients.
func artifactTag(e track.Experiment, id string) track.KV {
	return track.KV{Key: trace.TagLocation, Value: e.ArtifactLocation + "/traces/" + id + "/artifacts"}
}

// Start stores what a client says about a trace, mostly when it has ended. What spans said before is kept where the client is silent.
func (s *Service) Start(ctx context.Context, given trace.Trace) (*trace.Trace, error) {
	if !validID.MatchString(given.ID) || len(given.ID) > maxID {
		return nil, fault.Invalidf("Invalid trace ID '%s': an ID has 1 to %d letters, digits and any of _ . : -, and begins with a letter or digit.",
			fault.Shorten(given.ID, 100), maxID)
	}
	if err := check(given.Tags, given.Metadata); err != nil {
		return nil, err
	}
	e, err := s.activeExperiment(ctx, given.ExperimentID)
	if err != nil {
		return nil, err
	}
	if len(given.Assessments) > maxAssessments {
		return nil, fault.Invalidf("A trace can have at most %d assessments; %d were given", maxAssessments, len(given.Assessments))
	}
	given.Assessments = slices.Clone(given.Assessments)
	for i := range given.Assessments {
		s.complete(&given.Assessments[i])
	}
	var stored *trace.Trace
	err = s.deps.Store.Change(ctx, nil, func(tx trace.Tx, _ []bool) error {
		t, err := tx.Trace(given.ID)
		if err != nil {
			return err
		}
		if t == nil {
			t = &trace.Trace{ID: given.ID}
		}
		t.ExperimentID, t.StartMS, t.DurationMS, t.State = e.ID, given.StartMS, given.DurationMS, given.State
		t.ClientRequestID = given.ClientRequestID
		if given.RequestPreview != nil {
			t.RequestPreview = given.RequestPreview
		}
		if given.ResponsePreview != nil {
			t.ResponsePreview = given.ResponsePreview
		}
		if err := say(t, given.Tags, given.Metadata); err != nil {
			return err
		}
		t.Tags = track.Set(t.Tags, trace.TagLocation, artifactTag(e, t.ID).Value)
		t.SetMeta(trace.MetaFinal, "true")
		if err := replace(t, given.Assessments); err != nil {
			return err
		}
		stored = t
		return tx.Put(t)
	})
	return stored, err
}

// say makes tags, but for those that say where the data is, and metadata part of a trace.
func say(t *trace.Trace, tags, metadata []track.KV) error {
	tags = slices.DeleteFunc(slices.Clone(tags), func(tag track.KV) bool { return trace.Fixed(tag.Key) })
	if !t.SetTags(tags) || !t.SetMetadata(metadata) {
		return tooMany(t.ID)
	}
	return nil
}

func tooMany(id string) error {
	return fault.Invalidf("Trace '%s' would have more than %d tags or entries of metadata: leave some out", id, trace.MaxEntries)
}

// replace adds assessments to those of a trace, in the place of those with the same ids.
func replace(t *trace.Trace, given []trace.Assessment) error {
	last := make(map[string]int, len(given))
	for i := range given {
		last[given[i].ID] = i
	}
	kept := slices.DeleteFunc(slices.Clone(t.Assessments), func(a trace.Assessment) bool {
		_, there := last[a.ID]
		return there
	})
	for i, a := range given {
		if last[a.ID] == i {
			kept = append(kept, a)
		}
	}
	if len(kept) > maxAssessments {
		return fault.Invalidf("Trace '%s' would have %d assessments; it can have at most %d", t.ID, len(kept), maxAssessments)
	}
	t.Assessments = kept
	return nil
}

// check refuses names and sessions that are too long, and too many tags.
func check(tags, metadata []track.KV) error {
	if len(tags) > trace.MaxEntries || len(metadata) > trace.MaxEntries {
		return fault.Invalidf("A trace can have at most %d tags and %d entries of metadata; %d and %d were given", trace.MaxEntries, trace.MaxEntries, len(tags), len(metadata))
	}
	if name, _ := track.Find(tags, trace.TagName); trace.Cut(name, trace.MaxName) != name {
		return fault.Invalidf("'Trace name' exceeds the maximum length of %d characters", trace.MaxName)
	}
	session, _ := track.Find(metadata, trace.MetaSession)
	return trace.CheckSession(session)
}

// Trace returns what is known about a trace.
func (s *Service) Trace(ctx context.Context, id string) (*trace.Trace, error) {
	t, err := s.deps.Store.Trace(ctx, id)
	return t, noTrace(id, err)
}

func noTrace(id string, err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.NotFoundf("Trace with ID '%s' not found.", fault.Shorten(id, maxID))
	}
	return err
}

// Traces returns those of some traces that exist; those of some experiments only, unless experiments is nil.
func (s *Service) Traces(ctx context.Context, ids, experiments []string) ([]*trace.Trace, error) {
	found, err := s.deps.Store.Traces(ctx, ids)
	if experiments != nil {
		found = slices.DeleteFunc(found, func(t *trace.Trace) bool { return !slices.Contains(experiments, t.ExperimentID) })
	}
	return found, err
}

// change reads a trace, lets change change it, and stores it.
func (s *Service) change(ctx context.Context, id string, missing error, change func(t *trace.Trace) error) (*trace.Trace, error) {
	var stored *trace.Trace
	err := s.deps.Store.Change(ctx, nil, func(tx trace.Tx, _ []bool) error {
		t, err := tx.Trace(id)
		if err != nil {
			return err
		}
		if t == nil {
			return missing
		}
		if err := change(t); err != nil {
			return err
		}
		stored = t
		return tx.Put(t)
	})
	return stored, err
}

// SetTag sets a tag of a trace.
func (s *Service) SetTag(ctx context.Context, id, key, value string) error {
	if trace.Fixed(key) {
		return fault.Invalidf("Tag '%s' is immutable and cannot be set on a trace.", key)
	}
	tag, err := s.tag(key, value)
	if err == nil {
		err = check([]track.KV{tag}, nil)
	}
	if err != nil {
		return err
	}
	_, err = s.change(ctx, id, noTrace(id, fault.NotFoundf("")), func(t *trace.Trace) error {
		if !t.SetTags([]track.KV{tag}) {
			return tooMany(t.ID)
		}
		return nil
	})
	return err
}

// tag checks a tag; a value that is too long is cut.
func (s *Service) tag(key, value string) (track.KV, error) {
	if err := s.deps.CheckName("key", key); err != nil {
		return track.KV{}, err
	}
	if trace.Cut(key, trace.MaxTagKey) != key {
		return track.KV{}, fault.Invalidf("'key' exceeds the maximum length of %d characters", trace.MaxTagKey)
	}
	return track.KV{Key: key, Value: trace.Cut(value, trace.MaxTagValue)}, nil
}

// DeleteTag removes a tag of a trace.
func (s *Service) DeleteTag(ctx context.Context, id, key string) error {
	if trace.Fixed(key) && key != trace.TagArchivalFailure {
		return fault.Invalidf("Tag '%s' is immutable and cannot be deleted on a trace.", key)
	}
	missing := fault.NotFoundf("No trace tag with key '%s' for trace with ID '%s'", key, fault.Shorten(id, maxID))
	_, err := s.change(ctx, id, missing, func(t *trace.Trace) error {
		if _, there := track.Find(t.Tags, key); !there {
			return missing
		}
		t.Tags = track.Without(t.Tags, key)
		return nil
	})
	return err
}

// maxLinks is how many traces can be linked to a run at a time.
const maxLinks = 100

// LinkRun makes traces belong to a run as well. Ids that no trace has are left out.
func (s *Service) LinkRun(ctx context.Context, ids []string, runID string) error {
	if len(ids) > maxLinks {
		return fault.Invalidf("Cannot link more than %d traces to a run in a single request. Provided %d traces.", maxLinks, len(ids))
	}
	return s.deps.Store.Change(ctx, nil, func(tx trace.Tx, _ []bool) error {
		for _, id := range ids {
			t, err := tx.Trace(id)
			if err != nil {
				return err
			}
			if t == nil {
				continue
			}
			if t.Runs, err = link(t, t.Runs, runID); err != nil {
				return err
			}
			if err := tx.Put(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// LinkPrompts notes which versions of prompts a trace has used, as "name/version".
func (s *Service) LinkPrompts(ctx context.Context, id string, prompts []string) error {
	if len(prompts) == 0 {
		return nil
	}
	_, err := s.change(ctx, id, noTrace(id, fault.NotFoundf("")), func(t *trace.Trace) error {
		var err error
		t.Prompts, err = link(t, t.Prompts, prompts...)
		return err
	})
	return err
}

// link adds to what a trace is linked to, each once.
func link(t *trace.Trace, list []string, more ...string) ([]string, error) {
	there := make(map[string]bool, len(list))
	for _, one := range list {
		there[one] = true
	}
	for _, one := range more {
		if there[one] {
			continue
		}
		if len(list) >= trace.MaxEntries {
			return nil, fault.Invalidf("Trace '%s' cannot be linked to more than %d runs and %d prompts", t.ID, trace.MaxEntries, trace.MaxEntries)
		}
		there[one] = true
		list = append(list, one)
	}
	return list, nil
}

// Deletion chooses traces of an experiment: by their ids, or up to a time, or both. Most goes with UpToMS: the oldest come first.
type Deletion struct {
	ExperimentID string
	IDs          []string
	UpToMS, Most *int64
}

// deleteBatch is how many traces are deleted at a time, so that other writes do not wait for all of them.
const deleteBatch = 500

// Delete removes traces with their spans and files and returns how many there were.
func (s *Service) Delete(ctx context.Context, d Deletion) (int, error) {
	total := 0
	if d.UpToMS == nil {
		var first error
		for ids := range slices.Chunk(d.IDs, deleteBatch) {
			n, err := s.delete(ctx, d.ExperimentID, func(trace.Tx) ([]string, error) { return ids, nil })
			if total += n; first == nil {
				first = err
			}
		}
		return total, first
	}
	for {
		most := deleteBatch
		if d.Most != nil {
			most = int(min(int64(most), *d.Most-int64(total)))
		}
		if most <= 0 {
			return total, nil
		}
		n, err := s.delete(ctx, d.ExperimentID, func(tx trace.Tx) ([]string, error) { return tx.Oldest(d.ExperimentID, *d.UpToMS, int64(most)) })
		if total += n; err != nil || n < most {
			return total, err
		}
	}
}

// delete removes files first: what breaks off can be repeated as long as the trace is there. Traces whose files cannot be deleted
// stay; the error is the one of the first.
func (s *Service) delete(ctx context.Context, experiment string, choose func(trace.Tx) ([]string, error)) (int, error) {
	chosen, err := s.those(ctx, experiment, choose, func(trace.Tx, string) error { return nil })
	if err != nil || len(chosen) == 0 {
		return 0, err
	}
	e, err := s.deps.Experiments.Experiment(ctx, experiment)
	if err != nil {
		return 0, err
	}
	var first error
	bare := make([]string, 0, len(chosen))
	for _, id := range chosen {
		// Invalid says that the files are kept elsewhere.
		err := s.deps.Experiments.DeleteBelow(ctx, e.ArtifactLocation, "traces/"+id)
		if err == nil || fault.KindOf(err) == fault.Invalid {
			bare = append(bare, id)
		} else if first == nil {
			first = err
		}
	}
	gone, err := s.those(ctx, experiment, func(trace.Tx) ([]string, error) { return bare, nil }, trace.Tx.Delete)
	if err == nil {
		err = first
	}
	return len(gone), err
}

// those calls do for the traces of an experiment among those that are chosen, and returns which they were.
func (s *Service) those(ctx context.Context, experiment string, choose func(trace.Tx) ([]string, error), do func(trace.Tx, string) error) ([]string, error) {
	var found []string
	err := s.deps.Store.Change(ctx, nil, func(tx trace.Tx, _ []bool) error {
		found = nil
		ids, err := choose(tx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			t, err := tx.Trace(id)
			if err != nil {
				return err
			}
			if t == nil || t.ExperimentID != experiment {
				continue
			}
			if err := do(tx, id); err != nil {
				return err
			}
			found = append(found, id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}
