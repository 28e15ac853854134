package v1_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/core/endpoint"
	"levada/internal/core/model"
	"levada/internal/core/traffic"
	"levada/internal/registry"
	"levada/internal/serving"
)

type (
	deployedEndpoints struct {
		v1.Endpoints
		list []serving.Status
	}
	deployedModels struct{ v1.Registry }
)

func (d deployedEndpoints) List(context.Context) ([]serving.Status, error) { return d.list, nil }

func (deployedModels) SearchModels(context.Context, registry.Query) ([]registry.Model, bool, error) {
	return []registry.Model{{Registered: model.Registered{Name: "delays"}}, {Registered: model.Registered{Name: "fares"}}}, false, nil
}

func TestModelsSayWhereTheyAreDeployedAndWhatTheyGetThere(t *testing.T) {
	// Version 3 was asked for and is not followed yet; old is followed and asked for no more, new the other way round.
	other := endpoint.Remote{URL: "https://models.example.com/v2/models/fares"}
	asked := endpoint.Spec{Remotes: map[string]endpoint.Remote{"new": other}, Model: "fares", Versions: []string{"1", "3"}, Traffic: traffic.All("3")}
	active := endpoint.Spec{Remotes: map[string]endpoint.Remote{"old": other}, Model: "fares", Versions: []string{"1", "2"}, Traffic: traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: 100}},
		Rules: []traffic.Rule{{Name: "staff", Header: "X", Version: "2"}}, Shadows: []traffic.Shadow{{Version: "2", Percent: 10}}}}
	first := endpoint.Spec{Model: "fares", Versions: []string{"2"}, Traffic: traffic.All("2")}
	endpoints := deployedEndpoints{list: []serving.Status{
		{Endpoint: endpoint.Endpoint{Name: "a", Spec: first}, Versions: []serving.VersionStatus{{Version: "2", State: endpoint.Loading}}},
		{Endpoint: endpoint.Endpoint{Name: "b", Spec: asked, Active: &active}, Versions: []serving.VersionStatus{
			{Version: "1", State: endpoint.Ready, Percent: 100}, {Version: "2", State: endpoint.Ready}, {Version: "3", State: endpoint.Building},
			{Version: "old", State: endpoint.Ready}, {Version: "new", State: endpoint.Building}}}}}
	w := httptest.NewRecorder()
	v1.NewHandler(v1.Options{Registry: deployedModels{}, Endpoints: endpoints}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, v1.Prefix+"/models", nil))
	var got struct{ Models []v1.RegisteredModel }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Models) != 2 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	want := []v1.Deployment{{Endpoint: "a", Version: "2", State: endpoint.Loading}, {Endpoint: "b", Version: "1", State: endpoint.Ready, Percent: 100},
		{Endpoint: "b", Version: "2", State: endpoint.Ready, Shadow: 10, Rules: []string{"staff"}}, {Endpoint: "b", Version: "3", State: endpoint.Building}}
	if diff := cmp.Diff(want, got.Models[1].Deployed); diff != "" {
		t.Error(diff)
	}
	if got.Models[0].Deployed == nil || len(got.Models[0].Deployed) > 0 {
		t.Errorf("the other model is deployed at %v", got.Models[0].Deployed)
	}
}
