package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/test/levadatest"
)

// daySpec imports the file of a day, counts its lines and then says so. Each step that really runs writes a line into the log, and
// counting fails while there is a file named broken.
func daySpec(dir string) string {
	type m = map[string]any
	parameter := func(kind string) m { return m{"parameterType": kind} }
	input := func(name string) m { return m{"componentInputParameter": name} }
	text, _ := json.Marshal(m{
		"schemaVersion": "2.1.0", "pipelineInfo": m{"name": "days"},
		"deploymentSpec": m{"executors": m{
			"imp": m{"importer": m{"artifactUri": m{"constant": dir + "/{{$.inputs.parameters['day']}}.csv"}, "typeSchema": m{"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}},
			"cnt": m{"container": m{"image": "alpine", "command": []string{"sh", "-ec",
				"test ! -e " + dir + "/broken; echo count $1 >> " + dir + "/log; mkdir -p $(dirname $2); grep -c . $0 > $2",
				"{{$.inputs.artifacts['data'].path}}", "{{$.inputs.parameters['day']}}", "{{$.outputs.parameters['n'].output_file}}"}}},
			"say": m{"container": m{"image": "alpine", "command": []string{"sh", "-ec", "echo say $1 $0 >> " + dir + "/log",
				"{{$.inputs.parameters['n']}}", "{{$.inputs.parameters['day']}}"}}},
		}},
		"components": m{
			"imp": m{"executorLabel": "imp", "inputDefinitions": m{"parameters": m{"day": parameter("STRING")}},
				"outputDefinitions": m{"artifacts": m{"artifact": m{"artifactType": m{"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}}}},
			"cnt": m{"executorLabel": "cnt", "inputDefinitions": m{"parameters": m{"day": parameter("STRING")},
				"artifacts": m{"data": m{"artifactType": m{"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}}},
				"outputDefinitions": m{"parameters": m{"n": parameter("NUMBER_INTEGER")}}},
			"say": m{"executorLabel": "say", "inputDefinitions": m{"parameters": m{"n": parameter("NUMBER_INTEGER"), "day": parameter("STRING")}}},
		},
		"root": m{"inputDefinitions": m{"parameters": m{"day": parameter("STRING")}}, "dag": m{"tasks": m{
			"imp": m{"taskInfo": m{"name": "imp"}, "componentRef": m{"name": "imp"}, "inputs": m{"parameters": m{"day": input("day")}}},
			"cnt": m{"taskInfo": m{"name": "cnt"}, "componentRef": m{"name": "cnt"}, "cachingOptions": m{"enableCache": true}, "dependentTasks": []string{"imp"},
				"inputs": m{"parameters": m{"day": input("day")}, "artifacts": m{"data": m{"taskOutputArtifact": m{"producerTask": "imp", "outputArtifactKey": "artifact"}}}}},
			"say": m{"taskInfo": m{"name": "say"}, "componentRef": m{"name": "say"}, "cachingOptions": m{"enableCache": true}, "dependentTasks": []string{"cnt"},
				"inputs": m{"parameters": m{"day": input("day"), "n": m{"taskOutputParameter": m{"producerTask": "cnt", "outputParameterKey": "n"}}}}},
		}}},
	})
	return string(text)
}

type partitionList struct {
	Counts     map[string]int `json:"counts"`
	Partitions []struct {
		Key, State, Why string
		RunID           string `json:"run_id"`
	} `json:"partitions"`
}

// A backfill is killed with its server again and again: each partition gets one run. What changes afterwards is found by content, and
// only what depends on it is computed again.
func TestABackfillSurvivesItsServerAndThenComputesOnlyWhatHasChanged(t *testing.T) {
	const days, kills = 40, 3
	data, dir := t.TempDir(), t.TempDir()
	day := func(n int) string { return time.Date(2013, 1, 1+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly) }
	write := func(n int, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, day(n)+".csv"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := range days {
		write(n, strings.Repeat("a,b\n", n+1))
	}
	srv := levadatest.StartOn(t, data)
	var uploaded struct {
		PipelineID string `json:"pipeline_id"`
	}
	if status := call(t, http.MethodPost, srv.URL+"/api/v1/pipelines", map[string]any{"name": "days", "spec": daySpec(dir)}, &uploaded); status != http.StatusCreated {
		t.Fatalf("upload: status %d", status)
	}
	levada := func(want int, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, levadatest.Binary(t), append(args, "--server", srv.URL)...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		got := 0
		if errors.As(err, &exit) {
			got = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("levada %s: exit status %d, want %d\n%s", strings.Join(args, " "), got, want, out)
		}
		return string(out)
	}
	has := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("no %q in:\n%s", part, text)
			}
		}
	}
	log := func() string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	partitions := func() (list partitionList) {
		t.Helper()
		call(t, http.MethodGet, srv.URL+"/api/v1/pipelines/"+uploaded.PipelineID+"/partitions", nil, &list)
		return list
	}

	has(levada(2, "backfill", "days", "--from", "2013-01-01"), "not partitioned yet")
	has(levada(2, "backfill", "days", "--param", "month", "--every", "daily", "--from", "2013-01-01", "--dry-run"), `no parameter "month"`)
	has(levada(0, "backfill", "days", "--param", "day", "--every", "daily", "--from", "2013-01-01", "--to", day(2), "--dry-run"),
		"2013-01-03", "3 partitions of days would run", "Nothing was started")
	has(levada(0, "partitions", "days"), "not partitioned")
	has(levada(0, "partitions", "days", "--param", "day", "--every", "daily", "--from", "2013-01-01", "--to", day(days-1)), "40 missing")

	var made struct {
		ID       string `json:"id"`
		State    string `json:"state"`
		Progress struct {
			Total, Waiting, Running, Succeeded, Failed int
		} `json:"progress"`
	}
	if err := json.Unmarshal([]byte(levada(0, "backfill", "days", "--parallel", "3", "-o", "json")), &made); err != nil {
		t.Fatal(err)
	}
	poll := func(done func() bool) {
		t.Helper()
		deadline := time.Now().Add(3 * time.Minute)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			call(t, http.MethodGet, srv.URL+"/api/v1/backfills/"+made.ID, nil, &made)
			if p := made.Progress; p.Running > 3 {
				t.Errorf("%d runs are active, want 3 at most", p.Running)
			}
			if done() {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("after three minutes it is %+v\n%s", made, srv.Log())
			}
			<-tick.C
		}
	}
	for n := 1; n <= kills; n++ {
		poll(func() bool { return made.Progress.Succeeded >= n*days/(kills+2) })
		srv.Kill()
		srv = levadatest.StartOn(t, data)
	}
	poll(func() bool { return made.State == "SUCCEEDED" })
	if made.Progress.Succeeded != days || made.Progress.Total != days {
		t.Errorf("it ended with %+v", made.Progress)
	}
	var runs struct {
		Total int `json:"total"`
	}
	call(t, http.MethodGet, srv.URL+"/api/v1/runs?backfill_id="+made.ID, nil, &runs)
	if runs.Total != days {
		t.Errorf("there are %d runs, want %d", runs.Total, days)
	}
	for n := range days {
		if got := strings.Count(log(), fmt.Sprintf("count %s\n", day(n))); got != 1 {
			t.Errorf("%s was counted %d times", day(n), got)
		}
	}
	has(levada(0, "partitions", "days", "--limit", "2"), "40 done", "… and 38 older")
	has(levada(0, "backfill", "days", "--wait"), "Nothing to do")

	// The same content with another time is no change; other content is one. Its lines are as many as before.
	write(0, "a,b\n")
	write(1, "c,d\nc,d\n")
	if list := partitions(); list.Counts["stale"] != 1 || list.Counts["done"] != days-1 || list.Partitions[1].State != "stale" {
		t.Errorf("after the change the partitions are %+v", list.Counts)
	}
	has(levada(0, "backfill", "days", "--only", "stale", "--dry-run"), "2013-01-02  stale", "its content has changed", "1 partition of days would run", "39 done")
	before := log()
	has(levada(0, "backfill", "days", "--only", "stale", "--wait"), "SUCCEEDED: 1 of 1 done")
	if got := strings.TrimPrefix(log(), before); got != "count 2013-01-02\n" {
		t.Errorf("computed again: %q, want the counting of the 2nd alone", got)
	}

	// All that is run again with nothing changed runs nothing: it is all in the cache.
	before = log()
	has(levada(0, "backfill", "days", "--only", "all", "--to", day(4), "--order", "newest", "--wait"), "SUCCEEDED: 5 of 5 done")
	if got := strings.TrimPrefix(log(), before); got != "" {
		t.Errorf("computed again: %q, want nothing", got)
	}

	// What failed is tried again.
	if err := os.WriteFile(filepath.Join(dir, "broken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	write(2, "x\n")
	write(3, "y\n")
	out := levada(1, "backfill", "days", "--only", "stale", "--wait", "--name", "mend")
	has(out, "FAILED: 0 of 2 done, 2 failed")
	id := out[strings.Index(out, "(")+1 : strings.Index(out, ")")]
	has(levada(0, "backfills", "show", id[:8]), "mend", "2013-01-03  failed")
	has(levada(0, "partitions", "days", "--state", "failed"), "2013-01-04  failed", "2 failed, 38 done")
	if err := os.Remove(filepath.Join(dir, "broken")); err != nil {
		t.Fatal(err)
	}
	has(levada(0, "backfills", "retry", id), "2 partitions of mend to be tried again")
	made.ID = id
	poll(func() bool { return made.State == "SUCCEEDED" })
	if list := partitions(); list.Counts["done"] != days {
		t.Errorf("at the end the partitions are %+v", list.Counts)
	}
	has(levada(0, "backfills", "list"), "mend", "2 of 2 done", "backfill of days", "40 of 40 done")
	has(levada(1, "backfills", "cancel", id), "SUCCEEDED and cannot become CANCELING")
}
