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
func (s *Service) planUnowned(ctx context.Context, resources, expanded []declare.Resource, of []int, adopt bool, runs runNames) ([]step, error) {
	if _, err := distinct("", expanded, nil); err != nil {
		return nil, asDeclared(err, of)
	}
	_, owners, err := s.owners(ctx)
	if err != nil {
		return nil, err
	}
	// groups are planned one by one: the plain ones first, then each monitor that is a set.
	type group struct {
		set   string
		parts []declare.Resource
		of    []int
	}
	groups := []group{{}}
	for i, part := range expanded {
		r := resources[of[i]]
		to := &groups[0]
		set := declare.MonitorPrefix + r.Name
		if o := owners[key{declare.Pipeline, set}]; r.Kind == declare.Monitor && (o.Set == "" || o.Set == set) {
			if to = &groups[len(groups)-1]; to.set != set {
				groups = append(groups, group{set: set})
				to = &groups[len(groups)-1]
			}
		}
		to.parts, to.of = append(to.parts, part), append(to.of, of[i])
	}
	var all declare.Misdeclared
	var steps []step
	for _, g := range groups {
		if g.set != "" && !setName.MatchString(g.set) {
			r := resources[g.of[0]]
			all = append(all, declare.Mistake{Resource: g.of[0], At: r.At,
				Message: fmt.Sprintf("the name of the monitor is %q; want at most %d letters, digits, dots, underscores and hyphens", fault.Shorten(r.Name, 200), 100-len(declare.MonitorPrefix))})
			continue
		}
		var others []declare.Resource
		if g.set != "" {
			others = groups[0].parts
		}
		more, err := s.steps(ctx, g.set, g.parts, adopt || g.set == "", others, runs)
		wrong, is := errors.AsType[declare.Misdeclared](asDeclared(err, g.of))
		if err != nil && !is {
			return nil, err
		}
		all, steps = append(all, wrong...), append(steps, more...)
	}
	if all != nil {
		return nil, fault.Invalidf("%w", all)
	}
	return steps, nil
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
