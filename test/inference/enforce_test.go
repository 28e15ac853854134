package inference_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"levada/internal/api/invocations"
	"levada/internal/core/infer"
	"levada/internal/serving"
	"levada/test/levadatest"
)

// verdict is what one of the two makes of a case: an error, or columns of values.
type verdict struct {
	Error   string `json:"error"`
	Columns []struct {
		Name   string   `json:"name"`
		Values []string `json:"values"`
	} `json:"columns"`
}

func (v verdict) String() string {
	if v.Error != "" {
		return "an error: " + v.Error
	}
	return fmt.Sprint(v.Columns)
}

// mlflow asks MLflow about all cases.
func mlflow(t *testing.T, cases []map[string]any) []verdict {
	t.Helper()
	python, err := levadatest.LibraryPython("inference", "clients")
	if err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	for _, c := range cases {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join(levadatest.Root(), "test", "inference", "mlflow_enforce.py"))
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var verdicts []verdict
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		verdicts = append(verdicts, v)
	}
	if len(verdicts) != len(cases) {
		t.Fatalf("MLflow answered %d of %d cases\n%s", len(verdicts), len(cases), stderr.Bytes())
	}
	return verdicts
}

// said writes the values of a column as mlflow_enforce.py does.
func said(t *testing.T, in *infer.Tensor, kind string) []string {
	t.Helper()
	out := []string{}
	if in.Datatype == infer.Bytes {
		for rest := in.Data; len(rest) > 0; {
			n := binary.LittleEndian.Uint32(rest)
			text := rest[4 : 4+n]
			rest = rest[4+n:]
			switch {
			case kind == "binary":
				out = append(out, hex.EncodeToString(text))
			case in.Parameters[infer.ContentType] == infer.ContentJSON && string(text) == "null":
				out = append(out, "none")
			case in.Parameters[infer.ContentType] == infer.ContentJSON:
				var v any
				if err := json.Unmarshal(text, &v); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				out = append(out, pythonJSON(v))
			default:
				out = append(out, pythonJSON(string(text)))
			}
		}
		return out
	}
	for i := range in.Rows() {
		switch v := in.Element(i).(type) {
		case bool:
			out = append(out, strconv.FormatBool(v))
		case int64:
			if kind == "datetime" && v == math.MinInt64 {
				out = append(out, "none")
				continue
			}
			out = append(out, strconv.FormatInt(v, 10))
		case float64:
			if math.IsNaN(v) {
				out = append(out, "nan")
				continue
			}
			out = append(out, hex.EncodeToString(binary.BigEndian.AppendUint64(nil, math.Float64bits(v))))
		}
	}
	return out
}

// pythonJSON writes ASCII, as json.dumps does.
func pythonJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text) // the texts of these tests are ASCII
}

var kinds = []string{"boolean", "integer", "long", "float", "double", "string", "binary", "datetime"}

// TestTypedColumnsAreEnforcedAsMLflowDoes gives columns of every type to columns of every kind: both accept the same, and make the same
// of it.
func TestTypedColumnsAreEnforcedAsMLflowDoes(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	types := map[infer.Datatype]string{
		infer.Bool: "bool", infer.Int8: "int8", infer.Int16: "int16", infer.Int32: "int32", infer.Int64: "int64", infer.Uint8: "uint8", infer.Uint16: "uint16",
		infer.Uint32: "uint32", infer.Uint64: "uint64", infer.FP16: "float16", infer.FP32: "float32", infer.FP64: "float64", infer.Bytes: "object",
	}
	var cases []map[string]any
	var requests []*infer.Request
	var wanted []string
	for _, kind := range kinds {
		for d, dtype := range types {
			if d == infer.Bytes && (kind == "boolean" || kind == "binary" || kind == "datetime") {
				continue // how a program's column of texts is enforced depends on the version of pandas; requests have bytes only
			}
			for range 6 {
				values, tensor := typedValues(dice, d)
				columns := []map[string]any{{"name": "extra", "dtype": "int64", "values": make([]int, len(values))}, {"name": "a", "dtype": dtype, "values": values}}
				cases = append(cases, map[string]any{"inputs": []any{map[string]any{"type": kind, "name": "a", "required": true}}, "columns": columns})
				requests = append(requests, &infer.Request{Inputs: []infer.Tensor{tensor}})
				wanted = append(wanted, kind)
			}
		}
	}
	accepted := 0
	for i, theirs := range mlflow(t, cases) {
		s, err := infer.ParseSignature(`[{"type": "`+wanted[i]+`", "name": "a", "required": true}]`, "", "")
		if err != nil {
			t.Fatal(err)
		}
		ours, err := s.Enforce(requests[i])
		if err == nil {
			accepted++
		}
		if (err != nil) != (theirs.Error != "") {
			t.Errorf("%v: MLflow: %v; Levada: %v", cases[i], theirs, err)
			continue
		}
		if err == nil && fmt.Sprint(said(t, &ours.Inputs[0], wanted[i])) != fmt.Sprint(theirs.Columns[0].Values) {
			t.Errorf("%v: MLflow: %v; Levada: %v", cases[i], theirs, said(t, &ours.Inputs[0], wanted[i]))
		}
	}
	t.Logf("%d cases, %d of them accepted", len(cases), accepted)
	if accepted < len(cases)/5 || accepted > len(cases)*4/5 {
		t.Errorf("%d of %d cases were accepted: they test little", accepted, len(cases))
	}
}

