package ir

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// checker refuses what could never run: references to nothing, cycles, missing inputs, wrong types, expressions that do not
// compile. It goes through the specification in a fixed order, so a file always gives the same first error.
//
// Many components may share an executor and many tasks a component, so what these ask for is found once and kept.
type checker struct {
	part
	pipeline *Pipeline
	spec     *Spec
	used     map[string][]use     // the placeholders of each executor
	needs    map[*Component]needs // the inputs that each component cannot do without
}

// maxNameLength bounds the name of a task, in bytes.
const maxNameLength = 200

// Task names become parts of paths and URLs.
var safeName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// compilerInput begins the names of inputs that the compiler binds to a task without declaring them.
const compilerInput = "pipelinechannel--"

func (c *checker) check() error {
	s := c.spec
	if strings.TrimSpace(s.PipelineInfo.Name) == "" {
		return c.fail(top("pipelineInfo", "name"), "missing: the pipeline needs a name")
	}
	if s.Root == nil || s.Root.DAG == nil {
		return c.fail(top("root"), "missing: want root.dag with the tasks of the pipeline")
	}
	for _, label := range sortedKeys(s.DeploymentSpec.Executors) {
		if err := c.executor(label); err != nil {
			return err
		}
	}
	if err := c.component(top("root"), s.Root); err != nil {
		return err
	}
	for _, name := range sortedKeys(s.Components) {
		if err := c.component(top("components", name), s.Components[name]); err != nil {
			return err
		}
	}
	return c.recursion()
}

func (c *checker) executor(label string) error {
	path := top("deploymentSpec", "executors", label)
	e := c.spec.DeploymentSpec.Executors[label]
	switch {
	case e == nil:
		return c.fail(path, "empty: want container or importer")
	case e.Resolver != nil:
		return c.fail(path, "unsupported executor: resolver; use an importer, or a component that finds the artifact")
	case e.CustomJob != nil:
		return c.fail(path, "unsupported executor: customJob (it runs only on Vertex AI)")
	case (e.Container == nil) == (e.Importer == nil):
		return c.fail(path, "want exactly one of container and importer")
	case e.Container != nil && e.Container.Image == "":
		return c.fail(path.of("container", "image"), "missing")
	}
	return nil
}

func (c *checker) component(path *place, comp *Component) error {
	if comp.DAG == nil && comp.ExecutorLabel == "" {
		return c.fail(path, "want dag or executorLabel")
	}
	for _, k := range sortedKeys(comp.InputDefinitions.Parameters) {
		at := path.of("inputDefinitions", "parameters", k)
		def := comp.InputDefinitions.Parameters[k]
		if err := c.parameterType(at, def.ParameterType); err != nil {
			return err
		}
		if d, ok := def.Default(); ok && !fits(d, def.ParameterType) {
			return c.fail(at.of("defaultValue"), "%v", mismatch(d, def.ParameterType))
		}
	}
	for _, k := range sortedKeys(comp.OutputDefinitions.Parameters) {
		if err := c.parameterType(path.of("outputDefinitions", "parameters", k), comp.OutputDefinitions.Parameters[k].ParameterType); err != nil {
			return err
		}
	}
	if comp.DAG == nil {
		return c.leaf(path, comp)
	}
	if comp.ExecutorLabel != "" {
		return c.fail(path, "want only one of dag and executorLabel")
	}
	return c.dag(path, comp)
}

func (c *checker) parameterType(path *place, t ParameterType) error {
	switch t {
	case NumberDouble, NumberInteger, String, Boolean, List, Struct, TaskFinalStatus, TaskConfig:
		return nil
	case "":
		return c.fail(path, "parameterType is missing")
	}
	return c.fail(path, "unknown parameterType %q", t)
}

func (c *checker) dag(path *place, comp *Component) error {
	tasks := path.of("dag", "tasks")
	if len(comp.DAG.Tasks) == 0 {
		return c.fail(tasks, "the graph has no tasks")
	}
	for _, name := range sortedKeys(comp.DAG.Tasks) {
		if !safeName.MatchString(name) || len(name) > maxNameLength || name == "." || name == ".." {
			return c.fail(tasks.of(name), "task name %q: want letters, digits, '-', '_' and '.', at most %d", shorten(name), maxNameLength)
		}
		t := taskChecker{c, tasks.of(name), comp, comp.DAG.Tasks[name]}
		if err := t.check(); err != nil {
			return err
		}
	}
	if cycle := findCycle(sortedKeys(comp.DAG.Tasks), func(n string) []string { return comp.DAG.Tasks[n].Upstream() }); cycle != nil {
		return c.fail(tasks.of(cycle[0]), "cyclic dependency: %s", chain(cycle))
	}
	return c.outputs(path, comp)
}

