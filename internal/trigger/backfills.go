package trigger

import (
	"cmp"
	"context"
	"slices"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/partition"
)

// The bounds of Parallel, and what it is when nothing is said.
const minParallel, usualParallel, maxParallel = 1, 4, 100

// Backfill asks for a run for each of a range of partitions.
type Backfill struct {
	catalog.Backfill
	// Partitions says how the pipeline is partitioned. It may be nil when the pipeline is; otherwise it becomes so. When it is
	// partitioned in the same way from a later time on, the earlier time counts.
	Partitions *partition.Definition
}

// BackfillPlan is what a backfill would do.
type BackfillPlan struct {
	Backfill catalog.Backfill
	// Partitions would be started, in this order. Left counts by state those of the range that would not.
	Partitions []partition.Status
	Left       map[partition.State]int
	define     *partition.Definition // to be stored first
}

// PlanBackfill validates a backfill whole and says what it would do, without doing it.
func (s *Service) PlanBackfill(ctx context.Context, ask Backfill) (BackfillPlan, error) {
	b := ask.Backfill
	if err := s.complete(ctx, &b); err != nil {
		return BackfillPlan{}, err
	}
	set, define, err := s.partitioning(ctx, b, ask.Partitions)
	if err != nil {
		return BackfillPlan{}, err
	}
	b.Parameter = set.Definition().Parameter
	if _, given := b.Run.Parameters[b.Parameter]; given {
		return BackfillPlan{}, fault.Invalidf("parameter %q takes the partition; leave it out of the parameters of the backfill", b.Parameter)
	}
	v, err := s.deps.Pipelines.GetVersion(ctx, b.PipelineID, b.Run.VersionID)
	if err != nil {
		return BackfillPlan{}, err
	}
	if b.Numeric, err = s.takesNumbers(ctx, v.SpecDigest, b.Parameter); err != nil {
		return BackfillPlan{}, err
	}
	all, err := set.Partitions(s.now())
	if err != nil {
		return BackfillPlan{}, err
	}
	in, err := set.Select(all, b.From, b.To)
	if err != nil {
		return BackfillPlan{}, err
	}
	value, err := partition.Value(in[0].Key, b.Numeric)
	if err != nil {
		return BackfillPlan{}, err
	}
	sub := b.Run
	sub.Parameters = with(sub.Parameters, b.Parameter, value)
	if sub, err = s.deps.Runs.Prepare(ctx, sub); err != nil {
		return BackfillPlan{}, err
	}
	sub.Parameters = b.Run.Parameters
	b.Run = sub
	states, err := s.judge(ctx, b.PipelineID, set)
	if err != nil {
		return BackfillPlan{}, err
	}
	first := slices.IndexFunc(states, func(p partition.Status) bool { return p.Key == in[0].Key })
	if first < 0 || first+len(in) > len(states) {
		return BackfillPlan{}, fault.Unavailablef("the partitions of pipeline %s have changed meanwhile; try again", b.PipelineID)
	}
	plan := BackfillPlan{Backfill: b, define: define}
	plan.Partitions, plan.Left = selected(states[first:first+len(in)], b.Only)
	if b.Order == catalog.NewestFirst {
		slices.Reverse(plan.Partitions)
	}
	plan.Backfill.Progress = catalog.BackfillProgress{Total: len(plan.Partitions), Waiting: len(plan.Partitions)}
	return plan, nil
}

