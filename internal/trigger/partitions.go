package trigger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/partition"
)

// maxInputs bounds how many imports are compared with what is there now, over all partitions of a pipeline.
const maxInputs = 200_000

// Partitions are those of a pipeline. Without a definition it has none.
type Partitions struct {
	Definition *partition.Definition
	All        []partition.Status
}

// Partitions returns how a pipeline is partitioned, and in what state its partitions are.
func (s *Service) Partitions(ctx context.Context, pipelineID string) (Partitions, error) {
	if _, err := s.deps.Pipelines.GetPipeline(ctx, pipelineID); err != nil {
		return Partitions{}, err
	}
	d, err := s.deps.Store.GetPartitioning(ctx, pipelineID)
	if fault.KindOf(err) == fault.NotFound {
		return Partitions{All: []partition.Status{}}, nil
	}
	if err != nil {
		return Partitions{}, err
	}
	set, err := partition.Parse(d)
	if err != nil {
		return Partitions{}, err
	}
	all, err := s.judge(ctx, pipelineID, set)
	return Partitions{&d, all}, err
}

// judge says in what state the partitions of a pipeline are.
func (s *Service) judge(ctx context.Context, pipelineID string, set *partition.Set) ([]partition.Status, error) {
	all, err := set.Partitions(s.now())
	if err != nil {
		return nil, err
	}
	runs, err := s.deps.Store.PartitionRuns(ctx, pipelineID, set.Definition().Parameter)
	if err != nil {
		return nil, err
	}
	inputs, err := s.deps.Store.PartitionInputs(ctx, pipelineID, set.Definition().Parameter, maxInputs)
	if err != nil {
		return nil, err
	}
	upstream, err := s.deps.Store.PartitionUpstream(ctx, pipelineID, set.Definition().Parameter, maxInputs)
	if err != nil {
		return nil, err
	}
	digest, err := s.newestSpec(ctx, pipelineID)
	if err != nil {
		return nil, err
	}
	keys, err := s.deps.Store.WaitingPartitions(ctx, pipelineID)
	if err != nil {
		return nil, err
	}
	waiting := make(map[string]bool, len(keys))
	for _, key := range keys {
		waiting[key] = true
	}
	return partition.Judge(all, runs, inputs, partition.Newest{SpecDigest: digest, Upstream: upstream, Waiting: waiting,
		Changed: func(in partition.Input, since time.Time) string { return s.deps.Changed(ctx, in, since) }}), ctx.Err()
}

// newestSpec is the digest of the specification of a pipeline's newest version; empty when it has none.
func (s *Service) newestSpec(ctx context.Context, pipelineID string) (string, error) {
	page, err := s.deps.Pipelines.ListVersions(ctx, pipelineID, listing.Query{PageSize: 1})
	if err != nil || len(page.Items) == 0 {
		return "", err
	}
	return page.Items[0].SpecDigest, nil
}

// SetPartitions says how a pipeline is partitioned. Its runs so far count as those of the partitions that they were for.
func (s *Service) SetPartitions(ctx context.Context, pipelineID string, d partition.Definition) error {
	if _, err := s.deps.Pipelines.GetPipeline(ctx, pipelineID); err != nil {
		return err
	}
	if _, err := listed(d, s.now()); err != nil {
		return err
	}
	digest, err := s.newestSpec(ctx, pipelineID)
	if err != nil {
		return err
	}
	if digest != "" {
		p, err := s.deps.Pipelines.Spec(ctx, digest)
		if err == nil {
			err = CheckPartitions(p, d, s.now())
		}
		if err != nil {
			return err
		}
	}
	return s.deps.Store.SetPartitioning(ctx, pipelineID, d)
}

// DeletePartitions forgets how a pipeline is partitioned.
func (s *Service) DeletePartitions(ctx context.Context, pipelineID string) error {
	return s.deps.Store.DeletePartitioning(ctx, pipelineID)
}

// takesNumbers reports whether a parameter of a stored specification takes numbers; otherwise it takes texts. Others cannot name a partition.
func (s *Service) takesNumbers(ctx context.Context, specDigest, name string) (bool, error) {
	p, err := s.deps.Pipelines.Spec(ctx, specDigest)
	if err != nil {
		return false, err
	}
	return takesNumbers(p, name)
}

func takesNumbers(p *ir.Pipeline, name string) (bool, error) {
	defs := p.Spec.Root.InputDefinitions.Parameters
	def := defs[name]
	if def == nil {
		known := strings.Join(slices.Sorted(maps.Keys(defs)), ", ")
		if known == "" {
			known = "none"
		}
		return false, fault.Invalidf("pipeline %q has no parameter %q that could take a partition; its parameters are: %s",
			p.Spec.PipelineInfo.Name, fault.Shorten(name, 40), fault.Shorten(known, 300))
	}
	switch def.ParameterType {
	case ir.String:
		return false, nil
	case ir.NumberInteger, ir.NumberDouble:
		return true, nil
	}
	return false, fault.Invalidf("parameter %q is a %s; only one that takes a text or a number can take a partition", name, def.ParameterType)
}

// CheckPartitions refuses partitions that a pipeline has no parameter for.
func CheckPartitions(p *ir.Pipeline, d partition.Definition, now time.Time) error {
	all, err := listed(d, now)
	if err != nil {
		return err
	}
	numeric, err := takesNumbers(p, d.Parameter)
	if err == nil && len(all) > 0 {
		_, err = partition.Value(all[0].Key, numeric)
	}
	return err
}

// listed are the partitions that there are by now.
func listed(d partition.Definition, now time.Time) ([]partition.Partition, error) {
	set, err := partition.Parse(d)
	if err != nil {
		return nil, err
	}
	return set.Partitions(now)
}

// Partitioning returns how a pipeline is partitioned; NotFound when it is not.
func (s *Service) Partitioning(ctx context.Context, pipelineID string) (partition.Definition, error) {
	return s.deps.Store.GetPartitioning(ctx, pipelineID)
}

// RunIDOf is the id of the run that a backfill starts for a partition: a UUID (version 5), the same each time it is asked for.
func RunIDOf(backfillID, key string) string { return derived("backfill", backfillID, "partition", key) }

// nameOf is the name of a backfill's run.
func nameOf(backfill, key string) string {
	return fault.Shorten(fmt.Sprintf("%s %s", backfill, key), 250)
}

// selected are the partitions of a range that are in one of the states, without those that a run works on; left counts the others.
func selected(in []partition.Status, only []partition.State) (out []partition.Status, left map[partition.State]int) {
	left = map[partition.State]int{}
	for _, p := range in {
		if p.State == partition.Running || !slices.Contains(only, p.State) {
			left[p.State]++
			continue
		}
		out = append(out, p)
	}
	return out, left
}
