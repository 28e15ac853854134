package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/model"
	"levada/internal/core/track"
)

type loggedWire struct {
	Info struct {
		ID         string     `json:"model_id"`
		Experiment string     `json:"experiment_id"`
		Name       string     `json:"name"`
		Created    whole      `json:"creation_timestamp_ms"`
		Updated    whole      `json:"last_updated_timestamp_ms"`
		URI        string     `json:"artifact_uri"`
		Status     string     `json:"status"`
		Type       string     `json:"model_type"`
		Run        string     `json:"source_run_id"`
		Tags       []track.KV `json:"tags"`
	} `json:"info"`
	Data struct {
		Params  []track.KV   `json:"params"`
		Metrics []metricWire `json:"metrics"`
	} `json:"data"`
}

var modelStatuses = map[string]track.ModelStatus{
	"LOGGED_MODEL_PENDING": track.ModelPending, "LOGGED_MODEL_READY": track.ModelReady, "LOGGED_MODEL_UPLOAD_FAILED": track.ModelUploadFailed,
}

// LoggedModels asks for the logged models of each experiment. A server before MLflow 3 has none; deleted ones are not shown.
func (s *server) LoggedModels(ctx context.Context, one func(track.LoggedModel, bool) error) error {
	for _, id := range s.experiments {
		for token := ""; ; {
			var answer struct {
				Models []loggedWire `json:"models"`
				Token  string       `json:"next_page_token"`
			}
			err := s.call(ctx, http.MethodPost, "/api/2.0/mlflow/logged-models/search",
				map[string]any{"experiment_ids": []string{id}, "max_results": 50, "page_token": token}, &answer)
			if lacks(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read the logged models of experiment %s: %w", id, err)
			}
			for _, w := range answer.Models {
				m := track.LoggedModel{ID: w.Info.ID, ExperimentID: w.Info.Experiment, Name: w.Info.Name, Type: w.Info.Type, SourceRunID: w.Info.Run,
					ArtifactLocation: w.Info.URI, Status: modelStatuses[w.Info.Status], CreatedUS: 1000 * int64(w.Info.Created),
					UpdatedUS: 1000 * int64(w.Info.Updated), Params: w.Data.Params, Tags: w.Info.Tags}
				for _, x := range w.Data.Metrics {
					m.Metrics = append(m.Metrics, track.ModelMetric{RunID: x.Run, Metric: track.Metric{Key: x.Key, Point: x.point(), ModelID: m.ID,
						DatasetName: x.Dataset, DatasetDigest: x.Digest}})
				}
				if err := one(m, true); err != nil {
					return err
				}
			}
			if token = answer.Token; token == "" {
				break
			}
		}
	}
	return nil
}

// lacks reports whether a server does not have a call.
func lacks(err error) bool {
	var status *statusError
	return errors.As(err, &status) && (status.status == http.StatusNotFound && status.code != "RESOURCE_DOES_NOT_EXIST" ||
		status.status == http.StatusMethodNotAllowed || status.code == "ENDPOINT_NOT_FOUND")
}

type registeredWire struct {
	Name        string     `json:"name"`
	Created     whole      `json:"creation_timestamp"`
	Updated     whole      `json:"last_updated_timestamp"`
	Description *string    `json:"description"`
	Tags        []track.KV `json:"tags"`
	Aliases     []struct {
		Alias   string `json:"alias"`
		Version whole  `json:"version"`
	} `json:"aliases"`
}

type versionWire struct {
	Name        string     `json:"name"`
	Version     whole      `json:"version"`
	Created     whole      `json:"creation_timestamp"`
	Updated     whole      `json:"last_updated_timestamp"`
	Description *string    `json:"description"`
	User        string     `json:"user_id"`
	Stage       string     `json:"current_stage"`
	Source      string     `json:"source"`
	Run         string     `json:"run_id"`
	Status      string     `json:"status"`
	Message     string     `json:"status_message"`
	Link        string     `json:"run_link"`
	Tags        []track.KV `json:"tags"`
}

const isPrompt = "tags.`" + model.TagIsPrompt + "` = 'true'"

