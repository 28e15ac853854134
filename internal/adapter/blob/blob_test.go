package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"levada/internal/adapter/blob"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir string) *blob.Store {
	t.Helper()
	s, err := blob.Open(dir, blob.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// check is what tests and properties have in common.
type check interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func must(t check, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t check, s *blob.Store, path string) run.BlobInfo {
	t.Helper()
	info, err := s.Put(context.Background(), path)
	must(t, err)
	return info
}

// tree is a directory's content: the text of each file by path, nil for an empty directory.
type tree map[string][]byte

func write(t check, root string, files tree) string {
	t.Helper()
	must(t, os.MkdirAll(root, 0o755))
	for path, text := range files {
		full := filepath.Join(root, path)
		if text == nil {
			must(t, os.MkdirAll(full, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		must(t, os.WriteFile(full, text, 0o644))
	}
	return root
}

// read is the reverse of write.
func read(t check, root string) tree {
	t.Helper()
	files := tree{}
	must(t, filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if !e.IsDir() {
			files[rel], err = os.ReadFile(path)
			return err
		}
		if found, err := os.ReadDir(path); err != nil || len(found) > 0 || rel == "." {
			return err
		}
		files[rel] = nil
		return nil
	}))
	return files
}

func same(t check, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func wantKind(t check, err error, kind fault.Kind, mention string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || !strings.Contains(err.Error(), mention) {
		t.Fatalf("got error %v (kind %d), want kind %d mentioning %q", err, fault.KindOf(err), kind, mention)
	}
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// stored is where the bytes of a digest lie.
func stored(dir, digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return filepath.Join(dir, "sha256", hex[:2], hex)
}

func TestAFileIsStoredUnderTheHashOfItsBytesAndConsumed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	path := filepath.Join(dir, "model.bin")
	must(t, os.WriteFile(path, []byte("weights"), 0o600))
	info := put(t, s, path)
	same(t, "info", info, run.BlobInfo{Digest: "sha256:" + sum("weights"), Size: 7, Files: 1})
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the source is still there: %v", err)
	}
	fi, err := os.Stat(stored(filepath.Join(dir, "blobs"), info.Digest))
	must(t, err)
	same(t, "mode", fi.Mode().Perm(), os.FileMode(0o444))
	again, err := s.PutReader(t.Context(), strings.NewReader("weights"))
	must(t, err)
	same(t, "the same bytes from a reader", again, info)
	files, err := s.Files(t.Context(), info.Digest)
	must(t, err)
	same(t, "files", files, []run.BlobFile{{Size: 7, Digest: info.Digest}})
	f, err := s.Open(t.Context(), info.Digest, "")
	must(t, err)
	text, err := io.ReadAll(f)
	must(t, errors.Join(err, f.Close()))
	same(t, "content", string(text), "weights")
}

func TestADirectorysDigestIsThatOfItsDocumentedManifest(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	src := write(t, filepath.Join(dir, "out"), tree{"b.txt": []byte("bee"), "a/z\"\\\n.txt": []byte(""), "assets": nil, "a b/é.txt": []byte("bee")})
	info := put(t, s, src)
	manifest := `{"manifest":"levada-dir-1"}` + "\n" +
		`{"path":"a b/é.txt","sha256":"` + sum("bee") + `","size":3}` + "\n" +
		`{"path":"a/z\"\\\u000a.txt","sha256":"` + sum("") + `","size":0}` + "\n" +
		`{"path":"assets/"}` + "\n" +
		`{"path":"b.txt","sha256":"` + sum("bee") + `","size":3}` + "\n"
	same(t, "info", info, run.BlobInfo{Digest: "dir-sha256:" + sum(manifest), Size: 6, Files: 3})
	text, err := os.ReadFile(stored(filepath.Join(dir, "blobs"), info.Digest))
	must(t, err)
	same(t, "manifest", string(text), manifest)
	if _, err := os.Lstat(src); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the source is still there: %v", err)
	}
	f, err := s.Open(t.Context(), info.Digest, "a b/é.txt")
	must(t, err)
	body, err := io.ReadAll(f)
	must(t, errors.Join(err, f.Close()))
	same(t, "one file", string(body), "bee")
	for _, path := range []string{"", "nope", "assets/", "../b.txt", "a b"} {
		_, err := s.Open(t.Context(), info.Digest, path)
		wantKind(t, err, fault.NotFound, "holds no file")
	}
}

func TestAnEmptyDirectoryRoundTrips(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	info := put(t, s, write(t, filepath.Join(dir, "out"), nil))
	same(t, "info", info, run.BlobInfo{Digest: "dir-sha256:" + sum(`{"manifest":"levada-dir-1"}`+"\n")})
	must(t, s.Materialise(t.Context(), info.Digest, filepath.Join(dir, "in")))
	same(t, "content", read(t, filepath.Join(dir, "in")), tree{})
}

func TestLinksInsideADirectoryAreStoredAsTheirContent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	src := write(t, filepath.Join(dir, "out"), tree{"real/a.txt": []byte("a"), "plain.txt": []byte("p")})
	must(t, os.Symlink("plain.txt", filepath.Join(src, "relative")))
	must(t, os.Symlink(filepath.Join(src, "plain.txt"), filepath.Join(src, "absolute")))
	must(t, os.Symlink("real", filepath.Join(src, "directory")))
	must(t, os.Symlink("../relative", filepath.Join(src, "real", "twice")))
	linked := put(t, s, src)
	plain := put(t, s, write(t, filepath.Join(dir, "plain"), tree{
		"real/a.txt": []byte("a"), "real/twice": []byte("p"), "plain.txt": []byte("p"), "relative": []byte("p"), "absolute": []byte("p"),
		"directory/a.txt": []byte("a"), "directory/twice": []byte("p"),
	}))
	same(t, "digest", linked, plain)
}

func TestWhatIsNotContentIsRefusedByName(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(outside, []byte("secret"), 0o600))
	for name, make := range map[string]func(path string) error{
		"outside":             func(path string) error { return os.Symlink(outside, path) },
		"relative outside":    func(path string) error { return os.Symlink("../../../../../../etc/passwd", path) },
		"does not exist":      func(path string) error { return os.Symlink("nothing", path) },
		"that it is in":       func(path string) error { return os.Symlink("..", path) },
		"cannot be followed":  func(path string) error { return os.Symlink("odd", path) },
		"is not valid UTF-8:": func(path string) error { return os.WriteFile(path+"\xff", nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, filepath.Join(dir, "blobs"))
			src := write(t, filepath.Join(dir, "out"), tree{"sub/a.txt": []byte("a")})
			must(t, make(filepath.Join(src, "sub", "odd")))
			_, err := s.Put(t.Context(), src)
			wantKind(t, err, fault.Invalid, "sub/odd")
			wantKind(t, err, fault.Invalid, strings.TrimPrefix(name, "relative "))
			same(t, "the source stays", string(read1(t, filepath.Join(src, "sub", "a.txt"))), "a")
		})
	}
	t.Run("a link in place of the output", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, filepath.Join(dir, "blobs"))
		must(t, os.Symlink(outside, filepath.Join(dir, "out")))
		_, err := s.Put(t.Context(), filepath.Join(dir, "out"))
		wantKind(t, err, fault.Invalid, "symbolic link")
		_, err = s.Put(t.Context(), filepath.Join(dir, "nothing"))
		wantKind(t, err, fault.NotFound, "nothing")
	})
}

