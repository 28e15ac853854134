package ir

// ExecutorInput is what a step is told: the JSON behind the {{$}} placeholder.
type ExecutorInput struct {
	Inputs  ExecutorInputs  `json:"inputs"`
	Outputs ExecutorOutputs `json:"outputs"`
}

// ExecutorInputs are the resolved inputs of a step.
type ExecutorInputs struct {
	ParameterValues map[string]any          `json:"parameterValues,omitempty"`
	Artifacts       map[string]ArtifactList `json:"artifacts,omitempty"`
}

// ExecutorOutputs say where a step must write its outputs.
type ExecutorOutputs struct {
	Parameters map[string]OutputFile   `json:"parameters,omitempty"`
	Artifacts  map[string]ArtifactList `json:"artifacts,omitempty"`
	// OutputFile is the path of the ExecutorOutput JSON that the step may write.
	OutputFile string `json:"outputFile"`
}

// OutputFile is the path that one output parameter is written to.
type OutputFile struct {
	OutputFile string `json:"outputFile"`
}

// ArtifactList is one or more artifacts of one input or output.
type ArtifactList struct {
	Artifacts []RuntimeArtifact `json:"artifacts"`
}

// RuntimeArtifact is an artifact as steps see it. Its name must not be empty: the kfp SDK relies on it.
type RuntimeArtifact struct {
	Name       string         `json:"name"`
	Type       ArtifactType   `json:"type"`
	URI        string         `json:"uri"`
	Metadata   map[string]any `json:"metadata,omitempty"`
	CustomPath string         `json:"customPath,omitempty"`
}

// ExecutorOutput is what a step reports in its output file. Its values win over the files of single parameters.
type ExecutorOutput struct {
	ParameterValues map[string]any          `json:"parameterValues,omitempty"`
	Artifacts       map[string]ArtifactList `json:"artifacts,omitempty"`
}

// Placeholders are the values of the run-level placeholders such as {{$.pipeline_job_name}}.
type Placeholders struct {
	JobName         string
	JobResourceName string
	JobUUID         string
	TaskName        string
	TaskUUID        string
	CreateTime      string // RFC 3339, UTC
	ScheduleTime    string // RFC 3339, UTC
	PipelineRoot    string
	WorkspacePath   string
}

// Limits are the resources of a step in plain numbers; 0 means not given.
type Limits struct {
	CPURequest    float64 // cores
	CPULimit      float64 // cores
	MemoryRequest float64 // bytes
	MemoryLimit   float64 // bytes
	// Accelerators is the number of devices asked for, of type AcceleratorType.
	Accelerators    int
	AcceleratorType string
}

// WorkspaceMount is the path at which KFP's steps find the workspace of their run.
const WorkspaceMount = "/kfp-workspace"
