package blob_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawTree makes a random directory, in which no file stands where another has its directory.
func drawTree(t *rapid.T) tree {
	name := rapid.StringMatching(`[a-z.\- "\\é%]{1,3}`).Filter(func(s string) bool { return s != "." && s != ".." })
	files := tree{}
	dirs := map[string]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "files") {
		parts := rapid.SliceOfN(name, 1, 4).Draw(t, "path")
		path := strings.Join(parts, "/")
		clash := dirs[path] || files[path] != nil
		for i := 1; i < len(parts); i++ {
			_, isLeaf := files[strings.Join(parts[:i], "/")]
			clash = clash || isLeaf
		}
		if _, taken := files[path]; clash || taken {
			continue
		}
		for i := 1; i < len(parts); i++ {
			dirs[strings.Join(parts[:i], "/")] = true
		}
		files[path] = nil
		if rapid.IntRange(0, 4).Draw(t, "kind") > 0 {
			files[path] = append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "text")...)
		}
	}
	return files
}

func TestRandomTreesRoundTripAndTheirDigestsSayWhetherTheyAreEqual(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	scratch := func(t *rapid.T) string {
		path, err := os.MkdirTemp(dir, "*")
		must(t, err)
		return path
	}
	rapid.Check(t, func(t *rapid.T) {
		files := drawTree(t)
		a, b := scratch(t), scratch(t)
		first := put(t, s, write(t, filepath.Join(a, "out"), files))
		second := put(t, s, write(t, filepath.Join(b, "elsewhere"), files))
		same(t, "the same tree in another place", second, first)
		has, err := s.Has(t.Context(), first.Digest)
		must(t, err)
		same(t, "has", has, true)
		must(t, s.Verify(t.Context(), first.Digest))
		must(t, s.Materialise(t.Context(), first.Digest, filepath.Join(a, "in")))
		same(t, "content", read(t, filepath.Join(a, "in")), files)
		listed, err := s.Files(t.Context(), first.Digest)
		must(t, err)
		same(t, "number of files", len(listed), first.Files)
		third := put(t, s, filepath.Join(a, "in"))
		same(t, "what was materialised, stored again", third, first)

		if len(files) == 0 {
			return
		}
		changed := maps.Clone(files)
		path := rapid.SampledFrom(slices.Sorted(maps.Keys(files))).Draw(t, "changed")
		changed[path] = append([]byte("+"), files[path]...)
		other := put(t, s, write(t, filepath.Join(b, "changed"), changed))
		if other.Digest == first.Digest {
			t.Fatalf("a tree that differs in %q has the same digest", path)
		}
		must(t, os.RemoveAll(a))
		must(t, os.RemoveAll(b))
	})
}
