package ir

import "strings"

// use is an input or output that a container's texts refer to, and where they do so first.
type use struct {
	ref   placeholder
	where *place
}

// uses returns what the texts of a container refer to, each input and output once.
func (c *checker) uses(label string, container *Container) []use {
	if found, ok := c.used[label]; ok {
		return found
	}
	type name struct{ kind, name string }
	seen := map[name]bool{}
	found := []use{}
	look := func(text string, where *place) {
		for _, ref := range findPlaceholders(text) {
			bound := ref.kind == "inputs.parameters" && strings.HasPrefix(ref.name, compilerInput)
			if n := (name{ref.kind, ref.name}); ref.name != "" && !bound && !seen[n] {
				seen[n] = true
				found = append(found, use{ref, where})
			}
		}
	}
	at := top("deploymentSpec", "executors", label, "container")
	look(container.Image, at.of("image"))
	for i, s := range container.Command {
		look(s, at.of("command").nth(i))
	}
	for i, s := range container.Args {
		look(s, at.of("args").nth(i))
	}
	c.used[label] = found
	return found
}

// leaf checks an executor's placeholders against the component's own inputs and outputs.
func (c *checker) leaf(path *place, comp *Component) error {
	e := c.spec.Executor(comp)
	if e == nil {
		return c.fail(path.of("executorLabel"), "executor %q is not in deploymentSpec.executors", comp.ExecutorLabel)
	}
	if e.Container == nil {
		return nil
	}
	for _, u := range c.uses(comp.ExecutorLabel, e.Container) {
		if !comp.declares(u.ref) {
			return c.fail(u.where, "%s refers to %q, which is not among the component's %s",
				shorten(u.ref.text), shorten(u.ref.name), strings.ReplaceAll(u.ref.kind, ".", " "))
		}
	}
	return nil
}

func (c *Component) declares(ref placeholder) bool {
	switch ref.kind {
	case "inputs.parameters":
		return c.InputDefinitions.Parameters[ref.name] != nil
	case "inputs.artifacts":
		return c.InputDefinitions.Artifacts[ref.name] != nil
	case "outputs.parameters":
		return c.OutputDefinitions.Parameters[ref.name] != nil
	case "outputs.artifacts":
		return c.OutputDefinitions.Artifacts[ref.name] != nil
	}
	return true
}

// needs are the inputs that a component cannot do without, in order.
type needs struct{ parameters, artifacts []string }

func (c *checker) needsOf(comp *Component) needs {
	if n, ok := c.needs[comp]; ok {
		return n
	}
	var n needs
	for _, k := range sortedKeys(comp.InputDefinitions.Parameters) {
		def := comp.InputDefinitions.Parameters[k]
		if !def.IsOptional && len(def.DefaultValue) == 0 && def.ParameterType != TaskConfig {
			n.parameters = append(n.parameters, k)
		}
	}
	for _, k := range sortedKeys(comp.InputDefinitions.Artifacts) {
		if !comp.InputDefinitions.Artifacts[k].IsOptional {
			n.artifacts = append(n.artifacts, k)
		}
	}
	c.needs[comp] = n
	return n
}
