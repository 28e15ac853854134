-- +goose Up

-- Inference graphs answer requests by asking endpoints. The body has what was asked for and what is followed; what happened to them is in
-- endpoint_events.
CREATE TABLE graphs (
    name       TEXT   PRIMARY KEY,
    updated_at BIGINT NOT NULL,
    body       TEXT   NOT NULL
) WITHOUT ROWID;
