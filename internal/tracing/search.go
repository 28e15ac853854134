package tracing

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/search"
	"levada/internal/core/trace"
	"levada/internal/core/track"
)

// Query asks for a page of a search.
type Query struct {
	Experiments []string
	Filter      string
	OrderBy     []string
	Limit       int
	// Offset is how many to leave out, after After where that is given; it comes from the page before, like After.
	Offset int
	After  *trace.Place
}

// Page is a page of a search. More says that there may be another one. Next is where it begins, when the order is the one of time;
// otherwise the offset is what tells.
type Page struct {
	Traces []*trace.Trace
	More   bool
	Next   *trace.Place
}

// maxResults is the largest page that a filter or another order is applied for.
const maxResults = 50_000

// Search returns a page of the traces that match: the newest first, unless another order is asked for.
func (s *Service) Search(ctx context.Context, q Query) (Page, error) {
	if q.Limit < 1 || q.Limit > maxResults {
		return Page{}, fault.Invalidf("Invalid value %d for parameter 'max_results' supplied. It must be a positive integer of at most %d", q.Limit, maxResults)
	}
	filter, err := search.Traces.Parse(q.Filter)
	if err != nil {
		return Page{}, err
	}
	orders, err := search.Traces.ParseOrders(q.OrderBy)
	if err != nil {
		return Page{}, err
	}
	for _, o := range orders {
		if o.Entity == search.Metadata && (o.Key == trace.MetaUsage || o.Key == trace.MetaCost) {
			return Page{}, fault.Invalidf("Ordering by reserved metadata '%s' is not supported because it is represented by multiple columns.", o.Key)
		}
	}
	if len(orders) > 0 {
		return s.sorted(ctx, q, filter, orders)
	}
	var p Page
	skip := q.Offset
	if q.After != nil {
		skip = 0
	}
	err = s.each(ctx, q, filter, func(t *trace.Trace) bool {
		if skip > 0 {
			skip--
			return true
		}
		p.Traces = append(p.Traces, t)
		return len(p.Traces) < q.Limit
	})
	if n := len(p.Traces); n == q.Limit {
		last := p.Traces[n-1]
		p.More, p.Next = true, &trace.Place{StartMS: last.StartMS, ID: last.ID}
	}
	return p, err
}

// maxSorted bounds how many traces are sorted for one search, because all of them are held in memory.
const maxSorted = 1_000_000

// sorted keeps of each trace that matches what it is sorted by, and reads the page when the order is known.
func (s *Service) sorted(ctx context.Context, q Query, filter search.Expr, orders []search.Order) (Page, error) {
	type keyed struct {
		place trace.Place
		keys  []search.Key
	}
	var rows []keyed
	q.After = nil
	err := s.each(ctx, q, filter, func(t *trace.Trace) bool {
		k := keyed{place: trace.Place{StartMS: t.StartMS, ID: t.ID}}
		row := &row{Trace: t}
		for _, o := range orders {
			k.keys = append(k.keys, o.KeyOf(row))
		}
		rows = append(rows, k)
		return len(rows) <= maxSorted
	})
	if err != nil {
		return Page{}, err
	}
	if len(rows) > maxSorted {
		return Page{}, fault.Invalidf("More than %d traces match, which is more than can be sorted: leave order_by out or narrow the filter, "+
			"for instance by timestamp_ms", maxSorted)
	}
	byID := search.Has(orders, "request_id")
	slices.SortFunc(rows, func(a, b keyed) int {
		for i, o := range orders {
			if c := o.Compare(a.keys[i], b.keys[i]); c != 0 {
				return c
			}
		}
		if c := cmp.Compare(b.place.StartMS, a.place.StartMS); c != 0 && !byID {
			return c
		}
		return cmp.Compare(a.place.ID, b.place.ID)
	})
	rows = rows[min(q.Offset, len(rows)):]
	rows = rows[:min(q.Limit, len(rows))]
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.place.ID
	}
	found, err := s.deps.Store.Traces(ctx, ids)
	return Page{Traces: found, More: len(rows) == q.Limit}, err
}

