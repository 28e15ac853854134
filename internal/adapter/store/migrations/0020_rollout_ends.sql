-- +goose Up

-- What rollouts that have ended came to, so that it need not be replayed from their events: the state and the report as JSON. A row can be made again
-- from rollout_events at any time; form says which form it has.
CREATE TABLE rollout_ends (
    rollout TEXT    PRIMARY KEY REFERENCES rollouts (id) ON DELETE CASCADE,
    form    INTEGER NOT NULL,
    body    TEXT    NOT NULL
) WITHOUT ROWID;
