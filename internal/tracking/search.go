package tracking

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"levada/internal/core/fault"
	"levada/internal/core/search"
	"levada/internal/core/track"
)

// Query asks for a page of a search.
type Query struct {
	Experiments []string
	Filter      string
	OrderBy     []string
	View        View
	// Offset and Limit choose the page.
	Offset, Limit int
}

// maxResults is the largest page of runs and experiments.
const maxResults = 50_000

func checkLimit(n int) error {
	if n < 1 {
		return fault.Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be a positive integer", n)
	}
	if n > maxResults {
		return fault.Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be at most %d", n, maxResults)
	}
	return nil
}

// checkExperiments bounds what one search may ask for.
func checkExperiments(ids []string) error {
	const most, longest = 10_000, 250
	if len(ids) > most {
		return fault.Invalidf("Invalid value for parameter 'experiment_ids' supplied: there are %d ids; at most %d are allowed", len(ids), most)
	}
	for _, id := range ids {
		if len(id) > longest {
			return fault.Invalidf("Invalid value %s for parameter 'experiment_ids' supplied: an id has %d bytes; at most %d are allowed",
				strconv.Quote(fault.Shorten(id, 50)), len(id), longest)
		}
	}
	return nil
}

// page cuts a page out of rows and says whether there are more.
func page[T any](rows []T, offset, limit int) ([]T, bool) {
	rows = rows[min(offset, len(rows)):]
	if len(rows) > limit {
		return rows[:limit], true
	}
	return rows, false
}

// SearchRuns returns a page of the runs that match, and whether there are more.
func (s *Service) SearchRuns(ctx context.Context, q Query) ([]Tracked, bool, error) {
	if err := checkLimit(q.Limit); err != nil {
		return nil, false, err
	}
	if err := checkExperiments(q.Experiments); err != nil {
		return nil, false, err
	}
	filter, err := search.Runs.Parse(q.Filter)
	if err != nil {
		return nil, false, err
	}
	orders, err := search.Runs.ParseOrders(q.OrderBy)
	if err != nil {
		return nil, false, err
	}
	slices.Sort(q.Experiments)
	experiments := slices.Compact(q.Experiments)
	row := runRow{service: s, ended: ctx.Err, orders: orders}
	found := firstRuns{n: q.Offset + q.Limit + 1, orders: orders, byStart: !search.Has(orders, "start_time")}
	// Runs come as they are wanted where nothing else is asked for: then the first of them will do.
	ordered := len(orders) == 0 && len(experiments) == 1
	for _, id := range experiments {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		runs, err := s.deps.Store.RunsOf(ctx, id)
		if err != nil {
			return nil, false, err
		}
		row.begin(id, runs)
		for at := range runs {
			if !row.goOn(at) {
				return nil, false, row.err
			}
			if !q.View.Includes(runs[row.at].Deleted) || !filter.Match(&row) {
				continue
			}
			if !ordered {
				found.add(&row)
			} else if found.rows = append(found.rows, keyedRun{run: runs[row.at]}); len(found.rows) == found.n {
				break
			}
		}
	}
	if row.err != nil {
		return nil, false, row.err
	}
	if !ordered {
		found.sort()
	}
	rows, more := page(found.rows, q.Offset, q.Limit)
	out := make([]Tracked, len(rows))
	for i, r := range rows {
		stats, err := s.deps.Series.Stats(r.run.ID)
		if err != nil {
			return nil, false, err
		}
		out[i] = Tracked{Run: r.run, Metrics: stats}
	}
	return out, more, nil
}

// SearchExperiments returns a page of the experiments that match, and whether there are more.
func (s *Service) SearchExperiments(ctx context.Context, q Query) ([]track.Experiment, bool, error) {
	if err := checkLimit(q.Limit); err != nil {
		return nil, false, err
	}
	filter, err := search.Experiments.Parse(q.Filter)
	if err != nil {
		return nil, false, err
	}
	if len(q.OrderBy) == 0 {
		q.OrderBy = []string{"creation_time DESC", "experiment_id ASC"}
	}
	orders, err := search.Experiments.ParseOrders(q.OrderBy)
	if err != nil {
		return nil, false, err
	}
	for _, o := range orders {
		if o.Entity != search.Attribute {
			return nil, false, fault.Invalidf("Invalid order_by entity: %s", o.Entity)
		}
	}
	all, err := s.deps.Store.Experiments(ctx)
	if err != nil {
		return nil, false, err
	}
	all = slices.DeleteFunc(all, func(e track.Experiment) bool {
		return !q.View.Includes(e.Deleted) || !filter.Match(experimentRow{e})
	})
	slices.SortFunc(all, func(a, b track.Experiment) int {
		for _, o := range orders {
			c := compareExperiments(a, b, o.Key)
			if o.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return compareIDs(b.ID, a.ID)
	})
	found, more := page(all, q.Offset, q.Limit)
	return found, more, nil
}

// compareExperiments compares by one attribute; times are compared whole, not in milliseconds, in which many could be equal.
func compareExperiments(a, b track.Experiment, attribute string) int {
	switch attribute {
	case "creation_time":
		return a.CreatedAt.Compare(b.CreatedAt)
	case "last_update_time":
		return a.UpdatedAt.Compare(b.UpdatedAt)
	case "name":
		return cmp.Compare(a.Name, b.Name)
	}
	return compareIDs(a.ID, b.ID)
}

// compareIDs compares ids as numbers where they are numbers.
func compareIDs(a, b string) int {
	x, err1 := strconv.ParseInt(a, 10, 64)
	y, err2 := strconv.ParseInt(b, 10, 64)
	if err1 == nil && err2 == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

type experimentRow struct{ track.Experiment }

func (r experimentRow) Text(e search.Entity, key string) (string, bool) {
	switch {
	case e == search.Tag:
		return track.Find(r.Tags, key)
	case key == "name":
		return r.Name, true
	}
	return r.ID, key == "experiment_id"
}

func (r experimentRow) Number(_ search.Entity, key string, _ search.Part) (float64, bool) {
	if key == "creation_time" {
		return float64(r.CreatedAt.UnixMilli()), true
	}
	return float64(r.UpdatedAt.UnixMilli()), true
}

func (experimentRow) Each(string) []string { return nil }

// DatasetSummary is a dataset that runs of an experiment read. Context is nil where none was said.
type DatasetSummary struct {
	ExperimentID, Name, Digest string
	Context                    *string
}

// Datasets returns the datasets that the runs of experiments read, each with each of its contexts once.
func (s *Service) Datasets(ctx context.Context, experiments []string) ([]DatasetSummary, error) {
	const most = 1000
	if err := checkExperiments(experiments); err != nil {
		return nil, err
	}
	var out []DatasetSummary
	type key struct{ experiment, name, digest, context string }
	seen := map[key]bool{}
	for _, id := range experiments {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		runs, err := s.deps.Store.RunsOf(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			for _, d := range r.Datasets {
				summary := DatasetSummary{ExperimentID: id, Name: d.Dataset.Name, Digest: d.Dataset.Digest}
				k := key{id, d.Dataset.Name, d.Dataset.Digest, "\x00"}
				if c, there := d.Context(); there {
					summary.Context, k.context = &c, c
				}
				if !seen[k] && len(out) < most {
					seen[k] = true
					out = append(out, summary)
				}
			}
		}
	}
	return out, nil
}
