// Package cachekey computes the key under which the outputs of a task may be found again, and says in which parts two keys
// differ.
//
// A key is made of content, never of names or ids of runs: two tasks of different pipelines that run the same code in the
// same environment on the same bytes have the same key. A key is the digest of the digests of its parts, so two keys are
// equal exactly when no part differs. The package is pure and knows neither storage nor engine. Start reading at Of.
package cachekey

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// version changes when the meaning of a key does; entries of other versions are never found.
const version = 2

const (
	shownDigest = 16  // hex digits of a part's digest that are kept
	shownValue  = 120 // bytes of a part's value that are kept
)

// Key is a cache key ("sha256:…") and what it was made of.
type Key struct {
	Digest string
	Parts  []run.KeyPart
}

// builder collects parts in the order that the key counts them in.
type builder struct {
	full  [][3]string // kind, name, whole digest
	parts []run.KeyPart
	err   error
}

// add digests a part. encoding/json writes maps with sorted keys, so the bytes are canonical.
func (b *builder) add(kind, name, shown string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		b.err = fmt.Errorf("compute cache key: %s %q: %w", kind, name, err)
		return
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	b.full = append(b.full, [3]string{kind, name, digest})
	b.parts = append(b.parts, run.KeyPart{Kind: kind, Name: name, Digest: digest[:shownDigest], Value: shown})
}

func (b *builder) key() (Key, error) {
	if b.err != nil {
		return Key{}, b.err
	}
	body, err := json.Marshal([]any{version, b.full})
	if err != nil {
		return Key{}, fmt.Errorf("compute cache key: %w", err)
	}
	sum := sha256.Sum256(body)
	return Key{Digest: "sha256:" + hex.EncodeToString(sum[:]), Parts: b.parts}, nil
}

// Of returns the key of a container step that runs in an environment. With a custom key, only that,
// the component and the pipeline's name count, as in KFP's set_caching_options(cache_key=…): names of components and such keys
// are short, and another pipeline may have the same.
func Of(s *run.Step, component string, environment run.Environment, custom string) (Key, error) {
	var b builder
	if custom != "" {
		b.add(run.PartComponent, "", component+" of pipeline "+s.Job.PipelineName, []string{s.Job.PipelineName, component})
		b.add(run.PartCustomKey, "", shorten(custom), custom)
		return b.key()
	}
	c := s.Executor.Container
	b.add(run.PartCode, "", "", [][]string{c.Command, c.Args})
	b.add(run.PartImage, "", c.Image, c.Image)
	b.add(run.PartEnvironment, "", environment.Digest, environment.Digest)
	if environment.Secrets != "" {
		b.add(run.PartSecrets, "", "", environment.Secrets)
	}
	variables := make(map[string]string, len(c.Env))
	for _, e := range c.Env {
		variables[e.Name] = e.Value // of two with one name a step sees the last
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		b.add(run.PartVariable, name, "", variables[name]) // the value may be secret and is not shown
	}
	b.add(run.PartInterface, "", "", []any{s.Component.InputDefinitions, s.Component.OutputDefinitions})
	if k := withoutStaleness(s.Kubernetes); k != nil {
		b.add(run.PartKubernetes, "", "", k)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Inputs.Parameters)) {
		v := s.Inputs.Parameters[name]
		b.add(run.PartParameter, name, readable(v), v)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Inputs.Artifacts)) {
		b.artifact(name, s.Inputs.Artifacts[name])
	}
	return b.key()
}

// artifact adds what of an input artifact a step can depend on: its bytes, or its address when the bytes are elsewhere, its type,
// and the metadata it is handed.
func (b *builder) artifact(name string, list []run.Artifact) {
	var content, types []string
	metadata := make([]map[string]any, len(list))
	some := false
	for i, a := range list {
		where := a.Digest
		if where == "" {
			where = a.URI
		}
		content = append(content, where)
		types = append(types, a.SchemaTitle+a.InstanceSchema)
		if len(a.Metadata) > 0 {
			metadata[i], some = a.Metadata, true
		}
	}
	b.add(run.PartArtifact, name, shorten(strings.Join(content, ", ")), content)
	b.add(run.PartArtifactType, name, shorten(strings.Join(types, ", ")), types)
	if some {
		b.add(run.PartArtifactMetadata, name, readable(metadata), metadata)
	}
}

func readable(v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return shorten(string(body))
}

func shorten(s string) string { return fault.Shorten(s, shownValue) }

// withoutStaleness leaves out the annotation that says how old a result may be: it does not change what a step computes.
func withoutStaleness(k *ir.KubernetesExecutor) *ir.KubernetesExecutor {
	if k == nil || k.PodMetadata == nil || k.PodMetadata.Annotations[StalenessAnnotation] == "" {
		return k
	}
	out, meta := *k, *k.PodMetadata
	meta.Annotations = maps.Clone(meta.Annotations)
	delete(meta.Annotations, StalenessAnnotation)
	out.PodMetadata = &meta
	if len(meta.Annotations) == 0 && len(meta.Labels) == 0 {
		out.PodMetadata = nil
	}
	if reflect.DeepEqual(out, ir.KubernetesExecutor{}) {
		return nil // the annotation was all there was
	}
	return &out
}
