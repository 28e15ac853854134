package ir

import (
	"encoding/json"

	"levada/internal/core/fault"
)

// KubernetesExecutor holds the Kubernetes extras of one executor: KubernetesExecutorConfig of kubernetes_executor_config.proto.
// The parts that mean nothing to a process are kept as they are, for the Kubernetes runner.
type KubernetesExecutor struct {
	SecretAsVolume         []SourceVolume    `json:"secretAsVolume,omitempty"`
	SecretAsEnv            []KeySource       `json:"secretAsEnv,omitempty"`
	PVCMount               []PVCMount        `json:"pvcMount,omitempty"`
	NodeSelector           *NodeSelector     `json:"nodeSelector,omitempty"`
	PodMetadata            *PodMetadata      `json:"podMetadata,omitempty"`
	ImagePullSecret        []json.RawMessage `json:"imagePullSecret,omitempty"`
	ImagePullPolicy        string            `json:"imagePullPolicy,omitempty"`
	ConfigMapAsVolume      []SourceVolume    `json:"configMapAsVolume,omitempty"`
	ConfigMapAsEnv         []KeySource       `json:"configMapAsEnv,omitempty"`
	ActiveDeadlineSeconds  json.Number       `json:"activeDeadlineSeconds,omitempty"`
	FieldPathAsEnv         []FieldPathEnv    `json:"fieldPathAsEnv,omitempty"`
	Tolerations            []map[string]any  `json:"tolerations,omitempty"`
	GenericEphemeralVolume []EphemeralVolume `json:"genericEphemeralVolume,omitempty"`
	NodeAffinity           []map[string]any  `json:"nodeAffinity,omitempty"`
	PodAffinity            []map[string]any  `json:"podAffinity,omitempty"`
	EnabledSharedMemory    *SharedMemory     `json:"enabledSharedMemory,omitempty"`
	EmptyDirMounts         []EmptyDirMount   `json:"emptyDirMounts,omitempty"`
	SecurityContext        json.RawMessage   `json:"securityContext,omitempty"`
	InitContainers         []json.RawMessage `json:"initContainers,omitempty"`
	Sidecars               []json.RawMessage `json:"sidecars,omitempty"`
}

// KeySource takes environment variables from a secret or a config map.
type KeySource struct {
	SecretName    string         `json:"secretName,omitempty"`
	SecretParam   *TaskParameter `json:"secretNameParameter,omitempty"`
	ConfigMapName string         `json:"configMapName,omitempty"`
	ConfigMap     *TaskParameter `json:"configMapNameParameter,omitempty"`
	KeyToEnv      []KeyToEnv     `json:"keyToEnv,omitempty"`
	Optional      bool           `json:"optional,omitempty"`
}

// Name is the name of the secret or config map, once Resolve has set it.
func (s KeySource) Name() string { return s.SecretName + s.ConfigMapName }

// KeyToEnv maps one key to one variable.
type KeyToEnv struct {
	SecretKey    string `json:"secretKey,omitempty"`
	ConfigMapKey string `json:"configMapKey,omitempty"`
	EnvVar       string `json:"envVar"`
}

// Key is the key in the secret or config map.
func (k KeyToEnv) Key() string { return k.SecretKey + k.ConfigMapKey }

// SourceVolume makes the keys of a secret or a config map appear as files.
type SourceVolume struct {
	SecretName    string         `json:"secretName,omitempty"`
	SecretParam   *TaskParameter `json:"secretNameParameter,omitempty"`
	ConfigMapName string         `json:"configMapName,omitempty"`
	ConfigMap     *TaskParameter `json:"configMapNameParameter,omitempty"`
	MountPath     string         `json:"mountPath,omitempty"`
	Optional      bool           `json:"optional,omitempty"`
}

// Name is the name of the secret or config map, once Resolve has set it.
func (s SourceVolume) Name() string { return s.SecretName + s.ConfigMapName }

// PVCMount makes a volume claim, or a directory in it, appear at a path. The three ways to name it beside PVCNameParameter are
// deprecated; Resolve leaves the name in Constant.
type PVCMount struct {
	TaskOutputParameter     *TaskOutputParameter `json:"taskOutputParameter,omitempty"`
	Constant                string               `json:"constant,omitempty"`
	ComponentInputParameter string               `json:"componentInputParameter,omitempty"`
	MountPath               string               `json:"mountPath,omitempty"`
	PVCNameParameter        *TaskParameter       `json:"pvcNameParameter,omitempty"`
	SubPath                 string               `json:"subPath,omitempty"`
}