// each calls yield with the traces that match, the newest first, until it returns false.
func (s *Service) each(ctx context.Context, q Query, filter search.Expr, yield func(*trace.Trace) bool) error {
	experiments, err := s.experiments(q.Experiments)
	if err != nil {
		return err
	}
	after := trace.First
	if q.After != nil {
		after = *q.After
	}
	r := &row{ctx: ctx, service: s}
	offer := func(t *trace.Trace) bool {
		r.show(t)
		matches := filter.Match(r)
		r.free()
		return r.err == nil && (!matches || yield(t))
	}
	first := readAhead
	if q.Limit > 0 && q.Filter == "" && len(q.OrderBy) == 0 {
		first = q.Limit
	}
	bounds := search.BoundsOf(filter)
	if bounds.RunID != "" {
		err = s.eachOfRun(ctx, bounds.RunID, experiments, after, offer)
	} else {
		err = s.merge(ctx, experiments, after, whole(bounds.From, math.MinInt64, math.Floor), whole(bounds.To, math.MaxInt64-1, math.Ceil), first, offer)
	}
	if r.err != nil {
		return r.err
	}
	return err
}

// whole is a bound as an integer.
func whole(v *float64, none int64, round func(float64) float64) int64 {
	if v == nil || math.Abs(*v) > 1<<53 {
		return none
	}
	return int64(round(*v))
}

