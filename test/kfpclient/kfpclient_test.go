// Package kfpclient drives a running server with unmodified kfp.Client objects, one SDK version after the other. The
// tests themselves are in Python; this driver starts the server and makes the Python environments.
package kfpclient

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"levada/test/levadatest"
)

// sdkVersions are the newest that can be installed everywhere and the one of two years before it; each has its requirements file.
var sdkVersions = []string{"2.17.0", "2.10.1"}

func TestKFPClientsWorkUnchanged(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not on the PATH: the real kfp.Client cannot be run without it")
	}
	for _, version := range sdkVersions {
		t.Run("kfp "+version, func(t *testing.T) {
			interpreter, err := levadatest.KFPPython(version)
			if err != nil {
				t.Fatal(err)
			}
			runTests(t, interpreter, levadatest.Start(t).URL)
		})
	}
}

// runTests runs the Python tests in an own home, because the client keeps settings there.
func runTests(t *testing.T, interpreter, url string) {
	cmd := exec.CommandContext(t.Context(), interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", ".")
	cmd.Env = append(os.Environ(), "LEVADA_URL="+url, "HOME="+t.TempDir(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore::FutureWarning")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pytest: %v\n%s", err, out)
	}
	t.Logf("%s", lastLine(out))
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
