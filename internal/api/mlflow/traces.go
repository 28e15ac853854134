package mlflow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/trace"
	"levada/internal/core/track"
	"levada/internal/tracing"
	"levada/internal/tracking"
)

// findTrace returns the calls about traces of a path and its variable parts. Some paths mean other calls in the third API than
// in the second.
func (d *door) findTrace(path string, third bool) (methods, []string) {
	if path == "mlflow/get-trace-artifact" {
		return get(d.getTraceArtifact), nil
	}
	rest, ok := strings.CutPrefix(path, "mlflow/traces")
	if !ok || rest != "" && rest[0] != '/' {
		return nil, nil
	}
	table := d.tracesSecond()
	if third {
		table = d.tracesThird()
	}
	if m := table[rest]; m != nil {
		return m, nil
	}
	parts := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	shape := "/:" + strings.Repeat("/:", min(len(parts)-1, 3))
	for i := 1; i < len(parts); i += 2 {
		shape = strings.Replace(shape, "/:/:", "/:/"+parts[i], 1)
	}
	return table[shape], parts
}

func (d *door) tracesSecond() map[string]methods {
	return map[string]methods{
		"":               {"GET": d.searchTracesSecond, "POST": d.beginTrace},
		"/delete-traces": post(d.deleteTraces),
		"/link-to-run":   post(d.linkTraces),
		"/link-prompts":  post(d.linkPrompts),
		"/:":             {"PATCH": d.endTrace},
		"/:/info":        get(d.getTraceSecond),
		"/:/tags":        {"PATCH": d.setTraceTag, "DELETE": d.deleteTraceTag},
	}
}

func (d *door) tracesThird() map[string]methods {
	return map[string]methods{
		"":                              post(d.startTrace),
		"/get":                          get(d.getWholeTrace),
		"/batchGet":                     get(d.getWholeTraces),
		"/batchGetInfos":                post(d.getTraces),
		"/search":                       post(d.searchTraces),
		"/delete-traces":                post(d.deleteTraces),
		"/:":                            get(d.getTrace),
		"/:/tags":                       {"PATCH": d.setTraceTag, "DELETE": d.deleteTraceTag},
		"/:/assessments":                post(d.createAssessment),
		"/:/assessments/:":              {"GET": d.getAssessment, "PATCH": d.updateAssessment, "DELETE": d.deleteAssessment},
		"/calculate-filter-correlation": post(d.correlate),
	}
}

func (d *door) startTrace(r *request) (any, error) {
	r.take("trace", required)
	info := r.object("trace").object("trace_info")
	t := readTrace(info)
	if r.err != nil {
		return nil, r.err
	}
	stored, err := d.Tracing.Start(r.Context(), t)
	return traceAnswer{stored}, err
}

// traceAnswer is what is known about one trace.
type traceAnswer struct{ *trace.Trace }

func (a traceAnswer) appendTo(out *output) {
	out.bytes = append(out.bytes, `{"trace":{"trace_info":`...)
	out.bytes = append(appendTrace(out.bytes, a.Trace), "}}"...)
}

func (d *door) getTrace(r *request) (any, error) {
	t, err := d.Tracing.Trace(r.Context(), r.args[0])
	return traceAnswer{t}, err
}

type wholeAnswer struct{ tracing.Full }

func (a wholeAnswer) appendTo(out *output) {
	out.bytes = append(out.bytes, `{"trace":`...)
	out.whole(a.Full)
	out.bytes = append(out.bytes, '}')
}

func (d *door) getWholeTrace(r *request) (any, error) {
	id, partial := r.text("trace_id", required), r.flag("allow_partial")
	if r.err != nil {
		return nil, r.err
	}
	full, release, err := d.Tracing.Whole(r.Context(), id, partial)
	r.hold(release)
	return wholeAnswer{full}, err
}

// wholesAnswer are several traces with their spans, and infosAnswer are some without, under a name.
type (
	wholesAnswer []tracing.Full
	infosAnswer  struct {
		name   string
		traces []*trace.Trace
		token  string
	}
)

func (a wholesAnswer) appendTo(out *output) {
	if len(a) == 0 {
		out.bytes = append(out.bytes, "{}"...)
		return
	}
	out.bytes = append(out.bytes, `{"traces":[`...)
	for i, t := range a {
		if i > 0 {
			out.bytes = append(out.bytes, ',')
		}
		out.whole(t)
	}
	out.bytes = append(out.bytes, "]}"...)
}

func (a infosAnswer) appendTo(out *output) {
	if len(a.traces) == 0 {
		out.bytes = append(out.bytes, "{}"...)
		return
	}
	out.bytes = append(append(append(out.bytes, `{"`...), a.name...), `":[`...)
	for i, t := range a.traces {
		if i > 0 {
			out.bytes = append(out.bytes, ',')
		}
		out.bytes = appendTrace(out.bytes, t)
		out.spill()
	}
	out.bytes = append(out.bytes, ']')
	if a.token != "" {
		out.bytes = appendString(append(out.bytes, `,"next_page_token":`...), a.token)
	}
	out.bytes = append(out.bytes, '}')
}