// EphemeralVolume is a volume that lives as long as the step.
type EphemeralVolume struct {
	VolumeName          string          `json:"volumeName,omitempty"`
	MountPath           string          `json:"mountPath,omitempty"`
	AccessModes         []string        `json:"accessModes,omitempty"`
	Size                string          `json:"size,omitempty"`
	DefaultStorageClass bool            `json:"defaultStorageClass,omitempty"`
	StorageClassName    string          `json:"storageClassName,omitempty"`
	Metadata            json.RawMessage `json:"metadata,omitempty"`
}

// EmptyDirMount is a directory, or memory, that lives as long as the step.
type EmptyDirMount struct {
	VolumeName string `json:"volumeName,omitempty"`
	MountPath  string `json:"mountPath,omitempty"`
	// Medium is "Memory", or empty for the disk.
	Medium    string `json:"medium,omitempty"`
	SizeLimit string `json:"sizeLimit,omitempty"`
}

// SharedMemory sets the size of /dev/shm.
type SharedMemory struct {
	VolumeName string `json:"volumeName,omitempty"`
	Size       string `json:"size,omitempty"`
}

// NodeSelector says which nodes a pod may run on.
type NodeSelector struct {
	Labels map[string]string `json:"labels,omitempty"`
	JSON   *TaskParameter    `json:"nodeSelectorJson,omitempty"`
}

// PodMetadata are labels and annotations of the step.
type PodMetadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// FieldPathEnv is a variable filled from the step's own metadata.
type FieldPathEnv struct {
	Name      string `json:"name"`
	FieldPath string `json:"fieldPath"`
}

// Resolve returns the extras with every name that is given by a parameter filled in. value returns the value of a parameter as
// the task's inputs would have it, nil for an optional one that was left out. The extras themselves are not changed.
func (k *KubernetesExecutor) Resolve(value func(*TaskParameter) (any, error)) (*KubernetesExecutor, error) {
	if k == nil {
		return nil, nil
	}
	r := resolver{value: value}
	out := *k
	out.SecretAsEnv = resolveEach(k.SecretAsEnv, func(s *KeySource) { r.text("secret name", &s.SecretName, &s.SecretParam) })
	out.ConfigMapAsEnv = resolveEach(k.ConfigMapAsEnv, func(s *KeySource) { r.text("config map name", &s.ConfigMapName, &s.ConfigMap) })
	out.SecretAsVolume = resolveEach(k.SecretAsVolume, func(s *SourceVolume) { r.text("secret name", &s.SecretName, &s.SecretParam) })
	out.ConfigMapAsVolume = resolveEach(k.ConfigMapAsVolume, func(s *SourceVolume) { r.text("config map name", &s.ConfigMapName, &s.ConfigMap) })
	out.PVCMount = resolveEach(k.PVCMount, r.claim)
	if n := k.NodeSelector; n != nil && n.JSON != nil {
		selector := *n
		var labels map[string]string
		r.structure("node selector", n.JSON, &labels)
		selector.Labels, selector.JSON = labels, nil
		out.NodeSelector = &selector
	}
	out.Tolerations = r.structures("toleration", "tolerationJson", k.Tolerations)
	out.NodeAffinity = r.structures("node affinity", "nodeAffinityJson", k.NodeAffinity)
	return &out, r.err
}

