package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

func where(key string, op listing.Op, values ...any) listing.Query {
	return listing.Query{Where: []listing.Predicate{{Key: key, Op: op, Values: values}}}
}

func runIDs(runs []run.Run) []string {
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	return ids
}

func pages(t *testing.T, s Store) {
	ctx := t.Context()
	for i := range 45 {
		must(t, s.CreateRun(ctx, sampleRun(i), nil, nil))
	}
	first := got[listing.Page[run.Run]](t)(s.ListRuns(ctx, listing.Query{}))
	same(t, "size", len(first.Items), 20)
	same(t, "total", first.Total, 45)
	same(t, "newest first", first.Items[0], sampleRun(44))
	second := got[listing.Page[run.Run]](t)(s.ListRuns(ctx, listing.Query{PageToken: first.NextPageToken, PageSize: 25}))
	same(t, "the rest", []int{len(second.Items), second.Total}, []int{25, 45})
	same(t, "last token", second.NextPageToken, "")
	same(t, "at most 200", len(got[listing.Page[run.Run]](t)(s.ListRuns(ctx, listing.Query{PageSize: 1000})).Items), 45)
	must(t, s.DeleteRun(ctx, first.Items[19].ID))
	again := got[listing.Page[run.Run]](t)(s.ListRuns(ctx, listing.Query{PageToken: first.NextPageToken}))
	same(t, "a page begins at the same place when rows before it go", again.Items[0].ID, second.Items[0].ID)

	_, err := s.ListRuns(ctx, listing.Query{PageToken: first.NextPageToken, SortBy: "display_name"})
	wantKind(t, err, fault.Invalid, "another query")
	q := where("archived", listing.Equals, false)
	q.PageToken = first.NextPageToken
	_, err = s.ListRuns(ctx, q)
	wantKind(t, err, fault.Invalid, "another query")
	_, err = s.ListExperiments(ctx, listing.Query{PageToken: first.NextPageToken})
	wantKind(t, err, fault.Invalid, "another query")
	for _, bad := range []string{"x", "!!", "e30", first.NextPageToken[:10]} {
		_, err = s.ListRuns(ctx, listing.Query{PageToken: bad})
		wantKind(t, err, fault.Invalid, "token")
	}
}

