package requestlog_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/endpoint"
	"levada/internal/core/infer"
	"levada/internal/core/reqlog"
)

// listed are the rows of all pages, with the size of each page.
func (l *logger) listed(t *testing.T, q reqlog.Query) (rows []reqlog.LoggedRequest, sizes []int) {
	t.Helper()
	q.Endpoint = "e"
	var after *reqlog.Position
	for {
		page, err := l.List(t.Context(), q, after)
		if err != nil {
			t.Fatal(err)
		}
		rows, sizes = append(rows, page.Requests...), append(sizes, len(page.Requests))
		if page.Next == "" {
			return rows, sizes
		}
		if after, err = reqlog.ParsePosition(page.Next); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAListHasAllRequestsOnceTheNewestFirst(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 0)
	var want []string
	add := func(l *logger, from, n int) {
		for i := from; i < from+n; i++ {
			e := entry(fmt.Sprintf("r%03d", i), noon.Add(time.Duration(i)*7*time.Minute), endpoint.Log{Sample: 1}, []infer.Tensor{numbers("y", float64(i), 1)}, numbers("x", 1, 2))
			e.Version = fmt.Sprint(1 + i%2)
			if i%5 == 0 {
				e.Outcome, e.Outputs = endpoint.Failure, nil
			}
			l.Add(e)
			want = append(want, fmt.Sprintf("r%03d/1", i), fmt.Sprintf("r%03d/0", i))
		}
	}
	add(l, 0, 40)
	if err := l.Close(); err != nil { // what was logged by then is in files, what comes in journals
		t.Fatal(err)
	}
	l = open(t, dir, 0)
	defer l.Close()
	add(l, 40, 20)
	slices.Reverse(want)
	names := func(rows []reqlog.LoggedRequest) (out []string) {
		for _, r := range rows {
			out = append(out, fmt.Sprintf("%s/%d", r.ID, r.Row))
		}
		return out
	}
	for _, limit := range []int{1, 7, 120, 500} {
		rows, sizes := l.listed(t, reqlog.Query{Limit: limit})
		if diff := cmp.Diff(want, names(rows)); diff != "" {
			t.Fatalf("pages of %d: %s", limit, diff)
		}
		for _, n := range sizes[:len(sizes)-1] {
			if n != limit {
				t.Errorf("pages of %d have %v", limit, sizes)
			}
		}
	}
	keep := func(is func(i int) bool) (out []string) {
		for _, name := range want {
			var i int
			if _, err := fmt.Sscanf(name, "r%d/", &i); err == nil && is(i) {
				out = append(out, name)
			}
		}
		return out
	}
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * 7 * time.Minute) }
	for name, c := range map[string]struct {
		q  reqlog.Query
		is func(i int) bool
	}{
		"version": {reqlog.Query{Version: "2"}, func(i int) bool { return i%2 == 1 }},
		"status":  {reqlog.Query{Status: "failed"}, func(i int) bool { return i%5 == 0 }},
		"time":    {reqlog.Query{Since: at(11), Until: at(44)}, func(i int) bool { return i >= 11 && i < 44 }},
		"role":    {reqlog.Query{Role: reqlog.Shadow}, func(int) bool { return false }},
	} {
		c.q.Limit = 9
		rows, _ := l.listed(t, c.q)
		if diff := cmp.Diff(keep(c.is), names(rows)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAListSaysWhatARequestHadAndWhatBecameOfIt(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	defer l.Close()
	long := strings.Repeat("ä", 3000)
	l.Add(entry("a", noon, endpoint.Log{Sample: 1}, []infer.Tensor{numbers("y", 0.5)}, numbers("x", 2), texts("note", long)))
	when := noon.Add(time.Hour)
	if _, err := l.PutTruth(t.Context(), "e", []reqlog.Truth{{ID: "a", Actual: reqlog.Value{Number: 1}, At: when}}); err != nil {
		t.Fatal(err)
	}
	page, err := l.List(t.Context(), reqlog.Query{Endpoint: "e", Limit: 10}, nil)
	if err != nil || len(page.Requests) != 1 || page.Next != "" || page.Back != nil {
		t.Fatalf("%+v, %v", page, err)
	}
	got, err := json.Marshal(page.Requests[0])
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"request_id":"a","row":0,"time":"2026-11-30T12:00:00Z","version":"1","role":"served","status":"ok","latency_ms":1.5,`+
		`"inputs":[{"name":"x","value":2},{"name":"note","value":"%s","more":4000}],"outputs":[{"name":"y","value":0.5}],"truth":{"actual":1,"time":"2026-11-30T13:00:00Z"}}`,
		strings.Repeat("ä", 1000))
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if f := l.Figures("e"); f.Newest == nil || !f.Newest.Equal(noon) || f.Oldest == nil || !f.Oldest.Equal(noon) {
		t.Errorf("%+v", f)
	}
	for _, bad := range []string{"x", "e30x", "!"} {
		if _, err := reqlog.ParsePosition(bad); err == nil {
			t.Errorf("the token %q is taken", bad)
		}
	}
	if _, err := l.List(t.Context(), reqlog.Query{Endpoint: "e", Limit: 501}, nil); err == nil {
		t.Error("a page of 501 is given")
	}
}
