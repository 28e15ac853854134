package runner

// workspaceMount is where the steps of a run find its workspace.
const workspaceMount = "/kfp-workspace"

// mounts lists what the step asked for at paths of its choice.
func (a *attempt) mounts() []placed {
	var out []placed
	if ws := a.step.Job.WorkspacePath; ws != "" {
		out = append(out, placed{Target: workspaceMount, Source: ws})
	}
	return out
}