func filters(t *testing.T, s Store) {
	ctx := t.Context()
	names := []string{"50% off", "50 off", "a_b", "aXb", `back\slash`, "ÉCOLE", "école d'été", "x'; DROP TABLE runs; --"}
	for i, name := range names {
		r := sampleRun(i)
		r.DisplayName, r.State, r.Archived, r.Description = name, run.Succeeded, i%2 == 1, fmt.Sprint("About ", i)
		r.ScheduledAt = at(-i)
		if i < 3 {
			r.State, r.FinishedAt, r.RecurringRunID = run.Running, nil, ""
		}
		must(t, s.CreateRun(ctx, r, nil, nil))
	}
	for _, test := range []struct {
		key    string
		op     listing.Op
		values []any
		want   []int
	}{
		{"display_name", listing.Equals, []any{"50 off"}, []int{1}},
		{"display_name", listing.Equals, []any{names[7]}, []int{7}},
		{"display_name", listing.NotEquals, []any{"50 off"}, []int{0, 2, 3, 4, 5, 6, 7}},
		{"display_name", listing.IsSubstring, []any{"0%"}, []int{0}},
		{"display_name", listing.IsSubstring, []any{"A_B"}, []int{2}},
		{"display_name", listing.IsSubstring, []any{`K\S`}, []int{4}},
		{"display_name", listing.IsSubstring, []any{"école"}, []int{5, 6}},
		{"display_name", listing.IsSubstring, []any{""}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{"id", listing.IsSubstring, []any{"N-00"}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{"id", listing.In, []any{"run-001", "run-006", "run-999"}, []int{1, 6}},
		{"id", listing.In, nil, nil},
		{"state", listing.Equals, []any{"RUNNING"}, []int{0, 1, 2}},
		{"state", listing.In, []any{"RUNNING", "SUCCEEDED"}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{"archived", listing.Equals, []any{true}, []int{1, 3, 5, 7}},
		{"archived", listing.NotEquals, []any{"true"}, []int{0, 2, 4, 6}},
		{"created_at", listing.GreaterThan, []any{at(5)}, []int{6, 7}},
		{"created_at", listing.GreaterThanEquals, []any{at(5).Format(time.RFC3339Nano)}, []int{5, 6, 7}},
		{"created_at", listing.LessThan, []any{at(2)}, []int{0, 1}},
		{"created_at", listing.LessThanEquals, []any{at(2)}, []int{0, 1, 2}},
		{"created_at", listing.Equals, []any{at(2)}, []int{2}},
		{"finished_at", listing.LessThan, []any{at(9)}, []int{3}},
		{"finished_at", listing.GreaterThan, []any{at(0)}, []int{3, 4, 5, 6, 7}},
		{"pipeline_id", listing.Equals, []any{"pipe-1"}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{"experiment_id", listing.Equals, []any{"exp-9"}, nil},
		{"description", listing.IsSubstring, []any{"about 3"}, []int{3}},
		{"scheduled_at", listing.LessThan, []any{at(-5)}, []int{6, 7}},
		{"recurring_run_id", listing.Equals, []any{"rec-1"}, []int{3, 4, 5, 6, 7}},
		{"recurring_run_id", listing.NotEquals, []any{"rec-1"}, []int{0, 1, 2}},
	} {
		t.Run(fmt.Sprintf("%s %s %v", test.key, test.op, test.values), func(t *testing.T) {
			q := where(test.key, test.op, test.values...)
			q.SortBy = "id"
			page := got[listing.Page[run.Run]](t)(s.ListRuns(ctx, q))
			var want []string
			for _, n := range test.want {
				want = append(want, sampleRun(n).ID)
			}
			same(t, "runs", runIDs(page.Items), want)
			same(t, "total", page.Total, len(want))
		})
	}
	both := where("state", listing.Equals, "RUNNING")
	both.Where = append(both.Where, listing.Predicate{Key: "archived", Op: listing.Equals, Values: []any{true}})
	same(t, "predicates must all hold", runIDs(got[listing.Page[run.Run]](t)(s.ListRuns(ctx, both)).Items), []string{"run-001"})
	lastRuns(t, s)
	page := got[listing.Page[catalog.Experiment]](t)(s.ListExperiments(ctx, where("last_run_at", listing.LessThan, at(9))))
	same(t, "experiments that ran", page.Total, 2)
}

func badQueries(t *testing.T, s Store) {
	many := make([]any, 5000)
	for i := range many {
		many[i] = "x"
	}
	long := listing.Query{}
	for range 500 {
		long.Where = append(long.Where, listing.Predicate{Key: "id", Op: listing.Equals, Values: []any{"x"}})
	}
	for name, q := range map[string]listing.Query{
		`cannot filter by "body"`:       where("body", listing.Equals, "x"),
		`cannot filter by "1=1; --"`:    where("1=1; --", listing.Equals, "x"),
		`cannot sort by "id; DROP"`:     {SortBy: "id; DROP"},
		"negative":                      {PageSize: -1},
		"EQUALS takes one value, got 0": where("id", listing.Equals),
		"EQUALS takes one value, got 2": where("id", listing.Equals, "a", "b"),
		"unknown operation":             where("id", listing.Op("LIKE"), "a"),
		"want text, got 3":              where("id", listing.Equals, int64(3)),
		"want a time, got 3":            where("created_at", listing.Equals, int64(3)),
		"want a time such as":           where("created_at", listing.Equals, "yesterday"),
		"want true or false":            where("archived", listing.Equals, "maybe"),
		"cannot be compared":            where("archived", listing.GreaterThan, true),
		"works on text only":            where("created_at", listing.IsSubstring, "2026"),
		"IN with 5000 values":           where("id", listing.In, many...),
		"500 predicates":                long,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.ListRuns(t.Context(), q)
			wantKind(t, err, fault.Invalid, name)
		})
	}
}

// totals changes runs at random and compares the totals of filtered lists with a plain model.
func totals(t *testing.T, s Store) {
	ctx := t.Context()
	model := map[string]run.Run{}
	seqs := map[string]int64{}
	n := 0
	states := []run.State{run.Pending, run.Running, run.Failed}
	experiments := []string{"exp-1", "exp-2"}
	rapid.Check(t, func(t *rapid.T) {
		ids := make([]string, 0, len(model))
		for id := range model {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		action := "create"
		if len(ids) > 0 {
			action = rapid.SampledFrom([]string{"create", "append", "archive", "delete", "move"}).Draw(t, "action")
		}
		state := rapid.SampledFrom(states).Draw(t, "state")
		experiment := rapid.SampledFrom(experiments).Draw(t, "experiment")
		switch action {
		case "create":
			r := sampleRun(n)
			n++
			r.State, r.ExperimentID = state, experiment
			must(t, s.CreateRun(ctx, r, events(1, 1), nil))
			model[r.ID], seqs[r.ID] = r, 1
		case "append":
			r := model[rapid.SampledFrom(ids).Draw(t, "run")]
			r.State = state
			seqs[r.ID]++
			must(t, s.Append(ctx, r.ID, events(seqs[r.ID], 1), run.Changes{Run: &r}))
			model[r.ID] = r
		case "archive":
			r := model[rapid.SampledFrom(ids).Draw(t, "run")]
			r.Archived = rapid.Bool().Draw(t, "archived")
			must(t, s.SetArchived(ctx, r.ID, r.Archived))
			model[r.ID] = r
		case "delete":
			id := rapid.SampledFrom(ids).Draw(t, "run")
			must(t, s.DeleteRun(ctx, id))
			delete(model, id)
		case "move":
			must(t, s.MoveRuns(ctx, experiments[0], experiments[1]))
			for id, r := range model {
				r.ExperimentID = experiments[1]
				model[id] = r
			}
		}
		for _, q := range []listing.Query{
			{}, where("state", listing.Equals, string(state)), where("experiment_id", listing.Equals, experiment),
			where("archived", listing.Equals, true), where("state", listing.NotEquals, string(state)),
		} {
			page, err := s.ListRuns(ctx, q)
			must(t, err)
			want := 0
			for _, r := range model {
				if matches(r, q) {
					want++
				}
			}
			if page.Total != want || len(page.Items) != min(want, 20) {
				t.Fatalf("%v: total %d with %d items, want %d", q.Where, page.Total, len(page.Items), want)
			}
		}
	})
}

func matches(r run.Run, q listing.Query) bool {
	for _, p := range q.Where {
		value := map[string]any{"state": string(r.State), "experiment_id": r.ExperimentID, "archived": r.Archived}[p.Key]
		if (value == p.Values[0]) != (p.Op == listing.Equals) {
			return false
		}
	}
	return true
}

// pagingProperty stores random runs, with many equal keys, and walks through them in random orders and page
// sizes.
func pagingProperty(t *testing.T, s Store) {
	ctx := t.Context()
	names := []string{"", "a", "A", "b", "é", "%", "zz"}
	var all []run.Run
	rapid.Check(t, func(t *rapid.T) {
		r := sampleRun(len(all))
		r.ID = rapid.StringMatching(`[a-f0-9]{4}`).Draw(t, "id") + "-" + r.ID
		r.DisplayName = rapid.SampledFrom(names).Draw(t, "name")
		r.State = rapid.SampledFrom([]run.State{run.Pending, run.Failed}).Draw(t, "state")
		r.CreatedAt = at(rapid.IntRange(-3, 3).Draw(t, "created"))
		if rapid.Bool().Draw(t, "unfinished") {
			r.FinishedAt = nil
		}
		must(t, s.CreateRun(ctx, r, nil, nil))
		all = append(all, r)

		key := rapid.SampledFrom([]string{"", "id", "display_name", "state", "created_at", "finished_at", "archived"}).Draw(t, "sort")
		q := listing.Query{SortBy: key, Descending: rapid.Bool().Draw(t, "descending"), PageSize: rapid.IntRange(1, 60).Draw(t, "size")}
		want := slices.Clone(all)
		slices.SortFunc(want, func(a, b run.Run) int { return compare(a, b, key) })
		if q.Descending || key == "" {
			slices.Reverse(want)
		}
		var visited []run.Run
		for {
			page, err := s.ListRuns(ctx, q)
			must(t, err)
			visited = append(visited, page.Items...)
			if q.PageToken = page.NextPageToken; q.PageToken == "" {
				break
			}
			if len(page.Items) != q.PageSize {
				t.Fatalf("a page with a next one holds %d items, want %d", len(page.Items), q.PageSize)
			}
		}
		if !slices.Equal(runIDs(visited), runIDs(want)) {
			t.Fatalf("sorted by %q: got %v, want %v", key, runIDs(visited), runIDs(want))
		}
	})
}

func compare(a, b run.Run, key string) int {
	order := 0
	switch key {
	case "display_name":
		order = strings.Compare(a.DisplayName, b.DisplayName)
	case "state":
		order = strings.Compare(string(a.State), string(b.State))
	case "", "created_at":
		order = a.CreatedAt.Compare(b.CreatedAt)
	case "finished_at":
		order = finished(a).Compare(finished(b))
	}
	if order == 0 {
		return strings.Compare(a.ID, b.ID)
	}
	return order
}

// finished sorts runs that are not finished before all others.
func finished(r run.Run) time.Time {
	if r.FinishedAt == nil {
		return time.Time{}
	}
	return *r.FinishedAt
}
