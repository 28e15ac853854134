package registry_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"levada/internal/adapter/store"
	"levada/internal/core/model"
	"levada/internal/core/track"
	"levada/internal/registry"
)

func open(t testing.TB, path string) (*registry.Service, *store.Store) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: path, Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	return service(db), db
}

func service(db *store.Store) *registry.Service {
	at := time.UnixMicro(0)
	return registry.New(registry.Options{Store: db.Registry(), CheckName: func(string, string) error { return nil }, Now: func() time.Time {
		at = at.Add(time.Millisecond)
		return at
	}})
}

// What searches hold in memory must be what is on disk, whatever is done in which order.
func TestASearchFindsWhatIsStoredAfterEveryChange(t *testing.T) {
	ctx := t.Context()
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	s, db := open(t, filepath.Join(t.TempDir(), "db"))
	defer db.Close()
	st := db.Registry()
	rapid.Check(t, func(t *rapid.T) {
		for _, n := range []string{"a", "b", "c"} {
			_ = s.DeleteModel(ctx, n) // of the history before
		}
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			n, v := name.Draw(t, "name"), rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "version")
			// Most of these are refused: there is no such model or version, or there is one already. That is as good.
			switch rapid.IntRange(0, 8).Draw(t, "what") {
			case 0, 1:
				_, _ = s.CreateModel(ctx, n, nil, nil)
			case 2:
				_ = st.AddVersion(ctx, n, func(m *model.Registered) (model.Version, error) {
					m.Last++
					return model.Version{Name: n, Number: m.Last, Stage: model.None}, nil
				})
			case 3:
				_ = s.SetVersionTag(ctx, n, v, track.KV{Key: "k", Value: fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "value"))})
			case 4:
				_, _ = s.MoveVersion(ctx, n, v, "Production", true)
			case 5:
				_ = s.DeleteVersion(ctx, n, v)
			case 6:
				_, _ = s.RenameModel(ctx, n, name.Draw(t, "new name"))
			case 7:
				_ = s.DeleteModel(ctx, n)
			case 8:
				_ = s.SetAlias(ctx, n, "live", v)
			}
			if rapid.Bool().Draw(t, "look") {
				look(t, s, db)
			}
		}
		look(t, s, db)
	})
}

// look compares what a search finds with what a service without anything in memory reads.
func look(t *rapid.T, s *registry.Service, db *store.Store) {
	ctx := t.Context()
	q := registry.Query{Limit: 100}
	found, _, err := s.SearchVersions(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	models, _, err := s.SearchModels(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, m := range models {
		stored, err := s.Model(ctx, m.Name)
		if diff := cmp.Diff(stored, m, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("model %s, %v (-stored +found):\n%s", m.Name, err, diff)
		}
		for n := int64(1); n <= m.Last; n++ {
			if v, err := db.Registry().Version(ctx, m.Name, n); err == nil {
				total++
				for _, f := range found {
					if f.Name == v.Name && f.Number == v.Number {
						if diff := cmp.Diff(v, f.Version, cmpopts.EquateEmpty()); diff != "" {
							t.Fatalf("version %s %d (-stored +found):\n%s", v.Name, v.Number, diff)
						}
						total--
					}
				}
			}
		}
	}
	if total != 0 {
		t.Fatalf("%d versions are stored and not found", total)
	}
}

// BenchmarkSearch searches 200 models with 100 versions each.
//
//	go test ./internal/registry -run '^$' -bench Search
func BenchmarkSearch(b *testing.B) {
	s, db := open(b, filepath.Join(b.TempDir(), "db"))
	defer db.Close()
	ctx := b.Context()
	for m := range 200 {
		name := fmt.Sprintf("model-%03d", m)
		if _, err := s.CreateModel(ctx, name, nil, nil); err != nil {
			b.Fatal(err)
		}
		for v := range 100 {
			err := db.Registry().AddVersion(ctx, name, func(m *model.Registered) (model.Version, error) {
				m.Last++
				return model.Version{Name: name, Number: m.Last, UpdatedUS: int64(v * 1000), Stage: model.None, Source: "s3://bucket/model", Location: "s3://bucket/model",
					Tags: []track.KV{{Key: "team", Value: "a"}, {Key: "n", Value: fmt.Sprint(v)}}, Files: []model.File{{Path: "MLmodel", Size: 1000, Digest: "file:sha256:00"}}}, nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	for name, q := range map[string]registry.Query{
		"versions, newest 100": {Limit: 100}, "versions, all": {Limit: 200_000}, "versions of a name": {Limit: 100, Filter: "name = 'model-007'"},
		"versions by tag": {Limit: 100, Filter: "tags.n = '7'"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if found, _, err := s.SearchVersions(ctx, q); err != nil || len(found) == 0 {
					b.Fatal(len(found), err)
				}
			}
		})
	}
	b.Run("models, first 100", func(b *testing.B) {
		for b.Loop() {
			if found, _, err := s.SearchModels(ctx, registry.Query{Limit: 100}); err != nil || len(found) != 100 {
				b.Fatal(len(found), err)
			}
		}
	})
	b.Run("a tag of a version, then a search", func(b *testing.B) {
		for b.Loop() {
			if err := s.SetVersionTag(ctx, "model-007", "50", track.KV{Key: "k", Value: "v"}); err != nil {
				b.Fatal(err)
			}
			if _, _, err := s.SearchVersions(ctx, registry.Query{Limit: 100}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestAPartOfANameIsTakenLiterally(t *testing.T) {
	s, db := open(t, filepath.Join(t.TempDir(), "db"))
	defer db.Close()
	for _, name := range []string{"Churn_v1", "churn-v1", "100% 'real'", `say "it's"`} {
		if _, err := s.CreateModel(t.Context(), name, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for part, want := range map[string]int{"": 4, "churn_v": 1, "CHURN": 2, "%": 1, "_": 1, "'": 2, `"it's"`: 1, "0% 'R": 1, "zzz": 0} {
		found, _, err := s.SearchModels(t.Context(), registry.Query{NamePart: part, Limit: 10})
		if err != nil || len(found) != want {
			t.Errorf("%q: found %d models, %v; want %d", part, len(found), err, want)
		}
	}
}
