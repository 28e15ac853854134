// Package infergraph has inference graphs: endpoints that answer by asking other endpoints, in sequence, one of several, several at once
// or by lot, with mappings between them.
//
// It decides and computes: what a specification means and whether it can be followed, which step is next, what a mapping makes of data,
// and how answers become one. It asks no endpoint and waits for nothing; who runs a graph is package serving. Start reading at Spec, then
// Compile. The four routers are those of KServe's InferenceGraph (kserve/kserve, cmd/router/main.go); docs/inference-graphs.md says where
// theirs and ours differ.
package infergraph

import (
	"time"

	"levada/internal/core/endpoint"
)

// The bounds of a graph.
const (
	MaxNodes = 50
	MaxSteps = 20 // of one node
	// MaxDepth is how many nodes a request may be inside of at once, those of graphs that the graph asks included.
	MaxDepth = 10
	// MaxCalls is how many endpoints one request may ask at most.
	MaxCalls = 100
	maxText  = 250 // of a name or header, in bytes
	maxNames = 1000
)

// DefaultRoot is the node that requests begin at where the specification names none.
const DefaultRoot = "root"

// Spec is what a graph should be.
type Spec struct {
	Description string `json:"description,omitempty" maxLength:"2000"`
	// Root is the node that requests begin at; empty for DefaultRoot.
	Root  string          `json:"root,omitempty" doc:"node that requests begin at; root by default"`
	Nodes map[string]Node `json:"nodes" doc:"the routers of the graph by name"`
	// TimeoutMS is how long a request may take, 30000 by default; the limits of the endpoints count as well.
	TimeoutMS int `json:"timeout_ms,omitempty" minimum:"0" maximum:"3600000" doc:"how long a request may take in all; 30000 by default"`
}

// Start is the node that requests begin at.
func (s *Spec) Start() string {
	if s.Root == "" {
		return DefaultRoot
	}
	return s.Root
}

// Timeout is how long a request may take.
func (s *Spec) Timeout() time.Duration {
	if s.TimeoutMS == 0 {
		return 30 * time.Second
	}
	return time.Duration(s.TimeoutMS) * time.Millisecond
}

// Router says what a node does with its steps.
type Router string

// The routers.
const (
	Sequence Router = "sequence" // one after the other
	Switch   Router = "switch"   // the first whose condition holds
	Ensemble Router = "ensemble" // all at once
	Splitter Router = "splitter" // one of them by lot
)

// Merge says how the answers of an ensemble become one.
type Merge string

// The ways to merge.
const (
	MergeAll  Merge = "all"  // all outputs, named after the steps
	MergeMean Merge = "mean" // the mean of each number
	MergeVote Merge = "vote" // of each element what most steps say; the earlier step where as many say another
)

// Node is a router with its steps.
type Node struct {
	Router Router `json:"router" enum:"sequence,switch,ensemble,splitter"`
	Steps  []Step `json:"steps" nullable:"false"`
	// Merge is of an ensemble; empty for MergeAll.
	Merge Merge `json:"merge,omitempty" enum:"all,mean,vote" doc:"of an ensemble: how answers become one; all by default"`
	// Sticky, KeyHeader and Salt are of a splitter, and mean what they mean in traffic.Plan. The salt is the node's name by default, so
	// that two splitters divide the same keys independently.
	Sticky    bool   `json:"sticky,omitempty" doc:"of a splitter: requests with the same key take the same step"`
	KeyHeader string `json:"key_header,omitempty" doc:"of a splitter: header whose value is the key; X-Levada-Key by default"`
	Salt      string `json:"salt,omitempty" doc:"of a splitter: another salt divides the same keys anew"`
}

// Data says what a step of a sequence is given.
type Data string

// What steps are given.
const (
	FromRequest  Data = "$request"  // what the node was given
	FromResponse Data = "$response" // what the last step before it answered
)

// Dependency says what a failure of a step means.
type Dependency string

// The dependencies.
const (
	Hard Dependency = "hard" // the node fails
	Soft Dependency = "soft" // the node goes on without it
)

