package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/search"
)

// filtered are the attributes that filters of runs name, as columns; experiment is not among them, for its name is in another table.
var filtered = map[string]column{
	"name":             {name: "display_name", folded: "display_name_folded"},
	"state":            {name: "state"},
	"pipeline":         {name: "pipeline_name", folded: "pipeline_name_folded"},
	"created":          {name: "created_at", kind: moment},
	"finished":         {name: "finished_at", kind: moment, optional: true},
	"run_id":           {name: "id"},
	"description":      {name: "description"},
	"recurring_run_id": {name: "recurring_run_id", optional: true},
}

var runStates = []run.State{run.Pending, run.Running, run.Canceling, run.Succeeded, run.Skipped, run.Failed, run.Canceled}

// runFilter puts a comparison of a filter of runs into SQL. The key is that of run_counts where that table can answer it.
func runFilter(c search.Comparison, bind func(any) string) (text, key string, err error) {
	switch {
	case c.Entity == search.Param || c.Entity == search.Tag:
		return pairFilter(c, bind), "", nil
	case c.Key == "experiment":
		// Uses experiments_by_name. One name is compared with =, so that runs_by_experiment gives the order as well.
		name := column{name: "display_name", folded: "display_name_folded"}
		switch inner := name.compare(c, bind); c.Op {
		case "=":
			return "experiment_id = (SELECT id FROM experiments WHERE " + inner + ")", "experiment_id", nil
		default:
			return "experiment_id IN (SELECT id FROM experiments WHERE " + inner + ")", "experiment_id", nil
		}
	case c.Key == "state":
		for i, s := range c.Values {
			c.Values[i] = strings.ToUpper(s)
			if c.Op != "LIKE" && c.Op != "ILIKE" && !slices.Contains(runStates, run.State(c.Values[i])) {
				return "", "", fault.Invalidf("There is no state '%s'; the states of runs are %v", s, runStates)
			}
		}
		return filtered["state"].compare(c, bind), "state", nil
	}
	column, ok := filtered[c.Key]
	if !ok {
		return "", "", fault.Invalidf("list runs: cannot filter by %q", c.Key)
	}
	return column.compare(c, bind), "", nil
}

// compare is a comparison of a filter on a column of its own.
func (c column) compare(f search.Comparison, bind func(any) string) string {
	if c.kind == moment {
		present := fmt.Sprintf("%s <> 0", c.name)
		switch f.Op {
		case "IS NULL":
			return fmt.Sprintf("%s = 0", c.name)
		case "IS NOT NULL":
			return present
		}
		text := fmt.Sprintf("%s %s %s", c.name, f.Op, bind(int64(f.Number)))
		if c.optional {
			text = "(" + present + " AND " + text + ")"
		}
		return text
	}
	return compareText(c.name, c.folded, f, bind)
}

// compareText compares text; folded is where the same is in lower case, if it is anywhere.
func compareText(name, folded string, f search.Comparison, bind func(any) string) string {
	switch f.Op {
	case "IN", "NOT IN":
		places := make([]string, len(f.Values))
		for i, v := range f.Values {
			places[i] = bind(v)
		}
		return fmt.Sprintf("%s %s (%s)", name, f.Op, strings.Join(places, ", "))
	case "LIKE":
		// SQLite's LIKE does not tell upper from lower case; its GLOB does.
		pattern := strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]", "%", "*", "_", "?").Replace(f.Values[0])
		return fmt.Sprintf("%s GLOB %s", name, bind(pattern))
	case "ILIKE":
		if folded == "" {
			folded = "LOWER(" + name + ")"
		}
		return fmt.Sprintf("%s LIKE %s", folded, bind(fold(f.Values[0])))
	}
	return fmt.Sprintf("%s %s %s", name, f.Op, bind(f.Values[0]))
}

// pairFilter is a comparison of a parameter or a tag of the tracked run of a run. Uses the primary keys.
func pairFilter(c search.Comparison, bind func(any) string) string {
	table := "tracking_params"
	if c.Entity == search.Tag {
		table = "tracking_tags"
	}
	exists := fmt.Sprintf("EXISTS (SELECT 1 FROM %s kv WHERE kv.run_id = runs.id AND kv.key = %s", table, bind(c.Key))
	switch c.Op {
	case "IS NULL":
		return "NOT " + exists + ")"
	case "IS NOT NULL":
		return exists + ")"
	}
	return exists + " AND " + compareText("kv.value", "", c, bind) + ")"
}

// maxGrouped is how many runs groups are made of where no table has counted them: the newest.
const maxGrouped = 100_000

// RunGroups counts the runs that match by a column and state: "state", "experiment_id" or "pipeline_name". The largest groups come first,
// most of them. whole says that all runs were counted, and not only the newest.
func (s *Store) RunGroups(ctx context.Context, by string, q listing.Query, most int) (groups []run.Group, whole bool, err error) {
	if !slices.Contains([]string{"state", "experiment_id", "pipeline_name"}, by) {
		return nil, false, fault.Invalidf("group runs: cannot group by %q", by)
	}
	st, err := runList().plan(q, nil)
	if err != nil {
		return nil, false, err
	}
	counted := st.countable() && by != "pipeline_name"
	query := fmt.Sprintf(`SELECT %s, state, COUNT(*) FROM (SELECT %s, state FROM runs%s ORDER BY created_at DESC, id DESC LIMIT %d) GROUP BY 1, 2`,
		by, by, st.filter(), maxGrouped)
	if counted {
		query = fmt.Sprintf(`SELECT %s, state, SUM(n) FROM run_counts%s GROUP BY 1, 2`, by, st.filter())
	}
	rows, err := s.read.QueryContext(ctx, query, st.args...)
	if err != nil {
		return nil, false, s.readError(fmt.Errorf("group runs: %w", err))
	}
	seen, place := 0, map[string]int{}
	err = drain(rows, func(rows *sql.Rows) error {
		var key, state string
		var n int
		if err := rows.Scan(&key, &state, &n); err != nil || n == 0 {
			return err
		}
		at, there := place[key]
		if !there {
			at = len(groups)
			place[key] = at
			groups = append(groups, run.Group{Key: key, States: map[run.State]int{}})
		}
		groups[at].Total += n
		groups[at].States[run.State(state)] += n
		seen += n
		return nil
	})
	if err != nil {
		return nil, false, s.readError(fmt.Errorf("group runs: %w", err))
	}
	slices.SortStableFunc(groups, func(a, b run.Group) int { return b.Total - a.Total })
	return groups[:min(most, len(groups))], counted || seen < maxGrouped, nil
}
