package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// Imported returns what is noted about the things of a kind that have one of the ids; those that no import brought are left out.
func (t Tracking) Imported(ctx context.Context, kind track.ImportKind, ids []string) ([]track.Imported, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	// Uses the primary key.
	return readAll(ctx, t.s, func(scan scanner) (track.Imported, error) {
		var i track.Imported
		err := scan(&i.ID, &i.Target, &i.Mark, &i.Last)
		return i, err
	}, `SELECT id, target, mark, last FROM imported WHERE kind = $1 AND id IN (SELECT value FROM json_each($2))`, string(kind), string(list))
}

// MarkImported notes of things that they were brought whole. What no import began to bring is a NotFound error.
func (t Tracking) MarkImported(ctx context.Context, kind track.ImportKind, marks map[string]string) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		for id, mark := range marks {
			// Uses the primary key.
			n, err := tx.exec(ctx, `UPDATE imported SET mark = $3 WHERE kind = $1 AND id = $2`, string(kind), id, mark)
			if err != nil {
				return err
			}
			if n == 0 {
				return notFound("imported "+string(kind), id)
			}
		}
		return nil
	})
}

// importedAs returns what is noted about a thing that an import brought, mark aside.
func importedAs(ctx context.Context, tx *tx, kind track.ImportKind, id string) (noted track.Imported, found bool, err error) {
	// Uses the primary key.
	err = tx.get(ctx, `SELECT target, last FROM imported WHERE kind = $1 AND id = $2`, []any{string(kind), id}, []any{&noted.Target, &noted.Last})
	if errors.Is(err, sql.ErrNoRows) {
		return noted, false, nil
	}
	return noted, err == nil, err
}

// noteImported notes that a thing is being brought, and what the source has of it; an earlier mark no longer holds, but it stays
// known that there was one.
func noteImported(ctx context.Context, tx *tx, kind track.ImportKind, id, target string, now any) error {
	last, err := encode("imported "+string(kind), now)
	if err != nil {
		return err
	}
	// Uses the primary key.
	_, err = tx.exec(ctx, `
		INSERT INTO imported (kind, id, target, mark, last)
		VALUES ($1, $2, $3, '', $4)
		ON CONFLICT (kind, id) DO UPDATE
		SET target = excluded.target, last = excluded.last, mark = CASE mark WHEN '' THEN '' ELSE $5 END`, string(kind), id, target, last, track.MarkChanged)
	return err
}

// NoteExperiment notes which experiment here is the one of an import.
func (t Tracking) NoteExperiment(ctx context.Context, id, target string, e track.Experiment) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		return noteImported(ctx, tx, track.ImportedExperiment, id, target, e)
	})
}

// ImportRuns stores runs as they are, with parameters, tags and links, in one transaction. A run that an import brought before
// gets what has changed; the ids of those that are here and came from nowhere else are returned, and those stay as they are.
func (t Tracking) ImportRuns(ctx context.Context, runs []track.Run, deletedAt int64) (strangers []string, err error) {
	err = t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		strangers = nil
		experiments := map[string]bool{}
		for _, r := range runs {
			stranger, err := isStranger(ctx, tx, track.ImportedRun, r.ID, `SELECT 1 FROM tracking_runs WHERE id = $1`)
			if err != nil {
				return err
			}
			if stranger {
				strangers = append(strangers, r.ID)
				continue
			}
			if err := importRun(ctx, tx, r, deletedAt); err != nil {
				return err
			}
			experiments[r.ExperimentID] = true
		}
		tx.committed(func() {
			for id := range experiments {
				t.s.index.drop(id)
			}
		})
		return nil
	})
	return strangers, err
}

