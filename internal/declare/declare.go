// Package declare makes a server have what files declare: it plans what has to change, and changes it.
//
// A set of files has a name and owns the resources that it declares: what it owns and no longer declares is deleted, and what it does not
// own is left alone. That a resource belongs to a set is noted before it is made, so that whoever is killed between the two finds it
// again. It must not know HTTP, SQL or files. Start reading at Service.Apply.
package declare

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/declare"
	"levada/internal/core/endpoint"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/infergraph"
	"levada/internal/core/monitor"
	"levada/internal/core/partition"
	"levada/internal/core/schedule"
)

// Store knows what belongs to which set.
type Store interface {
	// Owned returns all that belongs to sets.
	Owned(ctx context.Context) ([]declare.Owned, error)
	// Own notes that a resource belongs to a set, Disown that it belongs to none.
	Own(ctx context.Context, o declare.Owned) error
	Disown(ctx context.Context, k declare.Kind, name string) error
}

// Pipelines keeps pipelines and what is filed under experiments.
type Pipelines interface {
	// FindPipeline returns the id of a pipeline and the digest of its newest version; NotFound when there is none of the name.
	FindPipeline(ctx context.Context, name string) (id, digest string, err error)
	PipelineName(ctx context.Context, id string) (string, error)
	// Digest checks a specification and returns its digest.
	Digest(spec string) (string, error)
	// RunName is the name that runs of a specification have.
	RunName(spec string) (string, error)
	CreatePipeline(ctx context.Context, name, description, spec string) (id string, err error)
	AddVersion(ctx context.Context, id, spec string) error
	DeletePipeline(ctx context.Context, id string) error
	// CheckParameters checks those of a run against a specification, or against the newest version of a pipeline where spec is empty.
	CheckParameters(ctx context.Context, spec, pipelineID string, given map[string]any, later []string) error
	// CheckPartitions refuses partitions that a specification has no parameter for.
	CheckPartitions(spec string, d partition.Definition) error
	// ExperimentNamed returns the id of an experiment, the default one for "". With create it is made where it is missing; without,
	// its id is then empty.
	ExperimentNamed(ctx context.Context, name string, create bool) (id string, err error)
	ExperimentName(ctx context.Context, id string) (string, error)
}

// Partitions knows how pipelines are partitioned.
type Partitions interface {
	// Partitioning returns how a pipeline is partitioned; NotFound when it is not.
	Partitioning(ctx context.Context, pipelineID string) (partition.Definition, error)
	SetPartitions(ctx context.Context, pipelineID string, d partition.Definition) error
}

// RecurringRuns keeps recurring runs.
type RecurringRuns interface {
	Create(ctx context.Context, r catalog.RecurringRun) (catalog.RecurringRun, error)
	Get(ctx context.Context, id string) (catalog.RecurringRun, error)
	// Times returns the first times of a schedule after now, at most n.
	Times(t schedule.Trigger, n int) ([]time.Time, error)
	// Find returns up to limit recurring runs by the beginning of their id or a part of their name.
	Find(ctx context.Context, text string, limit int) ([]catalog.RecurringRun, error)
	Replace(ctx context.Context, id string, r catalog.RecurringRun) (catalog.RecurringRun, error)
	Delete(ctx context.Context, id string) error
}

// Triggers keeps triggers.
type Triggers interface {
	Create(ctx context.Context, t event.Trigger) (event.Trigger, error)
	Replace(ctx context.Context, id string, t event.Trigger) (event.Trigger, error)
	Get(ctx context.Context, id string) (event.Trigger, error)
	// Named returns the trigger of a name; NotFound when there is none.
	Named(ctx context.Context, name string) (event.Trigger, error)
	Delete(ctx context.Context, id string) error
	// Missing says which of the things that triggers name are not there, for each of the lists.
	Missing(ctx context.Context, named [][]event.Reference) ([][]string, error)
}

// Endpoints serves models.
type Endpoints interface {
	// Resolved checks a specification as far as that can be done, with numbers in place of aliases.
	Resolved(ctx context.Context, spec endpoint.Spec) (endpoint.Spec, error)
	// Specification returns what an endpoint is asked to be; NotFound when there is none.
	Specification(ctx context.Context, name string) (endpoint.Spec, error)
	// Serve makes an endpoint or gives it another specification, and Undeploy deletes it.
	Serve(ctx context.Context, name string, spec endpoint.Spec) error
	Undeploy(ctx context.Context, name string) error
}

