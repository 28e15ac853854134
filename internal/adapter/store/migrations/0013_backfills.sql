-- +goose Up

-- How pipelines are partitioned. The body is partition.Definition.
CREATE TABLE partitionings (
    pipeline_id TEXT PRIMARY KEY REFERENCES pipelines (id) ON DELETE CASCADE,
    body        TEXT NOT NULL
);

-- partition_key is the value of the parameter that the run's pipeline is partitioned by, empty where there is none.
ALTER TABLE runs ADD COLUMN partition_key TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN backfill_id TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_by_partition ON runs (pipeline_id, partition_key, created_at, id) WHERE partition_key <> '';
CREATE INDEX runs_by_backfill ON runs (backfill_id, state, id) WHERE backfill_id <> '';

-- What changes while a backfill lives has columns of its own; the body is what it was created with.
CREATE TABLE backfills (
    id          TEXT   PRIMARY KEY,
    pipeline_id TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    failure     TEXT   NOT NULL,
    body        TEXT   NOT NULL
);
CREATE INDEX backfills_by_created ON backfills (created_at, id);
CREATE INDEX backfills_by_pipeline ON backfills (pipeline_id, created_at, id);

-- The partitions of a backfill in the order in which they are started. run_id is known before the run is. since is when the
-- partition began to wait: a run of it that ended later needs no other try.
CREATE TABLE backfill_partitions (
    backfill_id   TEXT   NOT NULL REFERENCES backfills (id) ON DELETE CASCADE,
    position      BIGINT NOT NULL,
    partition_key TEXT   NOT NULL,
    run_id        TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    since         BIGINT NOT NULL,
    PRIMARY KEY (backfill_id, position)
) WITHOUT ROWID;
CREATE INDEX backfill_partitions_by_state ON backfill_partitions (backfill_id, state, position);
