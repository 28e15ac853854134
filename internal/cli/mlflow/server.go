package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// maxAnswer bounds what is read of one answer that is not a file.
const maxAnswer = 512 << 20

// server asks a running MLflow server through its REST API.
type server struct {
	base    string
	options Options
	http    *http.Client
	report  *Report
	// experiments are the ids of the experiments that were read.
	experiments []string
	// unpaged is set when the server cannot give the history of a metric in pages.
	unpaged atomic.Bool
	// models says whether there may be logged models, which came with MLflow 3.
	models bool
}

var errElsewhere = errors.New("the server sends its clients elsewhere: give the URL at which it answers itself")

func openServer(ctx context.Context, where string, o Options) (Source, error) {
	u, err := url.Parse(where)
	if err != nil || u.Host == "" {
		return nil, fault.Invalidf("the URL of the MLflow server cannot be read: want http://HOST:PORT")
	}
	if u.User != nil {
		o.User = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 5 * time.Minute
	if h := u.Hostname(); h == "localhost" || h == "::1" || strings.HasPrefix(h, "127.") {
		t.Proxy = nil
	}
	s := &server{base: strings.TrimSuffix(u.String(), "/"), options: o, report: o.Report, http: &http.Client{Transport: t,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			// Over another scheme a password could go in clear.
			if r.URL.Scheme != via[0].URL.Scheme || r.URL.Host != via[0].URL.Host || len(via) > 3 {
				return errElsewhere
			}
			return nil
		}}}
	var answer struct {
		Experiments []experimentWire `json:"experiments"`
	}
	if err := s.call(ctx, http.MethodPost, "/api/2.0/mlflow/experiments/search", map[string]any{"max_results": 1}, &answer); err != nil {
		return nil, fmt.Errorf("no MLflow server can be read at %s: %w", s.base, err)
	}
	version := ""
	if resp, err := s.ask(ctx, http.MethodGet, "/version", nil); err == nil {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 64)) // without it the newest is assumed
		version = string(b)
		resp.Body.Close()
	}
	s.models = !strings.HasPrefix(version, "2.") && !strings.HasPrefix(version, "1.")
	return s, nil
}

func (s *server) Name() string { return s.base }

func (s *server) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// statusError is an answer that is no success.
type statusError struct {
	status        int
	code, message string
}

func (e *statusError) Error() string {
	switch {
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		return fmt.Sprintf("it refuses access (%d): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN", e.status)
	case e.message != "":
		return fmt.Sprintf("it answered %d %s: %s", e.status, e.code, fault.Shorten(e.message, 300))
	}
	return fmt.Sprintf("it answered %d", e.status)
}

// call sends a request, again where that may help, and reads the answer.
func (s *server) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	resp, err := s.ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("it answered %s with what is not the JSON it should be: %w", path, err)
	}
	return nil
}

// ask returns an answer with status 200; the caller closes its body. What fails for a while is tried again.
func (s *server) ask(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	var last error
	for try := range 5 {
		if try > 0 {
			select {
			case <-time.After(time.Duration(1<<try) * 250 * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		req, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		switch {
		case s.options.Token != "":
			req.Header.Set("Authorization", "Bearer "+s.options.Token)
		case s.options.User != "":
			req.SetBasicAuth(s.options.User, s.options.Password)
		}
		resp, err := s.http.Do(req)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if errors.Is(err, errElsewhere) {
				return nil, errElsewhere
			}
			var u *url.Error
			if errors.As(err, &u) {
				err = u.Err
			}
			last = err
			continue
		}
		if resp.StatusCode == http.StatusOK {
			return resp, nil
		}
		failed := failure(resp)
		last = failed
		if failed.status != http.StatusTooManyRequests && failed.status < 502 {
			break
		}
	}
	return nil, last
}

func failure(resp *http.Response) *statusError {
	defer resp.Body.Close()
	var wire struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what could be read is better than nothing
	_ = json.Unmarshal(b, &wire)                         // else the status says it all
	return &statusError{resp.StatusCode, wire.Code, wire.Message}
}

// float is a number as protobuf's JSON writes it.
type float float64

// UnmarshalJSON reads a number, or "NaN" and "Infinity" as text.
func (f *float) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%q is no number", fault.Shorten(text, 40))
	}
	*f = float(v)
	return nil
}