// Graphs puts endpoints together.
type Graphs interface {
	// CheckGraph checks a specification as far as that can be done. Endpoints and graphs that are declared count as there.
	CheckGraph(ctx context.Context, name string, spec infergraph.Spec, declared []string) error
	// GraphSpecification returns what a graph is asked to be; NotFound when there is none.
	GraphSpecification(ctx context.Context, name string) (infergraph.Spec, error)
	// ServeGraph makes a graph or gives it another specification, and DeleteGraph deletes it.
	ServeGraph(ctx context.Context, name string, spec infergraph.Spec) error
	DeleteGraph(ctx context.Context, name string) error
}

// Options are what a service is made of.
type Options struct {
	Store         Store
	Pipelines     Pipelines
	Partitions    Partitions
	RecurringRuns RecurringRuns
	Triggers      Triggers
	Endpoints     Endpoints
	Graphs        Graphs
	// Monitors are the components that the pipelines of monitors are made of.
	Monitors *monitor.Parts
}

// Service plans and applies. Its methods may be called from any goroutine.
type Service struct {
	deps Options
	mu   sync.Mutex // two that apply at once would make things twice
}

// New returns a service.
func New(o Options) *Service { return &Service{deps: o} }

var setName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Plan says what has to change so that the server has what a set declares. adopt takes over what is there and belongs to nobody. Without a
// set it is as in unowned.go.
func (s *Service) Plan(ctx context.Context, set string, resources []declare.Resource, adopt bool) ([]declare.Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	steps, err := s.plan(ctx, set, resources, adopt)
	out := make([]declare.Change, len(steps))
	for i := range steps {
		out[i] = steps[i].change
	}
	return out, err
}

// Apply changes what Plan says, in its order, and returns what it has changed, also when it could not change all of it. Applying it
// again goes on from there.
func (s *Service) Apply(ctx context.Context, set string, resources []declare.Resource, adopt bool) ([]declare.Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	steps, err := s.plan(ctx, set, resources, adopt)
	if err != nil {
		return nil, err
	}
	done := []declare.Change{}
	for _, st := range steps {
		if err := s.carryOut(ctx, st); err != nil {
			text := fmt.Sprintf("%s %s %q: %v", st.change.Action, st.change.Kind, st.change.Name, err)
			if st.change.At != "" {
				text = st.change.At + ": " + text
			}
			return done, &fault.Error{Kind: fault.KindOf(err), Message: text, Cause: err}
		}
		done = append(done, st.change)
	}
	return done, nil
}

// key names a resource.
type key struct {
	kind declare.Kind
	name string
}

// step is a change with what it is carried out with.
type step struct {
	change   declare.Change
	resource declare.Resource
	// set owns the resource from now on; where it is empty, owner stays what it was.
	set   string
	owner declare.Owned
	// id is that of the resource that is there, pipelineID that of the pipeline that it runs, where there is one already.
	id string
	// owned says that the set owns it already, under its id.
	owned bool
}

func (s *Service) plan(ctx context.Context, set string, resources []declare.Resource, adopt bool) ([]step, error) {
	if set != "" && !setName.MatchString(set) {
		return nil, fault.Invalidf("the name of the set is %q; want letters, digits, dots, underscores and hyphens", fault.Shorten(set, 200))
	}
	if len(resources) > declare.MaxResources {
		return nil, fault.TooLargef("%d resources are declared; at most %d are accepted", len(resources), declare.MaxResources)
	}
	if err := check(resources); err != nil {
		return nil, err
	}
	expanded, of, err := declare.Expand(resources, s.deps.Monitors)
	if err != nil {
		return nil, err
	}
	runs := s.runNames(expanded)
	if set == "" {
		return s.planUnowned(ctx, resources, expanded, of, adopt, runs)
	}
	steps, err := s.steps(ctx, set, expanded, adopt, nil, runs)
	return steps, asDeclared(err, of)
}

// asDeclared has mistakes of parts say which of the declared resources they are of.
func asDeclared(err error, of []int) error {
	if wrong, ok := errors.AsType[declare.Misdeclared](err); ok {
		for i, w := range wrong {
			wrong[i].Resource = of[w.Resource]
		}
	}
	return err
}

// check looks at the resources for themselves.
func check(resources []declare.Resource) error {
	var wrong declare.Misdeclared
	for i, r := range resources {
		if err := r.Check(); err != nil {
			wrong = append(wrong, declare.Mistake{Resource: i, At: r.At, Message: err.Error()})
		}
	}
	if wrong != nil {
		return fault.Invalidf("%w", wrong)
	}
	return nil
}