// RegisteredModels asks for registered models, and for prompts, which a search leaves out unless they are asked for.
func (s *server) RegisteredModels(ctx context.Context, one func(Registered) error) error {
	for _, filter := range []string{"", isPrompt} {
		for token := ""; ; {
			var answer struct {
				Models []registeredWire `json:"registered_models"`
				Token  string           `json:"next_page_token"`
			}
			q := url.Values{"max_results": {"100"}, "page_token": {token}, "filter": {filter}}
			if err := s.call(ctx, http.MethodGet, "/api/2.0/mlflow/registered-models/search?"+q.Encode(), nil, &answer); err != nil {
				return fmt.Errorf("read the registered models: %w", err)
			}
			for _, w := range answer.Models {
				r, err := s.registered(ctx, w)
				var status *statusError
				if errors.As(err, &status) {
					s.report.fail("registered models", status.Error(), w.Name)
					continue
				}
				if err != nil {
					return err
				}
				if filter == "" && r.Prompt() {
					continue // an older server, which shows them among the others
				}
				if err := one(r); err != nil {
					return err
				}
			}
			if token = answer.Token; token == "" {
				break
			}
		}
	}
	return nil
}

func (s *server) registered(ctx context.Context, w registeredWire) (Registered, error) {
	// A search may leave aliases out.
	var whole struct {
		Model registeredWire `json:"registered_model"`
	}
	if err := s.call(ctx, http.MethodGet, "/api/2.0/mlflow/registered-models/get?name="+url.QueryEscape(w.Name), nil, &whole); err != nil {
		return Registered{}, fmt.Errorf("read registered model %q: %w", w.Name, err)
	}
	w = whole.Model
	r := Registered{Registered: model.Registered{Name: w.Name, Description: w.Description, CreatedUS: 1000 * int64(w.Created),
		UpdatedUS: 1000 * int64(w.Updated), Tags: w.Tags}}
	for _, a := range w.Aliases {
		r.Aliases = append(r.Aliases, model.Alias{Name: a.Alias, Version: int64(a.Version)})
	}
	filter := "name = '" + strings.ReplaceAll(w.Name, "'", "''") + "'"
	if strings.Contains(w.Name, "'") {
		filter = `name = "` + w.Name + `"`
	}
	if r.Prompt() {
		filter += " AND " + isPrompt
	}
	for token := ""; ; {
		var answer struct {
			Versions []versionWire `json:"model_versions"`
			Token    string        `json:"next_page_token"`
		}
		q := url.Values{"max_results": {"1000"}, "page_token": {token}, "filter": {filter}}
		if err := s.call(ctx, http.MethodGet, "/api/2.0/mlflow/model-versions/search?"+q.Encode(), nil, &answer); err != nil {
			return r, fmt.Errorf("read the versions of %q: %w", w.Name, err)
		}
		for _, v := range answer.Versions {
			if v.Name == w.Name {
				if err := s.addVersion(ctx, &r, v); err != nil {
					return r, err
				}
			}
		}
		if token = answer.Token; token == "" {
			break
		}
	}
	slices.SortFunc(r.Versions, func(a, b model.Version) int { return int(a.Number - b.Number) })
	return r, nil
}

func (s *server) addVersion(ctx context.Context, r *Registered, v versionWire) error {
	var where struct {
		URI string `json:"artifact_uri"`
	}
	q := url.Values{"name": {v.Name}, "version": {strconv.FormatInt(int64(v.Version), 10)}}
	err := s.call(ctx, http.MethodGet, "/api/2.0/mlflow/model-versions/get-download-uri?"+q.Encode(), nil, &where)
	var status *statusError
	switch {
	case errors.As(err, &status):
		where.URI = v.Source // then the source must do
	case err != nil:
		return fmt.Errorf("read where version %d of %q is: %w", v.Version, v.Name, err)
	}
	r.addVersion(model.Version{Number: int64(v.Version), Description: v.Description, CreatedUS: 1000 * int64(v.Created), UpdatedUS: 1000 * int64(v.Updated),
		UserID: v.User, Stage: model.Stage(v.Stage), Source: v.Source, Location: where.URI, RunID: v.Run, RunLink: v.Link, Status: v.Status,
		StatusMessage: v.Message, Tags: v.Tags})
	return nil
}

// Others says whether there are traces: their number is not asked for.
func (s *server) Others(ctx context.Context) map[string]int64 {
	out := map[string]int64{}
	for _, id := range s.experiments {
		var answer struct {
			Traces []struct{} `json:"traces"`
			Token  string     `json:"next_page_token"`
		}
		for token := ""; ; {
			answer.Traces, answer.Token = nil, ""
			q := url.Values{"experiment_ids": {id}, "max_results": {"500"}, "page_token": {token}}
			if err := s.call(ctx, http.MethodGet, "/api/2.0/mlflow/traces?"+q.Encode(), nil, &answer); err != nil {
				break
			}
			if len(answer.Traces) > 0 {
				out["traces"] += int64(len(answer.Traces))
			}
			if token = answer.Token; token == "" {
				break
			}
		}
	}
	return out
}

