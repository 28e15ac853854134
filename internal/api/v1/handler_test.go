package v1_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	v1 "levada/internal/api/v1"
	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func request(t *testing.T, f *fake, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	v1.NewHandler(v1.Options{Service: f, Schedules: fakeSchedules{f}, Log: slog.New(slog.DiscardHandler)}).ServeHTTP(w, r)
	return w
}

func TestKindsOfFailureBecomeStatuses(t *testing.T) {
	for want, err := range map[int]error{
		400: fault.Invalidf("bad %s", "thing"), 404: fault.NotFoundf("bad thing"), 409: fault.Conflictf("bad thing"),
		413: fault.TooLargef("bad thing"), 429: fault.Exhaustedf("bad thing"), 501: fault.Unimplementedf("bad thing"), 503: fault.Unavailablef("bad thing"),
	} {
		w := request(t, &fake{err: err}, "GET", "/api/v1/runs/r1", "")
		var p struct{ Detail string }
		if json.Unmarshal(w.Body.Bytes(), &p); w.Code != want || p.Detail != "bad thing" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: %d %s %s; want %d", err, w.Code, w.Header().Get("Content-Type"), w.Body, want)
		}
	}
}

func TestAnInternalFailureIsLoggedUnderTheIDThatTheClientIsTold(t *testing.T) {
	var log bytes.Buffer
	h := v1.NewHandler(v1.Options{Service: &fake{err: errors.New("secret path /x/y")}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/runs/r1", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Fatalf("status %d, body %s; want 500 without the cause", w.Code, w.Body)
	}
	_, id, _ := strings.Cut(strings.TrimRight(w.Body.String(), "\"}\n"), "error_id=")
	id, _, _ = strings.Cut(id, `"`)
	if id == "" || strings.Count(log.String(), "error_id="+id) != 1 || !strings.Contains(log.String(), "secret path") {
		t.Errorf("id %q; log: %s", id, log.String())
	}
}

func TestAListOfRunsIsAskedForWithItsConditions(t *testing.T) {
	f := &fake{run: run.Run{ID: "r1"}}
	w := request(t, f, "GET", "/api/v1/runs?experiment_id=e&state=FAILED,CANCELED&q=nig&pipeline=p&id_prefix=3f&page_size=5&page_token=tok", "")
	want := listing.Query{PageSize: 5, PageToken: "tok", Where: []listing.Predicate{
		{Key: "experiment_id", Op: listing.Equals, Values: []any{"e"}},
		{Key: "pipeline_name", Op: listing.Equals, Values: []any{"p"}},
		{Key: "display_name", Op: listing.IsSubstring, Values: []any{"nig"}},
		{Key: "id", Op: listing.GreaterThanEquals, Values: []any{"3f"}},
		{Key: "id", Op: listing.LessThan, Values: []any{"3f~"}},
		{Key: "archived", Op: listing.Equals, Values: []any{false}},
		{Key: "state", Op: listing.In, Values: []any{"FAILED", "CANCELED"}},
	}}
	if diff := cmp.Diff(want, f.query); diff != "" {
		t.Error(diff)
	}
	var got struct {
		Runs  []map[string]any
		Next  string `json:"next_page_token"`
		Total int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Total != 7 || got.Next != "next" || len(got.Runs) != 1 {
		t.Errorf("%v: %s", err, w.Body)
	}
	if p, isObject := got.Runs[0]["parameters"].(map[string]any); !isObject || len(p) != 0 {
		t.Errorf("parameters of a run without any: %v; want an empty object", got.Runs[0]["parameters"])
	}
	request(t, f, "GET", "/api/v1/runs?archived=any", "")
	if len(f.query.Where) != 0 {
		t.Errorf("archived=any still asks for %v", f.query.Where)
	}
}

func TestARunIsSubmittedWithWhatTheRequestSays(t *testing.T) {
	f := &fake{run: run.Run{ID: "r1"}}
	w := request(t, f, "POST", "/api/v1/runs", `{"spec":"the spec","parameters":{"a":[1,null]},"display_name":"d","experiment":"mine","cache":false}`)
	if w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	s := f.submission
	if string(s.Spec) != "the spec" || s.DisplayName != "d" || s.ExperimentID != "new-mine" || !s.CacheOff {
		t.Errorf("submission %+v", s)
	}
	if diff := cmp.Diff(map[string]any{"a": []any{1.0, nil}}, s.Parameters); diff != "" {
		t.Error(diff)
	}
	f.experiments = []catalog.Experiment{{ID: "known"}}
	request(t, f, "POST", "/api/v1/runs", `{"pipeline_id":"p","version_id":"v","experiment":"mine"}`)
	if s := f.submission; s.PipelineID != "p" || s.VersionID != "v" || s.ExperimentID != "known" || s.CacheOff {
		t.Errorf("submission %+v", s)
	}
}

func TestAContradictingSubmissionIsRefusedBeforeTheServiceIsAsked(t *testing.T) {
	for _, body := range []string{`{}`, `{"spec":" "}`, `{"spec":"a","pipeline_id":"b"}`, `{"spec":"a","version_id":"v"}`,
		`{"spec":"a","experiment":"n","experiment_id":"i"}`, `{"spec":"a","surprise":1}`, `{"spec":1}`, `nonsense`} {
		f := &fake{}
		if w := request(t, f, "POST", "/api/v1/runs", body); w.Code < 400 || w.Code >= 500 || len(f.calls) != 0 {
			t.Errorf("%s: %d %s, calls %v", body, w.Code, w.Body, f.calls)
		}
	}
}

func TestEachPathReachesItsCall(t *testing.T) {
	for _, tc := range []struct {
		method, path string
		status       int
		calls        []string
	}{
		{"GET", "/runs/r1", 200, []string{"get run r1"}},
		{"POST", "/runs/r1/cancel", 200, []string{"cancel r1", "get run r1"}},
		{"POST", "/runs/r1/retry", 200, []string{"retry r1"}},
		{"POST", "/runs/r1/archive", 200, []string{"archive r1", "get run r1"}},
		{"POST", "/runs/r1/unarchive", 200, []string{"unarchive r1", "get run r1"}},
		{"DELETE", "/runs/r1", 204, []string{"delete r1"}},
		{"GET", "/runs/r1/tasks", 200, []string{"tasks"}},
		{"GET", "/runs/r1/tasks/loop%2F0%2Ftrain", 200, []string{"get task loop/0/train"}},
		{"GET", "/runs/r1/spec", 200, []string{"spec"}},
		{"GET", "/runs/r1/tasks/train/usage?attempt=2", 200, []string{"usage r1 train 2"}},
		{"GET", "/runs/r1/tasks/train/environment", 200, []string{"environment r1 train"}},
		{"GET", "/pipelines/p/versions", 200, []string{"list versions p"}},
		{"GET", "/runs/r1/artifacts", 200, []string{"run artifacts r1"}},
		{"GET", "/artifacts/a1", 200, []string{"get artifact"}},
		{"GET", "/artifacts/a1/files", 200, []string{"files"}},
		{"GET", "/experiments", 200, []string{"list experiments"}},
		{"GET", "/pipelines", 200, []string{"list pipelines"}},
		{"GET", "/recurring-runs", 200, []string{"list recurring runs"}},
		{"GET", "/recurring-runs/x", 200, []string{"get recurring run x"}},
		{"POST", "/recurring-runs/x/enable", 200, []string{"enable x true", "get recurring run x"}},
		{"POST", "/recurring-runs/x/disable", 200, []string{"enable x false", "get recurring run x"}},
		{"DELETE", "/recurring-runs/x", 204, []string{"delete recurring run x"}},
		{"GET", "/environments", 200, nil},
		{"GET", "/info", 200, nil},
		{"GET", "/nowhere", 404, nil},
		{"GET", "/runs?page_size=1000", 422, nil},
		{"GET", "/runs?statee=FAILED", 422, nil},
	} {
		f := &fake{}
		w := request(t, f, tc.method, "/api/v1"+tc.path, "")
		if w.Code != tc.status || !cmp.Equal(tc.calls, f.calls) {
			t.Errorf("%s %s: %d, calls %v; want %d, %v: %s", tc.method, tc.path, w.Code, f.calls, tc.status, tc.calls, w.Body)
		}
		if strings.Contains(w.Body.String(), ":null") {
			t.Errorf("%s %s: a null in %s", tc.method, tc.path, w.Body)
		}
	}
}

func TestHostileContentIsServedSuchThatNothingInItRuns(t *testing.T) {
	f := &fake{artifact: run.Artifact{ID: "a1", Name: "report", SchemaTitle: "system.HTML", Digest: "sha256:ab"},
		files: map[string]string{"": "<script>alert(1)</script>"}}
	w := request(t, f, "GET", "/api/v1/artifacts/a1/content", "")
	for key, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'",
		"Etag":                    `"sha256:ab:"`, "Content-Disposition": "",
	} {
		if got := w.Header().Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	w = request(t, f, "GET", "/api/v1/artifacts/a1/content?download=true", "")
	if got := w.Header().Get("Content-Disposition"); got != "attachment; filename=report" {
		t.Errorf("Content-Disposition %q", got)
	}
}

func TestARangeOfAFileIsServed(t *testing.T) {
	f := &fake{artifact: run.Artifact{ID: "a1", Name: "x", Digest: "sha256:ab"}, files: map[string]string{"": "0123456789"}}
	r := httptest.NewRequest("GET", "/api/v1/artifacts/a1/content", nil)
	r.Header.Set("Range", "bytes=2-4")
	w := httptest.NewRecorder()
	v1.NewHandler(v1.Options{Service: f}).ServeHTTP(w, r)
	if w.Code != http.StatusPartialContent || w.Body.String() != "234" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("%d %q %s", w.Code, w.Body, w.Header().Get("Content-Type"))
	}
}

func TestADirectoryIsServedAsATarStreamAndItsFilesByPath(t *testing.T) {
	f := &fake{artifact: run.Artifact{ID: "a1", Name: "model", Digest: "dir-sha256:ab"},
		files: map[string]string{"a.json": "{}", "sub/b.txt": "hello"}}
	w := request(t, f, "GET", "/api/v1/artifacts/a1/content", "")
	if w.Header().Get("Content-Type") != "application/x-tar" {
		t.Fatalf("Content-Type %s", w.Header().Get("Content-Type"))
	}
	got := map[string]string{}
	for archive := tar.NewReader(w.Body); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		got[head.Name] = string(b)
	}
	if diff := cmp.Diff(f.files, got); diff != "" {
		t.Error(diff)
	}
	if w := request(t, f, "GET", "/api/v1/artifacts/a1/content?path=a.json", ""); w.Body.String() != "{}" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("one file: %q %s", w.Body, w.Header().Get("Content-Type"))
	}
	for _, path := range []string{"../../etc/passwd", "/etc/passwd", "sub/../a.json", "sub//b.txt"} {
		if w := request(t, f, "GET", "/api/v1/artifacts/a1/content?path="+path, ""); w.Code != 400 {
			t.Errorf("path %s: %d, want 400", path, w.Code)
		}
	}
}

