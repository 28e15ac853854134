package tracking

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/search"
	"levada/internal/core/track"
)

// NewModel asks for a logged model.
type NewModel struct {
	ExperimentID, Name, Type, SourceRunID string
	Params, Tags                          []track.KV
}

// CreateModel creates a logged model whose files are still to come.
func (s *Service) CreateModel(ctx context.Context, n NewModel) (track.LoggedModel, error) {
	if n.Name != "" && strings.ContainsAny(n.Name, `/:.%"'`) {
		return track.LoggedModel{}, fault.Invalidf("Invalid model name ('%s') provided. Model name must be a non-empty string and "+
			`cannot contain the following characters: ('/', ':', '.', '%%', '"', "'")`, n.Name)
	}
	e, err := s.Experiment(ctx, n.ExperimentID)
	if err == nil {
		err = activeExperiment(e)
	}
	if err != nil {
		return track.LoggedModel{}, err
	}
	if n.Name == "" {
		n.Name = randomName()
	}
	now := s.now().UnixMicro()
	m := track.LoggedModel{ID: "m-" + s.newHexID(), ExperimentID: e.ID, Name: n.Name, Type: n.Type, SourceRunID: n.SourceRunID,
		Status: track.ModelPending, CreatedUS: now, UpdatedUS: now}
	m.ArtifactLocation = e.ArtifactLocation + "/models/" + m.ID + "/artifacts"
	for _, p := range n.Params {
		m.Params = track.Set(m.Params, p.Key, p.Value)
	}
	for _, t := range n.Tags {
		m.Tags = track.Set(m.Tags, t.Key, t.Value)
	}
	return m, s.deps.Store.CreateModel(ctx, m)
}

func noModel(id string, err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.NotFoundf("Logged model with ID '%s' not found.", id)
	}
	return err
}

// Model returns a logged model; a deleted one only when that is asked for.
func (s *Service) Model(ctx context.Context, id string, deleted bool) (track.LoggedModel, error) {
	m, err := s.deps.Store.Model(ctx, id)
	if err == nil && m.Deleted && !deleted {
		err = fault.NotFoundf("deleted")
	}
	return m, noModel(id, err)
}

// changeModel changes a logged model and returns it with its metrics.
func (s *Service) changeModel(ctx context.Context, id string, change func(*track.LoggedModel) error) (track.LoggedModel, error) {
	found := false
	err := s.deps.Store.ChangeModel(ctx, id, func(m *track.LoggedModel) error {
		found = true
		return change(m)
	})
	if !found {
		err = noModel(id, err)
	}
	if err != nil {
		return track.LoggedModel{}, err
	}
	return s.Model(ctx, id, true)
}

// FinalizeModel says whether the files of a model are complete.
func (s *Service) FinalizeModel(ctx context.Context, id string, status track.ModelStatus) (track.LoggedModel, error) {
	return s.changeModel(ctx, id, func(m *track.LoggedModel) error {
		m.Status, m.UpdatedUS = status, s.now().UnixMicro()
		return nil
	})
}

// DeleteModel deletes a logged model.
func (s *Service) DeleteModel(ctx context.Context, id string) error {
	_, err := s.changeModel(ctx, id, func(m *track.LoggedModel) error {
		m.Deleted, m.UpdatedUS = true, s.now().UnixMicro()
		return nil
	})
	return err
}

// LogModelParams adds parameters to a logged model.
func (s *Service) LogModelParams(ctx context.Context, id string, params []track.KV) error {
	_, err := s.changeModel(ctx, id, func(m *track.LoggedModel) error {
		for _, p := range params {
			m.Params = track.Set(m.Params, p.Key, p.Value)
		}
		return nil
	})
	return err
}

// SetModelTags sets tags of a logged model.
func (s *Service) SetModelTags(ctx context.Context, id string, tags []track.KV) error {
	_, err := s.changeModel(ctx, id, func(m *track.LoggedModel) error {
		for _, t := range tags {
			m.Tags = track.Set(m.Tags, t.Key, t.Value)
		}
		return nil
	})
	return err
}

