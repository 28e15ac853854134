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
