package store

import (
	"context"
	"slices"
	"strings"

	"levada/internal/core/run"
	"levada/internal/core/track"
)

// How many of the newest rows are looked at for a part of a name. A beginning of a name, or of an id, is found among all.
const (
	foundAmongRuns      = 20_000
	foundAmongTracked   = 20_000
	foundAmongArtifacts = 5_000
	// foundPrefixed bounds how many rows with one beginning of a name are looked at.
	foundPrefixed = 1_000
)

// minIDPrefix is how much of an id must be given: less of it stands at the beginning of too many.
const minIDPrefix = 4

// partOf is the LIKE pattern of what has a text in it.
func partOf(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// lastWith sorts behind every text that begins so and before all others.
func lastWith(beginning string) string { return beginning + "\U0010FFFF" }

// FindRuns returns up to limit runs whose id begins with a text in lower case, then those whose name has it in it: of the newest
// foundAmongRuns that are not archived, then of all those whose name begins with it as it is written.
func (s *Store) FindRuns(ctx context.Context, text string, limit int) ([]run.Brief, error) {
	return findFirst(limit, func(b run.Brief) string { return b.ID },
		func(n int) ([]run.Brief, error) {
			if len(text) < minIDPrefix {
				return nil, nil
			}
			// Uses the primary key.
			return readAll(ctx, s, scanBrief, `
				SELECT `+briefColumns+` FROM runs WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3`, fold(text), lastWith(fold(text)), n)
		},
		func(n int) ([]run.Brief, error) {
			// Uses runs_by_archived, which holds the names, then the primary key.
			return readAll(ctx, s, scanBrief, `
				SELECT `+briefColumns+` FROM runs WHERE id IN (
					SELECT id FROM (
						SELECT id, display_name_folded FROM runs WHERE archived = 0 ORDER BY created_at DESC, id DESC LIMIT $1
					) AS newest
					WHERE display_name_folded LIKE $2 ESCAPE '\'
					LIMIT $3
				)
				ORDER BY created_at DESC, id DESC`, foundAmongRuns, partOf(fold(text)), n)
		},
		func(n int) ([]run.Brief, error) {
			// Uses runs_by_name, then the primary key.
			return readAll(ctx, s, scanBrief, `
				SELECT `+briefColumns+` FROM runs WHERE archived = 0 AND id IN (
					SELECT id FROM runs WHERE display_name >= $1 AND display_name < $2 ORDER BY display_name, id LIMIT $3
				)
				ORDER BY created_at DESC, id DESC
				LIMIT $4`, text, lastWith(text), foundPrefixed, n)
		})
}

// FindArtifacts returns up to limit artifacts whose id or digest begins with a text in lower case, then those whose name has it in
// it, of the newest foundAmongArtifacts.
func (s *Store) FindArtifacts(ctx context.Context, text string, limit int) ([]run.Artifact, error) {
	low := fold(text)
	var ways []func(int) ([]run.Artifact, error)
	digests := []string{"sha256:" + low, "dir-sha256:" + low}
	if strings.Contains(low, "sha256:") {
		digests = []string{low}
	}
	if len(low) < minIDPrefix {
		digests = nil
	} else {
		// Uses the primary key.
		ways = append(ways, func(n int) ([]run.Artifact, error) {
			return readAll(ctx, s, scanArtifact, `SELECT body FROM artifacts WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3`, low, lastWith(low), n)
		})
	}
	for _, digest := range digests {
		// Uses artifacts_by_digest.
		ways = append(ways, func(n int) ([]run.Artifact, error) {
			return readAll(ctx, s, scanArtifact, `
				SELECT body FROM artifacts WHERE digest >= $1 AND digest < $2 ORDER BY digest, created_at, id LIMIT $3`, digest, lastWith(digest), n)
		})
	}
	// Uses artifacts_by_created, then the primary key.
	ways = append(ways, func(n int) ([]run.Artifact, error) {
		return readAll(ctx, s, scanArtifact, `
			SELECT body FROM (SELECT body, name_folded FROM artifacts ORDER BY created_at DESC, id DESC LIMIT $1) AS newest
			WHERE name_folded LIKE $2 ESCAPE '\'
			LIMIT $3`, foundAmongArtifacts, partOf(low), n)
	})
	return findFirst(limit, func(a run.Artifact) string { return a.ID }, ways...)
}

// FindRuns returns up to limit tracked runs whose id begins with a text in lower case, then those whose name has it in it, of the
// newest foundAmongTracked. Deleted ones, and those of pipelines and their tasks, are not among them.
func (t Tracking) FindRuns(ctx context.Context, text string, limit int) ([]track.Run, error) {
	const ofNoPipeline = `
		AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = tracking_runs.id)
		AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = tracking_runs.id)`
	low := fold(text)
	return findFirst(limit, func(r track.Run) string { return r.ID },
		func(n int) ([]track.Run, error) {
			if len(text) < minIDPrefix {
				return nil, nil
			}
			// Uses the primary key, and that of runs and tasks_by_id.
			return readAll(ctx, t.s, scanTrackedRun, `
				SELECT `+trackedRunColumns+` FROM tracking_runs
				WHERE id >= $1 AND id < $2 AND deleted_at = 0`+ofNoPipeline+`
				ORDER BY id
				LIMIT $3`, low, lastWith(low), n)
		},
		func(n int) ([]track.Run, error) {
			// Uses tracking_runs_by_start, which holds the names, and as above. Engines differ in what they fold, hence two patterns.
			return readAll(ctx, t.s, scanTrackedRun, `
				SELECT `+trackedRunColumns+` FROM tracking_runs
				WHERE id IN (
					SELECT id FROM (
						SELECT id, name FROM tracking_runs WHERE deleted_at = 0 ORDER BY start_ms DESC, id DESC LIMIT $1
					) AS newest
					WHERE LOWER(name) LIKE $2 ESCAPE '\' OR name LIKE $3 ESCAPE '\'
					LIMIT $4
				)`+ofNoPipeline+`
				ORDER BY start_ms DESC, id DESC
				LIMIT $5`, foundAmongTracked, partOf(low), partOf(text), 10*n, n)
		})
}

// findFirst asks one way after the other until limit things are found, each once.
func findFirst[T any](limit int, id func(T) string, ways ...func(n int) ([]T, error)) ([]T, error) {
	var out []T
	for _, way := range ways {
		if len(out) >= limit {
			break
		}
		found, err := way(limit)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if len(out) < limit && !slices.ContainsFunc(out, func(o T) bool { return id(o) == id(f) }) {
				out = append(out, f)
			}
		}
	}
	return out, nil
}
