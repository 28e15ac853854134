package declare

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
	"levada/internal/core/infergraph"
)

// MaxText bounds a text that declares resources, in bytes.
const MaxText = 4 << 20

// Decode reads a document of YAML that declares a resource, from its fields without those that only files have. With an error comes the
// line that it is about.
func Decode(n *yaml.Node, fields map[string]any) (r Resource, line int, err error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return r, n.Line, fault.Invalidf("it holds what JSON cannot: %w", err)
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&r); err != nil {
		line, err := lineOf(n, err)
		return r, line, err
	}
	return r, n.Line, nil
}

// Key returns the key of a mapping, for its line, or nil.
func Key(n *yaml.Node, key string) *yaml.Node {
	k, _ := entry(n, key)
	return k
}

// entry is a key of a mapping with its value.
func entry(n *yaml.Node, key string) (k, value *yaml.Node) {
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i], n.Content[i+1]
			}
		}
	}
	return nil, nil
}

var unknownField = regexp.MustCompile(`unknown field "(.*)"`)

// lineOf finds the line that an error of encoding/json is about.
func lineOf(n *yaml.Node, err error) (int, error) {
	if found := unknownField.FindStringSubmatch(err.Error()); found != nil {
		line := n.Line
		if key := search(n, found[1], func(*yaml.Node) bool { return true }); key != nil {
			line = key.Line
		}
		return line, fault.Invalidf("there is no field %s", found[1])
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		line := n.Line
		name := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
		if key := search(n, name, func(value *yaml.Node) bool { return strings.HasPrefix(wrong.Value, inJSON(value)) }); key != nil {
			line = key.Line
		}
		return line, fault.Invalidf("%s: want %s, got %s", wrong.Field, wordFor(wrong.Type), wrong.Value)
	}
	return n.Line, fault.Invalidf("%w", err)
}

// wordFor says what a type of Go is in a file.
func wordFor(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "a list"
	default:
		return "a mapping"
	}
}

// inJSON is what a value is, in the words of encoding/json.
func inJSON(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "object"
	case n.Kind == yaml.SequenceNode:
		return "array"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "number"
	case "!!bool":
		return "bool"
	}
	return "string"
}

// search finds the first key of a name at any depth, of those with such a value.
func search(n *yaml.Node, key string, is func(value *yaml.Node) bool) *yaml.Node {
	if k, value := entry(n, key); k != nil && is(value) {
		return k
	}
	for _, c := range n.Content {
		if found := search(c, key, is); found != nil {
			return found
		}
	}
	return nil
}

// GraphText is an inference graph as a file declares it.
func GraphText(name string, spec infergraph.Spec) (string, error) {
	return Text(Resource{Kind: Graph, Name: name, Graph: &spec})
}

// Text is a resource as a file declares it.
func Text(r Resource) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	var doc yaml.Node // JSON is YAML, and keeps the order of the fields
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return "", err
	}
	plain(&doc)
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(&doc), e.Close()); err != nil {
		return "", err
	}
	return b.String(), nil
}

// plain takes the braces and quotes of JSON from a document.
func plain(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		var again yaml.Node
		again.SetString(n.Value) // quoted only where it has to be
		n.Style = again.Style
	} else {
		n.Style = 0
	}
	for _, c := range n.Content {
		plain(c)
	}
}

// GraphDraft is a text that declares an inference graph, as far as it could be read.
type GraphDraft struct {
	Spec infergraph.Spec
	doc  *yaml.Node
}

// ParseGraph reads a text that declares the inference graph of a name: one document with kind, name and graph. With an error comes its line.
func ParseGraph(name, text string) (d GraphDraft, line int, err error) {
	if len(text) > MaxText {
		return d, 1, fault.TooLargef("the text has more than %d bytes", MaxText)
	}
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc, another yaml.Node
	if err := dec.Decode(&doc); err != nil || len(doc.Content) == 0 {
		if err == nil || strings.TrimSpace(text) == "" {
			return d, 1, fault.Invalidf("nothing is declared; want kind, name and graph")
		}
		line, message := syntaxError(err)
		return d, line, fault.Invalidf("%s", message)
	}
	if dec.Decode(&another) == nil {
		return d, max(1, another.Line), fault.Invalidf("there is a second document; want one graph")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return d, root.Line, fault.Invalidf("want a mapping with kind, name and graph")
	}
	fields := map[string]any{}
	if err := root.Decode(&fields); err != nil {
		line, message := syntaxError(err)
		return d, max(line, root.Line), fault.Invalidf("%s", message)
	}
	r, line, err := Decode(root, fields)
	if err != nil {
		return d, line, err
	}
	switch {
	case r.Kind != Graph:
		return d, lineOr(root, "kind"), fault.Invalidf("kind is %q; this page is about a %s", fault.Shorten(string(r.Kind), 40), Graph)
	case r.Name != name:
		return d, lineOr(root, "name"), fault.Invalidf("name is %q; this page is about %q", fault.Shorten(r.Name, 100), name)
	case r.Graph == nil:
		return d, root.Line, fault.Invalidf("it has no graph, which has its nodes")
	}
	d = GraphDraft{Spec: *r.Graph, doc: root}
	if err := r.Check(); err != nil {
		return d, d.LineOf(err), err
	}
	return d, 0, nil
}

