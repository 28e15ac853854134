package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/ir"
)

// notices lists what a pipeline asks for that has no effect here, by feature and task. What has a meaning for processes is not
// in it, even where the meaning is another than on a cluster: docs/kfp.md tells that.
func (s *Service) notices(p *ir.Pipeline) []string {
	n := notices{tasks: tasksOf(p.Spec), passed: passedOn(p.Spec), asked: map[string][]string{}}
	var mounts []string
	for _, label := range slices.Sorted(maps.Keys(p.Spec.DeploymentSpec.Executors)) {
		e, k := p.Spec.DeploymentSpec.Executors[label], p.Kubernetes(label)
		if !n.passed[label]["RESOURCES"] && s.accelerators() == 0 && e.Container != nil && e.Container.Resources != nil && e.Container.Resources.Accelerator != nil {
			n.add("this machine has no accelerator: the request of %s has no effect, the step runs without", label, 1)
		}
		if k == nil {
			continue
		}
		n.executor(label, k)
		if len(k.SecretAsVolume)+len(k.ConfigMapAsVolume)+len(k.PVCMount)+len(k.EmptyDirMounts)+len(k.GenericEphemeralVolume) > 0 || k.EnabledSharedMemory != nil {
			mounts = append(mounts, n.tasks[label]...)
		}
	}
	out := n.list()
	workspace := p.Config() != nil && p.Config().Workspace != nil
	if workspace && p.Config().Workspace.Size != "" {
		out = append(out, fmt.Sprintf("the size of the workspace (%s) is not enforced", p.Config().Workspace.Size))
	}
	if (workspace || len(mounts) > 0) && s.deps.Isolation != nil {
		if err := s.deps.Isolation(); err != nil {
			what := "volumes are not at the paths they name"
			if len(mounts) > 0 {
				what += " (" + named(mounts) + ")"
			}
			out = append(out, what+", because steps cannot have mounts of their own on this machine; levada doctor says why")
		}
	}
	return out
}

func (s *Service) accelerators() int {
	if s.deps.Accelerators == nil {
		return 0
	}
	return s.deps.Accelerators()
}

// notices collects the tasks that ask for something in vain, by a text with a place for their names.
type notices struct {
	tasks map[string][]string // by executor
	// passed are the parts of the settings that the component of an executor takes over, whatever it does with them.
	passed map[string]map[string]bool
	asked  map[string][]string
}

func (n notices) add(text, label string, count int) {
	if count > 0 {
		n.asked[text] = append(n.asked[text], n.tasks[label]...)
	}
}

func (n notices) executor(label string, k *ir.KubernetesExecutor) {
	process := " of %s has no effect: steps run as processes on this machine"
	processes := strings.Replace(process, "has", "have", 1)
	passed := n.passed[label]
	if k.NodeSelector != nil && !passed["KUBERNETES_NODE_SELECTOR"] {
		n.add("the node selector"+process, label, 1)
	}
	if !passed["KUBERNETES_TOLERATIONS"] {
		n.add("the tolerations"+processes, label, len(k.Tolerations))
	}
	if !passed["KUBERNETES_AFFINITY"] {
		n.add("the node affinity"+process, label, len(k.NodeAffinity))
		n.add("the pod affinity"+process, label, len(k.PodAffinity))
	}
	n.add("the image pull secret"+process, label, len(k.ImagePullSecret))
	n.add("the image pull policy"+process, label, len(k.ImagePullPolicy))
	n.add("the security context"+process, label, len(k.SecurityContext))
	n.add("init containers"+processes, label, len(k.InitContainers))
	n.add("sidecars"+processes, label, len(k.Sidecars))
	for _, v := range k.GenericEphemeralVolume {
		n.add("size, class and access modes of the ephemeral volume of %s have no effect: it is a directory", label, len(v.Size+v.StorageClassName)+len(v.AccessModes))
	}
	for _, v := range k.EmptyDirMounts {
		if v.Medium != "Memory" {
			n.add("the size limit of the emptyDir of %s is not enforced", label, len(v.SizeLimit))
		}
	}
}

func (n notices) list() []string {
	var out []string
	for _, text := range slices.Sorted(maps.Keys(n.asked)) {
		out = append(out, fmt.Sprintf(text, named(n.asked[text])))
	}
	return out
}

// named writes the names of tasks for a person; of many the first are enough.
func named(tasks []string) string {
	const most = 8
	slices.Sort(tasks)
	tasks = slices.Compact(tasks)
	quoted := make([]string, 0, most)
	for i, t := range tasks {
		if i == most {
			return fmt.Sprintf("tasks %s and %d more", strings.Join(quoted, ", "), len(tasks)-most)
		}
		quoted = append(quoted, strconv.Quote(t))
	}
	if len(tasks) == 1 {
		return "task " + quoted[0]
	}
	return "tasks " + strings.Join(quoted, ", ")
}

// tasksOf returns the names of the tasks that run each executor.
func tasksOf(spec *ir.Spec) map[string][]string {
	out := map[string][]string{}
	graphs := []*ir.Component{spec.Root}
	for _, c := range spec.Components {
		graphs = append(graphs, c)
	}
	for _, g := range graphs {
		if g == nil || g.DAG == nil {
			continue
		}
		for name, t := range g.DAG.Tasks {
			if c := spec.Component(t); c != nil && c.ExecutorLabel != "" {
				out[c.ExecutorLabel] = append(out[c.ExecutorLabel], name)
			}
		}
	}
	return out
}

// passedOn returns the parts of a task's settings that each executor's component takes over as an input.
func passedOn(spec *ir.Spec) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, c := range spec.Components {
		for _, p := range c.TaskConfigPassthrough {
			if out[c.ExecutorLabel] == nil {
				out[c.ExecutorLabel] = map[string]bool{}
			}
			out[c.ExecutorLabel][p.Field] = true
		}
	}
	return out
}
