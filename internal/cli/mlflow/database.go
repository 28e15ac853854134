package mlflow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// database reads the tables that an MLflow server writes. Their columns differ between its versions: those that a database does
// not have are read as their defaults. Queries are short, so that a server that works on the database meanwhile is not held up.
type database struct {
	db     *sql.DB
	name   string
	sqlite bool
	// dir is where relative artifact locations begin.
	dir    string
	roots  []Root
	report *Report
	// tables holds the columns by table.
	tables map[string][]string
	// locations are the artifact locations of experiments, by id.
	locations map[string]string
}

// needed are the tables without which there is nothing to import.
var needed = []string{"experiments", "runs", "metrics", "params", "tags"}

func openSQLite(ctx context.Context, path string, o Options) (Source, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(abs); err != nil || !info.Mode().IsRegular() {
		return nil, fault.Invalidf("%s is not a database file: %w", path, err)
	}
	slashed := filepath.ToSlash(abs)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/dir on Windows
	}
	u := url.URL{Scheme: "file", Path: slashed, RawQuery: url.Values{
		"mode": {"ro"}, "_pragma": {"query_only(1)", "trusted_schema(0)", "cell_size_check(1)"}, "_busy_timeout": {"30000"},
	}.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	d := &database{db: db, name: abs, sqlite: true, dir: filepath.Dir(abs), roots: o.Roots, report: o.Report}
	return d.opened(ctx, `SELECT name FROM sqlite_master WHERE type = 'table'`)
}

func openPostgres(ctx context.Context, where string, o Options) (Source, error) {
	config, err := pgx.ParseConfig(where)
	if err != nil {
		return nil, fault.Invalidf("the database's URL cannot be read: want postgresql://USER:PASSWORD@HOST:PORT/DATABASE") // the error has the URL in it
	}
	config.RuntimeParams["default_transaction_read_only"] = "on"
	d := &database{db: stdlib.OpenDB(*config), roots: o.Roots, report: o.Report,
		name: "postgresql://" + net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))) + "/" + config.Database}
	return d.opened(ctx, `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`)
}

// opened looks at the tables and refuses what is no database of MLflow's.
func (d *database) opened(ctx context.Context, tables string) (Source, error) {
	err := d.look(ctx, tables)
	if err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	return d, nil
}

func (d *database) look(ctx context.Context, query string) error {
	d.db.SetMaxOpenConns(6)
	var names []string
	err := d.each(ctx, query, nil, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		return fault.Invalidf("%s cannot be read as a database: %w", d.name, err)
	}
	for _, table := range append([]string{"alembic_version"}, needed...) {
		if !slices.Contains(names, table) {
			return fault.Invalidf("%s is not a database of MLflow: it has no table %s", d.name, table)
		}
	}
	d.tables = map[string][]string{}
	for _, table := range names {
		if !known[table] {
			continue
		}
		columns, err := d.columns(ctx, table)
		if err != nil {
			return fmt.Errorf("read %s: %w", d.name, err)
		}
		d.tables[table] = columns
	}
	for table, columns := range required {
		for _, c := range columns {
			if len(d.tables[table]) > 0 && !slices.Contains(d.tables[table], c) {
				return fault.Invalidf("%s has no column %s in its table %s, so it is older than what can be read: bring it up to date with "+
					"\"mlflow db upgrade\" on a copy", d.name, c, table)
			}
		}
	}
	var version sql.NullString
	err = d.db.QueryRowContext(ctx, `SELECT version_num FROM alembic_version`).Scan(&version)
	if err != nil || version.String == "" {
		return fault.Invalidf("%s does not say the version of its tables (alembic_version): it is not a database of MLflow, or was not set up whole", d.name)
	}
	for _, c := range []struct{ table, column, lost string }{
		{"experiments", "creation_time", "times of experiments"}, {"metrics", "step", "steps of metrics"},
		{"model_versions", "storage_location", "storage locations of versions: their sources are taken"},
		{"inputs", "destination_id", "datasets and models of runs"}, {"logged_models", "model_id", "logged models"},
		{"registered_models", "name", "registered models"}, {"registered_model_aliases", "alias", "aliases"},
	} {
		if !d.has(c.table, c.column) {
			d.report.leave("database", "an older MLflow wrote it (its tables have the version "+version.String+"), which had none of: "+c.lost, "", 1)
		}
	}
	return nil
}

