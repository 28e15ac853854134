package kfp_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/listing"
	"levada/internal/core/run"
)

func TestListParametersBecomeAQuery(t *testing.T) {
	moment := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	oldest := listing.Query{SortBy: "created_at"}
	where := func(p ...listing.Predicate) listing.Query { return listing.Query{SortBy: "created_at", Where: p} }
	tests := []struct {
		name, list, query string
		want              listing.Query
	}{
		{"nothing asked for", "runs", "", oldest},
		{"empty values, as the client sends them", "runs", "page_token=&sort_by=&filter=&namespace=kubeflow", oldest},
		{"size and order", "pipelines", "page_size=7&sort_by=Display_Name+DESC", listing.Query{PageSize: 7, SortBy: "display_name", Descending: true}},
		{"order by a v1 name", "experiments", "sort_by=name", listing.Query{SortBy: "display_name"}},
		{"order by last run", "experiments", "sort_by=last_run_created_at+asc", listing.Query{SortBy: "last_run_at"}},
		{"runs of an experiment", "runs", "experiment_id=e1", where(listing.Predicate{Key: "experiment_id", Op: listing.Equals, Values: []any{"e1"}})},
		{
			"number of the operation and JSON names, as the client sends them", "pipelines",
			`filter={"predicates":[{"operation":1,"key":"display_name","stringValue":"x"}]}`,
			where(listing.Predicate{Key: "display_name", Op: listing.Equals, Values: []any{"x"}}),
		},
		{
			"word of the operation", "pipelines", `filter={"predicates":[{"operation":"IS_SUBSTRING","key":"name","string_value":"x+%25"}]}`,
			where(listing.Predicate{Key: "name", Op: listing.IsSubstring, Values: []any{"x %"}}),
		},
		{
			"a filter that is URL-encoded twice", "runs",
			"filter=" + url.QueryEscape(url.QueryEscape(`{"predicates":[{"operation":2,"key":"state","stringValue":"failed"}]}`)),
			where(listing.Predicate{Key: "state", Op: listing.NotEquals, Values: []any{"FAILED"}}),
		},
		{
			"times", "runs",
			`filter={"predicates":[{"operation":3,"key":"created_at","timestamp_value":"2026-01-02T03:04:05Z"},{"operation":7,"key":"finished_at","long_value":"1767323045"}]}`,
			where(
				listing.Predicate{Key: "created_at", Op: listing.GreaterThan, Values: []any{moment}},
				listing.Predicate{Key: "finished_at", Op: listing.LessThanEquals, Values: []any{moment}},
			),
		},
		{
			"a list", "runs", `filter={"predicates":[{"operation":8,"key":"run_id","string_values":{"values":["a","b"]}}]}`,
			where(listing.Predicate{Key: "id", Op: listing.In, Values: []any{"a", "b"}}),
		},
		{
			"storage state", "runs", `filter={"predicates":[{"operation":1,"key":"storage_state","stringValue":"ARCHIVED"}]}`,
			where(listing.Predicate{Key: "archived", Op: listing.Equals, Values: []any{true}}),
		},
		{
			"not a storage state", "experiments", `filter={"predicates":[{"operation":"NOT_EQUALS","key":"storage_state","string_value":"ARCHIVED"}]}`,
			where(listing.Predicate{Key: "archived", Op: listing.Equals, Values: []any{false}}),
		},
		{
			"both storage states", "runs",
			`filter={"predicates":[{"operation":"IN","key":"storage_state","string_values":{"values":["ARCHIVED","AVAILABLE"]}}]}`, oldest,
		},
		{
			"part of a storage state", "runs", `filter={"predicates":[{"operation":9,"key":"storage_state","stringValue":"AVAIL"}]}`,
			where(listing.Predicate{Key: "archived", Op: listing.Equals, Values: []any{false}}),
		},
		{
			"no storage state", "runs", `filter={"predicates":[{"operation":"IN","key":"storage_state","string_values":{"values":[]}}]}`,
			where(listing.Predicate{Key: "archived", Op: listing.In}),
		},
		{
			"the runs of a recurring run", "runs", `filter={"predicates":[{"operation":1,"key":"recurring_run_id","stringValue":"x"}]}`,
			where(listing.Predicate{Key: "recurring_run_id", Op: listing.Equals, Values: []any{"x"}}),
		},
		{"no predicates", "runs", `filter={"predicates":[]}`, oldest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{}
			if status, got := ask(t, f, "GET", "/apis/v2beta1/"+tt.list+"?"+strings.ReplaceAll(tt.query, `"`, "%22"), ""); status != 200 {
				t.Fatalf("status %d: %v", status, got)
			}
			if diff := cmp.Diff(tt.want, f.query); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListParametersThatMeanNothingAreRefused(t *testing.T) {
	predicate := func(p string) string { return `filter={"predicates":[` + p + `]}` }
	tests := []struct{ query, message string }{
		{"page_size=-1", "page_size"},
		{"page_size=many", "page_size"},
		{"sort_by=created_at+upwards", "asc or desc"},
		{"sort_by=colour", `cannot sort on "colour"; possible: created_at, description, display_name`},
		{"sort_by=nothing", "cannot sort on"},
		{"page_token=garbage", "page_token is not one"},
		{"page_token=e30", "page_token is not one"},
		{"filter={", "filter: want JSON"},
		{"filter=[]", "filter: want a JSON object"},
		{`filter={"predicate":[]}`, `filter: unknown field "predicate"`},
		{`filter={"predicates":{}}`, "filter.predicates: want a list"},
		{predicate(`{"operation":4,"key":"name","string_value":"x"}`), "filter.predicates[0].operation: want EQUALS"},
		{predicate(`{"operation":"LIKE","key":"name","string_value":"x"}`), "operation: want EQUALS"},
		{predicate(`{"key":"name","string_value":"x"}`), "operation: want EQUALS"},
		{predicate(`{"operation":1,"key":"colour","string_value":"x"}`), `cannot filter on "colour"; possible:`},
		{predicate(`{"operation":1,"key":"name"}`), "want exactly one of"},
		{predicate(`{"operation":1,"key":"name","string_value":"x","int_value":1}`), "want exactly one of"},
		{predicate(`{"operation":1,"key":"name","string_values":{"values":["x"]}}`), "IN wants a list"},
		{predicate(`{"operation":8,"key":"name","string_value":"x"}`), "IN wants a list"},
		{predicate(`{"operation":9,"key":"name","int_value":1}`), "IS_SUBSTRING wants a string_value"},
		{predicate(`{"operation":1,"key":"name","int_value":"x"}`), "is not a int"},
		{predicate(`{"operation":3,"key":"created_at","string_value":"yesterday"}`), "RFC 3339"},
		{predicate(`{"operation":1,"key":"storage_state","string_value":"GONE"}`), "AVAILABLE or ARCHIVED"},
	}
	for _, tt := range tests {
		status, got := ask(t, &fake{}, "GET", "/apis/v2beta1/runs?"+strings.ReplaceAll(tt.query, `"`, "%22"), "")
		if message, _ := got["message"].(string); status != 400 || !strings.Contains(message, tt.message) {
			t.Errorf("%s: %d %q, want 400 with %q", tt.query, status, message, tt.message)
		}
	}
}

func TestAPageTokenRemembersOrderAndFilter(t *testing.T) {
	f := &fake{nextToken: "row-20", runs: []run.Run{{ID: "r1", VersionID: "v", CreatedAt: epoch}}}
	filter := url.QueryEscape(`{"predicates":[{"operation":1,"key":"name","stringValue":"x"}]}`)
	_, got := ask(t, f, "GET", "/apis/v2beta1/runs?sort_by=name+desc&filter="+filter, "")
	first := f.query
	token, _ := got["next_page_token"].(string)
	if token == "" || got["total_size"] != 1.0 {
		t.Fatalf("want a token and a total, got %v", got)
	}
	for _, query := range []string{"page_token=" + token, "page_token=" + token + "&sort_by=name+desc&filter=" + filter} {
		if status, got := ask(t, f, "GET", "/apis/v2beta1/runs?"+query, ""); status != 200 {
			t.Fatalf("%s: %d %v", query, status, got)
		}
		want := first
		want.PageToken = "row-20"
		if diff := cmp.Diff(want, f.query); diff != "" {
			t.Errorf("%s: query (-want +got):\n%s", query, diff)
		}
	}
	if status, _ := ask(t, f, "GET", "/apis/v2beta1/runs?sort_by=name&page_token="+token, ""); status != 400 {
		t.Errorf("a token with another sort_by: status %d, want 400", status)
	}
}

func TestAnEmptyListIsAnEmptyObject(t *testing.T) {
	for _, path := range []string{"runs", "pipelines", "experiments", "pipelines/p1/versions"} {
		if status, got := ask(t, &fake{}, "GET", "/apis/v2beta1/"+path, ""); status != 200 || len(got) != 0 {
			t.Errorf("%s: %d %v, want an empty object", path, status, got)
		}
	}
}
