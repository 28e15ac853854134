package store

import (
	"context"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

const versionColumns = "id, pipeline_id, name, display_name, description, spec_digest, tags, created_at, code_source_url"

func versionList() *list {
	return &list{
		name:  "pipeline versions",
		table: "pipeline_versions",
		columns: map[string]column{
			"id":           {name: "id"},
			"pipeline_id":  {name: "pipeline_id"},
			"name":         {name: "name", folded: "name_folded"},
			"display_name": {name: "display_name", folded: "display_name_folded"},
			"description":  {name: "description"},
			"created_at":   {name: "created_at", kind: moment},
		},
		selected: versionColumns,
	}
}

// scanVersion reads versionColumns.
func scanVersion(scan scanner) (catalog.Version, error) {
	var v catalog.Version
	var tags string
	var created int64
	err := scan(&v.ID, &v.PipelineID, &v.Name, &v.DisplayName, &v.Description, &v.SpecDigest, &tags, &created, &v.CodeSourceURL)
	if err != nil {
		return v, err
	}
	v.CreatedAt = instant(created)
	err = decode("tags", tags, &v.Tags)
	return v, err
}

// CreateVersion stores a version of a pipeline; a name in use among its versions is a Conflict.
func (s *Store) CreateVersion(ctx context.Context, v catalog.Version) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error { return createVersion(ctx, tx, v) })
}

func createVersion(ctx context.Context, tx *tx, v catalog.Version) error {
	tags, err := encode("tags", v.Tags)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `
		INSERT INTO pipeline_versions (id, pipeline_id, name, name_folded, display_name, display_name_folded,
			description, spec_digest, tags, created_at, code_source_url)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		v.ID, v.PipelineID, v.Name, fold(v.Name), v.DisplayName, fold(v.DisplayName),
		v.Description, v.SpecDigest, tags, micros(v.CreatedAt), v.CodeSourceURL)
	switch {
	case duplicate(err):
		return fault.Conflictf("pipeline %q already has a version named %q: choose another name", v.PipelineID, v.Name)
	case orphan(err):
		return notFound("pipeline", v.PipelineID)
	}
	return err
}

// GetVersion returns a version of a pipeline.
func (s *Store) GetVersion(ctx context.Context, id string) (catalog.Version, error) {
	// Uses the primary key.
	return readOne(ctx, s, "pipeline version", id,
		`SELECT `+versionColumns+` FROM pipeline_versions WHERE id = $1`, scanVersion, id)
}

// ListVersions lists the versions of one pipeline. Newest first uses pipeline_versions_by_created, the order
// of names pipeline_versions_by_name.
func (s *Store) ListVersions(ctx context.Context, pipelineID string, q listing.Query) (listing.Page[catalog.Version], error) {
	scope := []listing.Predicate{{Key: "pipeline_id", Op: listing.Equals, Values: []any{pipelineID}}}
	return readPage(ctx, s, versionList(), q, scope, scanVersion)
}

// UpdateVersion stores what may change of a version: its display name and its tags.
func (s *Store) UpdateVersion(ctx context.Context, v catalog.Version) error {
	tags, err := encode("tags", v.Tags)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `
			UPDATE pipeline_versions
			SET display_name = $2, display_name_folded = $3, tags = $4
			WHERE id = $1`, v.ID, v.DisplayName, fold(v.DisplayName), tags)
		if err == nil && n == 0 {
			return notFound("pipeline version", v.ID)
		}
		return err
	})
}

// DeleteVersion removes a version.
func (s *Store) DeleteVersion(ctx context.Context, id string) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `DELETE FROM pipeline_versions WHERE id = $1`, id)
		if err == nil && n == 0 {
			return notFound("pipeline version", id)
		}
		return err
	})
}
