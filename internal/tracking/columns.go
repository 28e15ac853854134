package tracking

import (
	"strings"
	"sync"
	"unicode/utf8"
	"weak"

	"levada/internal/core/search"
	"levada/internal/core/track"
)

const (
	// maxColumnCells bounds what all columns hold together, in numbers of about 40 bytes each. The column that was used longest
	// ago goes first.
	maxColumnCells = 1_000_000
	// maxColumns bounds how many columns there are: each is looked at when one has to go.
	maxColumns = 1000
	// columnCost is what a column takes beside its numbers, in cells.
	columnCost = 64
	// checkEvery is after how many runs a search looks whether it is still wanted.
	checkEvery = 4096
)

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
	// first is the first place of the list of RunsOf that the column is of, and places are its runs: a column must not keep runs
	// in memory that the store has let go. values and there say of each of them what it has.
	first  weak.Pointer[*track.Run]
	places []track.Place
	values []float64
	there  []bool
	// asOf is the moment of the metric store before the values were read.
	asOf uint64
	used int64
}

// cost is what a column with that key takes, in cells.
func (c *column) cost(k columnKey) int { return len(c.places) + columnCost + len(k.metric)/8 }

// column returns a number of a metric for runs, which are all of an experiment in the order of the store. ended is asked now and then
// whether it is still wanted, and returns an error when it is not.
func (s *Service) column(ended func() error, experiment string, runs []*track.Run, metric string, part search.Part) (*column, error) {
	k := columnKey{experiment, metric, part}
	before := s.columns.get(k)
	if before == nil {
		before = &column{}
	}
	changed, now, known := s.deps.Series.Changed(before.asOf)
	first := weak.Make(&runs[0])
	if !known || before.places == nil {
		before, changed = &column{}, nil
	} else if len(changed) == 0 && len(runs) == len(before.places) && first == before.first {
		return before, nil
	}
	c := &column{first: first, places: make([]track.Place, len(runs)), values: make([]float64, len(runs)), there: make([]bool, len(runs)), asOf: now}
	for i, r := range runs {
		c.places[i] = r.Place()
	}
	ids, places, err := c.take(ended, before, changed)
	if err != nil {
		return nil, err
	}
	err = s.deps.Series.Sums(ids, metric, func(i int, stat track.Stat) {
		c.values[places[i]], c.there[places[i]] = numberOf(stat, part), true
	})
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(metric) > maxKey {
		return c, nil // no client can log such a metric: not worth keeping
	}
	k.metric = strings.Clone(metric) // it may be a part of a long filter
	s.columns.put(k, c)
	return c, nil
}

// take copies what an older column knows of runs that did not change, and returns the others with their places.
func (c *column) take(ended func() error, before *column, changed []string) (ids []string, places []int, err error) {
	stale := make(map[string]struct{}, len(changed))
	for _, id := range changed {
		stale[id] = struct{}{}
	}
	j := 0
	for i, p := range c.places {
		if i%checkEvery == 0 {
			if err := ended(); err != nil {
				return nil, nil, err
			}
		}
		// Both are in the same order. A run that has moved in it, because its start was changed, is looked up.
		for j < len(before.places) && before.places[j].Compare(p) < 0 {
			j++
		}
		if j < len(before.places) && before.places[j].ID == p.ID {
			if _, again := stale[p.ID]; !again {
				c.values[i], c.there[i] = before.values[j], before.there[j]
				j++
				continue
			}
		}
		ids, places = append(ids, p.ID), append(places, i)
	}
	return ids, places, nil
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
		x.cells -= old.cost(k)
	}
	x.clock++
	c.used = x.clock
	x.byKey[k] = c
	x.cells += c.cost(k)
	for (x.cells > maxColumnCells || len(x.byKey) > maxColumns) && len(x.byKey) > 1 {
		var oldest columnKey
		least := x.clock
		for key, one := range x.byKey {
			if one.used < least {
				oldest, least = key, one.used
			}
		}
		x.cells -= x.byKey[oldest].cost(oldest)
		delete(x.byKey, oldest)
	}
}