// ChangeModelTag makes a new value of a tag of a logged model from the one before, which is empty where there is none. Nobody else
// changes the model meanwhile.
func (s *Service) ChangeModelTag(ctx context.Context, id, key string, change func(before string) (string, error)) error {
	_, err := s.changeModel(ctx, id, func(m *track.LoggedModel) error {
		if m.Deleted {
			return fault.NotFoundf("deleted")
		}
		before, _ := track.Find(m.Tags, key)
		after, err := change(before)
		if err == nil {
			m.Tags = track.Set(m.Tags, key, after)
		}
		return err
	})
	return err
}

// DeleteModelTag removes a tag of a logged model.
func (s *Service) DeleteModelTag(ctx context.Context, id, key string) error {
	_, err := s.changeModel(ctx, id, func(m *track.LoggedModel) error {
		if _, there := track.Find(m.Tags, key); !there {
			return fault.NotFoundf("No tag with key '%s' found for model with ID '%s'.", key, id)
		}
		m.Tags = track.Without(m.Tags, key)
		return nil
	})
	return err
}

// ModelFiles lists a directory of a logged model and returns the URI that the paths are relative to.
func (s *Service) ModelFiles(ctx context.Context, id, dir string) (string, []track.File, error) {
	m, err := s.Model(ctx, id, false)
	if err != nil {
		return "", nil, err
	}
	files, err := s.filesBelow(ctx, m.ArtifactLocation, dir)
	return m.ArtifactLocation, files, err
}

// DatasetFilter names a dataset that metrics were measured on; an empty digest means any.
type DatasetFilter struct{ Name, Digest string }

// ModelOrder is one key of a sort of logged models. With a dataset, only metrics that were measured on it count.
type ModelOrder struct {
	Field   string
	Desc    bool
	Dataset DatasetFilter
}

// ModelQuery asks for a page of logged models.
type ModelQuery struct {
	Experiments   []string
	Filter        string
	Datasets      []DatasetFilter
	OrderBy       []ModelOrder
	Offset, Limit int
}

func (d DatasetFilter) holds(m track.ModelMetric) bool {
	return d.Name == m.DatasetName && (d.Digest == "" || d.Digest == m.DatasetDigest)
}

// SearchModels returns a page of the logged models that match, and whether there are more.
func (s *Service) SearchModels(ctx context.Context, q ModelQuery) ([]track.LoggedModel, bool, error) {
	if err := checkExperiments(q.Experiments); err != nil {
		return nil, false, err
	}
	for _, d := range q.Datasets {
		if d.Name == "" {
			return nil, false, fault.Invalidf("`dataset_name` in the `datasets` clause must be specified.")
		}
	}
	filter, err := search.LoggedModels.Parse(q.Filter)
	if err != nil {
		return nil, false, err
	}
	orders := make([]search.Order, len(q.OrderBy))
	for i, o := range q.OrderBy {
		if orders[i], err = modelOrder(o); err != nil {
			return nil, false, err
		}
	}
	all, err := s.deps.Store.Models(ctx, q.Experiments)
	if err != nil {
		return nil, false, err
	}
	all = slices.DeleteFunc(all, func(m *track.LoggedModel) bool {
		row := modelRow{LoggedModel: m, datasets: q.Datasets}
		measured := len(q.Datasets) == 0 || slices.ContainsFunc(m.Metrics, func(x track.ModelMetric) bool {
			return slices.ContainsFunc(q.Datasets, func(d DatasetFilter) bool { return d.holds(x) })
		})
		return m.Deleted || !measured || !filter.Match(row)
	})
	found, more := topModels(all, orders, q)
	return found, more, nil
}

