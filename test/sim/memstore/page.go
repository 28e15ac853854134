package memstore

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

type artifactRow struct {
	run.Artifact
	at time.Time
}

// list says what one kind of row may be filtered and sorted by: a string, a bool, or a time as microseconds, 0 for none.
type list[T any] struct {
	name     string
	id       func(T) string
	fields   map[string]func(T) any
	optional string // the field whose 0 means that there is no value
}

func micros(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMicro()
}

func runList() list[run.Run] {
	return list[run.Run]{
		name: "runs", id: func(r run.Run) string { return r.ID }, optional: "finished_at",
		fields: map[string]func(run.Run) any{
			"id":               func(r run.Run) any { return r.ID },
			"display_name":     func(r run.Run) any { return r.DisplayName },
			"description":      func(r run.Run) any { return r.Description },
			"scheduled_at":     func(r run.Run) any { return r.ScheduledAt.UnixMicro() },
			"pipeline_name":    func(r run.Run) any { return r.PipelineName },
			"state":            func(r run.Run) any { return string(r.State) },
			"experiment_id":    func(r run.Run) any { return r.ExperimentID },
			"pipeline_id":      func(r run.Run) any { return r.PipelineID },
			"version_id":       func(r run.Run) any { return r.VersionID },
			"recurring_run_id": func(r run.Run) any { return r.RecurringRunID },
			"archived":         func(r run.Run) any { return r.Archived },
			"created_at":       func(r run.Run) any { return r.CreatedAt.UnixMicro() },
			"finished_at":      func(r run.Run) any { return micros(r.FinishedAt) },
		},
	}
}

func artifactList() list[artifactRow] {
	return list[artifactRow]{
		name: "artifacts", id: func(a artifactRow) string { return a.ID },
		fields: map[string]func(artifactRow) any{
			"id":           func(a artifactRow) any { return a.ID },
			"run_id":       func(a artifactRow) any { return a.RunID },
			"task_id":      func(a artifactRow) any { return a.TaskID },
			"name":         func(a artifactRow) any { return a.Name },
			"schema_title": func(a artifactRow) any { return a.SchemaTitle },
			"digest":       func(a artifactRow) any { return a.Digest },
			"created_at":   func(a artifactRow) any { return a.at.UnixMicro() },
		},
	}
}

func experimentList() list[catalog.Experiment] {
	return list[catalog.Experiment]{
		name: "experiments", id: func(e catalog.Experiment) string { return e.ID }, optional: "last_run_at",
		fields: map[string]func(catalog.Experiment) any{
			"id":           func(e catalog.Experiment) any { return e.ID },
			"display_name": func(e catalog.Experiment) any { return e.DisplayName },
			"archived":     func(e catalog.Experiment) any { return e.Archived },
			"created_at":   func(e catalog.Experiment) any { return e.CreatedAt.UnixMicro() },
			"last_run_at":  func(e catalog.Experiment) any { return micros(e.LastRunAt) },
		},
	}
}

func pipelineList() list[catalog.Pipeline] {
	return list[catalog.Pipeline]{
		name: "pipelines", id: func(p catalog.Pipeline) string { return p.ID },
		fields: map[string]func(catalog.Pipeline) any{
			"id":           func(p catalog.Pipeline) any { return p.ID },
			"name":         func(p catalog.Pipeline) any { return p.Name },
			"display_name": func(p catalog.Pipeline) any { return p.DisplayName },
			"created_at":   func(p catalog.Pipeline) any { return p.CreatedAt.UnixMicro() },
		},
	}
}

func versionList() list[catalog.Version] {
	return list[catalog.Version]{
		name: "versions", id: func(v catalog.Version) string { return v.ID },
		fields: map[string]func(catalog.Version) any{
			"id":           func(v catalog.Version) any { return v.ID },
			"name":         func(v catalog.Version) any { return v.Name },
			"display_name": func(v catalog.Version) any { return v.DisplayName },
			"created_at":   func(v catalog.Version) any { return v.CreatedAt.UnixMicro() },
		},
	}
}

// page answers a query over rows in any order.
func page[T any](l list[T], rows []T, q listing.Query) (listing.Page[T], error) {
	var out listing.Page[T]
	sortBy, desc := q.SortBy, q.Descending
	if sortBy == "" {
		sortBy, desc = "created_at", true
	}
	key, ok := l.fields[sortBy]
	keys := strings.Join(slices.Sorted(maps.Keys(l.fields)), ", ")
	switch {
	case !ok:
		return out, fault.Invalidf("list %s: cannot sort by %q; use one of %s", l.name, sortBy, keys)
	case q.PageSize < 0:
		return out, fault.Invalidf("list %s: the page size is negative", l.name)
	case len(q.Where) > 50:
		return out, fault.Invalidf("list %s: %d predicates are more than the 50 allowed", l.name, len(q.Where))
	}
	var sample T
	for _, p := range q.Where {
		field, ok := l.fields[p.Key]
		if !ok {
			return out, fault.Invalidf("list %s: cannot filter by %q; use one of %s", l.name, p.Key, keys)
		}
		test, err := predicate(p, field(sample), l.optional == p.Key)
		if err != nil {
			return out, fault.Invalidf("list %s: %w", l.name, err)
		}
		rows = slices.DeleteFunc(rows, func(row T) bool { return !test(field(row)) })
	}
	order := func(a, b T) int { return cmp.Or(compare(key(a), key(b)), strings.Compare(l.id(a), l.id(b))) }
	if desc {
		order = func(a, b T) int { return -cmp.Or(compare(key(a), key(b)), strings.Compare(l.id(a), l.id(b))) }
	}
	slices.SortFunc(rows, order)
	out.Total = len(rows)
	query := fmt.Sprint(l.name, q.Where, sortBy, desc)
	if q.PageToken != "" {
		after, err := decodeToken(l.name, q.PageToken, query)
		if err != nil {
			return out, err
		}
		// The row of the token may be gone: what follows its place is what is left.
		rows = slices.DeleteFunc(rows, func(row T) bool {
			c := cmp.Or(compareText(key(row), after.Key), strings.Compare(l.id(row), after.ID))
			return desc && c >= 0 || !desc && c <= 0
		})
	}
	size := cmp.Or(min(q.PageSize, 200), 20)
	if len(rows) > size {
		rows = rows[:size]
		last := rows[size-1]
		out.NextPageToken = encodeToken(token{Key: fmt.Sprint(key(last)), ID: l.id(last), Query: query})
	}
	out.Items = rows
	return out, nil
}

