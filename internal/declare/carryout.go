package declare

import (
	"context"

	"levada/internal/core/catalog"
	"levada/internal/core/declare"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// carryOut makes one change.
func (s *Service) carryOut(ctx context.Context, st step) error {
	r := st.resource
	switch st.change.Action {
	case declare.None:
		return nil
	case declare.Delete:
		if err := s.remove(ctx, r.Kind, r.Name, st.id); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		return s.deps.Store.Disown(ctx, r.Kind, r.Name)
	}
	o := declare.Owned{Set: st.set, Kind: r.Kind, Name: r.Name}
	if o.Set == "" {
		o.Set = st.owner.Set
	}
	if o.Set != "" && !st.owned {
		if err := s.deps.Store.Own(ctx, o); err != nil {
			return err
		}
	}
	id, err := s.make(ctx, st)
	if err != nil || o.Set == "" {
		return err
	}
	o.ID = id
	return s.deps.Store.Own(ctx, o)
}

// remove deletes a resource. What was going to be made and may be there is found by its name.
func (s *Service) remove(ctx context.Context, k declare.Kind, name, id string) error {
	if id == "" {
		var err error
		if _, id, err = s.live(ctx, k, name, ""); err != nil {
			return err
		}
	}
	switch k {
	case declare.Pipeline:
		return s.deps.Pipelines.DeletePipeline(ctx, id)
	case declare.Trigger:
		return s.deps.Triggers.Delete(ctx, id)
	case declare.Endpoint:
		return s.deps.Endpoints.Undeploy(ctx, name)
	case declare.Graph:
		return s.deps.Graphs.DeleteGraph(ctx, name)
	default:
		return s.deps.RecurringRuns.Delete(ctx, id)
	}
}

// make creates or changes a resource and returns its id.
func (s *Service) make(ctx context.Context, st step) (string, error) {
	r := st.resource
	if r.Kind == declare.Pipeline {
		return s.makePipeline(ctx, st)
	}
	if r.Kind == declare.Endpoint || r.Kind == declare.Graph {
		if st.id != "" && len(st.change.Fields) == 0 {
			return st.id, nil
		}
		if r.Kind == declare.Graph {
			return r.Name, s.deps.Graphs.ServeGraph(ctx, r.Name, *r.Graph)
		}
		return r.Name, s.deps.Endpoints.Serve(ctx, r.Name, *r.Endpoint)
	}
	if r.Notify != nil {
		return s.makeTrigger(ctx, st, triggerOf(r, submission(r, "", "")))
	}
	pipelineID, _, err := s.deps.Pipelines.FindPipeline(ctx, r.Pipeline)
	if err != nil {
		return "", err
	}
	experimentID, err := s.deps.Pipelines.ExperimentNamed(ctx, r.Experiment, true)
	if err != nil {
		return "", err
	}
	sub := submission(r, pipelineID, experimentID)
	if st.id != "" { // what cannot be declared stays as it is
		have, err := s.submissionOf(ctx, r.Kind, st.id)
		if err != nil {
			return "", err
		}
		sub.PipelineRoot, sub.ServiceAccount, sub.SuccessWord = have.PipelineRoot, have.ServiceAccount, have.SuccessWord
	}
	if r.Kind == declare.Trigger {
		return s.makeTrigger(ctx, st, triggerOf(r, sub))
	}
	return s.makeRecurring(ctx, st, sub)
}

// makePipeline creates a pipeline or gives it another version, and its partitions.
func (s *Service) makePipeline(ctx context.Context, st step) (id string, err error) {
	r, changed := st.resource, map[string]bool{}
	for _, f := range st.change.Fields {
		changed[f.Field] = true
	}
	switch id = st.id; {
	case id == "":
		id, err = s.deps.Pipelines.CreatePipeline(ctx, r.Name, r.Description, r.Spec)
	case changed["spec"]:
		err = s.deps.Pipelines.AddVersion(ctx, id, r.Spec)
	}
	if err == nil && r.Partitions != nil && (st.id == "" || changed["partitions"]) {
		err = s.deps.Partitions.SetPartitions(ctx, id, *r.Partitions)
	}
	return id, err
}

func (s *Service) makeTrigger(ctx context.Context, st step, t event.Trigger) (_ string, err error) {
	if st.id == "" {
		t, err = s.deps.Triggers.Create(ctx, t)
	} else {
		t, err = s.deps.Triggers.Replace(ctx, st.id, t)
	}
	return t.ID, err
}

// makeRecurring makes or changes a recurring run.
func (s *Service) makeRecurring(ctx context.Context, st step, sub run.Submission) (string, error) {
	r := st.resource
	if st.id != "" && len(st.change.Fields) == 0 {
		return st.id, nil
	}
	wanted := catalog.RecurringRun{DisplayName: r.Name, Description: r.Description,
		Run: sub, Trigger: *r.Schedule, MaxConcurrency: max(r.MaxConcurrency, 1), Concurrency: r.Concurrency,
		StartingDeadlineSeconds: r.Deadline, NoCatchup: r.NoCatchup, Enabled: !r.Paused}
	var err error
	if st.id == "" {
		wanted, err = s.deps.RecurringRuns.Create(ctx, wanted)
	} else {
		wanted, err = s.deps.RecurringRuns.Replace(ctx, st.id, wanted)
	}
	return wanted.ID, err
}

func submission(r declare.Resource, pipelineID, experimentID string) run.Submission {
	return run.Submission{PipelineID: pipelineID, ExperimentID: experimentID, Parameters: r.Parameters, CacheOff: r.NoCache}
}

// triggerOf is the trigger that a resource declares.
func triggerOf(r declare.Resource, sub run.Submission) event.Trigger {
	return event.Trigger{Name: r.Name, Description: r.Description, On: *r.On, When: r.When, Run: sub,
		ParametersFrom: r.ParametersFrom, Notify: r.Notify, Policy: r.Policy, Paused: r.Paused}
}
