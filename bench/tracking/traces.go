package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// spansPerTrace is how many spans an application makes for one request, in these loads.
const spansPerTrace = 20

const words = "the model was asked for a summary of the report and found three passages that speak about the price of copper in the last year "

// field appends a field of a protobuf message that holds bytes; the benchmark needs no more of that encoding than this.
func field(out []byte, number int, value []byte) []byte {
	out = binary.AppendUvarint(out, uint64(number)<<3|2) //nolint:gosec // a small number
	return append(binary.AppendUvarint(out, uint64(len(value))), value...)
}

// attribute appends a KeyValue with a text.
func attribute(out []byte, number int, key, value string) []byte {
	return field(out, number, field(field(nil, 1, []byte(key)), 2, field(nil, 1, []byte(value))))
}

// newTrace is what an application sends of one request: a root, and below it calls of models and tools with a kilobyte of text each.
// Source of the numbers of the fields: opentelemetry/proto/trace/v1/trace.proto.
func newTrace() (id [16]byte, body []byte) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	now := uint64(time.Now().UnixNano()) //nolint:gosec // this century
	var scope []byte
	for i := range spansPerTrace {
		from := rand.IntN(len(words))
		span := field(field(nil, 1, id[:]), 2, binary.BigEndian.AppendUint64(nil, uint64(i)+1))
		if i > 0 {
			span = field(span, 4, binary.BigEndian.AppendUint64(nil, 1))
		}
		span = field(span, 5, fmt.Append(nil, "step ", i))
		span = binary.LittleEndian.AppendUint64(append(span, 7<<3|1), now)
		span = binary.LittleEndian.AppendUint64(append(span, 8<<3|1), now+1e6)
		span = attribute(span, 9, "mlflow.spanType", []string{"LLM", "TOOL", "RETRIEVER"}[i%3])
		span = attribute(span, 9, "mlflow.spanInputs", fmt.Sprint(rand.Uint64(), words[from:]))
		span = attribute(span, 9, "mlflow.spanOutputs", strings.Repeat(words[from:]+words[:from], 4)+fmt.Sprint(rand.Uint64()))
		span = field(span, 15, []byte{3<<3 | 0, 1})
		scope = field(scope, 2, span)
	}
	return id, field(nil, 1, field(nil, 2, scope))
}

// sendTrace exports one trace and returns its id.
func (s *server) sendTrace(ctx context.Context, experiment string) (string, error) {
	id, body := newTrace()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("X-Mlflow-Experiment-Id", experiment)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("export: %s: %.300s", resp.Status, text)
	}
	return fmt.Sprintf("tr-%x", id), err
}

// searchedTraces is how many traces searches look through.
const searchedTraces = 500

// traceLoads sends traces, and finds others that are put into the experiment before.
func (s *server) traceLoads(ctx context.Context, experiment string) ([]load, error) {
	const third = "/api/3.0/mlflow/traces"
	known := make([]string, searchedTraces)
	err := parallel(4, searchedTraces, func(i int) (err error) {
		known[i], err = s.sendTrace(ctx, experiment)
		return err
	})
	if err != nil {
		return nil, err
	}
	search := func(filter string) func(context.Context, string, int) error {
		return func(ctx context.Context, _ string, _ int) error {
			_, err := s.call(ctx, "POST", third+"/search", fields{"locations": []fields{{"type": "MLFLOW_EXPERIMENT",
				"mlflow_experiment": fields{"experiment_id": experiment}}}, "filter": filter, "max_results": 100})
			return err
		}
	}
	return []load{
		{"trace of 20 spans", others, func(ctx context.Context, _ string, _ int) error {
			_, err := s.sendTrace(ctx, "0")
			return err
		}},
		{"get a trace of 20 spans", others, func(ctx context.Context, _ string, i int) error {
			_, err := s.call(ctx, "GET", third+"/get?trace_id="+known[i%len(known)], nil)
			return err
		}},
		{"search traces, newest 100", others, search("")},
		{"search traces, none matches", others, search("tags.none = 'x'")},
		{"search traces, text in spans", others, search("trace.text LIKE '%no such text%'")},
		{"search traces, name of a span", others, search("span.name = 'no such name'")},
	}, nil
}
