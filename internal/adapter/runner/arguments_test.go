package runner_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"levada/internal/adapter/runner"
	"levada/internal/core/run"
)

func TestLevadaItselfGetsArgumentsThatTheSystemDoesNotTake(t *testing.T) {
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "levada")); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(o *runner.Options) { o.Commands, o.NoIsolation = bin, true }) // the test program lies in /tmp
	for _, size := range []int{10, 131_071, 131_072, 5 << 20} {
		long := strings.Repeat("é", size/2) + "\n"
		s := f.command("alpine", "levada", "echo", long, `"last" one`)
		f.must(s)
		contains(t, f.log(s), fmt.Sprintf(`<nil> 3 arguments, the longest of %d bytes, the last "last" one`, len(long)))
	}
	s := f.command("alpine", "true", strings.Repeat("x", 200<<10))
	contains(t, f.fails(t.Context(), s, run.ReasonInput).Message, "131,071 bytes", "as artifacts")
}
