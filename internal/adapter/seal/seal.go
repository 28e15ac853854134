// Package seal encrypts small values with a key that lies in a file of its own.
//
// The cipher is AES-256 in Galois/Counter Mode with random nonces (NIST SP 800-38D), which crypto/cipher provides; the keys for
// encryption and for fingerprints are derived from the file's by HKDF-SHA-256 (RFC 5869). What is sealed carries the id of its
// key, so that a wrong key file is told from damage. docs/format/secrets.md describes the bytes. It knows no secrets, only bytes.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"levada/internal/core/fault"
)

const (
	version = 1
	keySize = 32
	idSize  = 8
)

// Box seals and opens with the key in one file. It is safe for concurrent use.
type Box struct {
	path string

	mu   sync.Mutex
	keys *keys
}

type keys struct {
	id   []byte
	aead cipher.AEAD
	mac  []byte
}

// New returns a box whose key is, or will be, in the file at path.
func New(path string) *Box { return &Box{path: path} }

// Seal encrypts content for a purpose. Without a key file it makes one if create is true, and else refuses.
func (b *Box) Seal(content []byte, purpose string, create bool) ([]byte, error) {
	k, err := b.load(create)
	if err != nil {
		return nil, err
	}
	head := append([]byte{version}, k.id...)
	return k.aead.Seal(head, nil, content, []byte(purpose)), nil
}

// Open decrypts what was sealed for the purpose.
func (b *Box) Open(sealed []byte, purpose string) ([]byte, error) {
	k, err := b.load(false)
	if err != nil {
		return nil, err
	}
	if len(sealed) < 1+idSize || sealed[0] != version {
		return nil, errors.New("the stored value is damaged, or of a newer version of Levada")
	}
	if !bytes.Equal(sealed[1:1+idSize], k.id) {
		return nil, fault.Unavailablef("it was sealed with another key than the one in %s: restore that file from a backup, or set the values again", b.path)
	}
	content, err := k.aead.Open(nil, nil, sealed[1+idSize:], []byte(purpose))
	if err != nil {
		return nil, errors.New("the stored value is damaged")
	}
	return content, nil
}

// Fingerprint returns "hmac-sha256:…", a digest that cannot be tested against guesses without the key.
func (b *Box) Fingerprint(content []byte) (string, error) {
	k, err := b.load(false)
	if err != nil {
		return "", err
	}
	m := hmac.New(sha256.New, k.mac)
	m.Write(content)
	return "hmac-sha256:" + hex.EncodeToString(m.Sum(nil)), nil
}

func (b *Box) load(create bool) (*keys, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keys != nil {
		return b.keys, nil
	}
	text, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) && create {
		text, err = b.create()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Unavailablef("the key file %s is missing: restore it from a backup; without it the stored secrets cannot be read", b.path)
	}
	if err != nil {
		return nil, fault.Unavailablef("the key of the secrets cannot be read: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(raw) != keySize {
		return nil, fault.Unavailablef("the key file %s is damaged: restore it from a backup", b.path)
	}
	b.keys, err = derive(raw)
	return b.keys, err
}

// create writes a new key. It is on disk, whole, before it has its name, and so before anything is sealed with it.
func (b *Box) create() ([]byte, error) {
	raw := make([]byte, keySize)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	text := []byte(base64.StdEncoding.EncodeToString(raw) + "\n")
	f, err := os.CreateTemp(filepath.Dir(b.path), filepath.Base(b.path)+".*") // readable by its owner alone
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), b.path) // a key that is there already stays
	}
	if err := errors.Join(err, os.Remove(f.Name())); err != nil {
		return nil, err
	}
	return text, syncDirectory(filepath.Dir(b.path))
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func derive(raw []byte) (*keys, error) {
	part := func(use string, size int) ([]byte, error) { return hkdf.Key(sha256.New, raw, nil, "levada "+use, size) }
	k := &keys{}
	key, err := part("seal", keySize)
	if err != nil {
		return nil, err
	}
	if k.id, err = part("id", idSize); err != nil {
		return nil, err
	}
	if k.mac, err = part("fingerprint", keySize); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	k.aead, err = cipher.NewGCMWithRandomNonce(block)
	return k, err
}
