package mlflow

import (
	"slices"
	"strconv"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// pointsAnswer lists points of one metric.
type pointsAnswer struct {
	key   string
	runs  []string // the run of each point; nil when there is one run and it is not named
	pts   []track.Point
	token string
	// always says whether the list is there even when it is empty.
	always bool
	// more returns points after the first n, and whether there are others after them; nil when pts are all.
	more func(n int) ([]track.Point, bool, error)
}

func (a pointsAnswer) appendTo(out *output) {
	out.bytes = append(out.bytes, '{')
	if len(a.pts) > 0 || a.always {
		out.bytes = append(out.bytes, `"metrics":[`...)
		for i, p := range a.pts {
			if i > 0 {
				out.bytes = append(out.bytes, ',')
			}
			out.bytes = appendMetric(out.bytes, a.key, p)
			if a.runs != nil {
				out.bytes = append(out.bytes[:len(out.bytes)-1], `,"run_id":`...)
				out.bytes = append(appendString(out.bytes, a.runs[i]), '}')
			}
			out.spill()
		}
		a.appendMore(out)
		out.bytes = append(out.bytes, ']')
	}
	if a.token != "" {
		out.bytes = append(out.bytes, `,"next_page_token":`...)
		out.bytes = appendString(out.bytes, a.token)
	}
	out.bytes = append(out.bytes, '}')
}

// appendMore appends the points that come after pts, a stretch at a time.
func (a pointsAnswer) appendMore(out *output) {
	for offset, more := len(a.pts), a.more != nil; more && out.err == nil; {
		var pts []track.Point
		pts, more, out.err = a.more(offset)
		offset += len(pts)
		for _, p := range pts {
			out.bytes = appendMetric(append(out.bytes, ','), a.key, p)
			out.spill()
		}
	}
}

// historyStretch is how many points of a metric are in memory at once when all are asked for.
const historyStretch = 100_000

func (d *door) history(r *request) (any, error) {
	id := r.runID()
	key := r.text("metric_key", required)
	offset := r.page()
	limit, whole := historyStretch, true
	if n := r.whole("max_results", optional); n != nil {
		if *n <= 0 && r.err == nil {
			r.err = fault.Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be a positive integer.", *n)
		}
		limit, whole = int(min(*n, 1<<31)), false
	}
	if r.err != nil {
		return nil, r.err
	}
	pts, more, err := d.Tracking.History(r.Context(), id, key, offset, limit)
	answer := pointsAnswer{key: key, pts: pts}
	switch {
	case more && whole:
		answer.more = func(n int) ([]track.Point, bool, error) {
			return d.Tracking.History(r.Context(), id, key, offset+n, limit)
		}
	case more:
		answer.token = encodeToken(offset + limit)
	}
	return answer, err
}

func (d *door) historyBulk(r *request) (any, error) {
	const mostPoints, mostRuns = 25_000, 100
	query := r.URL.Query()
	runs := slices.Clone(query["run_id"])
	switch {
	case len(runs) == 0:
		return nil, fault.Invalidf("GetMetricHistoryBulk request must specify at least one run_id.")
	case len(runs) > mostRuns:
		return nil, fault.Invalidf("GetMetricHistoryBulk request cannot specify more than %d run_ids. Received %d run_ids.", mostRuns, len(runs))
	case !query.Has("metric_key"):
		return nil, fault.Invalidf("GetMetricHistoryBulk request must specify a metric_key.")
	}
	limit := mostPoints
	if text := query.Get("max_results"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, fault.Invalidf("Invalid value \"%s\" for parameter 'max_results' supplied.", text)
		}
		limit = min(n, mostPoints)
	}
	answer := pointsAnswer{key: query.Get("metric_key"), always: true, runs: []string{}}
	slices.Sort(runs)
	for _, id := range slices.Compact(runs) {
		pts, _, err := d.Tracking.History(r.Context(), id, answer.key, 0, limit-len(answer.pts))
		if err != nil {
			return nil, err
		}
		answer.add(id, pts)
	}
	return answer, nil
}

func (a *pointsAnswer) add(runID string, pts []track.Point) {
	a.pts = append(a.pts, pts...)
	for range pts {
		a.runs = append(a.runs, runID)
	}
}

// historySampled returns a part of the points of each run. With sampling=extremes, which only Levada knows, the lowest and
// highest values are among them.
func (d *door) historySampled(r *request) (any, error) {
	const mostRuns, mostPoints = 100, 2500
	runs := r.texts("run_ids", required)
	if r.err == nil && len(runs) > mostRuns {
		r.err = fault.Invalidf("GetMetricHistoryBulkInterval request must specify at most %d run_ids. Received %d run_ids."+seeDocs, mostRuns, len(runs))
	}
	key := r.text("metric_key", required)
	from, to := r.whole("start_step", optional), r.whole("end_step", optional)
	limit := r.limit64("max_results", mostPoints)
	extremes := r.text("sampling", optional) == "extremes"
	if r.err == nil {
		switch {
		case limit < 1 || limit > mostPoints:
			r.err = fault.Invalidf("max_results must be between 1 and %d."+seeDocs, mostPoints)
		case (from == nil) != (to == nil):
			r.err = fault.Invalidf("If either start step or end step are specified, both must be specified.")
		case from != nil && *from > *to:
			r.err = fault.Invalidf("end_step must be greater than start_step. Found start_step=%d and end_step=%d.", *from, *to)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	var within *track.Steps
	if from != nil {
		within = &track.Steps{From: *from, To: *to}
	}
	answer := pointsAnswer{key: key, runs: []string{}}
	for _, id := range runs {
		pts, err := d.Tracking.Sample(r.Context(), id, key, within, limit, extremes)
		if err != nil {
			return nil, err
		}
		answer.add(id, pts)
	}
	return answer, nil
}
