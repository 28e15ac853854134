package inference_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"levada/test/levadatest"
)

// TestRealClientsGetThePredictionsOfRealModels logs models with MLflow's client, deploys them with the command and asks for predictions by every
// protocol.
func TestRealClientsGetThePredictionsOfRealModels(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds environments of models")
	}
	python, err := levadatest.LibraryPython("inference", "clients")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // the server takes the port
	server := levadatest.Start(t, "LEVADA_SERVING_PORTS=iris="+address)
	folder := filepath.Join(levadatest.Root(), "test", "inference")
	env := append(os.Environ(), "PYTHONWARNINGS=ignore", "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	run := func(name string, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = env
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s%s\nthe server:\n%s", name, args, err, out, stderr.Bytes(), server.Log())
		}
		return out
	}
	lines := bytes.Split(bytes.TrimSpace(run(python, filepath.Join(folder, "log_models.py"), server.URL)), []byte("\n"))
	logged := filepath.Join(t.TempDir(), "logged.json")
	if err := os.WriteFile(logged, lines[len(lines)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{"iris", "sums", "describe"} {
		run(levadatest.Binary(t), "deploy", "models:/"+model+"/1", "--endpoint", model, "--wait", "--server", server.URL)
	}
	run(levadatest.Binary(t), "deploy", "-f", filepath.Join(folder, "graph.yaml"), "--wait", "--server", server.URL)
	env = append(env, "LEVADA_URL="+server.URL, "LEVADA_PORT_URL="+server.URL, "LEVADA_SERVED_URL="+server.URL, "LEVADA_IRIS_URL=http://"+address, "LEVADA_LOGGED="+logged,
		"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_DEFAULT_REGION=us-east-1", "DATABRICKS_HOST="+server.URL, "DATABRICKS_TOKEN=x")
	t.Logf("%s", run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", filepath.Join(folder, "test_served.py")))
}