// topModels sorts models as far as a page needs it, and returns the page and whether there are more.
func topModels(all []*track.LoggedModel, orders []search.Order, q ModelQuery) ([]track.LoggedModel, bool) {
	only := make([][]DatasetFilter, len(orders))
	for i, o := range q.OrderBy {
		if o.Dataset.Name != "" {
			only[i] = []DatasetFilter{o.Dataset}
		}
	}
	rows := search.KeyAll(all, orders, func(m *track.LoggedModel, order int) search.Row { return modelRow{m, only[order]} })
	top := search.Top(rows, q.Offset+q.Limit, func(a, b search.Keyed[*track.LoggedModel]) int {
		for i, o := range orders {
			c := o.Compare(a.Keys[i], b.Keys[i])
			if c == 0 && o.Entity == search.Attribute && o.Key == "creation_timestamp" {
				if c = cmp.Compare(a.Row.CreatedUS, b.Row.CreatedUS); o.Desc { // many are made in a millisecond
					c = -c
				}
			}
			if c != 0 {
				return c
			}
		}
		if c := cmp.Compare(b.Row.CreatedUS, a.Row.CreatedUS); c != 0 && !search.Has(orders, "creation_timestamp") {
			return c
		}
		return cmp.Compare(a.Row.ID, b.Row.ID)
	})
	top = top[min(q.Offset, len(top)):]
	found := make([]track.LoggedModel, len(top))
	for i, m := range top {
		found[i] = *m.Row
	}
	return found, len(rows) > q.Offset+q.Limit
}

func modelOrder(o ModelOrder) (search.Order, error) {
	if entity, key, dotted := strings.Cut(o.Field, "."); dotted {
		if entity != "metrics" {
			return search.Order{}, fault.Invalidf("Invalid order by field name: %s. Only metrics are supported.", o.Field)
		}
		return search.MetricOrder(key, o.Desc), nil
	}
	direction := ""
	if o.Desc {
		direction = " DESC"
	}
	order, err := search.LoggedModels.ParseOrder(o.Field + direction)
	if err != nil {
		return order, fault.Invalidf("Invalid order by field name: %s", o.Field)
	}
	return order, nil
}

// modelRow shows a logged model to a filter.
type modelRow struct {
	*track.LoggedModel
	datasets []DatasetFilter
}

func (r modelRow) Text(e search.Entity, key string) (string, bool) {
	switch e {
	case search.Param:
		return track.Find(r.Params, key)
	case search.Tag:
		return track.Find(r.Tags, key)
	}
	switch key {
	case "name":
		return r.Name, true
	case "model_id":
		return r.ID, true
	case "model_type":
		return r.Type, true
	case "status":
		return fmt.Sprint(int(r.Status)), true
	case "source_run_id":
		return r.SourceRunID, true
	case "experiment_id":
		return r.ExperimentID, true
	}
	return r.ArtifactLocation, key == "artifact_location"
}

// Numbers returns all values of a metric: a filter holds when it does for one of them.
func (r modelRow) Numbers(key string) []float64 {
	var out []float64
	for _, m := range r.Metrics {
		if m.Key == key && r.counts(m) {
			out = append(out, m.Value)
		}
	}
	return out
}

// counts reports whether a metric was measured on the data that matter.
func (r modelRow) counts(m track.ModelMetric) bool {
	return len(r.datasets) == 0 || slices.ContainsFunc(r.datasets, func(d DatasetFilter) bool { return d.holds(m) })
}

// Number takes the newest value of a metric: that is what models are sorted by.
func (r modelRow) Number(e search.Entity, key string, _ search.Part) (float64, bool) {
	if e == search.Attribute {
		if key == "creation_timestamp" {
			return float64(r.CreatedUS / 1000), true // filters are in milliseconds
		}
		return float64(r.UpdatedUS / 1000), true
	}
	var latest *track.ModelMetric
	for i, m := range r.Metrics {
		if m.Key != key || !r.counts(m) {
			continue
		}
		if latest == nil || m.Time > latest.Time || m.Time == latest.Time && m.Step > latest.Step {
			latest = &r.Metrics[i]
		}
	}
	if latest == nil {
		return 0, false
	}
	return latest.Value, true
}

func (modelRow) Each(string) []string { return nil }
