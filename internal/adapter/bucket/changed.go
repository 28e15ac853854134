package bucket

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/partition"
	"levada/internal/core/run"
)

const (
	// fresh is for how long a listing answers for what is there: long enough for all partitions of a page.
	fresh = 30 * time.Second
	// maxListings bounds how many directories are remembered.
	maxListings = 1000
)

// listings remembers directories of buckets for a while.
type listings struct {
	mu  sync.Mutex
	all map[string]*listing
}

type listing struct {
	at      time.Time
	objects []event.FileState
	err     error
}

// Changed says why what a run has imported from a bucket is not the same any more, or "" when it is, or when that cannot be known. It
// compares tags, so that what was uploaded again as it was is no change. Objects of one directory are listed together, and again after a
// while.
func (b *Buckets) Changed(ctx context.Context, in partition.Input) string {
	bucket, key, ok := run.BucketPath(in.URI)
	if !ok || in.Tag == "" || !b.Configured() {
		return ""
	}
	one := strings.HasPrefix(in.Tag, etag)
	dir := directory(key)
	if one {
		dir = key[:strings.LastIndex(key, "/")+1]
	}
	objects, err := b.listed(ctx, bucket, dir, !one)
	if err != nil {
		return ""
	}
	if one {
		at, there := slices.BinarySearchFunc(objects, in.URI, func(o event.FileState, path string) int { return strings.Compare(o.Path, path) })
		if !there {
			return "it is not there any more"
		}
		objects = objects[at : at+1]
	}
	switch {
	case len(objects) == 0:
		return "it is not there any more"
	case tagOf(objects, one) != in.Tag:
		return "its content has changed"
	}
	return ""
}

// listed are the objects in a directory, or with below those in the directories below it too, as they were a while ago at most.
func (b *Buckets) listed(ctx context.Context, bucket, dir string, below bool) ([]event.FileState, error) {
	name := fmt.Sprint(below, bucket, "/", dir)
	b.listings.mu.Lock()
	defer b.listings.mu.Unlock() // also while it is listed: others want the same directory
	if l := b.listings.all[name]; l != nil && time.Since(l.at) < fresh {
		return l.objects, l.err
	}
	client, err := b.open()
	if err != nil {
		return nil, err
	}
	asked, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	found, err := b.list(asked, client, bucket, []search{{prefix: dir, below: below}}, maxObjects)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	l := &listing{at: time.Now(), objects: found, err: err}
	if b.listings.all == nil || len(b.listings.all) >= maxListings {
		b.listings.all = map[string]*listing{}
	}
	b.listings.all[name] = l
	return l.objects, err
}
