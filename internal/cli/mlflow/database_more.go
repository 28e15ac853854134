package mlflow

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/model"
	"levada/internal/core/track"
)

// milli is a time of MLflow's; where there is none it is the beginning of 1970.
func milli(ms sql.NullInt64) time.Time { return time.UnixMilli(ms.Int64).UTC() }

// number is a value as the tables hold it: NaN is a zero with a mark.
func number(v sql.NullFloat64, nan bool) float64 {
	if nan || !v.Valid {
		return math.NaN()
	}
	return v.Float64
}

// links reads what runs read and made.
func (d *database) links(ctx context.Context, runs []Run, at map[string]*Run) error {
	if !d.has("inputs", "destination_id") {
		return nil
	}
	tags := map[string][]track.KV{}
	where, args := among("i.destination_id", runs)
	err := d.each(ctx, `
		SELECT t.input_uuid, t.name, t.value
		FROM input_tags t JOIN inputs i ON i.input_uuid = t.input_uuid
		WHERE `+where+` ORDER BY t.name`, args, func(scan func(...any) error) error {
		var id, key string
		var value sql.NullString
		err := scan(&id, &key, &value)
		tags[id] = append(tags[id], track.KV{Key: key, Value: value.String})
		return err
	})
	if err != nil {
		return err
	}
	err = d.each(ctx, `
		SELECT i.input_uuid, i.destination_id, s.name, s.digest, s.dataset_source_type, s.dataset_source, s.dataset_schema, s.dataset_profile
		FROM inputs i JOIN datasets s ON s.dataset_uuid = i.source_id
		WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND `+where+` ORDER BY i.input_uuid`, args, func(scan func(...any) error) error {
		var input, run string
		var name, digest, kind, source, schema, profile sql.NullString
		if err := scan(&input, &run, &name, &digest, &kind, &source, &schema, &profile); err != nil {
			return err
		}
		at[run].Datasets = append(at[run].Datasets, track.DatasetInput{Tags: tags[input], Dataset: track.Dataset{Name: name.String, Digest: digest.String,
			SourceType: kind.String, Source: source.String, Schema: pointer(schema), Profile: pointer(profile)}})
		return nil
	})
	if err != nil {
		return err
	}
	where, args = among("source_id", runs)
	query := `SELECT source_type, source_id, destination_id, ` + d.pick("inputs", "step") + ` FROM inputs
		WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND ` + where + ` ORDER BY input_uuid`
	return d.each(ctx, query, args, func(scan func(...any) error) error {
		var kind, run, id string
		var step sql.NullInt64
		if err := scan(&kind, &run, &id, &step); err != nil {
			return err
		}
		if r := at[run]; kind == "RUN_INPUT" {
			r.ModelInputs = append(r.ModelInputs, id)
		} else {
			r.Outputs = append(r.Outputs, track.ModelOutput{ModelID: id, Step: step.Int64})
		}
		return nil
	})
}

func pointer(s sql.NullString) *string {
	if !s.Valid {
		return nil
	}
	return &s.String
}

// LoggedModels reads logged models in the order of their ids, a batch at a time.
func (d *database) LoggedModels(ctx context.Context, one func(track.LoggedModel, bool) error) error {
	if !d.has("logged_models", "model_id") {
		return nil
	}
	query := `SELECT ` + d.pick("logged_models", "model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms",
		"last_updated_timestamp_ms", "status", "lifecycle_stage", "model_type", "source_run_id") +
		` FROM logged_models WHERE model_id > $1 ORDER BY model_id LIMIT ` + strconv.Itoa(batch)
	for last := ""; ; {
		var models []track.LoggedModel
		err := d.each(ctx, query, []any{last}, func(scan func(...any) error) error {
			m, err := scanLogged(scan)
			models = append(models, m)
			return err
		})
		if err != nil || len(models) == 0 {
			return err
		}
		last = models[len(models)-1].ID
		for _, m := range models {
			if err := d.completeModel(ctx, &m); err != nil {
				return err
			}
			if err := one(m, true); err != nil {
				return err
			}
		}
	}
}

