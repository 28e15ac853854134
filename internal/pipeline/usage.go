package pipeline

import (
	"context"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// TaskUsage says what an attempt of a task used while it ran; attempt 0 means the newest. It is NotFound when nothing was measured.
func (s *Service) TaskUsage(ctx context.Context, runID, task string, attempt int) (run.Usage, error) {
	t, err := s.GetTask(ctx, runID, task)
	if err != nil {
		return run.Usage{}, err
	}
	switch {
	case t.Cached:
		return run.Usage{}, fault.NotFoundf("task %q did not run: its result was reused from task %s", t.Path, t.CachedFrom)
	case t.Attempts == 0:
		return run.Usage{}, fault.NotFoundf("task %q has not been started", t.Path)
	case s.deps.Usage == nil:
		return run.Usage{}, fault.NotFoundf("task %q: what steps use is not measured here", t.Path)
	}
	if attempt == 0 {
		attempt = t.Attempts
	}
	return s.deps.Usage.Usage(ctx, t.RunID, t.ID, attempt)
}

// TaskEnvironment says what a step ran in: the digest that went into its cache key or, where caching was off, the one that was noted
// while it was measured.
func (s *Service) TaskEnvironment(ctx context.Context, runID, task string) (run.TaskEnvironment, error) {
	out := run.TaskEnvironment{Packages: []string{}}
	t, err := s.GetTask(ctx, runID, task)
	if err != nil {
		return out, err
	}
	lookups, err := s.lookups(ctx, runID, t.Path)
	if err != nil {
		return out, err
	}
	if l := lookups[t.Path]; l.CacheLookup != nil {
		for _, part := range l.Parts {
			if part.Kind == run.PartEnvironment {
				out.Digest = part.Value
			}
		}
	}
	if out.Digest == "" && t.Attempts > 0 && s.deps.Usage != nil {
		u, err := s.deps.Usage.Usage(ctx, t.RunID, t.ID, t.Attempts)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return out, err
		}
		out.Digest = u.Environment
	}
	if out.Digest == "" {
		out.Note = "it is not known: the task has not been prepared yet, is no Python step, or took less than a second with caching off"
		return out, nil
	}
	if s.deps.Packages != nil {
		list, err := s.deps.Packages.Packages(ctx, out.Digest)
		if err != nil {
			return out, err
		}
		out.Packages = append(out.Packages, list...)
	}
	if len(out.Packages) == 0 {
		out.Note = "the environment was removed from this machine, and its list of packages with it"
	}
	return out, nil
}
