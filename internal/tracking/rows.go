package tracking

import (
	"cmp"
	"slices"

	"levada/internal/core/search"
	"levada/internal/core/track"
)

// runRow shows the runs of an experiment to a filter, one after the other.
type runRow struct {
	service *Service
	// ended returns an error when the caller no longer waits.
	ended      func() error
	orders     []search.Order
	experiment string
	runs       []*track.Run
	at         int
	// columns are those that were needed so far.
	columns []namedColumn
	// param and tag are where the last ones were found: mostly the next run has them at the same place.
	param, tag int
	err        error
}

type namedColumn struct {
	key  string
	part search.Part
	*column
}

// begin goes on with the runs of another experiment.
func (r *runRow) begin(experiment string, runs []*track.Run) {
	r.experiment, r.runs, r.at, r.columns = experiment, runs, 0, r.columns[:0]
}

// goOn moves to a run. It is false, with err set, when the search is to end.
func (r *runRow) goOn(at int) bool {
	if r.at = at; at%checkEvery == 0 && r.err == nil {
		r.err = r.ended()
	}
	return r.err == nil
}

func (r *runRow) Text(e search.Entity, key string) (string, bool) {
	run := r.runs[r.at]
	switch e {
	case search.Param:
		return find(run.Params, key, &r.param)
	case search.Tag:
		return find(run.Tags, key, &r.tag)
	}
	switch key {
	case "run_id":
		return run.ID, true
	case "run_name": // the tag, which can be deleted, as in MLflow
		return find(run.Tags, track.TagRunName, &r.tag)
	case "user_id":
		return run.UserID, true
	case "status":
		return string(run.Status), true
	case "artifact_uri":
		return run.ArtifactURI, true
	}
	return "", false
}

// find is track.Find that looks first where hint says.
func find(list []track.KV, key string, hint *int) (string, bool) {
	if *hint < len(list) && list[*hint].Key == key {
		return list[*hint].Value, true
	}
	for i := range list {
		if list[i].Key == key {
			*hint = i
			return list[i].Value, true
		}
	}
	return "", false
}

func (r *runRow) Number(e search.Entity, key string, p search.Part) (float64, bool) {
	if e == search.Attribute {
		switch run := r.runs[r.at]; {
		case key == "start_time":
			return float64(run.StartMS), true
		case key == "end_time" && run.EndMS != nil:
			return float64(*run.EndMS), true
		}
		return 0, false
	}
	for _, c := range r.columns {
		if c.part == p && c.key == key {
			return c.values[r.at], c.there[r.at]
		}
	}
	c, err := r.service.column(r.ended, r.experiment, r.runs, key, p)
	if err != nil {
		r.err = err
		c = &column{values: make([]float64, len(r.runs)), there: make([]bool, len(r.runs))}
	}
	r.columns = append(r.columns, namedColumn{key, p, c})
	return c.values[r.at], c.there[r.at]
}

func (r *runRow) Each(key string) []string {
	var out []string
	for _, d := range r.runs[r.at].Datasets {
		switch key {
		case "name":
			out = append(out, d.Dataset.Name)
		case "digest":
			out = append(out, d.Dataset.Digest)
		case "context":
			if c, there := d.Context(); there {
				out = append(out, c)
			}
		}
	}
	return out
}

// keyedRun is a run with what it is sorted by.
type keyedRun struct {
	run   *track.Run
	first search.Key
	rest  []search.Key
}

// firstRuns keeps the first n of the runs that it is given, in the order of the orders, then the newest, then by id. It
// holds at most twice as many.
type firstRuns struct {
	n       int
	orders  []search.Order
	byStart bool
	rows    []keyedRun
	// last is the last of the first n so far, once there are n.
	last *keyedRun
}

func (f *firstRuns) add(row *runRow) {
	k := keyedRun{run: row.runs[row.at]}
	if len(f.orders) > 0 {
		k.first = f.orders[0].KeyOf(row)
		if f.last != nil && f.orders[0].Compare(k.first, f.last.first) > 0 {
			return
		}
		for _, o := range f.orders[1:] {
			k.rest = append(k.rest, o.KeyOf(row))
		}
	}
	if f.last != nil && f.compare(k, *f.last) > 0 {
		return
	}
	f.rows = append(f.rows, k)
	if len(f.rows) >= 2*f.n {
		f.sort()
		f.rows = f.rows[:f.n]
		last := f.rows[f.n-1]
		f.last = &last
	}
}

func (f *firstRuns) sort() { slices.SortFunc(f.rows, f.compare) }

func (f *firstRuns) compare(a, b keyedRun) int {
	if len(f.orders) > 0 {
		if c := f.orders[0].Compare(a.first, b.first); c != 0 {
			return c
		}
		for i, o := range f.orders[1:] {
			if c := o.Compare(a.rest[i], b.rest[i]); c != 0 {
				return c
			}
		}
	}
	if f.byStart {
		if c := cmp.Compare(b.run.StartMS, a.run.StartMS); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.run.ID, b.run.ID)
}
