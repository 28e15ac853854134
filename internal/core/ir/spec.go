// Package ir is KFP's PipelineSpec: its types, how it is read and checked, and how its placeholders,
// expressions and digests are computed.
//
// Everything here is pure. The package does not know runs, storage or HTTP. Start reading at Parse; the
// types are those of kubeflow/pipelines api/v2alpha1/pipeline_spec.proto and
// kubernetes_platform/proto/kubernetes_executor_config.proto, with protojson's names.
package ir

import (
	"encoding/json"

	"levada/internal/core/expr"
)

// Pipeline is a whole package: the specification and, where the file has a second document, what it asks of
// Kubernetes.
type Pipeline struct {
	Spec     *Spec
	Platform *PlatformSpec
	// Digest is the SHA-256 of the canonical JSON of both ("sha256:…").
	Digest string
	// Canonical is that JSON: an object with pipeline_spec and, where there is one, platform_spec.
	Canonical []byte

	kubernetes map[string]*KubernetesExecutor
	// programs are the compiled expressions by their text, filled by Parse and only read after it.
	programs map[string]*expr.Program
}

// Spec is a PipelineSpec.
type Spec struct {
	PipelineInfo        PipelineInfo          `json:"pipelineInfo"`
	DeploymentSpec      DeploymentSpec        `json:"deploymentSpec"`
	SDKVersion          string                `json:"sdkVersion,omitempty"`
	SchemaVersion       string                `json:"schemaVersion"`
	Components          map[string]*Component `json:"components,omitempty"`
	Root                *Component            `json:"root"`
	DefaultPipelineRoot string                `json:"defaultPipelineRoot,omitempty"`
}

// PipelineInfo names a pipeline.
type PipelineInfo struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName,omitempty"`
	Description string `json:"description,omitempty"`
}

// DeploymentSpec holds the executors by label.
type DeploymentSpec struct {
	Executors map[string]*Executor `json:"executors,omitempty"`
}

// Component is something with inputs and outputs: a DAG of tasks or an executor.
type Component struct {
	InputDefinitions      *InputDefinitions  `json:"inputDefinitions,omitempty"`
	OutputDefinitions     *OutputDefinitions `json:"outputDefinitions,omitempty"`
	DAG                   *DAG               `json:"dag,omitempty"`
	ExecutorLabel         string             `json:"executorLabel,omitempty"`
	SinglePlatformSpecs   []json.RawMessage  `json:"singlePlatformSpecs,omitempty"`
	TaskConfigPassthrough []TaskConfigField  `json:"taskConfigPassthroughs,omitempty"`
}

// TaskConfigField names a part of a task's configuration that is handed to the task as an input.
type TaskConfigField struct {
	Field       string `json:"field"`
	ApplyToTask bool   `json:"applyToTask,omitempty"`
}

// InputDefinitions declares what a component takes.
type InputDefinitions struct {
	Parameters map[string]*InputParameter `json:"parameters,omitempty"`
	Artifacts  map[string]*InputArtifact  `json:"artifacts,omitempty"`
}

// ParameterType is the type of a parameter.
type ParameterType string

// The parameter types.
const (
	NumberDouble    ParameterType = "NUMBER_DOUBLE"
	NumberInteger   ParameterType = "NUMBER_INTEGER"
	String          ParameterType = "STRING"
	Boolean         ParameterType = "BOOLEAN"
	List            ParameterType = "LIST"
	Struct          ParameterType = "STRUCT"
	TaskFinalStatus ParameterType = "TASK_FINAL_STATUS"
	TaskConfig      ParameterType = "TASK_CONFIG"
)

// InputParameter declares one parameter.
type InputParameter struct {
	// Type is the deprecated spelling (INT, DOUBLE, STRING); Parse moves it to ParameterType.
	Type          string          `json:"type,omitempty"`
	ParameterType ParameterType   `json:"parameterType,omitempty"`
	DefaultValue  json.RawMessage `json:"defaultValue,omitempty"`
	IsOptional    bool            `json:"isOptional,omitempty"`
	Description   string          `json:"description,omitempty"`
	Literals      []any           `json:"literals,omitempty"`
}

// Default returns the decoded default value and whether there is one. A default of null counts as one.
func (p *InputParameter) Default() (any, bool) {
	if len(p.DefaultValue) == 0 {
		return nil, false
	}
	var v any
	if json.Unmarshal(p.DefaultValue, &v) != nil {
		return nil, false
	}
	return v, true
}

