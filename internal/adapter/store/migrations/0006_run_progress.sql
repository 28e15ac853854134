-- +goose Up

-- What changes while a run goes on, apart from the row of the run: that one holds the parameters, which may be as large as a
-- specification, and SQLite writes a row whole. The body is JSON of state, failure, outputs, history, finished_at, tasks, cached.
CREATE TABLE run_progress (
    run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    body   TEXT NOT NULL
);
