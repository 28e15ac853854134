package mlflow

import (
	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

func (d *door) createExperiment(r *request) (any, error) {
	name := r.text("name", required)
	location := r.text("artifact_location", optional)
	tags := r.pairs("tags")
	if r.err != nil {
		return nil, r.err
	}
	id, err := d.Tracking.CreateExperiment(r.Context(), name, location, tags)
	return map[string]string{"experiment_id": id}, err
}

type experimentAnswer struct {
	Experiment experimentWire `json:"experiment"`
}

func (d *door) getExperiment(r *request) (any, error) {
	id := r.text("experiment_id", required)
	if r.err != nil {
		return nil, r.err
	}
	e, err := d.Tracking.Experiment(r.Context(), id)
	return experimentAnswer{wireExperiment(e)}, err
}

func (d *door) getExperimentByName(r *request) (any, error) {
	name := r.text("experiment_name", required)
	if r.err != nil {
		return nil, r.err
	}
	e, err := d.Tracking.ExperimentNamed(r.Context(), name)
	return experimentAnswer{wireExperiment(e)}, err
}

func (d *door) deleteExperiment(deleted bool) call {
	return func(r *request) (any, error) {
		id := r.text("experiment_id", required)
		if r.err != nil {
			return nil, r.err
		}
		return empty{}, d.Tracking.SetExperimentDeleted(r.Context(), id, deleted)
	}
}

func (d *door) updateExperiment(r *request) (any, error) {
	id := r.text("experiment_id", required)
	name := r.text("new_name", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.RenameExperiment(r.Context(), id, name)
}

func (d *door) setExperimentTag(r *request) (any, error) {
	id := r.text("experiment_id", required)
	tag := track.KV{Key: r.text("key", required), Value: r.text("value", optional)}
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.SetExperimentTag(r.Context(), id, tag)
}

func (d *door) deleteExperimentTag(r *request) (any, error) {
	id := r.text("experiment_id", required)
	key := r.text("key", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.DeleteExperimentTag(r.Context(), id, key)
}

// view reads a ViewType, by name or number.
func (r *request) view(name string, byDefault tracking.View) tracking.View {
	v, there := r.take(name, optional)
	if !there {
		return byDefault
	}
	if s, ok := v.(string); ok {
		switch s {
		case "ACTIVE_ONLY":
			return tracking.Active
		case "DELETED_ONLY":
			return tracking.Deleted
		case "ALL":
			return tracking.Both
		}
	}
	if i, ok := integer(v); ok && i >= int64(tracking.Active) && i <= int64(tracking.Both) {
		return tracking.View(i)
	}
	r.wrong(name, v)
	return byDefault
}

func (r *request) limit64(name string, byDefault int64) int {
	n := r.whole(name, optional)
	if n == nil {
		return int(byDefault)
	}
	return int(min(max(*n, -1<<31), 1<<31))
}

func (d *door) searchExperiments(r *request) (any, error) {
	q := tracking.Query{
		View: r.view("view_type", tracking.Active), Limit: r.limit64("max_results", 0), OrderBy: r.texts("order_by", optional),
		Filter: r.text("filter", optional), Offset: r.page(),
	}
	if r.err != nil {
		return nil, r.err
	}
	found, more, err := d.Tracking.SearchExperiments(r.Context(), q)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Experiments []experimentWire `json:"experiments,omitempty"`
		Token       string           `json:"next_page_token,omitempty"`
	}
	for _, e := range found {
		answer.Experiments = append(answer.Experiments, wireExperiment(e))
	}
	if more {
		answer.Token = encodeToken(q.Offset + q.Limit)
	}
	return answer, nil
}

func (d *door) searchDatasets(r *request) (any, error) {
	const most = 20
	ids := r.texts("experiment_ids", optional)
	switch {
	case r.err != nil:
		return nil, r.err
	case len(ids) == 0:
		return nil, fault.Invalidf("SearchDatasets request must specify at least one experiment_id.")
	case len(ids) > most:
		return nil, fault.Invalidf("SearchDatasets request cannot specify more than %d experiment_ids. Received %d experiment_ids.", most, len(ids))
	}
	found, err := d.Tracking.Datasets(r.Context(), ids)
	type summary struct {
		ExperimentID string  `json:"experiment_id"`
		Name         string  `json:"name"`
		Digest       string  `json:"digest"`
		Context      *string `json:"context,omitempty"`
	}
	var answer struct {
		Summaries []summary `json:"dataset_summaries,omitempty"`
	}
	for _, s := range found {
		answer.Summaries = append(answer.Summaries, summary(s))
	}
	return answer, err
}
