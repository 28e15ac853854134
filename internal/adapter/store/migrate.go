package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"

	"levada/internal/core/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the tables up to the newest version this program knows. Each step is one transaction, so a
// crash between steps leaves a database that the next start goes on with.
func migrate(ctx context.Context, db *sql.DB, path string, log *slog.Logger) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	current, newest, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > newest {
		return fault.Invalidf("it was written by a newer version of Levada (schema %d, this version knows up to %d): start that version or a later one", current, newest)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate from schema %d to %d: %w", current, newest, err)
	}
	for _, m := range done {
		log.InfoContext(ctx, "migrated database", "path", path, "schema", m.Source.Version, "took", m.Duration)
	}
	return nil
}
