package invocations_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/api/invocations"
	"levada/internal/api/predict/predicttest"
)

func newDoor(endpoint string) http.Handler {
	return invocations.New(invocations.Options{Service: predicttest.New(), Logger: slog.New(slog.DiscardHandler), Version: "1.2.3", MaxBody: 1 << 20, Endpoint: endpoint})
}

func ask(t testing.TB, h http.Handler, method, path, media, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	jsonType = "application/json"
	csvType  = "text/csv; charset=utf-8"
)

func TestEveryFormOfMLflowsServer(t *testing.T) {
	tests := map[string]struct{ endpoint, media, body, want string }{
		"split":              {"sum", jsonType, `{"dataframe_split": {"columns": ["b", "a"], "index": [7, 8], "data": [[1, 2.5], [3, null]]}}`, `{"predictions": [3.5, null]}`},
		"split, data first":  {"sum", jsonType, `{"dataframe_split": {"data": [[1, 2]], "columns": ["a", "b"]}, "params": {"offset": 1}}`, `{"predictions": [4]}`},
		"no rows":            {"sum", jsonType, `{"dataframe_split": {"data": [], "columns": ["a", "b"]}}`, `{"predictions": []}`},
		"records":            {"sum", jsonType, `{"dataframe_records": [{"a": 1, "b": 2}, {"b": 3, "a": 4, "c": "x"}, {"a": 5, "b": null}]}`, `{"predictions": [3, 7, null]}`},
		"instances, records": {"sum", jsonType, `{"instances": [{"a": 1, "b": 2}]}`, `{"predictions": [3]}`},
		"inputs, columns":    {"sum", jsonType, `{"inputs": {"a": [1, 2], "b": [3, 4.5]}}`, `{"predictions": [4, 6.5]}`},
		"inputs, records":    {"sum", jsonType, `{"inputs": [{"a": 1, "b": 2}]}`, `{"predictions": [3]}`},
		"inputs, scalars":    {"sum", jsonType, `{"inputs": {"a": 1, "b": 2}}`, `{"predictions": [3]}`},
		"csv":                {"sum", csvType, "a,b\n1,2\n3,\n", `{"predictions": [3, null]}`},
		"csv of texts":       {"upper", "text/csv", "text,x\n00123,1\n\"a,b\",2\n", `{"predictions": ["00123", "A,B"]}`},
		"a table comes back": {"table", jsonType, `{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]]}}`, `{"predictions": [{"a": 1, "b": 2, "output-0": 3}]}`},
		"a matrix":           {"matrix", jsonType, `{"inputs": [[1, 2, 3, 4], [1, 2, 3, 4.5]]}`, `{"predictions": [10, 10.5]}`},
		"instances":          {"matrix", jsonType, `{"instances": [[1, 2, 3, 4]]}`, `{"predictions": [10]}`},
		"a table for it":     {"matrix", jsonType, `{"dataframe_split": {"data": [[1, 2, 3, 4]]}}`, `{"predictions": [10]}`},
		"lists in a column":  {"matrix", jsonType, `{"dataframe_split": {"columns": ["x"], "data": [[[1, 2, 3, 4]], [[5, 6, 7, 8]]]}}`, `{"predictions": [10, 26]}`},
		"texts for a column": {"upper", jsonType, `{"inputs": ["a", "b"]}`, `{"predictions": ["A", "B"]}`},
		"every type": {"dated", jsonType, `{"dataframe_records": [{"when": "2013-01-31 17:05:00", "raw": "aGk=", "is": true, "n": 7, "list": [1, 2.5], "object": {"x": 1}},
			{"when": "2013-01-31", "raw": "", "is": false, "n": -7, "list": [], "object": {"x": 2}}]}`,
			`{"predictions": [{"when": "2013-01-31T17:05:00", "raw": "aGk=", "is": true, "n": 7, "list": [1, 2.5], "object": {"x": 1}},
			{"when": "2013-01-31T00:00:00", "raw": "", "is": false, "n": -7, "list": [], "object": {"x": 2}}]}`},
		"without a signature": {"echo", jsonType, `{"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, null]]}}`, `{"predictions": [{"a": 1, "b": "x"}, {"a": 2, "b": null}]}`},
		"chat":                {"echo", jsonType, `{"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}`, `[{"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}]`},
	}
	door := newDoor("")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := ask(t, door, http.MethodPost, "/endpoints/"+tt.endpoint+"/invocations", tt.media, tt.body)
			var got, want any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s\n%s", w.Body, d)
			}
		})
	}
}

func TestWholeFloatsStayFloatsInTheAnswer(t *testing.T) {
	w := ask(t, newDoor(""), http.MethodPost, "/endpoints/sum/invocations", jsonType, `{"inputs": {"a": [1, 1e20, 0.1], "b": [2, 0, 0.2]}}`)
	if want := `{"predictions":[3.0,1e+20,0.30000000000000004]}`; w.Body.String() != want {
		t.Errorf("%s, want %s", w.Body, want)
	}
}

