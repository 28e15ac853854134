package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// importArtifact makes the artifact that an importer names. Local content is stored; what is elsewhere is only referred to.
func (r *Runner) importArtifact(ctx context.Context, s *run.Step, log *attemptLog) (run.Values, error) {
	imp := s.Executor.Importer
	uri, err := importURI(s, imp)
	if err != nil {
		return run.Values{}, err
	}
	output := importerOutput(s.Component)
	a := run.Artifact{
		ID: run.ArtifactID(s.TaskID, output, 0), Name: output, URI: uri, RunID: s.Job.RunID, TaskID: s.TaskID,
		SchemaTitle: imp.TypeSchema.SchemaTitle, SchemaVersion: imp.TypeSchema.SchemaVersion, InstanceSchema: imp.TypeSchema.InstanceSchema,
	}
	if a.Metadata, err = importMetadata(s, imp); err != nil {
		return run.Values{}, err
	}
	if imp.DownloadToWorkspace {
		log.System("the importer asks for a copy in the workspace: this version makes none, steps get the artifact itself")
	}
	path, local := localPath(uri)
	if !local {
		log.System("the artifact stays at %s: this version does not download it", uri)
		return importValues(output, a), nil
	}
	if !filepath.IsAbs(path) {
		return run.Values{}, inputError("importer: %q is neither an absolute path nor a URI", uri)
	}
	info, err := r.importLocal(ctx, s, path)
	if err != nil {
		return run.Values{}, err
	}
	a.Digest, a.Size, a.Files = info.Digest, info.Size, info.Files
	return importValues(output, a), nil
}

func importValues(output string, a run.Artifact) run.Values {
	return run.Values{Artifacts: map[string][]run.Artifact{output: {a}}}
}

// importerOutput is the one output of an importer component, "artifact" in everything that SDKs compile.
func importerOutput(c *ir.Component) string {
	defs := outputs(c)
	if len(defs.Artifacts) == 1 {
		return sortedKeys(defs.Artifacts)[0]
	}
	return "artifact"
}

// importLocal stores a copy: the original belongs to someone else.
func (r *Runner) importLocal(ctx context.Context, s *run.Step, path string) (run.BlobInfo, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return run.BlobInfo{}, inputError("importer: there is no file or directory %s on the machine of the server", path)
	}
	if err != nil {
		return run.BlobInfo{}, inputError("importer: %s cannot be read: %v", path, err)
	}
	if within(realPath(r.opt.DataDir), real) || within(real, realPath(r.opt.DataDir)) {
		return run.BlobInfo{}, inputError("importer: %s is or holds the server's own data", path)
	}
	if err := checkTree(real); err != nil {
		return run.BlobInfo{}, inputError("importer: %s: %v", path, err)
	}
	l, err := r.layout(s)
	if err != nil {
		return run.BlobInfo{}, err
	}
	if err := os.MkdirAll(l.tmp(), 0o755); err != nil {
		return run.BlobInfo{}, err
	}
	copied, err := copyAside(real, l.tmp())
	if err != nil {
		return run.BlobInfo{}, fmt.Errorf("importer: copy %s: %w", path, err)
	}
	return r.opt.Blobs.Add(ctx, copied)
}

func importURI(s *run.Step, imp *ir.Importer) (string, error) {
	v := any(nil)
	switch u := imp.ArtifactURI; {
	case u.RuntimeParameter != "":
		v = s.Inputs.Parameters[u.RuntimeParameter]
	case len(u.Constant) > 0:
		if err := json.Unmarshal(u.Constant, &v); err != nil {
			return "", inputError("importer: the artifact URI is not valid JSON: %v", err)
		}
	}
	uri, ok := v.(string)
	if !ok || uri == "" {
		return "", inputError("importer: the artifact URI is empty or not a string")
	}
	if strings.Contains(uri, "{{$") {
		return resolveText(s, uri)
	}
	return uri, nil
}

// importMetadata resolves the placeholders inside the metadata.
func importMetadata(s *run.Step, imp *ir.Importer) (map[string]any, error) {
	m := make(map[string]any)
	properties(imp.Properties, m)
	properties(imp.CustomProperties, m)
	for k, v := range imp.Metadata {
		m[k] = v
	}
	v, err := resolveValue(s, m)
	if err != nil {
		return nil, err
	}
	out, _ := v.(map[string]any)
	return out, nil
}

func resolveValue(s *run.Step, v any) (any, error) {
	switch v := v.(type) {
	case string:
		if name, ok := wholePlaceholder(v); ok {
			if value, given := s.Inputs.Parameters[name]; given {
				return value, nil
			}
		}
		return resolveText(s, v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			r, err := resolveValue(s, e)
			if err != nil {
				return nil, err
			}
			out[i] = r
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			name, err := resolveText(s, k)
			if err != nil {
				return nil, err
			}
			if out[name], err = resolveValue(s, e); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// wholePlaceholder finds the input that a text consists of, so that a number stays a number.
func wholePlaceholder(text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, "{{$.inputs.parameters['")
	if !ok {
		return "", false
	}
	name, tail, ok := strings.Cut(rest, "']")
	return name, ok && tail == "}}"
}

// resolveText expands the placeholders of a text as those of a command.
func resolveText(s *run.Step, text string) (string, error) {
	if !strings.Contains(text, "{{$") {
		return text, nil
	}
	in := &ir.ExecutorInput{Inputs: ir.ExecutorInputs{ParameterValues: s.Inputs.Parameters}}
	c, err := ir.ResolveContainer(&ir.Container{Env: []ir.EnvVar{{Name: "TEXT", Value: text}}}, in, placeholders(s))
	if err != nil {
		return "", inputError("importer: %v", err)
	}
	return c.Env[0].Value, nil
}
