package tracking

import (
	"sync"

	"levada/internal/core/search"
	"levada/internal/core/track"
)

// maxColumnCells bounds the numbers that all columns hold together, 9 bytes each. The column that was used longest ago goes
// first.
const maxColumnCells = 1_000_000

// columns hold what searches have asked of metrics: one number for each run of an experiment. A search that needs the same
// number again reads it from one stretch of memory; only runs that were logged to since are looked up.
type columns struct {
	mu    sync.Mutex
	byKey map[columnKey]*column
	cells int
	clock int64
}

type columnKey struct {
	experiment, metric string
	part               search.Part
}

// column is never changed; a newer one takes its place.
type column struct {
	// runs are those of one RunsOf, and values and there say of each of them what it has.
	runs   []*track.Run
	values []float64
	there  []bool
	// asOf is the moment of the metric store before the values were read.
	asOf uint64
	used int64
}

// column returns a number of a metric for runs, which are all of an experiment in the order of the store.
func (s *Service) column(experiment string, runs []*track.Run, metric string, part search.Part) (*column, error) {
	k := columnKey{experiment, metric, part}
	before := s.columns.get(k)
	if before == nil {
		before = &column{}
	}
	changed, now, known := s.deps.Series.Changed(before.asOf)
	if !known || before.runs == nil {
		before, changed = &column{}, nil
	} else if len(changed) == 0 && len(runs) == len(before.runs) && &runs[0] == &before.runs[0] {
		return before, nil
	}
	c := &column{runs: runs, values: make([]float64, len(runs)), there: make([]bool, len(runs)), asOf: now}
	ids, places := c.take(before, changed)
	err := s.deps.Series.Sums(ids, metric, func(i int, stat track.Stat) {
		c.values[places[i]], c.there[places[i]] = numberOf(stat, part), true
	})
	if err != nil {
		return nil, err
	}
	s.columns.put(k, c)
	return c, nil
}

// take copies what an older column knows of runs that did not change, and returns the others with their places.
func (c *column) take(before *column, changed []string) (ids []string, places []int) {
	stale := make(map[string]struct{}, len(changed))
	for _, id := range changed {
		stale[id] = struct{}{}
	}
	j := 0
	for i, r := range c.runs {
		// Both are in the same order. A run that has moved in it, because its start was changed, is looked up.
		for j < len(before.runs) && before.runs[j] != r && track.Newest(before.runs[j], r) < 0 {
			j++
		}
		if j < len(before.runs) && (before.runs[j] == r || before.runs[j].ID == r.ID) {
			if _, again := stale[r.ID]; !again {
				c.values[i], c.there[i] = before.values[j], before.there[j]
				j++
				continue
			}
		}
		ids, places = append(ids, r.ID), append(places, i)
	}
	return ids, places
}

func numberOf(s track.Stat, p search.Part) float64 {
	switch p {
	case search.Min:
		return s.Min
	case search.Max:
		return s.Max
	case search.Count:
		return float64(s.Count)
	}
	return s.Latest.Value
}

func (x *columns) get(k columnKey) *column {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.byKey[k]
	if c != nil {
		x.clock++
		c.used = x.clock
	}
	return c
}

func (x *columns) put(k columnKey, c *column) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byKey == nil {
		x.byKey = map[columnKey]*column{}
	}
	if old := x.byKey[k]; old != nil {
		x.cells -= len(old.runs)
	}
	x.clock++
	c.used = x.clock
	x.byKey[k] = c
	x.cells += len(c.runs)
	for x.cells > maxColumnCells && len(x.byKey) > 1 {
		var oldest columnKey
		least := x.clock
		for key, one := range x.byKey {
			if one.used < least {
				oldest, least = key, one.used
			}
		}
		x.cells -= len(x.byKey[oldest].runs)
		delete(x.byKey, oldest)
	}
}
