package tracking_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"levada/internal/adapter/blob"
	"levada/internal/adapter/store"
	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

type clock struct{ now time.Time }

func open(t *testing.T, o tracking.Options) (*tracking.Service, *store.Store) {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "db"), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.Open(filepath.Join(dir, "blobs"), blob.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(blobs.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	o.Store, o.Blobs, o.NewID = db.Tracking(), blobs, uuid.NewString
	return tracking.New(o), db
}

func digests(t *testing.T, db *store.Store) (out []string) {
	t.Helper()
	if err := db.Tracking().Digests(t.Context(), func(d string) error { out = append(out, d); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAPartThatIsTooLargeIsRefusedAndNotKept(t *testing.T) {
	s, db := open(t, tracking.Options{Now: time.Now, MaxPartBytes: 10})
	u, err := s.CreateUpload(t.Context(), "d", "x", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutPart(t.Context(), u.ID, 1, strings.NewReader("12345678901")); fault.KindOf(err) != fault.TooLarge || err == nil {
		t.Errorf("11 bytes: %v; want them refused as too large", err)
	}
	if n := len(digests(t, db)); n != 0 {
		t.Errorf("%d contents are kept", n)
	}
	if _, err := s.PutPart(t.Context(), u.ID, 1, strings.NewReader("1234567890")); err != nil {
		t.Errorf("10 bytes: %v", err)
	}
	if _, err := s.PutPart(t.Context(), u.ID, 2, strings.NewReader("1")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a part beyond the last: %v", err)
	}
}

func TestWhatAnAbandonedUploadHoldsIsNoLongerNeeded(t *testing.T) {
	c := &clock{time.Now()}
	s, db := open(t, tracking.Options{Now: func() time.Time { return c.now }})
	c.now = c.now.Add(-track.UploadTime - time.Hour)
	old, err := s.CreateUpload(t.Context(), "d", "old", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutPart(t.Context(), old.ID, 1, strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	c.now = time.Now()
	if got := digests(t, db); len(got) != 0 {
		t.Errorf("%v is needed for an upload that is over", got)
	}
	if _, err := s.PutPart(t.Context(), old.ID, 1, strings.NewReader("more")); fault.KindOf(err) != fault.NotFound || err == nil {
		t.Errorf("a part for an upload that is over: %v", err)
	}
	young, err := s.CreateUpload(t.Context(), "d", "young", 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Tracking().Upload(t.Context(), old.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the upload that is over is still there: %v", err)
	}
	var parts []track.Part
	for n, content := range []string{"one", "two"} {
		digest, err := s.PutPart(t.Context(), young.ID, int64(n)+1, bytes.NewReader([]byte(content)))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, track.Part{Number: int64(n) + 1, Digest: digest})
	}
	if got := digests(t, db); len(got) != 2 {
		t.Errorf("%v is needed; want the two parts", got)
	}
	if err := s.CompleteUpload(t.Context(), "d", "young", young.ID, parts); err != nil {
		t.Fatal(err)
	}
	if got := digests(t, db); len(got) != 1 || got[0] == parts[0].Digest {
		t.Errorf("%v is needed; want the file", got)
	}
}

func TestASignatureEndsWithItsTime(t *testing.T) {
	c := &clock{time.Now()}
	s, _ := open(t, tracking.Options{Now: func() time.Time { return c.now }})
	sign, err := s.Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expires, signature := sign("GET x", time.Minute)
	at := func(right, signature string) error {
		return s.CheckSigned(t.Context(), right, strconv.FormatInt(expires, 10), signature)
	}
	if err := at("GET x", signature); err != nil {
		t.Error(err)
	}
	if err := at("GET y", signature); !errors.Is(err, tracking.ErrSignature) {
		t.Errorf("another right: %v", err)
	}
	c.now = c.now.Add(time.Minute)
	if err := at("GET x", signature); !errors.Is(err, tracking.ErrSignature) {
		t.Errorf("after its time: %v", err)
	}
}

func FuzzNoSignatureIsGuessed(f *testing.F) {
	f.Add("GET x", "9999999999", "")
	f.Fuzz(func(t *testing.T, right, expires, signature string) {
		s, _ := open(t, tracking.Options{Now: time.Now})
		if err := s.CheckSigned(t.Context(), right, expires, signature); err == nil {
			t.Errorf("%q proves %q until %q", signature, right, expires)
		}
	})
}
