package v1

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/rollout"
	"levada/internal/serving"
)

// Rollouts is the part of the serving service that this door opens for rollouts.
type Rollouts interface {
	StartRollout(ctx context.Context, name string, r serving.StartRollout) (serving.RolloutStatus, error)
	CommandRollout(ctx context.Context, name string, c rollout.Command) (serving.RolloutStatus, error)
	Rollout(ctx context.Context, name string) (serving.RolloutStatus, error)
	Rollouts(ctx context.Context, name string, limit int) ([]rollout.Record, error)
	RolloutEvents(ctx context.Context, id string) (rollout.Record, []rollout.Event, error)
	RolloutReport(ctx context.Context, id string) (rollout.Report, error)
	ReportValues(ctx context.Context, name string, values []serving.Reported) (int, error)
}

// StartRolloutRequest starts a rollout.
type StartRolloutRequest struct {
	Plan       string   `json:"plan,omitempty" maxLength:"1048576" doc:"the plan as YAML or JSON text; docs/canary.md describes it. Without it the endpoint's own is followed"`
	Candidates []string `json:"candidates" minItems:"1" maxItems:"19" nullable:"false" doc:"versions of the endpoint's model: numbers, @ALIAS, latest, or models:/NAME/VERSION"`
	Alias      string   `json:"alias,omitempty" maxLength:"1000" doc:"alias of the model that is moved to the version which is promoted"`
	By         string   `json:"by,omitempty" maxLength:"200" doc:"who asks for it"`
}

type startRolloutInput struct {
	EndpointName
	Body StartRolloutRequest
}

type rolloutOutput struct{ Body serving.RolloutStatus }

type commandRolloutInput struct {
	EndpointName
	Do   string `path:"do" enum:"pause,resume,abort,promote"`
	Body struct {
		Version string `json:"version,omitempty" maxLength:"100" doc:"of promote: which candidate, where there are several"`
		Reason  string `json:"reason,omitempty" maxLength:"2000"`
		By      string `json:"by,omitempty" maxLength:"200"`
	} `required:"false"`
}

