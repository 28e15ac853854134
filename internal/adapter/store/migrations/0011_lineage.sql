-- +goose Up

-- Which tasks read which content, to find what was made of something. content is a digest; the address of what is kept elsewhere; or
-- "artifact:" and an id where there is nothing that could be the same elsewhere (run.Artifact.Content). maker is the task that ran: for
-- a task that reused an earlier result that earlier one, so that all who reused it count once.
CREATE TABLE artifact_uses (
    content TEXT NOT NULL,
    maker   TEXT NOT NULL,
    run_id  TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path    TEXT NOT NULL,
    PRIMARY KEY (content, maker, run_id, path)
) WITHOUT ROWID;
CREATE INDEX artifact_uses_by_task ON artifact_uses (run_id, path);

INSERT INTO artifact_uses (content, maker, run_id, path)
SELECT DISTINCT
    CASE
        WHEN COALESCE(json_extract(a.value, '$.digest'), '') <> '' AND json_extract(a.value, '$.size') > 0 THEN json_extract(a.value, '$.digest')
        WHEN COALESCE(json_extract(a.value, '$.digest'), '') = '' AND json_extract(a.value, '$.uri') <> '' THEN json_extract(a.value, '$.uri')
        ELSE 'artifact:' || json_extract(a.value, '$.id')
    END,
    CASE WHEN tasks.cached_from <> '' THEN tasks.cached_from ELSE tasks.id END,
    tasks.run_id, tasks.path
FROM tasks, json_each(tasks.body, '$.inputs.artifacts') AS input, json_each(input.value) AS a
WHERE json_extract(tasks.body, '$.kind') = 'container' AND tasks.state NOT IN ('PENDING', 'SKIPPED') AND json_extract(a.value, '$.id') IS NOT NULL;

-- What is kept elsewhere is found by its address.
CREATE INDEX artifacts_by_uri ON artifacts (json_extract(body, '$.uri')) WHERE digest = '';

-- Who read a dataset or a model, and what a run or a model became.
CREATE INDEX tracking_links_by_ref ON tracking_links (kind, ref, run_id);
CREATE INDEX tracking_tags_by_parent ON tracking_tags (value, run_id) WHERE key = 'mlflow.parentRunId';
CREATE INDEX tracking_models_by_run ON tracking_models (json_extract(body, '$.source_run_id'));
CREATE INDEX registry_versions_by_run ON registry_versions (json_extract(body, '$.run_id'));
CREATE INDEX registry_versions_by_model ON registry_versions (json_extract(body, '$.model_id'));
