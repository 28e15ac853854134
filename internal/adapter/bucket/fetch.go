package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

const (
	// maxObjects bounds how many objects are brought as one directory, atOnce how many are on their way together.
	maxObjects = 100_000
	atOnce     = 8
)

// Configured reports whether the environment says with which key, profile or endpoint buckets are read. Where it does not, nobody has
// meant that this machine should read any.
func (b *Buckets) Configured() bool {
	return b.first("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI") != ""
}

// Fetch brings what an address s3://BUCKET/KEY means to dest, which must not exist: the object with that key as a file, or what lies below
// it as a directory; of a pattern, unless an object is called just so, the newest object. What is not there is a NotFound error.
func (b *Buckets) Fetch(ctx context.Context, address, dest string) (run.Fetched, error) {
	bucket, key, inBucket := run.BucketPath(address)
	check := event.CheckBucket
	if !inBucket {
		check = event.CheckPlace // says what is wrong with it
	}
	if err := check(address); err != nil {
		return run.Fetched{}, err
	}
	client, err := b.open()
	if err != nil {
		return run.Fetched{}, err
	}
	objects, one, err := b.meant(ctx, client, bucket, key)
	if err != nil {
		return run.Fetched{}, err
	}
	if len(objects) == 0 {
		return run.Fetched{}, fault.NotFoundf("there is nothing at %s", address)
	}
	out := run.Fetched{URI: address, Objects: len(objects), Tag: tagOf(objects, one)}
	if one {
		out.URI = objects[0].Path
	}
	files := []string{dest}
	if !one {
		if files, err = filesOf(objects, run.BucketScheme+bucket+"/"+directory(key), dest); err != nil {
			return run.Fetched{}, err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, o := range objects {
		out.Size += o.Size
		group.Go(func() error { return b.fetch(ctx, client, bucket, o, files[i]) })
	}
	if err := group.Wait(); err != nil {
		return run.Fetched{}, err
	}
	return out, nil
}

// filesOf are the files of a directory that objects below a prefix become. Keys that no files can have are refused.
func filesOf(objects []event.FileState, prefix, dir string) ([]string, error) {
	files := make([]string, len(objects))
	taken, within := map[string]bool{}, map[string]bool{}
	for i, o := range objects {
		below := strings.TrimPrefix(o.Path, prefix)
		files[i] = filepath.Join(dir, below)
		if !filepath.IsLocal(below) || taken[files[i]] || within[files[i]] {
			return nil, fault.Invalidf("%s cannot be a file of a directory here", o.Path)
		}
		taken[files[i]] = true
		for at := filepath.Dir(files[i]); at != dir && !within[at]; at = filepath.Dir(at) {
			if taken[at] {
				return nil, fault.Invalidf("%s cannot be a file of a directory here: what it lies in is a file", o.Path)
			}
			within[at] = true
		}
	}
	return files, nil
}

// meant are the objects that a key or a pattern means; one says that it is a single one and no directory.
func (b *Buckets) meant(ctx context.Context, client *minio.Client, bucket, key string) (objects []event.FileState, one bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	if directory(key) != key {
		named := exactly(key)
		named.unfinished = true // who names it wants it
		if objects, err = b.list(ctx, client, bucket, []search{named}, 1); err != nil || len(objects) > 0 {
			return objects, true, err
		}
	}
	if _, err := path.Match(key, ""); err != nil {
		return nil, false, fault.Invalidf("there is no object %q in the bucket %q, and as a pattern it cannot be read: %v", fault.Shorten(key, 200), bucket, err)
	}
	all := searchesFor(key)
	if objects, err = b.list(ctx, client, bucket, all, maxObjects); err != nil || all[0].pattern == "" || len(objects) == 0 {
		return objects, false, err
	}
	newest := objects[0]
	for _, o := range objects[1:] {
		if o.ModifiedNS >= newest.ModifiedNS {
			newest = o
		}
	}
	return []event.FileState{newest}, true, nil
}

// tagOf is another one when the content of objects is: the ETag of a single one, else a digest of all keys and ETags. They are in the order of
// their keys.
func tagOf(objects []event.FileState, one bool) string {
	if one {
		return objects[0].Digest
	}
	sum := sha256.New()
	for _, o := range objects {
		fmt.Fprintf(sum, "%s\x00%s\n", o.Path, o.Digest)
	}
	return "etags:" + hex.EncodeToString(sum.Sum(nil))
}

// directory is a key with the slash that those below it have; empty for the whole bucket.
func directory(key string) string {
	if key == "" || strings.HasSuffix(key, "/") {
		return key
	}
	return key + "/"
}

// fetch brings one object as it was listed.
func (b *Buckets) fetch(ctx context.Context, client *minio.Client, bucket string, o event.FileState, to string) error {
	_, key, _ := run.BucketPath(o.Path)
	var asked minio.GetObjectOptions
	if err := asked.SetMatchETag(strings.TrimPrefix(o.Digest, etag)); err != nil {
		return err
	}
	if err := client.FGetObject(ctx, bucket, key, to, asked); err != nil {
		switch code := minio.ToErrorResponse(err).Code; code {
		case minio.NoSuchKey, minio.PreconditionFailed:
			return fault.Unavailablef("%s was changed while it was read", o.Path)
		}
		if here, ok := errors.AsType[*fs.PathError](err); ok && strings.HasPrefix(here.Path, filepath.Dir(to)) {
			return fmt.Errorf("%s cannot be written here: %w", o.Path, here.Err)
		}
		return b.explain(ctx, client, bucket, err)
	}
	return os.Chmod(to, 0o644)
}
