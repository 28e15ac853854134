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

// PipelineConfig holds the settings of a whole run. Times are in seconds; 0 means none.
type PipelineConfig struct {
	// The TTLs say how long what a run needed on disk is kept after its end. Those for one ending win over the general one.
	ResourceTTLOnCompletion int `json:"resourceTtlOnCompletion,omitempty"`
	ResourceTTLOnSuccess    int `json:"resourceTtlOnSuccess,omitempty"`
	ResourceTTLOnFailure    int `json:"resourceTtlOnFailure,omitempty"`
	// ActiveDeadlineSeconds bounds the whole run.
	ActiveDeadlineSeconds int        `json:"activeDeadlineSeconds,omitempty"`
	Workspace             *Workspace `json:"workspace,omitempty"`
}

// Workspace is a directory that the steps of a run share.
type Workspace struct {
	Size       string          `json:"size,omitempty"`
	Kubernetes json.RawMessage `json:"kubernetes,omitempty"`
}