// outputs checks that each declared output of a DAG has a source of its type.
func (c *checker) outputs(path *place, comp *Component) error {
	out := comp.DAG.Outputs
	for _, k := range sortedKeys(out.Parameters) {
		at := path.of("dag", "outputs", "parameters", k)
		if len(out.Parameters[k].Selectors()) == 0 {
			return c.fail(at, "want valueFromParameter or valueFromOneof")
		}
		for _, sel := range out.Parameters[k].Selectors() {
			t := comp.DAG.Tasks[sel.ProducerSubtask]
			if t == nil {
				return c.fail(at, "task %q is not in this graph", sel.ProducerSubtask)
			}
			if c.spec.Component(t).OutputDefinitions.Parameters[sel.OutputParameterKey] == nil {
				return c.fail(at, "task %q has no output parameter %q", sel.ProducerSubtask, sel.OutputParameterKey)
			}
		}
	}
	for _, k := range sortedKeys(out.Artifacts) {
		at := path.of("dag", "outputs", "artifacts", k)
		for _, sel := range out.Artifacts[k].ArtifactSelectors {
			t := comp.DAG.Tasks[sel.ProducerSubtask]
			if t == nil {
				return c.fail(at, "task %q is not in this graph", sel.ProducerSubtask)
			}
			if c.spec.Component(t).OutputDefinitions.Artifacts[sel.OutputArtifactKey] == nil {
				return c.fail(at, "task %q has no output artifact %q", sel.ProducerSubtask, sel.OutputArtifactKey)
			}
		}
	}
	return nil
}

// recursion refuses components that contain themselves: such a run would never end.
func (c *checker) recursion() error {
	inside := func(name string) []string {
		comp := c.spec.Components[name]
		if comp == nil || comp.DAG == nil {
			return nil
		}
		seen := map[string]bool{}
		for _, t := range comp.DAG.Tasks {
			seen[t.ComponentRef.Name] = true
		}
		return sortedKeys(seen)
	}
	if cycle := findCycle(sortedKeys(c.spec.Components), inside); cycle != nil {
		return c.fail(top("components", cycle[0]), "the component contains itself: %s", chain(cycle))
	}
	return nil
}

// Upstream returns the names of the tasks that come before t in its DAG, each once, sorted: the declared ones and the
// producers of its inputs.
func (t *Task) Upstream() []string {
	seen := make(map[string]bool, len(t.DependentTasks))
	for _, d := range t.DependentTasks {
		seen[d] = true
	}
	for _, p := range t.Inputs.Parameters {
		if p.TaskOutputParameter != nil {
			seen[p.TaskOutputParameter.ProducerTask] = true
		}
		if p.TaskFinalStatus != nil {
			seen[p.TaskFinalStatus.ProducerTask] = true
		}
	}
	for _, a := range t.Inputs.Artifacts {
		if a.TaskOutputArtifact != nil {
			seen[a.TaskOutputArtifact.ProducerTask] = true
		}
	}
	if len(seen) == 0 {
		return nil
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// findCycle returns a cycle as a path that ends where it begins, or nil. It does not recurse: graphs may be long chains.
func findCycle(nodes []string, next func(string) []string) []string {
	const open, done = 1, 2
	state := make(map[string]int, len(nodes))
	type frame struct {
		node string
		rest []string
	}
	for _, start := range nodes {
		if state[start] != 0 {
			continue
		}
		state[start] = open
		stack := []frame{{start, next(start)}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.rest) == 0 {
				state[top.node] = done
				stack = stack[:len(stack)-1]
				continue
			}
			n := top.rest[0]
			top.rest = top.rest[1:]
			if state[n] == open {
				var cycle []string
				for i := range stack {
					if stack[i].node == n || len(cycle) > 0 {
						cycle = append(cycle, stack[i].node)
					}
				}
				return append(cycle, n)
			}
			if state[n] == 0 {
				state[n] = open
				stack = append(stack, frame{n, next(n)})
			}
		}
	}
	return nil
}

// chain writes a cycle for a person; of a long one the beginning is enough.
func chain(cycle []string) string {
	const most = 12
	names := make([]string, 0, most+1)
	for i, n := range cycle {
		if i == most {
			return strings.Join(append(names, fmt.Sprintf("and %d more", len(cycle)-most)), " -> ")
		}
		names = append(names, shorten(n))
	}
	return strings.Join(names, " -> ")
}

func rawList(raw string) ([]any, error) {
	var list []any
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		return nil, err
	}
	return list, nil
}
