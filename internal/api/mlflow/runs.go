package mlflow

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

// runAnswer is a single run.
type runAnswer struct{ run runWire }

func (a runAnswer) appendTo(out *output) {
	out.bytes = append(a.run.appendJSON(append(out.bytes, `{"run":`...)), '}')
}

func (d *door) createRun(r *request) (any, error) {
	n := tracking.NewRun{ExperimentID: r.text("experiment_id", optional), UserID: r.text("user_id", optional), Name: r.text("run_name", optional),
		Tags: r.pairs("tags")}
	if start := r.whole("start_time", optional); start != nil {
		n.StartMS = *start
	}
	if r.err != nil {
		return nil, r.err
	}
	run, err := d.Tracking.CreateRun(r.Context(), n)
	return runAnswer{runWire{Tracked: run}}, err
}

func (d *door) getRun(r *request) (any, error) {
	id := r.runID()
	if r.err != nil {
		return nil, r.err
	}
	run, err := d.Tracking.Run(r.Context(), id)
	return runAnswer{runWire{run, true}}, err
}

var statuses = []track.Status{"", track.Running, track.Scheduled, track.Finished, track.Failed, track.Killed}

// status reads a RunStatus, by name or number.
func (r *request) status(name string) *track.Status {
	v, there := r.take(name, optional)
	if !there {
		return nil
	}
	if s, ok := v.(string); ok && s != "" && slices.Contains(statuses, track.Status(s)) {
		status := track.Status(s)
		return &status
	}
	if i, ok := integer(v); ok && i > 0 && i < int64(len(statuses)) {
		return &statuses[i]
	}
	if r.err == nil {
		r.err = fault.Invalidf("Invalid value %s for parameter '%s' supplied: want one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED.", compact(v), name)
	}
	return nil
}

type infoAnswer struct{ run track.Run }

func (a infoAnswer) appendTo(out *output) {
	out.bytes = append(appendInfo(append(out.bytes, `{"run_info":`...), &a.run), '}')
}

func (d *door) updateRun(r *request) (any, error) {
	id := r.runID()
	end := r.whole("end_time", optional)
	status := r.status("status")
	name := r.optionalText("run_name")
	if r.err != nil {
		return nil, r.err
	}
	run, err := d.Tracking.UpdateRun(r.Context(), id, status, end, name)
	return infoAnswer{run}, err
}

func (d *door) deleteRun(deleted bool) call {
	return func(r *request) (any, error) {
		id := r.runID()
		if r.err != nil {
			return nil, r.err
		}
		return empty{}, d.Tracking.SetRunDeleted(r.Context(), id, deleted)
	}
}

type runsAnswer struct {
	runs  []tracking.Tracked
	token string
}

func (a runsAnswer) appendTo(out *output) {
	out.bytes = append(out.bytes, '{')
	if len(a.runs) > 0 {
		out.bytes = append(out.bytes, `"runs":[`...)
		for i, r := range a.runs {
			if i > 0 {
				out.bytes = append(out.bytes, ',')
			}
			found := *r.Run
			found.ModelInputs = nil // a search leaves them out
			out.bytes = runWire{tracking.Tracked{Run: &found, Metrics: r.Metrics}, true}.appendJSON(out.bytes)
			out.spill()
		}
		out.bytes = append(out.bytes, ']')
	}
	if a.token != "" {
		if len(a.runs) > 0 {
			out.bytes = append(out.bytes, ',')
		}
		out.bytes = append(out.bytes, `"next_page_token":`...)
		out.bytes = appendString(out.bytes, a.token)
	}
	out.bytes = append(out.bytes, '}')
}

func (d *door) searchRuns(r *request) (any, error) {
	const most = 50_000
	q := tracking.Query{
		Experiments: r.texts("experiment_ids", optional), Filter: r.text("filter", optional), Limit: r.limit64("max_results", 1000),
		OrderBy: r.texts("order_by", optional), View: r.view("run_view_type", tracking.Active), Offset: r.page(),
	}
	if r.err == nil && q.Limit > most {
		r.err = fault.Invalidf("Invalid value %d for parameter 'max_results' supplied:  Hint: Value was of type 'int'."+seeDocs, q.Limit)
	}
	if r.err != nil {
		return nil, r.err
	}
	runs, more, err := d.Tracking.SearchRuns(r.Context(), q)
	answer := runsAnswer{runs: runs}
	if more {
		answer.token = encodeToken(q.Offset + q.Limit)
	}
	return answer, err
}

func (d *door) logMetric(r *request) (any, error) {
	id := r.runID()
	m := track.Metric{Key: r.text("key", required)}
	m.Value = r.number("value", required)
	if t := r.whole("timestamp", required); t != nil {
		m.Time = *t
	}
	if step := r.whole("step", optional); step != nil {
		m.Step = *step
	}
	m.ModelID = r.text("model_id", optional)
	m.DatasetName, m.DatasetDigest = r.text("dataset_name", optional), r.text("dataset_digest", optional)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.LogMetric(r.Context(), id, m)
}

func (d *door) logParam(r *request) (any, error) {
	id := r.runID()
	p := track.KV{Key: r.text("key", required), Value: r.text("value", optional)}
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.LogParam(r.Context(), id, p)
}

