package registry_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/model"
	"levada/internal/core/track"
	"levada/internal/registry"
)

func TestModelsAreFoundByWhatPeopleWrite(t *testing.T) {
	s, db := open(t, filepath.Join(t.TempDir(), "db"))
	defer db.Close()
	for _, name := range []string{"fares", "Delays of flights", "fares-old"} {
		if _, err := s.CreateModel(t.Context(), name, nil, nil); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := db.Registry().AddVersion(t.Context(), name, func(m *model.Registered) (model.Version, error) {
				m.Last++
				return model.Version{Name: name, Number: m.Last, Stage: model.None}, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.SetAlias(t.Context(), name, "champion", "2"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CreateModel(t.Context(), "fares prompt", nil, []track.KV{{Key: model.TagIsPrompt, Value: "true"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteVersion(t.Context(), "fares", "1"); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]registry.Found{
		"FARES":           {{Model: "fares"}, {Model: "fares-old"}},
		"fares v2":        {{Model: "fares", Version: 2}, {Model: "fares-old", Version: 2}},
		"fares/1":         {{Model: "fares-old", Version: 1}},
		"flights@":        {{Model: "Delays of flights", Version: 2, Alias: "champion"}},
		"fares-old@champ": {{Model: "fares-old", Version: 2, Alias: "champion"}},
		"champ":           {{Model: "fares", Version: 2, Alias: "champion"}, {Model: "fares-old", Version: 2, Alias: "champion"}, {Model: "Delays of flights", Version: 2, Alias: "champion"}},
		"nothing":         nil,
	} {
		got, err := s.Find(t.Context(), text, 10)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
	if got, err := s.Find(t.Context(), "a", 1); err != nil || len(got) != 1 {
		t.Errorf("%+v %v, want one", got, err)
	}
}

// elsewhere keeps no files.
type elsewhere struct{ registry.Sources }

func (elsewhere) Files(context.Context, string) ([]model.File, error) { return nil, nil }

func TestWhatHappensToModelsIsTold(t *testing.T) {
	_, db := open(t, filepath.Join(t.TempDir(), "db"))
	defer db.Close()
	s := registry.New(registry.Options{Store: db.Registry(), Sources: elsewhere{}, CheckName: func(string, string) error { return nil }, Now: time.Now})
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.CreateModel(ctx, "m", nil, nil))
	for range 2 {
		must(s.CreateVersion(ctx, registry.NewVersion{Name: "m", Source: "s3://bucket/m"}))
	}
	must(nil, s.SetAlias(ctx, "m", "champion", "1"))
	must(nil, s.SetAlias(ctx, "m", "champion", "2"))
	must(nil, s.SetAlias(ctx, "m", "champion", "2")) // changes nothing
	must(s.MoveVersion(ctx, "m", "1", "Production", false))
	must(s.MoveVersion(ctx, "m", "2", "Production", true))
	must(s.RenameModel(ctx, "m", "n"))
	must(nil, s.DeleteVersion(ctx, "n", "2"))
	must(nil, s.DeleteAlias(ctx, "n", "champion")) // went with the version
	must(nil, s.DeleteModel(ctx, "n"))
	must(s.CreateModel(ctx, "prompt", nil, []track.KV{{Key: model.TagIsPrompt, Value: "true"}}))
	got, err := s.Changes(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].AtUS == 0 {
			t.Errorf("%+v has no time", got[i])
		}
		got[i].AtUS = 0
	}
	want := []model.Change{
		{Kind: model.ModelDeleted, Model: "n"},
		{Kind: model.VersionDeleted, Model: "n", Version: 2},
		{Kind: model.AliasRemoved, Model: "n", Alias: "champion", Before: 2},
		{Kind: model.ModelRenamed, Model: "n", From: "m", To: "n"},
		{Kind: model.StageChanged, Model: "m", Version: 2, From: "None", To: "Production"},
		{Kind: model.StageChanged, Model: "m", Version: 1, From: "Production", To: "Archived"},
		{Kind: model.StageChanged, Model: "m", Version: 1, From: "None", To: "Production"},
		{Kind: model.AliasSet, Model: "m", Alias: "champion", Version: 2, Before: 1},
		{Kind: model.AliasSet, Model: "m", Alias: "champion", Version: 1},
		{Kind: model.VersionCreated, Model: "m", Version: 2},
		{Kind: model.VersionCreated, Model: "m", Version: 1},
		{Kind: model.ModelCreated, Model: "m"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
