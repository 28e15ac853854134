-- +goose Up

-- Keys are made in another way since this version, so that no entry made before would ever be found. id is that of the task that
-- made the outputs.
DROP TABLE cache_entries;
CREATE TABLE cache_entries (
    id            TEXT   PRIMARY KEY,
    key           TEXT   NOT NULL,
    run_id        TEXT   NOT NULL,
    component     TEXT   NOT NULL,
    pipeline_name TEXT   NOT NULL,
    size          BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    used_at       BIGINT NOT NULL,
    hits          BIGINT NOT NULL,
    body          TEXT   NOT NULL
);
CREATE INDEX cache_entries_by_key ON cache_entries (key, created_at, id);
CREATE INDEX cache_entries_by_created ON cache_entries (created_at, id);
CREATE INDEX cache_entries_by_component ON cache_entries (component, created_at, id);
CREATE INDEX cache_entries_by_run ON cache_entries (run_id);
