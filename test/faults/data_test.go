package faults

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/test/levadatest"
)

// tables is a pipeline whose steps make a table, something that is declared as one, and a report about drift between two tables.
func tables(rows int) string {
	make := fmt.Sprintf(`awk 'BEGIN { print "id,delay"; for (i = 0; i < %d; i++) print i "," i %% 7 }' > "$0"`, rows)
	return fmt.Sprintf(`
schemaVersion: 2.1.0
pipelineInfo: {name: tables}
deploymentSpec:
  executors:
    make: {container: {image: alpine, command: [sh, -c, '%s', "{{$.outputs.artifacts['data'].path}}"]}}
    break: {container: {image: alpine, command: [sh, -c, 'printf "PAR1 and nothing else" > "$0"', "{{$.outputs.artifacts['data'].path}}"]}}
    drift: {container: {image: alpine, command: [levada, data, drift, "{{$.inputs.artifacts['reference'].path}}", "{{$.inputs.artifacts['current'].path}}",
      --on-failure, warn, --method, delay=ks, --report, "{{$.outputs.artifacts['report'].path}}"]}}
components:
  make: {executorLabel: make, outputDefinitions: {artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}}}
  break: {executorLabel: break, outputDefinitions: {artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}}}
  drift:
    executorLabel: drift
    inputDefinitions:
      artifacts:
        reference: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
        current: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
    outputDefinitions: {artifacts: {report: {artifactType: {schemaTitle: system.Artifact, schemaVersion: 0.0.1}}}}
root:
  dag:
    tasks:
      make: {componentRef: {name: make}, taskInfo: {name: make}}
      break: {componentRef: {name: break}, taskInfo: {name: break}}
      drift:
        componentRef: {name: drift}
        taskInfo: {name: drift}
        dependentTasks: [make]
        inputs:
          artifacts:
            reference: {taskOutputArtifact: {producerTask: make, outputArtifactKey: data}}
            current: {taskOutputArtifact: {producerTask: make, outputArtifactKey: data}}
`, strings.ReplaceAll(make, "'", "''"))
}

type artifactView struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	TaskName string `json:"task_name"`
}

type profileView struct {
	State   string `json:"state"`
	Reason  string `json:"reason"`
	Profile *struct {
		Rows  int64 `json:"rows"`
		Parts *struct {
			Files int64 `json:"files"`
			Read  int64 `json:"read"`
		} `json:"parts"`
		Images *struct {
			Images int64 `json:"images"`
			Issues []struct {
				Issue string `json:"issue"`
				Count int64  `json:"count"`
			} `json:"issues"`
		} `json:"images"`
		Columns []struct {
			Name     string `json:"name"`
			Distinct int64  `json:"distinct"`
			Max      string `json:"max"`
		} `json:"columns"`
	} `json:"profile"`
}

// made returns the artifacts of a run by the task that made them.
func made(t *testing.T, srv *levadatest.Server, runID string) map[string]artifactView {
	t.Helper()
	var list struct {
		Artifacts []artifactView `json:"artifacts"`
	}
	call(t, http.MethodGet, srv.URL+"/api/v1/runs/"+runID+"/artifacts", nil, &list)
	out := map[string]artifactView{}
	for _, a := range list.Artifacts {
		out[a.TaskName] = a
	}
	return out
}

// profileOf waits until the profile of an artifact is made, or is known not to be possible.
func profileOf(t *testing.T, srv *levadatest.Server, id string) profileView {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var p profileView
		call(t, http.MethodGet, srv.URL+"/api/v1/artifacts/"+id+"/profile", nil, &p)
		if p.State != "WAITING" {
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("the profile of %s is not made\n%s", id, srv.Log())
		}
		<-tick.C
	}
}

