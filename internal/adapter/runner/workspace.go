package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// inWorkspaceKey is the metadata by which the KFP SDK knows that an artifact lies in the workspace: it then takes
// /kfp-workspace/.artifacts/ and the artifact's own path for where it is (dsl/types/artifact_types.py).
const inWorkspaceKey = "_kfp_workspace"

// workspaceCopy returns where in the workspace an artifact has its copy, relative to it, if it has one.
func workspaceCopy(s *run.Step, a run.Artifact) (string, bool) {
	if yes, _ := a.Metadata[inWorkspaceKey].(bool); !yes || s.Job.WorkspacePath == "" || a.Digest == "" || safeElement("task", a.TaskID) != nil {
		return "", false
	}
	base := filepath.Base(strings.TrimRight(a.URI, "/"))
	if !element.MatchString(base) || base == "." {
		base = "artifact"
	}
	return filepath.Join(".artifacts", a.TaskID, base), true
}

// seenWorkspace is where a step sees the workspace.
func seenWorkspace(j run.Job) string {
	if j.WorkspaceMount != "" {
		return j.WorkspaceMount
	}
	return j.WorkspacePath
}

// toWorkspace copies what was imported into the workspace, for steps to change as they like.
func (r *Runner) toWorkspace(s *run.Step, a run.Artifact, from string) error {
	rel, ok := workspaceCopy(s, a)
	if !ok {
		return inputError("importer: download_to_workspace needs a workspace: give the pipeline one with dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size=…))")
	}
	return r.copyToWorkspace(s.Job, from, rel)
}

func (r *Runner) copyToWorkspace(j run.Job, from, rel string) error {
	dest := filepath.Join(j.WorkspacePath, rel)
	if err := errors.Join(removeAll(dest), os.MkdirAll(filepath.Dir(dest), 0o755)); err != nil {
		return err
	}
	// The SDK puts the path that it is told below .artifacts; seen from there, it leads back to the workspace.
	back := filepath.Join(j.WorkspacePath, ".artifacts", filepath.Base(ir.WorkspaceMount))
	if err := os.Symlink("..", back); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := copyTo(from, dest); err != nil {
		return fmt.Errorf("copy into the workspace: %w", err)
	}
	return nil
}

// workspaceInput makes sure that an input artifact with a copy in the workspace has it: the importer may have run in
// another run, whose result was reused.
func (r *Runner) workspaceInput(ctx context.Context, s *run.Step, l layout, a run.Artifact, rel string) error {
	if _, err := os.Lstat(filepath.Join(s.Job.WorkspacePath, rel)); err == nil {
		return nil
	}
	held := filepath.Join(l.tmp(), "held-"+strconv.Itoa(len(rel))+"-"+filepath.Base(rel))
	if err := r.opt.Blobs.Materialise(ctx, a.Digest, held); err != nil {
		return err
	}
	return errors.Join(r.copyToWorkspace(s.Job, held, rel), removeAll(held))
}

// held finds the content that a path stood for which a step saw: that of an input or an output, or a Levada address. Steps hand
// such paths on as values, and the directories they lie in go with the step.
func (r *Runner) held(ctx context.Context, uri string) (digest string, ok bool, err error) {
	if digest, ok := strings.CutPrefix(uri, "levada://"); ok {
		return digest, true, nil
	}
	rel, inside := strings.CutPrefix(filepath.Clean(uri), r.workDir()+string(filepath.Separator))
	parts := strings.Split(rel, string(filepath.Separator))
	if !inside || len(parts) < 5 || r.opt.Task == nil {
		return "", false, nil
	}
	taskID, _ := attemptOf(parts[1])
	t, err := r.opt.Task(ctx, parts[0], taskID)
	if err != nil {
		return "", false, err
	}
	var list []run.Artifact
	i := 0
	switch {
	case parts[2] == "inputs" && (len(parts) == 6 || len(parts) == 7):
		list = t.Inputs.Artifacts[parts[3]]
		if i, err = strconv.Atoi(parts[4]); err != nil {
			i = -1
		}
	case parts[2] == "outputs" && len(parts) == 5:
		list = t.Outputs.Artifacts[parts[4]]
	}
	if i < 0 || i >= len(list) || list[i].Digest == "" {
		return "", false, inputError("importer: %s was a path of task %s, and no artifact is known by it", uri, t.Path)
	}
	return list[i].Digest, true, nil
}

// fromWorkspace returns the real place of a path in the workspace.
func fromWorkspace(j run.Job, path string) (string, bool) {
	if j.WorkspacePath == "" || !within(path, seenWorkspace(j)) {
		return path, false
	}
	return j.WorkspacePath + strings.TrimPrefix(path, seenWorkspace(j)), true
}