// Step asks an endpoint or another node, or only maps.
type Step struct {
	// Name is unique in the node; empty for that of the endpoint or node.
	Name string `json:"name,omitempty" doc:"unique in the node; by default the name of the endpoint or node"`
	// Endpoint is asked, or a version of it; or Node is entered. A step with neither has Before, and does nothing else.
	Endpoint string `json:"endpoint,omitempty" doc:"endpoint that is asked; it may be another graph"`
	Version  string `json:"version,omitempty" doc:"version of the endpoint's model, by number; by default the endpoint's traffic decides"`
	Node     string `json:"node,omitempty" doc:"node of this graph that is entered"`
	// Data is of a sequence; empty for FromResponse, which for the first step is the request.
	Data Data `json:"data,omitempty" enum:"$request,$response" doc:"of a sequence: what the step is given; $response, the answer before it, by default"`
	// When is a condition. Of a switch: the step is taken if it holds; the last step may have none. Of a sequence: if it does not hold, the
	// sequence ends with the answer that it has.
	When string `json:"when,omitempty" maxLength:"8192" doc:"condition in CEL over inputs, request, parameters, headers and key"`
	// Percent is of a splitter.
	Percent float64 `json:"percent,omitempty" minimum:"0" maximum:"100" doc:"of a splitter: the step's share of the requests"`
	// Dependency is of a sequence or an ensemble; empty for Hard.
	Dependency Dependency `json:"dependency,omitempty" enum:"hard,soft" doc:"soft: the node goes on without a step that fails; hard by default"`
	// TimeoutMS is how long the step may take; 0 for as long as the request may.
	TimeoutMS int `json:"timeout_ms,omitempty" minimum:"0" maximum:"3600000" doc:"how long the step may take; by default as long as the request may"`
	// Before changes what the step is given, After what it answers.
	Before *Mapping `json:"before,omitempty" doc:"changes what the step is given"`
	After  *Mapping `json:"after,omitempty" doc:"changes what the step answers"`
}

// Called is the step's name.
func (s *Step) Called() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Endpoint != "":
		return s.Endpoint
	}
	return s.Node
}

// Mapping changes data by columns. First Set, then Rename, then Select is done.
type Mapping struct {
	// Set gives columns their values: for each row, an expression over the row as it was before the mapping.
	Set map[string]string `json:"set,omitempty" doc:"columns by expressions in CEL, evaluated for each row over row, inputs, request, parameters, headers and key"`
	// Rename gives columns other names: the new one by the old one.
	Rename map[string]string `json:"rename,omitempty" doc:"new names of columns by their old ones"`
	// Select keeps only these columns, in this order; none keeps all.
	Select []string `json:"select,omitempty" doc:"only these columns, in this order"`
}

// Graph is a graph as it is kept.
type Graph struct {
	Name string `json:"name"`
	// Spec is what was asked for last, Active what is followed: they differ until all endpoints of Spec answer. Active is nil until they
	// have done so for the first time.
	Spec   Spec  `json:"spec"`
	Active *Spec `json:"active,omitempty" doc:"what is followed at present; absent until all endpoints have answered"`
	// Generation counts the changes of the specification; Following is the one that is followed.
	Generation int64     `json:"generation"`
	Following  int64     `json:"following" doc:"generation that is followed at present; 0 for none"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// CheckName refuses names that no endpoint could have: graphs and endpoints share their names.
func CheckName(name string) error { return endpoint.CheckName(name) }

// Asks reports whether the graph asks an endpoint, in what it follows or in what was asked for last.
func (g *Graph) Asks(endpoint string) bool {
	return g.Spec.Asks(endpoint) || g.Active != nil && g.Active.Asks(endpoint)
}

// Asks reports whether a step asks an endpoint.
func (s *Spec) Asks(endpoint string) bool {
	for _, n := range s.Nodes {
		for _, step := range n.Steps {
			if step.Endpoint == endpoint {
				return true
			}
		}
	}
	return false
}
