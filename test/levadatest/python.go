package levadatest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	uvVersion = "0.13.8"
	// Every SDK version that the tests use supports this Python; uv fetches it where the machine has another.
	pythonVersion = "3.11"
)

// CacheDir returns a directory that outlives test runs, for what is slow to install: LEVADA_TEST_CACHE, or one in the user's
// cache directory.
func CacheDir() (string, error) {
	dir := os.Getenv("LEVADA_TEST_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a folder for what tests install: %w; set LEVADA_TEST_CACHE", err)
		}
		dir = filepath.Join(user, "levada-test")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// UV returns the uv program, installed into the cache once.
func UV() (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "uv-"+uvVersion)
	err = once(dir, func(dir string) error {
		if err := command("python3", "-m", "venv", dir); err != nil {
			return err
		}
		return command(filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv=="+uvVersion)
	})
	return filepath.Join(dir, "bin", "uv"), err
}

// KFPPython returns an interpreter whose environment holds exactly what test/kfpclient/requirements-VERSION.txt lists: the kfp
// SDK of that version, and pytest.
func KFPPython(version string) (string, error) {
	return python("kfp-"+version, filepath.Join(Root(), "test", "kfpclient", "requirements-"+version+".txt"))
}

// MLflowPython is KFPPython for MLflow's client.
func MLflowPython(version string) (string, error) {
	return python("mlflow-"+version, filepath.Join(Root(), "test", "clients", "mlflow", "requirements-"+version+".txt"))
}

// LibraryPython is KFPPython for a library that a part of Levada is compared with: what test/FOLDER/requirements-LIBRARY.txt lists.
func LibraryPython(folder, library string) (string, error) {
	return python(folder+"-"+library, filepath.Join(Root(), "test", folder, "requirements-"+library+".txt"))
}

// AskPython runs a script of test/FOLDER in the environment of LibraryPython: it reads the cases from the file that is its first argument and
// writes results to that of its second, both as JSON.
func AskPython(t testing.TB, folder, library, script string, cases, results any) {
	t.Helper()
	python, err := LibraryPython(folder, library)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "cases.json"), filepath.Join(dir, "results.json")
	b, err := json.Marshal(cases)
	if err == nil {
		err = os.WriteFile(in, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(python, filepath.Join(Root(), "test", folder, script), in, out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if b, err = os.ReadFile(out); err == nil {
		err = json.Unmarshal(b, results)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// python returns an interpreter whose environment holds what a file of requirements lists. It is made once and kept in the cache.
func python(name, requirements string) (string, error) {
	content, err := os.ReadFile(requirements)
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	uv, err := UV()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append(content, pythonVersion...))
	dir := filepath.Join(cache, name+"-"+hex.EncodeToString(sum[:6]))
	err = once(dir, func(dir string) error {
		if err := command(uv, "venv", "--quiet", "--python", pythonVersion, dir); err != nil {
			return err
		}
		return command(uv, "pip", "install", "--quiet", "--python", filepath.Join(dir, "bin", "python"), "-r", requirements)
	})
	return filepath.Join(dir, "bin", "python"), err
}

// SDKPython returns a Python with the kfp SDK of a version, and whatever is newest of what that needs: for compiling only.
func SDKPython(version string) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	uv, err := UV()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "sdk-"+version+"-py"+pythonVersion)
	err = once(dir, func(dir string) error {
		if err := command(uv, "venv", "--quiet", "--python", pythonVersion, dir); err != nil {
			return err
		}
		// Old SDKs import pkg_resources, which setuptools had until version 81.
		return command(uv, "pip", "install", "--quiet", "--python", filepath.Join(dir, "bin", "python"), "kfp=="+version, "setuptools<81")
	})
	return filepath.Join(dir, "bin", "python"), err
}

// once fills a directory that does not exist yet. It is filled under another name, so that an interrupted or concurrent run
// never leaves or meets half an environment. Only interpreters and binaries in it may be used: scripts remember the first
// name.
func once(dir string, fill func(dir string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent, name := filepath.Split(dir)
	half, err := os.MkdirTemp(parent, name+".part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(half) // after the rename there is nothing left to remove
	inner := filepath.Join(half, "env")
	if err := fill(inner); err != nil {
		return err
	}
	if err := os.Rename(inner, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, there := os.Stat(dir); there != nil {
			return err
		}
	}
	return nil
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
