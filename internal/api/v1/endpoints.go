package v1

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

// Endpoints is the part of the serving service that this door opens.
type Endpoints interface {
	Deploy(ctx context.Context, name string, d serving.Deploy) (serving.Status, error)
	Put(ctx context.Context, name string, spec endpoint.Spec) (serving.Status, error)
	SetTraffic(ctx context.Context, name string, plan traffic.Plan) (serving.Status, error)
	Get(ctx context.Context, name string) (serving.Status, error)
	List(ctx context.Context) ([]serving.Status, error)
	Delete(ctx context.Context, name string) error
	Events(ctx context.Context, name string, before int64, limit int) ([]endpoint.Event, error)
}

// EndpointName says which endpoint.
type EndpointName struct {
	Name string `path:"name" doc:"name of the endpoint"`
}

// DeployModel is the request that deploys a version of a registered model.
type DeployModel struct {
	Model    string                  `json:"model" maxLength:"1000" doc:"models:/NAME@ALIAS, models:/NAME/VERSION, or models:/NAME for the latest version; or what another server serves, https://HOST/v2/models/NAME" example:"models:/flights@champion"`
	As       string                  `json:"as,omitempty" maxLength:"31" doc:"name of what another server serves, in place of the number of a version; remote without it"`
	Secret   string                  `json:"secret,omitempty" maxLength:"253" doc:"a secret whose key token is sent to that server as bearer token"`
	Protocol endpoint.RemoteProtocol `json:"protocol,omitempty" enum:"oip,oip-grpc,mlflow" doc:"how that server is asked: oip (Open Inference Protocol over REST, the default), oip-grpc or mlflow (/invocations)"`
	Percent  *float64                `json:"percent,omitempty" minimum:"0" maximum:"100" doc:"share of the requests that the version gets; 0 deploys it dark; without it the version gets all of them and replaces the others"`
	Settings *endpoint.Settings      `json:"settings,omitempty" doc:"how the versions are served; without it the settings stay"`
}

type deployInput struct {
	EndpointName
	Body DeployModel
}

type putEndpointInput struct {
	EndpointName
	Body endpoint.Spec
}

type trafficInput struct {
	EndpointName
	Body traffic.Plan
}

type endpointOutput struct{ Body serving.Status }

type listEndpointsOutput struct {
	Body struct {
		Endpoints []serving.Status `json:"endpoints" nullable:"false"`
	}
}

