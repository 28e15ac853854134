package bucket

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// maxEntries bounds how many objects a listing may come across, those that it leaves out included: a hundred pages.
const maxEntries = 100_000

// etag begins the digest of an object that was not read. What its tag is made of is the server's business; it is another one when the
// content is.
const etag = "etag:"

// List returns the objects that an address s3://BUCKET/PREFIX means, in the order of their keys: the one with the key PREFIX and those below
// PREFIX/, or those that a pattern of path.Match means. Names that begin with a dot or end in .tmp or .part are left out, as of files. What
// is not there is no error; that there is no such bucket, or more than limit objects, is an Invalid one, and that it does not answer or
// refuses an Unavailable one.
func (b *Buckets) List(ctx context.Context, address string, limit int) ([]event.FileState, error) {
	bucket, key, _ := run.BucketPath(address)
	client, err := b.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	return b.list(ctx, client, bucket, searchesFor(key), limit)
}

// list lists what some searches find, in the order of the keys.
func (b *Buckets) list(ctx context.Context, client *minio.Client, bucket string, searches []search, limit int) ([]event.FileState, error) {
	var out []event.FileState
	owner, entries := false, 0
	for _, look := range searches {
		asked := minio.ListObjectsOptions{Prefix: look.prefix, Recursive: look.below, MaxKeys: look.most, FetchOwner: &owner}
		for o := range client.ListObjectsIter(ctx, bucket, asked) {
			if o.Err != nil {
				return nil, b.explain(ctx, client, bucket, o.Err)
			}
			if entries++; entries > maxEntries {
				return nil, fault.Invalidf("there are more than %d objects at %s%s/%s: name fewer of them", maxEntries, run.BucketScheme, bucket, look.prefix)
			}
			if look.means(o.Key) {
				out = append(out, event.FileState{Path: run.BucketScheme + bucket + "/" + o.Key, Size: o.Size, ModifiedNS: o.LastModified.UnixNano(), Digest: etag + o.ETag})
			}
			if len(out) > limit {
				return nil, fault.Invalidf("there are more than %d objects at %s%s/%s: name fewer of them", limit, run.BucketScheme, bucket, look.prefix)
			}
			if look.most > 0 {
				break
			}
		}
		if err := ctx.Err(); err != nil { // a listing that was broken off ends like one that is whole
			return nil, b.explain(ctx, client, bucket, err)
		}
	}
	slices.SortFunc(out, byPath)
	return out, nil
}

func byPath(x, y event.FileState) int { return strings.Compare(x.Path, y.Path) }

// search is one listing, and what of its answer is meant.
type search struct {
	// prefix begins the keys that are listed, below says that they may have a slash after it.
	prefix string
	below  bool
	// pattern is what keys must match, if there is one.
	pattern string
	// unfinished says that names of what is still being written, such as x.part, are meant too.
	unfinished bool
	// most is how many keys are listed, 0 for all. With 1 it is the key that is the prefix, since no other comes before it.
	most int
}

// searchesFor are the listings that find what a key, a prefix or a pattern means.
func searchesFor(key string) []search {
	if at := strings.IndexAny(key, `*?[\`); at >= 0 {
		return []search{{prefix: key[:at], below: strings.Contains(key[at:], "/"), pattern: key}}
	}
	if key == "" || strings.HasSuffix(key, "/") {
		return []search{{prefix: key, below: true}}
	}
	return []search{exactly(key), {prefix: key + "/", below: true}}
}

// exactly finds the object with a key.
func exactly(key string) search { return search{prefix: key, most: 1} }

// means reports whether an object is one of those that are looked for. A key that ends in a slash stands for a directory.
func (s search) means(key string) bool {
	switch {
	case key == "" || strings.HasSuffix(key, "/"):
		return false
	case s.most == 1:
		return key == s.prefix && (s.unfinished || !event.Unfinished(path.Base(key)))
	case s.pattern != "":
		ok, err := path.Match(s.pattern, key)
		return ok && err == nil && !event.Unfinished(path.Base(key))
	}
	return !slices.ContainsFunc(strings.Split(strings.TrimPrefix(key, s.prefix), "/"), event.Unfinished)
}
