package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"levada/internal/core/track"
)

// maxIndexed is how many runs are held in memory for searches when an experiment is read, unless it has more itself: a search needs all
// runs of an experiment. The experiment that was searched longest ago goes first.
const maxIndexed = 200_000

// runIndex holds the runs of experiments that were searched, newest first, so that a search reads no table. A run in it is
// never changed: each write that is committed puts a changed copy in its place, in the order of the writes.
type runIndex struct {
	texts texts
	mu    sync.RWMutex
	sets  map[string]*runSet
	clock int64
}

// runSet are the runs of one experiment.
type runSet struct {
	runs []*track.Run
	// lent says that somebody reads runs: it is copied before the next change.
	lent bool
	byID map[string]*track.Run
	used int64
	// ready is closed when the set was read. Runs that were written meanwhile are in stale and are read again.
	ready chan struct{}
	done  bool
	stale map[string]bool
	// err and none say, once ready is closed, what came of reading: an error, or that there are no runs. Neither set is kept.
	err  error
	none bool
}

// change replaces a run by a copy that fn has changed.
func (x *runIndex) change(experiment, id string, fn func(*track.Run)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	set := x.sets[experiment]
	if set == nil {
		return
	}
	if !set.done {
		set.stale[id] = true
		return
	}
	if old := set.byID[id]; old != nil {
		changed := *old
		fn(&changed)
		set.put(&changed)
	}
}

// put adds a run or replaces the one with its id.
func (x *runIndex) put(r *track.Run) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if set := x.sets[r.ExperimentID]; set != nil {
		if !set.done {
			set.stale[r.ID] = true
			return
		}
		set.put(r)
	}
}

// drop forgets an experiment. Who is reading it at present keeps what it reads to itself.
func (x *runIndex) drop(experiment string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.sets, experiment)
}

// clear forgets all experiments.
func (x *runIndex) clear() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.sets)
}

func (set *runSet) put(r *track.Run) {
	if set.lent {
		set.runs, set.lent = slices.Clone(set.runs), false
	}
	if old := set.byID[r.ID]; old != nil {
		i, _ := slices.BinarySearchFunc(set.runs, old, track.Newest)
		if track.Newest(old, r) == 0 {
			set.runs[i] = r
			set.byID[r.ID] = r
			return
		}
		set.runs = slices.Delete(set.runs, i, i+1)
	}
	i, _ := slices.BinarySearchFunc(set.runs, r, track.Newest)
	set.runs = slices.Insert(set.runs, i, r)
	set.byID[r.ID] = r
}