type listRolloutsInput struct {
	EndpointName
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

type listRolloutsOutput struct {
	Body struct {
		Rollouts []rollout.Record `json:"rollouts" nullable:"false" doc:"the newest first"`
	}
}

type rolloutEventsInput struct {
	RolloutID
	Observed bool `query:"observed" doc:"also the windows of what was observed; there are many"`
}

type rolloutEventsOutput struct {
	Body struct {
		rollout.Record
		Events []rollout.Event `json:"events" nullable:"false" doc:"the oldest first"`
	}
}

// RolloutID says which rollout. It is exported for huma, which sets no fields of structs within that are not.
type RolloutID struct {
	ID string `path:"id" maxLength:"64" doc:"id of the rollout"`
}

type rolloutReportOutput struct{ Body rollout.Report }

type exportRolloutInput struct {
	RolloutID
	Format string `query:"format" enum:"json,html" default:"json" doc:"json has all windows, so that the verdict can be recomputed; html is a page with plots, without scripts"`
}

type exportRolloutOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

type reportValuesInput struct {
	EndpointName
	Body struct {
		Values []serving.Reported `json:"values" maxItems:"10000" nullable:"false"`
	}
}

type reportValuesOutput struct {
	Body struct {
		Taken int `json:"taken" doc:"values of versions that are compared; others are left out"`
	}
}

// loadingModels is how long a start waits for the versions to answer, the making of their environment included.
const loadingModels = 30 * time.Minute

func (h *handler) registerRollouts(api huma.API) {
	tags := []string{"rollouts"}
	const one = Prefix + "/endpoints/{name}/rollout"
	huma.Register(api, huma.Operation{OperationID: "start-rollout", Method: http.MethodPost, Path: one, DefaultStatus: http.StatusCreated,
		Summary: "Take a version through the traffic of an endpoint", Tags: tags, Errors: []int{400, 404, 409, 503}, MaxBodyBytes: 4 << 20,
		Description: "The candidates are deployed without traffic first; the answer comes when they are ready and the first stage begins."}, h.startRollout)
	huma.Register(api, huma.Operation{OperationID: "get-rollout", Method: http.MethodGet, Path: one,
		Summary: "Get the rollout of an endpoint that goes on, or its last one", Tags: tags, Errors: []int{404}}, h.getRollout)
	huma.Register(api, huma.Operation{OperationID: "command-rollout", Method: http.MethodPost, Path: one + "/{do}",
		Summary: "Pause, resume, abort or promote", Tags: tags, Errors: []int{400, 404, 409},
		Description: "A rollout that is paused keeps its traffic, and is still rolled back when a critical metric becomes worse."}, h.commandRollout)
	huma.Register(api, huma.Operation{OperationID: "report-rollout-values", Method: http.MethodPost, Path: Prefix + "/endpoints/{name}/values",
		Summary: "Report what became of answers: business metrics, or whether predictions were right", Tags: tags, Errors: []int{400, 404}, MaxBodyBytes: 8 << 20}, h.reportValues)
	huma.Register(api, huma.Operation{OperationID: "list-rollouts", Method: http.MethodGet, Path: Prefix + "/endpoints/{name}/rollouts",
		Summary: "List the rollouts of an endpoint, the newest first", Tags: tags}, h.listRollouts)
	huma.Register(api, huma.Operation{OperationID: "get-rollout-events", Method: http.MethodGet, Path: Prefix + "/rollouts/{id}",
		Summary: "Get all decisions of a rollout with their evidence", Tags: tags, Errors: []int{404}}, h.rolloutEvents)
	huma.Register(api, huma.Operation{OperationID: "get-rollout-report", Method: http.MethodGet, Path: Prefix + "/rollouts/{id}/report",
		Summary: "Get what each stage of a rollout saw and how each comparison went on", Tags: tags, Errors: []int{404}}, h.rolloutReport)
	huma.Register(api, huma.Operation{OperationID: "export-rollout", Method: http.MethodGet, Path: Prefix + "/rollouts/{id}/export",
		Summary: "Save a rollout with its evidence as a file", Tags: tags, Errors: []int{404},
		Responses: map[string]*huma.Response{"200": {Description: "The report as JSON, or as a page", Content: map[string]*huma.MediaType{"application/json": {}, "text/html": {}}}}},
		h.exportRollout)
}

func (h *handler) rollout(ctx context.Context, doing string, s serving.RolloutStatus, err error) (*rolloutOutput, error) {
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &rolloutOutput{Body: s}, nil
}

func (h *handler) startRollout(ctx context.Context, in *startRolloutInput) (*rolloutOutput, error) {
	r := serving.StartRollout{Alias: in.Body.Alias, By: in.Body.By}
	if strings.TrimSpace(in.Body.Plan) != "" {
		var err error
		if r.Plan, err = rollout.ParsePlan([]byte(in.Body.Plan)); err != nil {
			return nil, h.problem(ctx, "start rollout", err)
		}
	}
	for _, c := range in.Body.Candidates {
		if strings.HasPrefix(c, "models:/") {
			name, version, err := endpoint.ParseReference(c)
			if err != nil {
				return nil, h.problem(ctx, "start rollout", err)
			}
			if s, err := h.Endpoints.Get(ctx, in.Name); err == nil && s.Spec.Model != name {
				return nil, h.problem(ctx, "start rollout", fault.Invalidf("endpoint %q serves model %q, and %s is of another", in.Name, s.Spec.Model, c))
			}
			c = version
		}
		r.Candidates = append(r.Candidates, c)
	}
	ctx, cancel := context.WithTimeout(ctx, loadingModels)
	defer cancel()
	s, err := h.Rollouts.StartRollout(ctx, in.Name, r)
	return h.rollout(ctx, "start rollout", s, err)
}

func (h *handler) getRollout(ctx context.Context, in *EndpointName) (*rolloutOutput, error) {
	s, err := h.Rollouts.Rollout(ctx, in.Name)
	return h.rollout(ctx, "get rollout", s, err)
}

func (h *handler) commandRollout(ctx context.Context, in *commandRolloutInput) (*rolloutOutput, error) {
	commands := map[string]rollout.Command{
		"pause":   rollout.Pause{By: in.Body.By, Reason: in.Body.Reason},
		"resume":  rollout.Resume{By: in.Body.By},
		"abort":   rollout.Abort{By: in.Body.By, Reason: in.Body.Reason},
		"promote": rollout.Promote{By: in.Body.By, Reason: in.Body.Reason, Arm: in.Body.Version},
	}
	s, err := h.Rollouts.CommandRollout(ctx, in.Name, commands[in.Do])
	return h.rollout(ctx, in.Do+" rollout", s, err)
}

func (h *handler) listRollouts(ctx context.Context, in *listRolloutsInput) (*listRolloutsOutput, error) {
	list, err := h.Rollouts.Rollouts(ctx, in.Name, in.Limit)
	if err != nil {
		return nil, h.problem(ctx, "list rollouts", err)
	}
	out := &listRolloutsOutput{}
	out.Body.Rollouts = orEmpty(list)
	return out, nil
}

func (h *handler) rolloutEvents(ctx context.Context, in *rolloutEventsInput) (*rolloutEventsOutput, error) {
	record, events, err := h.Rollouts.RolloutEvents(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "get rollout", err)
	}
	out := &rolloutEventsOutput{}
	out.Body.Record, out.Body.Events = record, []rollout.Event{}
	for _, e := range events {
		if in.Observed || e.Type != rollout.Observed {
			out.Body.Events = append(out.Body.Events, e)
		}
	}
	return out, nil
}

// reportOf is the report of a rollout with all its events.
func (h *handler) reportOf(ctx context.Context, id string) (rollout.Report, error) {
	record, events, err := h.Rollouts.RolloutEvents(ctx, id)
	if err != nil {
		return rollout.Report{}, err
	}
	return rollout.NewReport(record, events)
}

func (h *handler) rolloutReport(ctx context.Context, in *RolloutID) (*rolloutReportOutput, error) {
	report, err := h.Rollouts.RolloutReport(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "report on a rollout", err)
	}
	return &rolloutReportOutput{report}, nil
}

func (h *handler) exportRollout(ctx context.Context, in *exportRolloutInput) (*exportRolloutOutput, error) {
	const doing = "export a rollout"
	report, err := h.reportOf(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out := &exportRolloutOutput{ContentType: "application/json",
		Disposition: mime.FormatMediaType("attachment", map[string]string{"filename": plainName("rollout-"+report.Endpoint+"-"+report.ID) + "." + in.Format})}
	if in.Format == "html" {
		var page bytes.Buffer
		if err := rollout.WritePage(&page, report); err != nil {
			return nil, h.problem(ctx, doing, err)
		}
		out.ContentType, out.Body = "text/html; charset=utf-8", page.Bytes()
		return out, nil
	}
	if out.Body, err = json.Marshal(report); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return out, nil
}

func (h *handler) reportValues(ctx context.Context, in *reportValuesInput) (*reportValuesOutput, error) {
	taken, err := h.Rollouts.ReportValues(ctx, in.Name, in.Body.Values)
	if err != nil {
		return nil, h.problem(ctx, "report values", err)
	}
	out := &reportValuesOutput{}
	out.Body.Taken = taken
	return out, nil
}