// traceIDs reads ids and the experiments that they may be in; nil means all.
func (r *request) traceIDs() (ids, experiments []string) {
	ids = r.texts("trace_ids", required)
	if _, there := r.take("experiment_ids", optional); there {
		experiments = r.texts("experiment_ids", optional)
	}
	return ids, experiments
}

func (d *door) getWholeTraces(r *request) (any, error) {
	ids, experiments := r.traceIDs()
	if r.err != nil {
		return nil, r.err
	}
	found, release, err := d.Tracing.WholeTraces(r.Context(), ids, experiments)
	r.hold(release)
	return wholesAnswer(found), err
}

func (d *door) getTraces(r *request) (any, error) {
	ids, experiments := r.traceIDs()
	if r.err != nil {
		return nil, r.err
	}
	found, err := d.Tracing.Traces(r.Context(), ids, experiments)
	return infosAnswer{name: "trace_infos", traces: found}, err
}

// maxTracePage is the largest page of traces, and the one that a request gets that asks for none has defaultTracePage.
const (
	maxTracePage     = 500
	defaultTracePage = 100
)

// tracesQuery reads what both APIs have of a search.
func (r *request) tracesQuery(experiments []string) tracing.Query {
	q := tracing.Query{Experiments: experiments, Filter: r.text("filter", optional), OrderBy: r.texts("order_by", optional), Limit: defaultTracePage}
	if n := r.whole("max_results", optional); n != nil {
		if v, _ := r.take("max_results", optional); *n > maxTracePage {
			if _, text := v.(string); text {
				r.wrong("max_results", v)
			}
			if r.err == nil {
				r.err = fault.Invalidf("Invalid value %d for parameter 'max_results' supplied."+seeDocs, *n)
			}
		}
		q.Limit = int(*n)
	}
	if r.err == nil {
		q.Offset, q.After, r.err = readTraceToken(r.text("page_token", optional))
	}
	return q
}

func (d *door) searchTraces(r *request) (any, error) {
	var experiments []string
	for _, l := range r.objects("locations", required) {
		if e := l.object("mlflow_experiment"); e.fields != nil {
			experiments = append(experiments, e.text("experiment_id"))
		}
	}
	q := r.tracesQuery(experiments)
	if r.err != nil {
		return nil, r.err
	}
	page, err := d.Tracing.Search(r.Context(), q)
	return infosAnswer{"traces", page.Traces, traceToken(q, page)}, err
}

// traceTokenWire is a page token as MLflow makes it, and beside the offset the place where the page ends, so that the next one is
// found without counting.
type traceTokenWire struct {
	Offset int    `json:"offset"`
	Start  *int64 `json:"start_ms,omitempty"`
	ID     string `json:"id,omitempty"`
}

func traceToken(q tracing.Query, p tracing.Page) string {
	if !p.More {
		return ""
	}
	w := traceTokenWire{Offset: q.Offset + q.Limit}
	if p.Next != nil {
		w.Start, w.ID = &p.Next.StartMS, p.Next.ID
	}
	return encodeJSON(w)
}

func readTraceToken(token string) (int, *trace.Place, error) {
	offset, err := decodeToken(token)
	if err != nil || token == "" {
		return offset, nil, err
	}
	var w traceTokenWire
	if decodeJSON(token, &w) != nil || w.Start == nil {
		return offset, nil, nil //nolint:nilerr // an offset is enough
	}
	return offset, &trace.Place{StartMS: *w.Start, ID: w.ID}, nil
}

func (d *door) deleteTraces(r *request) (any, error) {
	del := tracing.Deletion{ExperimentID: r.text("experiment_id", required), UpToMS: r.whole("max_timestamp_millis", optional),
		Most: r.whole("max_traces", optional), IDs: r.texts("request_ids", optional)}
	if r.err == nil {
		r.err = checkDeletion(del)
	}
	if r.err != nil {
		return nil, r.err
	}
	n, err := d.Tracing.Delete(r.Context(), del)
	return map[string]int{"traces_deleted": n}, err
}

// checkDeletion refuses what MLflow does: it must be clear what is meant.
func checkDeletion(d tracing.Deletion) error {
	switch {
	case d.UpToMS == nil && len(d.IDs) == 0:
		return fault.Invalidf("Either `max_timestamp_millis` or `trace_ids` must be specified.")
	case d.UpToMS != nil && len(d.IDs) > 0:
		return fault.Invalidf("Only one of `max_timestamp_millis` and `trace_ids` can be specified.")
	case d.Most != nil && len(d.IDs) > 0:
		return fault.Invalidf("`max_traces` can't be specified if `trace_ids` is specified.")
	case d.Most != nil && *d.Most <= 0:
		return fault.Invalidf("`max_traces` must be a positive integer, received %d.", *d.Most)
	}
	return nil
}

func (d *door) setTraceTag(r *request) (any, error) {
	key, value := r.text("key", required), r.text("value", optional)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracing.SetTag(r.Context(), r.args[0], key, value)
}

