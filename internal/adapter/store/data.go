package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"time"

	"levada/internal/core/observe"
	"levada/internal/core/run"
)

// Data is what the dataset service sees of a Store.
type Data struct{ s *Store }

// Data returns the part of the store that is for the dataset service.
func (s *Store) Data() Data { return Data{s} }

// queueData notes the artifacts that hold something to look at. It reports whether there are any.
func queueData(ctx context.Context, tx *tx, artifacts []run.Artifact) (bool, error) {
	any := false
	for _, a := range artifacts {
		subject := observe.SubjectOf(a)
		if subject == observe.Nothing {
			continue
		}
		any = true
		// Uses data_queue_by_artifact.
		_, err := tx.exec(ctx, `
			INSERT INTO data_queue (artifact_id, subject)
			VALUES ($1, $2)
			ON CONFLICT DO NOTHING`, a.ID, string(subject))
		if err != nil {
			return any, err
		}
	}
	return any, nil
}

// dataMade is queueData with a signal.
func (s *Store) dataMade(ctx context.Context, tx *tx, artifacts []run.Artifact) error {
	unseen, err := queueData(ctx, tx, artifacts)
	if unseen {
		tx.committed(s.signalData)
	}
	return err
}

func (s *Store) signalData() {
	select {
	case s.unseen <- struct{}{}:
	default: // the service has not looked yet
	}
}

// UnseenSignal is sent to when there is something new to look at.
func (d Data) UnseenSignal() <-chan struct{} { return d.s.unseen }

// Unseen returns artifacts of a subject that were not looked at yet, the newest first, at most limit.
func (d Data) Unseen(ctx context.Context, subject observe.Subject, limit int) ([]run.Artifact, error) {
	// Uses data_queue_by_subject and the primary key of artifacts.
	return readAll(ctx, d.s, scanArtifact, `
		SELECT artifacts.body
		FROM data_queue JOIN artifacts ON artifacts.id = data_queue.artifact_id
		WHERE data_queue.subject = $1
		ORDER BY data_queue.n DESC
		LIMIT $2`, string(subject), limit)
}

// Waiting returns how many artifacts of a subject were not looked at yet.
func (d Data) Waiting(ctx context.Context, subject observe.Subject) (int, error) {
	// Uses data_queue_by_subject.
	n, err := readAll(ctx, d.s, scanCount, `SELECT COUNT(*) FROM data_queue WHERE subject = $1`, string(subject))
	if err != nil || len(n) == 0 {
		return 0, err
	}
	return n[0], nil
}

func scanCount(scan scanner) (int, error) {
	var n int
	err := scan(&n)
	return n, err
}

// Queued reports whether an artifact waits to be looked at.
func (d Data) Queued(ctx context.Context, artifactID string) (bool, error) {
	// Uses data_queue_by_artifact.
	n, err := readAll(ctx, d.s, scanCount, `SELECT COUNT(*) FROM data_queue WHERE artifact_id = $1`, artifactID)
	return err == nil && len(n) > 0 && n[0] > 0, err
}

// Queue has an artifact looked at as a table, before others and whatever was stored of its content.
func (d Data) Queue(ctx context.Context, artifactID, digest string) error {
	return d.s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		if _, err := tx.exec(ctx, `DELETE FROM profiles WHERE digest = $1`, digest); err != nil {
			return err
		}
		return d.first(ctx, tx, artifactID)
	})
}

// Renew has an artifact looked at as a table, before others. What is stored of its content stays until then.
func (d Data) Renew(ctx context.Context, artifactID string) error {
	return d.s.update(ctx, func(ctx context.Context, tx *tx) error { return d.first(ctx, tx, artifactID) })
}

