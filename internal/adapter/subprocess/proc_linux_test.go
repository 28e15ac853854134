package subprocess

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAContainerHasTheMemoryOfItsLimit(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"max": "max\n", "limit": "1073741824\n", "huge": "9223372036854771712\n", "nonsense": "-5\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]float64{"max": 16e9, "limit": 1 << 30, "huge": 16e9, "nonsense": 16e9, "missing": 16e9} {
		if got := within(16e9, filepath.Join(folder, name)); got != want {
			t.Errorf("%s: %g, want %g", name, got, want)
		}
	}
	if MachineMemory() < 1<<20 {
		t.Errorf("the machine has %g bytes", MachineMemory())
	}
}