// isStranger reports whether a thing exists that no import has brought.
func isStranger(ctx context.Context, tx *tx, kind track.ImportKind, id, exists string) (bool, error) {
	if _, ours, err := importedAs(ctx, tx, kind, id); err != nil || ours {
		return false, err
	}
	var one int
	err := tx.get(ctx, exists, []any{id}, []any{&one})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func importRun(ctx context.Context, tx *tx, r track.Run, deletedAt int64) error {
	var before track.Run
	if err := importedLast(ctx, tx, track.ImportedRun, r.ID, &before); err != nil {
		return err
	}
	now := r
	now.Params, now.Datasets, now.ModelInputs, now.Outputs, now.Tags = nil, nil, nil, nil, shortened(r.Tags)
	if err := noteImported(ctx, tx, track.ImportedRun, r.ID, r.ID, now); err != nil {
		return err
	}
	row, tags := r, r.Tags
	here, err := runRow(ctx, tx, r.ID)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		here.Deleted = false // as putTrackedRun writes it
	case err != nil:
		return err
	default:
		row.Name, row.Status = track.Merged(here.Name, before.Name, r.Name), track.Merged(here.Status, before.Status, r.Status)
		row.StartMS, row.EndMS = track.Merged(here.StartMS, before.StartMS, r.StartMS), track.MergedPointer(here.EndMS, before.EndMS, r.EndMS)
		row.Deleted, tags = track.Merged(here.Deleted, before.Deleted, r.Deleted), changedTags(before.Tags, r.Tags)
		if strings.HasPrefix(here.ArtifactURI, keptHere) {
			row.ArtifactURI = here.ArtifactURI // the files that were brought stay the run's, also when this import does not find them
		}
	}
	if err := putTrackedRun(ctx, tx, row); err != nil {
		return err
	}
	if row.Deleted != here.Deleted || row.ArtifactURI != here.ArtifactURI {
		if !row.Deleted {
			deletedAt = 0
		}
		// Uses the primary key.
		if _, err := tx.exec(ctx, `UPDATE tracking_runs SET deleted_at = $2, artifact_uri = $3 WHERE id = $1`, r.ID, deletedAt, row.ArtifactURI); err != nil {
			return err
		}
	}
	for _, kv := range r.Params {
		// A parameter never changes its value.
		_, err := tx.exec(ctx, `
			INSERT INTO tracking_params (run_id, key, value)
			VALUES ($1, $2, $3)
			ON CONFLICT (run_id, key) DO NOTHING`, r.ID, kv.Key, kv.Value)
		if err != nil {
			return err
		}
	}
	if err := putTags(ctx, tx, r.ID, tags); err != nil {
		return err
	}
	return importLinks(ctx, tx, r)
}

// keptHere begins the locations of files that the server keeps.
const keptHere = "mlflow-artifacts:"

// importedLast reads what the source had of a thing when it was sent last; nothing the first time.
func importedLast(ctx context.Context, tx *tx, kind track.ImportKind, id string, out any) error {
	noted, _, err := importedAs(ctx, tx, kind, id)
	if err != nil || noted.Last == "" {
		return err
	}
	return decode("imported "+string(kind), noted.Last, out)
}

// shortened are tags as notes keep them: of a long value only what tells whether it has changed.
func shortened(tags []track.KV) []track.KV {
	out := slices.Clone(tags)
	for i, kv := range out {
		if len(kv.Value) > 64 {
			sum := sha256.Sum256([]byte(kv.Value))
			out[i].Value = "sha256:" + hex.EncodeToString(sum[:])
		}
	}
	return out
}

// changedTags are the tags that the source has changed since the notes of them.
func changedTags(before, now []track.KV) []track.KV {
	var out []track.KV
	for i, kv := range shortened(now) {
		if old, found := track.Find(before, kv.Key); !found || old != kv.Value {
			out = append(out, now[i])
		}
	}
	return out
}

// importLinks adds the links that are not here yet; those that were made here stay.
func importLinks(ctx context.Context, tx *tx, r track.Run) error {
	var n int64
	// Uses the primary key.
	if err := tx.get(ctx, `SELECT COALESCE(MAX(n), 0) FROM tracking_links WHERE run_id = $1`, []any{r.ID}, []any{&n}); err != nil {
		return err
	}
	put := func(kind, ref string, value any) error {
		body, err := encode(kind, value)
		if err != nil {
			return err
		}
		n++
		// An output is another one at another step. Uses the primary key.
		_, err = tx.exec(ctx, `
			INSERT INTO tracking_links (run_id, kind, ref, n, body)
			SELECT $1, $2, $3, $4, $5
			WHERE NOT EXISTS (SELECT 1 FROM tracking_links WHERE run_id = $1 AND kind = $2 AND ref = $3 AND (kind <> 'output' OR body = $5))`,
			r.ID, kind, ref, n, body)
		return err
	}
	for _, d := range r.Datasets {
		if err := put(linkDataset, d.Dataset.Name+"\x00"+d.Dataset.Digest, d); err != nil {
			return err
		}
	}
	for _, m := range r.ModelInputs {
		if err := put(linkInput, m, m); err != nil {
			return err
		}
	}
	for _, m := range r.Outputs {
		if err := put(linkOutput, m.ModelID, m); err != nil {
			return err
		}
	}
	return nil
}
