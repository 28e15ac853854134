package storetest

import (
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/secret"
)

// secrets: what is put comes back, a second put replaces keys and body but not the time of creation, lists are by kind and name.
func secrets(t *testing.T, s Store) {
	ctx := t.Context()
	put := func(k secret.Kind, name string, minute int, keys ...string) secret.Sealed {
		v := secret.Sealed{Entry: secret.Entry{Kind: k, Name: name, Keys: keys, CreatedAt: at(minute), UpdatedAt: at(minute)}, Body: []byte{0, byte(minute), 255}}
		must(t, s.PutSecret(ctx, v))
		return v
	}
	put(secret.Secret, "b", 1, "old")
	b := put(secret.Secret, "b", 2, "x", "y")
	b.CreatedAt = at(1)
	a := put(secret.Secret, "a", 3, "z")
	m := put(secret.ConfigMap, "b", 4)
	m.Keys = []string{}
	same(t, "secret", got[secret.Sealed](t)(s.GetSecret(ctx, secret.Secret, "b")), b)
	same(t, "secrets", got[[]secret.Entry](t)(s.ListSecrets(ctx, secret.Secret)), []secret.Entry{a.Entry, b.Entry})
	must(t, s.DeleteSecret(ctx, secret.Secret, "b"))
	if _, err := s.GetSecret(ctx, secret.Secret, "b"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("get a deleted secret: %v", err)
	}
	if err := s.DeleteSecret(ctx, secret.Secret, "b"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("delete it again: %v", err)
	}
	if _, err := s.GetSecret(ctx, secret.ConfigMap, "b"); err != nil {
		t.Errorf("the config map of the same name: %v", err)
	}
}
