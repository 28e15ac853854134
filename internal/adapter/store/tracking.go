package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// Tracking is what the tracking service sees of a Store: experiments, runs without their metrics, logged models, files.
type Tracking struct{ s *Store }

// Tracking returns the part of the store that is for the tracking service.
func (s *Store) Tracking() Tracking { return Tracking{s} }

const trackedColumns = "id, display_name, archived, artifact_location, created_at, updated_at, tags"

// ArtifactScheme begins the URIs of what is kept here.
const artifactScheme = "mlflow-artifacts:/"

// scanTracked reads trackedColumns.
func scanTracked(scan scanner) (track.Experiment, error) {
	var e track.Experiment
	var archived, created, updated int64
	var tags string
	if err := scan(&e.ID, &e.Name, &archived, &e.ArtifactLocation, &created, &updated, &tags); err != nil {
		return e, err
	}
	e.Deleted, e.CreatedAt, e.UpdatedAt = archived != 0, instant(created), instant(max(created, updated))
	if e.ArtifactLocation == "" {
		e.ArtifactLocation = artifactScheme + e.ID
	}
	return e, decode("tags", tags, &e.Tags)
}

// Experiments returns all experiments.
func (t Tracking) Experiments(ctx context.Context) ([]track.Experiment, error) {
	rows, err := t.s.read.QueryContext(ctx, `SELECT `+trackedColumns+` FROM experiments`)
	if err != nil {
		return nil, t.s.readError(err)
	}
	var out []track.Experiment
	err = drain(rows, func(rows *sql.Rows) error {
		e, err := scanTracked(rows.Scan)
		out = append(out, e)
		return err
	})
	return out, t.s.readError(err)
}

// Experiment returns an experiment; NotFound when there is none.
func (t Tracking) Experiment(ctx context.Context, id string) (track.Experiment, error) {
	// Uses the primary key.
	return readOne(ctx, t.s, "experiment", id, `SELECT `+trackedColumns+` FROM experiments WHERE id = $1`, scanTracked, id)
}

// ExperimentNamed returns the experiment of a name; NotFound when there is none.
func (t Tracking) ExperimentNamed(ctx context.Context, name string) (track.Experiment, error) {
	// Uses experiments_by_name.
	return readOne(ctx, t.s, "experiment", name, `SELECT `+trackedColumns+` FROM experiments WHERE display_name = $1`, scanTracked, name)
}

// CreateExperiment stores an experiment; a name in use is a Conflict.
func (t Tracking) CreateExperiment(ctx context.Context, e track.Experiment) error {
	tags, err := encode("tags", orEmpty(e.Tags))
	if err != nil {
		return err
	}
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.exec(ctx, `
			INSERT INTO experiments (id, display_name, display_name_folded, description, archived, created_at, last_run_at,
				artifact_location, updated_at, tags)
			VALUES ($1, $2, $3, '', $4, $5, 0, $6, $7, $8)`,
			e.ID, e.Name, fold(e.Name), bit(e.Deleted), micros(e.CreatedAt), e.ArtifactLocation, micros(e.UpdatedAt), tags)
		if duplicate(err) {
			return nameTaken(e.Name)
		}
		return err
	})
}

func nameTaken(name string) error {
	return fault.Conflictf("Experiment(name=%s) already exists.", name)
}

func orEmpty(tags []track.KV) []track.KV {
	if tags == nil {
		return []track.KV{}
	}
	return tags
}

// ChangeExperiment reads an experiment, lets change change its name, tags and deletion, and stores it, in one transaction. An
// experiment that is deleted or restored takes its runs with it.
func (t Tracking) ChangeExperiment(ctx context.Context, id string, change func(*track.Experiment) error) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		e, err := scanTracked(func(dest ...any) error {
			return tx.get(ctx, `SELECT `+trackedColumns+` FROM experiments WHERE id = $1`, []any{id}, dest)
		})
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("experiment", id)
		}
		if err != nil {
			return err
		}
		before := e.Deleted
		if err := change(&e); err != nil {
			return err
		}
		tags, err := encode("tags", orEmpty(e.Tags))
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `
			UPDATE experiments
			SET display_name = $2, display_name_folded = $3, archived = $4, updated_at = $5, tags = $6
			WHERE id = $1`, id, e.Name, fold(e.Name), bit(e.Deleted), micros(e.UpdatedAt), tags)
		if duplicate(err) {
			return nameTaken(e.Name)
		}
		if err != nil || e.Deleted == before {
			return err
		}
		return t.deleteRunsOf(ctx, tx, id, e.Deleted, e.UpdatedAt)
	})
}