// complete fills in what was left out of a backfill and refuses what is wrong in itself.
func (s *Service) complete(ctx context.Context, b *catalog.Backfill) error {
	p, err := s.deps.Pipelines.GetPipeline(ctx, b.PipelineID)
	if err != nil {
		return err
	}
	b.DisplayName = cmp.Or(b.DisplayName, fault.Shorten("backfill of "+p.DisplayName, 200))
	if err := catalog.CheckName("backfill", b.DisplayName); err != nil {
		return err
	}
	b.Parallel = cmp.Or(b.Parallel, usualParallel)
	if b.Parallel < minParallel || b.Parallel > maxParallel {
		return fault.Invalidf("parallel is %d; at least %d and at most %d runs of a backfill may be active at once", b.Parallel, minParallel, maxParallel)
	}
	b.Order = cmp.Or(b.Order, catalog.OldestFirst)
	if b.Order != catalog.OldestFirst && b.Order != catalog.NewestFirst {
		return fault.Invalidf("order is %q; want %s or %s", b.Order, catalog.OldestFirst, catalog.NewestFirst)
	}
	if len(b.Only) == 0 {
		b.Only = []partition.State{partition.Missing}
	}
	for _, state := range b.Only {
		if state == partition.Running || !slices.Contains(partition.States(), state) {
			return fault.Invalidf("only is %q; want some of %s, %s, %s and %s", fault.Shorten(string(state), 40), partition.Missing, partition.Failed,
				partition.Stale, partition.Done)
		}
	}
	b.Run.PipelineID = b.PipelineID
	if b.Run.VersionID == "" {
		// All its runs run the same version, whatever is uploaded meanwhile.
		page, err := s.deps.Pipelines.ListVersions(ctx, b.PipelineID, listing.Query{PageSize: 1})
		if err != nil {
			return err
		}
		if len(page.Items) == 0 {
			return fault.Invalidf("pipeline %s has no versions; upload one first", b.PipelineID)
		}
		b.Run.VersionID = page.Items[0].ID
	}
	return nil
}

// partitioning returns the partitions that a backfill is for, and their definition when that is to be stored first.
func (s *Service) partitioning(ctx context.Context, b catalog.Backfill, asked *partition.Definition) (*partition.Set, *partition.Definition, error) {
	stored, err := s.deps.Store.GetPartitioning(ctx, b.PipelineID)
	if fault.KindOf(err) == fault.NotFound {
		if asked == nil {
			return nil, nil, fault.Invalidf("pipeline %s is not partitioned yet: say how long its partitions are (every), or give their keys", b.PipelineID)
		}
		set, err := partition.Parse(*asked)
		return set, asked, err
	}
	if err != nil {
		return nil, nil, err
	}
	set, err := partition.Parse(stored)
	if err != nil {
		return nil, nil, err
	}
	if b.Parameter != "" && b.Parameter != stored.Parameter {
		return nil, nil, fault.Invalidf("pipeline %s is partitioned by %q, not by %q; change its partitions first if that is meant", b.PipelineID, stored.Parameter, b.Parameter)
	}
	if asked == nil {
		return set, nil, nil
	}
	other, err := partition.Parse(*asked)
	if err != nil {
		return nil, nil, err
	}
	if !partition.Same(stored, *asked) {
		return nil, nil, fault.Invalidf("pipeline %s is partitioned in another way (%s) than the backfill asks for (%s); change its partitions first if that is meant",
			b.PipelineID, set.Words(), other.Words())
	}
	if other.Before(set) {
		stored.Start = asked.Start
		set, err = partition.Parse(stored)
		return set, &stored, err
	}
	return set, nil, nil
}

// with is a copy of parameters with another one.
func with(parameters map[string]any, name string, value any) map[string]any {
	out := make(map[string]any, len(parameters)+1)
	for k, v := range parameters {
		out[k] = v
	}
	out[name] = value
	return out
}