// steps are what has to be done so that the server has the resources, which have been checked for themselves and expanded. The others are made
// before, and runs are the names of the runs of all that is declared.
func (s *Service) steps(ctx context.Context, set string, resources []declare.Resource, adopt bool, others []declare.Resource, runs runNames) ([]step, error) {
	all, owned, err := s.owners(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := distinct(set, resources, owned)
	if err != nil {
		return nil, err
	}
	with := beside(set, slices.Concat(resources, others), all, seen)
	with.adopt = adopt || set == ""
	var wrong declare.Misdeclared
	var steps []step
	for _, kind := range declare.Kinds() {
		for _, i := range declare.InOrder(resources, kind) {
			r := resources[i]
			st, err := s.compare(ctx, r, owned[key{r.Kind, r.Name}], with)
			switch fault.KindOf(err) {
			case fault.Invalid, fault.NotFound, fault.Conflict:
				wrong = append(wrong, declare.Mistake{Resource: i, At: r.At, Message: err.Error()})
				continue
			}
			if err != nil {
				return nil, err
			}
			st.change.Note = s.withTimes(st.change, r)
			steps = append(steps, st)
		}
	}
	if wrong != nil {
		return nil, fault.Invalidf("%w", wrong)
	}
	if err := s.warn(ctx, steps, runs); err != nil {
		return nil, err
	}
	// What starts runs goes before the pipelines that it runs.
	kinds := declare.Kinds()
	slices.Reverse(kinds)
	for _, kind := range kinds {
		var gone []step
		for _, o := range all {
			if o.Set == set && o.Kind == kind && !seen[key{o.Kind, o.Name}] {
				gone = append(gone, step{change: declare.Change{Action: declare.Delete, Kind: o.Kind, Name: o.Name}, id: o.ID, set: set, owner: o,
					resource: declare.Resource{Kind: o.Kind, Name: o.Name}})
			}
		}
		if kind == declare.Graph {
			gone = s.askingFirst(ctx, gone)
		}
		steps = append(steps, gone...)
	}
	return steps, nil
}

// withTimes is the note of a change that says when a schedule which is new, or another one, starts runs: an expression of cron is easily
// meant otherwise.
func (s *Service) withTimes(c declare.Change, r declare.Resource) string {
	another := c.Action == declare.Create || slices.ContainsFunc(c.Fields, func(d declare.Difference) bool { return d.Field == "schedule" })
	if r.Schedule == nil || !another {
		return c.Note
	}
	times, err := s.deps.RecurringRuns.Times(*r.Schedule, catalog.NextShown)
	plan, wrong := schedule.Parse(*r.Schedule)
	if err != nil || wrong != nil {
		return c.Note // it was checked
	}
	words := make([]string, len(times))
	for i, t := range times {
		words[i] = t.In(plan.Zone()).Format("2006-01-02 15:04:05")
	}
	note := fmt.Sprintf("runs at %s (%s)", strings.Join(words, ", "), plan.Zone())
	if len(times) == 0 {
		note = "there is no time to come"
	}
	if c.Note != "" {
		note = c.Note + "; " + note
	}
	return note
}

// askingFirst puts graphs that are deleted before those that they ask.
func (s *Service) askingFirst(ctx context.Context, gone []step) []step {
	graphs := make([]declare.Resource, len(gone))
	for i := range gone {
		graphs[i] = gone[i].resource
		if spec, err := s.deps.Graphs.GraphSpecification(ctx, graphs[i].Name); err == nil {
			graphs[i].Graph = &spec
		}
	}
	out := make([]step, 0, len(gone))
	for _, i := range slices.Backward(declare.InOrder(graphs, declare.Graph)) {
		out = append(out, gone[i])
	}
	return out
}

// distinct returns which resources there are. None may be there twice, or belong to another set.
func distinct(set string, resources []declare.Resource, owned map[key]declare.Owned) (map[key]bool, error) {
	seen := map[key]string{}
	var wrong declare.Misdeclared
	fail := func(i int, err error) {
		wrong = append(wrong, declare.Mistake{Resource: i, At: resources[i].At, Message: err.Error()})
	}
	for i, r := range resources {
		k := key{r.Kind, r.Name}
		if before, twice := seen[k]; twice {
			fail(i, fmt.Errorf("%s %q is declared twice; the other one is at %s", r.Kind, r.Name, before))
		}
		seen[k] = r.At
		if o, there := owned[k]; there && set != "" && o.Set != set {
			fail(i, fmt.Errorf("%s %q belongs to the set %q", r.Kind, r.Name, o.Set))
		}
	}
	if wrong != nil {
		return nil, fault.Invalidf("%w", wrong)
	}
	there := make(map[key]bool, len(seen))
	for k := range seen {
		there[k] = true
	}
	return there, nil
}

// declared is what else a set declares that resources may name: the specifications of pipelines, and the names of endpoints and graphs.
type declared struct {
	specs map[string]string
	asked []string
	set   string
	adopt bool
	// going are the pipelines that are deleted in the end, because the set owns them and does not declare them any more.
	going map[string]bool
}

// beside is what resources of a set may name: what is declared, and what the set owns and is not seen in it any more.
func beside(set string, resources []declare.Resource, all []declare.Owned, seen map[key]bool) declared {
	with := declared{specs: map[string]string{}, set: set, going: map[string]bool{}}
	for _, r := range resources {
		switch r.Kind {
		case declare.Pipeline:
			with.specs[r.Name] = r.Spec
		case declare.Endpoint, declare.Graph:
			with.asked = append(with.asked, r.Name)
		}
	}
	for _, o := range all {
		if set != "" && o.Set == set && o.Kind == declare.Pipeline && !seen[key{o.Kind, o.Name}] {
			with.going[o.Name] = true
		}
	}
	return with
}

// compare says what has to change so that a resource is there as it is declared.
func (s *Service) compare(ctx context.Context, r declare.Resource, o declare.Owned, with declared) (step, error) {
	st := step{resource: r, set: with.set, owner: o, change: declare.Change{Kind: r.Kind, Name: r.Name, At: r.At}}
	want, err := s.wanted(ctx, r, with)
	if err != nil {
		return st, err
	}
	have, id, err := s.live(ctx, r.Kind, r.Name, o.ID)
	if fault.KindOf(err) == fault.NotFound && o.ID != "" && with.set == "" {
		have, id, err = s.live(ctx, r.Kind, r.Name, "") // somebody has made it again
	}
	if p, is := have.(livePipeline); is && r.Partitions == nil {
		p.Partitions = nil // they stay as they are
		have = p
	}
	switch {
	case fault.KindOf(err) == fault.NotFound:
		st.change.Action = declare.Create
		if o.ID != "" {
			st.change.Note = "somebody has deleted it"
		}
		return st, nil
	case err != nil:
		return st, err
	case o.Name == "" && !with.adopt:
		return st, fault.Conflictf("a %s named %q is there already and belongs to no set; --adopt (in the API, adopt) takes it over", r.Kind, r.Name)
	}
	st.id, st.owned = id, o.ID == id
	st.change.Action, st.change.Fields = declare.None, declare.Compare(have, want)
	if len(st.change.Fields) > 0 {
		st.change.Action = declare.Update
	} else if !st.owned && with.set != "" {
		st.change.Action, st.change.Note = declare.Update, "it belongs to this set from now on"
	}
	return st, nil
}

// wanted is what the resource is to be, in the fields that are compared, after it was checked as far as that can be done.
func (s *Service) wanted(ctx context.Context, r declare.Resource, with declared) (any, error) {
	if r.Kind == declare.Pipeline {
		digest, err := s.deps.Pipelines.Digest(r.Spec)
		if err == nil && r.Partitions != nil {
			if err = s.deps.Pipelines.CheckPartitions(r.Spec, *r.Partitions); err != nil {
				err = fault.Invalidf("partitions: %w", err)
			}
		}
		return livePipeline{digest, r.Partitions}, err
	}
	if r.Kind == declare.Endpoint {
		spec, err := s.deps.Endpoints.Resolved(ctx, *r.Endpoint)
		return spec, err
	}
	if r.Kind == declare.Graph {
		return *r.Graph, s.deps.Graphs.CheckGraph(ctx, r.Name, *r.Graph, with.asked)
	}
	if r.Notify != nil {
		_, err := event.Compile(triggerOf(r, submission(r, "", "")))
		return view(r), err
	}
	specs := with.specs
	pipelineID, _, err := s.deps.Pipelines.FindPipeline(ctx, r.Pipeline)
	switch declared := specs[r.Pipeline] != ""; {
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return nil, err
	case err != nil && !declared:
		return nil, fault.NotFoundf("pipeline: there is no pipeline %q: declare it beside this, or upload it first", fault.Shorten(r.Pipeline, 200))
	case with.going[r.Pipeline]:
		return nil, fault.Invalidf("pipeline: %q is not declared any more and is deleted with this set: declare it again, or take this away too", fault.Shorten(r.Pipeline, 200))
	}
	later := make([]string, 0, len(r.ParametersFrom))
	for name := range r.ParametersFrom {
		later = append(later, name)
	}
	slices.Sort(later)
	if err := s.deps.Pipelines.CheckParameters(ctx, specs[r.Pipeline], pipelineID, r.Parameters, later); err != nil {
		return nil, err
	}
	if r.Experiment == "" {
		id, err := s.deps.Pipelines.ExperimentNamed(ctx, "", false)
		if err == nil {
			r.Experiment, err = s.deps.Pipelines.ExperimentName(ctx, id)
		}
		if err != nil {
			return nil, err
		}
	}
	if r.Kind == declare.Trigger {
		_, err := event.Compile(triggerOf(r, submission(r, "", "")))
		return view(r), err
	}
	_, err = schedule.Parse(*r.Schedule)
	r.MaxConcurrency = max(r.MaxConcurrency, 1)
	return view(r), err
}

// livePipeline is what is compared of a pipeline.
type livePipeline struct {
	Spec       string                `json:"spec"` // its digest
	Partitions *partition.Definition `json:"partitions,omitempty"`
}

// view is a resource without what says which one it is.
func view(r declare.Resource) declare.Resource {
	r.Kind, r.Name, r.At = "", "", ""
	return r
}

// live returns what is there of a resource, in the fields that are compared, with its id. It is found by the id, or by its name where
// that is empty.
func (s *Service) live(ctx context.Context, k declare.Kind, name, id string) (any, string, error) {
	switch k {
	case declare.Pipeline:
		found, digest, err := s.deps.Pipelines.FindPipeline(ctx, name)
		if err != nil {
			return nil, "", err
		}
		p := livePipeline{Spec: digest}
		switch d, err := s.deps.Partitions.Partitioning(ctx, found); {
		case err == nil:
			p.Partitions = &d
		case fault.KindOf(err) != fault.NotFound:
			return nil, "", err
		}
		return p, found, nil
	case declare.Endpoint:
		spec, err := s.deps.Endpoints.Specification(ctx, name)
		return spec, name, err
	case declare.Graph:
		spec, err := s.deps.Graphs.GraphSpecification(ctx, name)
		return spec, name, err
	case declare.Trigger:
		t, err := s.deps.Triggers.Named(ctx, name)
		if id != "" {
			t, err = s.deps.Triggers.Get(ctx, id)
		}
		if err != nil {
			return nil, "", err
		}
		r := declare.Resource{Description: t.Description, On: &t.On, When: t.When, ParametersFrom: t.ParametersFrom, Policy: t.Policy,
			Parameters: t.Run.Parameters, NoCache: t.Run.CacheOff, Paused: t.Paused}
		if r.Notify = t.Notify; t.Notify != nil {
			return r, t.ID, nil
		}
		err = s.name(ctx, &r, t.Run.PipelineID, t.Run.ExperimentID)
		return r, t.ID, err
	default:
		r, err := s.recurring(ctx, name, id)
		if err != nil {
			return nil, "", err
		}
		out := declare.Resource{Description: r.Description, Schedule: &r.Trigger, Concurrency: r.Concurrency, Deadline: r.StartingDeadlineSeconds,
			NoCatchup: r.NoCatchup, Parameters: r.Run.Parameters, NoCache: r.Run.CacheOff, Paused: !r.Enabled}
		out.MaxConcurrency = r.MaxConcurrency
		err = s.name(ctx, &out, r.Run.PipelineID, r.Run.ExperimentID)
		return out, r.ID, err
	}
}

// recurring finds a recurring run. Their names are not unique: of several none is meant.
func (s *Service) recurring(ctx context.Context, name, id string) (catalog.RecurringRun, error) {
	if id != "" {
		return s.deps.RecurringRuns.Get(ctx, id)
	}
	found, err := s.deps.RecurringRuns.Find(ctx, name, 100)
	found = slices.DeleteFunc(found, func(r catalog.RecurringRun) bool { return r.DisplayName != name })
	switch {
	case err != nil:
		return catalog.RecurringRun{}, err
	case len(found) == 0:
		return catalog.RecurringRun{}, fault.NotFoundf("there is no recurring run %q", name)
	case len(found) > 1:
		return catalog.RecurringRun{}, fault.Conflictf("there are %d recurring runs named %q: delete all but one", len(found), name)
	}
	return found[0], nil
}

// name fills in the names of the pipeline and the experiment; those of what is gone stay empty.
func (s *Service) name(ctx context.Context, r *declare.Resource, pipelineID, experimentID string) (err error) {
	missing := func(err error) error {
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		return err
	}
	if pipelineID != "" {
		if r.Pipeline, err = s.deps.Pipelines.PipelineName(ctx, pipelineID); missing(err) != nil {
			return err
		}
	}
	r.Experiment, err = s.deps.Pipelines.ExperimentName(ctx, experimentID)
	return missing(err)
}
