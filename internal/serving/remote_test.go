package serving_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

func TestWhatAnotherServerServesIsDeployedLikeAVersion(t *testing.T) {
	const url = "https://models.example.com/v2/models/flights"
	inside := fault.Invalidf("the address is not a public one")
	m := &models{}
	b := open(t, m, nil, func(o *serving.Options) {
		o.Askable = func(_ context.Context, r endpoint.Remote) error {
			if strings.Contains(r.URL, "inside") {
				return inside
			}
			return nil
		}
	})
	deploy := func(percent float64, d serving.Deploy) (endpoint.Spec, error) {
		t.Helper()
		if percent >= 0 {
			d.Percent = &percent
		}
		s, err := b.Deploy(t.Context(), "e", d)
		if err == nil {
			b.await(func(s serving.Status) bool { return s.State == serving.StateReady })
		}
		return s.Spec, err
	}
	must := func(percent float64, d serving.Deploy) endpoint.Spec {
		t.Helper()
		spec, err := deploy(percent, d)
		if err != nil {
			t.Fatal(err)
		}
		return spec
	}
	other := serving.Deploy{Remote: &endpoint.Remote{URL: url, Secret: "models"}, As: "other"}

	if spec := must(-1, other); spec.Model != "" || fmt.Sprint(spec.Versions) != "[other]" {
		t.Errorf("a remote alone: %+v", spec)
	}
	spec := must(25, serving.Deploy{Model: "m", Version: "@champion"})
	if diff := cmp.Diff([]traffic.Share{{Version: "other", Percent: 75}, {Version: "1", Percent: 25}}, spec.Traffic.Split); diff != "" || spec.Model != "m" {
		t.Errorf("model %q\n%s", spec.Model, diff)
	}
	// Each name means one thing, as long as the endpoint has it.
	for want, d := range map[string]serving.Deploy{
		"another name":         {Remote: &endpoint.Remote{URL: url + "2"}, As: "other"},
		"not a public":         {Remote: &endpoint.Remote{URL: "https://inside/v2/models/flights"}, As: "inside"},
		"is no name":           {Remote: &endpoint.Remote{URL: url}, As: "1"},
		`serves model "m"`:     {Model: "n", Version: "1"},
		"no protocol \"soap\"": {Remote: &endpoint.Remote{URL: url, Protocol: "soap"}, As: "soap"},
		"ends in /invocations": {Remote: &endpoint.Remote{URL: url, Protocol: endpoint.ProtocolMLflow}, As: "flow"},
		"protocol mlflow with": {Remote: &endpoint.Remote{URL: "https://models.example.com/invocations"}, As: "flow"},
		"the path \"/oops\"":   {Remote: &endpoint.Remote{URL: "https://models.example.com/oops"}, As: "oops"},
	} {
		if _, err := deploy(10, d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
	must(25, other) // again is nothing new
	// It survives the server.
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, m, b.store)
	s := again.await(func(s serving.Status) bool { return s.State == serving.StateReady })
	if fmt.Sprint(s.Spec.Versions) != "[other 1]" || s.Spec.Remotes["other"] != *other.Remote {
		t.Errorf("%+v", s.Spec)
	}
	// A version that gets everything leaves none beside it.
	if _, err := again.Deploy(t.Context(), "e", serving.Deploy{Model: "m", Version: "2"}); err != nil {
		t.Fatal(err)
	}
	s = again.await(func(s serving.Status) bool { return s.State == serving.StateReady && len(s.Versions) == 1 })
	if s.Spec.Remotes != nil || s.Versions[0].Version != "2" {
		t.Errorf("%+v", s.Spec)
	}
}

// signatureOf is that of a model with one column of numbers.
func signatureOf(t *testing.T, column string) *infer.Signature {
	t.Helper()
	s, err := infer.ParseSignature(`[{"type": "double", "name": "`+column+`", "required": true}]`, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestARequestFitsTheSignatureOfTheVersionThatAnswersIt(t *testing.T) {
	b := open(t, &models{signatures: map[string]*infer.Signature{"1": signatureOf(t, "x"), "2": signatureOf(t, "y")}}, nil)
	plan := traffic.All("1")
	plan.Rules = []traffic.Rule{{Name: "new", Header: "Team", Values: []string{"new"}, Version: "2"}}
	b.put(plan, endpoint.Settings{}, "1", "2")
	for _, tt := range []struct{ column, version, team, want string }{
		{"x", "", "", "1"}, {"y", "", "", `"x"`}, {"y", "", "new", "2"}, {"x", "", "new", `"y"`}, {"y", "2", "", "2"}, {"x", "2", "", `"y"`},
	} {
		var told *infer.Signature
		resp, err := b.Infer(t.Context(), serving.Call{Endpoint: "e", Version: tt.version, Header: func(string) string { return tt.team },
			Read: func(s *infer.Signature) (*infer.Request, error) {
				told = s
				return &infer.Request{Inputs: []infer.Tensor{tensor(tt.column, 1)}}, nil
			}})
		if err == nil && resp.Version != tt.want || err != nil && !strings.Contains(err.Error(), tt.want) || told == nil {
			t.Errorf("%+v: %v, %v", tt, resp, err)
		}
	}
}
