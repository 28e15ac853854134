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
	var shown []*track.Run
	var families families
	if q.Nested {
		families = familiesOf(all)
		shown = families.beneath(q.Parent, matches)
	} else {
		for _, r := range all {
			if matches(r) {
				shown = append(shown, r)
			}
		}
	}
	if len(orders) > 0 {
		sortRuns(shown, orders, &row)
	}
	if row.err != nil {
		return nil, 0, row.err
	}
	rows, _ := page(shown, q.Offset, q.Limit)
	var children map[string]int
	if !q.Nested {
		children = childrenOf(rows, all)
	}
	out := make([]TableRow, len(rows))
	for i, r := range rows {
		stats, err := s.deps.Series.Stats(r.ID)
		if err != nil {
			return nil, 0, err
		}
		out[i] = TableRow{Tracked{Run: r, Metrics: stats}, children[r.ID]}
		if q.Nested {
			out[i].Children = int(families.children[families.place[r.ID]])
		}
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

// noParent stands for the parent of a run that is beneath no other.
const noParent = -1

// families says which of a list of runs lies beneath which, by their places in the list: lists are long.
type families struct {
	all      []*track.Run
	place    map[string]int32
	parent   []int32
	children []int32
}

func familiesOf(all []*track.Run) families {
	f := families{all: all, place: make(map[string]int32, len(all)), parent: make([]int32, len(all)), children: make([]int32, len(all))}
	for i, r := range all {
		f.place[r.ID] = int32(i) //nolint:gosec // the store's index holds far fewer runs
	}
	named := make([]int32, len(all))
	for i, r := range all {
		named[i] = noParent
		if id, there := track.Find(r.Tags, track.TagParentRun); there {
			if p, known := f.place[id]; known { // else it is another experiment's, or deleted
				named[i] = p
			}
		}
	}
	for i, p := range named {
		depth := 0
		for up := p; up != noParent && depth <= maxDepth; up = named[up] {
			depth++
		}
		f.parent[i] = noParent
		if p != noParent && depth <= maxDepth {
			f.parent[i] = p
			f.children[p]++
		}
	}
	return f
}

// beneath returns the runs directly beneath one (with an empty id: beneath none) that match or have a match beneath them.
func (f families) beneath(id string, matches func(*track.Run) bool) []*track.Run {
	parent := int32(noParent)
	if id != "" {
		place, there := f.place[id]
		if !there {
			return nil
		}
		parent = place
	}
	keep := make([]bool, len(f.all))
	for i, r := range f.all {
		if keep[i] || !matches(r) {
			continue
		}
		for up := int32(i); up != noParent && !keep[up]; up = f.parent[up] { //nolint:gosec // as above
			keep[up] = true
		}
	}
	var out []*track.Run
	for i, r := range f.all {
		if keep[i] && f.parent[i] == parent {
			out = append(out, r)
		}
	}
	return out
}

// childrenOf counts the runs that name one of rows as their parent.
func childrenOf(rows, all []*track.Run) map[string]int {
	out := make(map[string]int, len(rows))
	for _, r := range rows {
		out[r.ID] = 0
	}
	for _, r := range all {
		if parent, there := track.Find(r.Tags, track.TagParentRun); there && parent != r.ID {
			if n, shown := out[parent]; shown {
				out[parent] = n + 1
			}
		}
	}
	return out
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

// Beneath returns how many runs of its experiment name a run as their parent.
func (s *Service) Beneath(ctx context.Context, r *track.Run) (int, error) {
	all, err := s.activeRuns(ctx, r.ExperimentID)
	return childrenOf([]*track.Run{r}, all)[r.ID], err
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
