package lineage

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"levada/internal/core/fault"
)

// trainingDepth is how far from a version the data is looked for that it was trained on: logged model, task or run, and its parents.
const trainingDepth = 6

// Training returns the URI of what a version of a registered model was trained on: the Dataset artifact that its task read, or a data set
// that its run has logged and that is a file of this machine. Of several the nearest to the version counts, then what is called training.
// It is a NotFound error where none is known, or where it is not clear which.
func (s *Service) Training(ctx context.Context, model, version string) (string, error) {
	g, err := s.Graph(ctx, Query{Node: versionPrefix + model + "/" + version, Direction: Up, Depth: trainingDepth})
	if err != nil {
		return "", err
	}
	n, err := trainedOn(g)
	if err != nil {
		return "", fault.NotFoundf("what version %s of model %q was trained on: %w; name the reference", version, fault.Shorten(model, 100), err)
	}
	return n.place(), nil
}

// datasetTitle is the type of artifacts that are tables.
const datasetTitle = "system.Dataset"

// place is where the content of a node is; empty where that is not on this machine.
func (n *Node) place() string {
	if n.Deleted || n.missing {
		return ""
	}
	if n.Kind == Artifact {
		if n.Type == datasetTitle && strings.Contains(n.Digest, "sha256:") {
			return "levada://" + n.Digest
		}
		return ""
	}
	var source struct {
		URI string `json:"uri"`
	}
	if n.Kind != Dataset || json.Unmarshal([]byte(n.URI), &source) != nil {
		return ""
	}
	path := strings.TrimPrefix(source.URI, "file://")
	if !filepath.IsAbs(path) {
		return ""
	}
	return path
}

// trainedOn chooses the data of a graph that leads up from a version.
func trainedOn(g Graph) (*Node, error) {
	labels := map[string]string{}
	for _, e := range g.Edges {
		labels[e.From] += " " + e.Label
	}
	var found []*Node
	nearest := 0
	for _, n := range g.Nodes {
		switch {
		case n.place() == "":
			continue
		case len(found) > 0 && n.Level < nearest:
			continue
		case n.Level > nearest || len(found) == 0:
			found, nearest = nil, n.Level
		}
		found = append(found, n)
	}
	if len(found) > 1 {
		if training := slices.DeleteFunc(slices.Clone(found), func(n *Node) bool {
			return !strings.Contains(strings.ToLower(n.Name+" "+n.Context+" "+labels[n.ID]), "train")
		}); len(training) > 0 {
			found = training
		}
	}
	var names []string
	for _, n := range found {
		names = append(names, n.Name)
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("lineage knows of no data set that is on this machine")
	case 1:
		return found[0], nil
	}
	slices.Sort(names)
	return nil, fmt.Errorf("lineage knows of several data sets: %s", strings.Join(names, ", "))
}
