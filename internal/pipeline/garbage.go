package pipeline

import (
	"context"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// CollectAge is how old content must be to be collected, unless someone says otherwise: far longer than the moment between the
// storing of a file and of the record that refers to it.
const CollectAge = time.Hour

// slack is how far the clock of a file system may be behind the one that gives times to runs.
const slack = 2 * time.Second

// CollectGarbage removes stored content that no artifact refers to any more and that is at least minAge old. With dryRun it only
// says what it would remove.
//
// It is safe beside running steps. What a step has stored becomes an artifact only when the step has ended, so nothing is removed
// that is younger than the oldest run that is not finished; and what a lookup found in the cache counts as new.
func (s *Service) CollectGarbage(ctx context.Context, minAge time.Duration, dryRun bool) (run.Swept, error) {
	if minAge < 0 {
		return run.Swept{}, fault.Invalidf("collect unused content: the age %s is negative", minAge)
	}
	s.collecting.Lock()
	defer s.collecting.Unlock()
	before := s.now().Add(-minAge)
	unfinished, err := s.deps.Store.UnfinishedRuns(ctx)
	if err != nil {
		return run.Swept{}, err
	}
	if len(unfinished) > 0 {
		oldest, err := s.deps.Store.GetRun(ctx, unfinished[0])
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return run.Swept{}, err
		}
		if started := oldest.CreatedAt.Add(-slack); err == nil && started.Before(before) {
			before = started
		}
	}
	swept, err := s.deps.Blobs.Sweep(ctx, before, dryRun, func(yield func(string) error) error {
		if err := s.deps.Store.ArtifactDigests(ctx, yield); err != nil {
			return err
		}
		for _, needed := range s.deps.Needed {
			if err := needed(ctx, yield); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && swept.Files > 0 && !dryRun {
		s.deps.Logger.Info("unused content collected", "files", swept.Files, "bytes", swept.Bytes)
	}
	if err == nil && !dryRun && s.deps.Collected != nil {
		err = s.deps.Collected(ctx)
	}
	return swept, err
}

// Unused says what CollectGarbage would remove of content that is old enough.
func (s *Service) Unused(ctx context.Context) (run.Swept, error) {
	return s.CollectGarbage(ctx, CollectAge, true)
}

// collect collects garbage now and then until the service closes: after the start, because an earlier process may have been
// killed in its work, and when something was deleted since.
func (s *Service) collect(every time.Duration) {
	defer s.actors.Done()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	s.deleted.Store(true)
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
		}
		if !s.deleted.Swap(false) {
			continue
		}
		swept, err := s.CollectGarbage(s.ctx, CollectAge, false)
		switch {
		case s.ctx.Err() != nil:
			return
		case err != nil:
			s.deps.Logger.Error("unused content could not be collected; it is tried again", "in", every, "error", err)
			s.deleted.Store(true)
		case swept.Young > 0:
			s.deleted.Store(true)
		}
	}
}

// ListCache lists the results that may be reused; keys: key, task_id, run_id, component, pipeline_name, size, created_at, used_at.
func (s *Service) ListCache(ctx context.Context, q listing.Query) (listing.Page[run.CacheEntry], error) {
	return s.deps.Store.CacheEntries(ctx, q)
}

// PruneCache forgets results, so that their steps run again. Runs and their artifacts stay. A selection that means everything must
// say so with all.
func (s *Service) PruneCache(ctx context.Context, selected run.CacheSelection, all, dryRun bool) (run.CachePruned, error) {
	if selected.Empty() != all {
		return run.CachePruned{}, fault.Invalidf("prune the cache: say which entries (component, pipeline, run, key, age), or that all are meant, and not both")
	}
	var where []listing.Predicate
	for key, value := range map[string]string{"pipeline_name": selected.Pipeline, "run_id": selected.RunID} {
		if value != "" {
			where = append(where, listing.Predicate{Key: key, Op: listing.Equals, Values: []any{value}})
		}
	}
	if selected.Component != "" {
		where = append(where, ComponentIs(selected.Component))
	}
	if selected.Key != "" {
		exact, err := s.cacheKey(ctx, selected.Key)
		if err != nil {
			return run.CachePruned{}, err
		}
		where = append(where, listing.Predicate{Key: "key", Op: listing.Equals, Values: []any{exact}})
	}
	if !selected.CreatedBefore.IsZero() {
		where = append(where, listing.Predicate{Key: "created_at", Op: listing.LessThan, Values: []any{selected.CreatedBefore}})
	}
	pruned, err := s.deps.Store.PruneCache(ctx, where, dryRun)
	if err == nil && !dryRun && pruned.Entries > 0 {
		s.deps.Logger.Info("cache entries removed", "entries", pruned.Entries, "component", selected.Component, "pipeline", selected.Pipeline,
			"run", selected.RunID, "created_before", selected.CreatedBefore)
	}
	return pruned, err
}

// ComponentIs is the condition that an entry is of a component. The SDK writes "comp-train" for the function train; both are
// understood.
func ComponentIs(name string) listing.Predicate {
	return listing.Predicate{Key: "component", Op: listing.In, Values: []any{name, "comp-" + name}}
}

// cacheKey completes the beginning of a key.
func (s *Service) cacheKey(ctx context.Context, beginning string) (string, error) {
	if len(beginning) < len("sha256:")+4 || beginning[:7] != "sha256:" {
		return "", fault.Invalidf("%q is not a cache key: want \"sha256:\" and at least 4 digits of it", beginning)
	}
	page, err := s.deps.Store.CacheEntries(ctx, listing.Query{PageSize: 200, Where: []listing.Predicate{
		{Key: "key", Op: listing.GreaterThanEquals, Values: []any{beginning}},
		{Key: "key", Op: listing.LessThan, Values: []any{beginning + "~"}},
	}})
	if err != nil {
		return "", err
	}
	keys := map[string]bool{}
	for _, e := range page.Items {
		keys[e.Key] = true
	}
	switch len(keys) {
	case 0:
		return "", fault.NotFoundf("the cache has no entry with the key %s", beginning)
	case 1:
		return page.Items[0].Key, nil
	}
	return "", fault.Invalidf("%s is the beginning of %d keys; write more of it", beginning, len(keys))
}
