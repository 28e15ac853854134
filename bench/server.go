package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// How long to wait before giving up, and how often to look.
const (
	startWithin = time.Minute
	stopWithin  = 30 * time.Second
	runWithin   = 5 * time.Minute
	look        = 2 * time.Millisecond
)

// server is a running `levada up` on a folder of its own.
type server struct {
	url     string
	folder  string
	process *exec.Cmd
	ended   chan struct{}
	// startup is the time from the start of the process to its first healthy answer.
	startup time.Duration
}

func startServer(ctx context.Context, binary, mode string) (*server, error) {
	warm, ok := map[string]string{"warm": "true", "exec": "false"}[mode]
	if !ok {
		return nil, fmt.Errorf("unknown mode %q, want warm or exec", mode)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "levada-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{url: "http://" + address, folder: folder, ended: make(chan struct{})}
	log, err := os.Create(s.logFile())
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	defer log.Close()
	s.process = exec.Command(binary, "up", "--data", filepath.Join(folder, "data"), "--listen", address)
	s.process.Env = append(os.Environ(), "LEVADA_WARM_PYTHON="+warm)
	s.process.Stdout, s.process.Stderr = log, log
	began := time.Now()
	if err := s.process.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	go func() {
		defer close(s.ended)
		_ = s.process.Wait() // what it says is in ProcessState too
	}()
	if err := s.waitUntilHealthy(ctx); err != nil {
		err = fmt.Errorf("%w; the server said:\n%s", err, s.logTail())
		s.stop()
		return nil, err
	}
	s.startup = time.Since(began)
	return s, nil
}

func (s *server) waitUntilHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		if err := s.call(ctx, http.MethodGet, "/healthz", "", nil, nil); err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended before it was healthy (%s)", s.process.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("wait for the server to be healthy: %w", ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// stop ends the server and removes its data.
func (s *server) stop() {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		fmt.Fprintln(os.Stderr, "bench: stop the server:", err)
	}
	select {
	case <-s.ended:
	case <-time.After(stopWithin):
		fmt.Fprintln(os.Stderr, "bench: the server did not stop, killing it")
		if err := s.process.Process.Kill(); err == nil {
			<-s.ended
		}
	}
	if err := os.RemoveAll(s.folder); err != nil {
		fmt.Fprintln(os.Stderr, "bench: remove the server's data:", err)
	}
}

func (s *server) logFile() string { return filepath.Join(s.folder, "server.log") }

func (s *server) logTail() string {
	const most = 4 << 10
	log, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-most):])
}

func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// upload stores a compiled pipeline through the KFP API and returns its id.
func (s *server) upload(ctx context.Context, name string, spec []byte) (string, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("uploadfile", name+".yaml")
	if err != nil {
		return "", err
	}
	if _, err := part.Write(spec); err != nil {
		return "", err
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	var pipeline struct {
		ID string `json:"pipeline_id"`
	}
	path := "/apis/v2beta1/pipelines/upload?name=" + url.QueryEscape(name)
	err = s.call(ctx, http.MethodPost, path, form.FormDataContentType(), body.Bytes(), &pipeline)
	return pipeline.ID, err
}

// time starts a run and returns how long a client waits from the request to the news that it has succeeded.
func (s *server) time(ctx context.Context, pipeline string, parameters map[string]any) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, runWithin)
	defer cancel()
	request, err := json.Marshal(map[string]any{
		"display_name":               "bench",
		"pipeline_version_reference": map[string]string{"pipeline_id": pipeline},
		"runtime_config":             map[string]any{"parameters": parameters},
	})
	if err != nil {
		return 0, err
	}
	var run struct {
		ID    string          `json:"run_id"`
		State string          `json:"state"`
		Error json.RawMessage `json:"error"`
	}
	began := time.Now()
	if err := s.call(ctx, http.MethodPost, "/apis/v2beta1/runs", "application/json", request, &run); err != nil {
		return 0, err
	}
	for {
		if err := s.call(ctx, http.MethodGet, "/api/v1/runs/"+run.ID, "", nil, &run); err != nil {
			return 0, err
		}
		switch run.State {
		case "SUCCEEDED":
			return time.Since(began), nil
		case "FAILED", "CANCELED", "SKIPPED":
			return 0, fmt.Errorf("run %s ended as %s; the server said:\n%s", run.ID, run.State, s.logTail())
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for run %s: %w", run.ID, ctx.Err())
		case <-time.After(look):
		}
	}
}

// call makes one request and decodes the JSON answer into out, unless that is nil.
func (s *server) call(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
