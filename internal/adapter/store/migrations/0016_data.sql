-- +goose Up

-- Artifacts that nobody has looked at yet: subject says whether they are tables, or may be reports about tables. A row is written with
-- its artifact and goes when the artifact has been looked at.
CREATE TABLE data_queue (
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    artifact_id TEXT    NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    subject     TEXT    NOT NULL
);
CREATE UNIQUE INDEX data_queue_by_artifact ON data_queue (artifact_id);
CREATE INDEX data_queue_by_subject ON data_queue (subject, n);

-- What tables are like, by the digest of their content: body is the profile, JSON in gzip; reason says why there is none. A row goes
-- when no artifact has the content any more.
CREATE TABLE profiles (
    digest TEXT   PRIMARY KEY,
    state  TEXT   NOT NULL,
    reason TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    took   BIGINT NOT NULL,
    body   BLOB   NOT NULL
);

-- What reports about tables say, of each drift or check. pipeline is the name of the run's pipeline, task that of the task that made it.
CREATE TABLE data_reports (
    artifact_id TEXT    PRIMARY KEY REFERENCES artifacts (id) ON DELETE CASCADE,
    kind        TEXT    NOT NULL,
    run_id      TEXT    NOT NULL,
    task_id     TEXT    NOT NULL,
    pipeline    TEXT    NOT NULL,
    task        TEXT    NOT NULL,
    at          BIGINT  NOT NULL,
    passed      INTEGER NOT NULL,
    body        TEXT    NOT NULL
);
CREATE INDEX data_reports_by_task ON data_reports (kind, pipeline, task, at, artifact_id);

-- What was there before is looked at, too. The newest, which are the last, come first.
INSERT INTO data_queue (artifact_id, subject)
SELECT id, CASE WHEN schema_title = 'system.Dataset' THEN 'table' ELSE 'report' END
FROM artifacts
WHERE digest <> '' AND schema_title IN ('system.Dataset', 'system.Artifact', '')
ORDER BY created_at, id;
