package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheCacheCanBeListedExplainedAndPruned(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		want               int
		called, answer     string
	}{
		{"GET", "/cache?component=train&min_size=10&largest=true&created_before=2026-01-31T12:00:00Z", "", 200, "list cache", `"total":3`},
		{"GET", "/cache?colour=red", "", 422, "", "colour"},
		{"POST", "/cache/prune", `{"component":"train","dry_run":true}`, 200, "prune {Component:train Pipeline: RunID: Key: CreatedBefore:0001-01-01 00:00:00 +0000 UTC} all=false", `"entries":2`},
		{"POST", "/cache/prune", `{"everything":true}`, 422, "", "everything"},
		{"POST", "/gc", `{"min_age":"2h"}`, 200, "collect 2h0m0s", `"files":1`},
		{"POST", "/gc", `{}`, 200, "collect 1h0m0s", `"files":1`},
		{"POST", "/gc", `{"min_age":"soon"}`, 400, "", "want an age"},
		{"GET", "/runs/r1/cache", "", 200, "explain r1 ", `"explanations"`},
		{"GET", "/runs/r1/tasks/loop%2F0%2Ftrain/cache", "", 200, "explain r1 loop/0/train", `"outcome":"MISS"`},
	} {
		f := &fake{}
		rec := request(t, f, c.method, "/api/v1"+c.path, c.body)
		if rec.Code != c.want || !strings.Contains(rec.Body.String(), c.answer) {
			t.Errorf("%s %s: status %d, %s; want %d with %s", c.method, c.path, rec.Code, rec.Body, c.want, c.answer)
		}
		want := []string{c.called}
		if c.called == "" {
			want = nil
		}
		if diff := cmp.Diff(want, f.calls); diff != "" {
			t.Errorf("%s %s: calls (-want +got):\n%s", c.method, c.path, diff)
		}
		if c.want == http.StatusOK && strings.HasPrefix(c.path, "/cache?") && (f.query.SortBy != "size" || !f.query.Descending || len(f.query.Where) != 3) {
			t.Errorf("query %+v", f.query)
		}
	}
}