// typedValues draws a column, as JSON for Python and as a tensor.
func typedValues(dice *rand.Rand, d infer.Datatype) ([]any, infer.Tensor) {
	n := 1 + dice.IntN(3)
	values := make([]any, n)
	tensor := infer.Tensor{Name: "a", Datatype: d, Shape: []int64{int64(n)}}
	small := dice.IntN(2) == 0
	for i := range values {
		var bits uint64
		switch d {
		case infer.Bytes:
			text := []string{"x", "2013-01-31", "2013-01-31T05:06:07", "", "7"}[dice.IntN(5)]
			values[i], tensor.Data = text, infer.AppendBytes(tensor.Data, []byte(text))
			continue
		case infer.FP16, infer.FP32, infer.FP64:
			f := []float64{0, 1, 0.5, -3.25, 1024}[dice.IntN(5)]
			values[i] = f
			switch d {
			case infer.FP16:
				bits = uint64(infer.FloatToHalf(f))
			case infer.FP32:
				bits = uint64(math.Float32bits(float32(f)))
			default:
				bits = math.Float64bits(f)
			}
		default:
			v := dice.IntN(2)
			if !small && d != infer.Bool {
				v = dice.IntN(100)
			}
			values[i], bits = v, uint64(v)
			if d == infer.Bool {
				values[i] = v == 1
			}
		}
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], bits)
		tensor.Data = append(tensor.Data, b[:d.Width()]...)
	}
	return values, tensor
}

// catcher is a service with one signature that keeps the request as a model would get it.
type catcher struct {
	signature *infer.Signature
	caught    *infer.Request
}

func (c *catcher) Infer(_ context.Context, call serving.Call) (_ *infer.Response, err error) {
	request := call.Request
	if call.Read != nil {
		if request, err = call.Read(c.signature); err != nil {
			return nil, err
		}
	}
	c.caught, err = infer.Fit(c.signature, request)
	return &infer.Response{}, err
}

func (c *catcher) Metadata(context.Context, string, string) (infer.Metadata, error) {
	return infer.Metadata{}, nil
}

func (c *catcher) Known(string, string) error { return nil }

func (c *catcher) Ready(context.Context, string, string) error { return nil }

func (c *catcher) Endpoints(context.Context) ([]string, error) { return nil, nil }

func (c *catcher) Statistics(context.Context, string, string) ([]infer.Statistics, error) {
	return nil, nil
}

// invoke sends a body through the door and gives the values of the column a that a model would get, or the error.
func invoke(t *testing.T, kind string, required bool, body []byte) ([]string, string) {
	t.Helper()
	s, err := infer.ParseSignature(fmt.Sprintf(`[{"type": %q, "name": "a", "required": %v}]`, kind, required), "", "")
	if err != nil {
		t.Fatal(err)
	}
	c := &catcher{signature: s}
	door := invocations.New(invocations.Options{Service: c, Logger: slog.New(slog.DiscardHandler), Endpoint: "m"})
	r := httptest.NewRequest(http.MethodPost, "/invocations", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	door.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return nil, w.Body.String()
	}
	return said(t, &c.caught.Inputs[0], kind), ""
}

