package mlflow

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"levada/test/levadatest"
)

func TestAHostileDirectoryGivesUpNothingAndTheRestComes(t *testing.T) {
	server := levadatest.Start(t)
	secret := filepath.Join(t.TempDir(), "secret.txt")
	write(t, secret, "the secret")
	dir := mlruns(t, filepath.Join(t.TempDir(), "mlruns"))
	run := filepath.Join(dir, "7", strings.Repeat("a", 32))
	link := func(to, at string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	id := func(c string) string { return filepath.Join(dir, "7", strings.Repeat(c, 32)) }
	meta := func(c, more string) string {
		return "run_id: " + strings.Repeat(c, 32) + "\nstatus: 3\nlifecycle_stage: active\n" + more
	}
	link(secret, filepath.Join(run, "artifacts", "out.txt"))
	link(filepath.Dir(secret), filepath.Join(run, "artifacts", "outdir"))
	link(secret, filepath.Join(run, "tags", "stolen"))
	link(secret, filepath.Join(run, "metrics", "stolen"))
	write(t, filepath.Join(run, "artifacts", "a%2e%2e%2fb"), "encoded")
	write(t, filepath.Join(run, "artifacts", "a#b"), "hash")
	write(t, filepath.Join(run, "metrics", "broken"), "1 2 3\nnot a point\n9 8 7\n")
	// Runs that are broken, each in its way.
	write(t, filepath.Join(id("b"), "meta.yaml"), "{[")
	write(t, filepath.Join(id("c"), "meta.yaml"), "run_id: "+strings.Repeat("x", 3<<20))
	write(t, filepath.Join(id("d"), "meta.yaml"), meta("e", ""))
	write(t, filepath.Join(id("f"), "meta.yaml"), "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nrun_id: "+strings.Repeat("f", 32)+"\n")
	write(t, filepath.Join(id("1"), "meta.yaml"), strings.Replace(meta("1", "artifact_uri: "+filepath.Dir(secret)+"\n"), "status: 3", "status: [1]", 1))
	write(t, filepath.Join(id("2"), "meta.yaml"), meta("2", "artifact_uri: file://"+dir+"/7/../../"+filepath.Base(filepath.Dir(secret))+"\n"))
	write(t, filepath.Join(id("3"), "meta.yaml"), meta("3", "artifact_uri: s3://bucket/x\n"))
	link(filepath.Dir(secret), filepath.Join(id("2"), "artifacts"))
	link(filepath.Dir(dir), filepath.Join(dir, "8"))
	write(t, filepath.Join(dir, "9", "meta.yaml"), "name: [1, 2]\n")
	// Models whose versions name places of this machine and others.
	for n, source := range []string{filepath.Dir(secret), "file://" + filepath.Dir(secret), "http://127.0.0.1:1/x", "../../" + filepath.Dir(secret), "runs:/" + strings.Repeat("z", 32) + "/m"} {
		name := fmt.Sprint("m", n)
		write(t, filepath.Join(dir, "models", name, "meta.yaml"), "name: "+name+"\n")
		write(t, filepath.Join(dir, "models", name, "version-1", "meta.yaml"), "name: "+name+"\nversion: 1\ncurrent_stage: None\nsource: "+source+"\n")
	}
	write(t, filepath.Join(dir, "models", "huge", "meta.yaml"), strings.Repeat("a", 2<<20))
	r, _ := bring(t, server, 0, dir)
	if r.ok {
		t.Error("the command says that all went well")
	}
	if c := r.Counts["runs"]; c.Written != 3 { // a, 2 and 3; the one without a status is refused
		t.Errorf("runs: %+v; notes %+v", c, r.Notes)
	}
	if c := r.Counts["model versions"]; c.Written != 5 {
		t.Errorf("versions: %+v", c)
	}
	text := fmt.Sprintf("%+v", r.Notes)
	for _, part := range []string{"is not YAML", "at most 1048576 are read", "that of another run", "a link to a place outside", "a line is no point",
		"percent encoding", "object store (s3)", "status", "meta.yaml cannot be read"} {
		if !strings.Contains(text, part) {
			t.Errorf("the report does not say %q: %s", part, text)
		}
	}
	// Nothing of the secret is anywhere in the server.
	err := filepath.WalkDir(server.Data, func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(p)
		if bytes.Contains(content, []byte("the secret")) {
			t.Errorf("%s holds the secret", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Run tracked }
	if err := server.Call(t.Context(), http.MethodGet, api+"/runs/get?run_id="+strings.Repeat("a", 32), nil, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Run.Data.Params) != 1 {
		t.Errorf("the good run is %+v", got)
	}
}

func TestWhatIsNoSourceIsRefusedWithAReason(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "text.db"), "no database, but long enough to be looked at as one"+strings.Repeat(".", 1000))
	write(t, filepath.Join(dir, "empty", "x"), "")
	server := levadatest.Start(t)
	foreign := filepath.Join(server.Data, "levada.db") // a database of another program
	other := levadatest.Start(t)
	for source, part := range map[string]string{
		filepath.Join(dir, "none"):                        "no such file",
		filepath.Join(dir, "text.db"):                     "cannot be read as a database",
		foreign:                                           "is not a database of MLflow",
		filepath.Join(dir, "empty"):                       "is not an mlruns directory",
		"mysql://user:word@host/db":                       "databases of this kind",
		"postgresql://user:pass-word@127.0.0.1:1/db":      "cannot be read as a database",
		"http://user:pass-word@127.0.0.1:1":               "no MLflow server",
		"postgresql://user:pass-word@127.0.0.1:port/db%%": "cannot be read",
	} {
		cmd := exec.Command(levadatest.Binary(t), "import", "mlflow", source, "--server", other.URL)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), part) || strings.Contains(string(out), "pass-word") || strings.Contains(string(out), "panic") {
			t.Errorf("%s: %v: %s; want it refused with %q", source, err, out, part)
		}
	}
}

