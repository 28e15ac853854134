package mlflow

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"levada/test/levadatest"
)

func TestALoggedModelWithANaNComesOnce(t *testing.T) {
	server := levadatest.Start(t)
	dir := mlruns(t, filepath.Join(t.TempDir(), "mlruns"))
	id := "m-" + strings.Repeat("b", 32)
	logged := filepath.Join(dir, "7", "models", id)
	write(t, filepath.Join(logged, "meta.yaml"), "model_id: "+id+"\nname: net\nstatus: 2\nlifecycle_stage: active\nartifact_location: "+logged+"/artifacts\n")
	write(t, filepath.Join(logged, "metrics", "loss"), "1 nan 0\n2 inf 1\n")
	write(t, filepath.Join(logged, "artifacts", "weights"), "w")
	if r, _ := bring(t, server, 0, dir); !r.ok || r.Counts["logged models"].Written != 1 || r.Counts["metrics of logged models"].Written != 2 {
		t.Fatalf("the report is %+v", r)
	}
	var got struct {
		Model struct{ Info struct{ Name string } }
	}
	if err := server.Call(t.Context(), http.MethodGet, api+"/logged-models/"+id, nil, &got); err != nil || got.Model.Info.Name != "net" {
		t.Errorf("the model is %+v, %v", got, err)
	}
	if r, _ := bring(t, server, 0, dir); !r.ok || r.Counts["logged models"].Before != 1 {
		t.Errorf("the second report is %+v", r)
	}
}
