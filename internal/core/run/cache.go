package run

import "time"

// CacheEntry remembers the outputs of a task that succeeded, and what its key was made of.
type CacheEntry struct {
	Key    string `json:"key"`
	RunID  string `json:"run_id"`
	TaskID string `json:"task_id"`
	// Path and Component are those of the task; PipelineName is that of its run.
	Path         string    `json:"path"`
	Component    string    `json:"component"`
	PipelineName string    `json:"pipeline_name"`
	Parts        []KeyPart `json:"parts,omitempty"`
	Outputs      Values    `json:"outputs"`
	CreatedAt    time.Time `json:"created_at"`
	// Size counts the bytes of the output artifacts that Levada holds.
	Size int64 `json:"size"`
	// Hits counts the tasks that reused the outputs, UsedAt is when the last one did.
	Hits   int64      `json:"hits"`
	UsedAt *time.Time `json:"used_at,omitempty"`
}

// The kinds of KeyPart.
const (
	PartCode             = "code"              // command and arguments, with the source of a Python component
	PartImage            = "image"             // the image as the component names it, digest included
	PartEnvironment      = "environment"       // digest of the interpreter and every installed package
	PartSecrets          = "secrets"           // the secrets and config maps that the step is given
	PartVariable         = "variable"          // a declared environment variable; Name is its name
	PartInterface        = "interface"         // declared inputs and outputs
	PartKubernetes       = "kubernetes"        // Kubernetes extras
	PartParameter        = "parameter"         // an input parameter
	PartArtifact         = "artifact"          // the bytes of an input artifact, or its address when they are elsewhere
	PartArtifactType     = "artifact_type"     // its type
	PartArtifactMetadata = "artifact_metadata" // the metadata that the step is handed
	PartComponent        = "component"         // the names of component and pipeline, beside a custom key only
	PartCustomKey        = "custom_key"        // the key given by the author of the pipeline
)

// KeyPart is one thing that a cache key is made of. Two keys are equal when their parts are.
type KeyPart struct {
	Kind string `json:"kind" enum:"code,image,environment,secrets,variable,interface,kubernetes,parameter,artifact,artifact_type,artifact_metadata,component,custom_key"`
	// Name tells parts of a kind apart: the name of the input or variable.
	Name string `json:"name,omitempty"`
	// Digest is the beginning of the SHA-256 of the part.
	Digest string `json:"digest"`
	// Value is the part in a form for a person, shortened. It is empty where the value may be secret or says nothing.
	Value string `json:"value,omitempty"`
}

// What a lookup found.
const (
	LookupHit     = "hit"
	LookupNone    = "none"    // no entry has the key
	LookupExpired = "expired" // the entry is older than it may be
	LookupGone    = "gone"    // content of the entry is no longer here
)

// CacheLookup records how a task was looked up in the cache. It is part of the run's log.
type CacheLookup struct {
	Key   string    `json:"key"`
	Parts []KeyPart `json:"parts,omitempty"`
	Found string    `json:"found"`
	// Entry is the task whose entry could not be used, and EntryRun its run.
	Entry    string `json:"entry,omitempty"`
	EntryRun string `json:"entry_run,omitempty"`
	// Why says in words what was wrong with it.
	Why string `json:"why,omitempty"`
}

// CacheHit records that a task reused the entry of the task Entry.
type CacheHit struct {
	Key   string
	Entry string
	At    time.Time
	// Artifacts are the reused ones. A store keeps them even when their run was deleted in the meantime.
	Artifacts []Artifact
}

// The outcomes of a CacheExplanation.
const (
	CacheHitOutcome = "HIT"
	CacheMiss       = "MISS"
	CacheOff        = "OFF"      // caching was switched off for the task or the run
	CacheUnused     = "NOT_USED" // nothing to look up: a group, an importer, a task that never became ready
)

// CacheExplanation says for a task why its result was reused, or why not.
type CacheExplanation struct {
	RunID   string `json:"run_id"`
	TaskID  string `json:"task_id"`
	Path    string `json:"path"`
	State   State  `json:"state"`
	Outcome string `json:"outcome" enum:"HIT,MISS,OFF,NOT_USED"`
	// Summary is the answer in one sentence.
	Summary string `json:"summary"`
	Key     string `json:"key,omitempty"`
	// Entry is the entry that was reused or, after a miss, the nearest one.
	Entry *CacheSource `json:"entry,omitempty"`
	// Differences are what sets the task apart from the nearest entry.
	Differences []KeyDifference `json:"differences,omitempty"`
}

// CacheSource is where outputs in the cache came from.
type CacheSource struct {
	RunID        string    `json:"run_id"`
	RunName      string    `json:"run_name,omitempty" doc:"empty when the run was deleted"`
	PipelineName string    `json:"pipeline_name,omitempty"`
	TaskID       string    `json:"task_id"`
	Path         string    `json:"path,omitempty"`
	CreatedAt    time.Time `json:"created_at"`
}

// KeyDifference is one part in which two keys differ.
type KeyDifference struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	// Before and After are the values, where they can be shown.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Text is the difference in words.
	Text string `json:"text"`
	// Lines are a unified diff (of code), or one line for each changed package (of an environment).
	Lines []string `json:"lines,omitempty"`
}

// Swept says what a collection of unused content removed, or would remove.
type Swept struct {
	Files int   `json:"files" doc:"files that nothing needs"`
	Bytes int64 `json:"bytes"`
	// KeptFiles and KeptBytes are what stays.
	KeptFiles int   `json:"kept_files"`
	KeptBytes int64 `json:"kept_bytes"`
	// Young counts the files that nothing refers to but that are too new to be judged.
	Young      int   `json:"young_files"`
	YoungBytes int64 `json:"young_bytes"`
	DryRun     bool  `json:"dry_run"`
}

// CacheSelection says which entries to remove. Empty fields do not narrow it.
type CacheSelection struct {
	Component string
	Pipeline  string
	RunID     string
	// Key is a key or the unique beginning of one.
	Key string
	// CreatedBefore is the zero time when age does not matter.
	CreatedBefore time.Time
}

// Empty reports whether the selection means every entry.
func (s CacheSelection) Empty() bool { return s == CacheSelection{} }

// CachePruned says what a removal of entries did, or would do.
type CachePruned struct {
	Entries int `json:"entries"`
	// Bytes is the size of what the removed entries refer to. It becomes free when no run holds it any more.
	Bytes  int64 `json:"bytes"`
	DryRun bool  `json:"dry_run"`
}
