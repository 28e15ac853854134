package declare

import (
	"context"
	"errors"
	"fmt"

	"levada/internal/core/declare"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infergraph"
	"levada/internal/core/run"
)

// planUnowned plans what somebody declares without a set: it owns nothing, so nothing is deleted, and what belongs to a set is changed and goes
// on belonging to it. A monitor is a set of its own, whose name is that of all that it stands for, because some of that may go; unless that belongs
// to another set.
func (s *Service) planUnowned(ctx context.Context, resources []declare.Resource, adopt bool) ([]step, error) {
	if err := s.once(resources); err != nil {
		return nil, err
	}
	_, owners, err := s.owners(ctx)
	if err != nil {
		return nil, err
	}
	var plain []declare.Resource
	var of, alone []int
	for i, r := range resources {
		set := declare.MonitorPrefix + r.Name
		if o := owners[key{declare.Pipeline, set}]; r.Kind == declare.Monitor && (o.Set == "" || o.Set == set) {
			alone = append(alone, i)
			continue
		}
		plain, of = append(plain, r), append(of, i)
	}
	var all declare.Misdeclared
	var steps []step
	add := func(more []step, err error, places ...int) error {
		wrong, is := errors.AsType[declare.Misdeclared](err)
		if err != nil && !is {
			return err
		}
		for _, w := range wrong {
			w.Resource = places[w.Resource]
			all = append(all, w)
		}
		steps = append(steps, more...)
		return nil
	}
	more, err := s.planSet(ctx, "", plain, true, nil)
	if err := add(more, err, of...); err != nil {
		return nil, err
	}
	for _, i := range alone {
		r := resources[i]
		set := declare.MonitorPrefix + r.Name
		if !setName.MatchString(set) {
			all = append(all, declare.Mistake{Resource: i, At: r.At,
				Message: fmt.Sprintf("the name of the monitor is %q; want at most %d letters, digits, dots, underscores and hyphens", fault.Shorten(r.Name, 200), 100-len(declare.MonitorPrefix))})
			continue
		}
		more, err := s.planSet(ctx, set, []declare.Resource{r}, adopt, plain)
		if err := add(more, err, i); err != nil {
			return nil, err
		}
	}
	if all != nil {
		return nil, fault.Invalidf("%w", all)
	}
	return steps, nil
}

// once checks that nothing is declared twice, as itself or as part of a monitor.
func (s *Service) once(resources []declare.Resource) error {
	expanded, of, err := declare.Expand(resources, s.deps.Monitors)
	if err != nil {
		return err
	}
	_, err = distinct("", expanded, nil)
	return asDeclared(err, of)
}

// Describe returns what is there of a kind and name as it would be declared, and the set that it belongs to, "" for none. Pipelines are not
// described: their text is their specification. What cannot be declared as it is is a Conflict.
func (s *Service) Describe(ctx context.Context, k declare.Kind, name string) (declare.Resource, string, error) {
	r := declare.Resource{Kind: k, Name: name}
	_, owners, err := s.owners(ctx)
	if err != nil {
		return r, "", err
	}
	set := owners[key{k, name}].Set
	var sub run.Submission
	switch k {
	case declare.Trigger, declare.RecurringRun, declare.Endpoint, declare.Graph:
	default:
		return r, "", fault.Invalidf("a %s is not described as text", k)
	}
	have, id, err := s.live(ctx, k, name, "")
	if err != nil {
		return r, "", err
	}
	switch v := have.(type) {
	case declare.Resource:
		r = v
		r.Kind, r.Name = k, name
		sub, err = s.submissionOf(ctx, k, id)
	case endpoint.Spec:
		r.Endpoint = &v
	case infergraph.Spec:
		r.Graph = &v
	}
	switch {
	case err != nil:
		return r, "", err
	case sub.VersionID != "":
		return r, "", fault.Conflictf("%s %q runs one version of its pipeline whatever is uploaded, and what is declared runs the newest", k, name)
	case sub.SpecDigest != "":
		return r, "", fault.Conflictf("%s %q runs a specification of its own, and what is declared runs an uploaded pipeline: upload it first", k, name)
	}
	return r, set, nil
}

// owners are what sets own, in their order and by kind and name.
func (s *Service) owners(ctx context.Context) (all []declare.Owned, by map[key]declare.Owned, err error) {
	all, err = s.deps.Store.Owned(ctx)
	by = make(map[key]declare.Owned, len(all))
	for _, o := range all {
		by[key{o.Kind, o.Name}] = o
	}
	return all, by, err
}

// submissionOf is what something starts runs from.
func (s *Service) submissionOf(ctx context.Context, k declare.Kind, id string) (run.Submission, error) {
	if k == declare.Trigger {
		t, err := s.deps.Triggers.Get(ctx, id)
		return t.Run, err
	}
	r, err := s.deps.RecurringRuns.Get(ctx, id)
	return r.Run, err
}
