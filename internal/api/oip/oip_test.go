package oip_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/api/oip"
	"levada/internal/api/predict/predicttest"
)

func newDoor(maxBody int64) http.Handler {
	return oip.New(oip.Options{Service: predicttest.New(), Logger: slog.New(slog.DiscardHandler), Version: "1.2.3", MaxBody: maxBody})
}

// ask sends a request and gives status and body; headers come as pairs.
func ask(t testing.TB, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	newDoor(1<<20).ServeHTTP(w, r)
	return w
}

func same(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b, a); d != "" {
		t.Errorf("%s\n%s", got, d)
	}
}

func TestTheServerAndItsModelsSayWhatTheyAre(t *testing.T) {
	for path, want := range map[string]string{
		"/v2":                             `{"name": "levada", "version": "1.2.3", "extensions": ["binary_tensor_data", "model_repository", "statistics"]}`,
		"/v2/health/live":                 `{"live": true}`,
		"/v2/health/ready":                `{"ready": true}`,
		"/v2/models/sum/ready":            `{"name": "sum", "ready": true}`,
		"/v2/models/sum/versions/3/ready": `{"name": "sum", "ready": true}`,
		"/v2/models":                      `{"models": ["broken", "busy", "dated", "down", "echo", "matrix", "slow", "sum", "table", "upper"]}`,
		"/v2/models/sum/versions/3": `{"name": "sum", "versions": ["3"], "platform": "mlflow_pyfunc",
			"inputs": [{"name": "a", "datatype": "FP64", "shape": [-1]}, {"name": "b", "datatype": "FP64", "shape": [-1]}],
			"outputs": [{"name": "output-0", "datatype": "FP64", "shape": [-1]}]}`,
		"/v2/models/matrix": `{"name": "matrix", "versions": ["3"], "platform": "mlflow_pyfunc",
			"inputs": [{"name": "input-0", "datatype": "FP32", "shape": [-1, 4]}], "outputs": [{"name": "output-0", "datatype": "FP32", "shape": [-1]}]}`,
	} {
		w := ask(t, http.MethodGet, path, "")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
			continue
		}
		same(t, w.Body.String(), want)
	}
	var index []struct{ Name, Version, State, Reason string }
	w := ask(t, http.MethodPost, "/v2/repository/index", "{}")
	if err := json.Unmarshal(w.Body.Bytes(), &index); err != nil || len(index) != 10 || index[3].State != "UNAVAILABLE" || index[7].State != "READY" || index[7].Version != "3" {
		t.Errorf("the index: %v, %v", index, err)
	}
}

