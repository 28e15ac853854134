package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"levada/internal/core/fault"
)

// manifestHeader is the first line of every manifest. Another version would have another line.
const manifestHeader = `{"manifest":"levada-dir-1"}` + "\n"

// entry is one line of a manifest: a file, or a directory with nothing in it, whose Path ends with a slash.
type entry struct {
	Path string `json:"path"`
	Sum  string `json:"sha256"`
	Size int64  `json:"size"`
}

func (e entry) isDir() bool { return strings.HasSuffix(e.Path, "/") }

// encodeManifest sorts the entries and returns the bytes that stand for the directory.
func encodeManifest(entries []entry) []byte {
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.Path, b.Path) })
	out := []byte(manifestHeader)
	for _, e := range entries {
		out = append(out, `{"path":`...)
		out = appendQuoted(out, e.Path)
		if !e.isDir() {
			out = append(out, `,"sha256":"`...)
			out = append(out, e.Sum...)
			out = append(out, `","size":`...)
			out = strconv.AppendInt(out, e.Size, 10)
		}
		out = append(out, "}\n"...)
	}
	return out
}

// appendQuoted writes a JSON string in the one way that the format allows. It is written out here because the
// escapes that encoding/json prefers have changed between releases, and digests must not.
func appendQuoted(out []byte, s string) []byte {
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < 0x20:
			out = fmt.Appendf(out, `\u%04x`, c)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// decodeManifest reads what encodeManifest wrote and nothing else: one directory has one manifest.
func decodeManifest(text []byte) ([]entry, error) {
	body, ok := bytes.CutPrefix(text, []byte(manifestHeader))
	if !ok {
		return nil, fmt.Errorf("%w: the manifest does not begin with %q", ErrDamaged, strings.TrimSpace(manifestHeader))
	}
	var entries []entry
	for line := range bytes.Lines(body) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%w: manifest line %d: %w", ErrDamaged, len(entries)+2, err)
		}
		entries = append(entries, e)
	}
	if err := checkEntries(entries); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if !bytes.Equal(encodeManifest(slices.Clone(entries)), text) {
		return nil, fmt.Errorf("%w: the manifest is not in its one form", ErrDamaged)
	}
	return entries, nil
}

// checkEntries refuses paths that could leave the directory, or that cannot exist beside each other.
func checkEntries(entries []entry) error {
	files := make(map[string]bool, len(entries))
	for _, e := range entries {
		name := strings.TrimSuffix(e.Path, "/")
		if err := checkName(name); err != nil {
			return err
		}
		if !e.isDir() && (!validSum(e.Sum) || e.Size < 0) {
			return fmt.Errorf("manifest entry %q has no valid content", e.Path)
		}
		if files[name] {
			return fmt.Errorf("manifest path %q appears twice", name)
		}
		files[name] = true
	}
	for _, e := range entries {
		for dir := path.Dir(strings.TrimSuffix(e.Path, "/")); dir != "."; dir = path.Dir(dir) {
			if files[dir] {
				return fmt.Errorf("manifest path %q lies below %q, which has no room for it", e.Path, dir)
			}
		}
	}
	return nil
}

// checkName refuses the paths that a manifest cannot hold.
func checkName(name string) error {
	if !utf8.ValidString(name) {
		return fmt.Errorf("path %q is not valid UTF-8", name)
	}
	if name == "." || !fs.ValidPath(name) || strings.ContainsRune(name, 0) {
		return fmt.Errorf("path %q is not a relative path inside the directory", name)
	}
	return nil
}

// manifest reads and checks the manifest of a directory digest.
func (s *Store) manifest(digest string) ([]entry, error) {
	d, err := parseDigest(digest)
	if err != nil {
		return nil, err
	}
	if !d.dir {
		return nil, fault.Invalidf("%s is the digest of a file, not of a directory", digest)
	}
	if _, err := s.stat(d.sum); err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil, notStored(digest)
		}
		return nil, err
	}
	text, err := os.ReadFile(s.file(d.sum))
	if err != nil {
		return nil, diskError(s.dir, err)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != d.sum {
		return nil, s.damaged(d.sum)
	}
	entries, err := decodeManifest(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", digest, err)
	}
	return entries, nil
}