func (d *door) setTag(r *request) (any, error) {
	id := r.runID()
	t := track.KV{Key: r.text("key", required), Value: r.text("value", optional)}
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.SetTag(r.Context(), id, t)
}

func (d *door) deleteTag(r *request) (any, error) {
	id := r.runID()
	key := r.text("key", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.DeleteTag(r.Context(), id, key)
}

// batchBody is a batch as clients send it. Decoding it directly takes a third of the time that reading field by field takes,
// and batches are what is sent most.
type batchBody struct {
	RunID   string `json:"run_id"`
	Metrics []struct {
		Key     string   `json:"key"`
		Value   *float64 `json:"value"`
		Time    *int64   `json:"timestamp"`
		Step    int64    `json:"step"`
		ModelID string   `json:"model_id"`
		Name    string   `json:"dataset_name"`
		Digest  string   `json:"dataset_digest"`
		RunID   string   `json:"run_id"`
	} `json:"metrics"`
	Params []track.KV `json:"params"`
	Tags   []track.KV `json:"tags"`
}

// plainBatch reads a batch in which every field is written in the usual way. Others are for logBatch to read or to refuse.
func plainBatch(body []byte) (b batchBody, metrics []track.Metric, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if dec.Decode(&b) != nil || b.RunID == "" {
		return b, nil, false
	}
	metrics = make([]track.Metric, len(b.Metrics))
	for i, m := range b.Metrics {
		if m.Key == "" || m.Value == nil || m.Time == nil {
			return b, nil, false
		}
		metrics[i] = track.Metric{Key: m.Key, Point: track.Point{Time: *m.Time, Step: m.Step, Value: *m.Value}, ModelID: m.ModelID,
			DatasetName: m.Name, DatasetDigest: m.Digest}
	}
	for _, list := range [][]track.KV{b.Params, b.Tags} {
		for _, kv := range list {
			if kv.Key == "" {
				return b, nil, false
			}
		}
	}
	return b, metrics, true
}

func (d *door) logBatch(r *request) (any, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	if b, metrics, ok := plainBatch(body); ok {
		return empty{}, d.Tracking.LogBatch(r.Context(), b.RunID, metrics, b.Params, b.Tags)
	}
	if r.fields, err = decode(body); err != nil {
		return nil, err
	}
	id := r.runID()
	list := r.objects("metrics", optional)
	metrics := make([]track.Metric, len(list))
	for i, o := range list {
		o.need("key")
		o.need("value")
		o.need("timestamp")
		metrics[i] = track.Metric{Key: o.text("key"), Point: track.Point{Time: o.whole("timestamp"), Step: o.whole("step"), Value: o.number("value")},
			ModelID: o.text("model_id"), DatasetName: o.text("dataset_name"), DatasetDigest: o.text("dataset_digest")}
	}
	keyed := func(name string) []track.KV {
		objects := r.objects(name, optional)
		for _, o := range objects {
			o.need("key")
		}
		return pairs(objects)
	}
	params, tags := keyed("params"), keyed("tags")
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.LogBatch(r.Context(), id, metrics, params, tags)
}

func (d *door) logInputs(r *request) (any, error) {
	id := r.text("run_id", required)
	var datasets []track.DatasetInput
	for _, o := range r.objects("datasets", optional) {
		set := o.object("dataset")
		for _, name := range []string{"name", "digest", "source_type", "source"} {
			if _, there := set.get(name); !there && r.err == nil {
				r.err = fault.Invalidf("Dataset %s cannot be None", name)
			}
		}
		datasets = append(datasets, track.DatasetInput{Tags: pairs(o.objects("tags")), Dataset: track.Dataset{
			Name: set.text("name"), Digest: set.text("digest"), SourceType: set.text("source_type"), Source: set.text("source"),
			Schema: set.optionalText("schema"), Profile: set.optionalText("profile"),
		}})
	}
	var models []string
	for _, o := range r.objects("models", optional) {
		models = append(models, o.text("model_id"))
	}
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.LogInputs(r.Context(), id, datasets, models)
}

func (d *door) logOutputs(r *request) (any, error) {
	id := r.text("run_id", required)
	var models []track.ModelOutput
	for _, o := range r.objects("models", required) {
		models = append(models, track.ModelOutput{ModelID: o.text("model_id"), Step: o.whole("step")})
	}
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.LogOutputs(r.Context(), id, models)
}

// logModel keeps what clients before MLflow 3 say about a model: a tag that lists the models of a run.
func (d *door) logModel(r *request) (any, error) {
	id := r.text("run_id", required)
	text := r.text("model_json", required)
	if r.err != nil {
		return nil, r.err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, fault.Invalidf("Malformed model info. \n %s \n is not a valid JSON.", text)
	}
	var missing []string
	for _, field := range []string{"artifact_path", "flavors", "utc_time_created", "run_id"} {
		if m[field] == nil {
			missing = append(missing, "'"+field+"'")
		}
	}
	if missing != nil {
		return nil, fault.Invalidf("Model json is missing mandatory fields: {%s}", strings.Join(missing, ", "))
	}
	return empty{}, d.Tracking.LogModelTag(r.Context(), id, m)
}
