package sim

import (
	"fmt"
	"slices"
	"time"

	"levada/internal/core/run"
)

// differ says in what two rows of a task differ, "" when they are the same. Null and absent values, empty and missing lists are
// the same: JSON does not keep them apart.
func differ(want, got *run.Task) string {
	for _, f := range []struct {
		name      string
		want, got any
	}{
		{"id", want.ID, got.ID}, {"path", want.Path, got.Path}, {"parent", want.Parent, got.Parent}, {"kind", want.Kind, got.Kind},
		{"state", want.State, got.State}, {"reason", want.Reason, got.Reason}, {"component", want.Component, got.Component},
		{"attempts", want.Attempts, got.Attempts}, {"cached", want.Cached, got.Cached}, {"cached from", want.CachedFrom, got.CachedFrom},
		{"cached from run", want.CachedFromRun, got.CachedFromRun}, {"cache key", want.CacheKey, got.CacheKey},
	} {
		if f.want != f.got {
			return fmt.Sprintf("%s is %v, want %v", f.name, f.got, f.want)
		}
	}
	switch {
	case !equalValues(want.Inputs, got.Inputs):
		return fmt.Sprintf("inputs are %v, want %v", got.Inputs, want.Inputs)
	case !equalValues(want.Outputs, got.Outputs):
		return fmt.Sprintf("outputs are %v, want %v", got.Outputs, want.Outputs)
	case (want.Failure == nil) != (got.Failure == nil) || want.Failure != nil && *want.Failure != *got.Failure:
		return fmt.Sprintf("failure is %v, want %v", got.Failure, want.Failure)
	case !want.CreatedAt.Equal(got.CreatedAt) || !equalTime(want.StartedAt, got.StartedAt) || !equalTime(want.FinishedAt, got.FinishedAt):
		return fmt.Sprintf("times are %s %s %s, want %s %s %s", got.CreatedAt, got.StartedAt, got.FinishedAt, want.CreatedAt, want.StartedAt, want.FinishedAt)
	case !slices.Equal(want.DependsOn, got.DependsOn):
		return fmt.Sprintf("depends on %v, want %v", got.DependsOn, want.DependsOn)
	}
	return ""
}

func equalTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

func equalChange(a, b run.StateChange) bool { return a.State == b.State && a.At.Equal(b.At) }

func equalValues(a, b run.Values) bool {
	if !equal(a.Parameters, b.Parameters) {
		return false
	}
	for _, m := range []struct{ x, y map[string][]run.Artifact }{{a.Artifacts, b.Artifacts}, {b.Artifacts, a.Artifacts}} {
		for name, list := range m.x {
			if !slices.EqualFunc(list, m.y[name], func(x, y run.Artifact) bool { return x.Name == y.Name && x.Digest == y.Digest && x.URI == y.URI }) {
				return false
			}
		}
	}
	return true
}

// equal compares JSON values.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range a {
			if !equal(v, b[k]) {
				return false
			}
		}
		for k, v := range b {
			if _, ok := a[k]; !ok && v != nil {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	}
	return a == b
}
