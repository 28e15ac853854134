package trigger_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/internal/adapter/files"
	"levada/internal/core/event"
)

// unreadable are files of the machine of which those of one name cannot be read.
type unreadable struct {
	files.Files
	name string
}

func (u unreadable) Digest(ctx context.Context, path string) (event.FileState, error) {
	if filepath.Base(path) == u.name {
		return event.FileState{}, &os.PathError{Op: "open", Path: path, Err: os.ErrPermission}
	}
	return u.Files.Digest(ctx, path)
}

func TestAFileThatCannotBeReadKeepsNoOtherWaiting(t *testing.T) {
	fielded(t, func(f *field) {
		f.end()
		f.files = unreadable{name: "a.csv"}
		f.open()
		made := f.create(nil)
		f.write("a.csv", "1")
		f.write("b.csv", "2")
		pass(time.Minute)
		f.want("file", "b.csv")
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || !strings.Contains(got.Failure, "a.csv: permission denied") {
			t.Errorf("it says %q, %v", got.Failure, err)
		}
		f.end()
		f.files = files.Files{}
		f.open()
		pass(time.Minute)
		f.want("file", "b.csv", "a.csv")
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || got.Failure != "" {
			t.Errorf("afterwards it says %q, %v", got.Failure, err)
		}
	})
}

func TestAFileThatCannotBeReadMakesNoOtherWaitForThePoll(t *testing.T) {
	fielded(t, func(f *field) {
		f.end()
		f.files = unreadable{name: "a.csv"}
		f.open()
		f.write("old.csv", "0")
		made := f.create(func(t *event.Trigger) { t.On.File.PollSeconds = 3600 })
		f.write("a.csv", "1")
		pass(time.Hour + time.Minute)
		f.want("file")
		f.write("b.csv", "2")
		pass(time.Hour + time.Second) // to the next look, and the one after it
		f.want("file", "b.csv")
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || !strings.HasPrefix(got.Failure, "not all can be seen: ") {
			t.Errorf("it says %q, %v", got.Failure, err)
		}
	})
	fielded(t, func(f *field) {
		f.end()
		f.files = unreadable{name: "a.csv"}
		f.open()
		made := f.create(nil)
		f.write("a.csv", "1")
		pass(time.Minute)
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || !strings.HasPrefix(got.Failure, "nothing can be seen: ") {
			t.Errorf("of one file that cannot be read it says %q, %v", got.Failure, err)
		}
	})
}