// whole is an integer, which some servers write as text.
type whole int64

// UnmarshalJSON reads an integer with or without quotes.
func (w *whole) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "null" || text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(text, 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return fmt.Errorf("%q is no integer", fault.Shorten(text, 40))
		}
		n = int64(f)
	}
	*w = whole(n)
	return nil
}

type metricWire struct {
	Key     string `json:"key"`
	Value   float  `json:"value"`
	Time    whole  `json:"timestamp"`
	Step    whole  `json:"step"`
	Run     string `json:"run_id"`
	Dataset string `json:"dataset_name"`
	Digest  string `json:"dataset_digest"`
}

func (m metricWire) point() track.Point {
	return track.Point{Time: int64(m.Time), Step: int64(m.Step), Value: float64(m.Value)}
}

type experimentWire struct {
	ID       string     `json:"experiment_id"`
	Name     string     `json:"name"`
	Location string     `json:"artifact_location"`
	Stage    string     `json:"lifecycle_stage"`
	Created  whole      `json:"creation_time"`
	Updated  whole      `json:"last_update_time"`
	Tags     []track.KV `json:"tags"`
}

// Experiments asks for all experiments.
func (s *server) Experiments(ctx context.Context) ([]track.Experiment, error) {
	var out []track.Experiment
	s.experiments = nil
	for token := ""; ; {
		var answer struct {
			Experiments []experimentWire `json:"experiments"`
			Token       string           `json:"next_page_token"`
		}
		err := s.call(ctx, http.MethodPost, "/api/2.0/mlflow/experiments/search",
			map[string]any{"max_results": 1000, "view_type": "ALL", "page_token": token, "order_by": []string{"experiment_id"}}, &answer)
		if err != nil {
			return nil, fmt.Errorf("read the experiments: %w", err)
		}
		for _, e := range answer.Experiments {
			s.experiments = append(s.experiments, e.ID)
			out = append(out, track.Experiment{ID: e.ID, Name: e.Name, ArtifactLocation: e.Location, Deleted: e.Stage == "deleted",
				CreatedAt: time.UnixMilli(int64(e.Created)).UTC(), UpdatedAt: time.UnixMilli(int64(e.Updated)).UTC(), Tags: e.Tags})
		}
		if token = answer.Token; token == "" {
			return out, nil
		}
	}
}

type runWire struct {
	Info struct {
		ID         string `json:"run_id"`
		OldID      string `json:"run_uuid"`
		Experiment string `json:"experiment_id"`
		Name       string `json:"run_name"`
		User       string `json:"user_id"`
		Status     string `json:"status"`
		Start      whole  `json:"start_time"`
		End        *whole `json:"end_time"`
		URI        string `json:"artifact_uri"`
		Stage      string `json:"lifecycle_stage"`
	} `json:"info"`
	Data struct {
		Metrics []metricWire `json:"metrics"`
		Params  []track.KV   `json:"params"`
		Tags    []track.KV   `json:"tags"`
	} `json:"data"`
	Inputs struct {
		Datasets []track.DatasetInput `json:"dataset_inputs"`
		Models   []track.ModelOutput  `json:"model_inputs"`
	} `json:"inputs"`
	Outputs struct {
		Models []track.ModelOutput `json:"model_outputs"`
	} `json:"outputs"`
}

