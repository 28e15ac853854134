package mlflow_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // makes the databases

	"levada/internal/cli/mlflow"
	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// oldTables are as MLflow 1.0 wrote them: no steps, no marks for NaN, no times of experiments, no registry.
const oldTables = `
	CREATE TABLE alembic_version (version_num VARCHAR(32));
	INSERT INTO alembic_version VALUES ('181f10493468');
	CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR(256), artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32));
	INSERT INTO experiments VALUES (0, 'Default', 'DIR/0', 'active'), (1, 'old', 'DIR/1', 'deleted');
	CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), user_id VARCHAR(256), status VARCHAR(20), start_time BIGINT, end_time BIGINT,
		lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER);
	INSERT INTO runs VALUES ('r1', NULL, 'ada', 'FINISHED', 1, 2, 'active', 'DIR/0/r1/artifacts', 0),
		('r2', 'x', NULL, 'RUNNING', NULL, NULL, 'deleted', 'DIR/../../etc', 1), ('r3', 'x', NULL, 'FAILED', 1, NULL, 'active', 's3://b/r3', 1),
		('../r4', 'x', NULL, 'FAILED', 1, NULL, 'active', '', 1);
	CREATE TABLE metrics (key VARCHAR(250), value FLOAT, timestamp BIGINT, run_uuid VARCHAR(32));
	INSERT INTO metrics VALUES ('m', 1.5, 10, 'r1'), ('m', NULL, 11, 'r1'), ('n', -2, 11, 'r1');
	CREATE TABLE params (key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32));
	INSERT INTO params VALUES ('p', '1', 'r1');
	CREATE TABLE tags (key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32));
	INSERT INTO tags VALUES ('t', NULL, 'r1');`

func makeDatabase(t *testing.T, statements string) (file, dir string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "mlflow.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), strings.ReplaceAll(statements, "DIR", dir)); err != nil {
		t.Fatal(err)
	}
	return file, dir
}

func open(t *testing.T, where string) (mlflow.Source, *mlflow.Report) {
	t.Helper()
	report := mlflow.NewReport()
	source, err := mlflow.Open(t.Context(), where, mlflow.Options{Report: report})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	return source, report
}