func TestAnArtifactThatIsElsewhereSaysWhere(t *testing.T) {
	w := request(t, &fake{artifact: run.Artifact{ID: "a1", URI: "gs://bucket/x"}}, "GET", "/api/v1/artifacts/a1/content", "")
	if w.Code != 404 || !strings.Contains(w.Body.String(), "gs://bucket/x") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestWithoutFollowingTheLastLinesOfALogAreGiven(t *testing.T) {
	f := &fake{lines: []run.LogLine{{At: at(1), Text: "one"}, {At: at(2), Text: "two"}, {At: at(3), Text: "three"}}}
	for limit, want := range map[string]string{"2": "two three true", "3": "one two three false", "100": "one two three false"} {
		w := request(t, f, "GET", "/api/v1/runs/r1/tasks/train/logs?limit="+limit, "")
		var got struct {
			Lines     []run.LogLine
			Truncated bool
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, l := range got.Lines {
			words = append(words, l.Text)
		}
		if text := strings.Join(words, " ") + map[bool]string{true: " true", false: " false"}[got.Truncated]; text != want {
			t.Errorf("limit %s: %s, want %s", limit, text, want)
		}
	}
	if w := request(t, &fake{}, "GET", "/api/v1/runs/r1/tasks/train/logs", ""); strings.TrimSpace(w.Body.String()) != `{"lines":[],"truncated":false}` {
		t.Errorf("no lines: %s", w.Body)
	}
}

func TestEnvironmentsAndInfoComeFromTheOptions(t *testing.T) {
	h := v1.NewHandler(v1.Options{Environments: environments{{Key: "k", State: "ready", CreatedAt: at(1)}},
		Info: func() v1.Info { return v1.Info{Version: "1.2", DataDir: "/d", URL: "http://x"} }})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/environments", nil))
	if !strings.Contains(w.Body.String(), `"requirements":[]`) || !strings.Contains(w.Body.String(), `"key":"k"`) {
		t.Error(w.Body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/info", nil))
	if !strings.Contains(w.Body.String(), `"version":"1.2"`) {
		t.Error(w.Body)
	}
}

type environments []v1.Environment

func (e environments) List(context.Context) ([]v1.Environment, error) { return e, nil }
