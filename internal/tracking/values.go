package tracking

import (
	"context"
	"maps"
	"slices"

	"levada/internal/core/track"
)

// Values are what runs have of some parameters, metrics and tags, by the runs' ids.
type Values struct {
	Params, Tags map[string][]track.KV
	// Metrics holds the latest values by metric, then by run.
	Metrics map[string]map[string]float64
}

// ValuesOf returns what a page of runs has of the named parameters, metrics and tags. A run that is not there has none.
func (s *Service) ValuesOf(ctx context.Context, runIDs []string, names track.Names) (Values, error) {
	v := Values{Metrics: map[string]map[string]float64{}}
	var err error
	if v.Params, v.Tags, err = s.deps.Store.Pairs(ctx, runIDs, &names); err != nil {
		return v, err
	}
	for _, key := range names.Metrics {
		of := map[string]float64{}
		if err := s.deps.Series.Sums(runIDs, key, func(i int, st track.Stat) { of[runIDs[i]] = st.Latest.Value }); err != nil {
			return v, err
		}
		v.Metrics[key] = of
	}
	return v, nil
}

// NamesIn returns the names of the parameters, metrics and tags that a page of runs has.
func (s *Service) NamesIn(ctx context.Context, runIDs []string) (track.Names, error) {
	params, tags, err := s.deps.Store.Pairs(ctx, runIDs, nil)
	if err != nil {
		return track.Names{}, err
	}
	metrics := map[string]bool{}
	for _, id := range runIDs {
		stats, err := s.deps.Series.Stats(id)
		if err != nil {
			return track.Names{}, err
		}
		for _, stat := range stats {
			metrics[stat.Key] = true
		}
	}
	return track.Names{Params: keysIn(params), Metrics: slices.Sorted(maps.Keys(metrics)), Tags: keysIn(tags)}, nil
}

func keysIn(pairs map[string][]track.KV) []string {
	set := map[string]bool{}
	for _, list := range pairs {
		for _, kv := range list {
			set[kv.Key] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}
