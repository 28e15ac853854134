package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/core/run"
	"levada/internal/core/table/profile"
)

// Known is what is known of an artifact as a table.
type Known struct {
	Artifact run.Artifact
	State    observe.State
	// Reason says why there is no profile, where State is Failed.
	Reason string
	At     time.Time
	Took   time.Duration
	// Table is the profile of a Ready one. Outdated says that it was made by an older version, which knew fewer figures.
	Table    Profile
	Outdated bool
}

// Known returns the profile of an artifact, or why there is none. One that an older version has made is made again after that.
func (s *Service) Known(ctx context.Context, artifactID string) (Known, error) {
	a, err := s.o.Artifacts.GetArtifact(ctx, artifactID)
	if err != nil {
		return Known{}, err
	}
	k := Known{Artifact: a}
	if a.Digest == "" {
		k.State, k.Reason = observe.Failed, "its content is not held here"
		return k, nil
	}
	p, err := s.o.Store.Profile(ctx, a.Digest)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		queued, err := s.o.Store.Queued(ctx, artifactID)
		k.State = observe.None
		if queued && s.o.MostBytes > 0 && observe.SubjectOf(a) != observe.MaybeReport {
			k.State = observe.Waiting
		}
		return k, err
	case err != nil:
		return k, err
	}
	k.State, k.Reason, k.At, k.Took = p.State, p.Reason, p.At, p.Took
	if p.State == observe.Ready {
		if err := json.Unmarshal(p.Table, &k.Table); err != nil {
			return k, fault.Unavailablef("the stored profile of artifact %s is damaged (%w); ask for it again", artifactID, err)
		}
		k.Outdated = k.Table.Figures < profile.Figures
	}
	if k.Outdated && s.o.MostBytes > 0 {
		return k, s.renew(ctx, artifactID)
	}
	return k, nil
}

// renew has an artifact profiled again, unless it waits for that.
func (s *Service) renew(ctx context.Context, artifactID string) error {
	if queued, err := s.o.Store.Queued(ctx, artifactID); queued || err != nil {
		return err
	}
	return s.o.Store.Renew(ctx, artifactID)
}

// Request has an artifact profiled before others, also where that failed before.
func (s *Service) Request(ctx context.Context, artifactID string) error {
	a, err := s.o.Artifacts.GetArtifact(ctx, artifactID)
	switch {
	case err != nil:
		return err
	case a.Digest == "":
		return fault.Conflictf("profile artifact %s: its content is not held here but at %s", a.ID, a.URI)
	case s.o.MostBytes <= 0:
		return fault.Conflictf("profile artifact %s: this server profiles no tables (setting profile_size is 0)", a.ID)
	}
	return s.o.Store.Queue(ctx, a.ID, a.Digest)
}

// Difference is how an artifact differs from another.
type Difference struct {
	Was, Is run.Artifact
	Comparison
}

// Difference compares the tables of two artifacts by their profiles and, where a key is given, row by row.
func (s *Service) Difference(ctx context.Context, wasID, isID string, key []string) (Difference, error) {
	var d Difference
	var tables [2]Profile
	var artifacts [2]run.Artifact
	for i, id := range []string{wasID, isID} {
		k, err := s.Known(ctx, id)
		if err != nil {
			return d, err
		}
		switch k.State {
		case observe.Ready:
		case observe.Failed:
			return d, fault.Conflictf("compare artifacts: artifact %s has no profile: %s", id, k.Reason)
		case observe.Waiting:
			return d, fault.Unavailablef("compare artifacts: the profile of artifact %s is being made; try again in a moment", id)
		default:
			return d, fault.Conflictf("compare artifacts: artifact %s has no profile; ask for it first", id)
		}
		tables[i], artifacts[i] = k.Table, k.Artifact
	}
	d.Was, d.Is = artifacts[0], artifacts[1]
	var err error
	if d.Comparison, err = CompareProfiles(tables[0], tables[1]); err != nil || len(key) == 0 {
		return d, err
	}
	d.ByKey, err = s.rows(ctx, d.Was, d.Is, key)
	return d, err
}

