package blob

import (
	"bytes"
	"slices"
	"testing"
)

func FuzzAManifestThatIsReadIsTheOneThatWouldBeWritten(f *testing.F) {
	f.Add([]byte(manifestHeader))
	f.Add([]byte(manifestHeader + `{"path":"a/"}` + "\n"))
	f.Add([]byte(manifestHeader + `{"path":"a\u000a\"é","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}` + "\n"))
	f.Add([]byte(manifestHeader + `{"path":"../a","sha256":"","size":-1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := decodeManifest(text)
		if err != nil {
			return
		}
		if again := encodeManifest(slices.Clone(entries)); !bytes.Equal(again, text) {
			t.Fatalf("%q was read and would be written as %q", text, again)
		}
	})
}
