-- +goose Up

-- What changes while a recurring run lives has columns of its own; the body is what it was created with.
CREATE TABLE recurring_runs (
    id                  TEXT    PRIMARY KEY,
    display_name        TEXT    NOT NULL,
    display_name_folded TEXT    NOT NULL,
    description         TEXT    NOT NULL,
    experiment_id       TEXT    NOT NULL,
    enabled             INTEGER NOT NULL,
    created_at          BIGINT  NOT NULL,
    updated_at          BIGINT  NOT NULL,
    last_at             BIGINT  NOT NULL,
    last_index          BIGINT  NOT NULL,
    failure             TEXT    NOT NULL,
    body                TEXT    NOT NULL
);
CREATE INDEX recurring_runs_by_created ON recurring_runs (created_at, id);
CREATE INDEX recurring_runs_by_experiment ON recurring_runs (experiment_id, created_at, id);

ALTER TABLE pipeline_versions ADD COLUMN code_source_url TEXT NOT NULL DEFAULT '';

ALTER TABLE runs ADD COLUMN recurring_run_id TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN scheduled_at BIGINT NOT NULL DEFAULT 0;
UPDATE runs SET scheduled_at = created_at, description = COALESCE(json_extract(body, '$.description'), '');
CREATE INDEX runs_by_recurring_run ON runs (recurring_run_id, created_at, id) WHERE recurring_run_id <> '';
CREATE INDEX runs_by_recurring_state ON runs (recurring_run_id, state) WHERE recurring_run_id <> '';
