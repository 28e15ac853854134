package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// layout is the directory of one attempt:
//
//	inputs/<input>/<n>/<task>/<name>  input artifacts, read-only, below the name of the task that made them
//	outputs/<task>/<output>           output artifacts
//	outputs/params/<name>             output parameters
//	outputs/executor_output.json      what the kfp executor reports
//	tmp/                              HOME and TMPDIR
//	cwd/                              the working directory
//	component/                        the source of a lightweight component, or arguments that are too long
//	record                            who runs it and how it ended; see record
type layout struct {
	root string
	task string
}

func (r *Runner) workDir() string { return filepath.Join(r.opt.DataDir, "work") }

func (r *Runner) layout(s *run.Step) (layout, error) {
	if err := errors.Join(safeElement("run id", s.Job.RunID), safeElement("task id", s.TaskID), safeElement("task name", s.TaskName)); err != nil {
		return layout{}, err
	}
	if s.Attempt < 1 {
		return layout{}, inputError("attempt %d of task %s: attempts count from 1", s.Attempt, s.TaskPath)
	}
	root := r.attemptDir(run.AttemptID{RunID: s.Job.RunID, TaskID: s.TaskID, Attempt: s.Attempt})
	return layout{root: root, task: s.TaskName}, nil
}

// attemptDir is the directory of an attempt: RUN/TASK.ATTEMPT.
func (r *Runner) attemptDir(id run.AttemptID) string {
	return filepath.Join(r.workDir(), id.RunID, id.TaskID+"."+strconv.Itoa(id.Attempt))
}

// attemptOf reads the name that attemptDir gave.
func attemptOf(dir string) (taskID, attempt string) {
	name := filepath.Base(dir)
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, ""
	}
	return name[:i], name[i+1:]
}

