package tracking

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// Tracked is a run with the sums of its metrics.
type Tracked struct {
	*track.Run
	Metrics []track.Stat
}

// NewRun asks for a run.
type NewRun struct {
	ExperimentID string // empty means the default experiment
	UserID       string
	Name         string
	StartMS      int64
	Tags         []track.KV
}

// CreateRun creates a run that is running.
func (s *Service) CreateRun(ctx context.Context, n NewRun) (Tracked, error) {
	e, err := s.Experiment(ctx, n.ExperimentID)
	if err == nil {
		err = activeExperiment(e)
	}
	if err != nil {
		return Tracked{}, err
	}
	name, _ := track.Find(n.Tags, track.TagRunName)
	if n.Name != "" && name != "" && n.Name != name {
		return Tracked{}, fault.Invalidf("Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "+
			"(run_name='%s', mlflow.runName='%s').", n.Name, name)
	}
	if n.Name == "" {
		n.Name = name
	}
	if n.Name == "" {
		n.Name = randomName()
	}
	r := track.Run{ID: s.newHexID(), ExperimentID: e.ID, Name: n.Name, UserID: n.UserID, Status: track.Running, StartMS: n.StartMS}
	r.ArtifactURI = e.ArtifactLocation + "/" + r.ID + "/artifacts"
	for _, t := range n.Tags {
		r.Tags = track.Set(r.Tags, t.Key, t.Value)
	}
	if name == "" {
		r.Tags = track.Set(r.Tags, track.TagRunName, n.Name)
	}
	return Tracked{Run: &r}, s.deps.Store.CreateRun(ctx, r)
}

// Run returns a run.
func (s *Service) Run(ctx context.Context, id string) (Tracked, error) {
	r, err := s.deps.Store.Run(ctx, id)
	if err != nil {
		return Tracked{}, err
	}
	stats, err := s.deps.Series.Stats(id)
	return Tracked{Run: r, Metrics: stats}, err
}

// UpdateRun changes status, end or name; what is nil stays.
func (s *Service) UpdateRun(ctx context.Context, id string, status *track.Status, end *int64, name *string) (track.Run, error) {
	if name != nil && *name == "" {
		name = nil
	}
	return s.deps.Store.UpdateRun(ctx, id, status, end, name)
}

// SetRunDeleted deletes a run or restores it. Doing it twice is no error.
func (s *Service) SetRunDeleted(ctx context.Context, id string, deleted bool) error {
	return s.deps.Store.SetRunDeleted(ctx, id, deleted, s.now())
}

// LogMetric stores one point.
func (s *Service) LogMetric(ctx context.Context, runID string, m track.Metric) error {
	if err := checkMetric("", m); err != nil {
		return err
	}
	if err := s.activeRun(ctx, runID); err != nil {
		return err
	}
	if m.ModelID != "" {
		if err := s.logModelMetrics(ctx, runID, []track.Metric{m}); err != nil {
			return err
		}
	}
	return s.deps.Series.Log(ctx, runID, []track.Metric{m})
}

func (s *Service) activeRun(ctx context.Context, id string) error {
	r, err := s.deps.Store.Info(ctx, id)
	if err == nil && r.Deleted {
		err = fault.Invalidf("The run %s must be in the 'active' state. Current state is deleted.", id)
	}
	return err
}

// LogParam stores one parameter. A parameter never changes its value; the same value again is no error.
func (s *Service) LogParam(ctx context.Context, runID string, p track.KV) error {
	if err := checkParam("", &p); err != nil {
		return err
	}
	return s.deps.Store.LogData(ctx, runID, []track.KV{p}, nil)
}

// SetTag sets one tag.
func (s *Service) SetTag(ctx context.Context, runID string, t track.KV) error {
	if err := checkTag("", &t); err != nil {
		return err
	}
	return s.deps.Store.LogData(ctx, runID, nil, []track.KV{t})
}

// DeleteTag removes one tag.
func (s *Service) DeleteTag(ctx context.Context, runID, key string) error {
	return s.deps.Store.DeleteTag(ctx, runID, key)
}

// LogBatch stores points, parameters and tags of one run. Everything is checked before anything is written; parameters and
// tags are stored together, then the points.
func (s *Service) LogBatch(ctx context.Context, runID string, metrics []track.Metric, params, tags []track.KV) error {
	if err := checkRunID(runID); err != nil {
		return err
	}
	for i, m := range metrics {
		if err := checkMetric(fmt.Sprintf("metrics[%d]", i), m); err != nil {
			return err
		}
	}
	for i := range params {
		if err := checkParam(fmt.Sprintf("params[%d]", i), &params[i]); err != nil {
			return err
		}
	}
	for i := range tags {
		if err := checkTag(fmt.Sprintf("tags[%d]", i), &tags[i]); err != nil {
			return err
		}
	}
	if err := checkBatch(len(metrics), len(params), len(tags)); err != nil {
		return err
	}
	if err := uniqueParams(params); err != nil {
		return err
	}
	if len(params)+len(tags) > 0 {
		if err := s.deps.Store.LogData(ctx, runID, params, tags); err != nil {
			return batchError(err)
		}
	} else if err := s.activeRun(ctx, runID); err != nil {
		return err
	}
	if len(metrics) == 0 {
		return nil
	}
	if err := s.logModelMetrics(ctx, runID, metrics); err != nil {
		return err
	}
	return s.deps.Series.Log(ctx, runID, metrics)
}

