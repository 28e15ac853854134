package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"levada/internal/adapter/seal"
	"levada/internal/core/fault"
)

func TestWhatIsSealedOpensAgainWithItsKeyForItsPurposeOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	box := seal.New(path)
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.SliceOf(rapid.Byte()).Draw(t, "content")
		purpose := rapid.String().Draw(t, "purpose")
		sealed, err := box.Seal(content, purpose, true)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal.New(path).Open(sealed, purpose); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("opened %q, %v", got, err)
		}
		if _, err := box.Open(sealed, purpose+"x"); err == nil {
			t.Fatal("opened for another purpose")
		}
		i := rapid.IntRange(0, len(sealed)-1).Draw(t, "damage")
		sealed[i] ^= 1
		if _, err := box.Open(sealed, purpose); err == nil {
			t.Fatal("damage was not noticed")
		}
	})
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v %v", st, err)
	}
}

func TestAKeyThatIsGoneIsNotReplacedAndAnotherKeyIsNoticed(t *testing.T) {
	dir := t.TempDir()
	if _, err := seal.New(filepath.Join(dir, "none")).Seal([]byte("x"), "p", false); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "restore it from a backup") {
		t.Errorf("without a key file: %v", err)
	}
	sealed, err := seal.New(filepath.Join(dir, "one")).Seal([]byte("x"), "p", true)
	if err != nil {
		t.Fatal(err)
	}
	other := seal.New(filepath.Join(dir, "two"))
	if _, err := other.Seal([]byte("x"), "p", true); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(sealed, "p"); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "another key") {
		t.Errorf("with another key: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "one"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.New(filepath.Join(dir, "one")).Open(sealed, "p"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("with a damaged key file: %v", err)
	}
}

func TestAFingerprintFollowsContentAndKey(t *testing.T) {
	box := func(name string) *seal.Box {
		b := seal.New(filepath.Join(t.TempDir(), name))
		if _, err := b.Seal(nil, "", true); err != nil {
			t.Fatal(err)
		}
		return b
	}
	print := func(b *seal.Box, content string) string {
		f, err := b.Fingerprint([]byte(content))
		if err != nil || !strings.HasPrefix(f, "hmac-sha256:") {
			t.Fatalf("%q %v", f, err)
		}
		return f
	}
	one, two := box("a"), box("b")
	first, again := print(one, "x"), print(one, "x")
	if first != again || first == print(one, "y") || first == print(two, "x") {
		t.Error("fingerprints do not follow content and key")
	}
}
