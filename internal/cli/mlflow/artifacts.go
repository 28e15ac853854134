package mlflow

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"levada/internal/core/fault"
)

// Tree is the files of one owner. Paths are relative, with slashes.
type Tree interface {
	// Walk gives each file, and each thing that is left out with the reason why, and whether it may come another time.
	Walk(ctx context.Context, file func(path string, size int64) error, left leftOut) error
	Open(ctx context.Context, path string) (io.ReadCloser, error)
	Close() error
}

type leftOut func(path, reason string, later bool)

// Root is a directory that artifacts may be read from. With a URI it holds what is below that; without one it holds what the
// paths below it name, and what a server keeps as mlflow-artifacts.
type Root struct{ URI, Dir string }

// ParseRoot reads [URI=]DIR.
func ParseRoot(text string) (Root, error) {
	uri, dir, found := strings.Cut(text, "=")
	if !found || !strings.Contains(uri, ":/") && !strings.HasPrefix(uri, "/") {
		uri, dir = "", text
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Root{}, err
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return Root{}, fault.Invalidf("--artifact-root %s: %s is not a directory", text, dir)
	}
	return Root{URI: plainURI(uri), Dir: abs}, nil
}

// idForm is what ids look like that are used in paths.
var idForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_\-]{0,255}$`)

// plainURI writes a location in one form: a local one as a path, a proxied one without its server.
func plainURI(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return strings.TrimSuffix(uri, "/")
	case u.Scheme == "file":
		p, err := localPath(uri)
		if err != nil {
			return uri
		}
		return filepath.ToSlash(p)
	case u.Scheme == "mlflow-artifacts":
		return "mlflow-artifacts:" + path.Clean("/"+u.Path+u.Opaque)
	}
	return strings.TrimSuffix(uri, "/")
}

// below returns the part of a location that is below another, both in plain form.
func below(uri, root string) (string, bool) {
	if root == "" {
		return "", false
	}
	rest, ok := strings.CutPrefix(uri, strings.TrimSuffix(root, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// elsewhere reports whether a location is in an object store, which clients read themselves.
func elsewhere(uri string) (scheme string, is bool) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", false
	}
	switch u.Scheme {
	case "", "file", "mlflow-artifacts", "http", "https", "ftp", "sftp", "models", "runs":
		return "", false
	}
	return u.Scheme, len(u.Scheme) > 1
}

// given finds a location below the directories that the user named; nil when it is in none of them.
func given(roots []Root, uri string) Tree {
	uri = plainURI(uri)
	for _, r := range roots {
		rel, ok := below(uri, r.URI)
		if r.URI == "" {
			if rel, ok = below(uri, filepath.ToSlash(r.Dir)); !ok {
				rel, ok = strings.CutPrefix(uri, "mlflow-artifacts:/")
			}
		}
		if !ok {
			continue
		}
		if t, err := openTree(r.Dir, rel); err == nil {
			return t
		}
	}
	return nil
}

// localTree is a directory of this machine. Nothing outside of the root that it was opened in can be reached through it: neither
// by a path nor by a link.
type localTree struct{ root *os.Root }

// openTree opens a directory below a root.
func openTree(dir, rel string) (Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if rel == "" {
		rel = "."
	}
	sub, err := root.OpenRoot(filepath.FromSlash(rel))
	if err != nil {
		return nil, err
	}
	return localTree{sub}, nil
}

func (t localTree) Walk(ctx context.Context, file func(path string, size int64) error, left leftOut) error {
	return fs.WalkDir(t.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil:
			left(p, "cannot be read: "+cause(err), true)
			return nil
		case d.IsDir():
			return nil
		}
		info, err := t.root.Stat(filepath.FromSlash(p)) // follows links, within the root
		switch {
		case err != nil && d.Type()&fs.ModeSymlink != 0:
			left(p, "is a link to a place outside of the artifacts, or to nothing", errors.Is(err, fs.ErrNotExist))
		case err != nil:
			left(p, "cannot be read: "+cause(err), true)
		case !info.Mode().IsRegular():
			left(p, "is neither a file nor a directory, or a link to a directory", false)
		default:
			return file(p, info.Size())
		}
		return nil
	})
}

func (t localTree) Open(_ context.Context, p string) (io.ReadCloser, error) {
	return t.root.Open(filepath.FromSlash(p))
}

func (t localTree) Close() error { return t.root.Close() }

// cause is what went wrong, without the path.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return fault.Shorten(err.Error(), 300)
}

// checkFile says why a path cannot be that of a file in Levada; empty when it can. Paths are decoded by those who serve them, so
// one that changes by that would be another file.
func checkFile(p string) string {
	decoded, err := url.PathUnescape(p)
	switch {
	case p == "" || strings.HasPrefix(p, "/") || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../"):
		return "has a path that leads elsewhere"
	case err == nil && decoded != p:
		return "has a name with a percent encoding, which MLflow's paths cannot hold"
	case strings.ContainsAny(p, "#\\\x00"):
		return "has a name with a character that MLflow's paths cannot hold (# \\)"
	}
	return ""
}