func read1(t check, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return text
}

func TestMalformedDigestsAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	for _, digest := range []string{
		"", "sha256:", "sha256:../../../../etc/passwd", "sha256:" + strings.Repeat("a", 63), "sha256:" + strings.Repeat("A", 64),
		"sha256:" + strings.Repeat("g", 64), "md5:" + strings.Repeat("a", 64), "dir-sha256:" + strings.Repeat("/", 64), sum("x"),
	} {
		_, err := s.Has(ctx, digest)
		wantKind(t, err, fault.Invalid, "is not a digest")
		_, err = s.Files(ctx, digest)
		wantKind(t, err, fault.Invalid, "is not a digest")
		_, err = s.Open(ctx, digest, "")
		wantKind(t, err, fault.Invalid, "is not a digest")
		wantKind(t, s.Materialise(ctx, digest, filepath.Join(t.TempDir(), "x")), fault.Invalid, "is not a digest")
		wantKind(t, s.Verify(ctx, digest), fault.Invalid, "is not a digest")
	}
}

func TestWhatIsNotStoredIsNotFound(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	for _, digest := range []string{"sha256:" + sum("x"), "dir-sha256:" + sum("x")} {
		has, err := s.Has(ctx, digest)
		must(t, err)
		same(t, "has", has, false)
		_, err = s.Files(ctx, digest)
		wantKind(t, err, fault.NotFound, digest)
		_, err = s.Open(ctx, digest, "")
		wantKind(t, err, fault.NotFound, digest)
		dest := filepath.Join(t.TempDir(), "x")
		wantKind(t, s.Materialise(ctx, digest, dest), fault.NotFound, digest)
		if _, err := os.Lstat(dest); err == nil {
			t.Fatal("something is left at the destination")
		}
		wantKind(t, s.Verify(ctx, digest), fault.NotFound, digest)
	}
}

