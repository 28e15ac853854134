package v1

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// contentPolicy lets a browser show an artifact but run nothing in it: an HTML report is data from a step, and a
// script inside it would otherwise act with the rights of this page's origin.
const contentPolicy = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"

type contentInput struct {
	ArtifactRef
	Path     string `query:"path" doc:"file of a directory artifact; without it a directory comes as a tar stream"`
	Download bool   `query:"download" doc:"ask the browser to save instead of show"`
}

func (h *handler) contentOperation(tags []string) huma.Operation {
	return huma.Operation{OperationID: "get-artifact-content", Method: http.MethodGet, Path: Prefix + "/artifacts/{id}/content",
		Summary: "Read an artifact", Tags: tags, Errors: []int{400, 404},
		Responses: map[string]*huma.Response{"200": {Description: "the bytes; ranges are supported for files",
			Content: map[string]*huma.MediaType{
				"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
				"application/x-tar":        {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}}
}

func (h *handler) artifactContent(ctx context.Context, in *contentInput) (*huma.StreamResponse, error) {
	const doing = "read an artifact"
	if in.Path != "" && !fs.ValidPath(in.Path) {
		return nil, h.problem(ctx, doing, fault.Invalidf(
			"read artifact %s: path %q is not a plain relative path; take one from /files", in.ID, in.Path))
	}
	a, err := h.Service.GetArtifact(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	if a.Digest == "" {
		return nil, h.problem(ctx, doing, fault.NotFoundf(
			"read artifact %s: its content is not held here but at %s", a.ID, a.URI))
	}
	if strings.HasPrefix(a.Digest, "dir-") && in.Path == "" {
		return h.sendDirectory(ctx, a)
	}
	f, err := h.Service.OpenArtifact(ctx, in.ID, in.Path)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer f.Close()
		h.sendContent(hc, f, a.Digest+":"+in.Path, fileName(a, in.Path), a.SchemaTitle, in.Download)
	}}, nil
}

// contentHeaders are the same for every answer made of a step's bytes. Content never changes under its digest, but
// the artifact may be deleted, so a browser asks again each time.
func contentHeaders(w http.ResponseWriter, tag string) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", `"`+strings.Map(tagRune, tag)+`"`)
}

// tagRune keeps an ETag within the characters that RFC 9110 allows.
func tagRune(r rune) rune {
	if r <= ' ' || r == '"' || r >= 0x7f {
		return '_'
	}
	return r
}

// fileName is the name a saved file gets: that of the file in its directory, or the artifact's with the extension
// of the path the step chose.
func fileName(a run.Artifact, file string) string {
	if file != "" {
		return path.Base(file)
	}
	if a.CustomPath != "" {
		return path.Base(a.CustomPath)
	}
	if a.Name == "" {
		return a.ID
	}
	return strings.ReplaceAll(a.Name, "/", "_")
}

// contentType decides by name, then by the artifact's type, then by the first bytes. It leaves f at its beginning.
func contentType(schemaTitle, name string, f io.ReadSeeker) (string, error) {
	if kind, known := typeByExtension(path.Ext(name)); known {
		return kind, nil
	}
	switch schemaTitle {
	case "system.HTML":
		return "text/html; charset=utf-8", nil
	case "system.Markdown":
		return "text/markdown; charset=utf-8", nil
	}
	head := make([]byte, 512) // as much as DetectContentType looks at
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return http.DetectContentType(head[:n]), nil
}

// typeByExtension is a fixed table: the system's one differs from machine to machine.
func typeByExtension(ext string) (string, bool) {
	switch strings.ToLower(ext) {
	case ".html", ".htm":
		return "text/html; charset=utf-8", true
	case ".md":
		return "text/markdown; charset=utf-8", true
	case ".txt", ".log", ".py", ".yaml", ".yml", ".toml", ".sql":
		return "text/plain; charset=utf-8", true
	case ".csv":
		return "text/csv; charset=utf-8", true
	case ".json":
		return "application/json", true
	case ".jsonl", ".ndjson":
		return "application/x-ndjson", true
	case ".png":
		return "image/png", true
	case ".jpg", ".jpeg":
		return "image/jpeg", true
	case ".gif":
		return "image/gif", true
	case ".webp":
		return "image/webp", true
	case ".svg":
		return "image/svg+xml", true
	case ".pdf":
		return "application/pdf", true
	case ".parquet":
		return "application/vnd.apache.parquet", true
	case ".zip":
		return "application/zip", true
	case ".gz":
		return "application/gzip", true
	case ".tar":
		return "application/x-tar", true
	case ".pkl", ".joblib", ".onnx", ".pt", ".npy", ".npz", ".bin":
		return "application/octet-stream", true
	}
	return "", false
}

func (h *handler) sendDirectory(ctx context.Context, a run.Artifact) (*huma.StreamResponse, error) {
	files, err := h.Service.ArtifactFiles(ctx, a.ID)
	if err != nil {
		return nil, h.problem(ctx, "read an artifact", err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		contentHeaders(w, a.Digest)
		w.Header().Set("Content-Type", "application/x-tar")
		w.Header().Set("Content-Disposition",
			mime.FormatMediaType("attachment", map[string]string{"filename": fileName(a, "") + ".tar"}))
		if r.Method == http.MethodHead {
			return
		}
		if err := h.writeTar(hc.Context(), w, a.ID, files); err != nil {
			h.abort(hc.Context(), a.ID, err)
		}
	}}, nil
}

// writeTar writes the files without times and owners, so that the same artifact gives the same stream.
func (h *handler) writeTar(ctx context.Context, w io.Writer, id string, files []run.BlobFile) error {
	tw := tar.NewWriter(w)
	for _, f := range files {
		if err := h.writeTarFile(ctx, tw, id, f); err != nil {
			return err
		}
	}
	return tw.Close()
}

func (h *handler) writeTarFile(ctx context.Context, tw *tar.Writer, id string, f run.BlobFile) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	content, err := h.Service.OpenArtifact(ctx, id, f.Path)
	if err != nil {
		return err
	}
	defer content.Close()
	head := &tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Size: f.Size, Mode: 0o644, Format: tar.FormatPAX}
	if err := tw.WriteHeader(head); err != nil {
		return err
	}
	_, err = io.Copy(tw, content)
	return err
}

// abort breaks the connection off, because the status is already sent and a client must not take half of the bytes
// for all of them.
func (h *handler) abort(ctx context.Context, id string, err error) {
	if ctx.Err() == nil {
		h.Log.WarnContext(ctx, "sending an artifact broke off", "artifact", id, "error", err)
	}
	panic(http.ErrAbortHandler)
}
