package runner

import (
	"errors"
	"fmt"
	"os"

	"levada/internal/core/run"
)

// The images that stand for operations on volumes in compiled pipelines; nothing is ever run in them.
const (
	createVolume = "argostub/createpvc"
	deleteVolume = "argostub/deletepvc"
)

func isVolumeStub(image string) bool { return image == createVolume || image == deleteVolume }

// volume makes or removes a directory in place of a persistent volume claim.
func (r *Runner) volume(s *run.Step, log *attemptLog) (run.Values, error) {
	name := text(s, "pvc_name")
	create := s.Executor.Container.Image == createVolume
	if suffix := text(s, "pvc_name_suffix"); create && name == "" && suffix != "" {
		name = s.Job.RunID + suffix
	}
	if create && name == "" {
		name = s.Job.RunID + "-" + s.TaskName
	}
	if err := safeElement("volume name", name); err != nil {
		return run.Values{}, err
	}
	dir := r.volumeDir(name)
	if !create {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			log.System("volume %s does not exist: nothing to delete", name)
			return run.Values{}, nil
		}
		if err := removeAll(dir); err != nil {
			return run.Values{}, fmt.Errorf("delete volume %s: %w", name, err)
		}
		log.System("volume %s is deleted", name)
		return run.Values{}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return run.Values{}, fmt.Errorf("create volume %s: %w", name, err)
	}
	log.System("volume %s is the directory %s; size, class and access modes have no effect", name, dir)
	return run.Values{Parameters: map[string]any{"name": name}}, nil
}

func text(s *run.Step, input string) string {
	v, _ := s.Inputs.Parameters[input].(string)
	return v
}
