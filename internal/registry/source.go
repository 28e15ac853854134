package registry

import (
	"context"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/model"
)

// source is where a version comes from, once it was checked.
type source struct {
	uri, runID, modelID string
	// location is where the files are when the uri does not say it.
	location string
}

// promptSources are what clients give as the source of a prompt, which has no files.
var promptSources = []string{"prompt-template", "dummy-source"}

func checkPromptSource(uri string) error {
	if !slices.Contains(promptSources, uri) {
		return fault.Invalidf("Invalid prompt source: '%s'. Prompt sources must use an MLflow placeholder.", uri)
	}
	return nil
}

// localScheme reports whether a URI names a file of the machine that reads it.
func localScheme(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return true // what cannot be parsed is refused with the local ones
	}
	return u.Scheme == "" || u.Scheme == "file" || len(u.Scheme) == 1 // C:\
}

// checkSource refuses sources through which a client could read what is not its own: paths of this machine, ways out of an
// artifact location, and places that belong to another run or model than the one that is named (CVE-2023-1177 and those
// that followed).
func (s *Service) checkSource(ctx context.Context, src *source, n NewVersion) error {
	if localScheme(src.uri) {
		what := "run"
		if src.modelID != "" {
			what = "model"
		}
		return fault.Invalidf("Invalid model version source: '%s'. To use a local path as a model version source, the %s_id request "+
			"parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by "+
			"the %s_id.", src.uri, what, what)
	}
	u, err := url.Parse(src.uri)
	if err == nil && foreignHost(u) {
		return fault.Invalidf("'source' cannot use the '%s' scheme: the '%s' scheme addresses a host other than the tracking server's "+
			"configured artifact storage. Give a place in an object store, or what a run or logged model of this server holds.", u.Scheme, u.Scheme)
	}
	if err != nil || escapes(src.uri) {
		return fault.Invalidf("Invalid model version source: '%s'. If supplying a source as an http, https, local file path, ftp, "+
			"objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please "+
			"provide an absolute path.", src.uri)
	}
	switch u.Scheme {
	case "models":
		return s.modelSource(ctx, src, u, n)
	case "runs":
		return s.runSource(ctx, src, u)
	case "mlflow-artifacts":
		return s.artifactSource(ctx, src)
	}
	return nil
}

// foreignHost reports whether a URI names a server that would have to be asked.
func foreignHost(u *url.URL) bool {
	switch u.Scheme {
	case "http", "https", "ftp", "sftp":
		return true
	}
	return u.Scheme == "mlflow-artifacts" && u.Host != ""
}

// escapes reports whether a URI contains a way out, in any encoding.
func escapes(uri string) bool {
	for range 10 {
		if strings.ContainsAny(uri, "\x00\\") || slices.Contains(strings.Split(uri, "/"), "..") {
			return true
		}
		decoded, err := url.QueryUnescape(uri)
		if err != nil || decoded == uri {
			return false
		}
		uri = decoded
	}
	return true
}

// foreign says that a source is not inside what is named with it.
func foreign(src *source, parameter string) error {
	return fault.Invalidf("Invalid model version source: '%s'. The %s request parameter must identify the resource that contains the "+
		"source.", src.uri, parameter)
}

// modelSource takes a logged model (models:/m-...) or another version (models:/name/1, models:/name@alias).
func (s *Service) modelSource(ctx context.Context, src *source, u *url.URL, n NewVersion) error {
	ref := strings.Trim(u.Path, "/")
	if u.Host != "" || ref == "" {
		return foreign(src, "model_id")
	}
	if !strings.ContainsAny(ref, "/@") {
		if src.modelID != ref {
			return foreign(src, "model_id")
		}
		location, runID, err := s.deps.Sources.LoggedModel(ctx, ref)
		if err != nil {
			return fault.Invalidf("Unable to fetch model from model URI source artifact location '%s'. Error: %w", src.uri, err)
		}
		src.location = location
		if src.runID == "" {
			src.runID = runID
		}
		return nil
	}
	v, err := s.referred(ctx, ref)
	if err != nil {
		return err
	}
	if n.RunID != nil && *n.RunID != v.RunID || n.ModelID != nil && *n.ModelID != v.ModelID {
		return fault.Invalidf("Invalid model version source: '%s'. The run_id and model_id request parameters must match the referenced "+
			"model version.", src.uri)
	}
	src.uri = "models:/" + v.Name + "/" + strconv.FormatInt(v.Number, 10)
	src.location, src.runID, src.modelID = v.Location, v.RunID, v.ModelID
	return nil
}

// Resolve finds the version of a model that a reference means: a number, "@" with an alias, a stage, or "latest".
func (s *Service) Resolve(ctx context.Context, name, version string) (model.Version, error) {
	if alias, ok := strings.CutPrefix(version, "@"); ok {
		return s.referred(ctx, name+"@"+alias)
	}
	return s.referred(ctx, name+"/"+version)
}

// referred finds the version that a models:/ URI means.
func (s *Service) referred(ctx context.Context, ref string) (model.Version, error) {
	name, version, found := strings.Cut(ref, "/")
	if !found {
		at := strings.LastIndexByte(ref, '@')
		v, err := s.VersionByAlias(ctx, ref[:at], ref[at+1:])
		return v.Version, err
	}
	if _, err := s.Model(ctx, name); err != nil {
		return model.Version{}, err
	}
	if _, err := Number(version); err == nil {
		v, err := s.Version(ctx, name, version)
		return v.Version, err
	}
	stages := []string{version}
	if version == "latest" {
		stages = nil
	}
	latest, err := s.LatestVersions(ctx, name, stages)
	if err != nil {
		return model.Version{}, err
	}
	if len(latest) == 0 {
		return model.Version{}, fault.NotFoundf("No versions of model with name '%s' and stage '%s' found", name, version)
	}
	return latest[len(latest)-1].Version, nil
}

func (s *Service) runSource(ctx context.Context, src *source, u *url.URL) error {
	if src.modelID != "" {
		return foreign(src, "model_id")
	}
	runID, relative, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if u.Host != "" || runID == "" || runID != src.runID {
		return foreign(src, "run_id")
	}
	location, err := s.deps.Sources.RunLocation(ctx, runID)
	if err != nil {
		return foreign(src, "run_id")
	}
	src.location = location + "/" + relative
	return nil
}

// artifactSource takes what lies inside the artifacts of the run or logged model that is named.
func (s *Service) artifactSource(ctx context.Context, src *source) error {
	parameter, root, err := "run_id", "", error(nil)
	switch {
	case src.modelID != "":
		parameter = "model_id"
		root, _, err = s.deps.Sources.LoggedModel(ctx, src.modelID)
	case src.runID != "":
		root, err = s.deps.Sources.RunLocation(ctx, src.runID)
	}
	if root == "" || err != nil || !inside(src.uri, root) {
		return foreign(src, parameter)
	}
	return nil
}

func inside(uri, root string) bool {
	plain := func(s string) string {
		s, _ = strings.CutPrefix(s, "mlflow-artifacts:")
		if rest, ok := strings.CutPrefix(s, "//"); ok {
			_, s, _ = strings.Cut(rest, "/")
		}
		return path.Clean("/" + s)
	}
	u, r := plain(uri), plain(root)
	return u == r || strings.HasPrefix(u, r+"/")
}
