-- +goose Up

-- Conventions, so that the same queries run on Postgres: times are microseconds since 1970-01-01 UTC, 0 where there is
-- none; flags are 0 or 1; text compares byte by byte; a body is the JSON of the whole record, and where a column holds
-- the same field the column is right.

CREATE TABLE specs (
    digest TEXT PRIMARY KEY,
    body   BLOB NOT NULL
);

CREATE TABLE experiments (
    id                  TEXT    PRIMARY KEY,
    display_name        TEXT    NOT NULL,
    display_name_folded TEXT    NOT NULL,
    description         TEXT    NOT NULL,
    archived            INTEGER NOT NULL,
    created_at          BIGINT  NOT NULL,
    last_run_at         BIGINT  NOT NULL
);
CREATE UNIQUE INDEX experiments_by_name ON experiments (display_name);
CREATE INDEX experiments_by_created ON experiments (created_at, id);

CREATE TABLE pipelines (
    id                  TEXT   PRIMARY KEY,
    name                TEXT   NOT NULL,
    name_folded         TEXT   NOT NULL,
    display_name        TEXT   NOT NULL,
    display_name_folded TEXT   NOT NULL,
    description         TEXT   NOT NULL,
    tags                TEXT   NOT NULL,
    created_at          BIGINT NOT NULL
);
CREATE UNIQUE INDEX pipelines_by_name ON pipelines (name);
CREATE INDEX pipelines_by_created ON pipelines (created_at, id);

CREATE TABLE pipeline_versions (
    id                  TEXT   PRIMARY KEY,
    pipeline_id         TEXT   NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    name                TEXT   NOT NULL,
    name_folded         TEXT   NOT NULL,
    display_name        TEXT   NOT NULL,
    display_name_folded TEXT   NOT NULL,
    description         TEXT   NOT NULL,
    spec_digest         TEXT   NOT NULL,
    tags                TEXT   NOT NULL,
    created_at          BIGINT NOT NULL
);
CREATE UNIQUE INDEX pipeline_versions_by_name ON pipeline_versions (pipeline_id, name);
CREATE INDEX pipeline_versions_by_created ON pipeline_versions (pipeline_id, created_at, id);

CREATE TABLE runs (
    id                   TEXT    PRIMARY KEY,
    display_name         TEXT    NOT NULL,
    display_name_folded  TEXT    NOT NULL,
    experiment_id        TEXT    NOT NULL,
    pipeline_id          TEXT    NOT NULL,
    version_id           TEXT    NOT NULL,
    pipeline_name        TEXT    NOT NULL,
    pipeline_name_folded TEXT    NOT NULL,
    state                TEXT    NOT NULL,
    archived             INTEGER NOT NULL,
    created_at           BIGINT  NOT NULL,
    finished_at          BIGINT  NOT NULL,
    body                 TEXT    NOT NULL
);
-- The columns after id are there to filter without reading the row.
CREATE INDEX runs_by_archived ON runs (archived, created_at, id, display_name_folded);
CREATE INDEX runs_by_created ON runs (created_at, id);
CREATE INDEX runs_by_experiment ON runs (experiment_id, created_at, id, archived);
CREATE INDEX runs_by_pipeline ON runs (pipeline_id, created_at, id, archived);
CREATE INDEX runs_by_state ON runs (state, created_at, id, archived);
CREATE INDEX runs_by_name ON runs (display_name, id);

-- How many runs there are of each kind, kept with every change of runs, because counting a million rows for every page
-- of a list would cost more than the page.
CREATE TABLE run_counts (
    experiment_id TEXT    NOT NULL,
    pipeline_id   TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    archived      INTEGER NOT NULL,
    n             BIGINT  NOT NULL,
    PRIMARY KEY (experiment_id, pipeline_id, state, archived)
) WITHOUT ROWID;

CREATE TABLE events (
    run_id TEXT   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq    BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    type   TEXT   NOT NULL,
    body   TEXT   NOT NULL,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE tasks (
    run_id      TEXT   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path        TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    ordinal     BIGINT NOT NULL,
    state       TEXT   NOT NULL,
    cached_from TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    PRIMARY KEY (run_id, path)
);
CREATE UNIQUE INDEX tasks_by_id ON tasks (id);
CREATE UNIQUE INDEX tasks_by_ordinal ON tasks (run_id, ordinal);
CREATE INDEX tasks_by_source ON tasks (cached_from, run_id) WHERE cached_from <> '';

CREATE TABLE artifacts (
    id           TEXT   PRIMARY KEY,
    run_id       TEXT   NOT NULL,
    task_id      TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    name_folded  TEXT   NOT NULL,
    schema_title TEXT   NOT NULL,
    digest       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    body         TEXT   NOT NULL
);
CREATE INDEX artifacts_by_created ON artifacts (created_at, id);
CREATE INDEX artifacts_by_run ON artifacts (run_id, created_at, id);
CREATE INDEX artifacts_by_task ON artifacts (task_id, created_at, id);
CREATE INDEX artifacts_by_name ON artifacts (name, created_at, id);
CREATE INDEX artifacts_by_schema ON artifacts (schema_title, created_at, id);
CREATE INDEX artifacts_by_digest ON artifacts (digest, created_at, id);

CREATE TABLE artifact_counts (
    schema_title TEXT   PRIMARY KEY,
    n            BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE cache_entries (
    key        TEXT   NOT NULL,
    task_id    TEXT   NOT NULL,
    run_id     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    body       TEXT   NOT NULL,
    PRIMARY KEY (key, task_id)
);
CREATE INDEX cache_entries_by_age ON cache_entries (key, created_at, task_id);
CREATE INDEX cache_entries_by_run ON cache_entries (run_id);
