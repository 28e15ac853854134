-- +goose Up

-- Reports of checks are looked at again: of those from before it is not known which expectation did not hold.
INSERT INTO data_queue (artifact_id, subject)
SELECT artifact_id, 'report'
FROM data_reports
WHERE kind = 'check'
ON CONFLICT DO NOTHING;
