package tracking

import (
	"context"
	"io"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// artifactScheme begins the URIs of what is kept here.
const artifactScheme = "mlflow-artifacts:"

// maxPath bounds the path of a file, in bytes.
const maxPath = 4096

var driveLetter = regexp.MustCompile(`^[a-zA-Z]:`)

// CleanPath checks a path that came from outside and returns its plain form: relative, single slashes, no dots. It is decoded
// first as often as it is encoded, so that no spelling of a way out is overlooked. No path is ever used on a file system; the
// rules keep clients, which do, from harm, and are MLflow's.
func CleanPath(raw string) (string, error) {
	invalid := fault.Invalidf("Invalid path")
	p := raw
	for range 10 {
		decoded, err := url.PathUnescape(p)
		if err != nil || decoded == p {
			break
		}
		p = decoded
	}
	if len(p) > maxPath || strings.ContainsAny(p, "#\\\x00") || strings.HasPrefix(p, "/") || driveLetter.MatchString(p) ||
		strings.HasPrefix(strings.ToLower(p), "file:") || strings.ContainsFunc(p, unicode.IsControl) {
		return "", invalid
	}
	for _, part := range strings.Split(p, "/") {
		if part == ".." {
			return "", invalid
		}
	}
	p = path.Clean(p)
	if p == "." {
		return "", nil
	}
	return p, nil
}

// within returns the path of a place below an artifact location that is kept here.
func within(location, relative string) (string, error) {
	root, ok := strings.CutPrefix(location, artifactScheme)
	if !ok {
		return "", fault.Invalidf("the artifacts are at %s, which Levada does not read: it serves what was stored through it "+
			"(%s). Read them with a client that has access to that place", location, artifactScheme)
	}
	if rest, ok := strings.CutPrefix(root, "//"); ok { // with the name of a server
		_, root, _ = strings.Cut(rest, "/")
	}
	root, err := CleanPath(strings.TrimLeft(root, "/"))
	if err != nil {
		return "", err
	}
	return path.Join(root, relative), nil
}

// PutFile stores the bytes of r under a path. A file of that path before is replaced.
func (s *Service) PutFile(ctx context.Context, raw string, r io.Reader) error {
	p, err := CleanPath(raw)
	if err != nil {
		return err
	}
	if p == "" {
		return fault.Invalidf("Invalid path")
	}
	info, err := s.deps.Blobs.PutReader(ctx, r)
	if err != nil {
		return err
	}
	return s.deps.Store.PutFile(ctx, p, info.Digest, info.Size, s.now())
}

// OpenFile opens the file of a path.
func (s *Service) OpenFile(ctx context.Context, raw string) (io.ReadSeekCloser, track.StoredFile, error) {
	p, err := CleanPath(raw)
	if err != nil {
		return nil, track.StoredFile{}, err
	}
	f, err := s.deps.Store.File(ctx, p)
	if fault.KindOf(err) == fault.NotFound {
		if children, listErr := s.deps.Store.Children(ctx, p); listErr == nil && len(children) > 0 {
			return nil, f, fault.Invalidf("Artifact path refers to a directory, not a file: '%s'", p)
		}
		return nil, f, fault.NotFoundf("No such artifact: '%s'", p)
	}
	if err != nil {
		return nil, f, err
	}
	content, err := s.deps.Blobs.Open(ctx, f.Digest, "")
	return content, f, err
}

// ListFiles returns what is directly inside a directory; the paths begin at the root of all artifacts.
func (s *Service) ListFiles(ctx context.Context, raw string) ([]track.File, error) {
	p, err := CleanPath(raw)
	if err != nil {
		return nil, err
	}
	return s.deps.Store.Children(ctx, p)
}

// DeleteFiles removes a file, or a directory with everything in it. What is not there is no error.
func (s *Service) DeleteFiles(ctx context.Context, raw string) error {
	p, err := CleanPath(raw)
	if err != nil {
		return err
	}
	if p == "" {
		return fault.Invalidf("Invalid path")
	}
	_, err = s.deps.Store.RemoveFiles(ctx, p)
	return err
}

// DeleteBelow removes a directory below an artifact location with everything in it. One that is empty costs no write.
func (s *Service) DeleteBelow(ctx context.Context, location, relative string) error {
	p, err := CleanPath(relative)
	if err != nil {
		return err
	}
	if p, err = within(location, p); err != nil {
		return err
	}
	if files, err := s.deps.Store.Children(ctx, p); err != nil || len(files) == 0 {
		return err
	}
	return s.DeleteFiles(ctx, p)
}

// filesBelow lists a directory below an artifact location; the paths are relative to that.
func (s *Service) filesBelow(ctx context.Context, location, raw string) ([]track.File, error) {
	relative, err := CleanPath(raw)
	if err != nil {
		return nil, err
	}
	dir, err := within(location, relative)
	if err != nil {
		return nil, err
	}
	files, err := s.deps.Store.Children(ctx, dir)
	for i := range files {
		files[i].Path = path.Join(relative, path.Base(files[i].Path))
	}
	return files, err
}

// RunFiles lists a directory of a run and returns the URI that the paths are relative to.
func (s *Service) RunFiles(ctx context.Context, runID, dir string) (string, []track.File, error) {
	r, err := s.deps.Store.Info(ctx, runID)
	if err != nil {
		return "", nil, err
	}
	files, err := s.filesBelow(ctx, r.ArtifactURI, dir)
	return r.ArtifactURI, files, err
}

// OpenRunFile opens a file of a run.
func (s *Service) OpenRunFile(ctx context.Context, runID, file string) (io.ReadSeekCloser, track.StoredFile, error) {
	r, err := s.deps.Store.Info(ctx, runID)
	if err != nil {
		return nil, track.StoredFile{}, err
	}
	return s.OpenBelow(ctx, r.ArtifactURI, file)
}

// FilePath returns the path of a file of a run, or of a logged model when no run is named.
func (s *Service) FilePath(ctx context.Context, runID, modelID, raw string) (string, error) {
	relative, err := CleanPath(raw)
	if err == nil && relative == "" {
		err = fault.Invalidf("Invalid path")
	}
	if err != nil {
		return "", err
	}
	if runID == "" {
		m, err := s.Model(ctx, modelID, false)
		if err != nil {
			return "", err
		}
		return within(m.ArtifactLocation, relative)
	}
	r, err := s.deps.Store.Info(ctx, runID)
	if err != nil {
		return "", err
	}
	return within(r.ArtifactURI, relative)
}

// OpenBelow opens a file below an artifact location.
func (s *Service) OpenBelow(ctx context.Context, location, raw string) (io.ReadSeekCloser, track.StoredFile, error) {
	relative, err := CleanPath(raw)
	if err != nil {
		return nil, track.StoredFile{}, err
	}
	p, err := within(location, relative)
	if err != nil {
		return nil, track.StoredFile{}, err
	}
	return s.OpenFile(ctx, p)
}

// FilesAt returns all files below an artifact location that is kept here, with their digests; their paths are relative to it.
func (s *Service) FilesAt(ctx context.Context, location string) ([]track.StoredFile, error) {
	dir, err := within(location, "")
	if err != nil {
		return nil, err
	}
	files, err := s.deps.Store.Files(ctx, dir)
	for i := range files {
		files[i].Path = strings.TrimPrefix(files[i].Path, dir+"/")
	}
	return files, err
}
