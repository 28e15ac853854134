-- +goose Up

-- What happened to registered models, the newest of it; at is in microseconds since 1970-01-01 UTC. Of what happened before there
-- was this table only the making of versions is known.
CREATE TABLE registry_changes (
    id     BIGINT PRIMARY KEY,
    at     BIGINT NOT NULL,
    name   TEXT   NOT NULL,
    prompt BIGINT NOT NULL,
    body   TEXT   NOT NULL
);
INSERT INTO registry_changes (id, at, name, prompt, body)
SELECT ROW_NUMBER() OVER (ORDER BY json_extract(v.body, '$.created_us'), v.name, v.version),
    json_extract(v.body, '$.created_us'), v.name,
    CASE WHEN m.body LIKE '%"mlflow.prompt.is_prompt"%' THEN 1 ELSE 0 END,
    json_object('at_us', json_extract(v.body, '$.created_us'), 'kind', 'version_created', 'model', v.name, 'version', v.version)
FROM registry_versions v JOIN registry_models m ON m.name = v.name;

-- Tracked runs that are going on, and the newest ones by name, are found without reading the others.
CREATE INDEX tracking_runs_going_on ON tracking_runs (start_ms, id) WHERE status = 'RUNNING' AND deleted_at = 0;
CREATE INDEX tracking_runs_by_start ON tracking_runs (start_ms, id, name) WHERE deleted_at = 0;