func TestTablesThatStepsMakeAreProfiledComparedAndTheirDriftIsKept(t *testing.T) {
	srv := levadatest.Start(t)
	first, second := submit(t, srv, tables(100)), submit(t, srv, tables(150))
	for _, r := range []runView{first, second} {
		if got := wait(t, srv, r.ID); got.State != "SUCCEEDED" {
			t.Fatalf("%+v\n%s", got.Failure, srv.Log())
		}
	}
	was, is := made(t, srv, first.ID), made(t, srv, second.ID)
	p := profileOf(t, srv, was["make"].ID)
	if p.State != "READY" || p.Profile.Rows != 100 || len(p.Profile.Columns) != 2 || p.Profile.Columns[0].Max != "99" || p.Profile.Columns[1].Distinct != 7 {
		t.Errorf("%+v", p)
	}
	if p := profileOf(t, srv, is["make"].ID); p.State != "READY" || p.Profile.Rows != 150 {
		t.Errorf("%+v", p)
	}
	if p := profileOf(t, srv, was["break"].ID); p.State != "FAILED" || !strings.Contains(p.Reason, "read table") || strings.Contains(p.Reason, "sha256") {
		t.Errorf("%+v", p)
	}
	var c struct {
		Rows    []int64 `json:"rows"`
		Figures []struct {
			Column string `json:"column"`
			What   string `json:"what"`
			Was    string `json:"was"`
			Is     string `json:"is"`
		} `json:"figures"`
		ByKey *struct {
			Same    int64    `json:"same"`
			Added   int64    `json:"added"`
			Changed int64    `json:"changed"`
			Key     []string `json:"key"`
		} `json:"by_key"`
	}
	if status := call(t, http.MethodGet, srv.URL+"/api/v1/artifacts/"+is["make"].ID+"/comparison?with="+was["make"].ID+"&key=id", nil, &c); status != http.StatusOK {
		t.Fatalf("compare: status %d", status)
	}
	if len(c.Rows) != 2 || c.Rows[0] != 100 || c.Rows[1] != 150 || c.ByKey == nil || c.ByKey.Same != 100 || c.ByKey.Added != 50 || len(c.Figures) == 0 || c.Figures[0].Column != "id" {
		t.Errorf("%+v %+v", c, c.ByKey)
	}
	var versions struct {
		Versions []struct {
			ArtifactID string `json:"artifact_id"`
		} `json:"versions"`
	}
	call(t, http.MethodGet, srv.URL+"/api/v1/artifacts/"+is["make"].ID+"/versions", nil, &versions)
	if len(versions.Versions) != 2 { // in the order in which they were made, and the runs went on at the same time
		t.Errorf("%+v", versions)
	}
	var h struct {
		Reports []struct {
			Passed bool `json:"passed"`
		} `json:"reports"`
		Columns []struct {
			Name   string `json:"name"`
			Points []any  `json:"points"`
		} `json:"columns"`
	}
	if status := call(t, http.MethodGet, srv.URL+"/api/v1/drift?pipeline=tables&task=drift", nil, &h); status != http.StatusOK || len(h.Reports) != 2 || !h.Reports[0].Passed || len(h.Columns) != 2 ||
		len(h.Columns[0].Points) != 2 {
		t.Errorf("status %d, %+v", status, h)
	}
	metrics, _ := get(t, srv.URL+"/metrics")
	for _, line := range []string{`levada_drift_detected{pipeline="tables",task="drift"} 0`, `levada_drift_column_detected{column="delay",method="`, `levada_profiles_waiting 0`} {
		if !strings.Contains(metrics, "\n"+line) {
			t.Errorf("no line %q", line)
		}
	}
}

