package store

import (
	"context"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

const pipelineColumns = "id, name, display_name, description, tags, created_at"

func pipelineList() *list {
	return &list{
		name:  "pipelines",
		table: "pipelines",
		columns: map[string]column{
			"id":           {name: "id"},
			"name":         {name: "name", folded: "name_folded"},
			"display_name": {name: "display_name", folded: "display_name_folded"},
			"description":  {name: "description"},
			"created_at":   {name: "created_at", kind: moment},
		},
		selected: pipelineColumns,
	}
}

// scanPipeline reads pipelineColumns.
func scanPipeline(scan scanner) (catalog.Pipeline, error) {
	var p catalog.Pipeline
	var tags string
	var created int64
	if err := scan(&p.ID, &p.Name, &p.DisplayName, &p.Description, &tags, &created); err != nil {
		return p, err
	}
	p.CreatedAt = instant(created)
	err := decode("tags", tags, &p.Tags)
	return p, err
}

// CreatePipeline stores a pipeline and, unless it is nil, its first version; a name in use is a Conflict.
func (s *Store) CreatePipeline(ctx context.Context, p catalog.Pipeline, first *catalog.Version) error {
	tags, err := encode("tags", p.Tags)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.exec(ctx, `
			INSERT INTO pipelines (id, name, name_folded, display_name, display_name_folded, description, tags, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			p.ID, p.Name, fold(p.Name), p.DisplayName, fold(p.DisplayName), p.Description, tags, micros(p.CreatedAt))
		if duplicate(err) {
			return fault.Conflictf("a pipeline named %q already exists: choose another name, or upload a version of that one", p.Name)
		}
		if err != nil || first == nil {
			return err
		}
		return createVersion(ctx, tx, *first)
	})
}

// GetPipeline returns a pipeline.
func (s *Store) GetPipeline(ctx context.Context, id string) (catalog.Pipeline, error) {
	// Uses the primary key.
	return readOne(ctx, s, "pipeline", id,
		`SELECT `+pipelineColumns+` FROM pipelines WHERE id = $1`, scanPipeline, id)
}

// PipelineByName finds a pipeline by its unique name.
func (s *Store) PipelineByName(ctx context.Context, name string) (catalog.Pipeline, error) {
	// Uses pipelines_by_name.
	return readOne(ctx, s, "pipeline", name,
		`SELECT `+pipelineColumns+` FROM pipelines WHERE name = $1`, scanPipeline, name)
}

// ListPipelines lists pipelines. Newest first uses pipelines_by_created, the order of names pipelines_by_name.
func (s *Store) ListPipelines(ctx context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error) {
	return readPage(ctx, s, pipelineList(), q, nil, scanPipeline)
}

// UpdatePipeline stores what may change of a pipeline: its display name and its tags.
func (s *Store) UpdatePipeline(ctx context.Context, p catalog.Pipeline) error {
	tags, err := encode("tags", p.Tags)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `
			UPDATE pipelines
			SET display_name = $2, display_name_folded = $3, tags = $4
			WHERE id = $1`, p.ID, p.DisplayName, fold(p.DisplayName), tags)
		if err == nil && n == 0 {
			return notFound("pipeline", p.ID)
		}
		return err
	})
}

// DeletePipeline removes a pipeline and its versions. Runs started from them stay.
func (s *Store) DeletePipeline(ctx context.Context, id string) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key; the versions follow by their foreign key.
		n, err := tx.exec(ctx, `DELETE FROM pipelines WHERE id = $1`, id)
		if err == nil && n == 0 {
			return notFound("pipeline", id)
		}
		return err
	})
}
