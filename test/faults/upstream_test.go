package faults

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"levada/test/levadatest"
)

// tableSpec is a pipeline that imports an address, makes a table of its sorted lines and notes in a log that it did.
func tableSpec(name, address, log string) string {
	type m = map[string]any
	text, dataset := m{"parameterType": "STRING"}, m{"artifactType": m{"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
	imported := m{"taskOutputArtifact": m{"producerTask": "imp", "outputArtifactKey": "artifact"}}
	parameters := m{"day": text, "data": m{"parameterType": "STRING", "defaultValue": "", "isOptional": true}}
	given := m{"day": m{"componentInputParameter": "day"}, "data": m{"componentInputParameter": "data"}}
	spec, _ := json.Marshal(m{
		"schemaVersion": "2.1.0", "pipelineInfo": m{"name": name},
		"deploymentSpec": m{"executors": m{
			"imp": m{"importer": m{"artifactUri": m{"constant": address}, "typeSchema": dataset["artifactType"]}},
			"srt": m{"container": m{"image": "alpine", "command": []string{"sh", "-ec", "sort $0 > $1; echo " + name + " $2 >> " + log,
				"{{$.inputs.artifacts['in'].path}}", "{{$.outputs.artifacts['table'].path}}", "{{$.inputs.parameters['day']}}"}}},
		}},
		"components": m{
			"imp": m{"executorLabel": "imp", "inputDefinitions": m{"parameters": m{"day": text, "data": text}}, "outputDefinitions": m{"artifacts": m{"artifact": dataset}}},
			"srt": m{"executorLabel": "srt", "inputDefinitions": m{"parameters": m{"day": text}, "artifacts": m{"in": dataset}},
				"outputDefinitions": m{"artifacts": m{"table": dataset}}},
		},
		"root": m{"inputDefinitions": m{"parameters": parameters}, "dag": m{"tasks": m{
			"imp": m{"taskInfo": m{"name": "imp"}, "componentRef": m{"name": "imp"}, "inputs": m{"parameters": given}},
			"srt": m{"taskInfo": m{"name": "srt"}, "componentRef": m{"name": "srt"}, "cachingOptions": m{"enableCache": true}, "dependentTasks": []string{"imp"},
				"inputs": m{"parameters": m{"day": given["day"]}, "artifacts": m{"in": imported}}},
		}}},
	})
	return string(spec)
}

// A pipeline reads what the partitions of another one have made. When one of these is computed again and comes out different, the partition
// that read it is stale, and says what to read instead; what comes out the same makes nothing stale.
func TestAPartitionIsStaleWhenWhatItReadWasComputedAgainWithOtherContent(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	days := []string{"2013-01-01", "2013-01-02", "2013-01-03"}
	for _, day := range days {
		write(t, dir, day+".csv", "b "+day+"\na "+day+"\n")
	}
	srv := levadatest.Start(t)
	levada := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), append(args, "--server", srv.URL)...).CombinedOutput()
		if err != nil {
			t.Fatalf("levada %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	ids := map[string]string{}
	for name, address := range map[string]string{"make": dir + "/{{$.inputs.parameters['day']}}.csv", "use": "{{$.inputs.parameters['data']}}"} {
		var uploaded struct {
			PipelineID string `json:"pipeline_id"`
		}
		if status := call(t, http.MethodPost, srv.URL+"/api/v1/pipelines", map[string]any{"name": name, "spec": tableSpec(name, address, log)}, &uploaded); status != http.StatusCreated {
			t.Fatalf("upload %s: status %d", name, status)
		}
		ids[name] = uploaded.PipelineID
		levada("partitions", name, "--param", "day", "--every", "daily", "--from", days[0], "--to", days[2])
	}
	partitions := func(name string) (list partitionList) {
		t.Helper()
		call(t, http.MethodGet, srv.URL+"/api/v1/pipelines/"+ids[name]+"/partitions", nil, &list)
		return list
	}
	// made is the address of the table that the newest run of a partition has made.
	made := func(day string) string {
		t.Helper()
		for _, p := range partitions("make").Partitions {
			if p.Key != day {
				continue
			}
			var list struct {
				Artifacts []struct{ Name, URI string } `json:"artifacts"`
			}
			call(t, http.MethodGet, srv.URL+"/api/v1/artifacts?run_id="+p.RunID, nil, &list)
			for _, a := range list.Artifacts {
				if a.Name == "table" {
					return a.URI
				}
			}
		}
		t.Fatalf("no table was made for %s", day)
		return ""
	}
	levada("backfill", "make", "--wait")
	before := map[string]string{}
	for _, day := range days {
		before[day] = made(day)
		levada("backfill", "use", "--from", day, "--to", day, "-p", "data="+before[day], "--wait")
	}
	if got := partitions("use").Counts["done"]; got != 3 {
		t.Fatalf("the partitions are %+v", partitions("use"))
	}

	// Of two files that have changed, the sorted lines of one are as they were.
	write(t, dir, days[0]+".csv", "a "+days[0]+"\nb "+days[0]+"\n")
	write(t, dir, days[1]+".csv", "c\n")
	levada("backfill", "make", "--only", "stale", "--wait")
	list := partitions("use")
	want := before[days[1]] + ": partition 2013-01-02 of pipeline make, which made it, gives " + made(days[1]) + " now"
	if list.Counts["stale"] != 1 || list.Counts["done"] != 2 || list.Partitions[1].Why != want {
		t.Fatalf("the partitions are %+v, want one to be stale: %s", list, want)
	}
	if out := levada("partitions", "use", "--state", "stale"); !strings.Contains(out, "2013-01-02  stale") || !strings.Contains(out, "of pipeline make, which made it, gives") {
		t.Errorf("levada partitions says\n%s", out)
	}
	noted, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	levada("backfill", "use", "--only", "stale", "-p", "data="+made(days[1]), "--wait")
	if list := partitions("use"); list.Counts["done"] != 3 {
		t.Errorf("afterwards the partitions are %+v", list)
	}
	after, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimPrefix(string(after), string(noted)); got != "use 2013-01-02\n" {
		t.Errorf("computed again: %q, want the 2nd alone", got)
	}
}
