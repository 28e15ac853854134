package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"levada/internal/core/quality"
	"levada/internal/core/reqlog"
)

// RequestQuery says which logged requests are wanted.
type RequestQuery struct {
	Since, Until  time.Time
	Version, Role string
	// Status is how the requests ended; empty for all.
	Status string
	// Format is jsonl or parquet; Truth empty, join or only.
	Format, Truth string
	// Columns is empty, or model for inputs and outputs under the names of the model.
	Columns string
	// Limit is the most rows, the newest; 0 is all.
	Limit int
}

// Requests opens a stream of logged requests, which the caller closes.
func (c *Client) Requests(ctx context.Context, endpoint string, q RequestQuery) (io.ReadCloser, error) {
	v := url.Values{"format": {q.Format}}
	for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			v.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	for name, text := range map[string]string{"version": q.Version, "role": q.Role, "status": q.Status, "truth": q.Truth, "columns": q.Columns} {
		if text != "" {
			v.Set(name, text)
		}
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	resp, err := c.do(ctx, http.MethodGet, endpointPath(endpoint)+"/requests", v, nil, "*/*")
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// RequestLog returns what is known of the log of an endpoint.
func (c *Client) RequestLog(ctx context.Context, endpoint string) (reqlog.Figures, error) {
	var out reqlog.Figures
	return out, c.call(ctx, http.MethodGet, endpointPath(endpoint)+"/requests/log", nil, nil, &out)
}

// PutTruth hands in what became of requests. The content is of a media type.
func (c *Client) PutTruth(ctx context.Context, endpoint, media string, content io.Reader) (out reqlog.Taken, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+prefix+endpointPath(endpoint)+"/truth", content)
	if err != nil {
		return out, err
	}
	req.Header.Set("Content-Type", media)
	resp, err := c.send(ctx, req)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	return out, decode(resp.Body, &out)
}

// Quality is how good the predictions of an endpoint were.
type Quality struct {
	Task     quality.Task      `json:"task"`
	Since    time.Time         `json:"since"`
	Until    time.Time         `json:"until"`
	Windows  []QualityWindow   `json:"windows"`
	Coverage []reqlog.Coverage `json:"coverage"`
	Truths   int64             `json:"truths"`
	Waiting  int64             `json:"waiting"`
	// Confidence is that of the intervals.
	Confidence float64 `json:"confidence"`
}

// QualityWindow is the quality of a version over a time.
type QualityWindow struct {
	From    time.Time        `json:"from"`
	To      time.Time        `json:"to"`
	Version string           `json:"version"`
	Role    reqlog.Role      `json:"role"`
	N       int              `json:"n"`
	Metrics []quality.Metric `json:"metrics"`
}

// Quality returns how good the predictions of an endpoint were.
func (c *Client) Quality(ctx context.Context, endpoint string, since, until time.Time, window time.Duration) (Quality, error) {
	v := url.Values{}
	if !since.IsZero() {
		v.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	if !until.IsZero() {
		v.Set("until", until.UTC().Format(time.RFC3339Nano))
	}
	if window > 0 {
		v.Set("window", window.String())
	}
	var out Quality
	return out, c.call(ctx, http.MethodGet, endpointPath(endpoint)+"/quality", v, nil, &out)
}
