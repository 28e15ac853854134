package blob_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/adapter/blob"
	"levada/internal/core/run"
)

// later returns a time after everything that was stored so far, by the clock of the file system.
func later(t *testing.T) time.Time {
	t.Helper()
	first := probe(t)
	for {
		if now := probe(t); now.After(first) {
			return now
		}
	}
}

func probe(t *testing.T) time.Time {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe")
	must(t, os.WriteFile(path, nil, 0o600))
	info, err := os.Stat(path)
	must(t, err)
	return info.ModTime()
}

func roots(digests ...string) func(func(string) error) error {
	return func(yield func(string) error) error {
		for _, d := range digests {
			if err := yield(d); err != nil {
				return err
			}
		}
		return nil
	}
}

func sweep(t *testing.T, s *blob.Store, before time.Time, needed ...string) run.Swept {
	t.Helper()
	swept, err := s.Sweep(context.Background(), before, false, roots(needed...))
	must(t, err)
	return swept
}

func has(t *testing.T, s *blob.Store, digest string) bool {
	t.Helper()
	ok, err := s.Has(context.Background(), digest)
	must(t, err)
	return ok
}

func TestASweepRemovesWhatNoRootIsOrHolds(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "store"))
	file := put(t, s, filepath.Join(write(t, filepath.Join(dir, "a"), tree{"f": []byte("needed")}), "f"))
	lost := put(t, s, filepath.Join(write(t, filepath.Join(dir, "b"), tree{"f": []byte("not needed")}), "f"))
	kept := put(t, s, write(t, filepath.Join(dir, "kept"), tree{"shared": []byte("in both"), "deep/own": []byte("own"), "empty/": nil}))
	gone := put(t, s, write(t, filepath.Join(dir, "gone"), tree{"shared": []byte("in both"), "mine": []byte("alone")}))
	before := later(t)
	alien := filepath.Join(filepath.Dir(stored(filepath.Join(dir, "store"), file.Digest)), "notes.txt")
	must(t, os.WriteFile(alien, []byte("not ours"), 0o600))

	dry, err := s.Sweep(context.Background(), before, true, roots(file.Digest, kept.Digest))
	must(t, err)
	if !has(t, s, lost.Digest) || !has(t, s, gone.Digest) {
		t.Fatal("a dry run removed something")
	}
	got := sweep(t, s, before, file.Digest, kept.Digest)
	if got.Files != 3 || got.KeptFiles != 4 || got.Young != 0 {
		t.Errorf("swept %+v, want 3 files: a file, a manifest and what only that held; and 4 kept", got)
	}
	dry.DryRun = false
	if diff := cmp.Diff(got, dry); diff != "" {
		t.Errorf("the dry run said something else (-did +said):\n%s", diff)
	}
	for digest, want := range map[string]bool{file.Digest: true, kept.Digest: true, lost.Digest: false, gone.Digest: false} {
		if has(t, s, digest) != want {
			t.Errorf("%s is here: %t, want %t", digest, !want, want)
		}
	}
	must(t, s.Verify(context.Background(), kept.Digest))
	if _, err := os.Stat(alien); err != nil {
		t.Errorf("a file that was not stored by its content: %v", err)
	}
	if again := sweep(t, s, before, file.Digest, kept.Digest); again.Files != 0 {
		t.Errorf("a second sweep removed %d files", again.Files)
	}
}

func TestASweepSparesWhatIsNewStoredAgainOrKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "store"))
	text := func(name string) string {
		return filepath.Join(write(t, filepath.Join(dir, name+"-in"), tree{"f": []byte(name)}), "f")
	}
	old, again, streamed, kept := put(t, s, text("old")), put(t, s, text("again")), put(t, s, text("streamed")), put(t, s, text("kept"))
	folder := put(t, s, write(t, filepath.Join(dir, "folder"), tree{"x": []byte("x"), "y": []byte("y")}))
	before := later(t)
	put(t, s, text("again"))
	_, err := s.PutReader(context.Background(), bytes.NewReader([]byte("streamed")))
	must(t, err)
	for _, d := range []run.BlobInfo{kept, folder} {
		if ok, err := s.Keep(context.Background(), d.Digest, d.Size); err != nil || !ok {
			t.Fatalf("keep %s: %t, %v", d.Digest, ok, err)
		}
	}
	recent := put(t, s, text("new"))
	if got := sweep(t, s, before); got.Files != 1 || got.Young != 7 {
		t.Errorf("swept %+v, want 1 removed and 7 too young", got)
	}
	for digest, want := range map[string]bool{old.Digest: false, again.Digest: true, streamed.Digest: true, kept.Digest: true, folder.Digest: true, recent.Digest: true} {
		if has(t, s, digest) != want {
			t.Errorf("%s is here: %t, want %t", digest, !want, want)
		}
	}
	if ok, err := s.Keep(context.Background(), old.Digest, old.Size); err != nil || ok {
		t.Errorf("keep what is gone: %t, %v", ok, err)
	}
}

func TestAStepCannotMakeItsOutputLookOld(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "store"))
	before := later(t)
	path := filepath.Join(write(t, filepath.Join(dir, "in"), tree{"f": []byte("x")}), "f")
	must(t, os.Chtimes(path, time.Unix(0, 0), time.Unix(0, 0)))
	info := put(t, s, path)
	sweep(t, s, before)
	if !has(t, s, info.Digest) {
		t.Error("content with an old time was removed although it had just been stored")
	}
}

func TestNothingIsRemovedWhileARootCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "store"))
	folder := put(t, s, write(t, filepath.Join(dir, "folder"), tree{"x": []byte("x")}))
	lost := put(t, s, filepath.Join(write(t, filepath.Join(dir, "b"), tree{"f": []byte("lost")}), "f"))
	before := later(t)
	path := stored(filepath.Join(dir, "store"), folder.Digest)
	must(t, os.Chmod(path, 0o600))
	must(t, os.WriteFile(path, []byte("damaged"), 0o600))
	_, err := s.Sweep(context.Background(), later(t), false, roots(folder.Digest))
	if err == nil || !strings.Contains(err.Error(), "nothing was removed") {
		t.Errorf("sweep with a damaged root: %v", err)
	}
	if !has(t, s, lost.Digest) {
		t.Error("something was removed")
	}
	// A root that is gone altogether must not stop the collection for ever.
	must(t, os.Remove(path))
	if got := sweep(t, s, before, folder.Digest); got.Files != 2 {
		t.Errorf("swept %+v, want the file and what the lost directory held", got)
	}
}

func TestContentStoredWhileASweepGoesOnIsNeverLost(t *testing.T) {
	s, err := blob.Open(t.TempDir(), blob.Options{Ephemeral: true})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	texts := make([]string, 300)
	for i := range texts {
		texts[i] = fmt.Sprint("content ", i)
		_, err := s.PutReader(context.Background(), strings.NewReader(texts[i]))
		must(t, err)
	}
	// The order in which a sweep meets them.
	slices.SortFunc(texts, func(a, b string) int { return strings.Compare(sum(a), sum(b)) })
	before := later(t)
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := s.Sweep(context.Background(), before, false, roots()); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		group.Go(func() {
			for _, text := range texts {
				if _, err := s.PutReader(context.Background(), strings.NewReader(text)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	for _, text := range texts {
		if !has(t, s, "sha256:"+sum(text)) {
			t.Fatalf("%q was stored during the sweep and is gone", text)
		}
	}
}
