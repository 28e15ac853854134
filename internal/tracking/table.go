package tracking

import (
	"context"
	"maps"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/search"
	"levada/internal/core/track"
)

// TableQuery asks for a page of the table of an experiment's runs. Deleted runs are never in it.
type TableQuery struct {
	Experiment string
	Filter     string
	OrderBy    []string
	// Nested asks for the runs beneath Parent only, or with an empty Parent for those that are beneath no other. A run is
	// shown when it matches, or when one beneath it does.
	Nested bool
	Parent string
	// Offset and Limit choose the page.
	Offset, Limit int
}

// TableRow is a run with the number of runs directly beneath it.
type TableRow struct {
	Tracked
	Children int
}

// Fields are names of parameters, metrics and tags, each sorted.
type Fields struct{ Params, Metrics, Tags []string }

// RunTable returns a page of the table, and how many rows there are on all pages.
func (s *Service) RunTable(ctx context.Context, q TableQuery) ([]TableRow, int, error) {
	filter, err := search.Runs.Parse(q.Filter)
	if err != nil {
		return nil, 0, err
	}
	orders, err := search.Runs.ParseOrders(q.OrderBy)
	if err != nil {
		return nil, 0, err
	}
	all, err := s.activeRuns(ctx, q.Experiment)
	if err != nil {
		return nil, 0, err
	}
	row := runRow{series: s.deps.Series}
	matches := func(r *track.Run) bool {
		row.Run = r
		return filter.Match(&row)
	}
	families := familiesOf(all)
	var shown []*track.Run
	if q.Nested {
		shown = families.beneath(q.Parent, all, matches)
	} else {
		shown = slices.DeleteFunc(all, func(r *track.Run) bool { return !matches(r) })
	}
	if len(orders) > 0 {
		sortRuns(shown, orders, &row)
	}
	if row.err != nil {
		return nil, 0, row.err
	}
	rows, _ := page(shown, q.Offset, q.Limit)
	out := make([]TableRow, len(rows))
	for i, r := range rows {
		stats, err := s.deps.Series.Stats(r.ID)
		if err != nil {
			return nil, 0, err
		}
		out[i] = TableRow{Tracked{Run: r, Metrics: stats}, families.children[r.ID]}
	}
	return out, len(shown), nil
}

// activeRuns are the runs of an experiment that are not deleted, newest first.
func (s *Service) activeRuns(ctx context.Context, experiment string) ([]*track.Run, error) {
	all, err := s.deps.Store.RunsOf(ctx, experiment)
	return slices.DeleteFunc(all, func(r *track.Run) bool { return r.Deleted }), err
}

// maxDepth bounds how deep runs lie beneath each other. Clients name parents freely: what lies deeper, or beneath itself, is
// treated as if it had none.
const maxDepth = 32

// families says which run lies beneath which.
type families struct {
	parent   map[string]string
	children map[string]int
}

func familiesOf(all []*track.Run) families {
	f := families{parent: map[string]string{}, children: map[string]int{}}
	named := map[string]string{}
	for _, r := range all {
		named[r.ID], _ = track.Find(r.Tags, track.TagParentRun)
	}
	for _, r := range all {
		parent := named[r.ID]
		if _, there := named[parent]; !there {
			continue // another experiment's, deleted, or none
		}
		depth := 0
		for up := parent; up != "" && depth <= maxDepth; up = named[up] {
			depth++
		}
		if depth <= maxDepth {
			f.parent[r.ID] = parent
			f.children[parent]++
		}
	}
	return f
}

// beneath returns the runs directly beneath parent that match or have a match beneath them.
func (f families) beneath(parent string, all []*track.Run, matches func(*track.Run) bool) []*track.Run {
	keep := map[string]bool{}
	for _, r := range all {
		if !matches(r) {
			continue
		}
		for id := r.ID; id != "" && !keep[id]; id = f.parent[id] {
			keep[id] = true
		}
	}
	return slices.DeleteFunc(all, func(r *track.Run) bool { return f.parent[r.ID] != parent || !keep[r.ID] })
}

// FieldsOf returns the names that the newest runs of an experiment use, for a choice of columns and for completion.
func (s *Service) FieldsOf(ctx context.Context, experiment string) (Fields, error) {
	const newestRuns, most = 500, 2000
	all, err := s.activeRuns(ctx, experiment)
	if err != nil {
		return Fields{}, err
	}
	params, metrics, tags := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range all[:min(newestRuns, len(all))] {
		for _, kv := range r.Params {
			params[kv.Key] = true
		}
		for _, kv := range r.Tags {
			tags[kv.Key] = true
		}
		stats, err := s.deps.Series.Stats(r.ID)
		if err != nil {
			return Fields{}, err
		}
		for _, stat := range stats {
			metrics[stat.Key] = true
		}
	}
	sorted := func(set map[string]bool) []string {
		names := slices.Sorted(maps.Keys(set))
		return names[:min(most, len(names))]
	}
	return Fields{Params: sorted(params), Metrics: sorted(metrics), Tags: sorted(tags)}, nil
}

// Beneath returns how many runs lie directly beneath a run of its experiment.
func (s *Service) Beneath(ctx context.Context, r *track.Run) (int, error) {
	all, err := s.activeRuns(ctx, r.ExperimentID)
	return familiesOf(all).children[r.ID], err
}

// Runs returns runs by their ids, in that order, and the ids for which there is none.
func (s *Service) Runs(ctx context.Context, ids []string) (runs []Tracked, missing []string, err error) {
	for _, id := range ids {
		r, err := s.Run(ctx, id)
		switch {
		case fault.KindOf(err) == fault.NotFound:
			missing = append(missing, id)
		case err != nil:
			return nil, nil, err
		default:
			runs = append(runs, r)
		}
	}
	return runs, missing, nil
}
