package mlflow

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

type filesAnswer struct {
	RootURI string     `json:"root_uri,omitempty"`
	Files   []fileWire `json:"files,omitempty"`
}

func (d *door) listArtifacts(r *request) (any, error) {
	id := r.runID()
	dir := r.text("path", optional)
	if r.err != nil {
		return nil, r.err
	}
	root, files, err := d.Tracking.RunFiles(r.Context(), id, dir)
	return filesAnswer{root, wireFiles(files)}, err
}

// listFiles lists a directory of the proxy; the names are relative to it.
func (d *door) listFiles(r *request) (any, error) {
	files, err := d.Tracking.ListFiles(r.Context(), r.URL.Query().Get("path"))
	for i := range files {
		files[i].Path = path.Base(files[i].Path)
	}
	return filesAnswer{Files: wireFiles(files)}, err
}

func (d *door) putFile(r *request) (any, error) {
	err := d.Tracking.PutFile(r.Context(), r.args[0], r.Body)
	if err == nil {
		r.answered = true // with nothing
		return nil, nil
	}
	return nil, r.brokenOff(err)
}

// brokenOff tells an upload that the client has ended from a failure of the server.
func (r *request) brokenOff(err error) error {
	if fault.KindOf(err) == fault.Internal && (errors.Is(err, io.ErrUnexpectedEOF) || r.Context().Err() != nil) {
		return fault.Invalidf("The upload broke off: %w", err)
	}
	return err
}

func (d *door) getFile(r *request) (any, error) {
	content, f, err := d.Tracking.OpenFile(r.Context(), r.args[0])
	if err != nil {
		return nil, err
	}
	r.send(content, f)
	return nil, nil
}

func (d *door) deleteFile(r *request) (any, error) {
	return empty{}, d.Tracking.DeleteFiles(r.Context(), r.args[0])
}

// getArtifact sends a file of a run to a browser.
func (d *door) getArtifact(r *request) (any, error) {
	id := r.runID()
	file := r.text("path", required)
	if r.err != nil {
		return nil, r.err
	}
	content, f, err := d.Tracking.OpenRunFile(r.Context(), id, file)
	if err != nil {
		return nil, err
	}
	r.send(content, f)
	return nil, nil
}

// getVersionArtifact sends a file of a model version to a browser.
func (d *door) getVersionArtifact(r *request) (any, error) {
	name, version, file := r.text("name", required), r.text("version", required), r.text("path", required)
	if r.err != nil {
		return nil, r.err
	}
	v, err := d.Registry.Version(r.Context(), name, version)
	if err != nil {
		return nil, err
	}
	content, f, err := d.Tracking.OpenBelow(r.Context(), v.Location, file)
	if err != nil {
		return nil, err
	}
	r.send(content, f)
	return nil, nil
}

// contentPolicy lets a browser that shows a file in spite of everything run nothing in it.
const contentPolicy = "sandbox; default-src 'none'"

// send writes a file so that a browser saves it: what a client has uploaded must never act in this server's origin.
func (r *request) send(content io.ReadSeekCloser, f track.StoredFile) {
	defer content.Close()
	r.answered = true
	h := r.w.Header()
	kind := mime.TypeByExtension(path.Ext(f.Path))
	if kind == "" {
		kind = "application/octet-stream"
	}
	if textual(kind, f.Path) {
		kind = "text/plain"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(f.Path)}))
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("ETag", `"`+f.Digest+`"`)
	http.ServeContent(r.w, r.Request, "", time.Time{}, content)
}

// textual reports whether a file is sent as plain text: MLflow's text files, and everything that a browser would run.
func textual(kind, name string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	switch kind {
	case "text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml", "text/javascript", "application/javascript":
		return true
	}
	switch strings.TrimPrefix(path.Ext(name), ".") {
	case "txt", "log", "err", "cfg", "conf", "cnf", "cf", "ini", "properties", "prop", "hocon", "toml", "yaml", "yml", "json", "xml", "py", "md":
		return true
	}
	return path.Base(name) == "MLmodel" || path.Base(name) == "MLproject"
}
