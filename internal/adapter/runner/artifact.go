package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// collector stores the output artifacts of one step.
type collector struct {
	*attempt
	// stored remembers what was stored by path: several outputs may name one path, and storing it moves it away.
	stored map[string]run.BlobInfo
}

func (c *collector) artifacts(ctx context.Context, rep *reported, name string, def *ir.OutputArtifact) ([]run.Artifact, error) {
	list := []reportedArtifact{{Name: name, URI: c.layout.artifact(name)}}
	if rep != nil {
		if given, ok := rep.Artifacts[name]; ok && (len(given.Artifacts) > 0 || def.IsArtifactList) {
			list = given.Artifacts
		}
	}
	out := make([]run.Artifact, 0, len(list))
	for i, given := range list {
		a := c.describe(name, i, def, given)
		if err := c.store(ctx, name, given, &a); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// describe makes the artifact without its content.
func (c *collector) describe(output string, index int, def *ir.OutputArtifact, given reportedArtifact) run.Artifact {
	metadata := declaredMetadata(def)
	for k, v := range given.Metadata {
		metadata[k] = v
	}
	name := given.Name
	if name == "" {
		name = output
	}
	return run.Artifact{
		ID: run.ArtifactID(c.step.TaskID, output, index), Name: name, Metadata: metadata,
		SchemaTitle: def.ArtifactType.SchemaTitle, SchemaVersion: def.ArtifactType.SchemaVersion, InstanceSchema: def.ArtifactType.InstanceSchema,
		RunID: c.step.Job.RunID, TaskID: c.step.TaskID, TaskName: c.step.TaskName,
	}
}

func (c *collector) store(ctx context.Context, output string, given reportedArtifact, a *run.Artifact) error {
	path := given.URI
	if custom := given.CustomSnake + given.CustomCamel; custom != "" {
		path, a.CustomPath = custom, custom
	}
	if path == "" {
		path = c.layout.artifact(output)
	}
	path, local := run.LocalPath(path)
	if !local {
		a.URI = given.URI
		c.log.System("output artifact %q is kept as a reference to %s: its content is not stored", output, given.URI)
		return nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.layout.cwd(), path)
	}
	path, onDisk := c.view.real(filepath.Clean(path))
	if !onDisk {
		return outputError("output artifact %q is at %s, in memory that ended with the step: write it to its proposed path", output, given.URI)
	}
	info, done := c.stored[path]
	if !done {
		var err error
		info, err = c.ingest(ctx, output, path)
		if errors.Is(err, fs.ErrNotExist) {
			if !metadataOnly(a.SchemaTitle) {
				c.log.System("output artifact %q has no content: the step wrote nothing to its path", output)
			}
			return nil
		}
		if err != nil {
			return err
		}
		c.stored[path] = info
	}
	a.Digest, a.Size, a.Files = info.Digest, info.Size, info.Files
	a.URI = "levada://" + info.Digest
	return nil
}

// metadataOnly reports whether artifacts of a type usually have no file.
func metadataOnly(title string) bool {
	return title == "system.Metrics" || title == "system.ClassificationMetrics" || title == "system.SlicedClassificationMetrics"
}

// ingest checks and stores one file or directory. What lies outside the attempt's directory is copied: it may be
// something that others use.
func (c *collector) ingest(ctx context.Context, output, path string) (run.BlobInfo, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return run.BlobInfo{}, err
	}
	if st.Mode()&fs.ModeSymlink != 0 {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return run.BlobInfo{}, err
		}
		if !within(path, realPath(c.layout.root)) {
			return run.BlobInfo{}, outputError("output artifact %q is a link to %s, outside the step's directory: copy the file instead", output, path)
		}
	}
	if err := checkTree(path); err != nil {
		return run.BlobInfo{}, outputError("output artifact %q: %v", output, err)
	}
	if !within(path, c.layout.root) && !within(path, realPath(c.layout.root)) {
		if path, err = copyAside(path, c.layout.tmp()); err != nil {
			return run.BlobInfo{}, fmt.Errorf("copy output artifact %q: %w", output, err)
		}
	}
	info, err := c.opt.Blobs.Add(ctx, path)
	if err != nil {
		return info, fmt.Errorf("store output artifact %q: %w", output, err)
	}
	return info, nil
}

func realPath(p string) string {
	if r, err := filepath.EvalSymlinks(p); err == nil {
		return r
	}
	return p
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// checkTree refuses what cannot be stored by content: links out of the tree, pipes, sockets and devices.
func checkTree(root string) error {
	base := realPath(root)
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		switch t := d.Type(); {
		case t.IsRegular() || t.IsDir():
			return nil
		case t&fs.ModeSymlink != 0:
			target, err := filepath.EvalSymlinks(path)
			if err != nil {
				return fmt.Errorf("%s is a link to nothing", rel)
			}
			if !within(target, base) {
				return fmt.Errorf("%s is a link to %s, outside the artifact: copy the file instead", rel, target)
			}
			return nil
		default:
			return fmt.Errorf("%s is not a file or directory (%s)", rel, t)
		}
	})
}

// copyAside copies a file or directory below dir and returns where it is.
func copyAside(path, dir string) (string, error) {
	to, err := os.MkdirTemp(dir, "artifact-")
	if err != nil {
		return "", err
	}
	dest := filepath.Join(to, "content")
	return dest, copyTo(path, dest)
}

// copyTo copies a file or directory to dest, which must not exist.
func copyTo(path, dest string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.IsDir() {
		return os.CopyFS(dest, os.DirFS(path))
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dest, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// properties decodes the deprecated typed properties of an importer: {"stringValue": "x"} and the like, or plain values.
func properties(raw map[string]json.RawMessage, into map[string]any) {
	for k, b := range raw {
		var v any
		if json.Unmarshal(b, &v) != nil {
			continue
		}
		if m, ok := v.(map[string]any); ok && len(m) == 1 {
			for _, field := range []string{"stringValue", "intValue", "doubleValue", "constant", "constantValue", "runtimeParameter"} {
				if inner, ok := m[field]; ok {
					v = inner
				}
			}
		}
		into[k] = v
	}
}
