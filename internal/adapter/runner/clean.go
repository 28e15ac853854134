package runner

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// workspaces is the directory of the runs' workspaces.
func (r *Runner) workspaces() string { return filepath.Join(r.opt.DataDir, "workspaces") }

// Leftovers lists the runs that have files on the machine beside their logs and artifacts: working directories of failed steps, a
// workspace.
func (r *Runner) Leftovers(context.Context) ([]string, error) {
	var ids []string
	for _, dir := range []string{r.workDir(), r.workspaces()} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() && safeElement("run id", e.Name()) == nil {
				ids = append(ids, e.Name())
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// Clean removes the workspace of a run that has ended and, with all, the working directories of its failed steps and the volumes
// that were made for it alone, whose names begin with its id. Logs and artifacts stay.
func (r *Runner) Clean(_ context.Context, runID string, all bool) error {
	if err := safeElement("run id", runID); err != nil {
		return err
	}
	err := removeAll(filepath.Join(r.workspaces(), runID))
	if !all {
		return err
	}
	volumes, globErr := matches(filepath.Dir(r.volumeDir(runID)), filepath.Base(r.volumeDir(runID))+"*")
	err = errors.Join(err, globErr, removeAll(filepath.Join(r.workDir(), runID)))
	for _, v := range volumes {
		err = errors.Join(err, removeAll(v))
	}
	return err
}
