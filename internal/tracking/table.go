package tracking

import (
	"context"
	"maps"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/search"
	"levada/internal/core/track"
)

// TableQuery asks for a page of the table of an experiment's runs.
type TableQuery struct {
	Experiment string
	Filter     string
	OrderBy    []string
	// Nested asks for the runs beneath Parent only, or with an empty Parent for those that are beneath no other. A run is
	// shown when it matches, or when one beneath it does.
	Nested bool
	Parent string
	// Deleted asks for the deleted runs instead of the others; they are not nested.
	Deleted bool
	// By and Group narrow the table to one group of RunGroups, when By is set.
	By    string
	Group *string
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
	all, err := s.deps.Store.RunsOf(ctx, q.Experiment)
	if err != nil {
		return nil, 0, err
	}
	row := runRow{service: s, ended: ctx.Err, orders: orders}
	row.begin(q.Experiment, all)
	inGroup, err := membership(q, all)
	if err != nil {
		return nil, 0, err
	}
	matches := func(at int32) bool {
		return row.goOn(int(at)) && all[at].Deleted == q.Deleted && inGroup(all[at]) && filter.Match(&row)
	}
	q.Nested = q.Nested && !q.Deleted && q.By == ""
	var shown []int32
	var families families
	if q.Nested {
		families = familiesOf(all)
		shown = families.beneath(q.Parent, matches)
	} else {
		for at := range int32(len(all)) { //nolint:gosec // the store's index holds far fewer runs
			if matches(at) {
				shown = append(shown, at)
			}
		}
	}
	rows := firstOf(shown, &row, q)
	if row.err != nil {
		return nil, 0, row.err
	}
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

// firstOf returns the page of the runs at these places: in the orders of row, or as they come, which is the newest first.
func firstOf(shown []int32, row *runRow, q TableQuery) []*track.Run {
	var out []*track.Run
	if len(row.orders) == 0 {
		places, _ := page(shown, q.Offset, q.Limit)
		for _, at := range places {
			out = append(out, row.runs[at])
		}
		return out
	}
	found := firstRuns{n: q.Offset + q.Limit, orders: row.orders, byStart: !search.Has(row.orders, "start_time")}
	for _, at := range shown {
		row.at = int(at)
		found.add(row)
	}
	found.sort()
	rows, _ := page(found.rows, q.Offset, q.Limit)
	for _, r := range rows {
		out = append(out, r.run)
	}
	return out
}

// maxDepth bounds how deep runs lie beneath each other. Clients name parents freely: what lies deeper, or beneath itself, is
// treated as if it had none.
const maxDepth = 32

// noParent stands for the parent of a run that is beneath no other.
const noParent = -1

// families says which of a list of runs lies beneath which, by their places in the list: lists are long.
type families struct {
	place    map[string]int32
	parent   []int32
	children []int32
}

func familiesOf(all []*track.Run) families {
	f := families{place: make(map[string]int32, len(all)), parent: make([]int32, len(all)), children: make([]int32, len(all))}
	for i, r := range all {
		if !r.Deleted {
			f.place[r.ID] = int32(i) //nolint:gosec // the store's index holds far fewer runs
		}
	}
	named := make([]int32, len(all))
	for i, r := range all {
		named[i] = noParent
		if id, there := track.Find(r.Tags, track.TagParentRun); there && !r.Deleted {
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

// beneath returns the places of the runs directly beneath one (with an empty id: beneath none) that match or have a match beneath them.
func (f families) beneath(id string, matches func(int32) bool) []int32 {
	parent := int32(noParent)
	if id != "" {
		place, there := f.place[id]
		if !there {
			return nil
		}
		parent = place
	}
	keep := make([]bool, len(f.parent))
	for at := range int32(len(f.parent)) { //nolint:gosec // as above
		if keep[at] || !matches(at) {
			continue
		}
		for up := at; up != noParent && !keep[up]; up = f.parent[up] {
			keep[up] = true
		}
	}
	var out []int32
	for at, p := range f.parent {
		if keep[at] && p == parent {
			out = append(out, int32(at)) //nolint:gosec // as above
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
		if parent, there := track.Find(r.Tags, track.TagParentRun); there && parent != r.ID && !r.Deleted {
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
	all, err := s.deps.Store.RunsOf(ctx, experiment)
	if err != nil {
		return Fields{}, err
	}
	params, metrics, tags := map[string]bool{}, map[string]bool{}, map[string]bool{}
	seen := 0
	for _, r := range all {
		if r.Deleted {
			continue
		}
		if seen++; seen > newestRuns {
			break
		}
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
	all, err := s.deps.Store.RunsOf(ctx, r.ExperimentID)
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