var element = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_. -]{0,199}$`)

// safeElement refuses names that would leave the directory they become part of.
func safeElement(what, name string) error {
	if !element.MatchString(name) {
		return inputError("%s %q cannot be part of a path: want letters, digits, '-', '_' and '.', not starting with '.' or '-', at most 200", what, name)
	}
	return nil
}

func inputError(format string, args ...any) error {
	return &run.Failure{Reason: run.ReasonInput, Message: fmt.Sprintf(format, args...)}
}

func (l layout) inputs() string              { return filepath.Join(l.root, "inputs") }
func (l layout) outputs() string             { return filepath.Join(l.root, "outputs") }
func (l layout) tmp() string                 { return filepath.Join(l.root, "tmp") }
func (l layout) component() string           { return filepath.Join(l.root, "component") }
func (l layout) cwd() string                 { return filepath.Join(l.root, "cwd") }
func (l layout) outputFile() string          { return filepath.Join(l.outputs(), "executor_output.json") }
func (l layout) parameter(n string) string   { return filepath.Join(l.outputs(), "params", n) }
func (l layout) artifact(name string) string { return filepath.Join(l.outputs(), l.task, name) }

// create makes the directories anew: what an earlier life of the same attempt left behind is not this step's output. Each costs time,
// so those are left out that would stay empty. The kfp executor, which runs lightweight components, makes that of the parameters itself.
func (l layout) create(c *ir.Component, lightweight bool) error {
	dirs := []string{l.root, l.outputs(), l.tmp(), l.cwd()}
	if defs := outputs(c); len(defs.Artifacts) > 0 {
		dirs = append(dirs, filepath.Join(l.outputs(), l.task))
	}
	if len(outputs(c).Parameters) > 0 && !lightweight {
		dirs = append(dirs, filepath.Join(l.outputs(), "params"))
	}
	if _, err := os.Lstat(l.root); err == nil {
		if err := removeAll(l.root); err != nil {
			return err
		}
	}
	return withParent(func() error {
		if err := os.MkdirAll(filepath.Dir(l.root), 0o755); err != nil {
			return err
		}
		return makeDirs(dirs)
	})
}

// withParent makes directories below that of a run. What makes them is called again when the run's own directory was removed
// in between, because it had just become empty. While it is being removed it still looks as if it were there, so that a little time
// has to pass: a second in all.
func withParent(makes func() error) error {
	err := makes()
	for pause := time.Millisecond; errors.Is(err, fs.ErrNotExist) && pause < time.Second; pause *= 2 {
		time.Sleep(pause)
		err = makes()
	}
	return err
}

func makeDirs(dirs []string) error {
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// executorInput builds what the step is told. It only computes paths: materialise makes the inputs appear there.
func (l layout) executorInput(s *run.Step) (*ir.ExecutorInput, error) {
	in := &ir.ExecutorInput{}
	in.Inputs.ParameterValues = s.Inputs.Parameters
	for name, list := range s.Inputs.Artifacts {
		if err := safeElement("input", name); err != nil {
			return nil, err
		}
		out := ir.ArtifactList{Artifacts: make([]ir.RuntimeArtifact, len(list))}
		for i, a := range list {
			path := l.inputPath(name, i, a)
			if rel, ok := workspaceCopy(s, a); ok {
				path = filepath.Join(seenWorkspace(s.Job), rel)
			}
			out.Artifacts[i] = runtimeArtifact(a, path)
			if _, marked := a.Metadata[inWorkspaceKey]; marked && s.Job.WorkspaceMount != ir.WorkspaceMount {
				// The SDK would look for it at the usual path, which cannot be had here.
				out.Artifacts[i].Metadata = maps.Clone(a.Metadata)
				delete(out.Artifacts[i].Metadata, inWorkspaceKey)
			}
		}
		setKey(&in.Inputs.Artifacts, name, out)
	}
	in.Outputs.OutputFile = l.outputFile()
	defs := outputs(s.Component)
	for name := range defs.Parameters {
		if err := safeElement("output parameter", name); err != nil {
			return nil, err
		}
		setKey(&in.Outputs.Parameters, name, ir.OutputFile{OutputFile: l.parameter(name)})
	}
	for name, def := range defs.Artifacts {
		if err := safeElement("output artifact", name); err != nil {
			return nil, err
		}
		a := ir.RuntimeArtifact{Name: name, Type: def.ArtifactType, URI: l.artifact(name), Metadata: declaredMetadata(def)}
		setKey(&in.Outputs.Artifacts, name, ir.ArtifactList{Artifacts: []ir.RuntimeArtifact{a}})
	}
	return in, nil
}

func setKey[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[key] = v
}

// outputs returns the declared outputs, never nil.
func outputs(c *ir.Component) *ir.OutputDefinitions {
	if c == nil || c.OutputDefinitions == nil {
		return &ir.OutputDefinitions{}
	}
	return c.OutputDefinitions
}

func declaredMetadata(def *ir.OutputArtifact) map[string]any {
	m := make(map[string]any, len(def.Metadata))
	for k, v := range def.Metadata {
		m[k] = v
	}
	return m
}

func runtimeArtifact(a run.Artifact, path string) ir.RuntimeArtifact {
	name := a.Name
	if name == "" {
		name = a.ID
	}
	if name == "" {
		name = "artifact" // the kfp executor fails on an empty name
	}
	return ir.RuntimeArtifact{
		Name: name, URI: path, Metadata: a.Metadata,
		Type: ir.ArtifactType{SchemaTitle: a.SchemaTitle, SchemaVersion: a.SchemaVersion, InstanceSchema: a.InstanceSchema},
	}
}

// inputPath is where an input artifact appears: its own URI when Levada does not hold its content.
func (l layout) inputPath(input string, i int, a run.Artifact) string {
	if a.Digest == "" {
		return a.URI
	}
	dir := filepath.Join(l.inputs(), input, strconv.Itoa(i))
	if element.MatchString(a.TaskName) {
		dir = filepath.Join(dir, a.TaskName) // KFP's URIs name the task, and steps look for it there
	}
	base := filepath.Base(strings.TrimRight(a.Name, "/"))
	if element.MatchString(base) && base != "." {
		return filepath.Join(dir, base)
	}
	return filepath.Join(dir, input)
}

// materialise makes the content of the input artifacts appear.
func (r *Runner) materialise(ctx context.Context, s *run.Step, l layout) error {
	for name, list := range s.Inputs.Artifacts {
		for i, a := range list {
			if a.Digest == "" {
				continue
			}
			if rel, ok := workspaceCopy(s, a); ok {
				if err := r.workspaceInput(ctx, s, l, a, rel); err != nil {
					return inputError("input artifact %q: its copy in the workspace could not be made: %v", name, err)
				}
				continue
			}
			dest := l.inputPath(name, i, a)
			if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
				return err
			}
			if err := r.opt.Blobs.Materialise(ctx, a.Digest, dest); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return inputError("input artifact %q: its content %s could not be brought here: %v", name, a.Digest, err)
			}
			if st, err := os.Stat(dest); err == nil && !st.IsDir() && a.Size > 0 && st.Size() != a.Size {
				return inputError("input artifact %q: its stored content %s is damaged: it has %d bytes and had %d; run the task that made it again, "+
					"without the cache", name, a.Digest, st.Size(), a.Size)
			}
		}
	}
	return nil
}

func placeholders(s *run.Step) ir.Placeholders {
	return s.Job.Placeholders(cmp.Or(s.DisplayName, s.TaskName), s.TaskID)
}

// leave decides what becomes of the directory of an attempt that has ended, and says so in its log. Settle does it.
func (r *Runner) leave(l layout, f *run.Failure, log *attemptLog) {
	keep := f != nil && r.keeps(f)
	if _, err := os.Stat(l.root); err != nil {
		return
	}
	if nearlyFull(r.opt.DataDir) {
		if keep {
			log.System("the disk is nearly full: the step's working directory is removed")
		}
		keep = false
		shed(l, f != nil)
	}
	if keep {
		log.System("the step's working directory is kept: %s", l.root)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsettled[l.root] = keep
}

// shed removes from the directory of an attempt what is not needed to give its result again. When the disk is full the result could
// not be stored otherwise, and the directory is removed only after that.
func shed(l layout, failed bool) {
	dirs := []string{l.tmp(), l.cwd(), l.inputs()}
	if failed {
		dirs = append(dirs, l.outputs())
	}
	for _, d := range dirs {
		_ = removeAll(d) // what can be removed is
	}
}

// keeps reports whether the directory of a step that failed so is kept.
func (r *Runner) keeps(f *run.Failure) bool {
	return r.opt.KeepFailed > 0 && f.Reason != run.ReasonCanceled && f.Reason != run.ReasonLost
}

// Settle says that the result of an attempt is safe with the caller. Its directory is removed, or kept for a while when the step
// failed.
func (r *Runner) Settle(id run.AttemptID) {
	root := r.attemptDir(id)
	r.mu.Lock()
	keep, ended := r.unsettled[root]
	delete(r.unsettled, root)
	r.mu.Unlock()
	if ended {
		r.settles.Go(func() { r.dispose(root, keep) })
	}
}

// dispose removes or keeps the directory of an attempt.
func (r *Runner) dispose(root string, keep bool) {
	if keep {
		if err := r.failed.add(root); err != nil {
			r.opt.Logger.Warn("old working directories could not be removed", "error", err)
		}
		return
	}
	if err := removeAll(root); err != nil {
		r.opt.Logger.Warn("a working directory could not be removed", "path", root, "error", err)
	}
	removeEmptyParent(root)
}

// nearlyFull reports whether a disk has so little room left that keeping a failed step's files could stop the server.
func nearlyFull(path string) bool {
	const least = 64 << 20
	free, total := diskSpace(path)
	return total > 0 && (free < least || free < total/100)
}

// removeEmptyParent removes the directory of the run when nothing else is in it.
func removeEmptyParent(root string) { _ = os.Remove(filepath.Dir(root)) }

// removeAll removes a tree even when the step took the write permission from its directories.
func removeAll(root string) error {
	err := os.RemoveAll(root)
	if err == nil {
		return nil
	}
	walkErr := filepath.WalkDir(root, func(path string, d os.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			// The error that counts is that of the second removal.
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return errors.Join(walkErr, os.RemoveAll(root))
}

// keptDirs remembers the working directories of failed steps, oldest first.
type keptDirs struct {
	limit int

	mu   sync.Mutex
	dirs []string
}

func (k *keptDirs) add(dir string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dirs = append(slices.DeleteFunc(k.dirs, func(d string) bool { return d == dir }), dir)
	var err error
	for len(k.dirs) > k.limit {
		err = errors.Join(err, removeAll(k.dirs[0]))
		removeEmptyParent(k.dirs[0])
		k.dirs = k.dirs[1:]
	}
	return err
}
