package mlflow

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"levada/test/levadatest"
)

// TestAnArtifactOfGigabytesGoesUpAndDown sends 5 GB of bytes that no file system can shorten, and reads them back. The server's memory
// must not grow with them.
func TestAnArtifactOfGigabytesGoesUpAndDown(t *testing.T) {
	large(t)
	const size, most = 5_000_000_000, 200 << 20
	data := t.TempDir()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(data, &disk); err != nil {
		t.Fatal(err)
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < 3*size {
		t.Skipf("%s has %d GB free, and the test wants %d GB: free some, or set TMPDIR", data, free/1e9, 3*size/1_000_000_000)
	}
	server := levadatest.StartOn(t, data)
	path := server.URL + "/api/2.0/mlflow-artifacts/artifacts/0/big/artifacts/model.bin"
	sent, got := sha256.New(), sha256.New()
	start := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, path, io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{7}), size), sent))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	answer(t, req, io.Discard)
	up := time.Since(start)
	start = time.Now()
	req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := answer(t, req, got)
	down := time.Since(start)
	peak := server.PeakMemory(t)
	t.Logf("%d bytes up in %s, down in %s; the server's memory was %d MiB at most", int64(size), up.Round(time.Millisecond), down.Round(time.Millisecond), peak>>20)
	if n != size || !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
		t.Errorf("%d bytes came back, sha256 %x, want %d and %x", n, got.Sum(nil), int64(size), sent.Sum(nil))
	}
	if peak == 0 || peak > most {
		t.Errorf("the server took %d MiB, want at most %d: it does not stream", peak>>20, int64(most)>>20)
	}
}

// answer sends a request and copies the body of its answer.
func answer(t *testing.T, req *http.Request, to io.Writer) int64 {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(to, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return n
}

// TestAClientSendsAndFetchesGigabytes does the same with the client, whose files are on the disk.
func TestAClientSendsAndFetchesGigabytes(t *testing.T) {
	large(t)
	const size = 1 << 30
	interpreter, err := levadatest.MLflowPython(recorded)
	if err != nil {
		t.Fatal(err)
	}
	server := levadatest.Start(t)
	source := fmt.Sprintf(`
import hashlib, os, random, tempfile, mlflow
def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
with tempfile.TemporaryDirectory() as dir:
    path = os.path.join(dir, "model.bin")
    with open(path, "wb") as f:
        rng = random.Random(1)
        for _ in range(%d >> 20):
            f.write(rng.randbytes(1 << 20))
    want = digest(path)
    with mlflow.start_run() as run:
        mlflow.log_artifact(path)
    back = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="model.bin", dst_path=dir + "/back")
    assert digest(back) == want, "what came back is not what was sent"
print(want)
`, size)
	cmd := script(t, interpreter, "-c", source)
	cmd.Env = append(cmd.Env, "MLFLOW_TRACKING_URI="+server.URL)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nserver:\n%s", err, out, server.Log())
	}
	t.Logf("1 GiB came back as it was sent: %s", strings.TrimSpace(lastLine(out)))
}