// deleteRunsOf marks all runs of an experiment as deleted, or as not deleted.
func (t Tracking) deleteRunsOf(ctx context.Context, tx *tx, id string, deleted bool, at time.Time) error {
	deletedAt := int64(0)
	if deleted {
		deletedAt = micros(at)
	}
	// Uses tracking_runs_by_experiment and runs_by_experiment.
	if _, err := tx.exec(ctx, `UPDATE tracking_runs SET deleted_at = $2 WHERE experiment_id = $1`, id, deletedAt); err != nil {
		return err
	}
	tx.committed(func() { t.s.index.drop(id) })
	if _, err := tx.exec(ctx, `UPDATE runs SET archived = $2 WHERE experiment_id = $1 AND archived <> $2`, id, bit(deleted)); err != nil {
		return err
	}
	return archiveCounts(ctx, tx, id, deleted)
}

// Model returns a logged model with its metrics; NotFound when there is none.
func (t Tracking) Model(ctx context.Context, id string) (track.LoggedModel, error) {
	// Uses the primary key.
	m, err := readOne(ctx, t.s, "logged model", id, `SELECT body FROM tracking_models WHERE id = $1`, scanLogged, id)
	if err != nil {
		return m, err
	}
	rows, err := t.s.read.QueryContext(ctx, `SELECT `+modelMetricColumns+` FROM tracking_model_metrics WHERE model_id = $1`, id)
	if err != nil {
		return m, t.s.readError(err)
	}
	err = drain(rows, func(rows *sql.Rows) error {
		_, x, err := scanModelMetric(rows.Scan)
		m.Metrics = append(m.Metrics, x)
		return err
	})
	return m, t.s.readError(err)
}

// Models returns the logged models of experiments with their metrics, in no order. They are not to be changed.
func (t Tracking) Models(ctx context.Context, experiments []string) ([]*track.LoggedModel, error) {
	all, err := t.s.logged.all(func() (map[string]*track.LoggedModel, error) { return t.loadModels(ctx) })
	wanted := make(map[string]bool, len(experiments))
	for _, id := range experiments {
		wanted[id] = true
	}
	return slices.DeleteFunc(all, func(m *track.LoggedModel) bool { return !wanted[m.ExperimentID] }), err
}

func (t Tracking) loadModels(ctx context.Context) (map[string]*track.LoggedModel, error) {
	snapshot, err := t.s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, t.s.readError(err)
	}
	defer func() { _ = snapshot.Rollback() }() // nothing was written
	out := map[string]*track.LoggedModel{}
	rows, err := snapshot.QueryContext(ctx, `SELECT body FROM tracking_models`)
	if err != nil {
		return nil, t.s.readError(err)
	}
	err = drain(rows, func(rows *sql.Rows) error {
		m, err := scanLogged(rows.Scan)
		out[m.ID] = &m
		return err
	})
	if err != nil {
		return nil, t.s.readError(err)
	}
	rows, err = snapshot.QueryContext(ctx, `SELECT `+modelMetricColumns+` FROM tracking_model_metrics`)
	if err != nil {
		return nil, t.s.readError(err)
	}
	err = drain(rows, func(rows *sql.Rows) error {
		id, x, err := scanModelMetric(rows.Scan)
		if m, ok := out[id]; ok {
			m.Metrics = append(m.Metrics, x)
		}
		return err
	})
	return out, t.s.readError(err)
}

// mirrorLogged reads a logged model again for the searches, when they are held in memory.
func (t Tracking) mirrorLogged(id string) {
	if !t.s.logged.holds() {
		return
	}
	m, err := t.Model(context.Background(), id)
	if err != nil {
		t.s.logged.clear() // the next search reads them anew
		return
	}
	t.s.logged.put(id, &m)
}

const modelMetricColumns = "model_id, key, time_ms, step, run_id, value, dataset_name, dataset_digest"

func scanModelMetric(scan scanner) (model string, m track.ModelMetric, err error) {
	err = scan(&model, &m.Key, &m.Time, &m.Step, &m.RunID, &m.Value, &m.DatasetName, &m.DatasetDigest)
	m.ModelID = model
	return model, m, err
}

func scanLogged(scan scanner) (track.LoggedModel, error) {
	var m track.LoggedModel
	var body string
	if err := scan(&body); err != nil {
		return m, err
	}
	return m, decode("logged model", body, &m)
}

// CreateModel stores a logged model.
func (t Tracking) CreateModel(ctx context.Context, m track.LoggedModel) error {
	body, err := encode("logged model", m)
	if err != nil {
		return err
	}
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO tracking_models (id, experiment_id, body) VALUES ($1, $2, $3)`, m.ID, m.ExperimentID, body)
		tx.committed(func() { t.s.logged.put(m.ID, &m) })
		return err
	})
}

// ChangeModel reads a logged model, lets change change it, and stores it, in one transaction.
func (t Tracking) ChangeModel(ctx context.Context, id string, change func(*track.LoggedModel) error) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		m, err := scanLogged(func(dest ...any) error {
			return tx.get(ctx, `SELECT body FROM tracking_models WHERE id = $1`, []any{id}, dest)
		})
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("logged model", id)
		}
		if err != nil {
			return err
		}
		if err := change(&m); err != nil {
			return err
		}
		body, err := encode("logged model", m)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE tracking_models SET body = $2 WHERE id = $1`, id, body)
		tx.committed(func() { t.mirrorLogged(id) })
		return err
	})
}
