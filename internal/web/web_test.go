package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func built() fs.FS {
	return fstest.MapFS{
		"index.html":         {Data: []byte("<title>the application</title>")},
		"placeholder.html":   {Data: []byte("not built")},
		"theme.js":           {Data: []byte("// theme")},
		"assets/main-a1.js":  {Data: []byte("// main")},
		"assets/main-b2.css": {Data: []byte("body{}")},
	}
}

func get(t *testing.T, files fs.FS, method, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	h, err := newHandler(files)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(method, path, nil)
	req.Header = header
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func TestEachAddressGetsItsFileOrThePage(t *testing.T) {
	browser := http.Header{"Accept": {"text/html,*/*"}}
	for _, tt := range []struct {
		method, path string
		header       http.Header
		status       int
		body, cache  string
	}{
		{"GET", "/", nil, 200, "the application", revalidate},
		{"GET", "/runs", nil, 200, "the application", revalidate},
		{"GET", "/recurring-runs", nil, 200, "the application", revalidate},
		{"GET", "/triggers/1", nil, 200, "the application", revalidate},
		{"GET", "/runs/1/tasks/2", nil, 200, "the application", revalidate},
		{"GET", "/experiments/1", nil, 200, "the application", revalidate},
		{"GET", "/tracked-runs/1", nil, 200, "the application", revalidate},
		{"GET", "/compare", nil, 200, "the application", revalidate},
		{"GET", "/models/a%20model", nil, 200, "the application", revalidate},
		{"GET", "/pipelines/p1/run", nil, 200, "the application", revalidate},
		{"GET", "/runs/r1/clone", nil, 200, "the application", revalidate},
		{"GET", "/compare/1", http.Header{"Accept": {"text/html"}}, 404, "the application", revalidate},
		{"HEAD", "/runs", nil, 200, "", revalidate},
		{"GET", "/assets/main-a1.js", nil, 200, "// main", immutable},
		{"GET", "/theme.js", nil, 200, "// theme", revalidate},
		{"GET", "/assets/gone.js", nil, 404, "not found", ""},
		{"GET", "/api/v1/nonsense", nil, 404, "not found", ""},
		{"GET", "/nonsense", browser, 404, "the application", revalidate},
		{"GET", "/assets/../theme.js", nil, 404, "not found", ""},
		{"GET", "/placeholder.html", nil, 404, "not found", ""},
		{"POST", "/runs", nil, 405, "only answers GET", ""},
	} {
		rec := get(t, built(), tt.method, tt.path, tt.header)
		if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.body) {
			t.Errorf("%s %s: got %d %q, want %d with %q", tt.method, tt.path, rec.Code, rec.Body, tt.status, tt.body)
		}
		if got := rec.Header().Get("Cache-Control"); got != tt.cache {
			t.Errorf("%s %s: Cache-Control is %q, want %q", tt.method, tt.path, got, tt.cache)
		}
	}
}

func TestNothingFromOtherServersMayBeLoaded(t *testing.T) {
	rec := get(t, built(), "GET", "/", nil)
	csp := rec.Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
		t.Errorf("Content-Security-Policy is %q", csp)
	}
	if rec.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Error("X-Content-Type-Options is missing")
	}
}

func TestABrowserThatHasThePageIsToldSo(t *testing.T) {
	tag := get(t, built(), "GET", "/", nil).Header().Get("ETag")
	rec := get(t, built(), "GET", "/runs", http.Header{"If-None-Match": {tag}})
	if rec.Code != http.StatusNotModified {
		t.Errorf("status %d, want 304", rec.Code)
	}
}

func TestWithoutABuildThePlaceholderSaysHowToBuild(t *testing.T) {
	rec := get(t, fstest.MapFS{"placeholder.html": built().(fstest.MapFS)["placeholder.html"]}, "GET", "/", nil)
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), "not built") {
		t.Errorf("got %d %q", rec.Code, rec.Body)
	}
}

func TestTheEmbeddedFolderHoldsAPage(t *testing.T) {
	rec := httptest.NewRecorder()
	Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), "<title>Levada</title>") {
		t.Errorf("got %d %q", rec.Code, rec.Body)
	}
}