func (d *database) columns(ctx context.Context, table string) ([]string, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT * FROM `+table+` LIMIT 0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	return columns, errors.Join(err, rows.Err())
}

// required are the columns that each version of a table has had.
var required = map[string][]string{
	"experiments": {"experiment_id", "name", "lifecycle_stage"},
	"runs":        {"run_uuid", "experiment_id", "status", "start_time", "end_time", "lifecycle_stage", "artifact_uri"},
	"metrics":     {"run_uuid", "key", "value", "timestamp"},
	"params":      {"run_uuid", "key", "value"},
	"tags":        {"run_uuid", "key", "value"},
}

// known are the tables that are read.
var known = map[string]bool{
	"experiments": true, "experiment_tags": true, "runs": true, "metrics": true, "latest_metrics": true, "params": true, "tags": true,
	"datasets": true, "inputs": true, "input_tags": true, "logged_models": true, "logged_model_params": true, "logged_model_tags": true,
	"logged_model_metrics": true, "registered_models": true, "registered_model_tags": true, "registered_model_aliases": true,
	"model_versions": true, "model_version_tags": true,
}

// others are tables with things that an import does not bring.
var others = map[string]string{
	"trace_info": "traces", "assessments": "assessments of traces", "webhooks": "webhooks", "scorers": "scorers",
	"evaluation_datasets": "evaluation datasets", "endpoints": "gateway endpoints", "review_queues": "review queues", "label_schemas": "label schemas",
	"issues": "issues", "users": "users", "experiment_permissions": "permissions of experiments",
	"registered_model_permissions": "permissions of registered models", "mcp_servers": "MCP servers",
}

func (d *database) Name() string { return d.name }
func (d *database) Close() error { return d.db.Close() }

func (d *database) has(table, column string) bool { return slices.Contains(d.tables[table], column) }

// pick lists columns; those that the table does not have are NULL.
func (d *database) pick(table string, columns ...string) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c
		if !d.has(table, c) {
			out[i] = "NULL"
		}
	}
	return strings.Join(out, ", ")
}

func (d *database) each(ctx context.Context, query string, args []any, row func(scan func(...any) error) error) error {
	rows, err := d.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Others counts what the tables hold that is not brought.
func (d *database) Others(ctx context.Context) map[string]int64 {
	out := map[string]int64{}
	for table, what := range others {
		var n int64
		if err := d.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table).Scan(&n); err == nil && n > 0 {
			out[what] = n // where there is no such table there is nothing
		}
	}
	return out
}

// Experiments reads experiments with their tags.
func (d *database) Experiments(ctx context.Context) ([]track.Experiment, error) {
	var out []track.Experiment
	at := map[string]int{}
	d.locations = map[string]string{}
	query := `SELECT ` + d.pick("experiments", "experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time", "last_update_time") +
		` FROM experiments ORDER BY experiment_id`
	err := d.each(ctx, query, nil, func(scan func(...any) error) error {
		var id int64
		var name, location, stage sql.NullString
		var created, updated sql.NullInt64
		if err := scan(&id, &name, &location, &stage, &created, &updated); err != nil {
			return err
		}
		e := track.Experiment{ID: strconv.FormatInt(id, 10), Name: name.String, ArtifactLocation: location.String, Deleted: stage.String == "deleted",
			CreatedAt: milli(created), UpdatedAt: milli(updated)}
		d.locations[e.ID] = e.ArtifactLocation
		at[e.ID] = len(out)
		out = append(out, e)
		return nil
	})
	if err != nil || !d.has("experiment_tags", "experiment_id") {
		return out, err
	}
	return out, d.each(ctx, `SELECT experiment_id, key, value FROM experiment_tags ORDER BY key`, nil, func(scan func(...any) error) error {
		var id int64
		var key, value sql.NullString
		if err := scan(&id, &key, &value); err != nil {
			return err
		}
		if i, ok := at[strconv.FormatInt(id, 10)]; ok {
			out[i].Tags = append(out[i].Tags, track.KV{Key: key.String, Value: value.String})
		}
		return nil
	})
}