func TestPredictionsOverJSON(t *testing.T) {
	tests := map[string]struct{ model, body, want string }{
		"columns, flat": {"sum", `{"id": "é1", "inputs": [{"name": "b", "shape": [2], "datatype": "FP64", "data": [1.5, -2e3]}, {"name": "a", "shape": [2, 1], "datatype": "FP32", "data": [1, 2.25]}]}`,
			`{"model_name": "sum", "model_version": "3", "id": "é1", "outputs": [{"name": "output-0", "datatype": "FP64", "shape": [2], "data": [2.5, -1997.75]}]}`},
		"data before its type, and a parameter": {"sum", `{"parameters": {"offset": 10}, "inputs": [{"data": [[1]], "datatype": "FP64", "shape": [1,1], "name": "a"}, {"name": "b", "shape": [1], "datatype": "INT32", "data": [1]}]}`,
			`{"model_name": "sum", "model_version": "3", "outputs": [{"name": "output-0", "datatype": "FP64", "shape": [1], "data": [12]}]}`},
		"nested": {"matrix", `{"inputs": [{"name": "x", "shape": [2, 4], "datatype": "FP32", "data": [[1, 2, 3, 4], [5, 6, 7, 8.5]]}]}`,
			`{"model_name": "matrix", "model_version": "3", "outputs": [{"name": "output-0", "datatype": "FP32", "shape": [2], "data": [10, 26.5]}]}`},
		"texts": {"upper", `{"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a\"\u0062", "ß\n"]}]}`,
			`{"model_name": "upper", "model_version": "3", "outputs": [{"name": "output-0", "datatype": "BYTES", "shape": [2], "data": ["A\"B", "ß\n"], "parameters": {"content_type": "str"}}]}`},
		"every type": {"echo", `{"inputs": [
			{"name": "a", "shape": [2], "datatype": "BOOL", "data": [true, 0]}, {"name": "b", "shape": [2], "datatype": "UINT64", "data": [18446744073709551615, 0]},
			{"name": "c", "shape": [2], "datatype": "INT64", "data": [-9223372036854775808, 9223372036854775807]}, {"name": "d", "shape": [2], "datatype": "INT8", "data": [-128, 127]},
			{"name": "e", "shape": [3], "datatype": "FP16", "data": [0.5, 65504, null]}, {"name": "f", "shape": [0], "datatype": "FP64", "data": []},
			{"name": "g", "shape": [], "datatype": "FP64", "data": [1e-300]}]}`,
			`{"model_name": "echo", "model_version": "3", "outputs": [
			{"name": "a", "shape": [2], "datatype": "BOOL", "data": [true, false]}, {"name": "b", "shape": [2], "datatype": "UINT64", "data": [18446744073709551615, 0]},
			{"name": "c", "shape": [2], "datatype": "INT64", "data": [-9223372036854775808, 9223372036854775807]}, {"name": "d", "shape": [2], "datatype": "INT8", "data": [-128, 127]},
			{"name": "e", "shape": [3], "datatype": "FP16", "data": [0.5, 65504, null]}, {"name": "f", "shape": [0], "datatype": "FP64", "data": []},
			{"name": "g", "shape": [], "datatype": "FP64", "data": [1e-300]}]}`},
		"one output": {"echo", `{"inputs": [{"name": "a", "shape": [1], "datatype": "INT8", "data": [1]}, {"name": "b", "shape": [1], "datatype": "INT8", "data": [2]}], "outputs": [{"name": "b"}]}`,
			`{"model_name": "echo", "model_version": "3", "outputs": [{"name": "b", "shape": [1], "datatype": "INT8", "data": [2]}]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := ask(t, http.MethodPost, "/v2/models/"+tt.model+"/infer", tt.body)
			if w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			same(t, w.Body.String(), tt.want)
		})
	}
}

func TestPredictionsOverBinaryData(t *testing.T) {
	head := `{"inputs": [{"name": "a", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}, {"name": "b", "shape": [2], "datatype": "FP64", "data": [1, 2]}],
		"outputs": [{"name": "output-0", "parameters": {"binary_data": true}}]}`
	data := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.5)), math.Float64bits(7))
	w := ask(t, http.MethodPost, "/v2/models/sum/infer", head+string(data), "Inference-Header-Content-Length", strconv.Itoa(len(head)))
	n, err := strconv.Atoi(w.Header().Get("Inference-Header-Content-Length"))
	if w.Code != http.StatusOK || err != nil || w.Header().Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	same(t, w.Body.String()[:n], `{"model_name": "sum", "model_version": "3", "outputs": [{"name": "output-0", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}}]}`)
	rest := w.Body.Bytes()[n:]
	if len(rest) != 16 || math.Float64frombits(binary.LittleEndian.Uint64(rest)) != 1.5 || math.Float64frombits(binary.LittleEndian.Uint64(rest[8:])) != 9 {
		t.Errorf("the data is %v", rest)
	}
}

func TestWhatIsWrongIsSaidInTheProtocolsForm(t *testing.T) {
	in := func(fields string) string { return `{"inputs": [{"name": "a", ` + fields + `}]}` }
	const length = "Inference-Header-Content-Length"
	tests := []struct {
		path, body string
		headers    []string
		status     int
		want       string
	}{
		{"echo", `{`, nil, 400, "where the text ends"},
		{"echo", ``, nil, 400, "an object is wanted"},
		{"echo", `{}`, nil, 400, "no inputs"},
		{"echo", `{"inputs": []} x`, nil, 400, "nothing may follow"},
		{"echo", in(`"shape": [1], "datatype": "FP64"`), nil, 400, "neither data nor binary_data_size"},
		{"echo", in(`"shape": [1], "data": [1]`), nil, 400, `the datatype "" is none`},
		{"echo", in(`"shape": [1], "datatype": "BF16", "data": [1]`), nil, 400, `the datatype "BF16" is none`},
		{"echo", in(`"shape": [2], "datatype": "FP64", "data": [1]`), nil, 400, "shape [2] needs 2 elements and 1 came"},
		{"echo", in(`"shape": [3, 2], "datatype": "FP64", "data": [[1, 2, 3], [4, 5, 6]]`), nil, 400, "shape [3 2] is said and the lists have the shape [2 3]"},
		{"echo", in(`"shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3]]`), nil, 400, "do not make an array"},
		{"echo", in(`"shape": [2], "datatype": "FP64", "data": [1, [2]]`), nil, 400, "do not make an array"},
		{"echo", in(`"shape": [1000000000, 1000000000, 1000000000], "datatype": "FP64", "data": [1]`), nil, 400, "more elements than can be counted"},
		{"echo", in(`"shape": [1000000000000], "datatype": "FP64", "data": [1]`), nil, 400, "needs 1000000000000 elements and 1 came"},
		{"echo", in(`"shape": [-1], "datatype": "FP64", "data": []`), nil, 400, "is negative"},
		{"echo", in(`"shape": [1.5], "datatype": "FP64", "data": []`), nil, 400, "a whole number is wanted"},
		{"echo", in(`"shape": [1], "datatype": "INT8", "data": [128]`), nil, 400, "INT8 does not hold this number"},
		{"echo", in(`"shape": [1], "datatype": "UINT8", "data": [-1]`), nil, 400, "UINT8 does not hold this number"},
		{"echo", in(`"shape": [1], "datatype": "INT64", "data": [1.5]`), nil, 400, "INT64 does not hold this number"},
		{"echo", in(`"shape": [1], "datatype": "INT64", "data": [null]`), nil, 400, "null came"},
		{"echo", in(`"shape": [1], "datatype": "INT64", "data": ["1"]`), nil, 400, "a text came"},
		{"echo", in(`"shape": [1], "datatype": "BYTES", "data": [1]`), nil, 400, "BYTES is wanted, as a text"},
		{"echo", in(`"shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}`), nil, 400, "binary_data_size is 8, and 0 bytes are left"},
		{"echo", in(`"shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": -8}`), nil, 400, "binary_data_size is -8"},
		{"echo", in(`"shape": [1], "datatype": "FP64", "parameters": {"shared_memory_region": "x"}`), nil, 501, "shared memory"},
		{"echo", in(`"shape": [1], "datatype": "FP64", "data": [1]`), []string{length, "1000"}, 400, "says 1000 and the body has"},
		{"echo", in(`"shape": [1], "datatype": "FP64", "data": [1]`), []string{length, "-1"}, 400, "how many bytes"},
		{"echo", `{"inputs": []}1`, []string{length, "14"}, 400, "1 bytes are left"},
		{"echo", strings.Repeat("[", 1000), nil, 400, "an object is wanted"},
		{"echo", `{"x": ` + strings.Repeat("[", 1000), nil, 400, "nested more than"},
		{"echo", strings.Repeat(" ", 2<<20), nil, 413, "more than the 1048576 bytes"},
		{"echo", in(`"shape": [1], "datatype": "FP64", "data": [1]`), []string{"Content-Encoding", "gzip"}, 400, "said to be encoded as \"gzip\" and is not"},
		{"echo", `{"inputs": []}`, []string{"Content-Encoding", "br"}, 400, "gzip and deflate are read"},
		{"echo", packed(gzipped, strings.Repeat(" ", 2<<20)), []string{"Content-Encoding", "gzip"}, 413, "more than the 1048576 bytes"},
		{"echo", packed(gzipped, `{"inputs": []}`)[:20], []string{"Content-Encoding", "gzip"}, 400, "could not be read to its end"},
		{"echo", `{"inputs": [], "outputs": [{"name": "z"}]}`, nil, 400, `the output "z" was asked for`},
		{"sum", in(`"shape": [1], "datatype": "FP64", "data": [1]`), nil, 400, `requires inputs that did not come: "b"`},
		{"matrix", in(`"shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]`), nil, 400, "shape [-1 4] is wanted and [1 3] came"},
		{"nowhere", `{"inputs": []}`, nil, 404, `no endpoint "nowhere"`},
		{"nowhere", ``, nil, 404, `no endpoint "nowhere"`},
		{"echo/versions/9", ``, nil, 404, "no version 9"},
		{"echo/versions/9", `{"inputs": []}`, nil, 404, "no version 9"},
		{"busy", `{"inputs": []}`, nil, 429, "queue"},
		{"down", `{"inputs": []}`, nil, 503, "no worker"},
		{"broken", `{"inputs": []}`, nil, 500, "error_id="},
		{"slow", `{"inputs": []}`, []string{"X-Levada-Timeout", "10ms"}, 504, "deadline"},
		{"slow", `{"inputs": [], "parameters": {"timeout": 5000}}`, nil, 504, "deadline"},
		{"slow", `{"inputs": []}`, []string{"X-Levada-Timeout", "soon"}, 400, "how long to wait"},
	}
	for _, tt := range tests {
		w := ask(t, http.MethodPost, "/v2/models/"+tt.path+"/infer", tt.body, tt.headers...)
		var e struct{ Error string }
		err := json.Unmarshal(w.Body.Bytes(), &e)
		if w.Code != tt.status || err != nil || !strings.Contains(e.Error, tt.want) || strings.Contains(e.Error, "secret") {
			t.Errorf("%s %.80s: %d %s; want %d and %s", tt.path, tt.body, w.Code, w.Body, tt.status, tt.want)
		}
	}
	for path, want := range map[string]int{
		"/v2/models/echo/infer": 405, "/v2/nothing": 404, "/v2/models/echo/x": 404, "/v2/models/down/ready": 503, "/v2/models/nowhere": 404, "/v2/repository/index": 405, "/v2/health": 404,
	} {
		if w := ask(t, http.MethodGet, path, ""); w.Code != want || !strings.HasPrefix(w.Body.String(), `{"error":"`) {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}

func gzipped(w io.Writer) io.WriteCloser  { return gzip.NewWriter(w) }
func deflated(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }

// packed compresses a text.
func packed(by func(io.Writer) io.WriteCloser, text string) string {
	var b strings.Builder
	z := by(&b)
	_, _ = io.WriteString(z, text) // into memory
	_ = z.Close()
	return b.String()
}

func TestCompressedBodiesAreUnpacked(t *testing.T) {
	const text = `{"inputs": [{"name": "a", "shape": [2], "datatype": "FP64", "data": [1.5, 2]}]}`
	for encoding, by := range map[string]func(io.Writer) io.WriteCloser{"gzip": gzipped, "deflate": deflated} {
		if w := ask(t, http.MethodPost, "/v2/models/echo/infer", packed(by, text), "Content-Encoding", encoding); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "[1.5,2.0]") {
			t.Errorf("%s: %d %s", encoding, w.Code, w.Body)
		}
		// The header counts the bytes of the JSON before it was compressed.
		binary := `{"inputs": [{"name": "a", "shape": [1], "datatype": "UINT8", "parameters": {"binary_data_size": 1}}]}`
		w := ask(t, http.MethodPost, "/v2/models/echo/infer", packed(by, binary+"\x07"), "Content-Encoding", encoding, "Inference-Header-Content-Length", strconv.Itoa(len(binary)))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "[7]") {
			t.Errorf("%s: %d %s", encoding, w.Code, w.Body)
		}
	}
}

func TestAClientThatSendsHalfABodyIsLeftAlone(t *testing.T) {
	server := httptest.NewServer(newDoor(1 << 20))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"inputs\"")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.Contains(answer, []byte("400 Bad Request")) || !bytes.Contains(answer, []byte("could not be read to its end")) {
		t.Errorf("%s, %v", answer, err)
	}
	resp, err := http.Get(server.URL + "/v2/health/ready")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	_ = conn.SetDeadline(time.Now())
}