func TestTheThreeAddressesOfAnEndpoint(t *testing.T) {
	body := `{"inputs": {"a": [1], "b": [2]}}`
	for _, tt := range []struct {
		endpoint, path string
	}{{"", "/endpoints/sum/"}, {"", "/serving-endpoints/sum/"}, {"sum", "/"}} {
		door := newDoor(tt.endpoint)
		w := ask(t, door, http.MethodPost, tt.path+"invocations", jsonType, body)
		if w.Code != http.StatusOK || w.Body.String() != `{"predictions":[3.0]}` || w.Header().Get("x-Amzn-Invoked-Production-Variant") != "3" {
			t.Errorf("%v: %d %v %s", tt, w.Code, w.Header(), w.Body)
		}
		for action, want := range map[string]string{"ping": "\n", "health": "\n", "version": "1.2.3"} {
			if w := ask(t, door, http.MethodGet, tt.path+action, "", ""); w.Code != http.StatusOK || w.Body.String() != want {
				t.Errorf("%v %s: %d %s", tt, action, w.Code, w.Body)
			}
		}
	}
	if w := ask(t, newDoor(""), http.MethodGet, "/endpoints/down/ping", "", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("the ping of what is down: %d", w.Code)
	}
	for path, want := range map[string]bool{
		"/endpoints/a/invocations": true, "/endpoints/a/ping": true, "/serving-endpoints/a/invocations": true,
		"/api/2.0/serving-endpoints": true, "/api/2.0/serving-endpoints/a": true, "/api/2.0/serving-endpointsx": false,
		"/endpoints": false, "/endpoints/a": false, "/endpoints/a/versions": false, "/": false, "/serving-endpoints/": false,
	} {
		if got := invocations.Owns(path); got != want {
			t.Errorf("owns %s: %v", path, got)
		}
	}
}

func TestEndpointsAreListedForMLflowsClientOfDeployments(t *testing.T) {
	door := newDoor("")
	var all struct {
		Endpoints []struct {
			Name  string
			State struct{ Ready string }
		}
	}
	w := ask(t, door, http.MethodGet, "/api/2.0/serving-endpoints", "", "")
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil || w.Code != http.StatusOK || len(all.Endpoints) == 0 {
		t.Fatalf("%d %s, %v", w.Code, w.Body, err)
	}
	for _, e := range all.Endpoints {
		want := "READY"
		if e.Name == "down" {
			want = "NOT_READY"
		}
		if e.State.Ready != want {
			t.Errorf("%s is %s, want %s", e.Name, e.State.Ready, want)
		}
	}
	first := all.Endpoints[0].Name
	if w := ask(t, door, http.MethodGet, "/api/2.0/serving-endpoints/"+first, "", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"name":"`+first+`"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(t, door, http.MethodGet, "/api/2.0/serving-endpoints/nobody", "", ""); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "RESOURCE_DOES_NOT_EXIST") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(t, door, http.MethodPost, "/api/2.0/serving-endpoints", jsonType, `{}`); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(t, newDoor("sum"), http.MethodGet, "/api/2.0/serving-endpoints", "", ""); w.Code != http.StatusNotFound {
		t.Errorf("a port of one endpoint lists others: %d %s", w.Code, w.Body)
	}
}

