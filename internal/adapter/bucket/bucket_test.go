package bucket_test

import (
	"context"
	"crypto/md5"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"levada/internal/adapter/bucket"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/partition"
	"levada/internal/core/run"
)

// shelf is a server of S3 with one bucket.
type shelf struct {
	*s3mem.Backend
	url string
}

func newShelf(t *testing.T, name string) *shelf {
	t.Helper()
	s := &shelf{Backend: s3mem.New()}
	if err := s.CreateBucket(name); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gofakes3.New(s.Backend).Server())
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *shelf) put(t *testing.T, name, key, content string) {
	t.Helper()
	meta := map[string]string{"Last-Modified": time.Now().UTC().Format(http.TimeFormat)} // as its handler notes it
	if _, err := s.PutObject(name, key, meta, strings.NewReader(content), int64(len(content)), nil); err != nil {
		t.Fatal(err)
	}
}

// from is an environment with a key and an endpoint.
func from(url string, more ...string) []string {
	return append([]string{"AWS_ACCESS_KEY_ID=AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=a very secret text", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL=" + url, "HOME=/nonexistent"}, more...)
}

func TestObjectsAreFoundByKeyPrefixAndPattern(t *testing.T) {
	s := newShelf(t, "data")
	for _, key := range []string{"a.csv", "b.csv", "b.csv.part", "c.txt", ".hidden", "sub/d.csv", "sub/.git/e.csv", "sub/", "subway/f.csv", "2013-01/x.csv", "2013-02/x.csv",
		"2013-02/y/x.csv", "a b+c/ü.csv", "both", "both/g.csv"} {
		s.put(t, "data", key, key)
	}
	b := bucket.New(from(s.url))
	for key, want := range map[string]string{
		"":                  "2013-01/x.csv 2013-02/x.csv 2013-02/y/x.csv a b+c/ü.csv a.csv b.csv both both/g.csv c.txt sub/d.csv subway/f.csv",
		"a.csv":             "a.csv",
		"*.csv":             "a.csv b.csv",
		"[bc].*":            "b.csv c.txt",
		"sub":               "sub/d.csv",
		"sub/":              "sub/d.csv",
		"sub*/*.csv":        "sub/d.csv subway/f.csv",
		"2013-0?/x.csv":     "2013-01/x.csv 2013-02/x.csv",
		"2013-*/*":          "2013-01/x.csv 2013-02/x.csv",
		"a b+c":             "a b+c/ü.csv",
		"both":              "both both/g.csv",
		"b.csv.part":        "",
		"nothing/like/this": "",
	} {
		found, err := b.List(t.Context(), "s3://data/"+key, 100)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		var names []string
		for _, f := range found {
			names = append(names, strings.TrimPrefix(f.Path, "s3://data/"))
		}
		if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	one, err := b.List(t.Context(), "s3://data/a.csv", 1)
	if err != nil || len(one) != 1 {
		t.Fatalf("%v, %v", one, err)
	}
	want := event.FileState{Path: "s3://data/a.csv", Size: 5, ModifiedNS: one[0].ModifiedNS, Digest: fmt.Sprintf("etag:%x", md5.Sum([]byte("a.csv")))}
	if diff := cmp.Diff(want, one[0]); diff != "" || want.ModifiedNS == 0 {
		t.Error(diff)
	}
}

func TestAListingHasPagesAndEndsAtItsLimit(t *testing.T) {
	s := newShelf(t, "data")
	for n := range 2500 {
		s.put(t, "data", fmt.Sprintf("in/%04d", n), "x")
	}
	b := bucket.New(from(s.url))
	found, err := b.List(t.Context(), "s3://data/in", 2500)
	if err != nil || len(found) != 2500 || found[2499].Path != "s3://data/in/2499" {
		t.Errorf("%d objects, %v", len(found), err)
	}
	if _, err := b.List(t.Context(), "s3://data/in", 2499); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "more than 2499 objects") {
		t.Error(err)
	}
}

func TestABucketThatCannotBeReadSaysWhyAndNoSecret(t *testing.T) {
	s := newShelf(t, "data")
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
	}))
	defer refusing.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[default]\naws_secret_access_key\n= = [\n[broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		environ []string
		kind    fault.Kind
	}{
		`there is no bucket "nope"`:   {from(s.url), fault.Invalid},
		`refuses it: Access Denied`:   {from(refusing.URL), fault.Unavailable},
		`cannot be reached`:           {from(gone.URL), fault.Unavailable},
		`the endpoint of S3`:          {from("http://user:password@host/path"), fault.Invalid},
		`the settings of AWS`:         {from(s.url, "AWS_CONFIG_FILE="+config), fault.Invalid},
		`with the profile "research"`: {[]string{"AWS_PROFILE=research", "AWS_ENDPOINT_URL=" + refusing.URL}, fault.Unavailable},
	} {
		if strings.Contains(want, "profile") {
			credentials := filepath.Join(t.TempDir(), "credentials")
			if err := os.WriteFile(credentials, []byte("[research]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = a very secret text\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", credentials)
		}
		_, err := bucket.New(c.environ).List(t.Context(), "s3://nope/x", 10)
		if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
			continue
		}
		for _, secret := range []string{"very secret", "AKIA", "password"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v names %s", err, secret)
			}
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if found, err := bucket.New(from(s.url)).List(ended, "s3://data", 10); err == nil {
		t.Errorf("a listing that was broken off gives %v", found)
	}
}

func TestEndpointAndRegionAreThoseOfTheEnvironmentAndThenOfTheProfile(t *testing.T) {
	s := newShelf(t, "data")
	s.put(t, "data", "a.csv", "1")
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	text := fmt.Sprintf("[default]\nregion = eu-central-1\nendpoint_url = http://127.0.0.1:1\n\n[profile research]\nregion = eu-west-1\nendpoint_url = %s\ns3 =\n  addressing_style = path\n", s.url)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, environ := range map[string][]string{
		"the profile":             {"AWS_CONFIG_FILE=" + config, "AWS_PROFILE=research"},
		"the environment":         {"AWS_CONFIG_FILE=" + config, "AWS_ENDPOINT_URL=" + s.url},
		"the environment, for S3": {"AWS_CONFIG_FILE=" + config, "AWS_ENDPOINT_URL_S3=" + s.url, "AWS_ENDPOINT_URL=http://127.0.0.1:1"},
	} {
		environ = append(environ, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b")
		if found, err := bucket.New(environ).List(t.Context(), "s3://data", 10); err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func TestWhatAnAddressMeansIsBroughtAsFileOrDirectory(t *testing.T) {
	s := newShelf(t, "data")
	for _, key := range []string{"in/a.csv", "in/sub/b.csv", "in/.tmp/c.csv", "day-2.csv", "day-[1].csv", "odd [draft.csv", "in/b.part"} {
		s.put(t, "data", key, "content of "+key)
	}
	b := bucket.New(from(s.url))
	if !b.Configured() || bucket.New([]string{"HOME=/root", "PATH=/bin"}).Configured() {
		t.Error("an environment with a key is configured, one without is not")
	}
	fetch := func(address string) (string, run.Fetched) {
		t.Helper()
		dest := filepath.Join(t.TempDir(), "content")
		got, err := b.Fetch(t.Context(), address, dest)
		if err != nil {
			t.Errorf("%s: %v", address, err)
		}
		return dest, got
	}
	for address, key := range map[string]string{"s3://data/in/a.csv": "in/a.csv", "s3://data/day-[1].csv": "day-[1].csv", "s3://data/odd [draft.csv": "odd [draft.csv", "s3://data/in/b.part": "in/b.part", "s3://data/day-[0-9].csv": "day-2.csv"} {
		dest, got := fetch(address)
		if text, err := os.ReadFile(dest); err != nil || string(text) != "content of "+key || got.URI != "s3://data/"+key || got.Objects != 1 || got.Size != int64(len(text)) {
			t.Errorf("%s: %q, %+v, %v", address, text, got, err)
		}
	}
	for _, address := range []string{"s3://data/in", "s3://data/in/"} {
		dest, got := fetch(address)
		var found []string
		err := filepath.WalkDir(dest, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				found = append(found, strings.TrimPrefix(path, dest+"/"))
			}
			return err
		})
		if diff := cmp.Diff([]string{"a.csv", "sub/b.csv"}, found); diff != "" || err != nil || got.URI != address || got.Objects != 2 {
			t.Errorf("%s: %s%+v, %v", address, diff, got, err)
		}
	}
	for _, key := range []string{"bad/x", "bad//x", "up/../../etc/passwd"} {
		s.put(t, "data", key, "x")
	}
	for address, kind := range map[string]fault.Kind{"s3://data/nothing": fault.NotFound, "s3://data/no*": fault.NotFound, "s3://nope/x": fault.Invalid, "s3://data/bad": fault.Invalid, "s3://data/no[": fault.Invalid,
		"s3://data/up": fault.NotFound, "gs://data/x": fault.Invalid} {
		dest := filepath.Join(t.TempDir(), "deep", "content")
		if got, err := b.Fetch(t.Context(), address, dest); fault.KindOf(err) != kind {
			t.Errorf("%s: %+v, %v", address, got, err)
		}
	}
}

func TestAnImportFromABucketHasChangedWhenItsTagsHave(t *testing.T) {
	s := newShelf(t, "data")
	for _, key := range []string{"a.csv", "in/a.csv", "in/sub/b.csv", "index.csv"} {
		s.put(t, "data", key, "1,2,3")
	}
	imported := map[string]partition.Input{}
	for _, address := range []string{"s3://data/a.csv", "s3://data/in/a.csv", "s3://data/in", "s3://data/in/", "s3://data"} {
		got, err := bucket.New(from(s.url)).Fetch(t.Context(), address, filepath.Join(t.TempDir(), "content"))
		if err != nil || got.Tag == "" {
			t.Fatalf("%s: %+v, %v", address, got, err)
		}
		imported[address] = partition.Input{URI: got.URI, Digest: "sha256:1", Tag: got.Tag}
	}
	wantChanged := func(want string, addresses ...string) {
		t.Helper()
		for address, in := range imported {
			expected := ""
			if slices.Contains(addresses, address) {
				expected = want
			}
			if why := bucket.New(from(s.url)).Changed(in); why != expected {
				t.Errorf("%s: %q, want %q", address, why, expected)
			}
		}
	}
	wantChanged("")
	s.put(t, "data", "in/a.csv", "1,2,3")
	wantChanged("") // as it was
	s.put(t, "data", "in/sub/b.csv", "3,2,1")
	wantChanged("its content has changed", "s3://data/in", "s3://data/in/", "s3://data")
	s.put(t, "data", "in/sub/b.csv", "1,2,3")
	s.put(t, "data", "in/c.csv", "1")
	wantChanged("its content has changed", "s3://data/in", "s3://data/in/", "s3://data")
	for _, key := range []string{"in/c.csv", "a.csv"} {
		if _, err := s.DeleteObject("data", key); err != nil {
			t.Fatal(err)
		}
	}
	imported["s3://data"] = partition.Input{URI: "s3://data", Tag: ""} // of an earlier time, without one
	wantChanged("it is not there any more", "s3://data/a.csv")
	b := bucket.New(from("http://127.0.0.1:1"))
	if why := b.Changed(imported["s3://data/in"]); why != "" {
		t.Errorf("of a bucket that does not answer nothing is known: %q", why)
	}
}
