package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"time"

	"levada/internal/cli/client"
)

// serverFileName is the file in the data directory by which commands find the server that serves it.
const serverFileName = "server.json"

// serverFile is what `levada up` leaves in the data directory while it runs.
type serverFile struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
}

// writeServerFile announces a server. The file appears whole or not at all.
func writeServerFile(dataDir string, f serverFile) error {
	body, err := json.Marshal(f)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dataDir, serverFileName+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // after the rename there is nothing to remove
	if _, err := tmp.Write(append(body, '\n')); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dataDir, serverFileName))
}

// removeServerFile takes the announcement back, unless another server has made its own since.
func removeServerFile(dataDir string, pid int) error {
	if f, ok := readServerFile(dataDir); !ok || f.PID != pid {
		return nil
	}
	return os.Remove(filepath.Join(dataDir, serverFileName))
}

func readServerFile(dataDir string) (serverFile, bool) {
	var f serverFile
	file, err := os.Open(filepath.Join(dataDir, serverFileName))
	if err != nil {
		return f, false
	}
	defer file.Close()
	ok := json.NewDecoder(io.LimitReader(file, 64<<10)).Decode(&f) == nil && f.URL != "" && f.PID > 0
	return f, ok
}

// runningServer finds the server of a data directory. A file that a killed server left behind is not believed: the
// process must live, and what answers must be Levada on this very directory.
func runningServer(ctx context.Context, dataDir string) (string, bool) {
	f, ok := readServerFile(dataDir)
	if !ok || !alive(f.PID) {
		return "", false
	}
	c, err := client.New(f.URL, nil)
	if err != nil {
		return "", false
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	info, err := c.Info(ctx)
	if err != nil || !sameDirectory(info.DataDir, dataDir) {
		return "", false
	}
	return f.URL, true
}

func sameDirectory(a, b string) bool {
	if a == b {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
