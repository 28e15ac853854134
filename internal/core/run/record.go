package run

import "time"

// Changes are the rows that a batch of events replaced.
type Changes struct {
	Run   *Run
	Tasks []Task
	// Removed are the paths of tasks that are gone.
	Removed []string
	// Artifacts are new ones, made by the tasks of this batch.
	Artifacts []Artifact
	Cache     []CacheEntry
	// Hits are the entries that the tasks of this batch reused.
	Hits []CacheHit
}

// LogLine is one line of a step's output. Text is valid UTF-8 without the line break: bytes that were not are shown as \xNN.
type LogLine struct {
	At     time.Time `json:"at"`
	Stream string    `json:"stream" enum:"stdout,stderr,system"`
	Text   string    `json:"text"`
}

// BlobFile is one file of an artifact.
type BlobFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Digest string `json:"digest"`
}

// BlobInfo describes stored artifact content. Digest is "sha256:<hex>" for a file and "dir-sha256:<hex>" for a directory;
// Size counts the bytes of all files.
type BlobInfo struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Files  int    `json:"files"`
}
