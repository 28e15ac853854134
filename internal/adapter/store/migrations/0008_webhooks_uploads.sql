-- +goose Up

-- Where events of the model registry are sent to. The secret in the body is sealed.
CREATE TABLE webhooks (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
);

-- What is still to be sent; next_us is when, in microseconds since 1970-01-01 UTC.
CREATE TABLE webhook_deliveries (
    id          INTEGER PRIMARY KEY,
    delivery_id TEXT    NOT NULL,
    webhook_id  TEXT    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event       TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    attempts    BIGINT  NOT NULL,
    next_us     BIGINT  NOT NULL
);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, next_us);
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (next_us);

-- Uploads in parts that have begun. The content of the parts is in the blob store; digest and size are those of the whole once
-- it is complete.
CREATE TABLE tracking_uploads (
    id         TEXT   PRIMARY KEY,
    path       TEXT   NOT NULL,
    parts      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    digest     TEXT   NOT NULL DEFAULT ''
);
CREATE TABLE tracking_parts (
    upload_id TEXT   NOT NULL REFERENCES tracking_uploads (id) ON DELETE CASCADE,
    number    BIGINT NOT NULL,
    digest    TEXT   NOT NULL,
    size      BIGINT NOT NULL,
    PRIMARY KEY (upload_id, number)
) WITHOUT ROWID;

-- The key of the URLs that give a right for a while.
CREATE TABLE url_key (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB    NOT NULL
);
INSERT INTO url_key (id, key) VALUES (1, randomblob(32));

-- Runs that were deleted for good and whose points are still in the metric store.
CREATE TABLE tracking_forgotten (run_id TEXT PRIMARY KEY) WITHOUT ROWID;

-- The newest version of each stage of a model is found without reading the others.
CREATE INDEX registry_versions_by_stage ON registry_versions (name, json_extract(body, '$.stage'), version);