func lineOr(n *yaml.Node, key string) int {
	if k := Key(n, key); k != nil {
		return k.Line
	}
	return n.Line
}

var lineNumber = regexp.MustCompile(`line (\d+): `)

// oneBefore are errors for which the YAML reader counts lines from 0.
var oneBefore = regexp.MustCompile(`^did not find expected (<document start>|node content|'-' indicator|key|',' or)`)

// syntaxError is an error of the YAML reader without the line, which comes with it.
func syntaxError(err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	if found := lineNumber.FindStringSubmatchIndex(message); found != nil {
		line, _ = strconv.Atoi(message[found[2]:found[3]])
		message = message[:found[0]] + message[found[1]:]
		if oneBefore.MatchString(message) {
			line++
		}
	}
	return max(1, line), message
}

// Messages about graphs begin with where: 'node "a": step 2 (b): when: ...' or 'node a, step b: ...'.
var (
	inNode   = regexp.MustCompile(`^node "([^"]+)": (?:step (\d+) \()?`)
	inPlace  = regexp.MustCompile(`^node ([^,"]+), step ([^:]+): `)
	ofField  = regexp.MustCompile(`(?:^|: |\): )(timeout_ms|description|root|router|merge|sticky|key_header|salt|version|endpoint|node|data|when|percent|dependency|before|after)(?: is|:| has)`)
	circling = regexp.MustCompile(`^the nodes go in a circle: (\S+)`)
)

// LineOf is the line that an error about the graph is about: of the field, the step or the node that it names, else that of the graph.
func (d GraphDraft) LineOf(err error) int {
	message := err.Error()
	key, graph := entry(d.doc, "graph")
	if key == nil { // written otherwise, such as Graph, or merged from an anchor
		return d.doc.Line
	}
	line := key.Line
	_, nodes := entry(graph, "nodes")
	at := graph
	switch place, found := inPlace.FindStringSubmatch(message), inNode.FindStringSubmatch(message); {
	case found != nil:
		node, value := entry(nodes, found[1])
		if node == nil {
			return line
		}
		line, at = node.Line, value
		if n, err := strconv.Atoi(found[2]); err == nil {
			line, at = stepLine(value, line, func(i int, _ *yaml.Node) bool { return i == n-1 })
		}
	case place != nil:
		node, value := entry(nodes, place[1])
		if node == nil {
			return line
		}
		line, at = stepLine(value, node.Line, func(_ int, s *yaml.Node) bool { return called(s) == place[2] })
	default:
		if found := circling.FindStringSubmatch(message); found != nil {
			if node := Key(nodes, found[1]); node != nil {
				return node.Line
			}
		}
	}
	if field := ofField.FindStringSubmatch(message); field != nil {
		if k := Key(at, field[1]); k != nil {
			return k.Line
		}
	}
	return line
}

// stepLine finds a step of a node, and its line.
func stepLine(node *yaml.Node, otherwise int, is func(i int, step *yaml.Node) bool) (int, *yaml.Node) {
	_, steps := entry(node, "steps")
	if steps != nil {
		for i, s := range steps.Content {
			if is(i, s) {
				return s.Line, s
			}
		}
	}
	return otherwise, node
}

// called is the name of a step.
func called(step *yaml.Node) string {
	for _, key := range []string{"name", "endpoint", "node"} {
		if _, value := entry(step, key); value != nil && value.Value != "" {
			return value.Value
		}
	}
	return ""
}

// Problem is what is wrong with a text, and where.
type Problem struct {
	Line    int    `json:"line" doc:"from 1"`
	Message string `json:"message"`
}
