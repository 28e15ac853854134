package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"levada/internal/core/run"
)

// look is how often the record of a step is read that another overseer runs.
const look = 20 * time.Millisecond

// attach waits for an attempt that an earlier server started, and returns how it ended. When ctx is done the step is ended, unless
// the runner was detached.
func (r *Runner) attach(ctx context.Context, l layout, rec record, podUID string) (record, error) {
	done := ctx.Done()
	var kill <-chan time.Time
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !rec.Ended {
		if !rec.current() || !rec.Supervisor.alive() {
			return r.bury(l, podUID)
		}
		select {
		case <-tick.C:
		case <-done:
			if r.detached.Load() {
				return rec, errDetached
			}
			done = nil
			if rec.Step.alive() {
				signalStep(rec.Step.PID, syscall.SIGTERM)
			}
			t := time.NewTimer(r.opt.Grace)
			defer t.Stop()
			kill = t.C
		case <-kill:
			if rec.Step.alive() {
				signalStep(rec.Step.PID, syscall.SIGKILL)
			}
		}
		next, found, err := readRecord(l.root)
		if err != nil || !found {
			return rec, errors.Join(err, errors.New("the record of the attempt has gone"))
		}
		rec = next
	}
	switch {
	case ctx.Err() != nil:
		rec.Failure = stopped()
	case rec.Failure != nil && rec.Failure.Reason == run.ReasonCanceled:
		rec.Failure = lost("it was ended when the server was stopped")
	}
	return rec, nil
}

// bury ends what is left of an attempt whose supervisor has gone. It may have written the end of the step just before.
func (r *Runner) bury(l layout, podUID string) (record, error) {
	rec, _, err := readRecord(l.root)
	if err != nil || rec.Ended && rec.current() {
		return rec, err
	}
	why := "the process that supervised it was killed"
	if !rec.current() {
		why = "the machine was restarted while it ran"
	}
	endLeftovers(l.root, &rec, podUID)
	rec.Ended, rec.EndedAt, rec.Failure = true, r.opt.Clock(), lost(why)
	return rec, nil
}

// Recover clears what earlier processes left on the data directory: it ends the steps and removes the directories of all attempts
// but those that are open, that is, running according to the logs of their runs. It is called once, before any Run.
func (r *Runner) Recover(ctx context.Context, open []run.AttemptID) error {
	dirs, err := matches(r.workDir(), "*/*")
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		r.sweepSecrets()
		return nil
	}
	// Until earlier overseers start nothing more, a record that is not there means nothing.
	if err := r.overseer.ready(ctx); err != nil {
		return fmt.Errorf("take over from the server before: %w", err)
	}
	keep := make(map[string]bool, len(open))
	for _, id := range open {
		keep[r.attemptDir(id)] = true
	}
	var failed []string
	for _, dir := range dirs {
		rec, found, err := readRecord(dir)
		if err != nil {
			return err
		}
		if keep[dir] {
			if found && !rec.Ended {
				r.hold(dir)
			}
			continue
		}
		if found && !rec.Ended {
			r.opt.Logger.Warn("ending a step that no run waits for", "pid", rec.Step.PID, "directory", dir)
			taskID, attempt := attemptOf(dir)
			endLeftovers(dir, &rec, taskID+"-"+attempt)
		}
		if found && rec.Ended && rec.Failure != nil && r.keeps(rec.Failure) {
			failed = append(failed, dir)
			continue
		}
		if err := removeAll(dir); err != nil {
			r.opt.Logger.Warn("a working directory could not be removed", "path", dir, "error", err)
		}
		removeEmptyParent(dir)
	}
	r.sweepSecrets()
	return r.failed.adopt(failed)
}

// hold keeps a place for an attempt that runs already, before new steps are let in.
func (r *Runner) hold(root string) {
	r.gate.occupy(share{places: 1})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.awaited[root] = true
}

// unhold gives the place of hold back, if there is one.
func (r *Runner) unhold(root string) {
	r.mu.Lock()
	held := r.awaited[root]
	delete(r.awaited, root)
	r.mu.Unlock()
	if held {
		r.gate.leave(share{places: 1})
	}
}

// matches lists the paths below dir that match a pattern. What dir is called has no meaning for the pattern.
func matches(dir, pattern string) ([]string, error) {
	found, err := fs.Glob(os.DirFS(dir), pattern)
	for i, name := range found {
		found[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return found, err
}

// Forget removes what is kept of a run: its logs and everything that Clean removes.
func (r *Runner) Forget(ctx context.Context, runID string) error {
	if err := safeElement("run id", runID); err != nil {
		return err
	}
	return errors.Join(r.opt.Logs.DeleteRun(runID), r.Clean(ctx, runID, true))
}

// adopt counts in the directories that an earlier server kept.
func (k *keptDirs) adopt(dirs []string) error {
	age := make(map[string]time.Time, len(dirs))
	for _, d := range dirs {
		if st, err := os.Stat(d); err == nil {
			age[d] = st.ModTime()
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return age[a].Compare(age[b]) })
	var err error
	for _, d := range dirs {
		err = errors.Join(err, k.add(d))
	}
	return err
}
