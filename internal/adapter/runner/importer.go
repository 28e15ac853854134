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

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// importArtifact makes the artifact that an importer names. Local content is stored, and that of buckets where the server is told how to
// read them; what is elsewhere is only referred to.
func (r *Runner) importArtifact(ctx context.Context, s *run.Step, log *attemptLog) (run.Values, error) {
	imp := s.Executor.Importer
	uri, err := importURI(s, imp)
	if err != nil {
		return run.Values{}, err
	}
	place, written, err := r.endpointTable(ctx, s, uri, log)
	if err != nil {
		return run.Values{}, err
	}
	if !written {
		if uri, err = newestOf(place, log); err != nil {
			return run.Values{}, err
		}
		place = uri
	}
	output := importerOutput(s.Component)
	a := run.Artifact{
		ID: run.ArtifactID(s.TaskID, output, 0), Name: output, URI: uri, RunID: s.Job.RunID, TaskID: s.TaskID, TaskName: s.TaskName,
		SchemaTitle: imp.TypeSchema.SchemaTitle, SchemaVersion: imp.TypeSchema.SchemaVersion, InstanceSchema: imp.TypeSchema.InstanceSchema,
	}
	if a.Metadata, err = importMetadata(s, imp); err != nil {
		return run.Values{}, err
	}
	if imp.DownloadToWorkspace {
		a.Metadata[inWorkspaceKey] = true
	}
	from, local := place, true
	if !written {
		from, local, err = r.importFrom(ctx, s, place)
	}
	if _, _, inBucket := run.BucketPath(uri); inBucket && err == nil && r.opt.Buckets != nil && r.opt.Buckets.Configured() {
		from, err = r.importBucket(ctx, s, &a, log)
		local = true
	}
	switch {
	case err != nil:
		return run.Values{}, err
	case !local && imp.DownloadToWorkspace:
		return run.Values{}, unsupported("importer: %s cannot be copied into the workspace: its content is not brought here%s", uri, hint(uri))
	case !local:
		log.System("the artifact stays at %s: its content is not brought here, and a step that needs it as a file will not find one%s", uri, hint(uri))
		return importValues(output, a), nil
	}
	info, err := r.opt.Blobs.Add(ctx, from)
	if err != nil {
		return run.Values{}, err
	}
	a.Digest, a.Size, a.Files = info.Digest, info.Size, info.Files
	if imp.DownloadToWorkspace {
		if err := r.toWorkspace(s, a, from); err != nil {
			return run.Values{}, err
		}
		rel, _ := workspaceCopy(s, a)
		log.System("the artifact is copied into the workspace: %s", filepath.Join(seenWorkspace(s.Job), rel))
	}
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

// importFrom makes a copy of what a URI names in the step's directory, since the original belongs to someone else. local is
// false for what is not on this machine.
func (r *Runner) importFrom(ctx context.Context, s *run.Step, uri string) (copied string, local bool, err error) {
	l, err := r.layout(s)
	if err != nil {
		return "", false, err
	}
	if err := withParent(func() error { return os.MkdirAll(l.tmp(), 0o755) }); err != nil {
		return "", false, err
	}
	path, local := run.LocalPath(uri)
	digest, held, err := r.held(ctx, path)
	switch {
	case err != nil:
		return "", false, err
	case held:
		copied = filepath.Join(l.tmp(), "held")
		if err := r.opt.Blobs.Materialise(ctx, digest, copied); err != nil {
			return "", false, inputError("importer: the content of %s could not be brought here: %v", uri, err)
		}
		return copied, true, nil
	case !local:
		return "", false, nil
	case !filepath.IsAbs(path):
		return "", false, inputError("importer: %q is neither an absolute path nor a URI", uri)
	}
	copied, err = r.importLocal(s, path, l)
	return copied, true, err
}

// importBucket brings what the address of an artifact means, in a bucket, into the step's directory, and returns where it is. The artifact
// gets the address and the tag of what was brought.
func (r *Runner) importBucket(ctx context.Context, s *run.Step, a *run.Artifact, log *attemptLog) (copied string, err error) {
	l, err := r.layout(s)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(l.tmp(), "artifact-")
	if err != nil {
		return "", err
	}
	copied = filepath.Join(dir, "content")
	got, err := r.opt.Buckets.Fetch(ctx, a.URI, copied)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Invalid:
		return "", inputError("importer: %v", err)
	}
	if err != nil {
		return "", fmt.Errorf("importer: %w", err)
	}
	a.URI, a.Tag = got.URI, got.Tag
	log.System("brought %d bytes in %d objects from %s", got.Size, got.Objects, got.URI)
	return copied, nil
}

// hint says what to do about an artifact that stays where it is.
func hint(uri string) string {
	switch scheme, _, _ := strings.Cut(uri, "://"); scheme {
	case "s3":
		return "; start the server with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and it is"
	case "gs":
		return "; start the server with AWS_ENDPOINT_URL_S3=https://storage.googleapis.com and an HMAC key, and import s3://"
	}
	return ""
}

// mostMatches bounds how many files a pattern may mean.
const mostMatches = 100_000

// newestOf is the newest file that a pattern such as /data/*.csv means, by its time and then its name. Anything else, a file whose name
// only looks like a pattern too, is itself.
func newestOf(uri string, log *attemptLog) (string, error) {
	path, local := run.LocalPath(uri)
	if !local || !filepath.IsAbs(path) || !strings.ContainsAny(path, `*?[`) {
		return uri, nil
	}
	if _, err := os.Lstat(path); err == nil {
		return uri, nil
	}
	found, err := filepath.Glob(path)
	if err != nil {
		return "", inputError("importer: %s: %v", path, err)
	}
	if len(found) > mostMatches {
		return "", inputError("importer: there are more than %d files at %s: name fewer of them", mostMatches, path)
	}
	var newest os.FileInfo
	chosen, n := "", 0
	for _, f := range found {
		info, err := os.Stat(f)
		if err != nil || event.Unfinished(filepath.Base(f)) { // it went away, or is not there whole
			continue
		}
		if n++; newest == nil || !info.ModTime().Before(newest.ModTime()) {
			chosen, newest = f, info
		}
	}
	if n == 0 {
		return "", inputError("importer: there is no file at %s on the machine of the server", path)
	}
	log.System("%s is the newest of %d at %s", chosen, n, path)
	return chosen, nil
}

// importLocal copies a file or directory of this machine.
func (r *Runner) importLocal(s *run.Step, path string, l layout) (string, error) {
	place, own := fromWorkspace(s.Job, filepath.Clean(path))
	real, err := filepath.EvalSymlinks(place)
	if errors.Is(err, fs.ErrNotExist) {
		return "", inputError("importer: there is no file or directory %s on the machine of the server", path)
	}
	if err != nil {
		return "", inputError("importer: %s cannot be read: %v", path, err)
	}
	own = own && within(real, realPath(s.Job.WorkspacePath))
	if !own && (within(realPath(r.opt.DataDir), real) || within(real, realPath(r.opt.DataDir))) {
		return "", inputError("importer: %s is or holds the server's own data", path)
	}
	if err := checkTree(real); err != nil {
		return "", inputError("importer: %s: %v", path, err)
	}
	copied, err := copyAside(real, l.tmp())
	if err != nil {
		return "", fmt.Errorf("importer: copy %s: %w", path, err)
	}
	return copied, nil
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
	if strings.Contains(uri, "{{channel:") {
		// For an f-string, kfp 2 leaves its own notation in the executor; the input "uri" of the task has the whole text.
		uri, ok = s.Inputs.Parameters["uri"].(string)
	}
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
