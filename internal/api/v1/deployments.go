package v1

import (
	"context"
	"slices"
	"strings"

	"levada/internal/core/endpoint"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

// Deployment is a version of a registered model at an endpoint.
type Deployment struct {
	Endpoint string         `json:"endpoint" doc:"name of the endpoint"`
	Version  string         `json:"version"`
	State    endpoint.State `json:"state" enum:"BUILDING,LOADING,READY,IDLE,FAILED,DRAINING"`
	Percent  float64        `json:"percent" doc:"its share of the requests that no rule takes"`
	Shadow   float64        `json:"shadow,omitempty" doc:"share of the requests of which it sees copies"`
	Rules    []string       `json:"rules,omitempty" doc:"names of the rules that send requests to it"`
}

// deployments are the versions of registered models that are deployed, by the name of the model, then by endpoint and as the endpoint lists
// them.
func (h *handler) deployments(ctx context.Context) (map[string][]Deployment, error) {
	if h.Endpoints == nil { // this handler serves none
		return nil, nil
	}
	list, err := h.Endpoints.List(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]Deployment{}
	for i := range list {
		s := &list[i]
		// What is followed, until something is what was asked for.
		spec := &s.Spec
		if s.Active != nil {
			spec = s.Active
		}
		for j := range s.Versions {
			if remote(s, s.Versions[j].Version) {
				continue // another server's, not of this model
			}
			out[spec.Model] = append(out[spec.Model], deploymentOf(s.Name, &s.Versions[j], &spec.Traffic))
		}
	}
	return out, nil
}

// remote says whether a version of an endpoint is what another server serves.
func remote(s *serving.Status, version string) bool {
	_, asked := s.Spec.Remotes[version]
	if asked || s.Active == nil {
		return asked
	}
	_, followed := s.Active.Remotes[version]
	return followed
}

func deploymentOf(name string, v *serving.VersionStatus, plan *traffic.Plan) Deployment {
	d := Deployment{Endpoint: name, Version: v.Version, State: v.State, Percent: v.Percent}
	for _, s := range plan.Shadows {
		if s.Version == v.Version {
			d.Shadow = s.Percent
		}
	}
	for _, r := range plan.Rules {
		if r.Version == v.Version {
			d.Rules = append(d.Rules, r.Name)
		}
	}
	return d
}

// deployedVersion leaves the deployments of one version.
func deployedVersion(all []Deployment, version string) []Deployment {
	return orEmpty(slices.DeleteFunc(slices.Clone(all), func(d Deployment) bool { return d.Version != version }))
}

// foundEndpoints finds endpoints by a part of their name.
func (h *handler) foundEndpoints(ctx context.Context, text string, limit int) ([]Found, error) {
	if h.Endpoints == nil {
		return nil, nil
	}
	list, err := h.Endpoints.List(ctx)
	text = strings.ToLower(text)
	list = slices.DeleteFunc(list, func(s serving.Status) bool { return !strings.Contains(strings.ToLower(s.Name), text) })
	return foundAs("endpoint", list[:min(limit, len(list))], err, func(s serving.Status) Found {
		return Found{ID: s.Name, Name: s.Name, Detail: s.Spec.Model, At: &s.CreatedAt}
	})
}

// foundGraphs finds inference graphs by a part of their name.
func (h *handler) foundGraphs(ctx context.Context, text string, limit int) ([]Found, error) {
	if h.Graphs == nil {
		return nil, nil
	}
	list, err := h.Graphs.Graphs(ctx)
	text = strings.ToLower(text)
	list = slices.DeleteFunc(list, func(s serving.GraphStatus) bool { return !strings.Contains(strings.ToLower(s.Name), text) })
	return foundAs("graph", list[:min(limit, len(list))], err, func(s serving.GraphStatus) Found {
		return Found{ID: s.Name, Name: s.Name, At: &s.CreatedAt}
	})
}
