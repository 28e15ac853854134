// Package secret holds the vocabulary of secrets and config maps: named sets of keys and values that steps get as environment
// variables or files.
//
// It is pure. What is kept where, and how values are sealed, is not known here.
package secret

import (
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"levada/internal/core/fault"
)

// Kind says whether values are secret.
type Kind string

// The kinds. They differ in what may be shown: values of a secret never are.
const (
	Secret    Kind = "secret"
	ConfigMap Kind = "configmap"
)

// String names the kind in a sentence.
func (k Kind) String() string {
	if k == ConfigMap {
		return "config map"
	}
	return "secret"
}

// Data are values by key.
type Data map[string][]byte

// Entry describes a secret or config map without its values.
type Entry struct {
	Kind      Kind      `json:"-"`
	Name      string    `json:"name"`
	Keys      []string  `json:"keys" nullable:"false"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Sealed is a secret or config map as it is stored: the values only as ciphertext.
type Sealed struct {
	Entry
	Body []byte
}

// MaxBytes bounds the keys and values of one secret or config map together, as in Kubernetes.
const MaxBytes = 1 << 20

// maxName bounds a name or key, in bytes.
const maxName = 253

// The names and keys that Kubernetes allows, so that what works here works there.
var (
	validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	validKey  = regexp.MustCompile(`^[-._a-zA-Z0-9]+$`)
)

// CheckName refuses names that Kubernetes would refuse.
func CheckName(k Kind, name string) error {
	if !validName.MatchString(name) || len(name) > maxName {
		return fault.Invalidf("%s name %q: want at most %d lower-case letters, digits, '-' and '.', with a letter or digit first and last", k, clip(name), maxName)
	}
	return nil
}

// Check refuses keys and sizes that Kubernetes would refuse. The errors hold no values.
func (d Data) Check(k Kind) error {
	size := 0
	for key, v := range d {
		if !validKey.MatchString(key) || len(key) > maxName || key == "." || key == ".." {
			return fault.Invalidf("key %q of the %s: want letters, digits, '-', '_' and '.'", clip(key), k)
		}
		size += len(key) + len(v)
	}
	if size > MaxBytes {
		return fault.TooLargef("the %s has %d bytes; at most %d are accepted: give large files to steps as artifacts", k, size, MaxBytes)
	}
	return nil
}

// Missing is the error for a secret or config map that is needed and that does not exist; keys are those that it has to have, where they are known.
func Missing(k Kind, name string, keys ...string) error {
	if len(keys) == 0 {
		keys = []string{"KEY"}
	}
	values := ""
	for _, key := range keys {
		values += " " + clip(key) + "=VALUE"
	}
	return fault.NotFoundf("%s %q does not exist: create it with   levada %s set %s%s", k, clip(name), string(k), clip(name), values)
}

// MissingKey is the error for a key that is needed and that a secret or config map does not have.
func MissingKey(k Kind, name, key string) error {
	return fault.NotFoundf("%s %q has no key %q: add it with   levada %s set %s %s=VALUE", k, clip(name), clip(key), string(k), clip(name), clip(key))
}

func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s…", s[:cut])
}
