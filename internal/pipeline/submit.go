package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"levada/internal/core/cachekey"
	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
)

// Submission asks for a run.
type Submission = run.Submission

// Submit validates a submission whole, stores the run and starts it. When it returns the run is on disk.
func (s *Service) Submit(ctx context.Context, sub Submission) (run.Run, error) {
	if err := s.accepting(); err != nil {
		return run.Run{}, err
	}
	p, err := s.specOf(ctx, &sub)
	if err != nil {
		return run.Run{}, err
	}
	if err := cachekey.CheckAges(p); err != nil {
		return run.Run{}, fault.Invalidf("%w", err)
	}
	now := s.now()
	if sub.ID == "" {
		sub.ID = s.deps.NewID()
	}
	moment := schedule.Moment{RunID: sub.ID, Now: now, Scheduled: sub.ScheduledAt, Index: sub.Index}
	params, err := p.CheckParameters(moment.Expand(sub.Parameters))
	if err != nil {
		return run.Run{}, err
	}
	if err := s.fileUnder(ctx, &sub); err != nil {
		return run.Run{}, err
	}
	r := newRun(sub, p, params, now)
	r.Notices = s.notices(p)
	if err := s.deps.Store.PutSpec(ctx, p.Digest, p.Canonical); err != nil {
		return run.Run{}, err
	}
	return s.start(ctx, r, s.intern(p), sub.SuccessWord)
}

// Prepare validates a submission as Submit does and starts nothing: it is for runs that come later. It returns the submission with its
// specification stored and named by its digest. One that names a pipeline without a version stays open: each run takes the version
// that is the newest by then. Of parameters that get their values later, when a run starts, only the names are checked.
func (s *Service) Prepare(ctx context.Context, sub Submission, later ...string) (Submission, error) {
	newest := sub.PipelineID != "" && sub.VersionID == ""
	p, err := s.specOf(ctx, &sub)
	if err != nil {
		return sub, err
	}
	if _, err := p.CheckParametersBut(sub.Parameters, later); err != nil {
		return sub, err
	}
	if err := s.fileUnder(ctx, &sub); err != nil {
		return sub, err
	}
	sub.Spec, sub.PipelineName = nil, p.Spec.PipelineInfo.Name
	if newest {
		sub.VersionID = ""
		return sub, nil
	}
	sub.SpecDigest = p.Digest
	return sub, s.deps.Store.PutSpec(ctx, p.Digest, p.Canonical)
}

// PipelineName is the name of the pipeline that a run of a submission would have now: that of the specification which it would run, of the
// newest run of the pipeline where there is none any more, else what the submission says. It is empty where nothing says it.
func (s *Service) PipelineName(ctx context.Context, sub Submission) string {
	if p, err := s.specOf(ctx, &sub); err == nil {
		return p.Spec.PipelineInfo.Name
	}
	if sub.PipelineID != "" {
		where := []listing.Predicate{{Key: "pipeline_id", Op: listing.Equals, Values: []any{sub.PipelineID}}}
		page, err := s.deps.Store.ListRuns(ctx, listing.Query{Where: where, PageSize: 1}) // the newest
		if err == nil && len(page.Items) > 0 {
			return page.Items[0].PipelineName
		}
	}
	return sub.PipelineName
}

// fileUnder fills in the default experiment, or checks the one that was named.
func (s *Service) fileUnder(ctx context.Context, sub *Submission) (err error) {
	if sub.ExperimentID == "" {
		sub.ExperimentID, err = s.defaultExperiment(ctx)
		return err
	}
	e, err := s.deps.Store.GetExperiment(ctx, sub.ExperimentID)
	if err == nil && e.Archived {
		err = fault.Invalidf("the experiment %q is archived and takes no runs: restore it first, or choose another", e.DisplayName)
	}
	return err
}

// specOf returns the specification that a submission means, and completes the ids of the uploaded one it comes from.
func (s *Service) specOf(ctx context.Context, sub *Submission) (*ir.Pipeline, error) {
	if sub.SpecDigest != "" {
		return s.Spec(ctx, sub.SpecDigest)
	}
	if len(sub.Spec) > 0 {
		if sub.PipelineID != "" || sub.VersionID != "" {
			return nil, fault.Invalidf("a run takes either a specification or an uploaded pipeline, not both")
		}
		return s.deps.Parse(sub.Spec)
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

func newRun(sub Submission, p *ir.Pipeline, params map[string]any, now time.Time) run.Run {
	r := run.Run{
		ID: sub.ID, RecurringRunID: sub.RecurringRunID, BackfillID: sub.BackfillID, DisplayName: sub.DisplayName, Description: sub.Description, ExperimentID: sub.ExperimentID,
		PipelineName: p.Spec.PipelineInfo.Name, PipelineID: sub.PipelineID, VersionID: sub.VersionID, SpecDigest: p.Digest,
		ServiceAccount: sub.ServiceAccount, PipelineRoot: sub.PipelineRoot, Parameters: params, CacheOff: sub.CacheOff,
		CreatedAt: now, ScheduledAt: now,
	}
	if sub.ScheduledAt != nil {
		r.ScheduledAt = sub.ScheduledAt.UTC()
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
	workspace := s.workspace(r.ID, p)
	events, err := a.state.Decide(engine.Start{Parameters: r.Parameters, Job: run.Job{
		RunID: r.ID, Name: r.DisplayName, ResourceName: r.PipelineName + "-" + r.ID[:8], PipelineName: r.PipelineName,
		PipelineRoot: r.PipelineRoot, ExperimentID: r.ExperimentID, CreatedAt: r.CreatedAt, ScheduledAt: r.ScheduledAt,
		WorkspacePath: workspace, WorkspaceMount: s.mountOf(workspace), SuccessWord: successWord,
	}}, a.now())
	if err != nil {
		return run.Run{}, err
	}
	records, changed, err := a.records(events)
	if err != nil {
		return run.Run{}, err
	}
	err = s.land(ctx, r.ID, func(ctx context.Context) error { return s.deps.Store.CreateRun(ctx, a.run, records, changed.Tasks) })
	if err != nil {
		return run.Run{}, err
	}
	r = a.run
	a.pending = events
	s.begin(a)
	return r, nil
}

// land carries out the write that begins a run, or lets it go on. After an error that says nothing about whether it is on disk it
// writes once more: a conflict then says that it is. When that cannot be seen either an actor goes on looking, so that a run which
// is on disk never waits for the next restart.
func (s *Service) land(ctx context.Context, id string, write func(context.Context) error) error {
	err := write(ctx)
	if !uncertain(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err // a write that its caller has withdrawn was not begun
	}
	switch again := write(context.WithoutCancel(ctx)); {
	case again == nil || fault.KindOf(again) == fault.Conflict:
		return nil
	case uncertain(again):
		s.resume(id)
	}
	return err
}

// uncertain reports whether an error leaves open what is on disk.
func uncertain(err error) bool {
	k := fault.KindOf(err)
	return err != nil && (k == fault.Unavailable || k == fault.Internal)
}
