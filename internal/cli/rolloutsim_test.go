package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/internal/cli"
	"levada/internal/core/rollout"
)

// pastOf writes what was observed of a baseline and a candidate in 90 seconds: so many of the candidate's 20 requests a second fail.
func pastOf(t *testing.T, failing int64) string {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	events := []rollout.Event{{Type: rollout.Started, At: at, Arms: []string{"3", "4"}}}
	for i := range 90 {
		w := &rollout.Window{From: at.Add(time.Duration(i) * time.Second), To: at.Add(time.Duration(i+1) * time.Second)}
		for arm := range 2 {
			a := rollout.Arm{Requests: 20, Errors: failing * int64(arm), Latency: rollout.Histogram{}, Predictions: rollout.Histogram{}}
			for k := range 20 {
				a.Latency.Add(float64(10 + (i+k)%7))
				a.Predictions.Add(float64(k % 10))
			}
			w.Arms = append(w.Arms, a)
		}
		events = append(events, rollout.Event{Type: rollout.Observed, At: w.To, Window: w})
	}
	b, err := json.Marshal(map[string]any{"id": "a", "baseline": "3", "events": events})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "past.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func rolloutCommand(t *testing.T, args ...string) (status int, out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = cli.Execute(t.Context(), cli.Deps{Stdout: &stdout, Stderr: &stderr}, append([]string{"rollout"}, args...))
	return status, stdout.String() + stderr.String()
}

func TestAPlanIsTriedOnWhatWasObserved(t *testing.T) {
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(plan, []byte("canary: {steps: [{percent: 10, wait: 40s}, {percent: 50, wait: 40s}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for failing, want := range map[int64]struct {
		status int
		says   []string
	}{
		0: {0, []string{"version 4 is promoted", "step 2 of the canary is judged: pass"}},
		9: {1, []string{"the baseline has the traffic again", "errors", "bad requests are at least"}},
	} {
		status, out := rolloutCommand(t, "simulate", "-f", plan, pastOf(t, failing))
		if status != want.status {
			t.Errorf("%d requests fail: status %d\n%s", failing, status, out)
		}
		for _, text := range want.says {
			if !strings.Contains(out, text) {
				t.Errorf("%d requests fail: %q is not in\n%s", failing, text, out)
			}
		}
	}
	for _, c := range []struct{ file, text, says string }{
		{"nothing.json", "", "has no windows"},
		{"half.json", `{"events": [`, "half.json: value 1"},
	} {
		file := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, out := rolloutCommand(t, "simulate", "-f", plan, file); status != cli.ExitUsage || !strings.Contains(out, c.says) {
			t.Errorf("%s: status %d, %s", c.file, status, out)
		}
	}
}

func TestSampleSizesAreSaid(t *testing.T) {
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	text := "metrics: [{name: conversion, measure: rate, better: higher}]\nexperiment: {decide: [{metric: conversion, minimum_effect: 0.25}], power: 0.9}"
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// R's power.prop.test(p1 = .5, p2 = .75, power = .9) says 76.7.
	if status, out := rolloutCommand(t, "size", "-f", plan, "--mean", "0.5"); status != 0 || !strings.Contains(out, fmt.Sprint(77)) {
		t.Errorf("status %d, %s", status, out)
	}
	if status, out := rolloutCommand(t, "size", "-f", plan); status != cli.ExitUsage || !strings.Contains(out, "rate") {
		t.Errorf("status %d, %s", status, out)
	}
}

// requestsOf writes logged requests of two minutes: of version 4 every second one is slow, and it is right half as often.
func requestsOf(t *testing.T) string {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var b strings.Builder
	for i := range 4800 {
		version, latency, right := 3+i%2, 10+i%7, i%20 < 18
		if version == 4 && i%4 == 1 {
			latency, right = 90, false
		}
		actual := "cat"
		if !right {
			actual = "dog"
		}
		fmt.Fprintf(&b, `{"request_id":"r%d","row":0,"time":%q,"version":"%d","role":"served","status":"ok","latency_ms":%d,"input_x":%d,"output_class":"cat","output_score":0.5,"actual":%q}`+"\n",
			i, at.Add(time.Duration(i)*25*time.Millisecond).Format(time.RFC3339Nano), version, latency, i, actual)
	}
	file := filepath.Join(t.TempDir(), "requests.jsonl")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAPlanIsTriedOnLoggedRequests(t *testing.T) {
	file := requestsOf(t)
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	for _, c := range []struct {
		plan, versions string
		status         int
		says           string
	}{
		{"canary: {steps: [{percent: 50, wait: 100s}]}", "3,4", 1, "latency"},
		{"metrics: [{name: accuracy, critical: true}]\ncanary: {steps: [{percent: 50, wait: 100s}]}", "3,4", 1, "accuracy"},
		{"metrics: [{name: errors, critical: true}, {name: latency, critical: true}, {name: predictions}, {name: accuracy, tolerance: 0.1}]\ncanary: {steps: [{percent: 50, wait: 100s}]}", "3", 0, "is promoted"},
		{"canary: {steps: [{percent: 50, wait: 100s}]}", "", cli.ExitUsage, "--versions 3,4"},
		{"canary: {steps: [{percent: 50, wait: 100s}]}", "3,7", cli.ExitUsage, `no requests of version "7"`},
	} {
		if err := os.WriteFile(plan, []byte(c.plan), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"simulate", "-f", plan, file}
		if c.versions != "" {
			args = append(args, "--versions", c.versions)
		}
		if status, out := rolloutCommand(t, args...); status != c.status || !strings.Contains(out, c.says) {
			t.Errorf("%s of %s: status %d\n%s", c.plan, c.versions, status, out)
		}
	}
}
