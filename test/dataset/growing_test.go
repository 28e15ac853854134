package dataset_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"levada/internal/adapter/files"
	"levada/internal/adapter/partfile"
	"levada/internal/adapter/tabular"
	"levada/internal/core/event"
	"levada/internal/core/observe"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
	"levada/internal/dataset"
)

const (
	growingFiles = 6
	growingRows  = 25_000 // of a file
)

// growing writes files of a table, and one file with all of their rows. Of its columns id has more values than are counted one by one, note has
// texts that are nearly the same within and across files, city is missing in one file, late is there in the last.
func growing(t *testing.T) (dir, whole string) {
	t.Helper()
	dir, whole = t.TempDir(), filepath.Join(t.TempDir(), "whole.csv")
	r := rand.New(rand.NewPCG(3, 4))
	const header = "id,amount,day,city,note,mail,late\n"
	all := strings.Builder{}
	all.WriteString(header)
	words := strings.Fields("the ship left the harbour early and nobody on the quay had seen the captain since the storm of last week")
	for f := range growingFiles {
		var b strings.Builder
		lacks := f == 2
		b.WriteString(map[bool]string{false: header, true: strings.Replace(header, "city,", "", 1)}[lacks])
		for i := range growingRows {
			city := []string{"Lisbon", "Porto", "Faro", ""}[r.IntN(4)]
			note := fmt.Sprintf("%s number %d", strings.Join(words[:12], " "), i%7)
			if i%5 == 0 {
				shuffled := slices.Clone(words)
				r.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
				note = strings.Join(shuffled[:14], " ")
			}
			late := ""
			if f == growingFiles-1 {
				late = fmt.Sprint(i % 3)
			}
			head := fmt.Sprintf("%d,%.2f,2013-%02d-%02d,", f*growingRows+i, r.NormFloat64()*30, f+1, i%28+1)
			tail := fmt.Sprintf("%s,user%d@example.org,%s\n", note, i%4000, late)
			if lacks {
				b.WriteString(head + tail)
				all.WriteString(head + "," + tail)
			} else {
				b.WriteString(head + city + "," + tail)
				all.WriteString(head + city + "," + tail)
			}
		}
		put(t, filepath.Join(dir, fmt.Sprintf("2013-%02d.csv", f+1)), b.String())
	}
	put(t, whole, all.String())
	return dir, whole
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour) // it is not being written
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// kept makes the profile of a directory with what is kept in a cache. It returns how many files were digested, too.
func kept(t *testing.T, dir, cache string) (dataset.Profile, int) {
	t.Helper()
	digested := 0
	k, err := partfile.Open(t.Context(), partfile.Options{Dir: cache, Digest: func(ctx context.Context, path string) (event.FileState, error) {
		digested++
		return files.Files{}.Digest(ctx, path)
	}})
	if err != nil {
		t.Fatal(err)
	}
	src, err := tabular.OpenKept(dir, k)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dataset.ReadKept(t.Context(), src, k.Keep)
	if err == nil {
		err = k.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return p, digested
}

func profiled(t *testing.T, path string) dataset.Profile {
	t.Helper()
	src, closer, err := tabular.OpenSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	all, err := dataset.Choose(src, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dataset.Read(t.Context(), src, all)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// exact are the figures of a column that are no estimates.
func exact(c profile.Column) profile.Column {
	if c.Estimated {
		c.Distinct = 0
	}
	if c.RankError > 0 {
		c.Quantiles, c.Histogram = nil, nil
	}
	if c.Bounded {
		c.Top, c.TopError = nil, 0
	}
	if c.Text != nil && c.Estimated {
		text := *c.Text
		text.Duplicates = 0
		c.Text = &text
	}
	return c
}

var rounding = cmp.Options{cmpopts.EquateApprox(1e-9, 1e-12), cmpopts.EquateNaNs()}

func TestAGrowingTableIsReadFileByFileAndItsProfileIsThatOfTheWhole(t *testing.T) {
	dir, whole := growing(t)
	want := profiled(t, whole)
	part, cache := t.TempDir(), filepath.Join(t.TempDir(), "cache")
	var got dataset.Profile
	for f := range growingFiles {
		name := fmt.Sprintf("2013-%02d.csv", f+1)
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(part, name), string(text))
		var digested int
		if got, digested = kept(t, part, cache); *got.Parts != (dataset.Parts{Files: int64(f + 1), Read: 1}) || digested != 1 {
			t.Errorf("with file %d: %+v, %d files digested; want one read and digested", f+1, *got.Parts, digested)
		}
	}
	if got.Rows != want.Rows || len(got.Columns) != len(want.Columns) {
		t.Fatalf("%d rows and %d columns, want %d and %d", got.Rows, len(got.Columns), want.Rows, len(want.Columns))
	}
	estimated := 0
	for i, c := range got.Columns {
		w := want.Columns[slices.IndexFunc(want.Columns, func(o profile.Column) bool { return o.Name == c.Name })]
		if d := cmp.Diff(exact(w), exact(c), rounding); d != "" {
			t.Errorf("exact figures of %s: %s", c.Name, d)
		}
		if c.Estimated {
			estimated++
			if off := math.Abs(float64(c.Distinct)/float64(w.Distinct) - 1); off > 0.03 {
				t.Errorf("%s: %d different values, want about %d", c.Name, c.Distinct, w.Distinct)
			}
		}
		if c.Name == "id" { // the ids are 0, 1, 2, …: a quantile is its own rank
			for _, q := range c.Quantiles {
				if off := math.Abs(q.Value/float64(got.Rows) - q.Share); off > c.RankError {
					t.Errorf("quantile %v of %s is off by %v, more than %v", q.Share, c.Name, off, c.RankError)
				}
			}
		}
		if c.Name == "note" && (c.Text == nil || c.Text.Near == nil || c.Text.Near.Texts == 0) {
			t.Errorf("no near duplicates were found in %s: %+v", c.Name, c.Text)
		}
		_ = i
	}
	if estimated == 0 {
		t.Error("no column has estimates")
	}

	// Without a cache it is the same, to the last digit of what is exact.
	again := profiled(t, part)
	for i := range again.Columns {
		if d := cmp.Diff(exact(again.Columns[i]), exact(got.Columns[i]), rounding); d != "" {
			t.Errorf("without a cache, %s: %s", again.Columns[i].Name, d)
		}
	}
	if d := cmp.Diff(again.Findings, got.Findings); d != "" {
		t.Error(d)
	}

	// A file under another name is digested and not read; one with other content is read; one that is gone does not count.
	if err := os.Rename(filepath.Join(part, "2013-02.csv"), filepath.Join(part, "moved.csv")); err != nil {
		t.Fatal(err)
	}
	if p, digested := kept(t, part, cache); p.Parts.Read != 0 || digested != 1 || p.Rows != want.Rows {
		t.Errorf("moved: %+v, %d digested", *p.Parts, digested)
	}
	put(t, filepath.Join(part, "2013-01.csv"), "id,amount\n1,2.5\n")
	if p, digested := kept(t, part, cache); p.Parts.Read != 1 || digested != 1 || p.Rows != want.Rows-growingRows+1 {
		t.Errorf("changed: %+v, %d digested, %d rows", *p.Parts, digested, p.Rows)
	}
	if err := os.Remove(filepath.Join(part, "2013-01.csv")); err != nil {
		t.Fatal(err)
	}
	if p, _ := kept(t, part, cache); p.Parts.Read != 0 || p.Rows != want.Rows-growingRows {
		t.Errorf("gone: %+v, %d rows", *p.Parts, p.Rows)
	}
}

// content are two files of a table as a server has them: by digest, and where a known one is nobody looks.
func content(t *testing.T, first, second string) observe.Content {
	t.Helper()
	c := observe.Content{Name: "months", Directory: true}
	for i, path := range []string{first, second} {
		is, err := files.Files{}.Digest(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		c.Files = append(c.Files, observe.File{Name: fmt.Sprintf("%d.csv", i), Path: path, Digest: is.Digest})
	}
	return c
}

func ofContent(t *testing.T, c observe.Content, o partfile.Options) dataset.Profile {
	t.Helper()
	k, err := partfile.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	src, err := tabular.OpenContent(c, k)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dataset.ReadKept(t.Context(), src, k.Keep)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAFileThatIsKnownIsNotOpened(t *testing.T) {
	dir, cache := t.TempDir(), filepath.Join(t.TempDir(), "cache")
	a, b := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")
	put(t, a, "n,x\n1,a\n2,\n")
	put(t, b, "n,x\n3,b\nbad,c\n")
	c := content(t, a, b)
	first := ofContent(t, c, partfile.Options{Dir: cache})
	c.Files[0].Path = filepath.Join(dir, "nowhere")
	second := ofContent(t, c, partfile.Options{Dir: cache})
	if first.Parts.Read != 2 || second.Parts.Read != 0 {
		t.Errorf("read %d, then %d files; want 2, then none", first.Parts.Read, second.Parts.Read)
	}
	second.Parts = first.Parts
	if d := cmp.Diff(first, second, cmpopts.IgnoreFields(dataset.Profile{}, "States"), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	// What is damaged, or of another version, is read again.
	c.Files[0].Path = a
	list, err := filepath.Glob(filepath.Join(cache, "*", "*.json.gz"))
	if err != nil || len(list) != 2 {
		t.Fatalf("%v %v", list, err)
	}
	if err := os.WriteFile(list[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := ofContent(t, c, partfile.Options{Dir: cache}); p.Parts.Read != 1 || p.Rows != 4 {
		t.Errorf("damaged: %+v", *p.Parts)
	}
	// What belongs to content that is gone goes.
	gone := strings.TrimSuffix(filepath.Base(list[1]), ".csv.json.gz")
	if err := os.MkdirAll(filepath.Join(cache, "parts-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := partfile.Prune(cache, func(digest string) bool { return digest != "sha256:"+gone }); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "*", "*")); !slices.Equal(left, list[:1]) {
		t.Errorf("%v are left, want %v", left, list[:1])
	}
	if err := partfile.Prune(filepath.Join(dir, "nothing"), nil); err != nil {
		t.Error(err)
	}
}

func TestWhatIsKeptOfFilesIsBounded(t *testing.T) {
	dir, cache := t.TempDir(), filepath.Join(t.TempDir(), "cache")
	a, b, c := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv"), filepath.Join(dir, "c.csv")
	for i, path := range []string{a, b, c} {
		put(t, path, fmt.Sprintf("n,x\n%d,a\n", i))
	}
	o := partfile.Options{Dir: cache}
	ofContent(t, content(t, a, b), o)
	o.Most = size(t, cache) + 10 // no room for a third
	if p := ofContent(t, content(t, b, c), o); p.Parts.Read != 1 {
		t.Errorf("%+v", *p.Parts)
	}
	if p := ofContent(t, content(t, b, c), o); p.Parts.Read != 0 {
		t.Errorf("the one that was not used made no room: %+v", *p.Parts)
	}
	if p := ofContent(t, content(t, a, b), o); p.Parts.Read != 1 {
		t.Errorf("%+v", *p.Parts)
	}
	if n := size(t, cache); n > o.Most {
		t.Errorf("%d bytes are kept, want at most %d", n, o.Most)
	}
	o.Most = 1
	if p := ofContent(t, content(t, a, b), o); p.Rows != 2 {
		t.Errorf("without room: %+v", p)
	}
}

func size(t *testing.T, cache string) int64 {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(cache, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, path := range list {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

// FuzzPart reads what may be nothing that was kept. What is valid can be merged.
func FuzzPart(f *testing.F) {
	s := profile.New(1)
	s.ReadTexts(1)
	v := table.VectorOf([]table.Cell{{Kind: table.Text, Text: "the quick brown fox jumps over the lazy dog and runs far away from here"}, {Kind: table.Integer, Int: 3}})
	s.Add(&v)
	b, err := json.Marshal(profile.Part{Version: profile.Figures, Format: "csv", All: []table.Column{{Name: "a"}}, States: []*profile.State{s}, Length: 2})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(_ *testing.T, b []byte) {
		var p profile.Part
		if json.Unmarshal(b, &p) != nil || !p.Valid() {
			return
		}
		whole := profile.New(1)
		whole.ReadTexts(1)
		whole.Add(&v)
		whole.Merge(p.States[0])
		whole.Column(table.Column{})
	})
}
