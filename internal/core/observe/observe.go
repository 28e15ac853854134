// Package observe holds what a server notes of data that passes through it: which artifacts are tables or reports about tables, what is
// stored of a table's profile, and how drift went from run to run.
//
// It decides from what is recorded of an artifact and from the bytes of a report, and reads nothing itself. Start reading at SubjectOf,
// then at ParseReport, then at HistoryOf.
package observe

import (
	"encoding/json"
	"path"
	"strings"
	"time"

	"levada/internal/core/run"
)

// Subject says what there is to look at in an artifact.
type Subject string

// The subjects.
const (
	// Nothing is to be looked at.
	Nothing Subject = ""
	// Table is an artifact that holds a table, to be profiled.
	Table Subject = "table"
	// MaybeReport is an artifact that may be a report about tables; only its bytes tell.
	MaybeReport Subject = "report"
)

// MostReport bounds the bytes of a report that is looked into.
const MostReport = 32 << 20

// tableEndings are those of files of tables.
var tableEndings = map[string]bool{".parquet": true, ".pq": true, ".csv": true, ".tsv": true, ".jsonl": true, ".ndjson": true}

// SubjectOf says what there is to look at in an artifact. Whatever a step has declared as a Dataset is taken for a table, and so is what has
// the name of one; a file of the general type may be a report.
func SubjectOf(a run.Artifact) Subject {
	if a.Digest == "" || a.Size == 0 {
		return Nothing
	}
	if a.SchemaTitle == "system.Dataset" || tableEndings[strings.ToLower(path.Ext(strings.TrimSuffix(a.CustomPath, ".gz")))] {
		return Table
	}
	if (a.SchemaTitle == "system.Artifact" || a.SchemaTitle == "") && !strings.HasPrefix(a.Digest, "dir-") && a.Size <= MostReport {
		return MaybeReport
	}
	return Nothing
}

// State says how far the profile of an artifact is.
type State string

// The states of profiles.
const (
	// Ready profiles can be read.
	Ready State = "READY"
	// Failed says that the content could not be read as a table.
	Failed State = "FAILED"
	// Waiting says that the profile is going to be made.
	Waiting State = "WAITING"
	// None says that nobody has asked for the profile of what is not declared as a table.
	None State = "NONE"
)

// Profile is what is stored of the content of a digest: its profile, or why there is none.
type Profile struct {
	Digest string
	// State is Ready or Failed, Reason says why it is Failed.
	State  State
	Reason string
	At     time.Time
	// Took is how long the reading took.
	Took time.Duration
	// Table is the profile as JSON; empty where there is none.
	Table json.RawMessage
}

// File is a file of a table: its name in the artifact, empty for an artifact that is one file, and where its bytes are. Digest is that of its
// content, empty where nobody knows it yet.
type File struct {
	Name   string `json:"name"`
	Path   string `json:"path"`
	Digest string `json:"digest,omitempty"`
}

// Content is a table as files.
type Content struct {
	// Name is what the table is called in messages.
	Name string `json:"name"`
	// Directory says that the table is a directory of files.
	Directory bool   `json:"directory"`
	Files     []File `json:"files"`
}

// Version is an artifact as one of several that the same output of a task made.
type Version struct {
	Artifact run.Artifact
	At       time.Time
	RunName  string
}