func scanLogged(scan func(...any) error) (track.LoggedModel, error) {
	var m track.LoggedModel
	var experiment, created, updated, status sql.NullInt64
	var name, location, stage, kind, run sql.NullString
	err := scan(&m.ID, &experiment, &name, &location, &created, &updated, &status, &stage, &kind, &run)
	m.ExperimentID, m.Name, m.ArtifactLocation = strconv.FormatInt(experiment.Int64, 10), name.String, location.String
	m.CreatedUS, m.UpdatedUS, m.Status = 1000*created.Int64, 1000*updated.Int64, track.ModelStatus(status.Int64)
	m.Deleted, m.Type, m.SourceRunID = stage.String == "deleted", kind.String, run.String
	return m, err
}

func (d *database) completeModel(ctx context.Context, m *track.LoggedModel) error {
	pairs := func(table, key, value string, to *[]track.KV) error {
		return d.pairs(ctx, `SELECT `+key+`, `+value+` FROM `+table+` WHERE model_id = $1 ORDER BY `+key, []any{m.ID}, to)
	}
	if err := pairs("logged_model_params", "param_key", "param_value", &m.Params); err != nil {
		return err
	}
	if err := pairs("logged_model_tags", "tag_key", "tag_value", &m.Tags); err != nil {
		return err
	}
	return d.each(ctx, `
		SELECT metric_name, metric_timestamp_ms, metric_step, metric_value, run_id, dataset_name, dataset_digest
		FROM logged_model_metrics
		WHERE model_id = $1
		ORDER BY metric_name, metric_timestamp_ms, metric_step`, []any{m.ID}, func(scan func(...any) error) error {
		x := track.ModelMetric{Metric: track.Metric{ModelID: m.ID}}
		var value sql.NullFloat64
		var run, name, digest sql.NullString
		err := scan(&x.Key, &x.Time, &x.Step, &value, &run, &name, &digest)
		x.Value, x.RunID, x.DatasetName, x.DatasetDigest = value.Float64, run.String, name.String, digest.String
		m.Metrics = append(m.Metrics, x)
		return err
	})
}

func (d *database) pairs(ctx context.Context, query string, args []any, to *[]track.KV) error {
	return d.each(ctx, query, args, func(scan func(...any) error) error {
		var key string
		var value sql.NullString
		err := scan(&key, &value)
		*to = append(*to, track.KV{Key: key, Value: value.String})
		return err
	})
}

