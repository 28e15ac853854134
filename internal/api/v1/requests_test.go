package v1_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	v1 "levada/internal/api/v1"
	"levada/internal/core/reqlog"
	"levada/internal/serving"
)

// fakeRequests remembers what it was asked for.
type fakeRequests struct {
	q     reqlog.Query
	after *reqlog.Position
}

func (f *fakeRequests) Logged(context.Context, string) (reqlog.Figures, error) {
	return reqlog.Figures{}, nil
}

func (f *fakeRequests) ExportRequests(_ context.Context, q reqlog.Query, _ string) (func(ctx context.Context, w io.Writer) error, error) {
	f.q = q
	return func(context.Context, io.Writer) error { return nil }, nil
}

func (f *fakeRequests) ListRequests(_ context.Context, q reqlog.Query, after *reqlog.Position) (reqlog.LoggedPage, error) {
	f.q, f.after = q, after
	return reqlog.LoggedPage{Requests: []reqlog.LoggedRequest{}, Next: reqlog.Position{At: 7, ID: "a", Version: "1", Role: reqlog.Served, Row: 2}.Token()}, nil
}

func (f *fakeRequests) PutTruth(context.Context, string, io.Reader, string) (reqlog.Taken, error) {
	return reqlog.Taken{}, nil
}

func (f *fakeRequests) Quality(context.Context, string, serving.QualityQuery) (serving.QualityReport, error) {
	return serving.QualityReport{}, nil
}

func TestLoggedRequestsAreListedByWhatTheRequestSays(t *testing.T) {
	f := &fakeRequests{}
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		v1.NewHandler(v1.Options{Requests: f}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, v1.Prefix+path, nil))
		return w
	}
	w := ask("/endpoints/e/requests/list?version=2&status=failed&role=shadow&since=2026-11-30T00:00:00Z&limit=7")
	want := reqlog.Query{Endpoint: "e", Version: "2", Status: "failed", Role: reqlog.Shadow, Since: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), Limit: 7}
	if w.Code != http.StatusOK || f.q != want || f.after != nil {
		t.Errorf("%d %s: %+v", w.Code, w.Body, f.q)
	}
	_, token, _ := strings.Cut(w.Body.String(), `"next_page_token":"`)
	token, _, _ = strings.Cut(token, `"`)
	if w = ask("/endpoints/e/requests/list?page_token=" + token); w.Code != http.StatusOK || f.q.Limit != 50 || f.after == nil ||
		*f.after != (reqlog.Position{At: 7, ID: "a", Version: "1", Role: reqlog.Served, Row: 2}) {
		t.Errorf("%d %s: %+v", w.Code, w.Body, f.after)
	}
	for query, status := range map[string]int{"status=odd": 422, "limit=501": 422, "limit=0": 422, "page_token=odd": 400} {
		if w = ask("/endpoints/e/requests/list?" + query); w.Code != status {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}
