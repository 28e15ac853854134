package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

func cacheEntries(t *testing.T, s Store) {
	ctx := t.Context()
	for i, component := range []string{"comp-a", "comp-b", "comp-a"} {
		r := sampleRun(i)
		entry := run.CacheEntry{Key: fmt.Sprint("key-", i), RunID: r.ID, TaskID: fmt.Sprint("task-", i), Path: "p", Component: component, PipelineName: "train",
			Parts: []run.KeyPart{{Kind: run.PartCode, Digest: "d"}}, Outputs: run.Values{Parameters: map[string]any{"o": 1.0}},
			Size: int64(10 * i), CreatedAt: at(i)}
		must(t, s.CreateRun(ctx, r, events(1, 1), nil))
		must(t, s.Append(ctx, r.ID, events(2, 1), run.Changes{Cache: []run.CacheEntry{entry}}))
		same(t, "entry", got[run.CacheEntry](t)(s.CacheEntry(ctx, entry.Key)), entry)
	}
	names := func(q listing.Query) []string {
		t.Helper()
		page := got[listing.Page[run.CacheEntry]](t)(s.CacheEntries(ctx, q))
		var out []string
		for _, e := range page.Items {
			out = append(out, e.TaskID)
		}
		return out
	}
	same(t, "newest first", names(listing.Query{}), []string{"task-2", "task-1", "task-0"})
	same(t, "of a component", names(where("component", listing.Equals, "comp-a")), []string{"task-2", "task-0"})
	same(t, "large", names(where("size", listing.GreaterThanEquals, int64(10))), []string{"task-2", "task-1"})
	same(t, "never used", names(where("used_at", listing.GreaterThan, at(0))), []string(nil))
	_, err := s.CacheEntries(ctx, where("size", listing.Equals, "many"))
	wantKind(t, err, fault.Invalid, "whole number")
	first := got[listing.Page[run.CacheEntry]](t)(s.CacheEntries(ctx, listing.Query{SortBy: "size", PageSize: 2}))
	rest := names(listing.Query{SortBy: "size", PageSize: 2, PageToken: first.NextPageToken})
	same(t, "second page by size", rest, []string{"task-2"})

	must(t, s.Append(ctx, "run-001", events(3, 1), run.Changes{Hits: []run.CacheHit{{Entry: "task-0", At: at(9)}, {Entry: "task-0", At: at(10)}, {Entry: "gone", At: at(9)}}}))
	used := got[run.CacheEntry](t)(s.CacheEntry(ctx, "key-0"))
	same(t, "hits", used.Hits, int64(2))
	same(t, "last hit", used.UsedAt.UTC(), at(10))

	a := []listing.Predicate{{Key: "component", Op: listing.Equals, Values: []any{"comp-a"}}}
	same(t, "to be pruned", got[run.CachePruned](t)(s.PruneCache(ctx, a, true)), run.CachePruned{Entries: 2, Bytes: 20, DryRun: true})
	same(t, "after a dry run", len(names(listing.Query{})), 3)
	same(t, "pruned", got[run.CachePruned](t)(s.PruneCache(ctx, a, false)), run.CachePruned{Entries: 2, Bytes: 20})
	same(t, "left", names(listing.Query{}), []string{"task-1"})
	same(t, "pruned again", got[run.CachePruned](t)(s.PruneCache(ctx, a, false)), run.CachePruned{})
	same(t, "all", got[run.CachePruned](t)(s.PruneCache(ctx, nil, false)).Entries, 1)
	_, err = s.PruneCache(ctx, []listing.Predicate{{Key: "hits", Op: listing.Equals, Values: []any{"1"}}}, false)
	wantKind(t, err, fault.Invalid, "hits")
}

func hitKeepsArtifacts(t *testing.T, s Store) {
	ctx := t.Context()
	maker, user := sampleRun(1), sampleRun(2)
	task := sampleTask(maker, "train")
	model := sampleArtifact(maker, task, "model")
	must(t, s.CreateRun(ctx, maker, events(1, 1), []run.Task{task}))
	must(t, s.Append(ctx, maker.ID, events(2, 1), run.Changes{Artifacts: []run.Artifact{model}}))
	must(t, s.CreateRun(ctx, user, events(1, 1), nil))
	same(t, "digests", digests(t, s), []string{model.Digest})

	must(t, s.DeleteRun(ctx, maker.ID)) // between the lookup and the hit
	same(t, "digests without the run", digests(t, s), []string(nil))
	reuse := sampleTask(user, "train")
	reuse.Cached, reuse.CachedFrom = true, task.ID
	must(t, s.Append(ctx, user.ID, events(2, 1), run.Changes{Tasks: []run.Task{reuse},
		Hits: []run.CacheHit{{Entry: task.ID, At: at(3), Artifacts: []run.Artifact{model}}}}))
	same(t, "artifact", got[run.Artifact](t)(s.GetArtifact(ctx, model.ID)), model)
	same(t, "digests after the hit", digests(t, s), []string{model.Digest})

	must(t, s.DeleteRun(ctx, user.ID))
	same(t, "digests at the end", digests(t, s), []string(nil))
	same(t, "count", got[listing.Page[run.Artifact]](t)(s.Artifacts(ctx, listing.Query{})).Total, 0)
}

func digests(t *testing.T, s Store) []string {
	t.Helper()
	var out []string
	must(t, s.ArtifactDigests(t.Context(), func(d string) error {
		out = append(out, d)
		return nil
	}))
	slices.Sort(out)
	stop := errors.New("stop")
	if err := s.ArtifactDigests(t.Context(), func(string) error { return stop }); len(out) > 0 && !errors.Is(err, stop) {
		t.Fatalf("the caller's error is not handed on: %v", err)
	}
	return out
}
