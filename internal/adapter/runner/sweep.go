package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// writePid records the leader of a step's session with its start time.
func writePid(path string, pid int) error {
	return os.WriteFile(path, fmt.Appendf(nil, "%d %d\n", pid, startTime(pid)), 0o644)
}

// sweep ends the steps of a server that was killed and removes their directories: the engine starts such attempts again, and
// two of one step must not run side by side.
func (r *Runner) sweep() {
	files, err := filepath.Glob(filepath.Join(r.workDir(), "*", "*", "*", "pid"))
	if err != nil {
		return
	}
	for _, f := range files {
		var pid int
		var start uint64
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if _, err := fmt.Sscan(string(b), &pid, &start); err != nil || pid <= 1 {
			continue
		}
		if start == 0 || startTime(pid) != start {
			continue
		}
		r.opt.Logger.Warn("ending a step that outlived the server", "pid", pid, "directory", filepath.Dir(f))
		kill(pid, syscall.SIGKILL)
		for _, p := range sessionProcesses(pid) {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	r.failed.adopt()
	r.sweepSecrets(func(string) bool { return false }) // no step has outlived this
}

// Forget removes what is kept of a run: its logs and the working directories of its failed steps.
func (r *Runner) Forget(_ context.Context, runID string) error {
	if err := safeElement("run id", runID); err != nil {
		return err
	}
	return errors.Join(r.opt.Logs.DeleteRun(runID), removeAll(filepath.Join(r.workDir(), runID)))
}

// adopt counts in the directories that an earlier server kept.
func (k *keptDirs) adopt() {
	dirs, err := filepath.Glob(filepath.Join(k.root, "*", "*", "*"))
	if err != nil {
		return
	}
	age := make(map[string]time.Time, len(dirs))
	for _, d := range dirs {
		if st, err := os.Stat(d); err == nil {
			age[d] = st.ModTime()
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return age[a].Compare(age[b]) })
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dirs = dirs
}
