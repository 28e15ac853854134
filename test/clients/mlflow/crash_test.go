package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"levada/test/levadatest"
)

// post sends a call and reports whether it was acknowledged.
func post(ctx context.Context, base, path string, body any) ([]byte, bool) {
	return postTo(ctx, base+api+path, body)
}

// postTo is post to a whole URL, with headers as names and values.
func postTo(ctx context.Context, url string, body any, headers ...string) ([]byte, bool) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return nil, false
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return text, err == nil && resp.StatusCode == http.StatusOK
}

func TestNothingThatWasAcknowledgedIsLostByAKill(t *testing.T) {
	data := t.TempDir()
	server := levadatest.StartOn(t, data)
	text, ok := post(t.Context(), server.URL, "/runs/create", fields{"experiment_id": "0", "start_time": 1})
	var created struct {
		Run struct {
			Info struct {
				RunID string `json:"run_id"`
			}
		}
	}
	if err := json.Unmarshal(text, &created); err != nil || !ok {
		t.Fatal(string(text), err)
	}
	id := created.Run.Info.RunID
	var mu sync.Mutex
	acknowledged := map[string]int{} // points by metric; each client has a metric and a parameter a step of its own
	enough := make(chan struct{})
	var once sync.Once
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			key := fmt.Sprint("m", c)
			for step := 0; ; step++ {
				_, ok := post(t.Context(), server.URL, "/runs/log-batch", fields{"run_id": id,
					"metrics": []fields{{"key": key, "value": step, "timestamp": step, "step": step}}, "params": []fields{{"key": fmt.Sprint(key, "-", step), "value": "x"}}})
				if !ok {
					return // the server is dead
				}
				mu.Lock()
				acknowledged[key] = step + 1
				total := 0
				for _, n := range acknowledged {
					total += n
				}
				mu.Unlock()
				if total > 500 {
					once.Do(func() { close(enough) })
				}
			}
		})
	}
	<-enough
	server.Kill()
	clients.Wait()
	server = levadatest.StartOn(t, data)
	resp, err := server.Get(t.Context(), api+"/runs/get?run_id="+id)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Run tracked }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	params := map[string]bool{}
	for _, p := range got.Run.Data.Params {
		params[p.Key] = true
	}
	for key, n := range acknowledged {
		for step := range n {
			if !params[fmt.Sprint(key, "-", step)] {
				t.Errorf("parameter %s-%d was acknowledged and is gone", key, step)
			}
		}
		history, err := server.Get(t.Context(), api+"/metrics/get-history?run_id="+id+"&metric_key="+url.QueryEscape(key))
		if err != nil {
			t.Fatal(err)
		}
		var points struct{ Metrics []struct{ Step int } }
		err = json.NewDecoder(history.Body).Decode(&points)
		history.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		// One more than was acknowledged may be there: its answer was on the way.
		if len(points.Metrics) < n || len(points.Metrics) > n+1 {
			t.Errorf("metric %s: %d points were acknowledged and %d are there", key, n, len(points.Metrics))
		}
	}
}

// exported is one span of a trace as OpenTelemetry's JSON.
func exported(trace, span string, attributes ...fields) fields {
	return fields{"resourceSpans": []fields{{"scopeSpans": []fields{{"spans": []fields{{"traceId": trace, "spanId": span, "name": "s",
		"startTimeUnixNano": "1000000000", "endTimeUnixNano": "2000000000", "attributes": attributes}}}}}}}
}

func TestNoSpanThatWasAcknowledgedIsLostByAKill(t *testing.T) {
	data := t.TempDir()
	server := levadatest.StartOn(t, data)
	const clients = 8
	var acknowledged [clients]int // spans by trace: each client has one, and a span a request
	enough := make(chan struct{})
	var once sync.Once
	var running sync.WaitGroup
	id := func(c int) string { return fmt.Sprintf("%032x", c+1) }
	for c := range clients {
		running.Go(func() {
			for n := 1; ; n++ {
				if _, ok := postTo(t.Context(), server.URL+"/v1/traces", exported(id(c), fmt.Sprintf("%016x", n)), "X-Mlflow-Experiment-Id", "0"); !ok {
					return // the server is dead
				}
				if acknowledged[c] = n; n == 60 {
					once.Do(func() { close(enough) })
				}
			}
		})
	}
	<-enough
	server.Kill()
	running.Wait()
	server = levadatest.StartOn(t, data)
	for c, n := range acknowledged {
		resp, err := server.Get(t.Context(), "/api/3.0/mlflow/traces/get?trace_id=tr-"+id(c))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Trace struct{ Spans []struct{ Name string } }
		}
		err = json.NewDecoder(resp.Body).Decode(&got)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		// One more than was acknowledged may be there: its answer was on the way.
		if have := len(got.Trace.Spans); have < n || have > n+1 {
			t.Errorf("trace %d: %d spans were acknowledged and %d are there", c, n, have)
		}
	}
}
