package serving

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"levada/test/levadatest"
)

// onnxProgram builds the worker for ONNX models, and returns its folder.
func onnxProgram(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "levada-onnx"), "./cmd/levada-onnx")
	cmd.Dir = levadatest.Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func onPath(dir string) string { return "PATH=" + dir + ":" + os.Getenv("PATH") }

// registeredONNX starts a server on which MLflow's client has registered ONNX models.
func registeredONNX(t *testing.T, env ...string) (*levadatest.Server, logged, string) {
	t.Helper()
	var said struct {
		Rows [][]float64
		Iris []int64
	}
	server, python := startAndLog(t, "onnx", "log_onnx.py", &said, env...)
	l := logged{Rows: said.Rows, Iris: [][]int64{said.Iris}}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(python)), "lib", "python*", "site-packages", "onnxruntime", "capi", "libonnxruntime.so.*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("there is no library of ONNX Runtime beside %s (%v)", python, err)
	}
	return server, l, found[0]
}

// post posts JSON and returns the status and the body. It may be called from any goroutine: where there is no answer the status is 0.
func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	return resp.StatusCode, string(text)
}

const everyType = `{"inputs": [
 {"name": "f", "shape": [2, 2], "datatype": "FP32", "data": [1.5, -2, 3, 4]}, {"name": "d", "shape": [2, 2], "datatype": "FP64", "data": [0.1, 2, 3, 4]},
 {"name": "h", "shape": [2, 2], "datatype": "FP16", "data": [1.5, 2, 3, 4]}, {"name": "l", "shape": [2, 2], "datatype": "INT64", "data": [9007199254740993, 2, 3, 4]},
 {"name": "i", "shape": [2, 2], "datatype": "INT32", "data": [-1, 2, 3, 4]}, {"name": "t", "shape": [2, 2], "datatype": "INT8", "data": [-128, 2, 3, 127]},
 {"name": "u", "shape": [2, 2], "datatype": "UINT8", "data": [255, 2, 3, 4]}, {"name": "b", "shape": [2, 2], "datatype": "BOOL", "data": [true, false, false, true]},
 {"name": "s", "shape": [2, 2], "datatype": "BYTES", "data": ["é", "", "c", "d"]}]}`

// irisAnswers asks for each row in both protocols, and returns the answers. One after the other: the last digit of a float may depend on
// how many rows are joined.
func irisAnswers(t *testing.T, s *levadatest.Server, l logged) []string {
	t.Helper()
	checkIris(t, s.URL, l, 1) // many at once
	out := make([]string, len(l.Rows))
	for i, row := range l.Rows {
		a, _, err := predict(t.Context(), s.URL, "iris", row, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{"dataframe_split": map[string]any{"columns": columns, "data": [][]float64{row}}})
		if err != nil {
			t.Fatal(err)
		}
		status, text := post(t, s.URL+"/serving-endpoints/iris/invocations", string(body))
		if status != http.StatusOK {
			t.Errorf("row %d: %d %s", i, status, text)
		}
		outputs, err := json.Marshal(a.Outputs)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = string(outputs) + " " + text
	}
	return out
}