// Files opens files through the server: its proxy, or its calls for the files of runs and logged models.
func (s *server) Files(_ context.Context, of Owner) (Tree, string) {
	if t := given(s.options.Roots, of.URI); t != nil {
		return t, ""
	}
	uri := plainURI(of.URI)
	if root, ok := strings.CutPrefix(uri, "mlflow-artifacts:/"); ok {
		return &remoteTree{server: s,
			list: func(dir string) string {
				return "/api/2.0/mlflow-artifacts/artifacts?path=" + url.QueryEscape(path.Join(root, dir))
			},
			open:  func(p string) string { return "/api/2.0/mlflow-artifacts/artifacts/" + escaped(path.Join(root, p)) },
			plain: true}, ""
	}
	if scheme, is := elsewhere(of.URI); is {
		return nil, inObjectStore(scheme)
	}
	switch {
	case of.ModelID != "":
		base := "/mlflow/logged-models/" + url.PathEscape(of.ModelID) + "/artifacts/"
		return &remoteTree{server: s,
			list: func(dir string) string {
				return "/api/2.0" + base + "directories?artifact_directory_path=" + url.QueryEscape(dir)
			},
			open: func(p string) string {
				return "/ajax-api/2.0" + base + "files?artifact_file_path=" + url.QueryEscape(p)
			}}, ""
	case of.RunID != "":
		id := url.QueryEscape(of.RunID)
		return &remoteTree{server: s,
			list: func(dir string) string {
				return "/api/2.0/mlflow/artifacts/list?run_id=" + id + "&path=" + url.QueryEscape(dir)
			},
			open: func(p string) string { return "/get-artifact?run_id=" + id + "&path=" + url.QueryEscape(p) }}, ""
	}
	return nil, "are neither below the files of a run nor below those of a logged model"
}

func escaped(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// remoteTree reads files through a server.
type remoteTree struct {
	server     *server
	list, open func(path string) string
	// plain says that a list gives names and not paths from the root.
	plain bool
}

// maxDepth bounds how deep directories may lie in one another.
const maxDepth = 100

func (t *remoteTree) Walk(ctx context.Context, file func(path string, size int64) error, left leftOut) error {
	return t.walk(ctx, "", 0, file, left)
}

func (t *remoteTree) walk(ctx context.Context, dir string, depth int, file func(string, int64) error, left leftOut) error {
	if depth > maxDepth {
		left(dir, "lies too deep", false)
		return nil
	}
	for token := ""; ; {
		var answer struct {
			Files []struct {
				Path string `json:"path"`
				Dir  bool   `json:"is_dir"`
				Size whole  `json:"file_size"`
			} `json:"files"`
			Token string `json:"next_page_token"`
		}
		query := t.list(dir)
		if token != "" {
			query += "&page_token=" + url.QueryEscape(token)
		}
		if err := t.server.call(ctx, http.MethodGet, query, nil, &answer); err != nil {
			if depth == 0 && gone(err) {
				return nil // no file was ever put there
			}
			return err
		}
		for _, f := range answer.Files {
			p := f.Path
			if t.plain {
				p = path.Join(dir, p)
			}
			rest, inside := strings.CutPrefix(p, dir)
			rest = strings.TrimPrefix(rest, "/")
			if why := checkFile(p); why != "" || !inside || strings.Contains(rest, "/") || rest == "" || t.plain && strings.ContainsAny(f.Path, "/") {
				if why == "" {
					why = "has a path that leads elsewhere"
				}
				left(f.Path, why, false)
				continue
			}
			var err error
			if f.Dir {
				err = t.walk(ctx, p, depth+1, file, left)
			} else {
				err = file(p, int64(f.Size))
			}
			if err != nil {
				return err
			}
		}
		if token = answer.Token; token == "" {
			return nil
		}
	}
}

// gone reports whether there is nothing at a place.
func gone(err error) bool {
	var status *statusError
	return errors.As(err, &status) && (status.status == http.StatusNotFound || strings.Contains(status.message, "No such file or directory"))
}

func (t *remoteTree) Open(ctx context.Context, p string) (io.ReadCloser, error) {
	resp, err := t.server.ask(ctx, http.MethodGet, t.open(p), nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (t *remoteTree) Close() error { return nil }
