package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"levada/internal/core/cachekey"
	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

const (
	// candidates is how many entries of a component are compared to find the nearest.
	candidates = 100
	// maxDiffLines bounds what is shown of a difference.
	maxDiffLines = 60
)

// lookedUp is a lookup of the cache, and when it happened.
type lookedUp struct {
	*run.CacheLookup
	at time.Time
}

// ExplainCache says for each leaf of a run why its result was reused, or why not. With a task (id, path or unambiguous name) it
// says it for that one, and more: an explanation of a whole run has no differences in code and packages.
func (s *Service) ExplainCache(ctx context.Context, runID, task string) ([]run.CacheExplanation, error) {
	r, err := s.deps.Store.GetRun(ctx, runID)
	if err != nil {
		return nil, err
	}
	p, err := s.Spec(ctx, r.SpecDigest)
	if err != nil {
		return nil, err
	}
	var tasks []run.Task
	if task != "" {
		t, err := s.GetTask(ctx, runID, task)
		if err != nil {
			return nil, err
		}
		tasks = []run.Task{t}
	} else if tasks, err = s.deps.Store.Tasks(ctx, runID); err != nil {
		return nil, err
	}
	only := ""
	if task != "" {
		only = tasks[0].Path
	}
	lookups, err := s.lookups(ctx, runID, only)
	if err != nil {
		return nil, err
	}
	e := explainer{Service: s, run: r, spec: p, byComponent: map[string][]run.CacheEntry{}, detailed: task != ""}
	out := []run.CacheExplanation{}
	for _, t := range tasks {
		if task == "" && !t.Kind.Leaf() {
			continue
		}
		x, err := e.explain(ctx, t, lookups[t.Path])
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// lookups returns the last lookup of each task, or of one, from the run's log.
func (s *Service) lookups(ctx context.Context, runID, only string) (map[string]lookedUp, error) {
	quoted, err := json.Marshal(only)
	if err != nil {
		return nil, err
	}
	records, err := s.deps.Store.Events(ctx, runID, 1)
	if err != nil {
		return nil, err
	}
	out := map[string]lookedUp{}
	for _, r := range records {
		if t := engine.Type(r.Type); t != engine.TaskCached && t != engine.TaskLaunched {
			continue
		}
		if only != "" && !bytes.Contains(r.Body, quoted) {
			continue // decoding the events of ten thousand tasks takes longer than reading them
		}
		e, err := engine.DecodeEvent(r)
		if err != nil {
			return nil, err
		}
		if e.Lookup != nil {
			out[e.Task] = lookedUp{e.Lookup, r.At}
		}
	}
	return out, nil
}

// explainer explains the tasks of one run.
type explainer struct {
	*Service
	run         run.Run
	spec        *ir.Pipeline
	byComponent map[string][]run.CacheEntry
	detailed    bool
}

func (e *explainer) explain(ctx context.Context, t run.Task, l lookedUp) (run.CacheExplanation, error) {
	x := run.CacheExplanation{RunID: t.RunID, TaskID: t.ID, Path: t.Path, State: t.State, Outcome: run.CacheUnused, Key: t.CacheKey}
	switch {
	case t.Cached:
		return e.hit(ctx, x, t, l)
	case !t.Kind.Leaf():
		x.Summary = fmt.Sprintf("%s is a group: its tasks are looked up one by one", t.Path)
	case t.Kind == run.KindImporter:
		x.Summary = "importers are not cached: they only name an artifact, and what they name may have changed"
	case e.run.CacheOff:
		x.Outcome, x.Summary = run.CacheOff, "caching was off for the whole run (--no-cache)"
	case l.CacheLookup != nil:
		return e.miss(ctx, x, t, l)
	case !e.caching(t):
		x.Outcome, x.Summary = run.CacheOff, "caching was off for this task: set_caching_options(False), or enable_caching=False when the run was created"
	case t.State == run.Pending:
		x.Summary = "the task has not been looked up yet"
	case t.Attempts > 0:
		x.Summary = "how the task was looked up is not on record: it ran with an earlier version of Levada"
	default:
		x.Summary = fmt.Sprintf("the task was not looked up: it is %s", t.State)
		if t.Reason != "" {
			x.Summary += ": " + t.Reason
		}
	}
	return x, nil
}

// caching reports what the specification says about a task, also for an iteration of a loop.
func (e *explainer) caching(t run.Task) bool {
	comp := e.spec.Spec.Root
	var last *ir.Task
	for _, name := range strings.Split(t.Path, "/") {
		if comp == nil || comp.DAG == nil {
			break
		}
		next, ok := comp.DAG.Tasks[name]
		if !ok {
			continue // the index of an iteration
		}
		last, comp = next, e.spec.Spec.Component(next)
	}
	return last != nil && last.CachingOptions.EnableCache
}

func (e *explainer) hit(ctx context.Context, x run.CacheExplanation, t run.Task, l lookedUp) (run.CacheExplanation, error) {
	x.Outcome = run.CacheHitOutcome
	x.Entry = &run.CacheSource{RunID: t.CachedFromRun, TaskID: t.CachedFrom}
	where := "run " + t.CachedFromRun + ", which was deleted since"
	r, err := e.deps.Store.GetRun(ctx, t.CachedFromRun)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return x, err
	}
	if err == nil {
		maker, err := e.deps.Store.GetTask(ctx, t.CachedFromRun, t.CachedFrom)
		if err != nil {
			return x, err
		}
		x.Entry.RunName, x.Entry.PipelineName, x.Entry.Path = r.DisplayName, r.PipelineName, maker.Path
		where = fmt.Sprintf("task %s of run %q (%s)", maker.Path, r.DisplayName, r.ID)
		if maker.FinishedAt != nil {
			x.Entry.CreatedAt = *maker.FinishedAt
			where += ", made " + maker.FinishedAt.UTC().Format("2006-01-02 15:04:05 UTC")
		}
	}
	why := "the code, environment and inputs are the same"
	if l.CacheLookup != nil && custom(l.Parts) {
		why = "the custom cache key is the same"
	}
	x.Summary = "reused: " + why + " as those of " + where
	return x, nil
}

func custom(parts []run.KeyPart) bool {
	return slices.ContainsFunc(parts, func(p run.KeyPart) bool { return p.Kind == run.PartCustomKey })
}

func (e *explainer) miss(ctx context.Context, x run.CacheExplanation, t run.Task, l lookedUp) (run.CacheExplanation, error) {
	x.Outcome = run.CacheMiss
	x.Key = l.Key
	if l.Found == run.LookupExpired || l.Found == run.LookupGone {
		x.Entry = &run.CacheSource{RunID: l.EntryRun, TaskID: l.Entry}
		word := "expired"
		if l.Found == run.LookupGone {
			word = "incomplete"
		}
		x.Summary = fmt.Sprintf("the entry of run %s with the same key is %s: %s", l.EntryRun, word, l.Why)
		return x, nil
	}
	entries, err := e.entries(ctx, t.Component)
	if err != nil {
		return x, err
	}
	if e.atTheSameTime(entries, t, l, &x) {
		return x, nil
	}
	nearest, differences := nearest(entries, t, l, e.run.PipelineName)
	if nearest == nil {
		x.Summary = fmt.Sprintf("no result of component %s was in the cache", t.Component)
		return x, nil
	}
	x.Entry = sourceOf(*nearest)
	if r, err := e.deps.Store.GetRun(ctx, nearest.RunID); err == nil {
		x.Entry.RunName = r.DisplayName
	}
	x.Differences = differences
	if len(differences) == 0 {
		x.Summary = fmt.Sprintf("an entry with the same key, of run %s, was there but was not found: look at the server's log", nearest.RunID)
		return x, nil
	}
	if e.detailed {
		e.detail(ctx, t, *nearest, x.Differences)
	}
	texts := make([]string, len(differences))
	for i, d := range x.Differences {
		texts[i] = d.Text
	}
	x.Summary = "nothing with this key was in the cache; compared with the nearest entry: " + strings.Join(texts, "; ")
	return x, nil
}

func sourceOf(e run.CacheEntry) *run.CacheSource {
	return &run.CacheSource{RunID: e.RunID, TaskID: e.TaskID, Path: e.Path, PipelineName: e.PipelineName, CreatedAt: e.CreatedAt}
}

// entries returns the newest entries of a component, whatever pipeline they are of.
func (e *explainer) entries(ctx context.Context, component string) ([]run.CacheEntry, error) {
	if found, ok := e.byComponent[component]; ok {
		return found, nil
	}
	page, err := e.deps.Store.CacheEntries(ctx, listing.Query{PageSize: candidates,
		Where: []listing.Predicate{{Key: "component", Op: listing.Equals, Values: []any{component}}}})
	e.byComponent[component] = page.Items
	return page.Items, err
}

// atTheSameTime finds the same work in another task that had not ended yet when this one was looked up.
func (e *explainer) atTheSameTime(entries []run.CacheEntry, t run.Task, l lookedUp, x *run.CacheExplanation) bool {
	for _, c := range entries {
		if c.Key == l.Key && c.TaskID != t.ID && c.CreatedAt.After(l.at) {
			x.Entry = sourceOf(c)
			x.Summary = fmt.Sprintf("task %s of run %s has the same key, but had not ended when this task was looked up", c.Path, c.RunID)
			return true
		}
	}
	return false
}

// nearest returns the entry with the fewest differences that was there when the task was looked up: of two, one of the same
// pipeline; of those, the newest.
func nearest(entries []run.CacheEntry, t run.Task, l lookedUp, pipelineName string) (*run.CacheEntry, []run.KeyDifference) {
	var best *run.CacheEntry
	var least []run.KeyDifference
	for i, c := range entries { // newest first
		if c.TaskID == t.ID || c.CreatedAt.After(l.at) {
			continue
		}
		d := cachekey.Differences(c.Parts, l.Parts)
		closer := best == nil || len(d) < len(least) ||
			len(d) == len(least) && c.PipelineName == pipelineName && best.PipelineName != pipelineName
		if closer {
			best, least = &entries[i], d
		}
	}
	return best, least
}

// detail adds to a difference what its digest alone cannot say.
func (e *explainer) detail(ctx context.Context, t run.Task, near run.CacheEntry, differences []run.KeyDifference) {
	for i := range differences {
		d := &differences[i]
		switch d.Kind {
		case run.PartCode:
			d.Lines = e.codeDiff(ctx, t, near)
		case run.PartEnvironment:
			if lines := e.packageDiff(ctx, d.Before, d.After); len(lines) > 0 {
				d.Lines = lines
				d.Text = "environment: " + strings.Join(lines[:min(3, len(lines))], ", ")
				if more := len(lines) - 3; more > 0 {
					d.Text += fmt.Sprintf(" and %d more", more)
				}
			}
		}
	}
}

// codeDiff compares the commands of two tasks line by line. A run that is gone has no code to compare.
func (e *explainer) codeDiff(ctx context.Context, t run.Task, near run.CacheEntry) []string {
	p, err := e.RunSpec(ctx, near.RunID)
	if err != nil {
		return nil
	}
	before, after := codeOf(p, near.Component), codeOf(e.spec, t.Component)
	if before == "" || after == "" {
		return nil
	}
	text := diff.Diff("before", []byte(before), "after", []byte(after))
	_, text, _ = bytes.Cut(text, []byte("\n")) // the line "diff before after"
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(lines) > maxDiffLines {
		lines = append(lines[:maxDiffLines], fmt.Sprintf("… %d more lines", len(lines)-maxDiffLines))
	}
	return lines
}

// packageDiff lists the packages in which two environments differ, as far as both are still there.
func (e *explainer) packageDiff(ctx context.Context, before, after string) []string {
	if e.deps.Packages == nil {
		return nil
	}
	old, err := e.deps.Packages.Packages(ctx, before)
	if err != nil || old == nil {
		return nil
	}
	now, err := e.deps.Packages.Packages(ctx, after)
	if err != nil || now == nil {
		return nil
	}
	return cachekey.PackageDifferences(old, now)
}
