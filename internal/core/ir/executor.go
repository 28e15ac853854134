package ir

import "encoding/json"

// Executor says how a component runs. Exactly one field is set.
type Executor struct {
	Container *Container      `json:"container,omitempty"`
	Importer  *Importer       `json:"importer,omitempty"`
	Resolver  json.RawMessage `json:"resolver,omitempty"`
	CustomJob json.RawMessage `json:"customJob,omitempty"`
}

// Container is a command in an image.
type Container struct {
	Image     string          `json:"image"`
	Command   []string        `json:"command,omitempty"`
	Args      []string        `json:"args,omitempty"`
	Lifecycle json.RawMessage `json:"lifecycle,omitempty"`
	Resources *Resources      `json:"resources,omitempty"`
	Env       []EnvVar        `json:"env,omitempty"`
}

// EnvVar is one environment variable.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Resources are what a container asks for. The numeric fields are the deprecated spelling (cores and GB); the
// string ones are Kubernetes quantities and may hold placeholders.
type Resources struct {
	CPULimit              float64      `json:"cpuLimit,omitempty"`
	MemoryLimit           float64      `json:"memoryLimit,omitempty"`
	CPURequest            float64      `json:"cpuRequest,omitempty"`
	MemoryRequest         float64      `json:"memoryRequest,omitempty"`
	ResourceCPULimit      string       `json:"resourceCpuLimit,omitempty"`
	ResourceMemoryLimit   string       `json:"resourceMemoryLimit,omitempty"`
	ResourceCPURequest    string       `json:"resourceCpuRequest,omitempty"`
	ResourceMemoryRequest string       `json:"resourceMemoryRequest,omitempty"`
	Accelerator           *Accelerator `json:"accelerator,omitempty"`
}

// Accelerator is a number of devices of a type.
type Accelerator struct {
	Type          string      `json:"type,omitempty"`
	Count         json.Number `json:"count,omitempty"`
	ResourceType  string      `json:"resourceType,omitempty"`
	ResourceCount string      `json:"resourceCount,omitempty"`
}

// Importer brings an artifact from outside into the run.
type Importer struct {
	ArtifactURI         ValueOrRuntime             `json:"artifactUri"`
	TypeSchema          ArtifactType               `json:"typeSchema"`
	Properties          map[string]json.RawMessage `json:"properties,omitempty"`
	CustomProperties    map[string]json.RawMessage `json:"customProperties,omitempty"`
	Reimport            bool                       `json:"reimport,omitempty"`
	Metadata            map[string]any             `json:"metadata,omitempty"`
	DownloadToWorkspace bool                       `json:"downloadToWorkspace,omitempty"`
}

// PlatformSpec is the second document of a package.
type PlatformSpec struct {
	Platforms map[string]*SinglePlatform `json:"platforms"`
}

// SinglePlatform is what a pipeline asks of one platform.
type SinglePlatform struct {
	DeploymentSpec struct {
		Executors map[string]json.RawMessage `json:"executors,omitempty"`
	} `json:"deploymentSpec"`
	Platform       string          `json:"platform,omitempty"`
	Config         json.RawMessage `json:"config,omitempty"`
	PipelineConfig *PipelineConfig `json:"pipelineConfig,omitempty"`
}

// PipelineConfig holds the settings of a whole run.
type PipelineConfig struct {
	ResourceTTLOnCompletion int             `json:"resourceTtlOnCompletion,omitempty"`
	ResourceTTLOnSuccess    int             `json:"resourceTtlOnSuccess,omitempty"`
	ResourceTTLOnFailure    int             `json:"resourceTtlOnFailure,omitempty"`
	ActiveDeadlineSeconds   int             `json:"activeDeadlineSeconds,omitempty"`
	Workspace               json.RawMessage `json:"workspace,omitempty"`
}

// KubernetesExecutor holds the Kubernetes extras of one executor. The parts that mean nothing to a process are
// kept as they are, for the Kubernetes runner.
type KubernetesExecutor struct {
	SecretAsVolume         []json.RawMessage `json:"secretAsVolume,omitempty"`
	SecretAsEnv            []KeySource       `json:"secretAsEnv,omitempty"`
	PVCMount               []json.RawMessage `json:"pvcMount,omitempty"`
	NodeSelector           json.RawMessage   `json:"nodeSelector,omitempty"`
	PodMetadata            *PodMetadata      `json:"podMetadata,omitempty"`
	ImagePullSecret        []json.RawMessage `json:"imagePullSecret,omitempty"`
	ImagePullPolicy        string            `json:"imagePullPolicy,omitempty"`
	ConfigMapAsVolume      []json.RawMessage `json:"configMapAsVolume,omitempty"`
	ConfigMapAsEnv         []KeySource       `json:"configMapAsEnv,omitempty"`
	ActiveDeadlineSeconds  json.Number       `json:"activeDeadlineSeconds,omitempty"`
	FieldPathAsEnv         []FieldPathEnv    `json:"fieldPathAsEnv,omitempty"`
	Tolerations            []json.RawMessage `json:"tolerations,omitempty"`
	GenericEphemeralVolume []json.RawMessage `json:"genericEphemeralVolume,omitempty"`
	NodeAffinity           []json.RawMessage `json:"nodeAffinity,omitempty"`
	PodAffinity            []json.RawMessage `json:"podAffinity,omitempty"`
	EnabledSharedMemory    json.RawMessage   `json:"enabledSharedMemory,omitempty"`
	EmptyDirMounts         []json.RawMessage `json:"emptyDirMounts,omitempty"`
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

// KeyToEnv maps one key to one variable.
type KeyToEnv struct {
	SecretKey    string `json:"secretKey,omitempty"`
	ConfigMapKey string `json:"configMapKey,omitempty"`
	EnvVar       string `json:"envVar"`
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