// CreateBackfill validates a backfill whole, stores it and begins to start its runs. One without partitions has succeeded.
func (s *Service) CreateBackfill(ctx context.Context, ask Backfill) (catalog.Backfill, error) {
	// Two that are asked for at the same time do not start the same partitions.
	s.planning.Lock()
	defer s.planning.Unlock()
	plan, err := s.PlanBackfill(ctx, ask)
	if err != nil {
		return plan.Backfill, err
	}
	b := plan.Backfill
	if plan.define != nil {
		if err := s.deps.Store.SetPartitioning(ctx, b.PipelineID, *plan.define); err != nil {
			return b, err
		}
	}
	b.ID, b.CreatedAt, b.State, b.Failure, b.FinishedAt = s.deps.NewID(), s.now(), catalog.BackfillRunning, "", nil
	b.UpdatedAt = b.CreatedAt
	if len(plan.Partitions) == 0 {
		b.State, b.FinishedAt = catalog.BackfillSucceeded, &b.CreatedAt
	}
	parts := make([]catalog.BackfillPartition, len(plan.Partitions))
	for i, p := range plan.Partitions {
		parts[i] = catalog.BackfillPartition{Position: i, Key: p.Key, RunID: RunIDOf(b.ID, p.Key), Waiting: true, Since: b.CreatedAt}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.deps.Store.CreateBackfill(ctx, b, parts); err != nil {
		return b, err
	}
	s.deps.Logger.Info("backfill created", "backfill", b.ID, "pipeline", b.PipelineID, "partitions", len(parts))
	s.follow(b)
	return b, nil
}

// GetBackfill returns a backfill with its progress.
func (s *Service) GetBackfill(ctx context.Context, id string) (catalog.Backfill, error) {
	return s.deps.Store.GetBackfill(ctx, id)
}

// ListBackfills lists backfills; keys as in Store.
func (s *Service) ListBackfills(ctx context.Context, q listing.Query) (listing.Page[catalog.Backfill], error) {
	return s.deps.Store.ListBackfills(ctx, q)
}

// BackfillPartitions returns up to limit partitions of a backfill after a position, -1 for the first ones.
func (s *Service) BackfillPartitions(ctx context.Context, id string, after, limit int) ([]catalog.BackfillPartition, error) {
	if _, err := s.deps.Store.GetBackfill(ctx, id); err != nil {
		return nil, err
	}
	return s.deps.Store.BackfillPartitions(ctx, id, after, limit)
}

// PauseBackfill keeps a backfill from starting runs; its active runs go on.
func (s *Service) PauseBackfill(ctx context.Context, id string) (catalog.Backfill, error) {
	return s.change(ctx, id, catalog.BackfillPaused, catalog.BackfillRunning)
}

// ResumeBackfill lets a paused backfill go on.
func (s *Service) ResumeBackfill(ctx context.Context, id string) (catalog.Backfill, error) {
	return s.change(ctx, id, catalog.BackfillRunning, catalog.BackfillPaused)
}

// CancelBackfill ends a backfill: what waits is not started, and its active runs are cancelled.
func (s *Service) CancelBackfill(ctx context.Context, id string) (catalog.Backfill, error) {
	return s.change(ctx, id, catalog.BackfillCanceling, catalog.BackfillRunning, catalog.BackfillPaused)
}

// change brings a backfill from one of some states into another. One that is there already is no error, other states are a Conflict.
func (s *Service) change(ctx context.Context, id string, to catalog.BackfillState, from ...catalog.BackfillState) (catalog.Backfill, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.deps.Store.GetBackfill(ctx, id)
	if err != nil || b.State == to || to == catalog.BackfillCanceling && b.State == catalog.BackfillCanceled {
		return b, err
	}
	if !slices.Contains(from, b.State) {
		return b, fault.Conflictf("backfill %s is %s and cannot become %s", id, b.State, to)
	}
	b.State, b.UpdatedAt, b.Failure = to, s.now(), ""
	if err := s.deps.Store.UpdateBackfill(ctx, b); err != nil {
		return b, err
	}
	s.follow(b)
	return b, nil
}

// RetryBackfill tries those partitions again whose runs failed, were cancelled or were deleted, with the version that the backfill has.
// Tasks that have succeeded are kept. It returns how many there are.
func (s *Service) RetryBackfill(ctx context.Context, id string) (catalog.Backfill, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.deps.Store.GetBackfill(ctx, id)
	if err != nil {
		return b, 0, err
	}
	if b.State == catalog.BackfillCanceling {
		return b, 0, fault.Conflictf("backfill %s is being cancelled; try again when its runs have ended", id)
	}
	b.State, b.UpdatedAt, b.Failure, b.FinishedAt = catalog.BackfillRunning, s.now(), "", nil
	n, err := s.deps.Store.RetryPartitions(ctx, b, b.UpdatedAt)
	if err != nil {
		return b, 0, err
	}
	if b, err = s.deps.Store.GetBackfill(ctx, id); err != nil {
		return b, n, err
	}
	if n > 0 {
		s.follow(b)
	}
	return b, n, nil
}
