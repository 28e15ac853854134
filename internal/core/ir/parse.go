package ir

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
)

// SchemaVersion is the only PipelineSpec version that is accepted, as by KFP's own backend.
const SchemaVersion = "2.1.0"

// Parse reads a compiled pipeline and checks it whole. It takes what the KFP compiler writes (one or two YAML documents,
// or JSON), the form the KFP API uses ({"pipeline_spec": …, "platform_spec": …}) and a Vertex job that wraps a
// specification ({"pipelineSpec": …}). Every error is of kind Invalid or TooLarge and names the place.
func Parse(data []byte) (*Pipeline, error) {
	docs, err := readDocuments(data)
	if err != nil {
		return nil, err
	}
	conv := &plain{open: map[*yaml.Node]bool{}}
	values := make([]map[string]any, len(docs))
	for i, d := range docs {
		v, err := conv.value(d, "", 0)
		if err != nil {
			return nil, err
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fault.Invalidf("the specification is %s: want a compiled pipeline, a mapping with pipelineInfo, root and schemaVersion", kindOf(v))
		}
		values[i] = m
	}
	p := &parser{spec: part{node: docs[0], value: values[0]}}
	if len(docs) == 2 {
		p.platform = &part{node: docs[1], value: values[1]}
	}
	if err := p.unwrap(); err != nil {
		return nil, err
	}
	return p.pipeline()
}

// part is a document, or a piece of one, with its source nodes for line numbers.
type part struct {
	node  *yaml.Node
	value map[string]any
}

type parser struct {
	spec     part
	platform *part
}

// unwrap finds the specification inside the forms that carry one.
func (p *parser) unwrap() error {
	for _, key := range []string{"pipeline_spec", "pipelineSpec"} {
		inner, ok := p.spec.value[key].(map[string]any)
		if !ok {
			continue
		}
		outer := p.spec
		p.spec = part{child(outer.node, key), inner}
		if plat, ok := outer.value["platform_spec"].(map[string]any); ok {
			p.platform = &part{child(outer.node, "platform_spec"), plat}
		}
		break
	}
	if _, workflow := p.spec.value["apiVersion"]; workflow {
		return fault.Invalidf("this is a Kubernetes resource (%v), not a compiled KFP v2 pipeline: compile with kfp 2 or later", p.spec.value["kind"])
	}
	if p.platform != nil {
		if _, ok := p.platform.value["platforms"]; !ok {
			return invalidAt("second document", p.platform.node, `want "platforms" with the platform settings`)
		}
	}
	return nil
}

func (p *parser) pipeline() (*Pipeline, error) {
	// The version comes first: another version's fields would only give misleading errors.
	if v, _ := p.spec.value["schemaVersion"].(string); v != SchemaVersion {
		node := find(p.spec.node, "schemaVersion")
		if _, ok := p.spec.value["schemaVersion"]; !ok {
			return nil, invalidAt("schemaVersion", node, "missing: want %q, as the KFP 2 compiler writes it; is this a compiled pipeline?", SchemaVersion)
		}
		return nil, invalidAt("schemaVersion", node, "unsupported version %v: want %q", p.spec.value["schemaVersion"], SchemaVersion)
	}
	out := &Pipeline{Spec: &Spec{}}
	if err := decode(p.spec, out.Spec, ""); err != nil {
		return nil, err
	}
	whole := map[string]any{"pipeline_spec": p.spec.value}
	if p.platform != nil {
		out.Platform = &PlatformSpec{}
		if err := decode(*p.platform, out.Platform, ""); err != nil {
			return nil, err
		}
		whole["platform_spec"] = p.platform.value
	}
	canonical, err := json.Marshal(whole)
	if err != nil {
		return nil, fault.Invalidf("pipeline specification: %w", err)
	}
	sum := sha256.Sum256(canonical)
	out.Canonical, out.Digest = canonical, "sha256:"+hex.EncodeToString(sum[:])
	out.Spec.normalise()
	c := &checker{spec: out.Spec, at: func(path string) *yaml.Node { return find(p.spec.node, path) }}
	if err := c.check(); err != nil {
		return nil, err
	}
	return out, out.readKubernetes()
}

func decode(p part, into any, path string) error {
	at := func(path string) *yaml.Node { return find(p.node, path) }
	if err := checkShape(p.value, reflect.TypeOf(into), path, at); err != nil {
		return err
	}
	b, err := json.Marshal(p.value)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return fault.Invalidf("pipeline specification: %w", err)
	}
	return nil
}

// readKubernetes decodes the extras of each executor, so that a mistake is found now and not when the step starts.
func (p *Pipeline) readKubernetes() error {
	p.kubernetes = map[string]*KubernetesExecutor{}
	if p.Platform == nil || p.Platform.Platforms["kubernetes"] == nil {
		return nil
	}
	for label, raw := range p.Platform.Platforms["kubernetes"].DeploymentSpec.Executors {
		k := &KubernetesExecutor{}
		path := join("platforms.kubernetes.deploymentSpec.executors", label)
		if err := json.Unmarshal(raw, k); err != nil {
			return fault.Invalidf("pipeline specification, at %s: %w", path, err)
		}
		p.kubernetes[label] = k
	}
	return nil
}

// Kubernetes returns the Kubernetes extras of an executor, or nil.
func (p *Pipeline) Kubernetes(label string) *KubernetesExecutor { return p.kubernetes[label] }

// Config returns the settings of the whole run, or nil.
func (p *Pipeline) Config() *PipelineConfig {
	if p.Platform == nil || p.Platform.Platforms["kubernetes"] == nil {
		return nil
	}
	return p.Platform.Platforms["kubernetes"].PipelineConfig
}

// Component returns the component that a task refers to.
func (s *Spec) Component(t *Task) *Component { return s.Components[t.ComponentRef.Name] }

// Executor returns the executor of a component, or nil when the component is a DAG.
func (s *Spec) Executor(c *Component) *Executor { return s.DeploymentSpec.Executors[c.ExecutorLabel] }

// child returns the value node of a mapping's key.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// find returns the node at a path written by join, or the deepest one on the way there.
func find(n *yaml.Node, path string) *yaml.Node {
	for path != "" && n != nil {
		var key string
		var next *yaml.Node
		switch {
		case strings.HasPrefix(path, `["`):
			q, err := strconv.QuotedPrefix(path[1:])
			if err != nil {
				return n
			}
			key, _ = strconv.Unquote(q)
			path = strings.TrimPrefix(path[1+len(q):], "]")
			next = child(n, key)
		case path[0] == '[':
			end := strings.IndexByte(path, ']')
			i, err := strconv.Atoi(path[1:max(end, 1)])
			if err != nil || i >= len(n.Content) {
				return n
			}
			next, path = n.Content[i], path[end+1:]
		default:
			path = strings.TrimPrefix(path, ".")
			if end := strings.IndexAny(path, ".["); end > 0 {
				key, path = path[:end], path[end:]
			} else {
				key, path = path, ""
			}
			next = child(n, key)
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}