func TestAHostileServerCannotChooseWherePathsLead(t *testing.T) {
	id := strings.Repeat("a", 32)
	answers := map[string]string{
		"/api/2.0/mlflow/experiments/search": `{"experiments": [{"experiment_id": "7", "name": "e", "artifact_location": "mlflow-artifacts:/7", "lifecycle_stage": "active", "creation_time": 1},
			{"experiment_id": "../../0", "name": "f", "lifecycle_stage": "active"}]}`,
		"/api/2.0/mlflow/runs/search": `{"runs": [{"info": {"run_id": "` + id + `", "experiment_id": "7", "status": "FINISHED", "start_time": 1, "artifact_uri": "mlflow-artifacts:/7/` + id + `/artifacts", "lifecycle_stage": "active"},
			"data": {"metrics": [{"key": "m", "value": "NaN", "timestamp": "5", "step": "1"}]}}, {"info": {"run_id": "../../x", "experiment_id": "7", "status": "FINISHED"}}]}`,
		"/api/2.0/mlflow/metrics/get-history":        `{"metrics": [{"key": "m", "value": "NaN", "timestamp": "5", "step": "1"}, {"key": "m", "value": 1e999, "timestamp": 6, "step": 2}]}`,
		"/api/2.0/mlflow-artifacts/artifacts":        `{"files": [{"path": "../../../../etc/passwd", "file_size": 1}, {"path": "/abs", "file_size": 1}, {"path": "ok.txt", "file_size": 2}, {"path": "..", "is_dir": true}]}`,
		"/api/2.0/mlflow/registered-models/search":   `{}`,
		"/api/2.0/mlflow/logged-models/search":       `{}`,
		"/version":                                   "2.22.5",
		"/api/2.0/mlflow-artifacts/artifacts/ok.txt": "ok",
	}
	var mu sync.Mutex
	var asked []string
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fake := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		switch {
		case r.URL.Path == "/api/2.0/mlflow-artifacts/artifacts/7/"+id+"/artifacts/ok.txt":
			fmt.Fprint(w, "ok")
		case answers[r.URL.Path] != "":
			fmt.Fprint(w, answers[r.URL.Path])
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = fake.Serve(listener) }() // ends with Close
	defer func() { fake.Close(); <-done }()
	server := levadatest.Start(t)
	r, _ := bring(t, server, 0, "http://"+listener.Addr().String())
	if r.ok || r.Counts["files"].Written != 1 || r.Counts["runs"].Written != 1 || r.Counts["metric points"].Written != 2 {
		t.Errorf("the report is %+v", r)
	}
	if slices.ContainsFunc(asked, func(p string) bool { return strings.Contains(p, "..") || strings.Contains(p, "passwd") }) {
		t.Errorf("asked for %v", asked)
	}
}