func TestONNXModelsRunWithoutPythonAndAnswerTheSame(t *testing.T) {
	program := onnxProgram(t)
	server, l, library := registeredONNX(t, onPath(program))
	deploy := func(s *levadatest.Server, names ...string) {
		for _, name := range names {
			t.Log(levada(t, s, "deploy", "models:/"+name+"/1", "--endpoint", name, "--wait"))
		}
	}
	deploy(server, "iris", "types", "fixed", "sequence")
	shown := levada(t, server, "endpoints", "iris", "-o", "json")
	if !strings.Contains(shown, "ONNX Runtime 1.32.0") || len(workers(t, server.Data)) != 1 {
		t.Errorf("%s\n%d workers of Python; want that of sequence", shown, len(workers(t, server.Data)))
	}
	if shown := levada(t, server, "endpoints", "sequence", "--events", "20"); !strings.Contains(shown, "Python 3.") || !strings.Contains(shown, "because") {
		t.Errorf("it does not say why it runs in Python:\n%s", shown)
	}
	native := irisAnswers(t, server, l)
	types := func(s *levadatest.Server) string {
		status, text := post(t, s.URL+"/v2/models/types/infer", everyType)
		if status != http.StatusOK {
			t.Errorf("%d %s", status, text)
		}
		return text
	}
	nativeTypes := types(server)
	for _, want := range []string{"9007199254740993", `"é"`, "0.1,", "255", "-128", "true"} {
		if !strings.Contains(nativeTypes, want) {
			t.Errorf("no %s in %s", want, nativeTypes)
		}
	}
	t.Run("what is wrong is said in the form of the protocol", func(t *testing.T) { wrongONNX(t, server) })
	t.Run("a worker that is killed is replaced", func(t *testing.T) {
		for _, pid := range onnxWorkers(t, server) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}
		irisAnswers(t, server, l)
	})
	server.Stop()

	t.Run("without the program, Python answers the same", func(t *testing.T) {
		s := levadatest.StartOn(t, server.Data, "LEVADA_ONNXRUNTIME=off")
		defer s.Stop()
		for i, got := range irisAnswers(t, s, l) {
			if got != native[i] {
				t.Errorf("row %d: %s; ONNX Runtime without Python says %s", i, got, native[i])
			}
		}
		if got := types(s); got != nativeTypes {
			t.Errorf("%s\nONNX Runtime without Python says\n%s", got, nativeTypes)
		}
		if shown := levada(t, s, "endpoints", "iris"); !strings.Contains(shown, "Python 3.") || !strings.Contains(shown, "onnxruntime is off") {
			t.Error(shown)
		}
	})
	t.Run("with a library that is named, no environment is made", func(t *testing.T) {
		if err := os.Remove(filepath.Join(server.Data, "envs")); err != nil {
			t.Fatal(err)
		}
		s := levadatest.StartOn(t, server.Data, onPath(program), "LEVADA_ONNXRUNTIME="+library)
		for i, got := range irisAnswers(t, s, l) {
			if got != native[i] {
				t.Errorf("row %d: %s; want %s", i, got, native[i])
			}
		}
		deploy(s, "bare")
		if status, text := post(t, s.URL+"/v2/models/bare/infer", `{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.5, 2]}]}`); status != http.StatusOK ||
			!strings.Contains(text, "[3.0,4.0]") {
			t.Errorf("%d %s", status, text)
		}
		if made, err := filepath.Glob(filepath.Join(s.Data, "envs", "*", "venv")); err != nil || len(made) > 1 { // sequence needs one
			t.Errorf("environments were made: %v %v", made, err)
		}
	})
}

// wrongONNX asks for what cannot be answered.
func wrongONNX(t *testing.T, server *levadatest.Server) {
	two := `{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}`
	tests := map[string]struct {
		endpoint, inputs string
		status           int
		want             string
	}{
		"another width":   {"fixed", `{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}`, 400, "invalid dimensions"},
		"another rank":    {"fixed", `{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}`, 400, "Invalid rank"},
		"more rows":       {"fixed", two, 400, "invalid dimensions"},
		"another type":    {"fixed", `{"name": "x", "shape": [1, 2], "datatype": "BYTES", "data": ["a", "b"]}`, 400, "BYTES and the model wants FP32"},
		"inputs missing":  {"types", two, 400, `an input \"f\" is missing`},
		"a text's zero":   {"types", strings.TrimSuffix(strings.TrimPrefix(strings.Replace(everyType, `"é"`, `"a\u0000b"`, 1), `{"inputs": [`), "]}"), 400, "zero byte"},
		"a column's type": {"iris", `{"name": "sepal length", "shape": [1], "datatype": "BYTES", "data": ["x"]}`, 400, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			status, text := post(t, server.URL+"/v2/models/"+tt.endpoint+"/infer", `{"inputs": [`+tt.inputs+`]}`)
			if status != tt.status || !strings.Contains(text, tt.want) || !strings.Contains(text, `"error"`) {
				t.Errorf("%d %s; want %d and %q", status, text, tt.status, tt.want)
			}
		})
	}
	t.Run("one row at a time", func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				status, text := post(t, server.URL+"/v2/models/fixed/infer", fmt.Sprintf(`{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [%d, 1]}]}`, i))
				if want := fmt.Sprintf("[%d.0,2.0]", 2*i); status != http.StatusOK || !strings.Contains(text, want) {
					t.Errorf("%d %s; want %s", status, text, want)
				}
			})
		}
		all.Wait()
	})
	t.Run("a damaged model", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), levadatest.Binary(t), "deploy", "models:/damaged/1", "--endpoint", "damaged", "--wait", "--server", server.URL)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "rotobuf parsing failed") {
			t.Errorf("%v\n%s", err, out)
		}
		if shown := levada(t, server, "endpoints", "damaged"); !strings.Contains(shown, "FAILED") {
			t.Error(shown)
		}
	})
}

// onnxWorkers are the processes of a server that run ONNX models without Python.
func onnxWorkers(t *testing.T, s *levadatest.Server) []int {
	t.Helper()
	found, err := exec.CommandContext(t.Context(), "pgrep", "-P", strconv.Itoa(s.PID()), "levada-onnx").Output()
	if err != nil {
		t.Fatalf("pgrep: %v", err)
	}
	var out []int
	for _, field := range strings.Fields(string(found)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pid)
	}
	return out
}