func (w *runWire) run() Run {
	r := Run{Run: track.Run{ID: w.Info.ID, ExperimentID: w.Info.Experiment, Name: w.Info.Name, UserID: w.Info.User, Status: track.Status(w.Info.Status),
		StartMS: int64(w.Info.Start), EndMS: (*int64)(w.Info.End), Deleted: w.Info.Stage == "deleted", ArtifactURI: w.Info.URI, Params: w.Data.Params,
		Tags: w.Data.Tags, Datasets: w.Inputs.Datasets, Outputs: w.Outputs.Models}}
	if r.ID == "" {
		r.ID = w.Info.OldID
	}
	for _, m := range w.Inputs.Models {
		r.ModelInputs = append(r.ModelInputs, m.ModelID)
	}
	for _, m := range w.Data.Metrics {
		r.keys = append(r.keys, m.Key)
		r.State = append(r.State, fmt.Sprint(m.Key, m.Value, m.Time, m.Step))
	}
	return r
}

// Runs asks for the runs of each experiment, a batch at a time.
func (s *server) Runs(ctx context.Context, some func([]Run) error) error {
	for _, id := range s.experiments {
		for token := ""; ; {
			var answer struct {
				Runs  []runWire `json:"runs"`
				Token string    `json:"next_page_token"`
			}
			// The order does not change while a run goes on.
			err := s.call(ctx, http.MethodPost, "/api/2.0/mlflow/runs/search", map[string]any{"experiment_ids": []string{id}, "run_view_type": "ALL",
				"max_results": batch, "page_token": token, "order_by": []string{"attributes.start_time ASC"}}, &answer)
			if err != nil {
				return fmt.Errorf("read the runs of experiment %s: %w", id, err)
			}
			runs := make([]Run, len(answer.Runs))
			for i := range answer.Runs {
				runs[i] = answer.Runs[i].run()
			}
			if len(runs) > 0 {
				if err := s.withModels(ctx, runs); err != nil {
					return err
				}
				if err := some(runs); err != nil {
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

// withModels asks for the logged models that runs read and made, which a search leaves out.
func (s *server) withModels(ctx context.Context, runs []Run) error {
	if !s.models {
		return nil
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range runs {
		group.Go(func() error {
			var answer struct {
				Run runWire `json:"run"`
			}
			err := s.call(gctx, http.MethodGet, "/api/2.0/mlflow/runs/get?run_id="+url.QueryEscape(runs[i].ID), nil, &answer)
			var status *statusError
			if errors.As(err, &status) {
				s.report.fail("inputs and outputs", status.Error(), runs[i].ID)
				return nil
			}
			if err != nil {
				return fmt.Errorf("read run %s: %w", runs[i].ID, err)
			}
			whole := answer.Run.run()
			runs[i].ModelInputs, runs[i].Outputs = whole.ModelInputs, whole.Outputs
			return nil
		})
	}
	return group.Wait()
}

// Points asks for the history of each metric, in pages where the server has them.
func (s *server) Points(ctx context.Context, r Run, some func(string, []track.Point) error) error {
	for _, key := range r.keys {
		for token := ""; ; {
			q := url.Values{"run_id": {r.ID}, "metric_key": {key}}
			if !s.unpaged.Load() {
				q.Set("max_results", strconv.Itoa(chunk))
			}
			if token != "" {
				q.Set("page_token", token)
			}
			var answer struct {
				Metrics []metricWire `json:"metrics"`
				Token   string       `json:"next_page_token"`
			}
			err := s.call(ctx, http.MethodGet, "/api/2.0/mlflow/metrics/get-history?"+q.Encode(), nil, &answer)
			var status *statusError
			if errors.As(err, &status) && !s.unpaged.Load() && token == "" && strings.Contains(strings.ToLower(status.message), "paginat") {
				s.unpaged.Store(true) // a server on a directory of files
				continue
			}
			if err != nil {
				return fmt.Errorf("read metric %q: %w", fault.Shorten(key, 60), err)
			}
			pts := make([]track.Point, len(answer.Metrics))
			for i, m := range answer.Metrics {
				pts[i] = m.point()
			}
			if len(pts) > 0 {
				if err := some(key, pts); err != nil {
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
