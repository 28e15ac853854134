package mlflow

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	otlp  = "/v1/traces"
	third = "/api/3.0/mlflow/traces"
)

// export sends spans to the default experiment.
func (a attacker) export(contentType string, body []byte, headers ...string) (int, string) {
	a.t.Helper()
	status, _, text := a.send("POST", otlp, contentType, body, append(headers, "X-Mlflow-Experiment-Id", "0")...)
	return status, text
}

func (a attacker) exportJSON(body any) (int, string) {
	a.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.export("application/json", data)
}

func zipped(t *testing.T, size int64) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.CopyN(w, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestSpansThatAreMadeToHurtAreRefused(t *testing.T) {
	a := newAttacker(t)
	one, span := strings.Repeat("1", 32), strings.Repeat("2", 16)
	bomb := zipped(t, 1<<30)
	if status, text := a.export("application/x-protobuf", bomb, "Content-Encoding", "gzip"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a gibibyte in %d bytes: %d %.200s; want it refused as too large", len(bomb), status, text)
	}
	if status, text := a.export("application/x-protobuf", make([]byte, 65<<20)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("65 MiB: %d %.200s; want it refused as too large", status, text)
	}
	// A value inside a value inside a value: AnyValue{array_value: ArrayValue{values: [...]}}.
	nested := []byte{}
	for range 5000 {
		nested = wrap(5, wrap(1, nested))
	}
	deep := wrap(1, wrap(2, wrap(2, append(wrap(9, append(wrap(1, []byte("k")), wrap(2, nested)...)), wrap(5, []byte("s"))...))))
	status, text := a.export("application/x-protobuf", deep)
	a.refused("5,000 lists inside each other", status, text)
	status, text = a.export("application/json", []byte(strings.Repeat(`{"resourceSpans":[`, 200_000)))
	a.refused("200,000 brackets", status, text)
	status, text = a.export("application/json", []byte(`{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":`+
		strings.Repeat(`{"arrayValue":{"values":[`, 3000)+strings.Repeat("]}}", 3000)+`}]}}]}`))
	a.refused("3,000 lists inside each other in JSON", status, text)
	for what, body := range map[string]any{
		"an id of a trace that is too long":  exported(one+"11", span),
		"an id of a trace that is too short": exported("11", span),
		"an id of a span that is too long":   exported(one, span+"22"),
		"an id that is no number":            exported("../../../../../../../../../../etc/passwd", span),
		"no list":                            fields{"resourceSpans": "x"},
		"a number for a list":                fields{"resourceSpans": 1},
	} {
		status, text := a.exportJSON(body)
		a.refused(what, status, text)
	}
	for _, id := range []string{"a", "-1", "0x", "1e400", "../0", strings.Repeat("9", 5000)} {
		body, err := json.Marshal(exported(one, span))
		if err != nil {
			t.Fatal(err)
		}
		status, _, text := a.send("POST", otlp, "application/json", body, "X-Mlflow-Experiment-Id", id)
		a.refused("experiment "+id, status, text)
	}
	if status, _, text := a.send("GET", third+"/tr-"+one, "", nil); status != 404 {
		t.Errorf("a trace that was refused: %d %s; want that there is none", status, text)
	}
}

// wrap is a field of a protobuf message that holds bytes.
func wrap(field int, value []byte) []byte {
	out := []byte{byte(field<<3 | 2)}
	n := len(value)
	for ; n > 127; n >>= 7 {
		out = append(out, byte(n&127|128))
	}
	return append(append(out, byte(n)), value...)
}

// What is too large alone is left out and said to be, in OpenTelemetry's words; the rest is stored.
func TestASpanThatIsTooLargeIsLeftOutAndTheRestIsKept(t *testing.T) {
	a := newAttacker(t)
	id := strings.Repeat("3", 32)
	large := exported(id, strings.Repeat("4", 16), fields{"key": "k", "value": fields{"stringValue": strings.Repeat("x", 17<<20)}})
	small := exported(id, strings.Repeat("5", 16), fields{"key": "k", "value": fields{"stringValue": strings.Repeat("y", 5<<20)}})
	both := fields{"resourceSpans": append(large["resourceSpans"].([]fields), small["resourceSpans"].([]fields)...)}
	status, text := a.exportJSON(both)
	var answer struct {
		Partial struct {
			Rejected string `json:"rejectedSpans"`
			Message  string `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || answer.Partial.Rejected != "1" || !strings.Contains(answer.Partial.Message, "at most 16777216") {
		t.Errorf("%d %.300s %v; want one span rejected, with the reason", status, text, err)
	}
	_, _, text = a.send("GET", third+"/get?trace_id=tr-"+id, "", nil)
	if strings.Count(text, `"span_id"`) != 1 || !strings.Contains(text, strings.Repeat("y", 5<<20)) {
		t.Errorf("%d bytes that hold %d spans; want the smaller one, whole", len(text), strings.Count(text, `"span_id"`))
	}
}

func TestNoNameOfATraceOrAnAttachmentLeadsOut(t *testing.T) {
	a := newAttacker(t)
	start := func(id string) (int, string) {
		body, err := json.Marshal(fields{"trace": fields{"trace_info": fields{"trace_id": id, "trace_location": fields{"mlflow_experiment": fields{"experiment_id": "0"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		status, _, text := a.send("POST", third, "application/json", body)
		return status, text
	}
	for _, id := range []string{"", ".", "..", "../x", "a/../../x", "/etc", "a/b", "a\\b", "%2e%2e", "a\x00b", "a\nb", "é", strings.Repeat("x", 251)} {
		status, text := start(id)
		a.refused(fmt.Sprintf("trace %q", id), status, text)
	}
	if status, text := start("good"); status != 200 {
		t.Fatal(status, text)
	}
	for _, way := range a.ways() {
		status, _, text := a.send("GET", "/ajax-api/2.0/mlflow/get-trace-artifact?request_id=good&path="+strings.ReplaceAll(way, "#", "%23"), "", nil)
		a.refused("attachment "+way, status, text)
		status, _, text = a.send("GET", "/ajax-api/2.0/mlflow/get-trace-artifact?request_id="+strings.ReplaceAll(way, "#", "%23"), "", nil)
		a.refused("trace "+way, status, text)
	}
	// Files beside a trace stay when it is deleted, whatever its tags say.
	other := files + "0/other/artifacts/x.txt"
	if status, _, text := a.send("PUT", other, "", []byte("kept")); status != 200 {
		t.Fatal(status, text)
	}
	if status, _, text := a.send("PUT", files+"0/traces/good/artifacts/attachments/a", "", []byte("gone")); status != 200 {
		t.Fatal(status, text)
	}
	tag, err := json.Marshal(fields{"key": "mlflow.artifactLocation", "value": "mlflow-artifacts:/0/other/artifacts"})
	if err != nil {
		t.Fatal(err)
	}
	status, _, text := a.send("PATCH", third+"/good/tags", "application/json", tag)
	a.refused("another place of a trace", status, text)
	if status, text := a.post("/traces/delete-traces", fields{"experiment_id": "0", "request_ids": []string{"good"}}); status != 200 || !strings.Contains(text, "1") {
		t.Errorf("delete: %d %s", status, text)
	}
	if status, _, _ := a.send("GET", other, "", nil); status != 200 {
		t.Errorf("a file beside the trace: %d; want it kept", status)
	}
	if status, _, _ := a.send("GET", files+"0/traces/good/artifacts/attachments/a", "", nil); status != 404 {
		t.Errorf("an attachment of a deleted trace: %d; want it gone", status)
	}
}

func TestFiltersThatAreMadeToHurtAreRefused(t *testing.T) {
	a := newAttacker(t)
	for what, filter := range map[string]string{
		"too long":                  strings.Repeat("status = 'OK' AND ", 100_000),
		"too deep":                  strings.Repeat("(", 5000) + "status = 'OK'" + strings.Repeat(")", 5000),
		"no regular expression":     "tags.x RLIKE '(((('",
		"a vast regular expression": "tags.x RLIKE '" + strings.Repeat("(a{1000}){1000}", 10) + "'",
		"SQL":                       "status = 'OK'; DROP TABLE traces",
	} {
		body, err := json.Marshal(fields{"locations": []fields{{"mlflow_experiment": fields{"experiment_id": "0"}}}, "filter": filter})
		if err != nil {
			t.Fatal(err)
		}
		status, _, text := a.send("POST", third+"/search", "application/json", body)
		a.refused("a filter that is "+what, status, text)
	}
	body := []byte(`{}`)
	if status, _, text := a.send("POST", otlp, "application/json", body, "Origin", "http://evil.example", "X-Mlflow-Experiment-Id", "0"); status != 403 {
		t.Errorf("spans from a page of others: %d %s; want 403", status, text)
	}
}