func (d *door) deleteTraceTag(r *request) (any, error) {
	key := r.text("key", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracing.DeleteTag(r.Context(), r.args[0], key)
}

func (d *door) linkTraces(r *request) (any, error) {
	ids, run := r.texts("trace_ids", required), r.text("run_id", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracing.LinkRun(r.Context(), ids, run)
}

func (d *door) linkPrompts(r *request) (any, error) {
	id := r.text("trace_id", required)
	var prompts []string
	for _, p := range r.objects("prompt_versions", required) {
		version := p.text("version")
		if n, err := strconv.ParseInt(version, 10, 64); err == nil {
			version = strconv.FormatInt(n, 10)
		} else if r.err == nil {
			r.err = fault.Invalidf("Invalid version '%s' of prompt '%s': it is not a number", version, p.text("name"))
		}
		prompts = append(prompts, p.text("name")+"/"+version)
	}
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracing.LinkPrompts(r.Context(), id, prompts)
}

// attachment is what the name of an attachment looks like: a UUID.
var attachment = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// getTraceArtifact sends the spans of a trace as a file, or one of its attachments.
func (d *door) getTraceArtifact(r *request) (any, error) {
	query := r.URL.Query()
	id, path := query.Get("request_id"), query.Get("path")
	if id == "" {
		return nil, fault.Invalidf(`Request must include the "request_id" query parameter.`)
	}
	if _, err := tracking.CleanPath(path); err != nil {
		return nil, err
	}
	if path != "" && !attachment.MatchString(path) {
		return nil, fault.Invalidf("Invalid attachment path: '%s'. Attachment path must be a valid UUID.", fault.Shorten(path, 100))
	}
	file := "traces.json"
	if path != "" {
		file = "attachments/" + path
	} else {
		text, release, err := d.Tracing.File(r.Context(), id)
		r.hold(release)
		var elsewhere *tracing.ElsewhereError
		if err == nil {
			sum := sha256.Sum256(text)
			r.send(nopCloser{bytes.NewReader(text)}, track.StoredFile{Path: file, Digest: hex.EncodeToString(sum[:])})
			return nil, nil
		}
		if !errors.As(err, &elsewhere) {
			return nil, err
		}
	}
	t, err := d.Tracing.Trace(r.Context(), id)
	if err != nil {
		return nil, err
	}
	location, _ := track.Find(t.Tags, trace.TagLocation)
	content, f, err := d.Tracking.OpenBelow(r.Context(), location, file)
	if err != nil {
		return nil, err
	}
	r.send(content, f)
	return nil, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

func (d *door) correlate(r *request) (any, error) {
	q := tracing.Correlation{Experiments: r.texts("experiment_ids", required), First: r.text("filter_string1", required),
		Second: r.text("filter_string2", required), Base: r.text("base_filter", optional)}
	if r.err != nil {
		return nil, r.err
	}
	c, err := d.Tracing.Correlate(r.Context(), q)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"filter1_count": c.First, "filter2_count": c.Second, "joint_count": c.Both, "total_count": c.All}
	for name, v := range map[string]*float64{"npmi": c.NPMI, "npmi_smoothed": c.Smoothed} {
		if v != nil {
			answer[name] = *v
		}
	}
	return answer, nil
}

// The calls of the second API.

func (d *door) beginTrace(r *request) (any, error) {
	experiment := r.text("experiment_id", optional)
	start := r.whole("timestamp_ms", optional)
	metadata, tags := r.pairs("request_metadata"), r.pairs("tags")
	if r.err != nil {
		return nil, r.err
	}
	at := int64(0)
	if start != nil {
		at = *start
	}
	t, err := d.Tracing.Begin(r.Context(), experiment, at, metadata, tags)
	return oldTraceAnswer{t}, err
}

func (d *door) endTrace(r *request) (any, error) {
	end := r.whole("timestamp_ms", optional)
	state := r.traceState("status")
	metadata, tags := r.pairs("request_metadata"), r.pairs("tags")
	if r.err != nil {
		return nil, r.err
	}
	at := int64(0)
	if end != nil {
		at = *end
	}
	t, err := d.Tracing.End(r.Context(), r.args[0], at, state, metadata, tags)
	return oldTraceAnswer{t}, err
}

// oldTraceAnswer is a trace as the second API shows it.
type oldTraceAnswer struct{ *trace.Trace }

func (a oldTraceAnswer) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"trace_info": wireOldTrace(a.Trace)})
}

func (d *door) getTraceSecond(r *request) (any, error) {
	t, err := d.Tracing.Trace(r.Context(), r.args[0])
	return oldTraceAnswer{t}, err
}

func (d *door) searchTracesSecond(r *request) (any, error) {
	q := r.tracesQuery(r.texts("experiment_ids", required))
	if r.err != nil {
		return nil, r.err
	}
	page, err := d.Tracing.Search(r.Context(), q)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Traces []oldTrace `json:"traces,omitempty"`
		Token  string     `json:"next_page_token,omitempty"`
	}
	answer.Token = traceToken(q, page)
	for _, t := range page.Traces {
		answer.Traces = append(answer.Traces, wireOldTrace(t))
	}
	return answer, nil
}
