package kfp_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"levada/internal/api/kfp"
	"levada/internal/core/run"
)

func taskWithOutputs() *fake {
	return &fake{
		tasks: []run.Task{{ID: "t1", RunID: "r1", Path: "loop/0/train", Outputs: run.Values{Artifacts: map[string][]run.Artifact{
			"model":  {{ID: "a1", Digest: "sha256:1"}},
			"folder": {{ID: "a2", Digest: "dir-sha256:1"}},
			"away":   {{ID: "a3", URI: "gs://bucket/x"}},
		}}}},
		contents: map[string]string{"a1": strings.Repeat("\x00\xffbytes", 10_000)},
		lines:    []string{"first", "second"},
	}
}

func TestAnArtifactIsReadAsBase64(t *testing.T) {
	f := taskWithOutputs()
	for _, version := range []string{"v2beta1", "v1beta1"} {
		status, got := ask(t, f, "GET", "/apis/"+version+"/runs/r1/nodes/t1/artifacts/model:read", "")
		text, _ := got["data"].(string)
		if data, err := base64.StdEncoding.DecodeString(text); status != 200 || err != nil || string(data) != f.contents["a1"] {
			t.Errorf("%s: %d, %v, %d bytes", version, status, err, len(data))
		}
	}
	for path, want := range map[string]int{
		"r1/nodes/t1/artifacts/other:read":  404,
		"r1/nodes/t1/artifacts/away:read":   404,
		"r1/nodes/t1/artifacts/folder:read": 400,
		"r1/nodes/t2/artifacts/model:read":  404,
		"r2/nodes/t1/artifacts/model:read":  404,
		"r1/nodes/t1/artifacts/model:write": 404,
		"r1/nodes/t1/artifacts/model":       405,
	} {
		if status, got := ask(t, f, "GET", "/apis/v2beta1/runs/"+path, ""); status != want || got["error"] == nil {
			t.Errorf("%s: %d %v, want %d", path, status, got, want)
		}
	}
}

func TestTheLogOfATaskIsPlainText(t *testing.T) {
	f := taskWithOutputs()
	for query, want := range map[string]string{"": "Logs r1 t1 0 false", "?follow=true": "Logs r1 t1 0 true"} {
		f.calls = nil
		r := httptest.NewRequest("GET", "/apis/v1alpha1/runs/r1/nodes/t1/log"+query, nil)
		w := httptest.NewRecorder()
		kfp.NewHandler(kfp.Options{Service: f, Recurring: fakeRecurring{f}}).ServeHTTP(w, r)
		if w.Code != 200 || w.Body.String() != "first\nsecond\n" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") || f.calls[0] != want {
			t.Errorf("%q: %d %q %s, %v", query, w.Code, w.Body, w.Header().Get("Content-Type"), f.calls)
		}
	}
	if status, _ := ask(t, f, "GET", "/apis/v1alpha1/runs/r1/nodes/t9/log", ""); status != 404 {
		t.Errorf("the log of a task that does not exist: %d", status)
	}
}

// An answer that is broken off must not look like a whole one.
func TestALogThatCannotBeReadToItsEndBreaksTheConnection(t *testing.T) {
	f := taskWithOutputs()
	f.err = errors.New("disk broke")
	s := httptest.NewServer(kfp.NewHandler(kfp.Options{Service: f, Recurring: fakeRecurring{f}}))
	defer s.Close()
	answer, err := http.Get(s.URL + "/apis/v1alpha1/runs/r1/nodes/t1/log")
	if err == nil {
		defer answer.Body.Close()
		_, err = io.ReadAll(answer.Body)
	}
	if err == nil {
		t.Error("the client took a broken answer for a whole one")
	}
}

func TestTheOneUserMayDoEverything(t *testing.T) {
	for query, want := range map[string]int{
		"namespace=kubeflow&resources=VIEWERS&verb=CREATE": 200, "": 200, "resources=SPIES": 400, "verb=STEAL": 400,
	} {
		if status, _ := ask(t, &fake{}, "GET", "/apis/v2beta1/auth?"+query, ""); status != want {
			t.Errorf("%s: %d, want %d", query, status, want)
		}
	}
}
