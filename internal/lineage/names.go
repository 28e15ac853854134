package lineage

import (
	"strings"

	"levada/internal/core/fault"
)

// The beginnings of ids. Tasks and tracked runs share one: the id of a task is that of its tracked run.
const (
	contentPrefix = "content:"
	runPrefix     = "run:"
	datasetPrefix = "dataset:"
	loggedPrefix  = "logged-model:"
	versionPrefix = "model:"

	endpointPrefix = "endpoint:"
)

func contentID(content string) string { return contentPrefix + content }
func runID(id string) string          { return runPrefix + id }
func loggedID(id string) string       { return loggedPrefix + id }
func versionID(name string) string    { return versionPrefix + name }
func endpointID(name string) string   { return endpointPrefix + name }

// datasetID is the id of a dataset; key is its name and digest with a NUL between.
func datasetID(key string) string {
	name, digest, _ := strings.Cut(key, "\x00")
	return datasetPrefix + name + "@" + digest
}

// keyOf is what stores call a node.
func keyOf(id string) string {
	prefix, key, _ := strings.Cut(id, ":")
	if prefix+":" == datasetPrefix {
		at := strings.LastIndexByte(key, '@')
		if at < 0 {
			return key + "\x00"
		}
		return key[:at] + "\x00" + key[at+1:]
	}
	return key
}

// parse reads the name of a node. artifact is set where the node is found by an artifact.
func parse(name string) (id, artifact string, err error) {
	prefix, key, _ := strings.Cut(name, ":")
	if key == "" {
		prefix = ""
	}
	switch prefix {
	case "artifact":
		return "", key, nil
	case "task", "tracked-run", "run":
		return runID(key), "", nil
	case "content", "dataset", "logged-model", "endpoint":
		return name, "", nil
	case "model":
		if i := strings.LastIndexByte(key, '/'); i > 0 && i < len(key)-1 && strings.Trim(key[i+1:], "0123456789") == "" {
			return name, "", nil
		}
	}
	return "", "", fault.Invalidf("find lineage: %q names no node; use artifact:ID, task:ID, tracked-run:ID, logged-model:ID, model:NAME/VERSION, "+
		"endpoint:NAME or dataset:NAME@DIGEST", fault.Shorten(name, 200))
}

// kindOf is the kind that an id tells; a task and a run are told apart when they are loaded.
func kindOf(id string) Kind {
	switch prefix, _, _ := strings.Cut(id, ":"); prefix + ":" {
	case contentPrefix:
		return Artifact
	case datasetPrefix:
		return Dataset
	case loggedPrefix:
		return Logged
	case versionPrefix:
		return Version
	case endpointPrefix:
		return Endpoint
	}
	return Run
}
