-- +goose Up

-- What is known about a trace, as JSON; start_ms is in milliseconds since 1970-01-01 UTC, as clients gave it.
CREATE TABLE traces (
    id            TEXT   PRIMARY KEY,
    experiment_id TEXT   NOT NULL,
    start_ms      BIGINT NOT NULL,
    body          TEXT   NOT NULL
);
CREATE INDEX traces_by_time ON traces (experiment_id, start_ms DESC, id);

-- Spans as they came: each row holds what one request brought of one trace, compressed, a line a span. A batch that comes again
-- takes the place of the one before; n is the order in which they came. See docs/format/traces.md.
CREATE TABLE trace_spans (
    n        INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL,
    sum      BLOB NOT NULL,
    body     BLOB NOT NULL,
    UNIQUE (trace_id, sum)
);

-- The runs that traces belong to, by their metadata or because they were linked later.
CREATE TABLE trace_runs (
    run_id   TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    PRIMARY KEY (run_id, trace_id)
) WITHOUT ROWID;
CREATE INDEX trace_runs_by_trace ON trace_runs (trace_id);
