package ir

import (
	"encoding/json"
	"slices"
	"strconv"
)

// The parts of a task's configuration that a component may take over; see TaskConfigPassthrough in pipeline_spec.proto.
const (
	passResources    = "RESOURCES"
	passEnv          = "ENV"
	passAffinity     = "KUBERNETES_AFFINITY"
	passTolerations  = "KUBERNETES_TOLERATIONS"
	passNodeSelector = "KUBERNETES_NODE_SELECTOR"
	passVolumes      = "KUBERNETES_VOLUMES"
)

// PassedOn is what becomes of a task's settings when its component takes them over.
type PassedOn struct {
	// Input is the parameter of type TASK_CONFIG, empty when the component declares none; Config is its value: fragments of a
	// pod's specification, in Kubernetes' spelling.
	Input  string
	Config map[string]any
	// Executor and Kubernetes are the task's own settings without those that are only handed over.
	Executor   *Executor
	Kubernetes *KubernetesExecutor
}

// PassOn hands the settings that a component asks for to its TASK_CONFIG input. As in KFP's driver, a setting that is passed
// through applies to the task itself only where applyToTask says so, and one that is not passed through always does. k is
// resolved; volume is the claim name of the run's workspace, empty when there is none.
func (c *Component) PassOn(e *Executor, k *KubernetesExecutor, volume string, parameters map[string]any, run Placeholders) (PassedOn, error) {
	out := PassedOn{Executor: e, Kubernetes: k}
	if len(c.TaskConfigPassthrough) == 0 || e == nil || e.Container == nil {
		return out, nil
	}
	for _, name := range sortedKeys(c.InputDefinitions.Parameters) {
		if c.InputDefinitions.Parameters[name].ParameterType == TaskConfig {
			out.Input = name
		}
	}
	if k == nil {
		k = &KubernetesExecutor{}
	}
	container, kube := *e.Container, *k
	out.Config = map[string]any{}
	s := scope{input: &ExecutorInput{Inputs: ExecutorInputs{ParameterValues: parameters}}, run: run}
	for _, p := range c.TaskConfigPassthrough {
		if err := out.pass(s, p.Field, e.Container, k, volume); err != nil {
			return out, err
		}
		if p.ApplyToTask {
			continue
		}
		switch p.Field {
		case passResources:
			container.Resources = nil
		case passEnv:
			container.Env, kube.SecretAsEnv, kube.ConfigMapAsEnv, kube.FieldPathAsEnv = nil, nil, nil, nil
		case passAffinity:
			kube.NodeAffinity, kube.PodAffinity = nil, nil
		case passTolerations:
			kube.Tolerations = nil
		case passNodeSelector:
			kube.NodeSelector = nil
		case passVolumes:
			kube.PVCMount, kube.SecretAsVolume, kube.ConfigMapAsVolume = nil, nil, nil
			kube.EmptyDirMounts, kube.GenericEphemeralVolume = nil, nil
		}
	}
	own := *e
	own.Container = &container
	out.Executor, out.Kubernetes = &own, &kube
	return out, nil
}

func (o *PassedOn) pass(s scope, field string, c *Container, k *KubernetesExecutor, workspace string) error {
	switch field {
	case passResources:
		return o.resources(s, c.Resources)
	case passEnv:
		return o.env(s, c, k)
	case passAffinity:
		if a := affinity(k); len(a) > 0 {
			o.Config["affinity"] = a
		}
	case passTolerations:
		if len(k.Tolerations) > 0 {
			o.Config["tolerations"] = jsonValue(k.Tolerations)
		}
	case passNodeSelector:
		if k.NodeSelector != nil && len(k.NodeSelector.Labels) > 0 {
			o.Config["nodeSelector"] = jsonValue(k.NodeSelector.Labels)
		}
	case passVolumes:
		o.volumes(k, workspace)
	}
	return nil
}

// resources writes what a container asks for as a pod's specification does.
func (o *PassedOn) resources(s scope, r *Resources) error {
	if r == nil {
		return nil
	}
	limits, requests := map[string]any{}, map[string]any{}
	number := func(f float64, unit string) string {
		if f == 0 {
			return ""
		}
		return strconv.FormatFloat(f, 'f', -1, 64) + unit
	}
	for _, q := range []struct {
		into          map[string]any
		name, text, n string
	}{
		{limits, "cpu", r.ResourceCPULimit, number(r.CPULimit, "")},
		{limits, "memory", r.ResourceMemoryLimit, number(r.MemoryLimit, "G")},
		{requests, "cpu", r.ResourceCPURequest, number(r.CPURequest, "")},
		{requests, "memory", r.ResourceMemoryRequest, number(r.MemoryRequest, "G")},
	} {
		text, err := s.expand(q.text)
		if err != nil {
			return err
		}
		if text == "" {
			text = q.n
		}
		if text != "" {
			q.into[q.name] = text
		}
	}
	if a := r.Accelerator; a != nil {
		kind, count := a.Type, string(a.Count)
		if a.ResourceType != "" {
			kind = a.ResourceType
		}
		if a.ResourceCount != "" {
			count = a.ResourceCount
		}
		kind, err := s.expand(kind)
		if err != nil {
			return err
		}
		if count, err = s.expand(count); err != nil {
			return err
		}
		if kind != "" && count != "" {
			limits[kind] = count
		}
	}
	out := map[string]any{}
	if len(limits) > 0 {
		out["limits"] = limits
	}
	if len(requests) > 0 {
		out["requests"] = requests
	}
	if len(out) > 0 {
		o.Config["resources"] = out
	}
	return nil
}

