package levadatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Version names an uploaded pipeline as the KFP API does.
type Version struct {
	PipelineID string `json:"pipeline_id"`
	VersionID  string `json:"pipeline_version_id"`
}

// Upload sends a file to the KFP API as a new pipeline.
func (s *Server) Upload(ctx context.Context, name, file string) (Version, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return Version{}, err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("uploadfile", filepath.Base(file))
	if err != nil {
		return Version{}, err
	}
	if _, err := part.Write(content); err != nil {
		return Version{}, err
	}
	if err := form.Close(); err != nil {
		return Version{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/apis/v2beta1/pipelines/upload?name="+url.QueryEscape(name), &body)
	if err != nil {
		return Version{}, err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	var p Version
	if err := do(req, &p); err != nil {
		return Version{}, err
	}
	var versions struct {
		List []Version `json:"pipeline_versions"`
	}
	if err := s.Call(ctx, http.MethodGet, "/apis/v2beta1/pipelines/"+p.PipelineID+"/versions", nil, &versions); err != nil {
		return Version{}, err
	}
	if len(versions.List) != 1 {
		return Version{}, fmt.Errorf("pipeline has %d versions after its upload, want 1", len(versions.List))
	}
	return versions.List[0], nil
}

// Run starts an uploaded pipeline through the KFP API and returns the id of the run.
func (s *Server) Run(ctx context.Context, name string, v Version, parameters map[string]any) (string, error) {
	var created struct {
		RunID string `json:"run_id"`
	}
	err := s.Call(ctx, http.MethodPost, "/apis/v2beta1/runs", map[string]any{
		"display_name":               name,
		"pipeline_version_reference": v,
		"runtime_config":             map[string]any{"parameters": parameters},
	}, &created)
	return created.RunID, err
}

// Wait asks the KFP API until a run is final, and returns its state and error. When ctx ends first, the state says so.
func (s *Server) Wait(ctx context.Context, runID string) (state, message string, err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var got struct {
			State string `json:"state"`
			Error struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		if err := s.Call(ctx, http.MethodGet, "/apis/v2beta1/runs/"+runID, nil, &got); err != nil {
			return "", "", err
		}
		if slices.Contains([]string{"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"}, got.State) {
			return got.State, got.Error.Message, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "stuck in " + got.State, "", nil
		}
	}
}

// Call sends in as JSON, where it is not nil, and reads the answer into out. An answer other than 200 is a *StatusError.
func (s *Server) Call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return do(req, out)
}

// StatusError is an answer other than 200.
type StatusError struct {
	Method, Path string
	Status       int
	Body         string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: %d: %s", e.Method, e.Path, e.Status, e.Body)
}

func do(req *http.Request, out any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &StatusError{req.Method, req.URL.Path, resp.StatusCode, string(b)}
	}
	return json.Unmarshal(b, out)
}
