// Package serving serves models that MLflow's client has logged: with the command, over the protocols, on a real server that is killed,
// and whose workers are.
package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"levada/test/levadatest"
)

// logged is what log_models.py says of the models it has registered.
type logged struct {
	Rows  [][]float64
	Iris  [][]int64 // predictions of versions 1 and 2
	Sums  []float64 // of model adder
	Words []string
	Train string // path of the table that the models learned from
}

var columns = []string{"sepal length", "sepal width", "petal length", "petal width"}

// registered starts a server on which MLflow's client has registered models.
func registered(t *testing.T, env ...string) (*levadatest.Server, logged) {
	t.Helper()
	var l logged
	server, _ := startAndLog(t, "sklearn", "log_models.py", &l, env...)
	return server, l
}

// startAndLog starts a server on which a script registers models with MLflow's client, and reads what the script says of them. It returns
// the Python that the script ran in, too.
func startAndLog(t *testing.T, libraries, script string, said any, env ...string) (server *levadatest.Server, python string) {
	t.Helper()
	python, err := levadatest.LibraryPython("serving", libraries)
	if err != nil {
		t.Fatal(err)
	}
	server = levadatest.Start(t, env...)
	cmd := exec.CommandContext(t.Context(), python, script, server.URL)
	cmd.Env = append(os.Environ(), "PYTHONWARNINGS=ignore", "GIT_PYTHON_REFRESH=quiet", "LEVADA_TEST_DIR="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\nserver:\n%s", err, stderr.String(), server.Log())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), said); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return server, python
}

// levada runs a command against the server.
func levada(t *testing.T, s *levadatest.Server, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), levadatest.Binary(t), append(args, "--server", s.URL)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("levada %s: %v\n%s\nserver:\n%s", strings.Join(args, " "), err, out, s.Log())
	}
	return string(out)
}

type output struct {
	Name string
	Data []json.RawMessage
}

type answer struct {
	Model   string `json:"model_name"`
	Version string `json:"model_version"`
	Outputs []output
	Error   string
}

// predict asks for the prediction of one row over the Open Inference Protocol.
func predict(ctx context.Context, url, endpoint string, row []float64, parameters map[string]any) (answer, int, error) {
	inputs := make([]map[string]any, len(columns))
	for i, name := range columns {
		inputs[i] = map[string]any{"name": name, "shape": []int{1}, "datatype": "FP64", "data": []float64{row[i]}}
	}
	body, err := json.Marshal(map[string]any{"inputs": inputs, "parameters": parameters})
	if err != nil {
		return answer{}, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v2/models/"+endpoint+"/infer", bytes.NewReader(body))
	if err != nil {
		return answer{}, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, resp.StatusCode, err
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return a, resp.StatusCode, fmt.Errorf("%w: %s", err, text)
	}
	if resp.StatusCode != http.StatusOK {
		return a, resp.StatusCode, fmt.Errorf("status %d: %s", resp.StatusCode, a.Error)
	}
	return a, resp.StatusCode, nil
}

// checkIris asks for all rows at once, one by one, and compares with what the model of a version said when it was logged.
func checkIris(t *testing.T, url string, l logged, version int) {
	t.Helper()
	var all sync.WaitGroup
	gate := make(chan struct{}, 32)
	for i, row := range l.Rows {
		all.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			a, _, err := predict(t.Context(), url, "iris", row, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if got, want := string(a.Outputs[0].Data[0]), strconv.FormatInt(l.Iris[version-1][i], 10); got != want || a.Version != strconv.Itoa(version) {
				t.Errorf("row %d: %s of version %s; want %s of version %d", i, got, a.Version, want, version)
			}
		})
	}
	all.Wait()
}

// load asks until stop is called, which returns how often it did; each failure is an error of the test.
func load(t *testing.T, url string, rows [][]float64) (stop func() int64) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var asked atomic.Int64
	for i := range 4 {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				if _, _, err := predict(ctx, url, "iris", rows[n%len(rows)], nil); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				asked.Add(1)
			}
		})
	}
	return func() int64 { cancel(); all.Wait(); return asked.Load() }
}