func resolveEach[T any](list []T, resolve func(*T)) []T {
	out := make([]T, len(list))
	copy(out, list)
	for i := range out {
		resolve(&out[i])
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// resolver fills in parameters; the first error stays.
type resolver struct {
	value func(*TaskParameter) (any, error)
	err   error
}

func (r *resolver) get(what string, p *TaskParameter) any {
	v, err := r.value(p)
	if err != nil && r.err == nil {
		r.err = fault.Invalidf("%s: %w", what, err)
	}
	return v
}

// text sets into to the value of a parameter and forgets the parameter.
func (r *resolver) text(what string, into *string, p **TaskParameter) {
	if *p == nil {
		return
	}
	switch v := r.get(what, *p).(type) {
	case nil:
		*into = ""
	case string:
		*into = v
	default:
		if r.err == nil {
			r.err = fault.Invalidf("%s: want a string, got %s", what, kindOf(v))
		}
	}
	*p = nil
}

func (r *resolver) claim(m *PVCMount) {
	p := m.PVCNameParameter
	switch {
	case p != nil:
	case m.TaskOutputParameter != nil:
		p = &TaskParameter{TaskOutputParameter: m.TaskOutputParameter}
	case m.ComponentInputParameter != "":
		p = &TaskParameter{ComponentInputParameter: m.ComponentInputParameter}
	}
	r.text("volume claim name", &m.Constant, &p)
	m.PVCNameParameter, m.TaskOutputParameter, m.ComponentInputParameter = nil, nil, ""
}

// structure reads the value of a parameter, a mapping or the JSON text of one, into a Go value.
func (r *resolver) structure(what string, p *TaskParameter, into any) {
	v := r.get(what, p)
	if v == nil || r.err != nil {
		return
	}
	text, isText := v.(string)
	if !isText {
		text = JSON(v)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		r.err = fault.Invalidf("%s: want a mapping, got %s", what, kindOf(v))
	}
}

// structures replaces the items that are given by a parameter: by what it holds, one item or a list, or by nothing.
func (r *resolver) structures(what, field string, list []map[string]any) []map[string]any {
	var out []map[string]any
	for _, item := range list {
		raw, given := item[field]
		if !given {
			out = append(out, item)
			continue
		}
		var p TaskParameter
		if err := json.Unmarshal([]byte(JSON(raw)), &p); err != nil {
			if r.err == nil {
				r.err = fault.Invalidf("%s: %w", what, err)
			}
			continue
		}
		var v json.RawMessage
		r.structure(what, &p, &v)
		var items []map[string]any
		var one map[string]any
		switch {
		case len(v) == 0 || string(v) == "null":
		case json.Unmarshal(v, &items) == nil:
			out = append(out, items...)
		case json.Unmarshal(v, &one) == nil:
			if len(one) > 0 {
				out = append(out, one)
			}
		case r.err == nil:
			r.err = fault.Invalidf("%s: want a mapping or a list of mappings", what)
		}
	}
	return out
}

// check refuses extras that could not be resolved whatever the inputs: a parameter without a source, a mount without a path.
func (k *KubernetesExecutor) check() error {
	parameters := []*TaskParameter{}
	for _, s := range append(append([]KeySource{}, k.SecretAsEnv...), k.ConfigMapAsEnv...) {
		parameters = append(parameters, s.SecretParam, s.ConfigMap)
		for _, e := range s.KeyToEnv {
			if e.EnvVar == "" || e.Key() == "" {
				return fault.Invalidf("keyToEnv: want a key and an envVar")
			}
		}
	}
	paths := []string{}
	for _, s := range append(append([]SourceVolume{}, k.SecretAsVolume...), k.ConfigMapAsVolume...) {
		parameters = append(parameters, s.SecretParam, s.ConfigMap)
		paths = append(paths, s.MountPath)
	}
	for _, m := range k.PVCMount {
		parameters = append(parameters, m.PVCNameParameter)
		paths = append(paths, m.MountPath)
	}
	for _, m := range k.GenericEphemeralVolume {
		paths = append(paths, m.MountPath)
	}
	for _, m := range k.EmptyDirMounts {
		paths = append(paths, m.MountPath)
		if _, err := Quantity(m.SizeLimit); m.SizeLimit != "" && err != nil {
			return fault.Invalidf("emptyDirMounts: sizeLimit: %w", err)
		}
	}
	if s := k.EnabledSharedMemory; s != nil && s.Size != "" {
		if _, err := Quantity(s.Size); err != nil {
			return fault.Invalidf("enabledSharedMemory: size: %w", err)
		}
	}
	if k.NodeSelector != nil {
		parameters = append(parameters, k.NodeSelector.JSON)
	}
	for _, p := range parameters {
		if p != nil && p.TaskOutputParameter == nil && p.ComponentInputParameter == "" && p.RuntimeValue == nil {
			return fault.Invalidf("a parameter has no source: want taskOutputParameter, runtimeValue or componentInputParameter")
		}
	}
	for _, path := range paths {
		if len(path) < 2 || path[0] != '/' {
			return fault.Invalidf("mountPath %q: want an absolute path other than /", shorten(path))
		}
	}
	return nil
}

// check refuses settings of a run that mean nothing.
func (c *PipelineConfig) check() error {
	if c.ActiveDeadlineSeconds < 0 || c.ResourceTTLOnCompletion < 0 || c.ResourceTTLOnSuccess < 0 || c.ResourceTTLOnFailure < 0 {
		return fault.Invalidf("want no negative numbers of seconds")
	}
	if w := c.Workspace; w != nil && w.Size != "" {
		if _, err := Quantity(w.Size); err != nil {
			return fault.Invalidf("workspace: size: %w", err)
		}
	}
	return nil
}