// Runs reads runs in the order of their ids, a batch at a time.
func (d *database) Runs(ctx context.Context, some func([]Run) error) error {
	// Uses the primary key.
	query := `SELECT ` + d.pick("runs", "run_uuid", "experiment_id", "name", "user_id", "status", "start_time", "end_time", "lifecycle_stage",
		"artifact_uri") + ` FROM runs WHERE run_uuid > $1 ORDER BY run_uuid LIMIT ` + strconv.Itoa(batch)
	for last := ""; ; {
		var runs []Run
		err := d.each(ctx, query, []any{last}, func(scan func(...any) error) error {
			r, err := scanRun(scan)
			runs = append(runs, r)
			return err
		})
		if err != nil || len(runs) == 0 {
			return err
		}
		last = runs[len(runs)-1].ID
		if err := d.complete(ctx, runs); err != nil {
			return err
		}
		if err := some(runs); err != nil {
			return err
		}
	}
}

func scanRun(scan func(...any) error) (Run, error) {
	var r Run
	var experiment, start, end sql.NullInt64
	var name, user, status, stage, uri sql.NullString
	if err := scan(&r.ID, &experiment, &name, &user, &status, &start, &end, &stage, &uri); err != nil {
		return r, err
	}
	r.ExperimentID, r.Name, r.UserID = strconv.FormatInt(experiment.Int64, 10), name.String, user.String
	r.Status, r.StartMS, r.Deleted, r.ArtifactURI = track.Status(status.String), start.Int64, stage.String == "deleted", uri.String
	if end.Valid {
		r.EndMS = &end.Int64
	}
	return r, nil
}

// among is a condition for a column that has one of the ids of runs.
func among(column string, runs []Run) (string, []any) {
	marks, args := make([]string, len(runs)), make([]any, len(runs))
	for i, r := range runs {
		marks[i], args[i] = "$"+strconv.Itoa(i+1), r.ID
	}
	return column + " IN (" + strings.Join(marks, ", ") + ")", args
}

// complete adds parameters, tags, links and the newest values of metrics.
func (d *database) complete(ctx context.Context, runs []Run) error {
	at := map[string]*Run{}
	for i := range runs {
		at[runs[i].ID] = &runs[i]
	}
	where, args := among("run_uuid", runs)
	pairs := func(table string, add func(*Run, track.KV)) error {
		// Uses the index on run_uuid.
		return d.each(ctx, `SELECT run_uuid, key, value FROM `+table+` WHERE `+where+` ORDER BY key`, args, func(scan func(...any) error) error {
			var id, key string
			var value sql.NullString
			if err := scan(&id, &key, &value); err != nil {
				return err
			}
			add(at[id], track.KV{Key: key, Value: value.String})
			return nil
		})
	}
	err := pairs("params", func(r *Run, kv track.KV) { r.Params = append(r.Params, kv) })
	if err == nil {
		err = pairs("tags", func(r *Run, kv track.KV) { r.Tags = append(r.Tags, kv) })
	}
	if err == nil && d.has("latest_metrics", "run_uuid") {
		query := `SELECT run_uuid, key, value, timestamp, step FROM latest_metrics WHERE ` + where + ` ORDER BY key`
		err = d.each(ctx, query, args, func(scan func(...any) error) error {
			var id, key string
			var value sql.NullFloat64
			var at2, step sql.NullInt64
			if err := scan(&id, &key, &value, &at2, &step); err != nil {
				return err
			}
			r := at[id]
			r.State = append(r.State, fmt.Sprint(key, value.Float64, at2.Int64, step.Int64))
			return nil
		})
	}
	if err == nil {
		// A point may come late, with a step or time below the newest. Uses the index on run_uuid.
		query := `SELECT run_uuid, COUNT(*) FROM metrics WHERE ` + where + ` GROUP BY run_uuid`
		err = d.each(ctx, query, args, func(scan func(...any) error) error {
			var id string
			var n int64
			err := scan(&id, &n)
			if r := at[id]; r != nil {
				r.State = append(r.State, strconv.FormatInt(n, 10))
			}
			return err
		})
	}
	if err == nil {
		err = d.links(ctx, runs, at)
	}
	return err
}