// RegisteredModels reads registered models one by one, in every workspace.
func (d *database) RegisteredModels(ctx context.Context, one func(Registered) error) error {
	if !d.has("registered_models", "name") {
		return nil
	}
	type entry struct {
		Registered

		workspace sql.NullString
	}
	var all []entry
	query := `SELECT ` + d.pick("registered_models", "name", "creation_time", "last_updated_time", "description", "workspace") +
		` FROM registered_models ORDER BY creation_time, name`
	err := d.each(ctx, query, nil, func(scan func(...any) error) error {
		var e entry
		var created, updated sql.NullInt64
		var description sql.NullString
		err := scan(&e.Name, &created, &updated, &description, &e.workspace)
		e.CreatedUS, e.UpdatedUS, e.Description = 1000*created.Int64, 1000*updated.Int64, pointer(description)
		all = append(all, e)
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := d.completeRegistered(ctx, &e.Registered, e.workspace); err != nil {
			return err
		}
		if err := one(e.Registered); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) completeRegistered(ctx context.Context, r *Registered, workspace sql.NullString) error {
	of := func(table string) (string, []any) {
		if d.has(table, "workspace") && workspace.Valid {
			return ` WHERE name = $1 AND workspace = $2`, []any{r.Name, workspace.String}
		}
		return ` WHERE name = $1`, []any{r.Name}
	}
	if d.has("registered_model_tags", "key") {
		where, args := of("registered_model_tags")
		if err := d.pairs(ctx, `SELECT key, value FROM registered_model_tags`+where+` ORDER BY key`, args, &r.Tags); err != nil {
			return err
		}
	}
	if d.has("registered_model_aliases", "alias") {
		where, args := of("registered_model_aliases")
		err := d.each(ctx, `SELECT alias, version FROM registered_model_aliases`+where+` ORDER BY alias`, args, func(scan func(...any) error) error {
			var a model.Alias
			err := scan(&a.Name, &a.Version)
			r.Aliases = append(r.Aliases, a)
			return err
		})
		if err != nil {
			return err
		}
	}
	return d.versions(ctx, r, of)
}

func (d *database) versions(ctx context.Context, r *Registered, of func(table string) (string, []any)) error {
	where, args := of("model_versions")
	query := `SELECT ` + d.pick("model_versions", "version", "creation_time", "last_updated_time", "description", "user_id", "current_stage", "source",
		"run_id", "status", "status_message", "run_link", "storage_location") + ` FROM model_versions` + where + ` ORDER BY version`
	err := d.each(ctx, query, args, func(scan func(...any) error) error {
		var v model.Version
		var created, updated sql.NullInt64
		var description, user, stage, source, run, status, message, link, location sql.NullString
		if err := scan(&v.Number, &created, &updated, &description, &user, &stage, &source, &run, &status, &message, &link, &location); err != nil {
			return err
		}
		v.CreatedUS, v.UpdatedUS, v.Description, v.UserID, v.Stage = 1000*created.Int64, 1000*updated.Int64, pointer(description), user.String, model.Stage(stage.String)
		v.Source, v.RunID, v.Status, v.StatusMessage, v.RunLink, v.Location = source.String, run.String, status.String, message.String, link.String, location.String
		r.addVersion(v)
		return nil
	})
	if err != nil || !d.has("model_version_tags", "key") {
		return err
	}
	where, args = of("model_version_tags")
	return d.each(ctx, `SELECT version, key, value FROM model_version_tags`+where+` ORDER BY key`, args, func(scan func(...any) error) error {
		var number int64
		var key string
		var value sql.NullString
		if err := scan(&number, &key, &value); err != nil {
			return err
		}
		for i := range r.Versions {
			if r.Versions[i].Number == number {
				r.Versions[i].Tags = append(r.Versions[i].Tags, track.KV{Key: key, Value: value.String})
			}
		}
		return nil
	})
}

// deletedStage marks versions that were deleted; their numbers are not used again.
const deletedStage = "Deleted_Internal"

// addVersion adds a version unless it was deleted.
func (r *Registered) addVersion(v model.Version) {
	r.Last = max(r.Last, v.Number)
	if v.Stage == deletedStage {
		return
	}
	if v.Location == "" {
		v.Location = v.Source
	}
	if id, ok := strings.CutPrefix(v.Source, "models:/m-"); ok && !strings.ContainsAny(id, "/@") {
		v.ModelID = "m-" + id
	}
	r.Versions = append(r.Versions, v)
}

// Files opens the files of a run or logged model where the database itself says that they are: in a directory that MLflow lays
// out below the artifact location of the experiment. Anything else has to be named by the user.
func (d *database) Files(_ context.Context, of Owner) (Tree, string) {
	if t := given(d.roots, of.URI); t != nil {
		return t, ""
	}
	if scheme, is := elsewhere(of.URI); is {
		return nil, inObjectStore(scheme)
	}
	return declared(of, d.locations[of.ExperimentID], d.dir)
}

// inObjectStore is the reason why files in one are not copied.
func inObjectStore(scheme string) string {
	return "are in an object store (" + scheme + "), where clients go on reading them; to bring them, copy them and give --artifact-root URI=DIR"
}

// declared opens the directory that MLflow makes for a run or a logged model below an artifact location on this machine.
func declared(of Owner, location, dir string) (Tree, string) {
	uri, root := plainURI(of.URI), plainURI(location)
	rel, ok := below(uri, root)
	switch {
	case strings.HasPrefix(uri, "mlflow-artifacts:"):
		return nil, "are kept by an MLflow server: give its URL as the source, or --artifact-root with the directory where it keeps them (--artifacts-destination)"
	case !ok || rel != of.RunID+"/artifacts" && rel != "models/"+of.ModelID+"/artifacts":
		return nil, "are not below the artifact location of their experiment: give --artifact-root with a directory that holds them"
	}
	if !filepath.IsAbs(root) {
		root = filepath.Join(dir, root)
	}
	t, err := openTree(root, rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(root); err != nil {
			return nil, "are below an artifact location that is not on this machine; where there were any, give --artifact-root URI=DIR"
		}
		return nil, "" // MLflow makes the directory with the first file
	case err != nil:
		return nil, "cannot be read: " + cause(err)
	}
	return t, ""
}
