// Package secret owns secrets and config maps: it checks them, seals their values and gives them to steps.
//
// Values leave it only through Values, for the runner, and for config maps through Reveal. It must not know HTTP, SQL or how
// values are sealed. Start reading at Service.Set.
package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/secret"
)

// Store keeps sealed secrets and config maps. Get and Delete return a NotFound error for an unknown name.
type Store interface {
	// PutSecret stores a secret or replaces it.
	PutSecret(ctx context.Context, s secret.Sealed) error
	GetSecret(ctx context.Context, k secret.Kind, name string) (secret.Sealed, error)
	// ListSecrets lists what there is of a kind, by name.
	ListSecrets(ctx context.Context, k secret.Kind) ([]secret.Entry, error)
	DeleteSecret(ctx context.Context, k secret.Kind, name string) error
}

// Box seals values with a key that is not in the store.
type Box interface {
	// Seal encrypts content so that it can only be opened for the same purpose. It makes a key when there is none and create
	// allows it.
	Seal(content []byte, purpose string, create bool) ([]byte, error)
	// Open returns the content of what was sealed for a purpose.
	Open(sealed []byte, purpose string) ([]byte, error)
	// Fingerprint is a digest that tells nothing about content without the key.
	Fingerprint(content []byte) (string, error)
}

// Service keeps secrets and config maps. Its methods may be called from any goroutine.
type Service struct {
	store Store
	box   Box
	now   func() time.Time
	mu    sync.Mutex // held from reading to writing
}

// New returns a service.
func New(store Store, box Box, now func() time.Time) *Service {
	return &Service{store: store, box: box, now: now}
}

// Change says what to do to a secret or config map.
type Change struct {
	// Set are keys that get new values, Remove keys that go.
	Set    secret.Data
	Remove []string
	// Replace forgets all other keys.
	Replace bool
}

// Set creates a secret or config map, or changes it.
func (s *Service) Set(ctx context.Context, k secret.Kind, name string, c Change) (secret.Entry, error) {
	if err := errors.Join(secret.CheckName(k, name), c.Set.Check(k)); err != nil {
		return secret.Entry{}, kept(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now().UTC()
	info := secret.Entry{Kind: k, Name: name, CreatedAt: now}
	data := secret.Data{}
	old, err := s.store.GetSecret(ctx, k, name)
	switch {
	case fault.KindOf(err) == fault.NotFound:
	case err != nil:
		return info, err
	default:
		info.CreatedAt = old.CreatedAt
		if !c.Replace {
			if data, err = s.open(old); err != nil {
				return info, err
			}
		}
	}
	for _, key := range c.Remove {
		if _, ok := data[key]; !ok {
			return info, secret.MissingKey(k, name, key)
		}
		delete(data, key)
	}
	maps.Copy(data, c.Set)
	if err := data.Check(k); err != nil {
		return info, err
	}
	info.UpdatedAt, info.Keys = now, append([]string{}, slices.Sorted(maps.Keys(data))...)
	return info, s.put(ctx, info, data)
}

// kept gives joined errors the kind of the first.
func kept(err error) error {
	return &fault.Error{Kind: fault.KindOf(err), Message: err.Error(), Cause: err}
}

func (s *Service) put(ctx context.Context, info secret.Entry, data secret.Data) error {
	content, err := json.Marshal(data)
	if err != nil {
		return err
	}
	// A new key must not come to be beside values that only the old one opens.
	first := true
	for _, k := range []secret.Kind{secret.Secret, secret.ConfigMap} {
		list, err := s.store.ListSecrets(ctx, k)
		if err != nil {
			return err
		}
		first = first && len(list) == 0
	}
	body, err := s.box.Seal(content, purpose(info.Kind, info.Name), first)
	if err != nil {
		return err
	}
	return s.store.PutSecret(ctx, secret.Sealed{Entry: info, Body: body})
}

func purpose(k secret.Kind, name string) string { return string(k) + "/" + name }

func (s *Service) open(sealed secret.Sealed) (secret.Data, error) {
	content, err := s.box.Open(sealed.Body, purpose(sealed.Kind, sealed.Name))
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", sealed.Kind, sealed.Name, err)
	}
	var data secret.Data
	if err := json.Unmarshal(content, &data); err != nil {
		return nil, fmt.Errorf("%s %q: its content is damaged", sealed.Kind, sealed.Name)
	}
	return data, nil
}

// List lists what there is of a kind, by name, without values.
func (s *Service) List(ctx context.Context, k secret.Kind) ([]secret.Entry, error) {
	return s.store.ListSecrets(ctx, k)
}

// Get describes a secret or config map without values.
func (s *Service) Get(ctx context.Context, k secret.Kind, name string) (secret.Entry, error) {
	sealed, err := s.get(ctx, k, name)
	return sealed.Entry, err
}

func (s *Service) get(ctx context.Context, k secret.Kind, name string) (secret.Sealed, error) {
	sealed, err := s.store.GetSecret(ctx, k, name)
	if fault.KindOf(err) == fault.NotFound {
		return sealed, secret.Missing(k, name)
	}
	return sealed, err
}

// Reveal returns the values of a config map.
func (s *Service) Reveal(ctx context.Context, name string) (secret.Data, error) {
	return s.Values(ctx, secret.ConfigMap, name)
}

// Values returns the values of a secret or config map, for a step.
func (s *Service) Values(ctx context.Context, k secret.Kind, name string) (secret.Data, error) {
	sealed, err := s.get(ctx, k, name)
	if err != nil {
		return nil, err
	}
	return s.open(sealed)
}

// Delete removes a secret or config map.
func (s *Service) Delete(ctx context.Context, k secret.Kind, name string) error {
	s.mu.Lock() // a change that was reading it would bring it back
	defer s.mu.Unlock()
	err := s.store.DeleteSecret(ctx, k, name)
	if fault.KindOf(err) == fault.NotFound {
		return fault.NotFoundf("%s %q does not exist", k, name)
	}
	return err
}

// Fingerprint digests values such that only who has the key can tell what they were.
func (s *Service) Fingerprint(d secret.Data) (string, error) {
	content, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	return s.box.Fingerprint(content)
}
