-- +goose Up

-- Endpoints answer requests for predictions with versions of a registered model. The body has what was asked for and what is followed.
CREATE TABLE endpoints (
    name       TEXT   PRIMARY KEY,
    updated_at BIGINT NOT NULL,
    body       TEXT   NOT NULL
) WITHOUT ROWID;

-- The versions of an endpoint as they were when they were deployed, with the digests of their files: the registry may lose them.
CREATE TABLE endpoint_versions (
    endpoint TEXT NOT NULL REFERENCES endpoints (name) ON DELETE CASCADE,
    version  TEXT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (endpoint, version)
) WITHOUT ROWID;

-- What happened to endpoints, those that were deleted too. Rows are only added.
CREATE TABLE endpoint_events (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    body     TEXT   NOT NULL
);
CREATE INDEX endpoint_events_by_endpoint ON endpoint_events (endpoint, id);
