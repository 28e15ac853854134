package store

import (
	"context"
	"encoding/json"
	"fmt"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// maxValues bounds for how many runs values are read at once: a page of a list.
const maxValues = maxPageSize

// Pairs returns the parameters and tags of runs by the runs' ids, of each kind in the order of the keys. names says which; without names
// all of them come, without their values.
func (t Tracking) Pairs(ctx context.Context, runIDs []string, names *track.Names) (params, tags map[string][]track.KV, err error) {
	if len(runIDs) > maxValues {
		return nil, nil, fault.Invalidf("values of %d runs at once are more than the %d allowed", len(runIDs), maxValues)
	}
	if params, err = t.pairs(ctx, "tracking_params", runIDs, names, func() []string { return names.Params }); err != nil {
		return nil, nil, err
	}
	tags, err = t.pairs(ctx, "tracking_tags", runIDs, names, func() []string { return names.Tags })
	return params, tags, err
}

func (t Tracking) pairs(ctx context.Context, table string, runIDs []string, names *track.Names, wanted func() []string) (map[string][]track.KV, error) {
	ids, err := json.Marshal(runIDs)
	if err != nil {
		return nil, err
	}
	args := []any{string(ids)}
	value, some := "''", ""
	if names != nil {
		if len(wanted()) == 0 {
			return nil, nil
		}
		keys, err := json.Marshal(wanted())
		if err != nil {
			return nil, err
		}
		args, value, some = append(args, string(keys)), "value", ` AND key IN (SELECT value FROM json_each($2))`
	}
	type row struct {
		id string
		kv track.KV
	}
	// Uses the primary keys.
	rows, err := readAll(ctx, t.s, func(scan scanner) (row, error) {
		var r row
		err := scan(&r.id, &r.kv.Key, &r.kv.Value)
		return r, err
	}, fmt.Sprintf(`SELECT run_id, key, %s FROM %s WHERE run_id IN (SELECT value FROM json_each($1))%s ORDER BY run_id, key`, value, table, some), args...)
	if err != nil {
		return nil, err
	}
	out := map[string][]track.KV{}
	for _, r := range rows {
		out[r.id] = append(out[r.id], r.kv)
	}
	return out, nil
}
