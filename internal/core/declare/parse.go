package declare

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
	"levada/internal/core/traffic"
)

// Beside gives what lies beside a text that names it. A function that is nil says that nothing does.
type Beside struct {
	// Pipeline returns the compiled specification of a file, Suite the expectations that one holds, and
	// Schema the schema.
	Pipeline, Suite, Schema func(path string) (string, error)
}

// Parse reads what the documents of a text declare. Those that are compiled pipelines are left out. place says for messages where a line of
// the text is. What is wrong is said of each document; the others are returned all the same.
func Parse(text string, place func(line int) string, beside Beside) (out []Resource, wrong []Problem) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return out, wrong
		} else if err != nil {
			line, message := syntaxError(err)
			return nil, []Problem{{line, message}}
		}
		if len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null" || isPipeline(doc.Content[0]) {
			continue
		}
		if len(text) > MaxText {
			return nil, []Problem{{doc.Content[0].Line, fmt.Sprintf("the text has more than %d bytes", MaxText)}}
		}
		r, line, err := parseOne(doc.Content[0], beside)
		if err != nil {
			wrong = append(wrong, Problem{line, err.Error()})
			continue
		}
		r.At = place(doc.Content[0].Line)
		out = append(out, r)
	}
}

// isPipeline reports whether a document is a compiled pipeline, or what one asks of Kubernetes.
func isPipeline(n *yaml.Node) bool {
	return Key(n, "kind") == nil && (Key(n, "pipelineInfo") != nil || Key(n, "pipelineSpec") != nil || Key(n, "platforms") != nil)
}

// parseOne reads a document. With an error comes the line that it is about.
func parseOne(n *yaml.Node, beside Beside) (r Resource, line int, err error) {
	if n.Kind != yaml.MappingNode {
		return r, n.Line, fault.Invalidf("want a mapping with kind and name")
	}
	if _, partitions := entry(n, "partitions"); partitions != nil {
		datesAsText(partitions)
	}
	fields := map[string]any{}
	if err := n.Decode(&fields); err != nil {
		line, message := syntaxError(err)
		return r, max(line, n.Line), fault.Invalidf("%s", message)
	}
	pipeline, suite, schema := fields["file"], fields["suite_file"], fields["schema_file"]
	for _, named := range []string{"file", "suite_file", "schema_file"} {
		delete(fields, named)
	}
	if r, line, err = Decode(n, fields); err != nil {
		return r, line, err
	}
	if r.Endpoint != nil && r.Endpoint.Traffic.Split == nil {
		r.Endpoint.Traffic.Split = []traffic.Share{} // the one version gets all: the server fills it in
	}
	if pipeline != nil {
		if err = r.fill("file", pipeline, Pipeline, &r.Spec, "spec", beside.Pipeline); err != nil {
			return r, Key(n, "file").Line, err
		}
	}
	if suite != nil {
		if err = r.fill("suite_file", suite, Monitor, &r.Suite, "suite", beside.Suite); err != nil {
			return r, Key(n, "suite_file").Line, err
		}
	}
	if schema != nil {
		if err = r.fill("schema_file", schema, Monitor, &r.Schema, "schema", beside.Schema); err != nil {
			return r, Key(n, "schema_file").Line, err
		}
	}
	return r, n.Line, r.Check()
}

// datesAsText lets 2013-01-01 be the text that it is where no moment is meant.
func datesAsText(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		datesAsText(c)
	}
}

// fill fills a field in from the file that another field names, which resources of one kind may have.
func (r Resource) fill(named string, path any, kind Kind, into *string, field string, read func(string) (string, error)) (err error) {
	text, is := path.(string)
	switch {
	case r.Kind != kind:
		return fault.Invalidf("a %s has no field %s", r.Kind, named)
	case !is:
		return fault.Invalidf("%s: want the path of a file", named)
	case *into != "":
		return fault.Invalidf("give %s or %s, one of them", field, named)
	case read == nil:
		return fault.Invalidf("%s: there are no files beside this text; give %s, the text itself", named, field)
	}
	*into, err = read(text)
	return err
}
