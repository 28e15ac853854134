package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"levada/internal/core/ir"
)

// defaultSharedMemory is the size of /dev/shm where a step asks for one and gives no size: what container runtimes give.
const defaultSharedMemory = 64 << 20

func (r *Runner) volumeDir(name string) string { return filepath.Join(r.opt.DataDir, "volumes", name) }

// mounts lists what the step asked for at paths of its choice, and makes the directories behind it.
func (a *attempt) mounts() ([]placed, error) {
	var out []placed
	if ws := a.step.Job.WorkspacePath; ws != "" {
		out = append(out, placed{Target: ir.WorkspaceMount, Source: ws})
	}
	files, err := a.place(a.given)
	if err != nil {
		return nil, err
	}
	out = append(out, files...)
	k := a.step.Kubernetes
	if k == nil {
		return out, nil
	}
	for _, m := range k.PVCMount {
		dir, err := a.claim(m)
		if err != nil {
			return nil, err
		}
		out = append(out, placed{Target: m.MountPath, Source: dir})
	}
	for _, m := range k.GenericEphemeralVolume {
		out = append(out, placed{Target: m.MountPath, Source: a.scratch("ephemeral", m.VolumeName, len(out))})
	}
	for _, m := range k.EmptyDirMounts {
		if m.Medium == "Memory" {
			out = append(out, placed{Target: m.MountPath, Memory: memorySize(m.SizeLimit, int64(a.opt.Memory/2))})
			continue
		}
		out = append(out, placed{Target: m.MountPath, Source: a.scratch("emptydir", m.VolumeName, len(out))})
	}
	if s := k.EnabledSharedMemory; s != nil {
		out = append(out, placed{Target: sharedMemory, Memory: memorySize(s.Size, defaultSharedMemory)})
	}
	for _, p := range out {
		if p.Source == "" {
			continue
		}
		if _, err := os.Stat(p.Source); err == nil {
			continue
		}
		if err := os.MkdirAll(p.Source, 0o755); err != nil {
			return nil, fmt.Errorf("make a volume: %w", err)
		}
	}
	return out, a.keepVisible(out)
}

func memorySize(quantity string, without int64) int64 {
	size, err := ir.Quantity(quantity)
	if err != nil || size < 1 {
		return without
	}
	return int64(size)
}

// scratch is a directory that lives as long as the step; the same name is the same directory.
func (a *attempt) scratch(kind, name string, i int) string {
	if safeElement("volume", name) != nil {
		name = strconv.Itoa(i)
	}
	return filepath.Join(a.layout.root, kind, name)
}

// claim returns the directory of a volume claim, or the one in it that is to be mounted. As a claim may have been made by
// someone else, one that does not exist is made: on a cluster the step would wait for it without end.
func (a *attempt) claim(m ir.PVCMount) (string, error) {
	if m.Constant == "" {
		return "", inputError("the volume at %s has no name: the parameter that gives it is empty", m.MountPath)
	}
	if err := safeElement("volume name", m.Constant); err != nil {
		return "", err
	}
	dir := a.volumeDir(m.Constant)
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("make volume %s: %w", m.Constant, err)
		}
		a.log.System("volume %s did not exist: it is made, an empty directory: %s", m.Constant, dir)
	}
	if m.SubPath == "" {
		return dir, nil
	}
	if !filepath.IsLocal(m.SubPath) {
		return "", inputError("sub_path %q of volume %s leads out of the volume", m.SubPath, m.Constant)
	}
	return filepath.Join(dir, m.SubPath), nil
}

// keepVisible refuses mounts that would hide what Levada and the step's Python need.
func (a *attempt) keepVisible(mounts []placed) error {
	for _, p := range mounts {
		for _, needed := range []string{a.opt.DataDir, a.env.Path, a.env.Executable()} {
			if within(needed, p.Target) || within(realPath(needed), p.Target) {
				return inputError("a mount at %s would hide %s, which the step needs: choose another mount path, or keep Levada's data elsewhere (--data)",
					p.Target, needed)
			}
		}
	}
	return nil
}