// experiments are the ids of a query, each once.
func (s *Service) experiments(ids []string) ([]string, error) {
	out := slices.Clone(ids)
	for _, id := range out {
		if _, err := strconv.ParseInt(strings.TrimSpace(id), 10, 64); err != nil {
			return nil, fault.Invalidf("Invalid experiment ID '%s'. Experiment ID must be a valid integer.", fault.Shorten(id, 100))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// eachOfRun looks at the traces of a run alone.
func (s *Service) eachOfRun(ctx context.Context, runID string, experiments []string, after trace.Place, yield func(*trace.Trace) bool) error {
	ids, err := s.deps.Store.OfRun(ctx, runID)
	if err != nil {
		return err
	}
	from := &trace.Trace{StartMS: after.StartMS, ID: after.ID}
	for some := range slices.Chunk(ids, readAhead) {
		found, err := s.deps.Store.Traces(ctx, some)
		if err != nil {
			return err
		}
		for _, t := range found {
			if slices.Contains(experiments, t.ExperimentID) && from.Before(t) && !yield(t) {
				return nil
			}
		}
	}
	return nil
}

// readAhead is how many traces are read at a time once a few did not do: not so many that a read holds the database's log up.
const readAhead = 500

// maxAhead bounds how many traces of all experiments together a search holds, but for one of each.
const maxAhead = 10_000

// merge goes through several experiments in the order of time. It reads first traces at first.
func (s *Service) merge(ctx context.Context, experiments []string, after trace.Place, from, to int64, first int, yield func(*trace.Trace) bool) error {
	type cursor struct {
		experiment string
		next       []*trace.Trace
		n          int
	}
	cursors := make([]*cursor, 0, len(experiments))
	ahead := max(1, min(readAhead, maxAhead/max(1, len(experiments))))
	fill := func(c *cursor, after trace.Place) error {
		next, err := s.deps.Store.Newest(ctx, c.experiment, after, from, to, c.n)
		c.n = ahead
		if c.next = next; err == nil && len(next) > 0 {
			cursors = append(cursors, c)
		}
		return err
	}
	for _, e := range experiments {
		if err := fill(&cursor{experiment: e, n: min(first, ahead)}, after); err != nil {
			return err
		}
	}
	for len(cursors) > 0 {
		newest := 0
		for i, c := range cursors {
			if c.next[0].Before(cursors[newest].next[0]) {
				newest = i
			}
		}
		c := cursors[newest]
		t := c.next[0]
		if !yield(t) {
			return nil
		}
		if c.next = c.next[1:]; len(c.next) == 0 {
			cursors = slices.Delete(cursors, newest, newest+1)
			if err := fill(c, trace.Place{StartMS: t.StartMS, ID: t.ID}); err != nil {
				return err
			}
		}
	}
	return nil
}

// row shows a trace to a filter.
type row struct {
	*trace.Trace
	ctx     context.Context //nolint:containedctx // a row lives as long as the search
	service *Service        // nil where spans are not asked for
	spans   []spanRow
	read    bool
	release func()
	err     error
}

// show makes r the row of another trace.
func (r *row) show(t *trace.Trace) { r.Trace, r.read = t, false }

// free drops the spans of the trace that is shown.
func (r *row) free() {
	if r.release != nil {
		r.release()
	}
	r.release, r.spans = nil, nil
}

func (r *row) Text(e search.Entity, key string) (string, bool) {
	switch e {
	case search.Tag:
		return track.Find(r.Tags, key)
	case search.Metadata:
		return track.Find(r.Metadata, key)
	}
	switch key {
	case "request_id":
		return r.ID, true
	case "experiment_id":
		return r.ExperimentID, true
	case "status":
		return string(r.State), true
	case "client_request_id":
		if r.ClientRequestID != nil {
			return *r.ClientRequestID, true
		}
	}
	return "", false
}

func (r *row) Number(_ search.Entity, key string, _ search.Part) (float64, bool) {
	switch key {
	case "timestamp_ms":
		return float64(r.StartMS), true
	case "end_time_ms":
		return float64(r.EndMS()), true
	}
	if r.DurationMS == nil {
		return 0, false
	}
	return float64(*r.DurationMS), true
}

// Each returns the runs that the trace belongs to, or the prompts that it used.
func (r *row) Each(key string) []string {
	if key == trace.TagPrompts {
		return r.Prompts
	}
	run, there := track.Find(r.Metadata, trace.MetaRun)
	if !there {
		return r.Runs
	}
	return append(slices.Clip(r.Runs), run)
}

var kinds = map[search.Entity]trace.Kind{search.Feedback: trace.Feedback, search.Expectation: trace.Expectation, search.Issue: trace.Issue}

func (r *row) Assessments(e search.Entity, name string) []string {
	var out []string
	for _, a := range r.Trace.Assessments {
		if a.Kind == kinds[e] && a.Name == name && (!a.Invalid || e == search.Issue) {
			out = append(out, a.Value)
		}
	}
	return out
}

func (r *row) AnySpan(conditions func(search.SpanRow) bool) bool {
	if !r.read && r.Trace.Spans > 0 && r.service != nil && r.err == nil {
		var contents [][]byte
		if r.release, r.err = r.service.room(r.ctx, r.Bytes); r.err == nil {
			contents, r.err = r.service.deps.Store.Contents(r.ctx, r.ID)
		}
		if r.err != nil {
			return false
		}
		for _, c := range trace.Latest(contents) {
			r.spans = append(r.spans, spanRow{content: c})
		}
	}
	r.read = true
	for i := range r.spans {
		if conditions(&r.spans[i]) {
			return true
		}
	}
	return false
}

// spanRow shows a span to a filter. It is decoded only when a field is asked for.
type spanRow struct {
	content []byte
	span    *trace.Span
}

func (r *spanRow) Content() string { return string(r.content) }

// May looks for what the content of a span with the value has in it. A text that JSON may write in several ways is not looked for.
func (r *spanRow) May(key, value string) bool {
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' || strings.ContainsRune("\"\\/<>&'", c) }) {
		return true
	}
	quoted := trace.AppendQuoted(nil, value)
	switch key {
	case "name":
	case "status":
		quoted = []byte("STATUS_CODE_" + value)
	case "type":
		if value == "UNKNOWN" { // which is what a span without type has
			return true
		}
		quoted = trace.AppendQuoted(nil, string(quoted))
	default:
		return true
	}
	return bytes.Contains(r.content, quoted)
}

func (r *spanRow) Field(key string) (string, bool) {
	if r.span == nil {
		s, err := trace.ParseSpan(r.content)
		if err != nil {
			s = &trace.Span{} // what cannot be read matches nothing
		}
		r.span = s
	}
	switch key {
	case "name":
		return r.span.Name, true
	case "type":
		return r.span.Type(), true
	case "status":
		return r.span.Status.Short(), true
	}
	v, there := r.span.Attribute(strings.Trim(strings.TrimPrefix(key, "attributes."), "`"))
	return trace.Plain(v), there
}