// ArtifactType names the type of an artifact.
type ArtifactType struct {
	SchemaTitle    string `json:"schemaTitle,omitempty"`
	SchemaURI      string `json:"schemaUri,omitempty"`
	InstanceSchema string `json:"instanceSchema,omitempty"`
	SchemaVersion  string `json:"schemaVersion,omitempty"`
}

// InputArtifact declares one input artifact, or a list of them.
type InputArtifact struct {
	ArtifactType   ArtifactType `json:"artifactType"`
	IsArtifactList bool         `json:"isArtifactList,omitempty"`
	IsOptional     bool         `json:"isOptional,omitempty"`
	Description    string       `json:"description,omitempty"`
}

// OutputDefinitions declares what a component gives.
type OutputDefinitions struct {
	Parameters map[string]*OutputParameter `json:"parameters,omitempty"`
	Artifacts  map[string]*OutputArtifact  `json:"artifacts,omitempty"`
}

// OutputParameter declares one output parameter.
type OutputParameter struct {
	Type          string        `json:"type,omitempty"`
	ParameterType ParameterType `json:"parameterType,omitempty"`
	Description   string        `json:"description,omitempty"`
}

// OutputArtifact declares one output artifact, or a list of them.
type OutputArtifact struct {
	ArtifactType     ArtifactType               `json:"artifactType"`
	Properties       map[string]json.RawMessage `json:"properties,omitempty"`
	CustomProperties map[string]json.RawMessage `json:"customProperties,omitempty"`
	Metadata         map[string]any             `json:"metadata,omitempty"`
	IsArtifactList   bool                       `json:"isArtifactList,omitempty"`
	Description      string                     `json:"description,omitempty"`
}

// DAG is a graph of tasks and where its outputs come from.
type DAG struct {
	Tasks   map[string]*Task `json:"tasks"`
	Outputs *DAGOutputs      `json:"outputs,omitempty"`
}

// DAGOutputs says where the outputs of a DAG come from.
type DAGOutputs struct {
	Parameters map[string]*DAGOutputParameter `json:"parameters,omitempty"`
	Artifacts  map[string]*DAGOutputArtifact  `json:"artifacts,omitempty"`
}

// DAGOutputParameter takes one task's parameter, or the first of several whose task ran.
type DAGOutputParameter struct {
	ValueFromParameter *ParameterSelector  `json:"valueFromParameter,omitempty"`
	ValueFromOneOf     *ParameterSelectors `json:"valueFromOneof,omitempty"`
}

// Selectors returns the candidates in order.
func (p *DAGOutputParameter) Selectors() []ParameterSelector {
	switch {
	case p.ValueFromParameter != nil:
		return []ParameterSelector{*p.ValueFromParameter}
	case p.ValueFromOneOf != nil:
		return p.ValueFromOneOf.ParameterSelectors
	}
	return nil
}

// ParameterSelectors are candidates for a OneOf.
type ParameterSelectors struct {
	ParameterSelectors []ParameterSelector `json:"parameterSelectors"`
}

// ParameterSelector names a parameter of a task inside the DAG.
type ParameterSelector struct {
	ProducerSubtask    string `json:"producerSubtask"`
	OutputParameterKey string `json:"outputParameterKey"`
}

// DAGOutputArtifact takes the artifact of the first of its selectors whose task ran.
type DAGOutputArtifact struct {
	ArtifactSelectors []ArtifactSelector `json:"artifactSelectors,omitempty"`
}

// ArtifactSelector names an artifact of a task inside the DAG.
type ArtifactSelector struct {
	ProducerSubtask   string `json:"producerSubtask"`
	OutputArtifactKey string `json:"outputArtifactKey"`
}

// Task is a node of a DAG: a component with its inputs bound.
type Task struct {
	TaskInfo          TaskInfo           `json:"taskInfo"`
	Inputs            *TaskInputs        `json:"inputs,omitempty"`
	DependentTasks    []string           `json:"dependentTasks,omitempty"`
	CachingOptions    CachingOptions     `json:"cachingOptions"`
	ComponentRef      ComponentRef       `json:"componentRef"`
	TriggerPolicy     *TriggerPolicy     `json:"triggerPolicy,omitempty"`
	ArtifactIterator  *ArtifactIterator  `json:"artifactIterator,omitempty"`
	ParameterIterator *ParameterIterator `json:"parameterIterator,omitempty"`
	RetryPolicy       *RetryPolicy       `json:"retryPolicy,omitempty"`
	IteratorPolicy    *IteratorPolicy    `json:"iteratorPolicy,omitempty"`
}

// TaskInfo carries a task's display name.
type TaskInfo struct {
	Name string `json:"name,omitempty"`
}

