package bucket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/partition"
	"levada/internal/core/run"
)

const (
	// fresh is for how long a listing answers for what is there: long enough for all partitions of a page.
	fresh = 30 * time.Second
	// maxListings bounds how many directories are remembered.
	maxListings = 1000
	// lookTime bounds one look: somebody waits for a page.
	lookTime = 10 * time.Second
)

// listings remembers directories of buckets for a while.
type listings struct {
	asked singleflight.Group
	mu    sync.Mutex
	all   map[string]*listing
	// silent are buckets that did not answer, and when. They are not asked for their other directories at once.
	silent map[string]time.Time
}

var errSilent = errors.New("the bucket has not answered a moment ago")

type listing struct {
	at      time.Time
	objects []event.FileState
	err     error
}

// Changed says why what a run has imported from a bucket is not the same any more, or "" when it is, or when that cannot be known. It
// compares tags, so that what was uploaded again as it was is no change. Objects of one directory are listed together, and again after a
// while.
func (b *Buckets) Changed(in partition.Input) string {
	bucket, key, ok := run.BucketPath(in.URI)
	if !ok || in.Tag == "" || !b.Configured() {
		return ""
	}
	one := strings.HasPrefix(in.Tag, etag)
	dir := directory(key)
	if one {
		dir = key[:strings.LastIndex(key, "/")+1]
	}
	objects, err := b.listed(bucket, dir, !one)
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
func (b *Buckets) listed(bucket, dir string, below bool) ([]event.FileState, error) {
	l, name := &b.listings, fmt.Sprint(below, bucket, "/", dir)
	found, err, _ := l.asked.Do(name, func() (any, error) {
		l.mu.Lock()
		known, silent := l.all[name], time.Since(l.silent[bucket]) < fresh
		l.mu.Unlock()
		if known != nil && time.Since(known.at) < fresh {
			return known.objects, known.err
		}
		if silent {
			return nil, errSilent
		}
		client, err := b.open()
		if err != nil {
			return nil, err
		}
		// Several may wait for it: none of them ends it.
		ctx, cancel := context.WithTimeout(context.Background(), lookTime)
		defer cancel()
		objects, err := b.list(ctx, client, bucket, []search{{prefix: dir, below: below}}, maxObjects)
		l.keep(name, bucket, &listing{at: time.Now(), objects: objects, err: err})
		return objects, err
	})
	objects, _ := found.([]event.FileState)
	return objects, err
}

func (l *listings) keep(name, bucket string, found *listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all, l.silent = map[string]*listing{}, map[string]time.Time{}
	}
	if fault.KindOf(found.err) == fault.Unavailable {
		l.silent[bucket] = found.at
	}
	if len(l.all) >= maxListings {
		maps.DeleteFunc(l.all, func(_ string, old *listing) bool { return time.Since(old.at) >= fresh })
	}
	for other := range l.all {
		if len(l.all) < maxListings {
			break
		}
		delete(l.all, other)
	}
	l.all[name] = found
}