// workers are the processes that serve models of a data directory.
func workers(t *testing.T, data string) []int {
	t.Helper()
	data, err := filepath.EvalSymlinks(data)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("there is no /proc here")
	}
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if bytes.Contains(line, []byte("modelworker.py")) && bytes.Contains(line, []byte(data)) {
			out = append(out, pid)
		}
	}
	return out
}

func TestModelsThatGetAnArrayGiveWhatTheyGiveForATable(t *testing.T) {
	python, err := levadatest.LibraryPython("serving", "sklearn")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-B", "check_arrays.py")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(levadatest.Root(), "python"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestModelsThatMLflowLoggedAreServed(t *testing.T) {
	server, l := registered(t)
	t.Log(levada(t, server, "deploy", "models:/iris@champion", "--endpoint", "iris", "--wait"))
	t.Run("every row gets its own prediction", func(t *testing.T) { checkIris(t, server.URL, l, 1) })
	t.Run("versions change under load without a failed request", func(t *testing.T) {
		stop := load(t, server.URL, l.Rows)
		for _, version := range []string{"2", "1", "2"} {
			levada(t, server, "deploy", "models:/iris/"+version, "--endpoint", "iris", "--wait")
		}
		t.Logf("%d requests meanwhile", stop())
		checkIris(t, server.URL, l, 2)
	})
	t.Run("a worker that is killed costs no request", func(t *testing.T) {
		stop := load(t, server.URL, l.Rows)
		for range 2 {
			pids := workers(t, server.Data)
			if len(pids) == 0 {
				t.Fatal("there is no worker")
			}
			for _, pid := range pids {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Error(err)
				}
			}
			checkIris(t, server.URL, l, 2)
		}
		t.Logf("%d requests meanwhile", stop())
		if shown := levada(t, server, "endpoints", "iris", "--events", "50"); !strings.Contains(shown, "worker_lost") {
			t.Error(shown)
		}
	})
	t.Run("a model of nobody's flavor, with a parameter", func(t *testing.T) {
		levada(t, server, "deploy", "models:/adder/1", "--endpoint", "adder", "--wait", "--workers", "2")
		for i, row := range l.Rows[:20] {
			a, _, err := predict(t.Context(), server.URL, "adder", row, map[string]any{"add": 5})
			if err != nil {
				t.Fatal(err)
			}
			var sum float64
			var word string
			if err := json.Unmarshal(a.Outputs[0].Data[0], &sum); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(a.Outputs[1].Data[0], &word); err != nil {
				t.Fatal(err)
			}
			if math.Abs(sum-(l.Sums[i]+4)) > 1e-9 || word != l.Words[i] {
				t.Errorf("row %d: %v %q; want %v %q", i, sum, word, l.Sums[i]+4, l.Words[i])
			}
		}
	})
	t.Run("a graph changes under load without a failed request", func(t *testing.T) { changeGraph(t, server, l) })
	t.Run("what was served survives kill -9, and no worker does", func(t *testing.T) {
		levada(t, server, "traffic", "iris", "2=100", "--sticky", "--wait")
		server.Kill()
		for limit := time.After(10 * time.Second); len(workers(t, server.Data)) > 0; {
			select {
			case <-limit:
				t.Fatalf("workers outlive the server: %v", workers(t, server.Data))
			case <-time.After(10 * time.Millisecond):
			}
		}
		again := levadatest.StartOn(t, server.Data)
		checkIris(t, again.URL, l, 2) // requests wait until the worker is there
		if a, _, err := predict(t.Context(), again.URL, "both", l.Rows[0], nil); err != nil || a.Version != "2" {
			t.Errorf("the graph after a kill: %+v, %v", a, err)
		}
		shown := levada(t, again, "endpoints", "iris", "--events", "100")
		for _, want := range []string{"created", "traffic_moved", "READY", "100 %"} {
			if !strings.Contains(shown, want) {
				t.Errorf("no %q in\n%s", want, shown)
			}
		}
		levada(t, again, "undeploy", "both")
		levada(t, again, "undeploy", "iris")
		if _, status, err := predict(t.Context(), again.URL, "iris", l.Rows[0], nil); status != http.StatusNotFound {
			t.Errorf("after undeploy: %d, %v", status, err)
		}
		checkLogged(t, again, l)
	})
}