// folders is a pipeline whose step makes a table of files, the same but for the last, and one that makes images.
func folders(files int) string {
	make := fmt.Sprintf(`mkdir -p "$0" && for i in $(seq 1 %d); do awk -v i=$i "BEGIN { print \"id,month\"; for (k = 0; k < 100; k++) print i * 100 + k \",\" i }" > "$0/2013-0$i.csv"; done`, files)
	// BMP files of two by two pixels: one, and another one twice.
	paint := `mkdir -p "$0/night" && for c in 1 2; do for n in $(seq 1 $c); do { printf "BM\\x46\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x36\\x00\\x00\\x00\\x28\\x00\\x00\\x00\\x02\\x00\\x00\\x00\\x02\\x00\\x00\\x00\\x01\\x00\\x18\\x00\\x00\\x00\\x00\\x00\\x10\\x00\\x00\\x00\\x13\\x0b\\x00\\x00\\x13\\x0b\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"; for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do printf "\\x0$((c * 3))"; done; } > "$0/night/$c-$n.bmp"; done; done`
	return fmt.Sprintf(`
schemaVersion: 2.1.0
pipelineInfo: {name: folders}
deploymentSpec:
  executors:
    make: {container: {image: alpine, command: [bash, -c, %q, "{{$.outputs.artifacts['data'].path}}"]}}
    paint: {container: {image: alpine, command: [bash, -c, %q, "{{$.outputs.artifacts['data'].path}}"]}}
components:
  make: {executorLabel: make, outputDefinitions: {artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}}}
  paint: {executorLabel: paint, outputDefinitions: {artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}}}
root:
  dag:
    tasks:
      make: {componentRef: {name: make}, taskInfo: {name: make}}
      paint: {componentRef: {name: paint}, taskInfo: {name: paint}}
`, make, paint)
}

func TestOfATableThatGrowsOnlyNewFilesAreReadAndImagesAreProfiled(t *testing.T) {
	data := t.TempDir()
	levadatest.ShareEnvironments(t, data)
	srv := levadatest.StartOn(t, data)
	for i, want := range []struct{ files, read int64 }{{2, 2}, {3, 1}} {
		r := submit(t, srv, folders(int(want.files)))
		if got := wait(t, srv, r.ID); got.State != "SUCCEEDED" {
			t.Fatalf("%+v\n%s", got.Failure, srv.Log())
		}
		artifacts := made(t, srv, r.ID)
		p := profileOf(t, srv, artifacts["make"].ID)
		if p.State != "READY" || p.Profile.Parts == nil || p.Profile.Parts.Files != want.files || p.Profile.Parts.Read != want.read || p.Profile.Rows != 100*want.files ||
			p.Profile.Columns[0].Distinct != 100*want.files || p.Profile.Columns[0].Max != fmt.Sprint(want.files*100+99) {
			t.Errorf("version %d: %+v %+v", i, p, p.Profile)
		}
		pictures := profileOf(t, srv, artifacts["paint"].ID)
		if pictures.State != "READY" || pictures.Profile.Images == nil || pictures.Profile.Images.Images != 3 || pictures.Profile.Images.Issues[0].Count != 2 {
			t.Errorf("%+v", pictures)
		}
	}
	if kept, err := filepath.Glob(filepath.Join(data, "profiled", "*", "*")); err != nil || len(kept) != 3 {
		t.Errorf("kept: %v %v", kept, err)
	}
}

func TestAProfileThatWasNotMadeWhenTheServerWasKilledIsMadeByTheNext(t *testing.T) {
	data := t.TempDir()
	levadatest.ShareEnvironments(t, data)
	// The first server makes no profiles, so that they all wait when it is killed.
	srv := levadatest.StartOn(t, data, "LEVADA_PROFILE_SIZE=0")
	r := submit(t, srv, tables(100))
	wait(t, srv, r.ID)
	table := made(t, srv, r.ID)["make"].ID
	var p profileView
	if call(t, http.MethodGet, srv.URL+"/api/v1/artifacts/"+table+"/profile", nil, &p); p.State != "NONE" {
		t.Errorf("without profiles: %+v", p)
	}
	srv.Kill()
	srv = levadatest.StartOn(t, data)
	if p := profileOf(t, srv, table); p.State != "READY" || p.Profile.Rows != 100 {
		t.Errorf("%+v", p)
	}
	// What was deleted is forgotten.
	if status := call(t, http.MethodDelete, srv.URL+"/api/v1/runs/"+r.ID, nil, nil); status >= 300 {
		t.Fatalf("delete: status %d", status)
	}
	if status := call(t, http.MethodGet, srv.URL+"/api/v1/artifacts/"+table+"/profile", nil, &p); status != http.StatusNotFound {
		t.Errorf("the profile of a deleted artifact: status %d", status)
	}
}
