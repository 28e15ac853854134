package ir

import (
	"encoding/json"
	"math"
	"strings"

	"levada/internal/core/fault"
)

// ResolveContainer returns a copy of c in which every placeholder of the image, command, arguments and
// environment is replaced. Arguments that resolve to nothing (an IfPresent without its input) are left out.
func ResolveContainer(c *Container, in *ExecutorInput, p Placeholders) (*Container, error) {
	s := scope{input: in, run: p}
	out := *c
	var err error
	if out.Image, err = s.expand(c.Image); err != nil {
		return nil, err
	}
	if out.Command, err = s.words(c.Command); err != nil {
		return nil, err
	}
	if out.Args, err = s.words(c.Args); err != nil {
		return nil, err
	}
	out.Env = make([]EnvVar, len(c.Env))
	for i, e := range c.Env {
		out.Env[i].Name = e.Name
		if out.Env[i].Value, err = s.expand(e.Value); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

func (c scope) words(words []string) ([]string, error) {
	out := make([]string, 0, len(words))
	for _, w := range words {
		expanded, err := c.word(w)
		if err != nil {
			return nil, err
		}
		out = append(out, expanded...)
	}
	return out, nil
}

// word expands one command word, which may be a structured placeholder written as JSON: {"IfPresent": …} or {"Concat": …}.
func (c scope) word(w string) ([]string, error) {
	if t := strings.TrimSpace(w); strings.HasPrefix(t, `{"IfPresent"`) || strings.HasPrefix(t, `{"Concat"`) {
		var tree any
		if json.Unmarshal([]byte(t), &tree) == nil {
			return c.structured(tree, 0)
		}
	}
	s, err := c.expand(w)
	return []string{s}, err
}

// structured evaluates a nested IfPresent or Concat; the form is that of placeholders.py in the KFP SDK.
func (c scope) structured(tree any, depth int) ([]string, error) {
	if depth > maxDepth {
		return nil, fault.Invalidf("placeholder: nested more than %d levels deep", maxDepth)
	}
	switch tree := tree.(type) {
	case string:
		s, err := c.expand(tree)
		return []string{s}, err
	case []any:
		var out []string
		for _, e := range tree {
			words, err := c.structured(e, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, words...)
		}
		return out, nil
	case map[string]any:
		if parts, ok := tree["Concat"]; ok {
			words, err := c.structured(parts, depth+1)
			return []string{strings.Join(words, "")}, err
		}
		if cond, ok := tree["IfPresent"].(map[string]any); ok {
			name, _ := cond["InputName"].(string)
			branch := cond["Else"]
			if c.present(name) {
				branch = cond["Then"]
			}
			if branch == nil {
				return nil, nil
			}
			return c.structured(branch, depth+1)
		}
	}
	return []string{JSON(tree)}, nil
}

// present reports whether an input, parameter or artifact, was given. An output always is.
func (c scope) present(name string) bool {
	if _, ok := c.input.Outputs.Parameters[name]; ok {
		return true
	}
	if _, ok := c.input.Outputs.Artifacts[name]; ok {
		return true
	}
	if v, ok := c.input.Inputs.ParameterValues[name]; ok && v != nil {
		return true
	}
	return len(c.input.Inputs.Artifacts[name].Artifacts) > 0
}

// ResolveLimits returns what a container asks for, with placeholders replaced and quantities parsed.
func ResolveLimits(r *Resources, in *ExecutorInput, p Placeholders) (Limits, error) {
	if r == nil {
		return Limits{}, nil
	}
	const gigabyte = 1e9 // the deprecated numeric fields count GB
	l := Limits{
		CPURequest: r.CPURequest, CPULimit: r.CPULimit,
		MemoryRequest: r.MemoryRequest * gigabyte, MemoryLimit: r.MemoryLimit * gigabyte,
	}
	s := scope{input: in, run: p}
	for _, f := range []struct {
		text string
		into *float64
	}{
		{r.ResourceCPURequest, &l.CPURequest}, {r.ResourceCPULimit, &l.CPULimit},
		{r.ResourceMemoryRequest, &l.MemoryRequest}, {r.ResourceMemoryLimit, &l.MemoryLimit},
	} {
		if err := s.quantity(f.text, f.into); err != nil {
			return Limits{}, err
		}
	}
	a := r.Accelerator
	if a == nil {
		return l, nil
	}
	count, err := a.Count.Float64()
	if err != nil {
		count = 0
	}
	if err := s.quantity(a.ResourceCount, &count); err != nil {
		return Limits{}, err
	}
	l.Accelerators = int(math.Ceil(count))
	l.AcceleratorType, err = s.expand(a.Type + a.ResourceType)
	if a.Type != "" && a.ResourceType != "" {
		l.AcceleratorType, err = s.expand(a.ResourceType)
	}
	return l, err
}

// quantity sets into when text, once expanded, is not empty.
func (c scope) quantity(text string, into *float64) error {
	text, err := c.expand(text)
	if err != nil || text == "" {
		return err
	}
	*into, err = Quantity(text)
	return err
}