type endpointEventsInput struct {
	EndpointName
	Before int64 `query:"before" minimum:"0" doc:"only events before the one with this id"`
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type endpointEventsOutput struct {
	Body struct {
		Events []endpoint.Event `json:"events" nullable:"false" doc:"the newest first"`
	}
}

func (h *handler) registerEndpoints(api huma.API) {
	tags := []string{"endpoints"}
	const one = Prefix + "/endpoints/{name}"
	huma.Register(api, huma.Operation{OperationID: "list-endpoints", Method: http.MethodGet, Path: Prefix + "/endpoints",
		Summary: "List endpoints by name", Tags: tags}, h.listEndpoints)
	huma.Register(api, huma.Operation{OperationID: "get-endpoint", Method: http.MethodGet, Path: one,
		Summary: "Get an endpoint with how its versions are", Tags: tags, Errors: []int{404}}, h.getEndpoint)
	huma.Register(api, huma.Operation{OperationID: "put-endpoint", Method: http.MethodPut, Path: one,
		Summary: "Make an endpoint, or give it another specification", Tags: tags, Errors: []int{400, 404, 409},
		Description: "Versions that are new are loaded first; requests move when those that will answer are ready, and the others are drained. " +
			"versions may name aliases (`@champion`) and `latest`; they are resolved once, here."}, h.putEndpoint)
	huma.Register(api, huma.Operation{OperationID: "deploy-model", Method: http.MethodPost, Path: one + "/deploy",
		Summary: "Deploy a version of a registered model to an endpoint, which is made if it is not there", Tags: tags, Errors: []int{400, 404, 409}}, h.deployModel)
	huma.Register(api, huma.Operation{OperationID: "set-endpoint-traffic", Method: http.MethodPut, Path: one + "/traffic",
		Summary: "Change how requests are shared between the versions of an endpoint", Tags: tags, Errors: []int{400, 404}}, h.setEndpointTraffic)
	huma.Register(api, huma.Operation{OperationID: "delete-endpoint", Method: http.MethodDelete, Path: one,
		Summary: "Delete an endpoint; its history stays", Tags: tags, Errors: []int{404}}, h.deleteEndpoint)
	huma.Register(api, huma.Operation{OperationID: "list-endpoint-events", Method: http.MethodGet, Path: one + "/events",
		Summary: "List what happened to an endpoint, the newest first", Tags: tags, Errors: []int{404}}, h.listEndpointEvents)
}

func (h *handler) listEndpoints(ctx context.Context, _ *struct{}) (*listEndpointsOutput, error) {
	list, err := h.Endpoints.List(ctx)
	if err != nil {
		return nil, h.problem(ctx, "list endpoints", err)
	}
	out := &listEndpointsOutput{}
	out.Body.Endpoints = orEmpty(list)
	return out, nil
}

func (h *handler) endpoint(ctx context.Context, doing string, s serving.Status, err error) (*endpointOutput, error) {
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &endpointOutput{Body: s}, nil
}

func (h *handler) getEndpoint(ctx context.Context, in *EndpointName) (*endpointOutput, error) {
	s, err := h.Endpoints.Get(ctx, in.Name)
	return h.endpoint(ctx, "get endpoint", s, err)
}

func (h *handler) putEndpoint(ctx context.Context, in *putEndpointInput) (*endpointOutput, error) {
	s, err := h.Endpoints.Put(ctx, in.Name, in.Body)
	return h.endpoint(ctx, "put endpoint", s, err)
}

func (h *handler) deployModel(ctx context.Context, in *deployInput) (*endpointOutput, error) {
	d := serving.Deploy{Percent: in.Body.Percent, Settings: in.Body.Settings}
	if endpoint.IsRemote(in.Body.Model) {
		d.Remote, d.As = &endpoint.Remote{URL: in.Body.Model, Secret: in.Body.Secret, Protocol: in.Body.Protocol}, cmp.Or(in.Body.As, endpoint.DefaultRemote)
	} else {
		var err error
		if d.Model, d.Version, err = endpoint.ParseReference(in.Body.Model); err != nil {
			return nil, h.problem(ctx, "deploy model", err)
		}
		if in.Body.As != "" || in.Body.Secret != "" || in.Body.Protocol != "" {
			return nil, h.problem(ctx, "deploy model", fault.Invalidf("as, secret and protocol are for what another server serves, and %s is registered here", in.Body.Model))
		}
	}
	s, err := h.Endpoints.Deploy(ctx, in.Name, d)
	return h.endpoint(ctx, "deploy model", s, err)
}

func (h *handler) setEndpointTraffic(ctx context.Context, in *trafficInput) (*endpointOutput, error) {
	s, err := h.Endpoints.SetTraffic(ctx, in.Name, in.Body)
	return h.endpoint(ctx, "set traffic", s, err)
}

func (h *handler) deleteEndpoint(ctx context.Context, in *EndpointName) (*struct{}, error) {
	if err := h.Endpoints.Delete(ctx, in.Name); err != nil {
		return nil, h.problem(ctx, "delete endpoint", err)
	}
	return nil, nil
}

func (h *handler) listEndpointEvents(ctx context.Context, in *endpointEventsInput) (*endpointEventsOutput, error) {
	events, err := h.Endpoints.Events(ctx, in.Name, in.Before, in.Limit)
	if err != nil {
		return nil, h.problem(ctx, "list events of an endpoint", err)
	}
	out := &endpointEventsOutput{}
	out.Body.Events = orEmpty(events)
	return out, nil
}
