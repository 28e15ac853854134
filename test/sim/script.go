package sim

import (
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"slices"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// script decides how steps end, as a function of what is the same in every order of events: a step that may be cached of its
// component and inputs, any other of its path and how many of its results the log already holds.
type script struct {
	salt uint64
	// failures is how many of a hundred attempts fail.
	failures uint64
}

// The ways in which an attempt ends.
type ending int

const (
	endsWell ending = iota
	endsFailed
	endsPermanently // fails in a way that another attempt would not change
	endsUnencodable // gives outputs that have no JSON form
)

// hashing is a 64-bit hash of a sequence of values.
func hashOf(parts ...any) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		hashInto(h, p)
	}
	// The low bits of FNV are weak for short texts that differ at their end.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

func hashInto(h io.Writer, v any) {
	switch v := v.(type) {
	case nil:
		_, _ = io.WriteString(h, "~")
	case string:
		_, _ = io.WriteString(h, v)
		_, _ = io.WriteString(h, "\x00")
	case []any:
		for _, e := range v {
			hashInto(h, e)
		}
		_, _ = io.WriteString(h, "]")
	case map[string]any:
		for _, k := range sorted(v) {
			hashInto(h, k)
			hashInto(h, v[k])
		}
		_, _ = io.WriteString(h, "}")
	default:
		_, _ = fmt.Fprint(h, v, ";")
	}
}

// identity is what the outputs of a step are a function of.
func identity(component string, in run.Values) uint64 {
	in = settled(in)
	parts := []any{component, in.Parameters}
	if in.Parameters == nil {
		parts[1] = map[string]any{}
	}
	for _, name := range sorted(in.Artifacts) {
		parts = append(parts, name)
		for _, a := range in.Artifacts[name] {
			parts = append(parts, a.Digest, a.URI)
		}
	}
	return hashOf(parts...)
}

// settled leaves out of inputs what depends on the order of events: the run's name and which of several failures came first,
// in the final status that exit handlers get; and inputs that are null, which are as good as absent.
func settled(in run.Values) run.Values {
	out := run.Values{Artifacts: in.Artifacts}
	for name, v := range in.Parameters {
		if v == nil {
			continue
		}
		if out.Parameters == nil {
			out.Parameters = make(map[string]any, len(in.Parameters))
		}
		if status, ok := v.(map[string]any); ok && status["pipelineTaskName"] != nil {
			v = map[string]any{"state": status["state"], "pipelineTaskName": status["pipelineTaskName"]}
		}
		out.Parameters[name] = v
	}
	return out
}

// end says how an attempt ends. results counts the results of the path that the log holds.
func (s script) end(path string, results int, cacheable bool, id uint64) ending {
	h := hashOf(s.salt, path, results)
	if cacheable {
		h = hashOf(s.salt, id)
	}
	if h%100 >= s.failures {
		return endsWell
	}
	switch (h / 100) % 6 {
	case 0:
		return endsPermanently
	case 1:
		return endsUnencodable
	}
	return endsFailed
}

// outputs are what a step gives when it ends well.
func outputs(c *ir.Component, id uint64) run.Values {
	out := run.Values{Parameters: map[string]any{}, Artifacts: map[string][]run.Artifact{}}
	for name := range c.OutputDefinitions.Parameters {
		switch name {
		case "text":
			out.Parameters[name] = []string{"a", "b", fmt.Sprintf("x%x", id&0xffffff)}[(id>>3)%3]
		case "number":
			out.Parameters[name] = float64(id >> 7 % 4)
		case "items":
			items := []any{}
			for i := range (id >> 11) % 4 {
				items = append(items, fmt.Sprintf("i%d-%x", i, id&0xff))
			}
			out.Parameters[name] = items
		}
	}
	for name := range c.OutputDefinitions.Artifacts {
		a := run.Artifact{Name: name, SchemaTitle: "system.Dataset", SchemaVersion: "0.0.1"}
		if name == "artifact" { // an importer's
			a.URI = "gs://bucket/given"
		} else {
			a.Digest = fmt.Sprintf("sha256:%016x", id)
			a.URI = "levada:" + a.Digest
		}
		out.Artifacts[name] = []run.Artifact{a}
	}
	return out
}

// result is what the runner returns for an attempt that ends so.
func (e ending) result(c *ir.Component, id uint64, step *run.Step) (run.Values, error) {
	switch e {
	case endsFailed:
		return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: "exit status 1", ExitCode: 1}
	case endsPermanently:
		return run.Values{}, &run.Failure{Reason: run.ReasonInput, Message: "its input cannot be read"}
	case endsUnencodable:
		return run.Values{Parameters: map[string]any{"number": math.NaN()}}, nil
	}
	out := outputs(c, id)
	for name, list := range out.Artifacts {
		for i := range list {
			list[i].RunID, list[i].TaskID, list[i].ID = step.Job.RunID, step.TaskID, run.ArtifactID(step.TaskID, name, i)
		}
	}
	return out, nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
