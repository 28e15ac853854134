package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"levada/internal/core/model"
	"levada/internal/core/track"
)

func (c *Client) bring(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPost, "/imports/"+path, nil, in, out)
}

// Imported returns what is noted about things that an import brought before, by their ids.
func (c *Client) Imported(ctx context.Context, kind track.ImportKind, ids []string) (map[string]track.Imported, error) {
	var answer struct {
		Items []track.Imported `json:"items"`
	}
	if err := c.bring(ctx, "known", map[string]any{"kind": kind, "ids": ids}, &answer); err != nil {
		return nil, err
	}
	out := map[string]track.Imported{}
	for _, i := range answer.Items {
		out[i.ID] = i
	}
	return out, nil
}

// MarkImported notes that things were brought whole.
func (c *Client) MarkImported(ctx context.Context, kind track.ImportKind, marks map[string]string) error {
	return c.bring(ctx, "marks", map[string]any{"kind": kind, "marks": marks}, nil)
}

// ImportExperiment brings an experiment and returns it as it is on the server.
func (c *Client) ImportExperiment(ctx context.Context, e track.Experiment) (track.Experiment, error) {
	var out track.Experiment
	return out, c.bring(ctx, "experiments", e, &out)
}

// ImportRuns brings runs, and returns why some were not stored, by id.
func (c *Client) ImportRuns(ctx context.Context, runs []track.Run) (map[string]string, error) {
	var out struct {
		Errors map[string]string `json:"errors"`
	}
	return out.Errors, c.bring(ctx, "runs", map[string]any{"runs": runs}, &out)
}

// ImportMetrics brings points of a run that was brought before.
func (c *Client) ImportMetrics(ctx context.Context, runID string, metrics []track.Series) error {
	return c.bring(ctx, "metrics", map[string]any{"run_id": runID, "metrics": metrics}, nil)
}

// ImportLoggedModel brings a logged model and returns where its files belong.
func (c *Client) ImportLoggedModel(ctx context.Context, m track.LoggedModel, metrics []track.ModelSeries) (string, error) {
	var out struct {
		Location string `json:"artifact_location"`
	}
	return out.Location, c.bring(ctx, "logged-models", map[string]any{"model": m, "metrics": metrics}, &out)
}

// ImportRegisteredModel brings a registered model, and returns what became of it.
func (c *Client) ImportRegisteredModel(ctx context.Context, key string, m model.Registered, versions []model.Version) (model.Brought, error) {
	var out model.Brought
	return out, c.bring(ctx, "registered-models", map[string]any{"key": key, "model": m, "versions": versions}, &out)
}

// filesPath is where the server takes and gives the files of tracked runs, as MLflow's clients know it.
const filesPath = "/api/2.0/mlflow-artifacts/artifacts"

// PutFile stores the content of a tracked file below a path such as 0/RUN/artifacts/model.pkl.
func (c *Client) PutFile(ctx context.Context, path string, content io.Reader) error {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	resp, err := c.files(ctx, http.MethodPut, "/"+strings.Join(parts, "/"), content)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Files lists a directory of tracked files: sizes by name, -1 for a directory.
func (c *Client) Files(ctx context.Context, dir string) (map[string]int64, error) {
	resp, err := c.files(ctx, http.MethodGet, "?path="+url.QueryEscape(dir), nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Files []struct {
			Path string `json:"path"`
			Dir  bool   `json:"is_dir"`
			Size int64  `json:"file_size"`
		} `json:"files"`
	}
	if err := decode(resp.Body, &answer); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	out := map[string]int64{}
	for _, f := range answer.Files {
		if out[f.Path] = f.Size; f.Dir {
			out[f.Path] = -1
		}
	}
	return out, nil
}

func (c *Client) files(ctx context.Context, method, path string, content io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+filesPath+path, content)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, req)
}