// ComponentRef names a component of the specification.
type ComponentRef struct {
	Name string `json:"name"`
}

// CachingOptions says whether a task may reuse earlier outputs.
type CachingOptions struct {
	EnableCache bool   `json:"enableCache,omitempty"`
	CacheKey    string `json:"cacheKey,omitempty"`
}

// The trigger strategies.
const (
	AllUpstreamSucceeded = "ALL_UPSTREAM_TASKS_SUCCEEDED"
	AllUpstreamCompleted = "ALL_UPSTREAM_TASKS_COMPLETED"
)

// TriggerPolicy says when a task may run.
type TriggerPolicy struct {
	// Condition is a CEL expression over inputs; see Condition.
	Condition string `json:"condition,omitempty"`
	Strategy  string `json:"strategy,omitempty"`
}

// RetryPolicy says how often and after which pauses a failed task is tried again.
type RetryPolicy struct {
	MaxRetryCount      int      `json:"maxRetryCount,omitempty"`
	BackoffDuration    Duration `json:"backoffDuration,omitempty"`
	BackoffFactor      float64  `json:"backoffFactor,omitempty"`
	BackoffMaxDuration Duration `json:"backoffMaxDuration,omitempty"`
}

// IteratorPolicy bounds a loop.
type IteratorPolicy struct {
	// ParallelismLimit is the most iterations at once; 0 means no limit.
	ParallelismLimit int `json:"parallelismLimit,omitempty"`
}

// ParameterIterator loops over the items of a list.
type ParameterIterator struct {
	Items     ParameterItems `json:"items"`
	ItemInput string         `json:"itemInput"`
}

// ParameterItems is a literal JSON list, or the name of an input that holds one.
type ParameterItems struct {
	Raw            string `json:"raw,omitempty"`
	InputParameter string `json:"inputParameter,omitempty"`
}

// ArtifactIterator loops over a list of artifacts.
type ArtifactIterator struct {
	Items     ArtifactItems `json:"items"`
	ItemInput string        `json:"itemInput"`
}

// ArtifactItems names the input that holds the list.
type ArtifactItems struct {
	InputArtifact string `json:"inputArtifact"`
}

// TaskInputs binds the inputs of a task's component.
type TaskInputs struct {
	Parameters map[string]*TaskParameter `json:"parameters,omitempty"`
	Artifacts  map[string]*TaskArtifact  `json:"artifacts,omitempty"`
}

// TaskParameter is where one parameter comes from. Exactly one source is set.
type TaskParameter struct {
	TaskOutputParameter         *TaskOutputParameter `json:"taskOutputParameter,omitempty"`
	RuntimeValue                *ValueOrRuntime      `json:"runtimeValue,omitempty"`
	ComponentInputParameter     string               `json:"componentInputParameter,omitempty"`
	TaskFinalStatus             *FinalStatusOf       `json:"taskFinalStatus,omitempty"`
	ParameterExpressionSelector string               `json:"parameterExpressionSelector,omitempty"`
}

// TaskOutputParameter names an output parameter of another task of the DAG.
type TaskOutputParameter struct {
	ProducerTask       string `json:"producerTask"`
	OutputParameterKey string `json:"outputParameterKey"`
}

// FinalStatusOf names the task whose final status is handed over.
type FinalStatusOf struct {
	ProducerTask string `json:"producerTask"`
}

// TaskArtifact is where one artifact comes from. Exactly one source is set.
type TaskArtifact struct {
	TaskOutputArtifact     *TaskOutputArtifact `json:"taskOutputArtifact,omitempty"`
	ComponentInputArtifact string              `json:"componentInputArtifact,omitempty"`
}

// TaskOutputArtifact names an output artifact of another task of the DAG.
type TaskOutputArtifact struct {
	ProducerTask      string `json:"producerTask"`
	OutputArtifactKey string `json:"outputArtifactKey"`
}

// ValueOrRuntime is a constant, or the name of an input whose value is used.
type ValueOrRuntime struct {
	// ConstantValue is the deprecated spelling; Parse moves it to Constant.
	ConstantValue    *TypedValue     `json:"constantValue,omitempty"`
	RuntimeParameter string          `json:"runtimeParameter,omitempty"`
	Constant         json.RawMessage `json:"constant,omitempty"`
}

// TypedValue is the deprecated form of a constant.
type TypedValue struct {
	IntValue    json.Number `json:"intValue,omitempty"`
	DoubleValue *float64    `json:"doubleValue,omitempty"`
	StringValue *string     `json:"stringValue,omitempty"`
}
