package mlflow

import (
	"encoding/base64"
	"encoding/json"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

type loggedAnswer struct {
	Model loggedWire `json:"model"`
}

func (d *door) createLogged(r *request) (any, error) {
	n := tracking.NewModel{ExperimentID: r.text("experiment_id", required), Name: r.text("name", optional), Type: r.text("model_type", optional),
		SourceRunID: r.text("source_run_id", optional), Params: r.pairs("params"), Tags: r.pairs("tags")}
	if r.err != nil {
		return nil, r.err
	}
	m, err := d.Tracking.CreateModel(r.Context(), n)
	return loggedAnswer{wireLogged(m)}, err
}

func (d *door) getLogged(r *request) (any, error) {
	m, err := d.Tracking.Model(r.Context(), r.args[0], r.URL.Query().Get("allow_deleted") == "true")
	return loggedAnswer{wireLogged(m)}, err
}

func (d *door) finalizeLogged(r *request) (any, error) {
	v, _ := r.take("status", required)
	status := track.ModelUnspecified
	for number, name := range modelStatus {
		if i, ok := integer(v); v == name || ok && i == int64(number) {
			status = number
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	m, err := d.Tracking.FinalizeModel(r.Context(), r.args[0], status)
	return loggedAnswer{wireLogged(m)}, err
}

func (d *door) deleteLogged(r *request) (any, error) {
	return empty{}, d.Tracking.DeleteModel(r.Context(), r.args[0])
}

func (d *door) setLoggedTags(r *request) (any, error) {
	tags := r.pairs("tags")
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.SetModelTags(r.Context(), r.args[0], tags)
}

func (d *door) deleteLoggedTag(r *request) (any, error) {
	return empty{}, d.Tracking.DeleteModelTag(r.Context(), r.args[0], unescape(r.args[1]))
}

func (d *door) logLoggedParams(r *request) (any, error) {
	params := r.pairs("params")
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.LogModelParams(r.Context(), r.args[0], params)
}

func (d *door) listLogged(r *request) (any, error) {
	dir := r.text("artifact_directory_path", optional)
	if r.err != nil {
		return nil, r.err
	}
	root, files, err := d.Tracking.ModelFiles(r.Context(), r.args[0], dir)
	return filesAnswer{root, wireFiles(files)}, err
}

// loggedToken is the page token of a search of logged models: it belongs to one search.
type loggedToken struct {
	Experiments []string              `json:"experiment_ids"`
	Filter      string                `json:"filter_string"`
	OrderBy     []tracking.ModelOrder `json:"order_by"`
	Offset      int                   `json:"offset"`
}

func (d *door) searchLogged(r *request) (any, error) {
	q := tracking.ModelQuery{Experiments: r.texts("experiment_ids", required), Filter: r.text("filter", optional), Limit: r.limit64("max_results", 0)}
	for _, o := range r.objects("datasets", optional) {
		q.Datasets = append(q.Datasets, tracking.DatasetFilter{Name: o.text("dataset_name"), Digest: o.text("dataset_digest")})
	}
	for _, o := range r.objects("order_by", optional) {
		order := tracking.ModelOrder{Field: o.text("field_name"),
			Dataset: tracking.DatasetFilter{Name: o.text("dataset_name"), Digest: o.text("dataset_digest")}}
		if v, there := o.get("ascending"); there {
			asc, ok := v.(bool)
			if !ok {
				r.wrong(o.path+"ascending", v)
			}
			order.Desc = !asc
		}
		q.OrderBy = append(q.OrderBy, order)
	}
	if q.Limit < 0 {
		return nil, fault.Invalidf("Invalid value %d for parameter 'max_results' supplied. It must not be negative.", q.Limit)
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	if token := r.text("page_token", optional); token != "" && r.err == nil {
		q.Offset, r.err = readLoggedToken(token, q)
	}
	if r.err != nil {
		return nil, r.err
	}
	found, more, err := d.Tracking.SearchModels(r.Context(), q)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Models []loggedWire `json:"models,omitempty"`
		Token  string       `json:"next_page_token,omitempty"`
	}
	for _, m := range found {
		answer.Models = append(answer.Models, wireLogged(m))
	}
	if more {
		text, err := json.Marshal(loggedToken{q.Experiments, q.Filter, q.OrderBy, q.Offset + q.Limit})
		if err != nil {
			return nil, err
		}
		answer.Token = base64.StdEncoding.EncodeToString(text)
	}
	return answer, nil
}

func readLoggedToken(token string, q tracking.ModelQuery) (int, error) {
	var t loggedToken
	text, err := base64.StdEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	switch {
	case err != nil || t.Offset < 0 || t.Offset > maxOffset:
		return 0, fault.Invalidf("Invalid page token: %s.", token)
	case !slices.Equal(t.Experiments, q.Experiments):
		return 0, fault.Invalidf("Experiment IDs in the page token do not match the requested experiment IDs. Expected: %v. Found: %v", q.Experiments, t.Experiments)
	case t.Filter != q.Filter:
		return 0, fault.Invalidf("Filter string in the page token does not match the requested filter string. Expected: %s. Found: %s", q.Filter, t.Filter)
	case !slices.Equal(t.OrderBy, q.OrderBy):
		return 0, fault.Invalidf("Order by in the page token does not match the requested order by.")
	}
	return t.Offset, nil
}