func FuzzRequestsOverREST(f *testing.F) {
	f.Add(`{"inputs": [{"name": "a", "shape": [2], "datatype": "FP64", "data": [1.5, -2e3]}]}`, 0)
	f.Add(`{"inputs": [{"name": "a", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}], "outputs": [{"name": "a", "parameters": {"binary_data": true}}]}`+"\x01\x00\x00\x00x", 147)
	f.Add(`{"inputs": [{"data": [["\ud83d\ude00"], [null]], "name": "a", "shape": [2,1], "datatype": "BYTES"}], "id": "1", "parameters": {"x": [1, {"y": NaN}]}}`, -1)
	door := newDoor(1 << 20)
	f.Fuzz(func(t *testing.T, body string, split int) {
		r := httptest.NewRequest(http.MethodPost, "/v2/models/echo/infer", strings.NewReader(body))
		if split >= 0 {
			r.Header.Set("Inference-Header-Content-Length", strconv.Itoa(split))
		}
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusNotImplemented {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		text := w.Body.Bytes()
		if n, err := strconv.Atoi(w.Header().Get("Inference-Header-Content-Length")); err == nil {
			text = text[:n]
		}
		if !json.Valid(text) {
			t.Errorf("the answer is no JSON: %s", text)
		}
	})
}
