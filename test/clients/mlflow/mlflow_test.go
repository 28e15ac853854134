// Package mlflow drives a running server with unmodified MLflow clients, and compares what it answers with what an MLflow
// server answered to the same requests. The requests and workflows are in Python; this driver starts the server and makes the
// Python environments.
package mlflow

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"levada/test/levadatest"
)

// clients are the newest version of each line that is promised to work; each has its requirements file.
var clients = []string{"3.17.2", "2.22.5"}

// recorded is the version of the MLflow server whose answers are in testdata.
const recorded = "3.17.2"

func TestAnswersAreThoseOfAnMLflowServer(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not on the PATH: it sends the requests")
	}
	url := levadatest.Start(t).URL
	out, err := script(t, python, "differential.py", "check", filepath.Join("testdata", "answers-"+recorded+".json.gz"), url).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", lastLine(out))
}

// TestAnswersAreThoseOfALiveMLflowServer records again before it compares. MLFLOW_SERVER is the URL of a server without data.
func TestAnswersAreThoseOfALiveMLflowServer(t *testing.T) {
	reference := os.Getenv("MLFLOW_SERVER")
	if reference == "" {
		t.Skip("MLFLOW_SERVER names no MLflow server to compare with; make test-mlflow-all starts one")
	}
	recording := filepath.Join(t.TempDir(), "answers.json.gz")
	if out, err := script(t, "python3", "differential.py", "record", reference, recording).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := script(t, "python3", "differential.py", "check", recording, levadatest.Start(t).URL).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", lastLine(out))
}

func TestMLflowClientsWorkUnchanged(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not on the PATH: the real client cannot be run without it")
	}
	for _, version := range clients {
		t.Run("mlflow "+version, func(t *testing.T) {
			interpreter, err := levadatest.MLflowPython(version)
			if err != nil {
				t.Fatal(err)
			}
			pytest(t, interpreter, ".", "--ignore=large")
		})
	}
}

// pytest runs the tests of a folder against a new server.
func pytest(t *testing.T, interpreter string, args ...string) {
	t.Helper()
	server := levadatest.Start(t)
	cmd := script(t, interpreter, append([]string{"-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--color=no", "--durations=5"}, args...)...)
	cmd.Env = append(cmd.Env, "MLFLOW_TRACKING_URI="+server.URL, "PYTHONWARNINGS=ignore", "MLFLOW_HTTP_REQUEST_MAX_RETRIES=2")
	if wanted() {
		cmd.Env = append(cmd.Env, "LEVADA_MLFLOW_RUNS=20000")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pytest: %v\n%s\nserver:\n%s", err, out, server.Log())
	}
	t.Logf("%s", out)
}

// wanted says whether tests are to run that take gigabytes or minutes.
func wanted() bool { return os.Getenv("LEVADA_MLFLOW") == "all" }

// large skips such a test unless it is wanted.
func large(t *testing.T) {
	t.Helper()
	if !wanted() {
		t.Skip("it takes minutes or gigabytes; make test-mlflow-all (LEVADA_MLFLOW=all) runs it")
	}
}

func TestLightningAutologsUnchanged(t *testing.T) {
	large(t)
	interpreter, err := levadatest.MLflowPython("lightning")
	if err != nil {
		t.Fatal(err)
	}
	pytest(t, interpreter, "large")
}

// script runs Python in a home of its own, because the client keeps settings there. What Python compiles is kept in the cache:
// importing MLflow and scikit-learn without it takes most of a minute.
func script(t *testing.T, interpreter string, args ...string) *exec.Cmd {
	t.Helper()
	cache, err := levadatest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), interpreter, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "PYTHONPYCACHEPREFIX="+filepath.Join(cache, "pycache"), "MLFLOW_TRACKING_URI=",
		"GIT_PYTHON_REFRESH=quiet", "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true")
	return cmd
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
