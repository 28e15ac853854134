package ir

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
)

// Limits on what a document may hold. They bound memory and stack, whatever the file says.
const (
	// MaxBytes is the largest specification that is accepted (KFP's upload limit, 32 MiB). It holds for the file, for
	// what YAML aliases add to it, and for the canonical form.
	MaxBytes      = 32 << 20
	maxDepth      = 200
	maxKey        = 1 << 10
	maxAliasNodes = 100_000
	maxDocuments  = 2
	// maxLineLookup is the largest JSON text that is read a second time to find the line of an error.
	maxLineLookup = 1 << 20
)

// part is a document, or a piece of one at base, with what gives line numbers.
type part struct {
	value map[string]any
	base  *place
	lines func() *yaml.Node // the source of the whole document, or nil where it is not known
}

// fail is an Invalid error about a place in the part.
func (p part) fail(at *place, format string, args ...any) error {
	return invalidAt(at, find(find(p.lines(), p.base), at), format, args...)
}

// within returns the mapping at a key of the top of a document as a part of its own.
func (p part) within(key string) (part, bool) {
	inner, ok := p.value[key].(map[string]any)
	return part{inner, top(key), p.lines}, ok
}

// readDocuments splits a YAML or JSON text into its documents.
func readDocuments(data []byte) ([]part, error) {
	if len(data) > MaxBytes {
		return nil, fault.TooLargef("the specification is %d bytes; at most %d are accepted", len(data), MaxBytes)
	}
	text := bytes.TrimSpace(data)
	// Not all JSON is YAML: it may hold long keys, escaped surrogates and characters that YAML refuses.
	var m map[string]any
	if bytes.HasPrefix(text, []byte("{")) && json.Unmarshal(text, &m) == nil {
		p := part{value: m, lines: sync.OnceValue(func() *yaml.Node { return lookup(text) })}
		return []part{p}, p.checkTree(m, nil, startDepth(m))
	}
	nodes, err := readYAML(text)
	if err != nil {
		return nil, err
	}
	conv := &plain{open: map[*yaml.Node]bool{}}
	parts := make([]part, len(nodes))
	for i, n := range nodes {
		v, err := conv.value(n, nil, startDepthYAML(n))
		if err != nil {
			return nil, err
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fault.Invalidf("the specification is %s: want a compiled pipeline, a mapping with pipelineInfo, root and schemaVersion", kindOf(v))
		}
		parts[i] = part{value: m, lines: func() *yaml.Node { return n }}
	}
	return parts, nil
}

// wrappers are the keys under which other forms carry a specification.
var wrappers = []string{"pipeline_spec", "pipelineSpec"}

// startDepth is the depth of the top of a document. What wraps a specification does not count, so that the canonical
// form of whatever is accepted is accepted too.
func startDepth(m map[string]any) int {
	for _, key := range wrappers {
		if _, ok := m[key]; ok {
			return -1
		}
	}
	return 0
}

func startDepthYAML(n *yaml.Node) int {
	for _, key := range wrappers {
		if below(n, top(key)) != nil {
			return -1
		}
	}
	return 0
}

// lookup reads a JSON text as YAML for the lines of its values.
func lookup(text []byte) *yaml.Node {
	var n yaml.Node
	if len(text) > maxLineLookup || yaml.Unmarshal(text, &n) != nil || len(n.Content) == 0 {
		return nil
	}
	return n.Content[0]
}