type token struct{ Key, ID, Query string }

func encodeToken(t token) string {
	body, err := json.Marshal(t)
	if err != nil {
		panic(err) // three strings always encode
	}
	return base64.RawURLEncoding.EncodeToString(body)
}

func decodeToken(name, s, query string) (t token, err error) {
	body, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(body, &t)
	}
	switch {
	case err != nil:
		return t, fault.Invalidf("list %s: the page token is not one of ours", name)
	case t.Query != query:
		return t, fault.Invalidf("list %s: the page token belongs to another query", name)
	}
	return t, nil
}

func compare(a, b any) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case bool:
		return strings.Compare(strconv.FormatBool(a), strconv.FormatBool(b.(bool)))
	}
	return strings.Compare(a.(string), b.(string))
}

// compareText compares a value with the text of another one.
func compareText(a any, b string) int {
	switch a.(type) {
	case int64:
		n, _ := strconv.ParseInt(b, 10, 64) // a token that we made
		return compare(a, n)
	case bool:
		return compare(a, b == "true")
	}
	return compare(a, b)
}

// predicate returns the test that a predicate asks for. sample has the type of the field.
func predicate(p listing.Predicate, sample any, optional bool) (func(any) bool, error) {
	values := make([]any, len(p.Values))
	if p.Op == listing.In && len(values) > 1000 {
		return nil, fmt.Errorf("filter on %s: IN with %d values is more than the 1000 allowed", p.Key, len(values))
	}
	if p.Op != listing.In && len(values) != 1 {
		return nil, fmt.Errorf("filter on %s: %s takes one value, got %d", p.Key, p.Op, len(values))
	}
	if _, text := sample.(string); p.Op == listing.IsSubstring && !text {
		return nil, fmt.Errorf("filter on %s: %s works on text only", p.Key, p.Op)
	}
	for i, v := range p.Values {
		var err error
		if values[i], err = stored(p.Key, v, sample); err != nil {
			return nil, err
		}
	}
	if _, flag := sample.(bool); flag && p.Op != listing.Equals && p.Op != listing.NotEquals && p.Op != listing.In {
		return nil, fmt.Errorf("filter on %s: true and false cannot be compared with %s", p.Key, p.Op)
	}
	holds := map[listing.Op]func(any) bool{
		listing.Equals:            func(v any) bool { return compare(v, values[0]) == 0 },
		listing.NotEquals:         func(v any) bool { return compare(v, values[0]) != 0 },
		listing.GreaterThan:       func(v any) bool { return compare(v, values[0]) > 0 },
		listing.GreaterThanEquals: func(v any) bool { return compare(v, values[0]) >= 0 },
		listing.LessThan:          func(v any) bool { return compare(v, values[0]) < 0 },
		listing.LessThanEquals:    func(v any) bool { return compare(v, values[0]) <= 0 },
		listing.In:                func(v any) bool { return slices.Contains(values, v) },
		listing.IsSubstring: func(v any) bool {
			return strings.Contains(strings.ToLower(v.(string)), strings.ToLower(values[0].(string)))
		},
	}[p.Op]
	if holds == nil {
		return nil, fmt.Errorf("filter on %s: unknown operation %q", p.Key, p.Op)
	}
	if optional && p.Op != listing.NotEquals {
		return func(v any) bool { return v != int64(0) && holds(v) }, nil
	}
	return holds, nil
}

// stored checks a value of a predicate and returns it in the form of the field.
func stored(key string, v, sample any) (any, error) {
	switch sample.(type) {
	case int64:
		switch v := v.(type) {
		case time.Time:
			return v.UnixMicro(), nil
		case string:
			t, err := time.Parse(time.RFC3339Nano, v)
			if err != nil {
				return nil, fmt.Errorf("filter on %s: want a time such as 2026-01-31T12:00:00Z, got %q", key, v)
			}
			return t.UnixMicro(), nil
		}
		return nil, fmt.Errorf("filter on %s: want a time, got %v", key, v)
	case bool:
		switch v := v.(type) {
		case bool:
			return v, nil
		case string:
			if b, err := strconv.ParseBool(v); err == nil {
				return b, nil
			}
		}
		return nil, fmt.Errorf("filter on %s: want true or false, got %v", key, v)
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	return nil, fmt.Errorf("filter on %s: want text, got %v", key, v)
}
