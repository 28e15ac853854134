package app

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"levada/internal/adapter/bucket"
	"levada/internal/core/run"
	tables "levada/internal/core/table"
)

// tableOpener opens tables of this machine, and those in buckets, which it brings here for as long as they are open.
func (b builder) tableOpener(ctx context.Context) func(path string) (tables.Source, io.Closer, error) {
	return func(place string) (tables.Source, io.Closer, error) {
		if !strings.HasPrefix(place, run.BucketScheme) && !strings.HasPrefix(place, "gs://") {
			return openTable(place)
		}
		dir, err := os.MkdirTemp("", "levada-table-")
		if err != nil {
			return nil, nil, err
		}
		brought := filepath.Join(dir, "content")
		got, err := bucket.New(b.environ).Fetch(ctx, place, brought)
		if name := path.Base(got.URI); err == nil && filepath.IsLocal(name) { // it says of which format a table may be
			named := filepath.Join(dir, name)
			err = os.Rename(brought, named)
			brought = named
		}
		var src tables.Source
		var opened io.Closer
		if err == nil {
			src, opened, err = openTable(brought)
		}
		if err != nil {
			return nil, nil, errors.Join(err, os.RemoveAll(dir))
		}
		return src, broughtTable{opened, dir}, nil
	}
}

// broughtTable closes a table and removes the directory that it was brought to.
type broughtTable struct {
	io.Closer
	dir string
}

func (t broughtTable) Close() error { return errors.Join(t.Closer.Close(), os.RemoveAll(t.dir)) }
