package store

import (
	"context"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// before is a database of the first schema, with what an early version stored in it.
const before = `
INSERT INTO experiments VALUES ('e-default', 'Default', 'default', '', 0, 1, 1), ('e-other', 'Other', 'other', '', 0, 2, 2);
INSERT INTO runs VALUES
	('r1', 'one', 'one', 'e-default', '', '', 'p', 'p', 'RUNNING', 0, 5, 0, '{"id":"r1","description":"why","experiment_id":"e-default","state":"RUNNING","outputs":{},"spec_digest":"d"}'),
	('r2', 'two', 'two', 'e-other', '', '', 'p', 'p', 'SUCCEEDED', 0, 6, 7, '{"id":"r2","experiment_id":"e-other","state":"SUCCEEDED","outputs":{},"spec_digest":"d"}');
INSERT INTO run_counts VALUES ('e-default', '', 'RUNNING', 0, 1), ('e-other', '', 'SUCCEEDED', 0, 1);
INSERT INTO cache_entries VALUES ('k', 't', 'r2', 7, '{}');
INSERT INTO tasks VALUES
	('r2', 'fit', 't1', 1, 'SUCCEEDED', '', '{"id":"t1","kind":"container","inputs":{"artifacts":{"data":[{"id":"a1","digest":"sha256:d","size":3,"uri":"levada://sha256:d"}],
		"raw":[{"id":"a2","size":0,"uri":"s3://raw"}],"none":[{"id":"a3","digest":"sha256:e","size":0}]}}}'),
	('r2', 'again', 't2', 2, 'SUCCEEDED', 't0', '{"id":"t2","kind":"container","inputs":{"artifacts":{"data":[{"id":"a1","digest":"sha256:d","size":3}]}}}'),
	('r2', 'later', 't3', 3, 'PENDING', '', '{"id":"t3","kind":"container","inputs":{}}');
`

func TestADatabaseOfTheFirstSchemaKeepsItsRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levada.db")
	db, err := openWriter(t.Context(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := s.GetRun(t.Context(), "r1")
	if err != nil || r.ExperimentID != "0" || r.Description != "why" || r.State != run.Running {
		t.Errorf("%+v %v, want the run as it was, in the default experiment 0", r, err)
	}
	for experiment, want := range map[string]string{"0": "r1", "e-other": "r2"} {
		page, err := s.ListRuns(context.Background(), listing.Query{PageSize: 10, Where: []listing.Predicate{
			{Key: "experiment_id", Op: listing.Equals, Values: []any{experiment}},
		}})
		if err != nil || len(page.Items) != 1 || page.Total != 1 || page.Items[0].ID != want {
			t.Errorf("the runs of %s: %+v %v, want %s", experiment, page, err, want)
		}
	}
	users, err := s.Lineage().Users(t.Context(), []string{"sha256:d", "s3://raw", "artifact:a3", "sha256:e"}, 10)
	want := map[string][]string{"sha256:d": {"t0", "t1"}, "s3://raw": {"t1"}, "artifact:a3": {"t1"}}
	if diff := cmp.Diff(want, users); err != nil || diff != "" {
		t.Errorf("what its tasks have read: %v %s", err, diff)
	}
	// It goes on, and comes to be tracked.
	r.State = run.Failed
	event := run.Event{Seq: 1, Type: "run_finished", At: r.CreatedAt, Body: []byte(`{}`)}
	if err := s.Append(t.Context(), "r1", []run.Event{event}, run.Changes{Run: &r}); err != nil {
		t.Fatal(err)
	}
	tracked, err := s.Tracking().Run(t.Context(), "r1")
	if err != nil || tracked.ExperimentID != "0" {
		t.Errorf("%+v %v, want the tracked run", tracked, err)
	}
}
