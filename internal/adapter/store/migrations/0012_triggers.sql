-- +goose Up

-- Triggers start runs when something happens. What changes while a trigger lives has columns of its own; kind is that of its events.
CREATE TABLE triggers (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    name_folded TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    paused      INTEGER NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    failure     TEXT    NOT NULL,
    body        TEXT    NOT NULL
);
CREATE UNIQUE INDEX triggers_by_name ON triggers (name);
CREATE INDEX triggers_by_created ON triggers (created_at, id);
CREATE INDEX triggers_by_kind ON triggers (kind);

-- What has happened and was not handed to the triggers yet. It is written in the transaction of what happened, and only where there is
-- a trigger of its kind.
CREATE TABLE trigger_events (
    n    INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT    NOT NULL
);

-- What a trigger made of each event: a row is there once, whatever is done again. key is what the trigger's dedup_key gave.
CREATE TABLE trigger_firings (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL,
    trigger_id TEXT    NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    state      TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    event      TEXT    NOT NULL
);
CREATE UNIQUE INDEX trigger_firings_by_id ON trigger_firings (id);
CREATE INDEX trigger_firings_by_created ON trigger_firings (trigger_id, created_at, id);
CREATE INDEX trigger_firings_by_state ON trigger_firings (trigger_id, state, n);
CREATE INDEX trigger_firings_by_key ON trigger_firings (trigger_id, key, created_at) WHERE key <> '';

-- The runs that triggers started, written before the run is; cause is a JSON list of the triggers that have led to it before this one.
CREATE TABLE trigger_runs (
    run_id     TEXT   PRIMARY KEY,
    trigger_id TEXT   NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    at         BIGINT NOT NULL,
    cause      TEXT   NOT NULL
) WITHOUT ROWID;
CREATE INDEX trigger_runs_by_trigger ON trigger_runs (trigger_id, at, run_id);

-- What a trigger remembers of the things that it looks at: files as they were seen, runs whose metric is beyond the line.
CREATE TABLE trigger_marks (
    trigger_id TEXT NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (trigger_id, name)
) WITHOUT ROWID;

-- What belongs to which set of files that declare it. An empty target means that it was going to be made, and may be there.
CREATE TABLE declared (
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    set_name TEXT NOT NULL,
    target   TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
