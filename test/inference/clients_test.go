// Package inference_test drives the doors of serving with the real client libraries, and compares what is made of inputs with MLflow.
package inference_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"levada/internal/api/invocations"
	"levada/internal/api/oip"
	"levada/internal/api/predict/predicttest"
	"levada/test/levadatest"
)

// TestRealClients runs tritonclient over HTTP and gRPC, boto3, mlflow.deployments, MLflow's client of its scoring server and requests
// against the doors, whose service computes answers that can be checked.
func TestRealClients(t *testing.T) {
	python, err := levadatest.LibraryPython("inference", "clients")
	if err != nil {
		t.Fatal(err)
	}
	s := predicttest.New()
	log := slog.New(slog.DiscardHandler)
	doors := map[string]http.Handler{
		"oip": oip.New(oip.Options{Service: s, Logger: log, Version: "1.2.3"}), "named": invocations.New(invocations.Options{Service: s, Logger: log, Version: "1.2.3"}),
		"sum": invocations.New(invocations.Options{Service: s, Logger: log, Version: "1.2.3", Endpoint: "sum"}),
	}
	start := func(h http.HandlerFunc) string {
		server := httptest.NewUnstartedServer(h)
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetHTTP1(true)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
		t.Cleanup(server.Close)
		return server.URL
	}
	all := start(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case oip.Owns(r.URL.Path):
			doors["oip"].ServeHTTP(w, r)
		case invocations.Owns(r.URL.Path):
			doors["named"].ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
	one := start(doors["sum"].ServeHTTP)
	cmd := exec.CommandContext(t.Context(), python, "-m", "pytest", "-q", "-p", "no:cacheprovider", filepath.Join(levadatest.Root(), "test", "inference", "test_clients.py"))
	cmd.Env = append(os.Environ(), "LEVADA_URL="+all, "LEVADA_PORT_URL="+one, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_DEFAULT_REGION=us-east-1",
		"DATABRICKS_HOST="+all, "DATABRICKS_TOKEN=x", "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
}
