package kfpclient

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

const (
	uvVersion = "0.13.8"
	// Both SDK versions support this Python; uv fetches it where the machine has another.
	pythonVersion = "3.11"
)

// cacheFolder is where environments stay between runs.
func cacheFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("LEVADA_TEST_CACHE")
	if folder == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			t.Fatalf("find a folder for Python environments: %v; set LEVADA_TEST_CACHE", err)
		}
		folder = filepath.Join(base, "levada-test")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// environment returns the interpreter of an environment that holds exactly what requirements-<version>.txt lists.
func environment(t *testing.T, python, cache, version string) string {
	t.Helper()
	requirements := "requirements-" + version + ".txt"
	content, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append(content, pythonVersion...))
	folder := filepath.Join(cache, "kfp-"+version+"-"+hex.EncodeToString(sum[:6]))
	uv := filepath.Join(uvFolder(t, python, cache), "bin", "uv")
	once(t, folder, func(folder string) {
		run(t, nil, uv, "venv", "--quiet", "--python", pythonVersion, folder)
		run(t, nil, uv, "pip", "install", "--quiet", "--python", filepath.Join(folder, "bin", "python"), "-r", requirements)
	})
	return filepath.Join(folder, "bin", "python")
}

func uvFolder(t *testing.T, python, cache string) string {
	t.Helper()
	folder := filepath.Join(cache, "uv-"+uvVersion)
	once(t, folder, func(folder string) {
		run(t, nil, python, "-m", "venv", folder)
		run(t, nil, filepath.Join(folder, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv=="+uvVersion)
	})
	return folder
}

// once fills a folder that does not exist yet. It is filled under another name, so that an interrupted or concurrent
// run never leaves or meets half an environment. Only interpreters and binaries in it may be used: scripts remember
// the first name.
func once(t *testing.T, folder string, fill func(folder string)) {
	t.Helper()
	if _, err := os.Stat(folder); err == nil {
		return
	}
	parent, name := filepath.Split(folder)
	half, err := os.MkdirTemp(parent, name+".part-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(half) // after the rename there is nothing left to remove
	inner := filepath.Join(half, "env")
	fill(inner)
	if err := os.Rename(inner, folder); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, there := os.Stat(folder); there != nil {
			t.Fatal(err)
		}
	}
}
