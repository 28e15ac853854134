package python_test

import (
	"os/exec"
	"testing"

	"levada/python"
)

func TestThePythonSideWorksOnEveryInterpreterThatIsHere(t *testing.T) {
	tested := map[string]bool{}
	for _, name := range []string{"python3", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"} {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Skip("not installed")
			}
			out, err := exec.Command(path, "-c", "import sys; print(sys.version_info >= (3, 9), sys.version)").Output()
			if err != nil || string(out[:4]) != "True" {
				t.Skipf("%s does not work or is too old: %s", path, out)
			}
			if tested[string(out)] {
				t.Skip("tested already")
			}
			tested[string(out)] = true
			if out, err := exec.CommandContext(t.Context(), path, "-B", "tests/test_warmhost.py").CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if out, err := exec.CommandContext(t.Context(), path, "-B", "-c", "import levada.testing").CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestTheFilesAreEmbedded(t *testing.T) {
	for _, name := range []string{"warmhost.py", "warmstep.py", "stepmounts.py", "kfp_paths.py"} {
		if b, err := python.Files.ReadFile(name); err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	for _, name := range []string{"levada/__init__.py", "levada/py.typed", "levada/testing/__init__.py", "levada/testing/plugin.py"} {
		if _, err := python.Library.ReadFile(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