// batchError is MLflow's other sentence about parameters with other values.
func batchError(err error) error {
	p, ok := err.(*track.ParamsError) //nolint:errorlint // the store returns it as it is
	if !ok {
		return err
	}
	list := ""
	for i, c := range p.Conflicts {
		if i > 0 {
			list += ", "
		}
		list += fmt.Sprintf("{'key': '%s', 'old_value': '%s', 'new_value': '%s'}", c.Key, c.Old, c.New)
	}
	return fault.Invalidf("Changing param values is not allowed. Params were already logged='[%s]' for run ID='%s'.", list, p.RunID)
}

func checkRunID(id string) error {
	if !runIDForm.MatchString(id) || utf8.RuneCountInString(id) > maxRunID {
		return InvalidValue("run_id", id, "")
	}
	return nil
}

func uniqueParams(params []track.KV) error {
	seen, twice := map[string]bool{}, ""
	for _, p := range params {
		if seen[p.Key] {
			if twice != "" {
				twice += ", "
			}
			twice += "'" + p.Key + "'"
		}
		seen[p.Key] = true
	}
	if twice != "" {
		return fault.Invalidf("Duplicate parameter keys have been submitted: [%s]. Please ensure the request contains only one param "+
			"value per param key.", twice)
	}
	return nil
}

// logModelMetrics stores the metrics that name a logged model.
func (s *Service) logModelMetrics(ctx context.Context, runID string, metrics []track.Metric) error {
	var of []track.Metric
	for _, m := range metrics {
		if m.ModelID != "" {
			m.Value = track.Clean(m.Value)
			of = append(of, m)
		}
	}
	if len(of) == 0 {
		return nil
	}
	return s.deps.Store.LogModelMetrics(ctx, runID, of)
}

// History returns points of a metric in the order of time, step and value, and whether there are more. A negative limit
// means all. A run that does not exist has no points.
func (s *Service) History(_ context.Context, runID, key string, offset, limit int) ([]track.Point, bool, error) {
	return s.deps.Series.History(runID, key, offset, limit)
}

// Metrics sums up the metrics of a run, in the order of their names. A run that does not exist has none.
func (s *Service) Metrics(_ context.Context, runID string) ([]track.Stat, error) {
	return s.deps.Series.Stats(runID)
}

// Sample returns at most n points of a metric in the order of steps: evenly spread, or with extremes those that a chart needs
// to keep its lowest and highest values.
func (s *Service) Sample(_ context.Context, runID, key string, within *track.Steps, n int, extremes bool) ([]track.Point, error) {
	if extremes {
		return s.deps.Series.Extremes(runID, key, within, n)
	}
	return s.deps.Series.Sample(runID, key, within, n)
}

// LogInputs notes the datasets and models that a run read.
func (s *Service) LogInputs(ctx context.Context, runID string, datasets []track.DatasetInput, models []string) error {
	if err := checkRunID(runID); err != nil {
		return err
	}
	for _, d := range datasets {
		if err := checkDataset(d); err != nil {
			return err
		}
	}
	return s.deps.Store.Link(ctx, runID, datasets, models, nil)
}

func checkDataset(d track.DatasetInput) error {
	for _, c := range []struct {
		name  string
		value *string
		limit int
	}{
		{"name", &d.Dataset.Name, 500}, {"digest", &d.Dataset.Digest, 36}, {"source", &d.Dataset.Source, 65535},
		{"schema", d.Dataset.Schema, 1048575}, {"profile", d.Dataset.Profile, 16777215},
	} {
		if c.value != nil {
			if err := checkLength(c.name, *c.value, c.limit); err != nil {
				return err
			}
		}
	}
	for _, t := range d.Tags {
		if err := checkLength("key", t.Key, 255); err != nil {
			return err
		}
		if err := checkLength("value", t.Value, 500); err != nil {
			return err
		}
	}
	return nil
}

// LogOutputs notes the models that a run made.
func (s *Service) LogOutputs(ctx context.Context, runID string, models []track.ModelOutput) error {
	return s.deps.Store.Link(ctx, runID, nil, nil, models)
}

// maxModelsTag bounds the tag of LogModelTag, in bytes. Cut off, as other tags are, it would be no list any more.
const maxModelsTag = 1 << 20

// LogModelTag adds a model to the tag in which runs of clients before MLflow 3 list the models they logged.
func (s *Service) LogModelTag(ctx context.Context, runID string, m map[string]json.RawMessage) error {
	kept := map[string]json.RawMessage{}
	for _, field := range []string{"run_id", "artifact_path", "utc_time_created", "model_uuid", "flavors"} {
		if m[field] != nil {
			kept[field] = m[field]
		}
	}
	one, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return s.deps.Store.ChangeTag(ctx, runID, track.TagLoggedModels, func(before string) (string, error) {
		var list []json.RawMessage
		if before != "" {
			if err := json.Unmarshal([]byte(before), &list); err != nil {
				return "", fault.Invalidf("the tag %s of run %s is not a JSON list", track.TagLoggedModels, runID)
			}
		}
		text, err := json.Marshal(append(list, one))
		if err != nil {
			return "", err
		}
		if len(text) > maxModelsTag {
			return "", fault.TooLargef("the tag %s of run %s would have %d bytes and %d are allowed: log models with MLflow 3, or in several runs",
				track.TagLoggedModels, runID, len(text), maxModelsTag)
		}
		return string(text), nil
	})
}

// Info returns a run without its parameters, tags, links and metrics.
func (s *Service) Info(ctx context.Context, runID string) (track.Run, error) {
	return s.deps.Store.Info(ctx, runID)
}
