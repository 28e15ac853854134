package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// Submission asks for a run.
type Submission struct {
	// Spec is a compiled pipeline (YAML or JSON, one or two documents), or PipelineID with an optional VersionID names an
	// uploaded one. Without VersionID the newest version is meant.
	Spec       []byte
	PipelineID string
	VersionID  string

	DisplayName    string // default: the pipeline's name and the time
	Description    string
	ExperimentID   string // default: the experiment "Default"
	Parameters     map[string]any
	PipelineRoot   string
	ServiceAccount string
	CacheOff       bool
	// SuccessWord is what exit handlers of this run read as the state of a task that succeeded; empty means SUCCEEDED.
	SuccessWord string
}

// Submit validates a submission whole, stores the run and starts it. When it returns the run is on disk.
func (s *Service) Submit(ctx context.Context, sub Submission) (run.Run, error) {
	if err := s.accepting(); err != nil {
		return run.Run{}, err
	}
	p, err := s.specOf(ctx, &sub)
	if err != nil {
		return run.Run{}, err
	}
	params, err := p.CheckParameters(sub.Parameters)
	if err != nil {
		return run.Run{}, err
	}
	if sub.ExperimentID == "" {
		if sub.ExperimentID, err = s.defaultExperiment(ctx); err != nil {
			return run.Run{}, err
		}
	} else if _, err := s.deps.Store.GetExperiment(ctx, sub.ExperimentID); err != nil {
		return run.Run{}, err
	}
	r := s.newRun(sub, p, params)
	if err := s.deps.Store.PutSpec(ctx, p.Digest, p.Canonical); err != nil {
		return run.Run{}, err
	}
	return s.start(ctx, r, p, sub.SuccessWord)
}

// specOf returns the specification that a submission means, and completes the ids of the uploaded one it comes from.
func (s *Service) specOf(ctx context.Context, sub *Submission) (*ir.Pipeline, error) {
	if len(sub.Spec) > 0 {
		if sub.PipelineID != "" || sub.VersionID != "" {
			return nil, fault.Invalidf("a run takes either a specification or an uploaded pipeline, not both")
		}
		return ir.Parse(sub.Spec)
	}
	if sub.PipelineID == "" && sub.VersionID == "" {
		return nil, fault.Invalidf("a run needs a specification or the id of an uploaded pipeline")
	}
	if sub.VersionID == "" {
		if _, err := s.deps.Store.GetPipeline(ctx, sub.PipelineID); err != nil {
			return nil, err
		}
		page, err := s.deps.Store.ListVersions(ctx, sub.PipelineID, listing.Query{PageSize: 1})
		if err != nil {
			return nil, err
		}
		if len(page.Items) == 0 {
			return nil, fault.Invalidf("pipeline %s has no versions; upload one first", sub.PipelineID)
		}
		sub.VersionID = page.Items[0].ID
	}
	v, err := s.deps.Store.GetVersion(ctx, sub.VersionID)
	if err != nil {
		return nil, err
	}
	if sub.PipelineID != "" && v.PipelineID != sub.PipelineID {
		return nil, fault.Invalidf("version %s belongs to pipeline %s, not to %s", v.ID, v.PipelineID, sub.PipelineID)
	}
	sub.PipelineID = v.PipelineID
	return s.Spec(ctx, v.SpecDigest)
}

func (s *Service) newRun(sub Submission, p *ir.Pipeline, params map[string]any) run.Run {
	now := s.now()
	r := run.Run{
		ID: s.deps.NewID(), DisplayName: sub.DisplayName, Description: sub.Description, ExperimentID: sub.ExperimentID,
		PipelineName: p.Spec.PipelineInfo.Name, PipelineID: sub.PipelineID, VersionID: sub.VersionID, SpecDigest: p.Digest,
		ServiceAccount: sub.ServiceAccount, PipelineRoot: sub.PipelineRoot, Parameters: params, CacheOff: sub.CacheOff,
		Notices: notices(p), CreatedAt: now, ScheduledAt: now,
	}
	if r.DisplayName == "" {
		r.DisplayName = fmt.Sprintf("%s %s", r.PipelineName, now.Format("2006-01-02 15-04-05"))
	}
	if r.PipelineRoot == "" {
		r.PipelineRoot = p.Spec.DefaultPipelineRoot
	}
	return r
}

// start makes the first decision about a run, stores it and lets its actor go.
func (s *Service) start(ctx context.Context, r run.Run, p *ir.Pipeline, successWord string) (run.Run, error) {
	a := newActor(s, r, p, engine.New(p))
	events, err := a.state.Decide(engine.Start{Parameters: r.Parameters, Job: run.Job{
		RunID: r.ID, Name: r.DisplayName, ResourceName: r.PipelineName + "-" + r.ID[:8], PipelineName: r.PipelineName,
		PipelineRoot: r.PipelineRoot, ExperimentID: r.ExperimentID, CreatedAt: r.CreatedAt, ScheduledAt: r.ScheduledAt,
		WorkspacePath: s.workspace(r.ID, p), SuccessWord: successWord,
	}}, s.now())
	if err != nil {
		return run.Run{}, err
	}
	records, changed, err := a.records(events)
	if err != nil {
		return run.Run{}, err
	}
	if err := s.deps.Store.CreateRun(ctx, a.run, records, changed.Tasks); err != nil {
		return run.Run{}, err
	}
	r = a.run
	a.pending = events
	s.begin(a)
	return r, nil
}

// notices lists what a pipeline asks of Kubernetes that means nothing to processes on this machine.
func notices(p *ir.Pipeline) []string {
	asked := map[string]int{}
	for label := range p.Spec.DeploymentSpec.Executors {
		k := p.Kubernetes(label)
		if k == nil {
			continue
		}
		for what, n := range map[string]int{
			"node selectors": len(k.NodeSelector), "tolerations": len(k.Tolerations), "node affinity": len(k.NodeAffinity),
			"pod affinity": len(k.PodAffinity), "image pull secrets": len(k.ImagePullSecret), "image pull policies": len(k.ImagePullPolicy),
			"security contexts": len(k.SecurityContext), "ephemeral volumes": len(k.GenericEphemeralVolume), "volume mounts": len(k.PVCMount),
			"secrets as files": len(k.SecretAsVolume), "config maps as files": len(k.ConfigMapAsVolume), "emptyDir mounts": len(k.EmptyDirMounts),
			"shared memory sizes": len(k.EnabledSharedMemory), "init containers": len(k.InitContainers), "sidecars": len(k.Sidecars),
		} {
			if n > 0 {
				asked[what]++
			}
		}
	}
	if c := p.Config(); c != nil {
		asked["a deadline for the whole run"] = c.ActiveDeadlineSeconds
		asked["a time to keep the run's resources"] = c.ResourceTTLOnCompletion + c.ResourceTTLOnSuccess + c.ResourceTTLOnFailure
	}
	maps.DeleteFunc(asked, func(_ string, n int) bool { return n == 0 })
	if len(asked) == 0 {
		return nil
	}
	return []string{"has no effect in this version, where steps are processes: " + strings.Join(slices.Sorted(maps.Keys(asked)), ", ")}
}
