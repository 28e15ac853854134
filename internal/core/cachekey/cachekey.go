// Package cachekey computes the key under which the outputs of a task may be found again.
//
// A key is made of content, never of names or ids of runs: two tasks of different pipelines that run the same code in the
// same environment on the same bytes have the same key. The package is pure and knows neither storage nor engine.
package cachekey

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// version changes when the meaning of a key does; entries of other versions are never found.
const version = 1

// content is what a key is made of. Maps are written by encoding/json with sorted keys, so the bytes are canonical.
type content struct {
	Version     int                       `json:"version"`
	Environment string                    `json:"environment"`
	Image       string                    `json:"image"`
	Command     []string                  `json:"command"`
	Args        []string                  `json:"args"`
	Env         []ir.EnvVar               `json:"env"`
	Inputs      *ir.InputDefinitions      `json:"input_definitions"`
	Outputs     *ir.OutputDefinitions     `json:"output_definitions"`
	Kubernetes  *ir.KubernetesExecutor    `json:"kubernetes"`
	Parameters  map[string]any            `json:"parameters"`
	Artifacts   map[string][]artifactPart `json:"artifacts"`
}

// artifactPart is what of an input artifact a step can depend on: its bytes, or its address when the bytes are elsewhere, and
// the metadata it is handed.
type artifactPart struct {
	Digest   string         `json:"digest,omitempty"`
	URI      string         `json:"uri,omitempty"`
	Schema   string         `json:"schema,omitempty"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// Of returns the key of a container step ("sha256:…"). environment is the digest of what the step runs in. With a custom key,
// only that and the component count, as in KFP's set_caching_options(cache_key=…).
func Of(s *run.Step, component, environment, custom string) (string, error) {
	if custom != "" {
		return digest([]string{"custom", component, custom})
	}
	c := s.Executor.Container
	artifacts := make(map[string][]artifactPart, len(s.Inputs.Artifacts))
	for name, list := range s.Inputs.Artifacts {
		for _, a := range list {
			p := artifactPart{Digest: a.Digest, Schema: a.SchemaTitle + a.InstanceSchema, Metadata: a.Metadata}
			if a.Digest == "" {
				p.URI = a.URI
			}
			artifacts[name] = append(artifacts[name], p)
		}
	}
	return digest(content{
		Version: version, Environment: environment, Image: c.Image, Command: c.Command, Args: c.Args, Env: c.Env,
		Inputs: s.Component.InputDefinitions, Outputs: s.Component.OutputDefinitions, Kubernetes: s.Kubernetes,
		Parameters: s.Inputs.Parameters, Artifacts: artifacts,
	})
}

func digest(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("compute cache key: %w", err)
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
