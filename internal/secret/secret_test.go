package secret_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/adapter/seal"
	"levada/internal/adapter/store"
	"levada/internal/core/fault"
	"levada/internal/core/secret"
	service "levada/internal/secret"
)

func open(t *testing.T) (*service.Service, *store.Store) {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "levada.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return service.New(st, seal.New(filepath.Join(dir, "key")), func() time.Time { now = now.Add(time.Minute); return now }), st
}

func data(pairs ...string) secret.Data {
	d := secret.Data{}
	for i := 0; i < len(pairs); i += 2 {
		d[pairs[i]] = []byte(pairs[i+1])
	}
	return d
}

func TestKeysAreChangedOneByOneOrAllAtOnce(t *testing.T) {
	s, st := open(t)
	ctx := context.Background()
	set := func(c service.Change) secret.Entry {
		t.Helper()
		e, err := s.Set(ctx, secret.Secret, "db", c)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	first := set(service.Change{Set: data("user", "ada", "password", "sesame")})
	second := set(service.Change{Set: data("password", "open"), Remove: []string{"user"}})
	if !second.CreatedAt.Equal(first.CreatedAt) || !second.UpdatedAt.After(first.UpdatedAt) {
		t.Errorf("times: %+v then %+v", first, second)
	}
	values, err := s.Values(ctx, secret.Secret, "db")
	if diff := cmp.Diff(data("password", "open"), values); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	set(service.Change{Set: data("token", "t"), Replace: true})
	if e, err := s.Get(ctx, secret.Secret, "db"); err != nil || cmp.Diff([]string{"token"}, e.Keys) != "" {
		t.Errorf("%+v %v", e, err)
	}
	// The same name may be a config map, and what is stored is neither's text.
	if _, err := s.Set(ctx, secret.ConfigMap, "db", service.Change{Set: data("host", "localhost")}); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(ctx, secret.Secret); err != nil || len(list) != 1 || list[0].Name != "db" {
		t.Errorf("%v %v", list, err)
	}
	sealed, err := st.GetSecret(ctx, secret.ConfigMap, "db")
	if err != nil || bytes.Contains(sealed.Body, []byte("localhost")) {
		t.Errorf("%q %v", sealed.Body, err)
	}
	// A row that is moved to another name is not opened.
	sealed.Name = "other"
	if err := st.PutSecret(ctx, sealed); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Values(ctx, secret.ConfigMap, "other"); err == nil {
		t.Error("a value that was sealed under another name was given out")
	}
	if err := s.Delete(ctx, secret.Secret, "db"); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, secret.Secret, "db"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestWhatIsMissingOrWrongIsSaidWithoutValues(t *testing.T) {
	s, _ := open(t)
	ctx := context.Background()
	for _, c := range []struct {
		do   func() error
		kind fault.Kind
		want string
	}{
		{func() error { _, err := s.Values(ctx, secret.Secret, "db"); return err }, fault.NotFound, "levada secret set db KEY=VALUE"},
		{func() error { _, err := s.Set(ctx, secret.Secret, "DB", service.Change{}); return err }, fault.Invalid, "lower-case"},
		{func() error {
			_, err := s.Set(ctx, secret.Secret, "db", service.Change{Set: data("a b", "hidden")})
			return err
		}, fault.Invalid, `key "a b"`},
		{func() error {
			_, err := s.Set(ctx, secret.Secret, "db", service.Change{Set: data("a", strings.Repeat("hidden", 1<<18))})
			return err
		}, fault.TooLarge, "at most 1048576"},
		{func() error {
			_, err := s.Set(ctx, secret.Secret, "db", service.Change{Remove: []string{"x"}})
			return err
		}, fault.NotFound, `no key "x"`},
	} {
		err := c.do()
		if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
