package ir

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"

	"levada/internal/core/expr"
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
	p := &parser{spec: docs[0]}
	if len(docs) == 2 {
		p.platform = &docs[1]
	}
	if err := p.unwrap(); err != nil {
		return nil, err
	}
	return p.pipeline()
}

type parser struct {
	spec     part
	platform *part
}

// unwrap finds the specification inside the forms that carry one.
func (p *parser) unwrap() error {
	for _, key := range wrappers {
		inner, ok := p.spec.within(key)
		if !ok {
			continue
		}
		if platform, ok := p.spec.within("platform_spec"); ok {
			p.platform = &platform
		}
		p.spec = inner
		break
	}
	if _, workflow := p.spec.value["apiVersion"]; workflow {
		return invalidf("this is a Kubernetes resource (%v), not a compiled KFP v2 pipeline: compile with kfp 2 or later", p.spec.value["kind"])
	}
	if p.platform != nil {
		if _, ok := p.platform.value["platforms"]; !ok {
			return p.platform.fail(nil, `the second document: want "platforms" with the platform settings`)
		}
	}
	return nil
}

func (p *parser) pipeline() (*Pipeline, error) {
	// The version comes first: another version's fields would only give misleading errors.
	version, given := p.spec.value["schemaVersion"]
	if !given {
		return nil, p.spec.fail(top("schemaVersion"), "missing: want %q, as the KFP 2 compiler writes it; is this a compiled pipeline?", SchemaVersion)
	}
	if version != SchemaVersion {
		return nil, p.spec.fail(top("schemaVersion"), "unsupported version %v: want %q", version, SchemaVersion)
	}
	out := &Pipeline{Spec: &Spec{}, programs: map[string]*expr.Program{}}
	spec, err := p.spec.decode(out.Spec)
	if err != nil {
		return nil, err
	}
	// This is what encoding/json makes of a mapping with the two keys, without rendering the parts again.
	canonical := slices.Concat([]byte(`{"pipeline_spec":`), spec)
	if p.platform != nil {
		out.Platform = &PlatformSpec{}
		platform, err := p.platform.decode(out.Platform)
		if err != nil {
			return nil, err
		}
		canonical = slices.Concat(canonical, []byte(`,"platform_spec":`), platform)
	}
	canonical = append(canonical, '}')
	if len(canonical) > MaxBytes {
		return nil, fault.TooLargef("the specification is %d bytes as plain JSON; at most %d are accepted", len(canonical), MaxBytes)
	}
	sum := sha256.Sum256(canonical)
	out.Canonical, out.Digest = canonical, "sha256:"+hex.EncodeToString(sum[:])
	out.Spec.normalise()
	c := &checker{part: p.spec, pipeline: out, spec: out.Spec, used: map[string][]use{}, needs: map[*Component]needs{}}
	if err := c.check(); err != nil {
		return nil, err
	}
	return out, out.readKubernetes()
}

// decode checks a part and reads it into a Go value; it returns the part as JSON.
func (p part) decode(into any) ([]byte, error) {
	if err := p.checkShape(p.value, reflect.TypeOf(into), nil); err != nil {
		return nil, err
	}
	b, err := json.Marshal(p.value)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return nil, invalidf("pipeline specification: %v", err)
	}
	return b, nil
}

// readKubernetes decodes the extras of each executor, so that a mistake is found now and not when the step starts.
func (p *Pipeline) readKubernetes() error {
	p.kubernetes = map[string]*KubernetesExecutor{}
	if p.Platform == nil || p.Platform.Platforms["kubernetes"] == nil {
		return nil
	}
	if c := p.Config(); c != nil {
		if err := c.check(); err != nil {
			return invalidAt(top("platforms", "kubernetes", "pipelineConfig"), nil, "%v", err)
		}
	}
	executors := p.Platform.Platforms["kubernetes"].DeploymentSpec.Executors
	for _, label := range sortedKeys(executors) {
		k := &KubernetesExecutor{}
		err := json.Unmarshal(executors[label], k)
		if err == nil {
			err = k.check()
		}
		if err != nil {
			return invalidAt(top("platforms", "kubernetes", "deploymentSpec", "executors", label), nil, "%v", err)
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
