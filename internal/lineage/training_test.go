package lineage

import (
	"strings"
	"testing"
)

func TestTheTrainingDataIsTheNearestTableThatIsHere(t *testing.T) {
	table := func(id string, level int, name string) *Node {
		return &Node{ID: id, Kind: Artifact, Type: datasetTitle, Digest: "sha256:" + id, Name: name, Level: level}
	}
	logged := func(name, context, source string) *Node {
		return &Node{ID: name, Kind: Dataset, Name: name, Context: context, URI: source, Level: -3}
	}
	for name, tc := range map[string]struct {
		graph Graph
		want  string
		err   string
	}{
		"one":         {graph: Graph{Nodes: []*Node{{Kind: Version}, table("a", -3, "a")}}, want: "levada://sha256:a"},
		"the nearest": {graph: Graph{Nodes: []*Node{table("raw", -5, "train raw"), table("a", -3, "a"), table("older", -7, "train")}}, want: "levada://sha256:a"},
		"called so":   {graph: Graph{Nodes: []*Node{table("a", -3, "test"), table("b", -3, "Training")}}, want: "levada://sha256:b"},
		"by the input": {graph: Graph{Nodes: []*Node{table("a", -3, "x"), table("b", -3, "y")},
			Edges: []Edge{{From: "a", To: "run:t", Label: "evaluation"}, {From: "b", To: "run:t", Label: "train_table"}}}, want: "levada://sha256:b"},
		"by the context": {graph: Graph{Nodes: []*Node{logged("a", "evaluation", `{"uri": "/a.csv"}`), logged("b", "training", `{"uri": "file:///b.csv"}`)}}, want: "/b.csv"},
		"not clear":      {graph: Graph{Nodes: []*Node{table("a", -3, "one"), table("b", -3, "another")}}, err: "several data sets: another, one"},
		"none":           {graph: Graph{Nodes: []*Node{{Kind: Version}}}, err: "no data set"},
		"elsewhere":      {graph: Graph{Nodes: []*Node{logged("a", "training", `{"uri": "s3://b/a.csv"}`), logged("c", "training", `code`)}}, err: "no data set"},
		"gone":           {graph: Graph{Nodes: []*Node{{Kind: Artifact, Type: datasetTitle, Digest: "sha256:a", Deleted: true}}}, err: "no data set"},
		"a model":        {graph: Graph{Nodes: []*Node{{Kind: Artifact, Type: "system.Model", Digest: "sha256:a"}}}, err: "no data set"},
	} {
		n, err := trainedOn(tc.graph)
		switch {
		case tc.err != "":
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: %v, %v", name, n, err)
			}
		case err != nil || n.place() != tc.want:
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
}