// TestWhatIsAcceptedFromJSONIsWhatMLflowMakesOfIt sends bodies in the forms of tables: what Levada accepts MLflow accepts too, and both give
// the model the same. The other way round it does not hold: MLflow's server casts values that change by it.
func TestWhatIsAcceptedFromJSONIsWhatMLflowMakesOfIt(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	values := []any{0, 1, 7, -2, 1.0, 2.0, 0.5, true, false, nil, "x", "7", "2013-01-31", "aGk=", 3_000_000_000, int64(1) << 60}
	var cases []map[string]any
	var wanted []string
	for range 600 {
		kind := kinds[dice.IntN(len(kinds))]
		n := 1 + dice.IntN(3)
		first := dice.IntN(len(values))
		column := make([]any, n)
		for i := range column {
			column[i] = values[first]
			if dice.IntN(3) == 0 {
				column[i] = values[dice.IntN(len(values))]
			}
		}
		rows, records := make([]any, n), make([]any, n)
		for i := range rows {
			rows[i], records[i] = []any{column[i], 5}, map[string]any{"a": column[i], "b": 5}
		}
		body := map[string]any{"dataframe_split": map[string]any{"columns": []string{"a", "b"}, "data": rows}}
		if dice.IntN(2) == 0 {
			body = map[string]any{"dataframe_records": records}
		}
		cases = append(cases, map[string]any{"inputs": []any{map[string]any{"type": kind, "name": "a", "required": true}}, "body": body})
		wanted = append(wanted, kind)
	}
	accepted, casts := 0, 0
	for i, theirs := range mlflow(t, cases) {
		body, err := json.Marshal(cases[i]["body"])
		if err != nil {
			t.Fatal(err)
		}
		ours, problem := invoke(t, wanted[i], true, body)
		switch {
		case problem != "" && theirs.Error == "":
			casts++ // such as 0.5 to the integer 0, "x" to true, a missing value to false
		case problem != "":
		case theirs.Error != "" || fmt.Sprint(missing(theirs.Columns[0].Values, wanted[i])) != fmt.Sprint(ours):
			t.Errorf("%v %s: MLflow: %v; Levada: %v", cases[i]["inputs"], body, theirs, ours)
		default:
			accepted++
		}
	}
	t.Logf("%d bodies: %d accepted by both, %d only by MLflow, which changes values", len(cases), accepted, casts)
	if accepted < 100 {
		t.Errorf("only %d of %d bodies were accepted: they test little", accepted, len(cases))
	}
}

// missing writes a missing text in one way: pandas 3 has NaN for it, pandas 2 None.
func missing(values []string, kind string) []string {
	for i := range values {
		if kind == "string" && values[i] == "nan" {
			values[i] = "none"
		}
	}
	return values
}

// TestWhereMLflowAndLevadaDiffer lists what MLflow's server accepts and changes, so that the difference is known and stays.
func TestWhereMLflowAndLevadaDiffer(t *testing.T) {
	tests := []struct {
		kind  string
		value any
		model string // what MLflow gives the model
		want  string
	}{
		{"long", 0.5, "0", "long is wanted and the number 0.5 came"},
		{"integer", 3_000_000_000, "-1294967296", "out of its range"},
		{"boolean", "false", "true", "boolean is wanted and the text"},
		{"boolean", nil, "false", "boolean is wanted and a missing value"},
		{"boolean", 7, "true", "boolean is wanted and the number 7 came"},
		{"string", 7, "7", "string is wanted and INT64 came"},
	}
	var cases []map[string]any
	for _, tt := range tests {
		cases = append(cases, map[string]any{"inputs": []any{map[string]any{"type": tt.kind, "name": "a"}}, "body": map[string]any{"dataframe_records": []any{map[string]any{"a": tt.value}}}})
	}
	for i, theirs := range mlflow(t, cases) {
		body, err := json.Marshal(cases[i]["body"])
		if err != nil {
			t.Fatal(err)
		}
		_, problem := invoke(t, tests[i].kind, true, body)
		if theirs.Error != "" || theirs.Columns[0].Values[0] != tests[i].model {
			t.Errorf("%s %v: MLflow: %v, want %s: the difference is gone", tests[i].kind, tests[i].value, theirs, tests[i].model)
		}
		if !strings.Contains(problem, tests[i].want) {
			t.Errorf("%s %v: Levada: %s, want %s", tests[i].kind, tests[i].value, problem, tests[i].want)
		}
	}
}
