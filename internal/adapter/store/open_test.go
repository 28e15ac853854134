package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"levada/internal/adapter/store"
	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

// raw opens a database file without the store.
func raw(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, path string, kind fault.Kind, mention string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Path: path})
	if err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	if fault.KindOf(err) != kind || !strings.Contains(err.Error(), mention) || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v (kind %d), want kind %d mentioning %q", err, fault.KindOf(err), kind, mention)
	}
}

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levada.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	refused(t, path, fault.Invalid, "newer version")
}

func TestADatabaseOfAnotherProgramIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	raw(t, path, `CREATE TABLE theirs (x)`)
	refused(t, path, fault.Invalid, "another program")
	path = filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, path, fault.Invalid, "not a Levada database")
	refused(t, t.TempDir(), fault.Unavailable, "is a directory")
}

func TestAPathWithOddCharactersIsOnlyAPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a?mode=memory&_pragma=x#%41 é", "levada.db")
	s := open(t, path)
	if err := s.CreateExperiment(t.Context(), catalog.Experiment{ID: "e", DisplayName: "e"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the database has mode %v, want 0600", info.Mode().Perm())
	}
}

func TestAClosedStoreSaysSoAndClosesTwice(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "levada.db"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	_, listed := s.ListRuns(ctx, listing.Query{})
	_, read := s.GetSpec(ctx, "x")
	for _, err := range []error{s.CreateExperiment(ctx, catalog.Experiment{ID: "e"}), listed, read} {
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "closed") {
			t.Errorf("got %v", err)
		}
	}
}

func TestTheDatabaseSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levada.db")
	s := open(t, path)
	want := catalog.Pipeline{ID: "p", Name: "p", Tags: map[string]string{"a": "b"}}
	if err := errors.Join(s.CreatePipeline(t.Context(), want, nil), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("closing left a write-ahead log: %v", err)
	}
	got, err := open(t, path).GetPipeline(t.Context(), "p")
	if err != nil || got.Tags["a"] != "b" {
		t.Fatalf("got %+v, %v", got, err)
	}
}

// modernc.org/sqlite is generated against one version of modernc.org/libc; with any other it may corrupt
// data, and module resolution would raise it without a word.
func TestTheBuildHasTheLibcThatSQLiteWasMadeFor(t *testing.T) {
	list := func(format string, module string) string {
		t.Helper()
		out, err := exec.Command("go", "list", "-m", "-f", format, module).Output()
		if err != nil {
			t.Fatalf("go list -m %s: %v", module, err)
		}
		return strings.TrimSpace(string(out))
	}
	used := list("{{.Version}}", "modernc.org/libc")
	gomod, err := os.ReadFile(list("{{.GoMod}}", "modernc.org/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(gomod), "modernc.org/libc "+used+"\n") {
		t.Errorf("the build uses modernc.org/libc %s, but modernc.org/sqlite pins another:\n%s", used, gomod)
	}
}