func (o *PassedOn) env(s scope, c *Container, k *KubernetesExecutor) error {
	var list []any
	for _, e := range c.Env {
		v, err := s.expand(e.Value)
		if err != nil {
			return err
		}
		list = append(list, map[string]any{"name": e.Name, "value": v})
	}
	list = append(list, keyRefs("secretKeyRef", k.SecretAsEnv)...)
	list = append(list, keyRefs("configMapKeyRef", k.ConfigMapAsEnv)...)
	for _, f := range k.FieldPathAsEnv {
		ref := map[string]any{"fieldPath": f.FieldPath}
		list = append(list, map[string]any{"name": f.Name, "valueFrom": map[string]any{"fieldRef": ref}})
	}
	if len(list) > 0 {
		o.Config["env"] = list
	}
	return nil
}

func keyRefs(kind string, sources []KeySource) []any {
	var list []any
	for _, src := range sources {
		for _, e := range src.KeyToEnv {
			ref := map[string]any{"name": src.Name(), "key": e.Key(), "optional": src.Optional}
			list = append(list, map[string]any{"name": e.EnvVar, "valueFrom": map[string]any{kind: ref}})
		}
	}
	return list
}

func (o *PassedOn) volumes(k *KubernetesExecutor, workspace string) {
	var volumes, mounts []any
	add := func(name, path string, source map[string]any) {
		if !slices.ContainsFunc(volumes, func(v any) bool { return v.(map[string]any)["name"] == name }) {
			source["name"] = name
			volumes = append(volumes, source)
		}
		mounts = append(mounts, map[string]any{"name": name, "mountPath": path})
	}
	claim := func(name string) map[string]any {
		return map[string]any{"persistentVolumeClaim": map[string]any{"claimName": name}}
	}
	if workspace != "" {
		add("kfp-workspace", WorkspaceMount, claim(workspace))
	}
	for _, m := range k.PVCMount {
		add(m.Constant, m.MountPath, claim(m.Constant))
		if m.SubPath != "" {
			mounts[len(mounts)-1].(map[string]any)["subPath"] = m.SubPath
		}
	}
	for _, m := range k.SecretAsVolume {
		add(m.Name(), m.MountPath, map[string]any{"secret": map[string]any{"secretName": m.Name(), "optional": m.Optional}})
	}
	for _, m := range k.ConfigMapAsVolume {
		add(m.Name(), m.MountPath, map[string]any{"configMap": map[string]any{"name": m.Name(), "optional": m.Optional}})
	}
	for _, m := range k.EmptyDirMounts {
		dir := map[string]any{}
		if m.Medium != "" {
			dir["medium"] = m.Medium
		}
		if m.SizeLimit != "" {
			dir["sizeLimit"] = m.SizeLimit
		}
		add(m.VolumeName, m.MountPath, map[string]any{"emptyDir": dir})
	}
	for _, m := range k.GenericEphemeralVolume {
		spec := map[string]any{"accessModes": jsonValue(m.AccessModes), "resources": map[string]any{"requests": map[string]any{"storage": m.Size}}}
		if m.StorageClassName != "" {
			spec["storageClassName"] = m.StorageClassName
		}
		add(m.VolumeName, m.MountPath, map[string]any{"ephemeral": map[string]any{"volumeClaimTemplate": map[string]any{"spec": spec}}})
	}
	if len(mounts) > 0 {
		o.Config["volumes"], o.Config["volumeMounts"] = volumes, mounts
	}
}

// affinity writes node affinity terms as a pod's specification does: those with a weight are preferences.
func affinity(k *KubernetesExecutor) map[string]any {
	out := map[string]any{}
	var required, preferred []any
	for _, t := range k.NodeAffinity {
		if whole, ok := t["nodeAffinity"].(map[string]any); ok { // a parameter may hold a whole affinity
			out["nodeAffinity"] = whole
			continue
		}
		term := map[string]any{}
		for _, part := range []string{"matchExpressions", "matchFields"} {
			if v, ok := t[part]; ok {
				term[part] = v
			}
		}
		if w, ok := t["weight"]; ok {
			preferred = append(preferred, map[string]any{"weight": w, "preference": term})
		} else if len(term) > 0 {
			required = append(required, term)
		}
	}
	node := map[string]any{}
	if len(required) > 0 {
		node["requiredDuringSchedulingIgnoredDuringExecution"] = map[string]any{"nodeSelectorTerms": required}
	}
	if len(preferred) > 0 {
		node["preferredDuringSchedulingIgnoredDuringExecution"] = preferred
	}
	if len(node) > 0 {
		out["nodeAffinity"] = node
	}
	return out
}

// jsonValue turns a typed value into one of encoding/json's.
func jsonValue(v any) any {
	var x any
	if json.Unmarshal([]byte(JSON(v)), &x) != nil {
		return nil
	}
	return x
}