func TestErrorsAreMLflowsAndSageMakers(t *testing.T) {
	tests := []struct {
		endpoint, body string
		status         int
		code, kind     string
		want           string
	}{
		{"sum", `[1]`, 400, "BAD_REQUEST", "ModelError", "exactly one of the fields"},
		{"sum", `{"x": 1}`, 400, "BAD_REQUEST", "ModelError", "exactly one of the fields"},
		{"sum", `{"inputs": {}, "instances": []}`, 400, "BAD_REQUEST", "ModelError", "inputs and instances came"},
		{"sum", `{"inputs": {"a": [1], "b": [2]}} x`, 400, "BAD_REQUEST", "ModelError", "nothing may follow"},
		{"sum", `{"inputs": {"a": [1]}}`, 400, "BAD_REQUEST", "ModelError", `did not come: "b"`},
		{"sum", `{"inputs": {"a": [1], "b": ["x"]}}`, 400, "BAD_REQUEST", "ModelError", `column "b": row 0: double is wanted and the text "x" came`},
		{"sum", `{"inputs": {"a": [1], "b": [2]}, "params": {"offset": "x"}}`, 400, "BAD_REQUEST", "ModelError", `parameter "offset"`},
		{"sum", `{"inputs": {"a": [1], "b": [2]}, "params": [1]}`, 400, "BAD_REQUEST", "ModelError", `params is an object`},
		{"sum", `{"dataframe_split": [1]}`, 400, "BAD_REQUEST", "ModelError", "columns and data"},
		{"sum", `{"dataframe_split": {"columns": ["a"]}}`, 400, "BAD_REQUEST", "ModelError", "has no data"},
		{"sum", `{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}`, 400, "BAD_REQUEST", "ModelError", "names 1 columns and its rows have 2"},
		{"sum", `{"dataframe_split": {"data": [[1, 2], [1]]}}`, 400, "BAD_REQUEST", "ModelError", "row 1 of dataframe_split has 1 values and the row before has 2"},
		{"sum", `{"dataframe_split": {"data": [[1], [1, 2]]}}`, 400, "BAD_REQUEST", "ModelError", "row 1"},
		{"sum", `{"dataframe_records": {"a": 1}}`, 400, "BAD_REQUEST", "ModelError", "list of records"},
		{"sum", `{"dataframe_records": [{"a": 1, "a": 2}]}`, 400, "BAD_REQUEST", "ModelError", `record 0 has "a" twice`},
		{"matrix", `{"inputs": [[1, 2, 3, 4], [1, 2, 3]]}`, 400, "BAD_REQUEST", "ModelError", "several types or lengths"},
		{"matrix", `{"inputs": [[1, 2, 3, "x"]]}`, 400, "BAD_REQUEST", "ModelError", ""},
		{"nowhere", `{"inputs": []}`, 404, "RESOURCE_DOES_NOT_EXIST", "ValidationError", "no endpoint"},
		{"nowhere", ``, 404, "RESOURCE_DOES_NOT_EXIST", "ValidationError", "no endpoint"},
		{"busy", `{"inputs": []}`, 429, "RESOURCE_EXHAUSTED", "ThrottlingException", "queue"},
		{"down", `{"inputs": []}`, 503, "TEMPORARILY_UNAVAILABLE", "ServiceUnavailable", "no worker"},
		{"broken", `{"inputs": []}`, 500, "INTERNAL_ERROR", "InternalFailure", "error_id"},
		{"sum", strings.Repeat(" ", 2<<20), 413, "INVALID_PARAMETER_VALUE", "ValidationError", "more than"},
	}
	for _, tt := range tests {
		w := ask(t, newDoor(""), http.MethodPost, "/endpoints/"+tt.endpoint+"/invocations", jsonType, tt.body)
		var e struct {
			Code    string `json:"error_code"`
			Message string `json:"message"`
		}
		err := json.Unmarshal(w.Body.Bytes(), &e)
		if err != nil || w.Code != tt.status || e.Code != tt.code || w.Header().Get("x-amzn-ErrorType") != tt.kind || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s %.60s: %d %s %s; want %d %s %s", tt.endpoint, tt.body, w.Code, w.Header().Get("x-amzn-ErrorType"), w.Body, tt.status, tt.code, tt.want)
		}
	}
	for media, want := range map[string]string{"application/vnd.apache.parquet": "only supports", "text/csv; charset=latin-1": "UTF-8", "application/json; charset=\"": "cannot be read"} {
		if w := ask(t, newDoor("sum"), http.MethodPost, "/invocations", media, ""); w.Code != http.StatusUnsupportedMediaType || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", media, w.Code, w.Body)
		}
	}
	for body, want := range map[string]string{"": "is empty", "a,a\n1,2": "twice", "a,b\n1": "wrong number of fields", "a,b\n\"1,2": "cannot be read", "a,b\nx,2": `column "a": row 0: double is wanted and the text "x" came`} {
		if w := ask(t, newDoor("sum"), http.MethodPost, "/invocations", csvType, body); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestFewBytesDoNotAskForMuchMemory(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"dataframe_records": [`)
	for i := range 8000 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"c` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/200) + `": 1}`)
	}
	b.WriteString(`]}`)
	w := ask(t, newDoor("echo"), http.MethodPost, "/invocations", jsonType, b.String())
	if w.Code != http.StatusOK && w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %.200s", w.Code, w.Body)
	}
}

func FuzzInvocations(f *testing.F) {
	for _, body := range []string{
		`{"dataframe_split": {"columns": ["b", "a"], "data": [[1, 2.5], [3, null]]}}`, `{"dataframe_records": [{"a": 1, "b": "x"}, {"c": [1]}]}`,
		`{"inputs": [[1, "x"], [{"a": true}]]}`, `{"instances": [{"a": [1, 2]}, {"a": [3, 4]}]}`, `{"inputs": {"a": [18446744073709551615, -1], "b": [[], []]}}`, "a,b\n1,true\n,x\n",
	} {
		f.Add(body, false)
	}
	door := newDoor("echo")
	f.Fuzz(func(t *testing.T, body string, isCSV bool) {
		media := jsonType
		if isCSV {
			media = csvType
		}
		w := ask(t, door, http.MethodPost, "/invocations", media, body)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("the answer is no JSON: %s", w.Body)
		}
	})
}
