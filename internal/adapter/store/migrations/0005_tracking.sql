-- +goose Up

-- Experiments are shared by pipelines and tracking. Tags are a JSON list of key and value; an empty artifact location is
-- the one that follows from the id.
ALTER TABLE experiments ADD COLUMN artifact_location TEXT NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE experiments ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';

-- The default experiment has the id that MLflow's clients expect.
UPDATE runs SET experiment_id = '0' WHERE experiment_id = (SELECT id FROM experiments WHERE display_name = 'Default');
UPDATE run_counts SET experiment_id = '0' WHERE experiment_id = (SELECT id FROM experiments WHERE display_name = 'Default');
UPDATE experiments SET id = '0' WHERE display_name = 'Default';

-- Times of clients are milliseconds since 1970-01-01 UTC; deleted_at is in microseconds as elsewhere, 0 for what is not
-- deleted.
CREATE TABLE tracking_runs (
    id            TEXT   PRIMARY KEY,
    experiment_id TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    user_id       TEXT   NOT NULL,
    status        TEXT   NOT NULL,
    start_ms      BIGINT NOT NULL,
    end_ms        BIGINT,
    deleted_at    BIGINT NOT NULL,
    artifact_uri  TEXT   NOT NULL
);
CREATE INDEX tracking_runs_by_experiment ON tracking_runs (experiment_id);

CREATE TABLE tracking_params (
    run_id TEXT NOT NULL,
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

CREATE TABLE tracking_tags (
    run_id TEXT NOT NULL,
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

-- What a run read and made: datasets ('dataset', name and digest), models ('input' and 'output', model id).
CREATE TABLE tracking_links (
    run_id TEXT   NOT NULL,
    kind   TEXT   NOT NULL,
    ref    TEXT   NOT NULL,
    n      BIGINT NOT NULL,
    body   TEXT   NOT NULL,
    PRIMARY KEY (run_id, kind, ref, n)
) WITHOUT ROWID;

CREATE TABLE tracking_models (
    id            TEXT PRIMARY KEY,
    experiment_id TEXT NOT NULL,
    body          TEXT NOT NULL
);
CREATE INDEX tracking_models_by_experiment ON tracking_models (experiment_id);

CREATE TABLE tracking_model_metrics (
    model_id       TEXT   NOT NULL,
    key            TEXT   NOT NULL,
    time_ms        BIGINT NOT NULL,
    step           BIGINT NOT NULL,
    run_id         TEXT   NOT NULL,
    value          REAL   NOT NULL,
    dataset_name   TEXT   NOT NULL,
    dataset_digest TEXT   NOT NULL,
    PRIMARY KEY (model_id, key, time_ms, step, run_id)
) WITHOUT ROWID;

-- The files that clients put below artifact locations; their content is in the blob store.
CREATE TABLE tracking_files (
    path   TEXT   PRIMARY KEY,
    digest TEXT   NOT NULL,
    size   BIGINT NOT NULL,
    at     BIGINT NOT NULL
) WITHOUT ROWID;

-- Metrics of pipeline tasks that are still to be put into the metric store.
CREATE TABLE tracking_outbox (
    id   INTEGER PRIMARY KEY,
    body TEXT    NOT NULL
);

CREATE TABLE registry_models (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE registry_versions (
    name    TEXT   NOT NULL REFERENCES registry_models (name) ON DELETE CASCADE ON UPDATE CASCADE,
    version BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (name, version)
);