// RunsOf returns all runs of an experiment, deleted ones too, newest first. The result is not to be changed, and does
// not change.
func (t Tracking) RunsOf(ctx context.Context, experiment string) ([]*track.Run, error) {
	x := &t.s.index
	for {
		x.mu.Lock()
		x.clock++
		set := x.sets[experiment]
		if set == nil {
			break // the lock is kept
		}
		set.used = x.clock
		if set.done {
			set.lent = true
			runs := set.runs
			x.mu.Unlock()
			return runs, nil
		}
		x.mu.Unlock()
		select {
		case <-set.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if set.err != nil || set.none {
			return nil, set.err
		}
	}
	set := &runSet{ready: make(chan struct{}), stale: map[string]bool{}, byID: map[string]*track.Run{}, used: x.clock}
	if x.sets == nil {
		x.sets = map[string]*runSet{}
	}
	x.sets[experiment] = set
	x.mu.Unlock()
	runs, err := t.load(context.WithoutCancel(ctx), experiment, set)
	if err != nil {
		set.err = t.s.readError(err)
		x.mu.Lock()
		if x.sets[experiment] == set {
			delete(x.sets, experiment)
		}
		x.mu.Unlock()
	}
	close(set.ready)
	return runs, set.err
}

// load reads the runs of a set, then again those that were written while it read.
func (t Tracking) load(ctx context.Context, experiment string, set *runSet) ([]*track.Run, error) {
	x := &t.s.index
	runs, err := t.s.readRuns(ctx, `experiment_id = $1`, experiment)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(runs, track.Newest)
	x.mu.Lock()
	defer x.mu.Unlock()
	set.runs = runs
	for _, r := range runs {
		set.byID[r.ID] = r
	}
	for len(set.stale) > 0 {
		stale := set.stale
		set.stale = map[string]bool{}
		x.mu.Unlock()
		fresh := make([]*track.Run, 0, len(stale))
		for id := range stale {
			one, readErr := t.s.readRuns(ctx, `id = $1`, id)
			err = errors.Join(err, readErr)
			fresh = append(fresh, one...)
		}
		x.mu.Lock()
		if err != nil {
			return nil, err
		}
		for _, r := range fresh {
			if r.ExperimentID == experiment {
				set.put(r)
			}
		}
	}
	set.done = true
	if len(set.runs) == 0 {
		// Clients ask for what they like, also for experiments that there never were.
		set.none = true
		if x.sets[experiment] == set {
			delete(x.sets, experiment)
		}
		return nil, nil
	}
	x.evict(experiment)
	set.lent = true
	return set.runs, nil
}

// evict forgets what was not searched for long while there is too much.
func (x *runIndex) evict(keep string) {
	for {
		total, oldest := 0, ""
		for id, set := range x.sets {
			total += len(set.runs)
			if id != keep && set.done && (oldest == "" || set.used < x.sets[oldest].used) {
				oldest = id
			}
		}
		if total <= maxIndexed || oldest == "" {
			return
		}
		delete(x.sets, oldest)
	}
}

// refresh reads a run again for the index, when its experiment is there.
func (s *Store) refresh(experiment, id string) {
	s.index.mu.RLock()
	set := s.index.sets[experiment]
	s.index.mu.RUnlock()
	if set == nil {
		return
	}
	runs, err := s.readRuns(context.Background(), `id = $1`, id)
	if err != nil {
		s.index.drop(experiment) // the next search reads it anew
		return
	}
	for _, r := range runs {
		s.index.put(r)
	}
}

// Run returns a run with its parameters, tags and links.
func (t Tracking) Run(ctx context.Context, id string) (*track.Run, error) {
	runs, err := t.s.readRuns(ctx, `id = $1`, id)
	if err != nil {
		return nil, t.s.readError(err)
	}
	if len(runs) == 0 {
		return nil, noRun(id)
	}
	return runs[0], nil
}

// readRuns reads the runs that a condition on tracking_runs selects, whole, as of one moment.
func (s *Store) readRuns(ctx context.Context, condition, arg string) ([]*track.Run, error) {
	snapshot, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = snapshot.Rollback() }() // nothing was written
	var runs []*track.Run
	byID := map[string]*track.Run{}
	// Uses the primary key, or tracking_runs_by_experiment.
	err = each(ctx, snapshot, `SELECT `+trackedRunColumns+` FROM tracking_runs WHERE `+condition, arg, func(rows *sql.Rows) error {
		r, err := scanTrackedRun(rows.Scan)
		r.ExperimentID, r.UserID = s.index.texts.of([]byte(r.ExperimentID)), s.index.texts.of([]byte(r.UserID))
		r.Status = track.Status(s.index.texts.of([]byte(r.Status)))
		runs = append(runs, &r)
		byID[r.ID] = &r
		return err
	})
	if err != nil || len(runs) == 0 {
		return runs, err
	}
	pairs := func(table string, to func(*track.Run) *[]track.KV) error {
		query := `SELECT run_id, key, value FROM ` + table + ` WHERE run_id IN (SELECT id FROM tracking_runs WHERE ` + condition + `)`
		return each(ctx, snapshot, query, arg, func(rows *sql.Rows) error {
			var id, key, value sql.RawBytes
			if err := rows.Scan(&id, &key, &value); err != nil {
				return err
			}
			list := to(byID[string(id)])
			*list = append(*list, track.KV{Key: s.index.texts.of(key), Value: s.index.texts.of(value)})
			return nil
		})
	}
	if err := pairs("tracking_params", func(r *track.Run) *[]track.KV { return &r.Params }); err != nil {
		return nil, err
	}
	if err := pairs("tracking_tags", func(r *track.Run) *[]track.KV { return &r.Tags }); err != nil {
		return nil, err
	}
	for _, r := range runs {
		r.Params, r.Tags = slices.Clip(slices.Clone(r.Params)), slices.Clip(slices.Clone(r.Tags))
	}
	query := `
		SELECT run_id, kind, body
		FROM tracking_links
		WHERE run_id IN (SELECT id FROM tracking_runs WHERE ` + condition + `)
		ORDER BY run_id, n`
	return runs, each(ctx, snapshot, query, arg, func(rows *sql.Rows) error {
		var id, kind, body string
		if err := rows.Scan(&id, &kind, &body); err != nil {
			return err
		}
		return link(byID[id], kind, body)
	})
}

func link(r *track.Run, kind, body string) error {
	switch kind {
	case linkDataset:
		var d track.DatasetInput
		if err := decode(kind, body, &d); err != nil {
			return err
		}
		r.Datasets = append(r.Datasets, d)
	case linkInput:
		var id string
		if err := decode(kind, body, &id); err != nil {
			return err
		}
		r.ModelInputs = append(r.ModelInputs, id)
	case linkOutput:
		var m track.ModelOutput
		if err := decode(kind, body, &m); err != nil {
			return err
		}
		r.Outputs = append(r.Outputs, m)
	}
	return nil
}

func each(ctx context.Context, snapshot *sql.Tx, query, arg string, scan func(*sql.Rows) error) error {
	rows, err := snapshot.QueryContext(ctx, query, arg)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}