func TestADatabaseOfAnOldMLflowGivesWhatItHas(t *testing.T) {
	file, dir := makeDatabase(t, oldTables)
	if err := os.MkdirAll(filepath.Join(dir, "0", "r1", "artifacts", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "0", "r1", "artifacts", "sub", "x"), []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	source, report := open(t, "sqlite:///"+file)
	if err := mlflow.Import(t.Context(), source, nil, false, report); err != nil {
		t.Fatal(err)
	}
	got := map[mlflow.Kind]int64{}
	for _, k := range mlflow.Kinds {
		if n := report.Count(k).Read; n > 0 {
			got[k] = n
		}
	}
	want := map[mlflow.Kind]int64{mlflow.Experiments: 2, mlflow.Runs: 4, mlflow.Params: 1, mlflow.Tags: 1, mlflow.Points: 3, mlflow.Files: 1, mlflow.Bytes: 5}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{"steps of metrics", "registered models", "times of experiments", "an object store (s3)", "another form than MLflow's", "not below the artifact location"} {
		if !slices.ContainsFunc(report.Notes(), func(n mlflow.Note) bool { return strings.Contains(n.Reason, part) }) {
			t.Errorf("no note says %q: %+v", part, report.Notes())
		}
	}
}

func TestAnIncompleteDatabaseIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ statements, want string }{
		"no table of versions": {strings.Replace(oldTables, "alembic_version", "other", 2), "has no table alembic_version"},
		"no version":           {strings.Replace(oldTables, "INSERT INTO alembic_version", "SELECT 1; --", 1), "does not say the version"},
		"a column is missing":  {strings.Replace(oldTables, "status VARCHAR(20)", "state VARCHAR(20)", 1), "has no column status in its table runs"},
		"no runs":              {strings.ReplaceAll(oldTables, "runs", "trials"), "has no table runs"},
	} {
		t.Run(name, func(t *testing.T) {
			file, _ := makeDatabase(t, c.statements)
			_, err := mlflow.Open(t.Context(), file, mlflow.Options{Report: mlflow.NewReport()})
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestADatabaseIsNeverWritten(t *testing.T) {
	file, _ := makeDatabase(t, oldTables)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	source, report := open(t, file)
	if err := mlflow.Import(t.Context(), source, nil, false, report); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(file)
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("the file has changed, %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("beside the database are %v, %v", entries, err)
	}
}

func TestOnlyNamedDirectoriesAreReadForOtherPlaces(t *testing.T) {
	file, dir := makeDatabase(t, oldTables)
	copied := filepath.Join(dir, "copy", "r3")
	if err := os.MkdirAll(copied, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := mlflow.ParseRoot("s3://b=" + filepath.Join(dir, "copy"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := mlflow.Open(t.Context(), file, mlflow.Options{Report: mlflow.NewReport(), Roots: []mlflow.Root{root}})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if _, err := source.Experiments(t.Context()); err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]bool{
		"s3://b/r3": true, "s3://b/r3/": true, "s3://b/../r3": false, "s3://bb/r3": false, "s3://b/r4": false, "/etc": false, "file:///etc": false,
		dir + "/copy/r3": false, "file://" + dir + "/../../etc": false, "mlflow-artifacts:/r3": false, "http://127.0.0.1/r3": false,
	} {
		tree, why := source.Files(context.Background(), mlflow.Owner{URI: uri, ExperimentID: "0", RunID: "r3"})
		if (tree != nil) != want || tree == nil && why == "" {
			t.Errorf("%s: opened %v, %q; want %v", uri, tree != nil, why, want)
		}
		if tree != nil {
			tree.Close()
		}
	}
}

func FuzzLinesOfMetricFiles(f *testing.F) {
	f.Add("1 0.5 0\n2 nan 1\n3 -inf 2\n4 1e999 3\nx\n5 1 2 name digest\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		run := filepath.Join(dir, "1", "a")
		if err := os.MkdirAll(filepath.Join(run, "metrics"), 0o755); err != nil {
			t.Fatal(err)
		}
		for file, content := range map[string]string{"../meta.yaml": "name: e\n", "meta.yaml": "run_id: a\nstatus: 3\n", "metrics/m": text} {
			if err := os.WriteFile(filepath.Join(run, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		source, report := open(t, dir)
		if err := mlflow.Import(t.Context(), source, nil, false, report); err != nil {
			t.Fatal(err)
		}
		if lines := int64(strings.Count(text, "\n") + strings.Count(text, "\r") + 1); report.Count(mlflow.Points).Read > lines {
			t.Errorf("%d points in %d lines", report.Count(mlflow.Points).Read, lines)
		}
	})
}

func TestPointsSurviveTheWayToTheServer(t *testing.T) {
	var s track.Series
	want := []track.Point{{Time: 1, Step: -2, Value: 0.1}, {Time: 1 << 60, Step: 1 << 40, Value: -1e-300}}
	for _, p := range want {
		s.Add(p)
	}
	got, err := s.Points()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	s.Steps = s.Steps[:1]
	if _, err := s.Points(); fault.KindOf(err) != fault.Invalid {
		t.Errorf("lists of different lengths: %v", err)
	}
}

func change(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Error(err)
	}
}

func TestAPointThatComesLateIsSeen(t *testing.T) {
	// The newest values of metrics stay what they are.
	file, _ := makeDatabase(t, oldTables+`CREATE TABLE latest_metrics (key VARCHAR(250), value FLOAT, timestamp BIGINT, step BIGINT, run_uuid VARCHAR(32));
		INSERT INTO latest_metrics VALUES ('m', 1.5, 11, 0, 'r1');`)
	source, _ := open(t, file)
	state := func() (state []string) {
		t.Helper()
		err := source.Runs(t.Context(), func(runs []mlflow.Run) error {
			for _, r := range runs {
				if r.ID == "r1" {
					state = r.State
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	before := state()
	change(t, file, `INSERT INTO metrics VALUES ('m', 3, 1, 'r1')`)
	if after := state(); len(before) == 0 || slices.Equal(before, after) {
		t.Errorf("the state is %q, and was %q", after, before)
	}
}

func TestADatabaseCanBeWrittenWhilePointsAreSent(t *testing.T) {
	file, _ := makeDatabase(t, oldTables+`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45000)
		INSERT INTO metrics SELECT 'k' || (i % 2), i, i, 'r3' FROM n;`)
	source, _ := open(t, file)
	got := map[string]int{}
	seen := map[track.Point]bool{}
	err := source.Points(t.Context(), mlflow.Run{Run: track.Run{ID: "r3"}}, func(key string, points []track.Point) error {
		change(t, file, `PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE; INSERT INTO metrics VALUES ('m', 1, 1, 'r1'); COMMIT`)
		got[key] += len(points)
		for _, p := range points {
			seen[p] = true
		}
		return nil
	})
	if diff := cmp.Diff(map[string]int{"k0": 22500, "k1": 22500}, got); diff != "" || len(seen) != 45000 || err != nil {
		t.Errorf("%d points, %v\n%s", len(seen), err, diff)
	}
}

func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

func TestAServerThatSendsToAnotherSchemeIsNotFollowed(t *testing.T) {
	asked := 0
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := mlflow.Open(t.Context(), url, mlflow.Options{Report: mlflow.NewReport(), Token: "t"})
	if err == nil || !strings.Contains(err.Error(), "elsewhere") || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

func TestAVersionIsNotSentToAGuessedPlaceWhenTheServerFails(t *testing.T) {
	where := "no JSON"
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/version":
			fmt.Fprint(w, "2.22.5")
		case "/api/2.0/mlflow/registered-models/search":
			if r.URL.Query().Get("filter") != "" {
				fmt.Fprint(w, `{}`)
				return
			}
			fmt.Fprint(w, `{"registered_models": [{"name": "price"}]}`)
		case "/api/2.0/mlflow/registered-models/get":
			fmt.Fprint(w, `{"registered_model": {"name": "price"}}`)
		case "/api/2.0/mlflow/model-versions/search":
			fmt.Fprint(w, `{"model_versions": [{"name": "price", "version": "1", "source": "s3://b/source"}]}`)
		case "/api/2.0/mlflow/model-versions/get-download-uri":
			if where == "" {
				w.WriteHeader(http.StatusNotFound)
			}
			fmt.Fprint(w, where)
		default:
			fmt.Fprint(w, `{}`)
		}
	})
	source, _ := open(t, url)
	var got []string
	models := func() error {
		return source.RegisteredModels(t.Context(), func(r mlflow.Registered) error {
			for _, v := range r.Versions {
				got = append(got, v.Location)
			}
			return nil
		})
	}
	if err := models(); err == nil || len(got) > 0 {
		t.Errorf("an answer that is none: %v, %v", got, err)
	}
	where = ""
	if err := models(); err != nil || !slices.Equal(got, []string{"s3://b/source"}) {
		t.Errorf("a server that does not say it: %v, %v", got, err)
	}
}
