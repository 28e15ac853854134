package ir

import "strings"

// The compilers of kfp 2.0 to 2.17 bind the inputs of nested loops wrongly when an f-string mentions a loop's item: an inner graph
// takes the item of an outer one without being given it, and an outer one is given the item of an inner one, which does not
// exist there. Both are mended here: the first is handed down, the second dropped.

// repair mends the bindings of the whole specification.
func (s *Spec) repair() {
	r := &repairer{spec: s, missing: map[*Component]map[string]bool{}, done: map[*Component]bool{}, used: map[*DAG]map[string]bool{}}
	if s.Root != nil && s.Root.DAG != nil {
		r.handDown(s.Root)
		r.drop(s.Root)
	}
	for _, c := range s.Components {
		if c != nil && c.DAG != nil {
			r.drop(c)
		}
	}
}

type repairer struct {
	spec    *Spec
	missing map[*Component]map[string]bool // what needs found
	done    map[*Component]bool            // the components that handDown has seen
	used    map[*DAG]map[string]bool       // what uses found
}

// graph returns the component of a task if it is a graph.
func (r *repairer) graph(t *Task) *Component {
	if c := r.spec.Components[t.ComponentRef.Name]; c != nil && c.DAG != nil {
		return c
	}
	return nil
}

// needs returns the inputs that tasks of a graph, at any depth, take from it although it does not declare them.
func (r *repairer) needs(c *Component) map[string]bool {
	if m, ok := r.missing[c]; ok {
		return m
	}
	r.missing[c] = nil // a component that contains itself is refused later
	m := map[string]bool{}
	for _, t := range c.DAG.Tasks {
		for _, p := range t.Inputs.Parameters {
			if n := p.ComponentInputParameter; strings.HasPrefix(n, compilerInput) && c.InputDefinitions.Parameters[n] == nil {
				m[n] = true
			}
		}
		if inner := r.graph(t); inner != nil {
			for n := range r.needs(inner) {
				if t.Inputs.Parameters[n] == nil && c.InputDefinitions.Parameters[n] == nil {
					m[n] = true
				}
			}
		}
	}
	r.missing[c] = m
	return m
}

// handDown binds what inner graphs need and the graph has.
func (r *repairer) handDown(c *Component) {
	if r.done[c] {
		return
	}
	r.done[c] = true
	for _, t := range c.DAG.Tasks {
		inner := r.graph(t)
		if inner == nil {
			continue
		}
		for n := range r.needs(inner) {
			def := c.InputDefinitions.Parameters[n]
			if def == nil || t.Inputs.Parameters[n] != nil {
				continue
			}
			if t.Inputs.Parameters == nil {
				t.Inputs.Parameters = map[string]*TaskParameter{}
			}
			if inner.InputDefinitions.Parameters == nil {
				inner.InputDefinitions.Parameters = map[string]*InputParameter{}
			}
			t.Inputs.Parameters[n] = &TaskParameter{ComponentInputParameter: n}
			inner.InputDefinitions.Parameters[n] = def
		}
		r.handDown(inner)
	}
}

// drop removes the inputs of inner graphs that are bound to nothing and used by nothing.
func (r *repairer) drop(c *Component) {
	for _, t := range c.DAG.Tasks {
		inner := r.graph(t)
		if inner == nil {
			continue
		}
		for k, p := range t.Inputs.Parameters {
			name := p.ComponentInputParameter
			if name == "" || c.InputDefinitions.Parameters[name] != nil {
				continue
			}
			if r.used[inner.DAG] == nil {
				r.used[inner.DAG] = inner.DAG.uses()
			}
			if !r.used[inner.DAG][k] {
				delete(t.Inputs.Parameters, k)
				delete(inner.InputDefinitions.Parameters, k)
			}
		}
	}
}

// uses returns the input parameters of the graph that its tasks take.
func (d *DAG) uses() map[string]bool {
	taken := map[string]bool{}
	for _, t := range d.Tasks {
		for _, p := range t.Inputs.Parameters {
			taken[p.ComponentInputParameter] = true
			if p.RuntimeValue != nil {
				taken[p.RuntimeValue.RuntimeParameter] = true
			}
		}
	}
	return taken
}