// rows compares two tables row by row.
func (s *Service) rows(ctx context.Context, was, is run.Artifact, key []string) (*Rows, error) {
	before, err := s.content(ctx, was)
	if err != nil {
		return nil, err
	}
	after, err := s.content(ctx, is)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, longestRows)
	defer cancel()
	text, err := s.o.Tables.Rows(ctx, before, after, key)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fault.Unavailablef("compare rows: this took longer than %s; download both and use levada data diff --key", longestRows)
	}
	if err != nil {
		return nil, err
	}
	var r Rows
	return &r, json.Unmarshal(text, &r)
}

// Versions returns the artifacts that the same output of the same task of the same pipeline made, the newest first.
func (s *Service) Versions(ctx context.Context, artifactID string, limit int) ([]observe.Version, error) {
	a, err := s.o.Artifacts.GetArtifact(ctx, artifactID)
	if err != nil {
		return nil, err
	}
	return s.o.Artifacts.Versions(ctx, a, limit)
}

// Collected removes the profiles of content that is not there any more.
func (s *Service) Collected(ctx context.Context) error { return s.o.Store.DropProfiles(ctx) }

// Waiting counts the tables that wait to be profiled.
func (s *Service) Waiting(ctx context.Context) (int, error) {
	return s.o.Store.Waiting(ctx, observe.Table)
}

// DriftHistory returns how drift went over the newest reports of a task of a pipeline, with the first columns of the ranking.
func (s *Service) DriftHistory(ctx context.Context, pipeline, task string, reports, columns int) (observe.History, error) {
	list, err := s.o.Store.Reports(ctx, observe.Drift, pipeline, task, reports)
	if err != nil {
		return observe.History{}, err
	}
	if len(list) == 0 {
		return observe.History{}, fault.NotFoundf("task %q of pipeline %q has made no drift report", task, pipeline)
	}
	return observe.HistoryOf(list, columns), nil
}

// CheckHistory returns how the newest checks of a task of a pipeline went, with the first expectations of the ranking.
func (s *Service) CheckHistory(ctx context.Context, pipeline, task string, reports, expectations int) (observe.CheckHistory, error) {
	list, err := s.o.Store.Reports(ctx, observe.Check, pipeline, task, reports)
	if err != nil {
		return observe.CheckHistory{}, err
	}
	if len(list) == 0 {
		return observe.CheckHistory{}, fault.NotFoundf("task %q of pipeline %q has made no check", task, pipeline)
	}
	return observe.ChecksOf(list, expectations), nil
}

// Newest returns the newest report of a kind of each task of each pipeline, the newest first.
func (s *Service) Newest(ctx context.Context, kind observe.Kind, limit int) ([]observe.Stored, error) {
	return s.o.Store.NewestReports(ctx, kind, limit)
}

// cachedReports are the newest reports as metrics show them.
type cachedReports struct {
	mu   sync.Mutex
	at   time.Time
	list []observe.Stored
}

func (c *cachedReports) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Time{}
}

// The bounds of what metrics show.
const (
	measuredTasks   = 50 // of each kind
	measuredColumns = 20 // of a report
	measuredFor     = 15 * time.Second
)

// Measured returns the newest drift and check reports for metrics: of at most 50 tasks of each kind, with at most 20 columns each, the
// most important first. A look soon after another gets the same.
func (s *Service) Measured(ctx context.Context) ([]observe.Stored, error) {
	c := &s.measured
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && s.o.Now().Sub(c.at) < measuredFor {
		return c.list, nil
	}
	var all []observe.Stored
	for _, kind := range []observe.Kind{observe.Drift, observe.Check} {
		list, err := s.o.Store.NewestReports(ctx, kind, measuredTasks)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	for i := range all {
		all[i].Columns = slices.Clip(all[i].Columns[:min(measuredColumns, len(all[i].Columns))])
	}
	c.at, c.list = s.o.Now(), all
	return all, nil
}