// checkTree applies the limits to a value read by encoding/json.
func (p part) checkTree(v any, at *place, depth int) error {
	if depth > maxDepth {
		return p.fail(at, "nested more than %d levels deep", maxDepth)
	}
	switch v := v.(type) {
	case []any:
		here := place{up: at, item: true}
		for i, e := range v {
			here.index = i
			if err := p.checkTree(e, &here, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		here := place{up: at}
		for _, k := range sortedKeys(v) { // in order, so that a file always gives the same first error
			if here.key = k; len(k) > maxKey {
				return p.fail(&here, "the key is %d bytes long; at most %d are accepted", len(k), maxKey)
			}
			if err := p.checkTree(v[k], &here, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// readYAML returns the top node of each document that is not empty.
func readYAML(text []byte) ([]*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var docs []*yaml.Node
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, invalidf("the specification is not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
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
	aliased int // nodes that were reached through an alias
	bytes   int // and the length of their texts
	inAlias int
	open    map[*yaml.Node]bool
}

func (p *plain) value(n *yaml.Node, at *place, depth int) (any, error) {
	if depth > maxDepth {
		return nil, invalidAt(at, n, "nested more than %d levels deep", maxDepth)
	}
	if err := p.spend(n, at); err != nil {
		return nil, err
	}
	switch n.Kind {
	case yaml.AliasNode:
		if p.open[n.Alias] {
			return nil, invalidAt(at, n, "YAML alias refers to itself")
		}
		p.open[n.Alias] = true
		p.inAlias++
		v, err := p.value(n.Alias, at, depth+1)
		p.inAlias--
		delete(p.open, n.Alias)
		return v, err
	case yaml.MappingNode:
		return p.mapping(n, at, depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		here := place{up: at, item: true}
		for i, c := range n.Content {
			here.index = i
			v, err := p.value(c, &here, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	default:
		return scalar(n, at)
	}
}

// spend counts what an alias repeats: a file of a few lines may mean more than any machine can hold.
func (p *plain) spend(n *yaml.Node, at *place) error {
	if p.inAlias == 0 {
		return nil
	}
	if p.aliased++; p.aliased > maxAliasNodes {
		return invalidAt(at, n, "YAML aliases expand to more than %d values", maxAliasNodes)
	}
	if p.bytes += len(n.Value); p.bytes > MaxBytes {
		return invalidAt(at, n, "YAML aliases expand to more than %d bytes", MaxBytes)
	}
	return nil
}

func (p *plain) mapping(n *yaml.Node, at *place, depth int) (any, error) {
	m := make(map[string]any, len(n.Content)/2)
	here := place{up: at}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			return nil, invalidAt(at, k, "want a plain string as key")
		}
		if here.key = k.Value; len(k.Value) > maxKey {
			return nil, invalidAt(&here, k, "the key is %d bytes long; at most %d are accepted", len(k.Value), maxKey)
		}
		if err := p.spend(k, &here); err != nil {
			return nil, err
		}
		if _, twice := m[k.Value]; twice {
			return nil, invalidAt(&here, k, "the key is given twice")
		}
		v, err := p.value(n.Content[i+1], &here, depth+1)
		if err != nil {
			return nil, err
		}
		m[k.Value] = v
	}
	return m, nil
}

// pyNumber is what PyYAML takes for a number (its resolver.py: YAML 1.1). Compiled pipelines are written by it, so a plain 08,
// 1e5 or 0o7 in one is a string: PyYAML would have quoted it, or written the number in another way.
var pyNumber = regexp.MustCompile(`^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+` +
	`|[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)

func pyReadsNumber(s string) bool {
	// Nearly all numbers are plain: they need no search.
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if whole != "" && digits(whole) && (point && digits(fraction) || !point && (whole == "0" || whole[0] != '0')) {
		return true
	}
	return pyNumber.MatchString(s)
}

func digits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

func scalar(n *yaml.Node, at *place) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return nil, invalidAt(at, n, "%q is not a boolean", shorten(n.Value))
		}
		return b, nil
	case "!!int", "!!float":
		if n.Style&yaml.TaggedStyle == 0 && !pyReadsNumber(n.Value) {
			return n.Value, nil
		}
		var f float64
		if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, invalidAt(at, n, "%q is not a number that JSON can hold", shorten(n.Value))
		}
		return f, nil
	case "!!binary":
		if _, err := base64.StdEncoding.DecodeString(n.Value); err != nil {
			return nil, invalidAt(at, n, "not valid base64")
		}
	}
	return n.Value, nil
}
