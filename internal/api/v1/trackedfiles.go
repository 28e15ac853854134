package v1

import (
	"context"
	"io"
	"mime"
	"net/http"
	"path"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"levada/internal/core/track"
)

// TrackedFile is a file or a directory of a tracked run.
type TrackedFile struct {
	Path string `json:"path"`
	Dir  bool   `json:"dir,omitempty"`
	Size int64  `json:"size"`
}

type trackedFilesInput struct {
	TrackedID
	Path string `query:"path" doc:"a directory; without it that of the run"`
}

type trackedFileList struct {
	Files []TrackedFile `json:"files" nullable:"false" doc:"what is directly in the directory"`
}

type trackedFilesOutput struct{ Body trackedFileList }

type trackedContentInput struct {
	TrackedID
	Path     string `query:"path" required:"true"`
	Download bool   `query:"download" doc:"ask the browser to save instead of show"`
}

func (h *handler) registerTrackedFiles(api huma.API, tags []string) {
	huma.Register(api, huma.Operation{OperationID: "list-tracked-files", Method: http.MethodGet, Path: Prefix + "/tracked-runs/{id}/files",
		Summary: "List a directory of the files of a tracked run", Tags: tags, Errors: []int{400, 404}}, h.trackedFiles)
	huma.Register(api, huma.Operation{OperationID: "get-tracked-file", Method: http.MethodGet, Path: Prefix + "/tracked-runs/{id}/content",
		Summary: "Read a file of a tracked run", Tags: tags, Errors: []int{400, 404}, Responses: bytesResponse()}, h.trackedContent)
}

// bytesResponse describes an answer that is a file.
func bytesResponse() map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: "the bytes; ranges are supported",
		Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}
}

func (h *handler) trackedFiles(ctx context.Context, in *trackedFilesInput) (*trackedFilesOutput, error) {
	_, files, err := h.Tracking.RunFiles(ctx, in.ID, in.Path)
	if err != nil {
		return nil, h.problem(ctx, "list the files of a tracked run", err)
	}
	out := trackedFileList{Files: make([]TrackedFile, len(files))}
	for i, f := range files {
		out.Files[i] = TrackedFile{Path: f.Path, Dir: f.Dir, Size: f.Size}
	}
	return &trackedFilesOutput{Body: out}, nil
}

func (h *handler) trackedContent(ctx context.Context, in *trackedContentInput) (*huma.StreamResponse, error) {
	content, f, err := h.Tracking.OpenRunFile(ctx, in.ID, in.Path)
	if err != nil {
		return nil, h.problem(ctx, "read a file of a tracked run", err)
	}
	return h.sendStored(content, f, in.Download), nil
}

// sendStored sends a file that a client has put below an artifact location.
func (h *handler) sendStored(content io.ReadSeekCloser, f track.StoredFile, download bool) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer content.Close()
		h.sendContent(hc, content, f.Digest, path.Base(f.Path), "", download)
	}}
}

// sendContent sends bytes that came from outside: a browser may show them, and runs nothing in them. Without a download it
// shows what it can.
func (h *handler) sendContent(hc huma.Context, content io.ReadSeeker, tag, name, schemaTitle string, download bool) {
	r, w := humago.Unwrap(hc)
	kind, err := contentType(schemaTitle, name, content)
	if err != nil {
		h.abort(hc.Context(), name, err)
	}
	contentHeaders(w, tag)
	w.Header().Set("Content-Type", kind)
	if download {
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	}
	http.ServeContent(w, r, "", time.Time{}, content)
}
