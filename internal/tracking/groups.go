package tracking

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/search"
	"levada/internal/core/track"
)

// GroupQuery asks for the runs of an experiment in groups.
type GroupQuery struct {
	Experiment string
	Filter     string
	// By is what the runs of a group have in common: "params.NAME", "tags.NAME", "status" or "pipeline".
	By string
	// Metrics are those whose values are summed up.
	Metrics []string
	Deleted bool
	// Limit bounds the number of groups.
	Limit int
}

// RunGroup are the runs that have a value in common.
type RunGroup struct {
	// Value is nil for the runs that have none.
	Value *string
	Count int
	// Statuses counts the runs by status.
	Statuses map[track.Status]int
	// Metrics are in the order of the query.
	Metrics []GroupMetric
}

// GroupMetric sums up the latest values of a metric in a group. Count is the number of runs whose latest value is a number; without
// any, the others are NaN.
type GroupMetric struct {
	Count          int
	Mean, Min, Max float64
}

// maxGroupMetrics bounds the metrics of a GroupQuery.
const maxGroupMetrics = 50

// RunGroups returns the groups of an experiment's runs, the largest first, and how many groups and runs there are in all.
func (s *Service) RunGroups(ctx context.Context, q GroupQuery) (groups []RunGroup, total, runs int, err error) {
	filter, err := search.Runs.Parse(q.Filter)
	if err != nil {
		return nil, 0, 0, err
	}
	if len(q.Metrics) > maxGroupMetrics {
		return nil, 0, 0, fault.Invalidf("%d metrics; at most %d are summed up at once", len(q.Metrics), maxGroupMetrics)
	}
	all, err := s.deps.Store.RunsOf(ctx, q.Experiment)
	if err != nil {
		return nil, 0, 0, err
	}
	valueOf, err := grouping(q.By, all)
	if err != nil {
		return nil, 0, 0, err
	}
	row := runRow{service: s, ended: ctx.Err}
	row.begin(q.Experiment, all)
	found := foundGroups{byValue: map[string]*RunGroup{}, metrics: q.Metrics}
	for at, r := range all {
		if !row.goOn(at) {
			break
		}
		if r.Deleted == q.Deleted && filter.Match(&row) {
			runs++
			value, there := valueOf(r)
			found.of(value, there).add(&row, r, q.Metrics)
		}
	}
	if row.err != nil {
		return nil, 0, 0, row.err
	}
	groups = found.sorted()
	total = len(groups)
	groups = groups[:min(total, q.Limit)]
	for i := range groups {
		groups[i].finish()
	}
	return groups, total, runs, nil
}

// foundGroups are the groups so far.
type foundGroups struct {
	byValue map[string]*RunGroup
	none    *RunGroup
	metrics []string
}

// of returns the group of a value, or that of the runs without one.
func (f *foundGroups) of(value string, there bool) *RunGroup {
	g := f.none
	if there {
		g = f.byValue[value]
	}
	if g != nil {
		return g
	}
	g = &RunGroup{Statuses: map[track.Status]int{}, Metrics: make([]GroupMetric, len(f.metrics))}
	if there {
		g.Value = &value
		f.byValue[value] = g
	} else {
		f.none = g
	}
	return g
}

// sorted returns the groups, the largest first and that of the runs without a value last.
func (f *foundGroups) sorted() []RunGroup {
	var out []RunGroup
	for _, g := range f.byValue {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b RunGroup) int {
		if c := cmp.Compare(b.Count, a.Count); c != 0 {
			return c
		}
		return cmp.Compare(*a.Value, *b.Value)
	})
	if f.none != nil {
		out = append(out, *f.none)
	}
	return out
}

func (g *RunGroup) add(row *runRow, r *track.Run, metrics []string) {
	g.Count++
	g.Statuses[r.Status]++
	for i, key := range metrics {
		v, there := row.Number(search.Metric, key, search.Latest)
		if !there || math.IsNaN(v) {
			continue
		}
		m := &g.Metrics[i]
		if m.Count == 0 {
			m.Min, m.Max = v, v
		}
		m.Count++
		// A running mean: the sum of very large values would have no number.
		m.Mean += (v - m.Mean) / float64(m.Count)
		m.Min, m.Max = min(m.Min, v), max(m.Max, v)
	}
}

func (g *RunGroup) finish() {
	for i, m := range g.Metrics {
		if m.Count == 0 {
			g.Metrics[i] = GroupMetric{0, math.NaN(), math.NaN(), math.NaN()}
		}
	}
}

// grouping returns what gives the value of a run that it is grouped by.
func grouping(by string, all []*track.Run) (func(*track.Run) (string, bool), error) {
	kind, key, dotted := strings.Cut(by, ".")
	switch {
	case by == "status":
		return func(r *track.Run) (string, bool) { return string(r.Status), true }, nil
	case by == "pipeline":
		return pipelineNames(all), nil
	case kind == "params" && dotted && key != "":
		hint := 0
		return func(r *track.Run) (string, bool) { return find(r.Params, key, &hint) }, nil
	case kind == "tags" && dotted && key != "":
		hint := 0
		return func(r *track.Run) (string, bool) { return find(r.Tags, key, &hint) }, nil
	}
	return nil, fault.Invalidf("runs cannot be grouped by %q: want params.NAME, tags.NAME, status or pipeline", fault.Shorten(by, 100))
}

// pipelineNames gives the name of the pipeline that a run is of, for its tasks too.
func pipelineNames(all []*track.Run) func(*track.Run) (string, bool) {
	names := map[string]string{}
	for _, r := range all {
		source, _ := track.Find(r.Tags, track.TagSourceType)
		_, isTask := track.Find(r.Tags, track.TagPipelineRun)
		if source == "PIPELINE" && !isTask {
			names[r.ID], _ = track.Find(r.Tags, track.TagSourceName)
		}
	}
	return func(r *track.Run) (string, bool) {
		id := r.ID
		if of, isTask := track.Find(r.Tags, track.TagPipelineRun); isTask {
			id = of
		}
		name, there := names[id]
		return name, there
	}
}

// membership says which runs are in the group that a table is narrowed to.
func membership(q TableQuery, all []*track.Run) (func(*track.Run) bool, error) {
	if q.By == "" {
		return func(*track.Run) bool { return true }, nil
	}
	valueOf, err := grouping(q.By, all)
	return func(r *track.Run) bool {
		value, there := valueOf(r)
		return there == (q.Group != nil) && (!there || value == *q.Group)
	}, err
}
