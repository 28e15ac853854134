package mlflow

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"
)

// bringFiles brings the files of an owner to a place of Levada's, and reports whether all came that are to come. Files in an
// object store stay there. With again all of them are sent, whatever is here already.
func (i *importer) bringFiles(ctx context.Context, of Owner, place string, again bool) (whole bool, err error) {
	tree, why := i.from.Files(ctx, of)
	if tree == nil {
		if why != "" {
			i.report.leave("files of runs and models", why, of.URI, 1)
		}
		return true, nil
	}
	defer tree.Close()
	b := &fileBringer{importer: i, tree: tree, owner: of, again: again || i.recheck, place: strings.TrimPrefix(place, filesScheme), there: map[string]map[string]int64{}}
	err = tree.Walk(ctx, func(p string, size int64) error { return b.file(ctx, p, size) }, func(p, reason string, later bool) {
		b.failed = b.failed || later
		i.report.fail("files", reason, path.Join(of.URI, p))
	})
	if err != nil && ctx.Err() == nil && !b.stopped {
		i.report.fail("files", "cannot be listed: "+cause(err), of.URI)
		return false, nil
	}
	return !b.failed, err
}

// fileBringer brings the files of one owner.
type fileBringer struct {
	*importer

	tree  Tree
	owner Owner
	place string
	again bool
	// there are the sizes of files that are here already, by directory and name.
	there map[string]map[string]int64
	// failed is set when a file did not come and may another time, stopped when Levada takes no more.
	failed, stopped bool
}

func (b *fileBringer) file(ctx context.Context, p string, size int64) error {
	b.report.read(Files, 1)
	b.report.read(Bytes, int(size))
	if why := checkFile(p); why != "" {
		b.report.fail("files", why, path.Join(b.owner.URI, p))
		return nil
	}
	if b.to == nil {
		return nil
	}
	there, err := b.has(ctx, path.Join(b.place, p), size)
	if err != nil {
		b.stopped = true
		return err
	}
	if there {
		b.report.before(Files, 1)
		b.report.before(Bytes, int(size))
		return nil
	}
	content, err := b.tree.Open(ctx, p)
	if err != nil {
		return b.unread(ctx, p, err)
	}
	defer content.Close()
	reader := &remembering{Reader: content}
	err = b.to.PutFile(ctx, path.Join(b.place, p), reader)
	switch {
	case err == nil:
		b.report.written(Files, 1)
		b.report.written(Bytes, int(reader.n))
		return nil
	case reader.err != nil:
		return b.unread(ctx, p, reader.err)
	}
	b.failed = true
	if err := b.perItem(err, "files", path.Join(b.owner.URI, p)); err != nil {
		b.stopped = true
		return err
	}
	return nil
}

// unread reports a file that the source did not give.
func (b *fileBringer) unread(ctx context.Context, p string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.failed = true
	b.report.fail("files", "cannot be read: "+cause(err), path.Join(b.owner.URI, p))
	return nil
}

// has reports whether a file of this size is here. A file appears here whole or not at all.
func (b *fileBringer) has(ctx context.Context, p string, size int64) (bool, error) {
	if b.again {
		return false, nil
	}
	dir, name := path.Split(p)
	dir = strings.TrimSuffix(dir, "/")
	if b.there[dir] == nil {
		list, err := b.to.Files(ctx, dir)
		if err != nil {
			return false, err
		}
		b.there[dir] = list
	}
	n, ok := b.there[dir][name]
	return ok && n == size, nil
}

// remembering is a reader that remembers what went wrong: the sender of a request does not say on which side that was.
type remembering struct {
	io.Reader

	n   int64
	err error
}

// Read reads and remembers.
func (r *remembering) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
