package ir

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
)

// Limits on what a document may hold. They bound memory and stack, whatever the file says.
const (
	// MaxBytes is the largest specification that is accepted (KFP's upload limit, 32 MiB).
	MaxBytes      = 32 << 20
	maxDepth      = 200
	maxAliasNodes = 100_000
	maxDocuments  = 2
)

// readDocuments splits a YAML or JSON text into its documents.
func readDocuments(data []byte) ([]*yaml.Node, error) {
	if len(data) > MaxBytes {
		return nil, fault.TooLargef("the specification is %d bytes; at most %d are accepted", len(data), MaxBytes)
	}
	text := bytes.TrimSpace(data)
	if len(text) == 0 {
		return nil, fault.Invalidf("the specification is empty: want a compiled pipeline in YAML or JSON")
	}
	if text[0] == '{' && (bytes.Contains(text, []byte(`\u`)) || bytes.ContainsRune(text, '\t')) {
		// JSON allows tabs and surrogate escapes that YAML does not; rewritten without them it is YAML.
		var v any
		if json.Unmarshal(text, &v) == nil {
			text = []byte(JSON(v))
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var docs []*yaml.Node
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fault.Invalidf("the specification is not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(n.Content) == 0 || n.Content[0].Tag == "!!null" {
			continue
		}
		if len(docs) == maxDocuments {
			return nil, fault.Invalidf("the specification has more than two YAML documents: want the pipeline and, optionally, its platform settings")
		}
		docs = append(docs, n.Content[0])
	}
	if len(docs) == 0 {
		return nil, fault.Invalidf("the specification is empty: want a compiled pipeline in YAML or JSON")
	}
	return docs, nil
}

// plain converts a YAML node to the values of encoding/json, refusing what JSON cannot say.
type plain struct {
	aliased int
	inAlias int
	open    map[*yaml.Node]bool
}

func (p *plain) value(n *yaml.Node, path string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, invalidAt(path, n, "nested more than %d levels deep", maxDepth)
	}
	if p.inAlias > 0 {
		if p.aliased++; p.aliased > maxAliasNodes {
			return nil, invalidAt(path, n, "YAML aliases expand to more than %d values", maxAliasNodes)
		}
	}
	switch n.Kind {
	case yaml.AliasNode:
		if p.open[n.Alias] {
			return nil, invalidAt(path, n, "YAML alias refers to itself")
		}
		p.open[n.Alias] = true
		p.inAlias++
		v, err := p.value(n.Alias, path, depth+1)
		p.inAlias--
		delete(p.open, n.Alias)
		return v, err
	case yaml.MappingNode:
		return p.mapping(n, path, depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, c := range n.Content {
			v, err := p.value(c, path+"["+strconv.Itoa(i)+"]", depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	default:
		return scalar(n, path)
	}
}

func (p *plain) mapping(n *yaml.Node, path string, depth int) (any, error) {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			return nil, invalidAt(path, k, "want a plain string as key")
		}
		at := join(path, k.Value)
		if _, twice := m[k.Value]; twice {
			return nil, invalidAt(at, k, "the key is given twice")
		}
		v, err := p.value(n.Content[i+1], at, depth+1)
		if err != nil {
			return nil, err
		}
		m[k.Value] = v
	}
	return m, nil
}

func scalar(n *yaml.Node, path string) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return nil, invalidAt(path, n, "%q is not a boolean", n.Value)
		}
		return b, nil
	case "!!int", "!!float":
		var f float64
		if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, invalidAt(path, n, "%q is not a number that JSON can hold", n.Value)
		}
		return f, nil
	case "!!binary":
		if _, err := base64.StdEncoding.DecodeString(n.Value); err != nil {
			return nil, invalidAt(path, n, "not valid base64")
		}
	}
	return n.Value, nil
}

// join appends a key to a path, quoting keys that are not plain words.
func join(path, key string) string {
	if key == "" || strings.ContainsAny(key, ".[]\"' ") {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func invalidAt(path string, n *yaml.Node, format string, args ...any) error {
	if path == "" {
		path = "top level"
	}
	where := path
	if n != nil && n.Line > 0 {
		where = fmt.Sprintf("%s (line %d)", path, n.Line)
	}
	return fault.Invalidf("pipeline specification, at %s: %s", where, fmt.Sprintf(format, args...))
}