// first puts an artifact at the front of the queue.
func (d Data) first(ctx context.Context, tx *tx, artifactID string) error {
	// Uses data_queue_by_artifact. A new row has the highest number.
	if _, err := tx.exec(ctx, `DELETE FROM data_queue WHERE artifact_id = $1`, artifactID); err != nil {
		return err
	}
	// Uses the primary key of artifacts.
	_, err := tx.exec(ctx, `
		INSERT INTO data_queue (artifact_id, subject)
		SELECT id, $2 FROM artifacts WHERE id = $1`, artifactID, string(observe.Table))
	tx.committed(d.s.signalData)
	return err
}

// Seen notes that artifacts were looked at, and what was found: a profile of their content, or a report. Either may be nil. A profile
// is kept only while an artifact has the content, a report only while its artifact is there.
func (d Data) Seen(ctx context.Context, artifactIDs []string, p *observe.Profile, r *observe.Stored) error {
	var zipped []byte
	if p != nil {
		var err error
		if zipped, err = deflated(p.Table); err != nil {
			return err
		}
	}
	return d.s.update(ctx, func(ctx context.Context, tx *tx) error {
		if p != nil {
			// Uses artifacts_by_digest and the primary key.
			_, err := tx.exec(ctx, `
				INSERT INTO profiles (digest, state, reason, at, took, body)
				SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM artifacts WHERE digest = $1)
				ON CONFLICT (digest) DO UPDATE
				SET state = excluded.state, reason = excluded.reason, at = excluded.at, took = excluded.took, body = excluded.body`,
				p.Digest, string(p.State), p.Reason, micros(p.At), p.Took.Microseconds(), zipped)
			if err != nil {
				return err
			}
		}
		if r != nil {
			if err := putReport(ctx, tx, *r); err != nil {
				return err
			}
		}
		for _, id := range artifactIDs {
			// Uses data_queue_by_artifact.
			if _, err := tx.exec(ctx, `DELETE FROM data_queue WHERE artifact_id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// putReport stores a report with the time of its artifact and the pipeline of its run.
func putReport(ctx context.Context, tx *tx, r observe.Stored) error {
	body, err := encode("report", r.Result)
	if err != nil {
		return err
	}
	// Uses the primary keys of artifacts and runs.
	_, err = tx.exec(ctx, `
		INSERT INTO data_reports (artifact_id, kind, run_id, task_id, pipeline, task, at, passed, body)
		SELECT a.id, $2, a.run_id, a.task_id, r.pipeline_name, $3, a.created_at, $4, $5
		FROM artifacts a JOIN runs r ON r.id = a.run_id
		WHERE a.id = $1
		ON CONFLICT (artifact_id) DO UPDATE SET kind = excluded.kind, passed = excluded.passed, body = excluded.body`,
		r.ArtifactID, string(r.Kind), r.Task, bit(r.Passed), body)
	return err
}

// Profile returns what is stored of a content.
func (d Data) Profile(ctx context.Context, digest string) (observe.Profile, error) {
	// Uses the primary key.
	return readOne(ctx, d.s, "profile of", digest, `SELECT digest, state, reason, at, took, body FROM profiles WHERE digest = $1`, scanProfile, digest)
}

func scanProfile(scan scanner) (observe.Profile, error) {
	var p observe.Profile
	var at, took int64
	var zipped []byte
	if err := scan(&p.Digest, &p.State, &p.Reason, &at, &took, &zipped); err != nil {
		return p, err
	}
	p.At, p.Took = instant(at), time.Duration(took)*time.Microsecond
	var err error
	p.Table, err = inflated(zipped)
	return p, err
}

// DropProfiles removes the profiles of content that no artifact has any more.
func (d Data) DropProfiles(ctx context.Context) error {
	return d.s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses artifacts_by_digest.
		_, err := tx.exec(ctx, `
			DELETE FROM profiles
			WHERE NOT EXISTS (SELECT 1 FROM artifacts WHERE artifacts.digest = profiles.digest)`)
		return err
	})
}

const reportColumns = `data_reports.artifact_id, data_reports.run_id, data_reports.task_id, data_reports.pipeline, data_reports.task, data_reports.at,
	data_reports.body, COALESCE((SELECT display_name FROM runs WHERE runs.id = data_reports.run_id), '')`

func scanReport(scan scanner) (observe.Stored, error) {
	var r observe.Stored
	var at int64
	var body string
	if err := scan(&r.ArtifactID, &r.RunID, &r.TaskID, &r.Pipeline, &r.Task, &at, &body, &r.RunName); err != nil {
		return r, err
	}
	r.At = instant(at)
	return r, decode("report", body, &r.Result)
}

// Reports returns the reports of a kind that a task of a pipeline made, the newest first, at most limit.
func (d Data) Reports(ctx context.Context, kind observe.Kind, pipeline, task string, limit int) ([]observe.Stored, error) {
	// Uses data_reports_by_task.
	return readAll(ctx, d.s, scanReport, `
		SELECT `+reportColumns+`
		FROM data_reports
		WHERE kind = $1 AND pipeline = $2 AND task = $3
		ORDER BY at DESC, artifact_id DESC
		LIMIT $4`, string(kind), pipeline, task, limit)
}

// ReportsSince returns the reports of a kind that a task of a pipeline made after a time, the newest first, at most limit.
func (d Data) ReportsSince(ctx context.Context, kind observe.Kind, pipeline, task string, since time.Time, limit int) ([]observe.Stored, error) {
	// Uses data_reports_by_task.
	return readAll(ctx, d.s, scanReport, `
		SELECT `+reportColumns+`
		FROM data_reports
		WHERE kind = $1 AND pipeline = $2 AND task = $3 AND at > $4
		ORDER BY at DESC, artifact_id DESC
		LIMIT $5`, string(kind), pipeline, task, micros(since), limit)
}

// NewestReports returns the newest report of a kind of each task of each pipeline, the newest first, at most limit.
func (d Data) NewestReports(ctx context.Context, kind observe.Kind, limit int) ([]observe.Stored, error) {
	// Uses data_reports_by_task, which is walked once.
	return readAll(ctx, d.s, scanReport, `
		SELECT `+reportColumns+`
		FROM (
			SELECT pipeline, task, MAX(at) AS newest FROM data_reports WHERE kind = $1 GROUP BY pipeline, task ORDER BY newest DESC LIMIT $2) t
		JOIN data_reports ON data_reports.artifact_id = (
			SELECT artifact_id
			FROM data_reports
			WHERE kind = $1 AND pipeline = t.pipeline AND task = t.task
			ORDER BY at DESC, artifact_id DESC
			LIMIT 1)
		ORDER BY data_reports.at DESC, data_reports.artifact_id`, string(kind), limit)
}

// versionsSeen bounds how many artifacts of a name are looked at to find versions of one.
const versionsSeen = 5000

// Versions returns the artifacts that the same output of the same task of the same pipeline as that of an artifact made, the newest first,
// at most limit, with the names of their runs. Only the newest of the output's name are looked at.
func (d Data) Versions(ctx context.Context, a run.Artifact, limit int) ([]observe.Version, error) {
	// Uses artifacts_by_name and the primary key of runs.
	return readAll(ctx, d.s, scanVersionOf, `
		SELECT found.body, found.created_at, runs.display_name
		FROM (SELECT body, created_at, run_id FROM artifacts WHERE name = $1 ORDER BY created_at DESC, id DESC LIMIT $4) found
		JOIN runs ON runs.id = found.run_id
		WHERE runs.pipeline_name = (SELECT pipeline_name FROM runs WHERE id = $2)
			AND json_extract(found.body, '$.task_name') = $3
		ORDER BY found.created_at DESC
		LIMIT $5`, a.Name, a.RunID, a.TaskName, versionsSeen, limit)
}

func scanVersionOf(scan scanner) (observe.Version, error) {
	var v observe.Version
	var body string
	var at int64
	if err := scan(&body, &at, &v.RunName); err != nil {
		return v, err
	}
	v.At = instant(at)
	return v, decode("artifact", body, &v.Artifact)
}

func deflated(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func inflated(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("read a stored profile: %w", err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read a stored profile: %w", err)
	}
	return text, nil
}
