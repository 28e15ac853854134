package trigger_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"levada/internal/adapter/files"
	"levada/internal/core/event"
	"levada/internal/core/fault"
)

// bucketed are files of the machine, and a bucket whose objects and failures the test says.
type bucketed struct {
	files.Files
	mu      sync.Mutex
	objects map[string]event.FileState
	err     error
	looks   []time.Time
	// hangs keeps looks at the bucket from ending.
	hangs chan struct{}
}

func (b *bucketed) List(ctx context.Context, path string, limit int) ([]event.FileState, error) {
	if !strings.HasPrefix(path, "s3://") {
		return b.Files.List(ctx, path, limit)
	}
	b.mu.Lock()
	b.looks = append(b.looks, time.Now())
	hangs, err := b.hangs, b.err
	var out []event.FileState
	for _, o := range b.objects {
		out = append(out, o)
	}
	b.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-ctx.Done():
		}
	}
	slices.SortFunc(out, func(x, y event.FileState) int { return strings.Compare(x.Path, y.Path) })
	return out, err
}

func (b *bucketed) put(key, tag string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	path := "s3://bucket/" + key
	b.objects[path] = event.FileState{Path: path, Size: 1, ModifiedNS: time.Now().Truncate(time.Second).UnixNano(), Digest: "etag:" + tag}
}

func (b *bucketed) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func inBucket(t *event.Trigger) {
	t.On = event.Source{File: &event.FileSource{Path: "s3://bucket/in"}}
	t.ParametersFrom = map[string]string{"file": `event.path + " " + event.change`}
}

// inField runs a test with a bucket beside the files.
func inField(t *testing.T, test func(f *field, b *bucketed)) {
	fielded(t, func(f *field) {
		b := &bucketed{objects: map[string]event.FileState{}}
		f.end()
		f.files = b
		f.open()
		test(f, b)
	})
}

func TestANewOrChangedObjectOfABucketStartsARun(t *testing.T) {
	inField(t, func(f *field, b *bucketed) {
		b.put("in/old", "0")
		made := f.create(inBucket)
		pass(2 * time.Minute)
		f.want("file")
		b.put("in/a", "1")
		pass(time.Minute) // one look is enough: an object appears whole
		f.want("file", "s3://bucket/in/a created")
		b.put("in/a", "1") // uploaded again, with another time
		pass(time.Minute)
		b.put("in/a", "2")
		b.put("in/old", "0")
		pass(time.Minute)
		f.want("file", "s3://bucket/in/a created", "s3://bucket/in/a changed")
		b.put("in/a", "3")
		b.put("in/b", "1")
		f.end()
		pass(time.Minute)
		f.open()
		pass(time.Minute)
		// Two uploads within a second: the time is the same, the tag is not.
		one := b.objects["s3://bucket/in/b"]
		one.Digest = "etag:2"
		b.mu.Lock()
		b.objects[one.Path] = one
		b.mu.Unlock()
		pass(time.Minute)
		f.want("file", "s3://bucket/in/a created", "s3://bucket/in/a changed", "s3://bucket/in/a changed", "s3://bucket/in/b created", "s3://bucket/in/b changed")
		last := eventsOf(f, made.ID)[4].Data
		if last["directory"] != "s3://bucket/in" || last["name"] != "b" || last["digest"] != "etag:2" {
			t.Errorf("the last event is %+v", last)
		}
	})
}

func TestABucketThatDoesNotAnswerIsAskedLessAndSaysWhy(t *testing.T) {
	inField(t, func(f *field, b *bucketed) {
		made := f.create(inBucket)
		pass(time.Minute)
		b.fail(fault.Unavailablef("the bucket cannot be reached"))
		b.mu.Lock()
		b.looks = nil
		b.mu.Unlock()
		pass(30 * time.Minute)
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || got.Failure != "nothing can be seen: the bucket cannot be reached" {
			t.Errorf("it says %q, %v", got.Failure, err)
		}
		b.mu.Lock()
		var between []time.Duration
		for i := range len(b.looks) - 1 {
			between = append(between, b.looks[i+1].Sub(b.looks[i]))
		}
		b.mu.Unlock()
		if len(between) < 4 || !slices.Equal(between[:4], []time.Duration{2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute}) {
			t.Errorf("it was looked at after %v", between)
		}
		b.put("in/a", "1")
		b.fail(nil)
		pass(5 * time.Minute)
		f.want("file", "s3://bucket/in/a created")
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || got.Failure != "" {
			t.Errorf("afterwards it says %q, %v", got.Failure, err)
		}
		b.put("in/b", "1")
		pass(time.Minute)
		f.want("file", "s3://bucket/in/a created", "s3://bucket/in/b created")
		// A trigger on a bucket that cannot be looked at is not made.
		b.fail(fault.Invalidf("there is no bucket"))
		again := made
		again.Name = "another"
		if _, err := f.svc.Create(f.t.Context(), again); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "no bucket") {
			t.Errorf("a trigger on it: %v", err)
		}
	})
}

func TestABucketThatHangsKeepsNoOtherTriggerWaiting(t *testing.T) {
	inField(t, func(f *field, b *bucketed) {
		f.create(inBucket)
		f.create(func(t *event.Trigger) { t.Name = "on files" })
		b.mu.Lock()
		b.hangs = make(chan struct{})
		b.mu.Unlock()
		pass(time.Minute)
		f.write("a.csv", "1")
		pass(15 * time.Second)
		f.want("file", "a.csv")
	})
}