func TestDamageIsDetected(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"same size":    func(path string) error { return os.WriteFile(path, []byte("XXX"), 0o600) },
		"another size": func(path string) error { return os.WriteFile(path, []byte("X"), 0o600) },
		"missing":      os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, filepath.Join(dir, "blobs"))
			ctx := t.Context()
			files := tree{"a.txt": []byte("aaa"), "b.txt": []byte("bbb")}
			info := put(t, s, write(t, filepath.Join(dir, "out"), files))
			must(t, s.Verify(ctx, info.Digest))
			path := stored(filepath.Join(dir, "blobs"), "sha256:"+sum("bbb"))
			must(t, os.Chmod(path, 0o600))
			must(t, change(path))
			if err := s.Verify(ctx, info.Digest); !errors.Is(err, blob.ErrDamaged) && fault.KindOf(err) != fault.NotFound {
				t.Fatalf("verify said %v", err)
			}
			has, err := s.Has(ctx, info.Digest)
			must(t, err)
			same(t, "has", has, name == "same size")
			if name == "same size" {
				return // only Verify looks inside; storing again takes what has the right name and size
			}
			again := put(t, s, write(t, filepath.Join(dir, "again"), files))
			same(t, "storing again heals", again, info)
			must(t, s.Verify(ctx, info.Digest))
		})
	}
}

