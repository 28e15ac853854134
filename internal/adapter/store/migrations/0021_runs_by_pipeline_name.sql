-- +goose Up

-- Whether a run has the name that a trigger waits for: lists ask for each name.
CREATE INDEX runs_by_pipeline_name ON runs (pipeline_name);
