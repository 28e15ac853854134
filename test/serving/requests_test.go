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
	"testing"
	"time"

	"levada/internal/core/quality"
	"levada/internal/core/reqlog"
	"levada/internal/core/rollout"
	"levada/internal/core/stats"
	"levada/test/levadatest"
)

// ask asks endpoint iris for the prediction of a row, under an id, and returns the id that the answer has and what was predicted by whom.
func ask(t *testing.T, url, id string, row []float64) (answeredID, version string, predicted int64) {
	t.Helper()
	record := map[string]float64{}
	for i, name := range columns {
		record[name] = row[i]
	}
	body, err := json.Marshal(map[string]any{"dataframe_records": []any{record}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/serving-endpoints/iris/invocations", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if id != "" {
		req.Header.Set("X-Request-Id", id)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v: %s", resp.StatusCode, err, text)
	}
	var a struct{ Predictions []int64 }
	if err := json.Unmarshal(text, &a); err != nil || len(a.Predictions) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	return resp.Header.Get("X-Request-Id"), resp.Header.Get("x-Amzn-Invoked-Production-Variant"), a.Predictions[0]
}

// logged is how many requests are written.
func loggedRequests(t *testing.T, s *levadatest.Server) reqlog.Figures {
	t.Helper()
	var f reqlog.Figures
	if err := s.Call(t.Context(), http.MethodGet, "/api/v1/endpoints/iris/requests/log", nil, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// readRequests is what PyArrow says of an export, and DuckDB of the files.
func readRequests(t *testing.T, export, directory string) (types map[string]string, rows []map[string]any, files [][]any) {
	t.Helper()
	python, err := levadatest.LibraryPython("dataset", "duckdb")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "read_requests.py", export, directory)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var read struct {
		Types map[string]string
		Rows  []map[string]any
		Files [][]any
	}
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	return read.Types, read.Rows, read.Files
}

// checkLogged has requests logged by a server that is killed.
func checkLogged(t *testing.T, server *levadatest.Server, l logged) {
	t.Helper()
	levada(t, server, "deploy", "models:/iris/1", "--endpoint", "iris", "--wait", "--log-sample", "1", "--log-drop", "petal width",
		"--lookup", lookupTable(t, server, l, 10), "--lookup-key", "plant")
	const many = 60
	for i, row := range l.Rows[:many] {
		id := fmt.Sprint("r", i)
		if answered, _, predicted := ask(t, server.URL, id, row); answered != id || predicted != l.Iris[0][i] {
			t.Fatalf("%s: answer %s has %d", id, answered, predicted)
		}
	}
	generated, _, _ := ask(t, server.URL, "", l.Rows[0])
	if len(generated) != 32 {
		t.Fatalf("an answer has the id %q", generated)
	}
	// The truth of the first is there before the server dies, and that of one whose request never comes.
	truth := filepath.Join(t.TempDir(), "truth.csv")
	lines := "request_id,actual\nnever,1\n"
	for i := range 30 {
		lines += fmt.Sprintf("r%d,%d\n", i, l.Iris[1][i])
	}
	if err := os.WriteFile(truth, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for limit := time.After(10 * time.Second); loggedRequests(t, server).Logged < many+1; {
		select {
		case <-limit:
			t.Fatalf("%+v", loggedRequests(t, server))
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Log(levada(t, server, "truth", "iris", truth))
	server.Kill()

	again := levadatest.StartOn(t, server.Data)
	about := loggedRequests(t, again)
	if about.Files != 1 && about.Files != 2 { // two where an hour passed meanwhile
		t.Errorf("after kill -9: %+v", about)
	}
	if said := levada(t, again, "truth", "iris", truth); !strings.Contains(said, "31 values: 0 new, 0 replaced, 31 unchanged; 30 are of logged requests") {
		t.Error(said)
	}
	checkExport(t, again, l, about.Directory, generated, many)
	checkQuality(t, again, l)
	checkPlain(t, again)
	checkLateLabels(t, again, l)
	checkLookup(t, again, l)
}

// checkExport compares the export and the files with what was asked.
func checkExport(t *testing.T, s *levadatest.Server, l logged, directory, generated string, many int) {
	t.Helper()
	export := filepath.Join(t.TempDir(), "requests.parquet")
	levada(t, s, "requests", "iris", "--with-truth", "-o", "parquet", "--out", export)
	types, rows, files := readRequests(t, export, directory)
	for name, want := range map[string]string{"time": "timestamp[us, tz=UTC]", "row": "int64", "latency_ms": "double", "input_sepal length": "double",
		"request_id": "string", "actual": "double", "truth_time": "timestamp[us, tz=UTC]", "input_petal width": ""} {
		if types[name] != want {
			t.Errorf("column %s is %q; want %q", name, types[name], want)
		}
	}
	seen := map[string]map[string]any{}
	sum := 0.0
	for _, r := range rows {
		seen[fmt.Sprint(r["request_id"])] = r
	}
	for i := range many {
		r := seen[fmt.Sprint("r", i)]
		sum += l.Rows[i][0]
		actual := any(nil)
		if i < 30 {
			actual = float64(l.Iris[1][i])
		}
		if r == nil || r["input_sepal length"] != l.Rows[i][0] || r["input_petal length"] != l.Rows[i][2] || r["version"] != "1" || r["role"] != "served" ||
			r["status"] != "ok" || r["actual"] != actual || !strings.Contains(fmt.Sprint(values(r, "output_")), strconv.FormatInt(l.Iris[0][i], 10)) {
			t.Fatalf("request r%d is %v", i, r)
		}
	}
	if len(rows) != many+1 || seen[generated] == nil {
		t.Errorf("%d rows", len(rows))
	}
	checkDrift(t, s, l)
	sum += l.Rows[0][0]
	if len(files) != 1 || files[0][0] != "1" || files[0][1] != "served" || files[0][2] != float64(many+1) || files[0][3] != float64(many+1) ||
		math.Abs(files[0][4].(float64)-sum) > 1e-9 {
		t.Errorf("DuckDB reads %v; want %d rows with the sum %v", files, many+1, sum)
	}
}

// checkDrift compares logged inputs with what the model learned from, which they are not unlike.
func checkDrift(t *testing.T, s *levadatest.Server, l logged) {
	t.Helper()
	dir := t.TempDir()
	train, now := filepath.Join(dir, "train.csv"), filepath.Join(dir, "now.parquet")
	lines := strings.Join(columns, ",") + "\n"
	for _, row := range l.Rows {
		lines += fmt.Sprintf("%v,%v,%v,%v\n", row[0], row[1], row[2], row[3])
	}
	if err := os.WriteFile(train, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	levada(t, s, "requests", "iris", "--role", "served", "--model-columns", "-o", "parquet", "--out", now)
	out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), "data", "drift", train, now).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "sepal length") || strings.Contains(string(out), "input_") {
		t.Errorf("%v\n%s", err, out)
	}
}

// values are those of the columns with a prefix.
func values(row map[string]any, prefix string) (out []any) {
	for name, v := range row {
		if strings.HasPrefix(name, prefix) {
			out = append(out, v)
		}
	}
	return out
}

func checkQuality(t *testing.T, s *levadatest.Server, l logged) {
	t.Helper()
	var q struct {
		Task    string
		Windows []struct {
			Version string
			N       int
			Metrics []quality.Metric
		}
		Coverage        []reqlog.Coverage
		Truths, Waiting int
	}
	if err := json.Unmarshal([]byte(levada(t, s, "quality", "iris", "-o", "json")), &q); err != nil {
		t.Fatal(err)
	}
	right := 0.0
	for i := range 30 {
		if l.Iris[0][i] == l.Iris[1][i] {
			right++
		}
	}
	if q.Task != "classification" || len(q.Windows) != 1 || q.Windows[0].N != 30 || q.Windows[0].Metrics[0].Name != "accuracy" || q.Windows[0].Metrics[0].Value != right/30 ||
		q.Truths != 31 || q.Waiting != 1 || q.Coverage[0].Requests != 61 || q.Coverage[0].WithTruth != 30 {
		t.Errorf("%+v; want an accuracy of %v", q, right/30)
	}
	t.Log(levada(t, s, "quality", "iris", "--window", "1h"))
}

// checkPlain looks at what people see, and what goes wrong.
func checkPlain(t *testing.T, s *levadatest.Server) {
	t.Helper()
	shown := levada(t, s, "requests", "iris", "--limit", "3", "--with-truth")
	for _, want := range []string{"petal length=", "served", "input_petal width is left out: dropped by the settings"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), "requests", "nobody", "--server", s.URL).CombinedOutput()
	if err == nil || !strings.Contains(string(out), `there is no endpoint "nobody"`) {
		t.Errorf("%v: %s", err, out)
	}
	ask(t, s.URL, "one more", []float64{1, 2, 3, 4})
	for limit := time.After(10 * time.Second); ; {
		resp, err := s.Get(t.Context(), "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil && bytes.Contains(text, []byte(`levada_endpoint_logged_requests_total{endpoint="iris",outcome="logged"} 1`)) {
			return
		}
		select {
		case <-limit:
			t.Fatal("the metric does not say that a request was logged")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

const qualityPlan = `
interval: 200ms
metrics:
  - {name: errors, critical: true, tolerance: 0.05}
  - {name: accuracy, critical: true, tolerance: 0.05, min_samples: 50}
canary: {steps: [{percent: 50, wait: 1s}], extensions: 0, on_inconclusive: proceed}
watch: {duration: 2m, window: 1m, holdback: 30}
`

// checkLateLabels has truth come when a version has its traffic already.
func checkLateLabels(t *testing.T, server *levadatest.Server, l logged) {
	t.Helper()
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(plan, []byte(qualityPlan), 0o600); err != nil {
		t.Fatal(err)
	}
	levada(t, server, "rollout", "start", "iris", "--to", "2", "-f", plan)
	truths := &bytes.Buffer{}
	asked := 0
	askMore := func() {
		i := asked % len(l.Rows)
		id := fmt.Sprint("q", asked)
		_, version, actual := ask(t, server.URL, id, l.Rows[i])
		if version == "2" {
			actual += int64(asked / 2 % 2) // half of what the candidate says turns out to be wrong
		}
		fmt.Fprintf(truths, "{\"request_id\": %q, \"actual\": %d}\n", id, actual)
		asked++
	}
	promoted := rolloutStatus(t, server, func(r rolledOut) bool {
		for range 20 {
			askMore()
		}
		return r.State.Stage.Phase == rollout.PhaseWatch
	})
	if promoted.State.Traffic.Shares[1] != 70 {
		t.Errorf("%+v", promoted.State.Traffic)
	}
	for range 400 {
		askMore()
	}
	resp, err := send(t.Context(), server.URL+"/api/v1/endpoints/iris/truth", "application/jsonl", truths)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests, %s", asked, resp)
	r := rolloutStatus(t, server, over)
	if r.Outcome != rollout.OutcomeRolledBack || !strings.Contains(r.Reason, "accuracy") {
		t.Errorf("%s: %s\n%s", r.Outcome, r.Reason, levada(t, server, "rollout", "events", "iris"))
	}
	t.Log(r.Reason)
	if _, version, _ := ask(t, server.URL, "", l.Rows[0]); version != "1" {
		t.Errorf("version %s answers", version)
	}
	// What comes from the truth is not reported as well.
	if _, err := send(t.Context(), server.URL+"/api/v1/endpoints/iris/values", "application/json",
		strings.NewReader(`{"values": [{"version": "1", "metric": "accuracy", "value": 1}]}`)); err == nil || !strings.Contains(err.Error(), "levada truth") {
		t.Error(err)
	}
}

func send(ctx context.Context, url, media string, body io.Reader) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", media)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	return string(text), err
}

// TestQualityIsWhatScikitLearnSays compares measures on random predictions.
func TestQualityIsWhatScikitLearnSays(t *testing.T) {
	type sample struct {
		Task  quality.Task `json:"task"`
		Pairs [][2]float64 `json:"pairs"`
	}
	var cases []sample
	d := stats.Dice(5)
	for _, task := range []quality.Task{quality.Classes, quality.Scores, quality.Numbers} {
		for _, n := range []int{40, 1000} {
			for _, classes := range []float64{2, 5} {
				c := sample{Task: task}
				for range n {
					x, y := d.Float(), d.Float()
					switch task {
					case quality.Classes:
						x, y = math.Floor(x*classes), math.Floor((x+y)/2*classes)
					case quality.Scores:
						y = math.Round((x + y) / 2)
					}
					c.Pairs = append(c.Pairs, [2]float64{x, y})
				}
				cases = append(cases, c)
			}
		}
	}
	var want []map[string]float64
	levadatest.AskPython(t, "serving", "sklearn", "quality_values.py", cases, &want)
	for i, c := range cases {
		var pairs []quality.Pair
		for _, p := range c.Pairs {
			pairs = append(pairs, quality.Pair{Predicted: reqlog.Value{Number: p[0]}, Actual: reqlog.Value{Number: p[1]}})
		}
		if task := quality.TaskOf(pairs); task != c.Task {
			t.Errorf("case %d is taken for %s; want %s", i, task, c.Task)
		}
		got := map[string]float64{}
		for _, m := range quality.Measure(c.Task, pairs) {
			got[m.Name] = m.Value
			if m.Low != nil && !(*m.Low <= m.Value && m.Value <= *m.High) {
				t.Errorf("case %d: %+v", i, m)
			}
		}
		for name, v := range want[i] {
			if math.Abs(got[name]-v) > 1e-9*math.Max(1, math.Abs(v)) {
				t.Errorf("case %d, %s of %d: %s is %v; scikit-learn says %v", i, c.Task, len(pairs), name, got[name], v)
			}
		}
	}
}

// checkLookup has an endpoint look features up in an artifact, which it did before it was killed, and in another version of it.
func checkLookup(t *testing.T, s *levadatest.Server, l logged) {
	t.Helper()
	one := func(plant int) (int, string) {
		body := fmt.Sprintf(`{"dataframe_records": [{"plant": %d, "sepal length": %v}]}`, plant, l.Rows[plant][0])
		text, err := send(t.Context(), s.URL+"/serving-endpoints/iris/invocations", "application/json", strings.NewReader(body))
		var a struct{ Predictions []int }
		if err != nil || json.Unmarshal([]byte(text), &a) != nil || len(a.Predictions) != 1 {
			return -1, fmt.Sprint(err)
		}
		return a.Predictions[0], ""
	}
	for i := range 10 {
		if got, why := one(i); int64(got) != l.Iris[0][i] {
			t.Fatalf("plant %d: %d, %s; want %d", i, got, why, l.Iris[0][i])
		}
	}
	if _, why := one(10); !strings.Contains(why, "status 400") || !strings.Contains(why, `no row where plant is \"10\"`) {
		t.Error(why)
	}
	levada(t, s, "deploy", "models:/iris/1", "--endpoint", "iris", "--wait", "--lookup", lookupTable(t, s, l, 20))
	if got, why := one(15); int64(got) != l.Iris[0][15] {
		t.Errorf("the new version of the table: %d, %s", got, why)
	}
	if shown := levada(t, s, "requests", "iris", "--limit", "1"); !strings.Contains(shown, fmt.Sprintf("sepal width=%v", l.Rows[15][1])) {
		t.Errorf("what was looked up is not logged:\n%s", shown)
	}
}

// lookupTable has a pipeline make a table of so many plants, without the column that clients send, and returns the id of its artifact.
func lookupTable(t *testing.T, s *levadatest.Server, l logged, plants int) string {
	t.Helper()
	csv := "plant,sepal width,petal length,petal width\\n"
	for i := range plants {
		csv += fmt.Sprintf("%d,%v,%v,%v\\n", i, l.Rows[i][1], l.Rows[i][2], l.Rows[i][3])
	}
	spec := filepath.Join(t.TempDir(), "plants.yaml")
	text := fmt.Sprintf(`
schemaVersion: 2.1.0
pipelineInfo: {name: plants}
deploymentSpec:
  executors:
    make: {container: {image: alpine, command: [sh, -c, 'printf "%s" > "$0"', "{{$.outputs.artifacts['data'].path}}"]}}
components:
  make: {executorLabel: make, outputDefinitions: {artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}}}
root: {dag: {tasks: {make: {componentRef: {name: make}, taskInfo: {name: make}}}}}
`, csv)
	if err := os.WriteFile(spec, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := s.Upload(t.Context(), fmt.Sprint("plants-", plants), spec)
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.Run(t.Context(), "plants", v, nil)
	if err != nil {
		t.Fatal(err)
	}
	if state, why, err := s.Wait(t.Context(), id); state != "SUCCEEDED" || err != nil {
		t.Fatal(state, why, err)
	}
	var list struct {
		Artifacts []struct{ ID string }
	}
	if err := s.Call(t.Context(), http.MethodGet, "/api/v1/runs/"+id+"/artifacts", nil, &list); err != nil || len(list.Artifacts) != 1 {
		t.Fatal(list, err)
	}
	return list.Artifacts[0].ID
}
