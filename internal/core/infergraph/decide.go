package infergraph

import "levada/internal/core/fault"

// Taken returns the step of a switch whose condition is the first to hold over the data. That none holds is an Invalid error, and so is a
// condition that cannot be evaluated.
func (r *Routing) Taken(f Flow, a *Asked) (*Action, error) {
	variables := a.variables(f)
	for _, s := range r.Steps {
		if s.when == nil {
			return s, nil
		}
		holds, err := s.when.Holds(variables)
		if err != nil {
			return nil, fault.Invalidf("%s: %w", s.Place, err)
		}
		if holds {
			return s, nil
		}
	}
	return nil, fault.Invalidf("node %s: none of its %d conditions holds for the request; a last step without a condition takes what is left", r.Name, len(r.Steps))
}

// Drawn returns the step of a splitter that a request takes, by its key where the splitter is sticky, and by the random number where not.
func (r *Routing) Drawn(a *Asked, random uint64) *Action {
	key := a.Key
	if key == "" && a.Header != nil {
		key = a.Header(r.plan.Header())
	}
	name := r.plan.Choose(key, a.Header, random).Version
	for _, s := range r.Steps {
		if s.Name == name {
			return s
		}
	}
	return r.Steps[0] // the plan was made of the steps
}

// Given is what a step of a sequence is given: what the node was, or what was answered last.
func (s *Action) Given(node, last Flow) Flow {
	if s.Data == FromRequest {
		return node
	}
	return last
}

// Continues reports whether a sequence goes on with the step; last is the answer that it has.
func (s *Action) Continues(last Flow, a *Asked) (bool, error) {
	if s.when == nil {
		return true, nil
	}
	return s.when.Holds(a.variables(last))
}

// Prepare is what the step's endpoint or node gets of what the step is given. stop is asked now and then whether to go on.
func (s *Action) Prepare(f Flow, a *Asked, stop func() error) (Flow, error) {
	return s.before.apply(f, a, stop)
}

// Finish is what the step answers, made of what its endpoint or node has.
func (s *Action) Finish(f Flow, a *Asked, stop func() error) (Flow, error) {
	return s.after.apply(f, a, stop)
}
