-- +goose Up

-- Rollouts take versions of a model through an endpoint's traffic. The body is the record; the events are the truth about it.
CREATE TABLE rollouts (
    id         TEXT    PRIMARY KEY,
    endpoint   TEXT    NOT NULL,
    started_at BIGINT  NOT NULL,
    settled    INTEGER NOT NULL,
    body       TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX rollouts_by_endpoint ON rollouts (endpoint, started_at);
CREATE INDEX rollouts_unsettled ON rollouts (id) WHERE settled = 0;

-- All events of rollouts, with what was observed. Rows are only added. Decisions are in endpoint_events as well.
CREATE TABLE rollout_events (
    rollout TEXT    NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (rollout, seq)
) WITHOUT ROWID;
