package app

import (
	"context"
	"strings"
	"time"

	"levada/internal/adapter/blob"
	"levada/internal/adapter/bucket"
	"levada/internal/adapter/files"
	"levada/internal/adapter/series"
	"levada/internal/adapter/store"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/partition"
	"levada/internal/core/run"
	core "levada/internal/core/secret"
	"levada/internal/core/track"
	"levada/internal/secret"
)

// metricValues tells triggers the newest values of metrics.
type metricValues struct {
	runs   store.Tracking
	points *series.Store
}

// Values returns the newest value of a metric in each run of an experiment that has it and is not deleted.
func (m metricValues) Values(ctx context.Context, experiment, metric string) ([]event.MetricValue, error) {
	e, err := m.runs.ExperimentNamed(ctx, experiment)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	runs, err := m.runs.RunsOf(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(runs))
	for _, r := range runs {
		if !r.Deleted {
			ids = append(ids, r.ID)
		}
	}
	var out []event.MetricValue
	err = m.points.Sums(ids, metric, func(i int, s track.Stat) {
		out = append(out, event.MetricValue{RunID: ids[i], Value: s.Latest.Value, Step: s.Latest.Step, TimeMS: s.Latest.Time})
	})
	return out, err
}

// secretValues gives triggers what signatures are checked with.
type secretValues struct{ secrets *secret.Service }

// Value returns a value of a secret.
func (s secretValues) Value(ctx context.Context, name, key string) ([]byte, error) {
	data, err := s.secrets.Values(ctx, core.Secret, name)
	if err != nil {
		return nil, err
	}
	v, ok := data[key]
	if !ok {
		return nil, core.MissingKey(core.Secret, name, key)
	}
	return v, nil
}

// changedOutside says why what runs have imported from outside is not the same any more.
func (s *server) changedOutside() func(context.Context, partition.Input, time.Time) string {
	files := blob.NewOutside()
	return func(ctx context.Context, in partition.Input, since time.Time) string {
		if strings.HasPrefix(in.URI, run.BucketScheme) {
			return s.buckets.Changed(in)
		}
		return files.Changed(ctx, in, since)
	}
}

// places are those at which triggers look for files.
type places struct {
	files.Files
	buckets *bucket.Buckets
}

// List returns the files at a place, of the machine or in a bucket.
func (p places) List(ctx context.Context, place string, limit int) ([]event.FileState, error) {
	if strings.HasPrefix(place, run.BucketScheme) {
		return p.buckets.List(ctx, place, limit)
	}
	return p.Files.List(ctx, place, limit)
}
