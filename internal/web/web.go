// Package web serves the user interface: the React application of ui/, built into dist/ and embedded.
//
// It knows files and HTTP caching, and nothing of runs: the pages get their data from the API. A program built
// without Node holds only a placeholder page that says so. Start reading at Handler.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed dist
var dist embed.FS

// policy lets a page load this server's own files and nothing from elsewhere. Images may also be made by the page
// (blob:), for previews of artifacts. Frames show HTML artifacts, which come with a policy of their own.
const policy = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; " +
	"frame-src 'self'; frame-ancestors 'none'"

const (
	immutable  = "public, max-age=31536000, immutable"
	revalidate = "no-cache"
)

// file is an embedded file with what its headers need.
type file struct {
	body  []byte
	kind  string
	etag  string
	cache string
}

type handler struct {
	files map[string]file // by URL path
	page  file            // the application's page, or the placeholder
}

// Handler serves the application's files, and its page for every route of the application.
func Handler() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(fmt.Sprintf("web: %v", err)) // the folder is embedded: only a broken build gets here
	}
	h, err := newHandler(files)
	if err != nil {
		panic(fmt.Sprintf("web: %v", err))
	}
	return h
}

func newHandler(files fs.FS) (*handler, error) {
	h := &handler{files: map[string]file{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		h.files["/"+name] = file{body: body, kind: contentType(name), etag: `"` + hex.EncodeToString(sum[:12]) + `"`,
			cache: cacheControl(name)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	page, built := h.files["/index.html"]
	if !built {
		page = h.files["/placeholder.html"]
	}
	h.page = page
	delete(h.files, "/index.html")
	delete(h.files, "/placeholder.html")
	return h, nil
}

// ServeHTTP answers an address that is neither a file nor a route with status 404: the page, which explains it, for a
// browser, and a line of text for a program that asked in the wrong place.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the user interface only answers GET", http.StatusMethodNotAllowed)
		return
	}
	if f, ok := h.files[r.URL.Path]; ok {
		f.serve(w, r, http.StatusOK)
		return
	}
	switch {
	case isRoute(r.URL.Path):
		h.page.serve(w, r, http.StatusOK)
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		h.page.serve(w, r, http.StatusNotFound)
	default:
		http.Error(w, "not found", http.StatusNotFound)
	}
}

// rooms are the first parts of the addresses of ui/src/app.tsx; true for those that have pages below them.
var rooms = map[string]bool{
	"": false, "system": false,
	"runs": true, "recurring-runs": false, "triggers": true, "pipelines": true,
	"experiments": true, "tracked-runs": true, "compare": false, "models": true,
	"endpoints": true, "graphs": true, "artifacts": true, "lineage": false, "data": false, "drift": false, "checks": false,
	"declare": false,
}

func isRoute(p string) bool {
	room, _, below := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	deep, known := rooms[room]
	return known && (deep || !below)
}

func (f file) serve(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.cache)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	if status != http.StatusOK {
		w.WriteHeader(status)
		if r.Method == http.MethodGet {
			_, _ = w.Write(f.body) // a failed write means that the client has gone
		}
		return
	}
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

// cacheControl keeps what has its digest in its name for good, and has everything else asked for again.
func cacheControl(name string) string {
	if strings.HasPrefix(name, "assets/") {
		return immutable
	}
	return revalidate
}

// contentType is a fixed table for what the build makes: the system's one differs from machine to machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json":
		return "application/json"
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}
