-- +goose Up

-- Secrets and config maps. The values are only in body, sealed (docs/format/secrets.md); keys is a JSON list of their names.
CREATE TABLE secrets (
    kind       TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    keys       TEXT   NOT NULL,
    body       BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);