func TestADamagedManifestIsNeverFollowed(t *testing.T) {
	for name, manifest := range map[string]string{
		"escape":        `{"path":"../x","sha256":"` + sum("") + `","size":0}`,
		"absolute":      `{"path":"/etc/x","sha256":"` + sum("") + `","size":0}`,
		"no content":    `{"path":"x","sha256":"../../x","size":0}`,
		"twice":         `{"path":"x","sha256":"` + sum("") + `","size":0}` + "\n" + `{"path":"x","sha256":"` + sum("") + `","size":0}`,
		"file and dir":  `{"path":"x","sha256":"` + sum("") + `","size":0}` + "\n" + `{"path":"x/y","sha256":"` + sum("") + `","size":0}`,
		"another form":  `{"path": "x","sha256":"` + sum("") + `","size":0}`,
		"more fields":   `{"path":"x","sha256":"` + sum("") + `","size":0,"mode":7}`,
		"not in order":  `{"path":"y","sha256":"` + sum("") + `","size":0}` + "\n" + `{"path":"x","sha256":"` + sum("") + `","size":0}`,
		"not JSON":      `hello`,
		"negative size": `{"path":"x","sha256":"` + sum("") + `","size":-1}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			text := `{"manifest":"levada-dir-1"}` + "\n" + manifest + "\n"
			_, err := s.PutReader(t.Context(), strings.NewReader(text))
			must(t, err)
			_, err = s.PutReader(t.Context(), strings.NewReader(""))
			must(t, err)
			dest := filepath.Join(t.TempDir(), "x")
			if err := s.Materialise(t.Context(), "dir-sha256:"+sum(text), dest); !errors.Is(err, blob.ErrDamaged) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestMaterialisedContentIsReadOnlyAndRemovable(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	info := put(t, s, write(t, filepath.Join(dir, "out"), tree{"a/b.txt": []byte("b"), "empty": nil}))
	dest := filepath.Join(dir, "in")
	must(t, s.Materialise(t.Context(), info.Digest, dest))
	fi, err := os.Stat(filepath.Join(dest, "a", "b.txt"))
	must(t, err)
	same(t, "file mode", fi.Mode().Perm(), os.FileMode(0o444))
	wantKind(t, s.Materialise(t.Context(), info.Digest, dest), fault.Conflict, dest)
	same(t, "what is there stays", len(read(t, dest)), 2)
	must(t, os.RemoveAll(dest))
	if os.Geteuid() == 0 {
		// Root ignores modes, so what it gets must not share its bytes with the store.
		must(t, s.Materialise(t.Context(), info.Digest, dest))
		must(t, os.WriteFile(filepath.Join(dest, "a", "b.txt"), []byte("X"), 0o600))
		must(t, s.Verify(t.Context(), info.Digest))
	}
	must(t, s.Materialise(t.Context(), "sha256:"+sum("b"), filepath.Join(dir, "one")))
	same(t, "one file", string(read1(t, filepath.Join(dir, "one"))), "b")
}

func TestAFileWithAnotherNameIsCopied(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	kept := filepath.Join(dir, "kept")
	must(t, os.WriteFile(kept, []byte("abc"), 0o600))
	must(t, os.Link(kept, filepath.Join(dir, "out")))
	info := put(t, s, filepath.Join(dir, "out"))
	must(t, os.WriteFile(kept, []byte("XYZ"), 0o600))
	must(t, s.Verify(t.Context(), info.Digest))
}

func TestLeftoversOfDeadProcessesAreRemovedAndThoseOfLivingOnesStay(t *testing.T) {
	dir := t.TempDir()
	living := open(t, dir)
	must(t, os.MkdirAll(filepath.Join(dir, "staging", "dead"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "staging", "dead.lock"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "staging", "dead", "1"), []byte("half"), 0o600))
	open(t, dir)
	found, err := os.ReadDir(filepath.Join(dir, "staging"))
	must(t, err)
	same(t, "two stores, each a directory and a lock", len(found), 4)
	_, err = living.PutReader(t.Context(), strings.NewReader("x"))
	must(t, err)
	must(t, living.Close())
	must(t, living.Close())
}

func TestAFailingReaderLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := s.PutReader(t.Context(), io.MultiReader(strings.NewReader("half"), failing{}))
	if err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.PutReader(ctx, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	left := tree{}
	for path, text := range read(t, dir) {
		if text != nil && !strings.HasSuffix(path, ".lock") {
			left[path] = text
		}
	}
	same(t, "files", left, tree{})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("cut off") }

func TestManyPutsOfTheSameContentAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	files := tree{}
	for i := range 100 {
		files[fmt.Sprintf("d%d/f%d", i%7, i)] = bytes.Repeat([]byte{byte(i % 5)}, 1000)
	}
	results := make(chan run.BlobInfo)
	for i := range 8 {
		src := write(t, filepath.Join(dir, fmt.Sprint("out", i)), files)
		go func() {
			info, err := s.Put(context.Background(), src)
			if err != nil {
				t.Error(err)
			}
			results <- info
		}()
	}
	first := <-results
	for range 7 {
		same(t, "info", <-results, first)
	}
	must(t, s.Verify(t.Context(), first.Digest))
}
