package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/test/levadatest"
)

// origin is an MLflow backend that was filled by MLflow's own client.
type origin struct {
	version string
	// uri is how the client reaches it.
	uri string
	// sources are arguments of `levada import mlflow`; each must bring the same.
	sources [][]string
}

// python runs a script with the MLflow of a version, in a folder of its own.
func python(t *testing.T, version, uri string, args ...string) {
	t.Helper()
	interpreter, err := levadatest.MLflowPython(version)
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs(args[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := scriptOn(t, interpreter, uri, append([]string{script}, args[1:]...)...)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// scriptOn is script for a backend of MLflow's.
func scriptOn(t *testing.T, interpreter, uri string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := script(t, interpreter, args...)
	cmd.Env = append(cmd.Env, "MLFLOW_TRACKING_URI="+uri, "PYTHONWARNINGS=ignore", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false",
		"MLFLOW_ALLOW_FILE_STORE=true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "MLFLOW_HTTP_REQUEST_MAX_RETRIES=2")
	return cmd
}

// background starts a process group that ends with the test.
func background(t *testing.T, cmd *exec.Cmd, log string) {
	t.Helper()
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
		_ = cmd.Wait()
		out.Close()
	})
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// mlflowServer starts an MLflow server on a database, with its proxy for artifacts, and returns its URL.
func mlflowServer(t *testing.T, version, database, artifacts string) string {
	t.Helper()
	interpreter, err := levadatest.MLflowPython(version)
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(freePort(t))
	cmd := scriptOn(t, interpreter, "", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1", "--backend-store-uri", database,
		"--artifacts-destination", artifacts)
	// Nothing is left of it in this test's context: it ends with the process group.
	cmd = &exec.Cmd{Path: cmd.Path, Args: cmd.Args, Env: append(cmd.Env, "PATH="+filepath.Dir(interpreter)+":"+os.Getenv("PATH")), Dir: t.TempDir()}
	log := filepath.Join(t.TempDir(), "mlflow.log")
	background(t, cmd, log)
	url := "http://127.0.0.1:" + port
	wait(t, "the MLflow server", log, func() bool {
		resp, err := http.Get(url + "/health") //nolint:noctx // the loop has a limit
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return url
}

// wait waits until something that was started answers.
func wait(t *testing.T, what, log string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(2 * time.Minute)
	for !ready() {
		select {
		case <-tick.C:
		case <-limit:
			text, _ := os.ReadFile(log)
			t.Fatalf("%s does not answer:\n%s", what, text)
		}
	}
}

// postgres starts PostgreSQL with an empty database and returns its URL.
func postgres(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // a constant pattern
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "levada-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	attributes := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // it refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("PostgreSQL does not run as root, and there is no user postgres")
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	port := strconv.Itoa(freePort(t))
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "levada", "--auth=trust", "--encoding=UTF8", "--locale=C")
	initdb.SysProcAttr, initdb.Dir = attributes, "/"
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	again := *attributes
	server := &exec.Cmd{Path: filepath.Join(bin, "postgres"), Args: []string{"postgres", "-D", data, "-h", "127.0.0.1", "-p", port, "-k", dir},
		Dir: "/", SysProcAttr: &again}
	log := filepath.Join(t.TempDir(), "postgres.log")
	background(t, server, log)
	wait(t, "PostgreSQL", log, func() bool {
		return exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port).Run() == nil
	})
	if out, err := exec.Command(filepath.Join(bin, "createdb"), "-h", "127.0.0.1", "-p", port, "-U", "levada", "mlflow").CombinedOutput(); err != nil {
		t.Fatalf("createdb: %v\n%s", err, out)
	}
	return "postgresql+psycopg2://levada@127.0.0.1:" + port + "/mlflow"
}

// makeOrigin makes a backend of a kind and fills it.
func makeOrigin(t *testing.T, version, kind string, size ...string) origin {
	t.Helper()
	dir := t.TempDir()
	o := origin{version: version}
	artifacts := filepath.Join(dir, "artifacts")
	switch kind {
	case "directory":
		o.uri = filepath.Join(dir, "mlruns")
		o.sources = [][]string{{o.uri}}
	case "sqlite":
		// Without a server MLflow puts the artifacts beside the working directory unless the experiments say where.
		o.uri = "sqlite:///" + filepath.Join(dir, "mlflow.db")
		o.sources = [][]string{{filepath.Join(dir, "mlflow.db")}}
	case "server on sqlite":
		database := "sqlite:///" + filepath.Join(dir, "mlflow.db")
		o.uri = mlflowServer(t, version, database, artifacts)
		o.sources = [][]string{{o.uri}, {database, "--artifact-root", artifacts}}
	case "server on postgres":
		database := postgres(t)
		o.uri = mlflowServer(t, version, database, artifacts)
		o.sources = [][]string{{o.uri}, {database, "--artifact-root", artifacts}}
	}
	python(t, version, o.uri, append([]string{"import_source.py"}, size...)...)
	return o
}

// bring runs the import and returns its report; killed after a while when a limit is given.
func bring(t *testing.T, server *levadatest.Server, limit time.Duration, args ...string) (imported, bool) {
	t.Helper()
	ctx := t.Context()
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, levadatest.Binary(t), append([]string{"import", "mlflow", "--server", server.URL, "-o", "json"}, args...)...)
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	err := cmd.Run() // the end of the context is a SIGKILL
	var r imported
	if ctx.Err() != nil && t.Context().Err() == nil {
		return r, false
	}
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && out.Len() > 0) {
		t.Fatalf("levada import mlflow %v: %v\n%s%s\n%s", args, err, &out, &failed, server.Log())
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	r.ok = err == nil
	return r, true
}

// imported is what the command reports.
type imported struct {
	Counts map[string]struct{ Read, Written, Before int64 }
	Notes  []struct {
		Kind, Reason string
		Count        int64
		Examples     []string
		Failed       bool
	}
	ok bool
}

// dump reads everything with the real client.
func dump(t *testing.T, version, uri string, more ...string) map[string]any {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dump.json")
	python(t, version, uri, append([]string{"import_dump.py", file}, more...)...)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// forgive takes what MLflow's client does not show of its own directories of files, though it is in them: files of runs in
// deleted experiments, which it looks for where they were before, steps of points that name a dataset, and all but the newest
// point of a logged model's metric.
func forgive(want, got map[string]any) {
	runs := got["runs"].(map[string]any)
	for id, r := range want["runs"].(map[string]any) {
		run, there := r.(map[string]any), runs[id].(map[string]any)
		if there == nil {
			continue
		}
		if run["stage"] == "deleted" {
			run["files"] = there["files"]
		}
		if h := run["history"].(map[string]any); h["acc"] != nil {
			h["acc"] = there["history"].(map[string]any)["acc"]
		}
	}
	if want["logged"] == nil {
		return
	}
	for id, m := range want["logged"].(map[string]any) {
		if there, ok := got["logged"].(map[string]any)[id].(map[string]any); ok {
			m.(map[string]any)["metrics"] = there["metrics"]
		}
	}
}

func TestAnImportBringsWhatTheClientSees(t *testing.T) {
	kinds := map[string][]string{"3.17.2": {"sqlite"}, "2.22.5": {"directory"}}
	if wanted() {
		for _, version := range clients {
			kinds[version] = []string{"directory", "sqlite", "server on sqlite", "server on postgres"}
		}
	}
	for _, version := range clients {
		for _, kind := range kinds[version] {
			t.Run(version+" "+kind, func(t *testing.T) {
				o := makeOrigin(t, version, kind)
				want, last := dump(t, version, o.uri), ""
				for n, source := range append(o.sources, nil) {
					server := levadatest.Start(t)
					if source == nil { // from a server to a server, without an MLflow server that takes a minute to start
						source = []string{last}
					}
					last = server.URL
					for range 5 { // killed at any moment, and done again
						limit := time.Duration(20+rand.IntN(400)) * time.Millisecond
						if _, ended := bring(t, server, limit, source...); ended {
							break
						}
					}
					r, _ := bring(t, server, 0, source...)
					if !r.ok {
						t.Errorf("source %d: something failed: %+v", n, r.Notes)
					}
					got := dump(t, version, server.URL)
					if kind == "directory" {
						forgive(want, got)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("source %d (-MLflow +Levada):\n%s", n, diff)
					}
					again, _ := bring(t, server, 0, source...)
					for kind, c := range again.Counts {
						if c.Written != 0 {
							t.Errorf("source %d: the second import wrote %d %s", n, c.Written, kind)
						}
					}
				}
			})
		}
	}
}

func TestALargeImportThatIsKilledAgainAndAgainBringsEverythingOnce(t *testing.T) {
	large(t)
	runs, points := "2000", "1000000"
	o := makeOrigin(t, "3.17.2", "sqlite", runs, points)
	server := levadatest.Start(t)
	kills := 0
	for range 30 {
		if _, ended := bring(t, server, time.Duration(100+rand.IntN(2000))*time.Millisecond, o.sources[0]...); ended {
			break
		}
		kills++
	}
	if _, ended := bring(t, server, 0, o.sources[0]...); !ended {
		t.Fatal("the import did not end")
	}
	want, got := dump(t, o.version, o.uri, "quick"), dump(t, o.version, server.URL, "quick")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after %d kills (-MLflow +Levada):\n%.5000s", kills, diff)
	}
	fresh := levadatest.Start(t)
	start := time.Now()
	r, _ := bring(t, fresh, 0, o.sources[0]...)
	took := time.Since(start)
	c := r.Counts["metric points"]
	if c.Written < 1_000_000 {
		t.Errorf("%d points were written", c.Written)
	}
	t.Logf("%d kills; at once: %d runs and %d points in %.1f s: %.0f runs/s, %.0f points/s", kills, r.Counts["runs"].Written, c.Written, took.Seconds(),
		float64(r.Counts["runs"].Written)/took.Seconds(), float64(c.Written)/took.Seconds())
	start = time.Now()
	if _, ended := bring(t, fresh, 0, o.sources[0]...); ended {
		t.Logf("again, with nothing to do: %.1f s", time.Since(start).Seconds())
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	server := levadatest.Start(t)
	dir := mlruns(t, filepath.Join(t.TempDir(), "mlruns"))
	r, _ := bring(t, server, 0, dir, "--dry-run")
	if c := r.Counts["runs"]; c.Read != 1 || c.Written != 0 {
		t.Errorf("counted %+v", c)
	}
	var found struct{ Experiments []struct{ Name string } }
	if err := server.Call(t.Context(), http.MethodPost, api+"/experiments/search", fields{"max_results": 10}, &found); err != nil {
		t.Fatal(err)
	}
	if len(found.Experiments) != 1 {
		t.Errorf("there are %v", found.Experiments)
	}
}

// mlruns writes a small directory as MLflow does: an experiment with a run.
func mlruns(t *testing.T, dir string) string {
	t.Helper()
	run := filepath.Join(dir, "7", strings.Repeat("a", 32))
	write(t, filepath.Join(dir, "7", "meta.yaml"), "experiment_id: '7'\nname: seven\nlifecycle_stage: active\ncreation_time: 1700000000000\nartifact_location: "+dir+"/7\n")
	write(t, filepath.Join(run, "meta.yaml"), "run_id: "+strings.Repeat("a", 32)+"\nrun_name: first\nstatus: 3\nstart_time: 1\nend_time: 2\nlifecycle_stage: active\nartifact_uri: "+run+"/artifacts\n")
	write(t, filepath.Join(run, "metrics", "m"), "1 0.5 0\n2 0.25 1\n")
	write(t, filepath.Join(run, "params", "p"), "1")
	write(t, filepath.Join(run, "artifacts", "x.txt"), "x")
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNamesThatAreTakenLoseNothing(t *testing.T) {
	server := levadatest.Start(t)
	var made struct {
		ID string `json:"experiment_id"`
	}
	if err := server.Call(t.Context(), http.MethodPost, api+"/experiments/create", fields{"name": "seven"}, &made); err != nil {
		t.Fatal(err)
	}
	dir := mlruns(t, filepath.Join(t.TempDir(), "mlruns"))
	write(t, filepath.Join(dir, "models", "price", "meta.yaml"), "name: price\ncreation_timestamp: 5\nlast_updated_timestamp: 5\n")
	write(t, filepath.Join(dir, "models", "price", "version-1", "meta.yaml"), "name: price\nversion: 1\ncurrent_stage: None\nsource: "+dir+"/7/"+strings.Repeat("a", 32)+"/artifacts\n")
	var ignored json.RawMessage
	if err := server.Call(t.Context(), http.MethodPost, api+"/registered-models/create", fields{"name": "price"}, &ignored); err != nil {
		t.Fatal(err)
	}
	if r, _ := bring(t, server, 0, dir); !r.ok || len(r.Notes) != 2 {
		t.Errorf("the report is %+v", r)
	}
	if r, _ := bring(t, server, 0, dir); !r.ok || r.Counts["runs"].Before != 1 {
		t.Errorf("the second report is %+v", r)
	}
	var found struct {
		Experiments []struct {
			ID   string `json:"experiment_id"`
			Name string `json:"name"`
		}
	}
	if err := server.Call(t.Context(), http.MethodPost, api+"/experiments/search", fields{"max_results": 10}, &found); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, e := range found.Experiments {
		names[e.Name] = e.ID
	}
	if diff := cmp.Diff(map[string]string{"Default": "0", "seven": made.ID, "seven (imported)": "7"}, names); diff != "" {
		t.Error(diff)
	}
	var version struct {
		Version struct {
			Source string `json:"source"`
		} `json:"model_version"`
	}
	if err := server.Call(t.Context(), http.MethodGet, api+"/model-versions/get?name=price-imported&version=1", nil, &version); err != nil {
		t.Fatal(err)
	}
	if want := "mlflow-artifacts:/7/" + strings.Repeat("a", 32) + "/artifacts"; version.Version.Source != want {
		t.Errorf("the source is %s, want %s", version.Version.Source, want)
	}
}
