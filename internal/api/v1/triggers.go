package v1

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// Triggers is the part of the service of triggers that this door opens.
type Triggers interface {
	Create(ctx context.Context, t event.Trigger) (event.Trigger, error)
	Replace(ctx context.Context, id string, t event.Trigger) (event.Trigger, error)
	Get(ctx context.Context, id string) (event.Trigger, error)
	List(ctx context.Context, q listing.Query) (listing.Page[event.Trigger], error)
	SetPaused(ctx context.Context, id string, paused bool) (event.Trigger, error)
	Delete(ctx context.Context, id string) error
	Firings(ctx context.Context, id string, q listing.Query) (listing.Page[event.Firing], error)
	Fire(ctx context.Context, id, key string, data map[string]any) (event.Firing, error)
	Receive(ctx context.Context, id string, r event.Signed) (event.Firing, error)
	Test(ctx context.Context, t event.Trigger, data map[string]any) (event.Verdict, error)
	Outlook(ctx context.Context, id string) (event.Outlook, error)
	// Warnings say for each trigger which of the things that it names are not there, as far as that can be found out.
	Warnings(ctx context.Context, triggers []event.Trigger) [][]string
	LastFirings(ctx context.Context, ids []string) (map[string]event.Firing, error)
}

// CreateTrigger is the request that makes a trigger: what its runs are started from, and by which events.
type CreateTrigger struct {
	SubmitRun
	On             event.Source      `json:"on" doc:"where its events come from: one of the fields"`
	When           string            `json:"when,omitempty" maxLength:"8192" doc:"condition in CEL over event; without it every event counts"`
	ParametersFrom map[string]string `json:"parameters_from,omitempty" doc:"further parameters by expressions in CEL over event, the newest, and events, all that the run is for"`
	Notify         *event.Notify     `json:"notify,omitempty" doc:"whom to tell instead of starting a run; then there is nothing to run"`
	event.Policy
	Paused bool `json:"paused,omitempty" doc:"start no runs until it is resumed"`
}

type createTriggerInput struct{ Body CreateTrigger }

type replaceTriggerInput struct {
	TriggerPath
	Body CreateTrigger
}

// TriggerPath names a trigger. It is exported because huma does not look into embedded types that are not.
type TriggerPath struct {
	ID string `path:"id" doc:"id of the trigger"`
}

type triggerOutput struct{ Body event.Trigger }

type madeTriggerOutput struct{ Body MadeTrigger }

// MadeTrigger is a trigger that was made or changed.
type MadeTrigger struct {
	event.Trigger
	Warnings []string `json:"warnings,omitempty" doc:"what it names and what is not there, such as a secret"`
}

type listTriggersInput struct {
	PageRequest
	Q        string `query:"q" maxLength:"500" doc:"part of the display name"`
	Kind     string `query:"kind" enum:"file,artifact,registry,run,metric,late,webhook" doc:"kind of its events"`
	IDPrefix string `query:"id_prefix" pattern:"^[0-9a-f-]*$" maxLength:"36" doc:"first characters of the trigger's id"`
}

type triggerList struct {
	Triggers []TriggerLine `json:"triggers" nullable:"false"`
	PageInfo
}

// TriggerLine is a trigger in a list.
type TriggerLine struct {
	event.Trigger
	PipelineName string        `json:"pipeline_name,omitempty" doc:"name of the pipeline that it runs"`
	Last         *event.Firing `json:"last,omitempty" doc:"its newest firing"`
	Warnings     []string      `json:"warnings,omitempty" doc:"what it names and what is not there, such as a secret"`
}

// TriggerDetail is a trigger by itself.
type TriggerDetail struct {
	event.Trigger
	PipelineName string        `json:"pipeline_name,omitempty" doc:"name of the pipeline that it runs"`
	Outlook      event.Outlook `json:"outlook" doc:"what it will do next if nothing more happens"`
	Warnings     []string      `json:"warnings,omitempty" doc:"what it names and what is not there, such as a secret"`
}

type triggerDetailOutput struct{ Body TriggerDetail }

type listTriggersOutput struct{ Body triggerList }

type listFiringsInput struct {
	TriggerPath
	PageRequest
	State string `query:"state" enum:"WAITING,STARTING,STARTED,SENT,IGNORED,FAILED"`
	RunID string `query:"run_id" maxLength:"100" doc:"the run that it started"`
}

type firingList struct {
	Firings []FiringLine `json:"firings" nullable:"false"`
	PageInfo
}

// FiringLine is a firing in a list.
type FiringLine struct {
	event.Firing
	Run *FiredRun `json:"run,omitempty" doc:"the run that was started for it; absent when it is not there, or not any more"`
}

// FiredRun is how a run is that a trigger started.
type FiredRun struct {
	DisplayName string    `json:"display_name"`
	State       run.State `json:"state" enum:"PENDING,RUNNING,CANCELING,SUCCEEDED,SKIPPED,FAILED,CANCELED"`
}

type listFiringsOutput struct{ Body firingList }

type fireInput struct {
	TriggerPath
	Body struct {
		Data map[string]any `json:"data,omitempty" doc:"what expressions see of the event besides id, kind and time"`
		Key  string         `json:"key,omitempty" maxLength:"200" doc:"a firing with the same key is done once, however often it is asked for"`
	}
}

type firingOutput struct{ Body event.Firing }

type testTriggerInput struct {
	TriggerPath
	Body struct {
		Data map[string]any `json:"data,omitempty" doc:"what expressions see of the event besides id, kind and time"`
	}
}

type testNewTriggerInput struct {
	Body struct {
		Trigger CreateTrigger  `json:"trigger"`
		Data    map[string]any `json:"data,omitempty" doc:"what expressions see of the event besides id, kind and time"`
	}
}

type verdictOutput struct{ Body event.Verdict }

type signedInput struct {
	TriggerPath
	// The names are those of Standard Webhooks; those of MLflow's webhooks, whose signature is the same, are taken as well.
	WebhookID        string `header:"webhook-id" doc:"the sender's id of what it sends: what comes twice fires once"`
	WebhookTimestamp string `header:"webhook-timestamp" doc:"seconds since 1970"`
	WebhookSignature string `header:"webhook-signature" doc:"v1, and the base64 of HMAC-SHA-256 over id, timestamp and body, joined by dots"`
	MLflowID         string `header:"X-MLflow-Delivery-Id"`
	MLflowTimestamp  string `header:"X-MLflow-Timestamp"`
	MLflowSignature  string `header:"X-MLflow-Signature"`
	RawBody          []byte `contentType:"application/octet-stream"`
}

func (h *handler) registerTriggers(api huma.API) {
	tags := []string{"triggers"}
	const one = Prefix + "/triggers/{id}"
	huma.Register(api, huma.Operation{OperationID: "list-triggers", Method: http.MethodGet, Path: Prefix + "/triggers",
		Summary: "List triggers, newest first", Tags: tags}, h.listTriggers)
	huma.Register(api, huma.Operation{OperationID: "create-trigger", Method: http.MethodPost, Path: Prefix + "/triggers",
		Summary: "Start runs, or tell somebody, when something happens", Tags: tags, DefaultStatus: http.StatusCreated, MaxBodyBytes: maxSubmitBytes,
		BodyReadTimeout: time.Minute, Errors: []int{400, 404, 409, 413},
		Description: "What is there already, such as files, does not fire it."}, h.createTrigger)
	huma.Register(api, huma.Operation{OperationID: "test-new-trigger", Method: http.MethodPost, Path: Prefix + "/triggers/test",
		Summary: "Say what a trigger would make of an event, before it is made", Tags: tags, MaxBodyBytes: maxSubmitBytes,
		BodyReadTimeout: time.Minute, Errors: []int{400, 404, 413}}, h.testNewTrigger)
	huma.Register(api, huma.Operation{OperationID: "get-trigger", Method: http.MethodGet, Path: one,
		Summary: "Get a trigger", Tags: tags, Errors: []int{404}}, h.getTrigger)
	huma.Register(api, huma.Operation{OperationID: "replace-trigger", Method: http.MethodPut, Path: one,
		Summary: "Give a trigger another definition", Tags: tags, MaxBodyBytes: maxSubmitBytes, BodyReadTimeout: time.Minute,
		Errors: []int{400, 404, 409, 413}, Description: "What it did so far stays."}, h.replaceTrigger)
	huma.Register(api, huma.Operation{OperationID: "pause-trigger", Method: http.MethodPost, Path: one + "/pause",
		Summary: "Stop a trigger from starting runs", Tags: tags, Errors: []int{404},
		Description: "What happens while it is paused is noted and starts nothing, also later. What waits at that time goes on waiting."}, h.pauseTrigger(true))
	huma.Register(api, huma.Operation{OperationID: "resume-trigger", Method: http.MethodPost, Path: one + "/resume",
		Summary: "Let a trigger start runs again", Tags: tags, Errors: []int{404}}, h.pauseTrigger(false))
	huma.Register(api, huma.Operation{OperationID: "delete-trigger", Method: http.MethodDelete, Path: one,
		Summary: "Delete a trigger; the runs it started stay", Tags: tags, Errors: []int{404}}, h.deleteTrigger)
	huma.Register(api, huma.Operation{OperationID: "list-firings", Method: http.MethodGet, Path: one + "/firings",
		Summary: "List what a trigger made of events, newest first", Tags: tags, Errors: []int{404},
		Description: "The last thousand of each final state are kept."}, h.listFirings)
	huma.Register(api, huma.Operation{OperationID: "fire-trigger", Method: http.MethodPost, Path: one + "/fire",
		Summary: "Fire a trigger by hand", Tags: tags, MaxBodyBytes: event.MaxBody, Errors: []int{400, 404, 413},
		Description: "Conditions, gathering and rates do not count; a trigger that is paused fires too."}, h.fireTrigger)
	huma.Register(api, huma.Operation{OperationID: "test-trigger", Method: http.MethodPost, Path: one + "/test",
		Summary: "Say what a trigger would make of an event", Tags: tags, MaxBodyBytes: event.MaxBody, Errors: []int{400, 404, 413}}, h.testTrigger)
	huma.Register(api, huma.Operation{OperationID: "receive-webhook", Method: http.MethodPost, Path: one + "/events",
		Summary: "Send a trigger a signed webhook", Tags: tags, DefaultStatus: http.StatusAccepted, MaxBodyBytes: event.MaxBody,
		Errors: []int{400, 401, 404, 413, 503}, Description: "The body may be of any type; JSON is read as such."}, h.receiveWebhook)
}

func (h *handler) listTriggers(ctx context.Context, in *listTriggersInput) (*listTriggersOutput, error) {
	where := equals(contains(startsWith(nil, "id", in.IDPrefix), "display_name", in.Q), "kind", in.Kind)
	page, err := h.Triggers.List(ctx, in.query(where))
	if err != nil {
		return nil, h.problem(ctx, "list triggers", err)
	}
	lines, err := h.triggerLines(ctx, page.Items)
	if err != nil {
		return nil, h.problem(ctx, "list triggers", err)
	}
	return &listTriggersOutput{Body: triggerList{Triggers: lines, PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

// triggerLines adds to triggers what lists show besides.
func (h *handler) triggerLines(ctx context.Context, triggers []event.Trigger) ([]TriggerLine, error) {
	ids := make([]string, len(triggers))
	for i, t := range triggers {
		ids[i] = t.ID
	}
	last, err := h.Triggers.LastFirings(ctx, ids)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	warnings := h.Triggers.Warnings(ctx, triggers)
	lines := make([]TriggerLine, len(triggers))
	for i, t := range triggers {
		lines[i].Trigger, lines[i].Warnings = t, warnings[i]
		if f, there := last[t.ID]; there {
			lines[i].Last = &f
		}
		if lines[i].PipelineName, err = h.pipelineName(ctx, names, t.Run.PipelineID); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// pipelineName is the name of a pipeline, which is remembered in names; empty when there is none, or none any more.
func (h *handler) pipelineName(ctx context.Context, names map[string]string, id string) (string, error) {
	if name, known := names[id]; known || id == "" {
		return name, nil
	}
	p, err := h.Service.GetPipeline(ctx, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return "", err
	}
	names[id] = p.DisplayName
	return p.DisplayName, nil
}

// triggerOf translates a request.
func (h *handler) triggerOf(ctx context.Context, b CreateTrigger) (event.Trigger, error) {
	var sub pipeline.Submission
	var err error
	if b.Notify == nil {
		sub, err = h.submission(ctx, b.SubmitRun)
	} else if strings.TrimSpace(b.Spec) != "" || b.PipelineID != "" || b.RunID != "" || b.Parameters != nil {
		err = fault.Invalidf("a trigger either starts a run or notifies: leave out notify, or what is to run")
	}
	return event.Trigger{Name: b.DisplayName, Description: b.Description, On: b.On, When: b.When, Run: sub, ParametersFrom: b.ParametersFrom,
		Notify: b.Notify, Policy: b.Policy, Paused: b.Paused}, err
}

func (h *handler) createTrigger(ctx context.Context, in *createTriggerInput) (*madeTriggerOutput, error) {
	return h.makeTrigger(ctx, "create a trigger", in.Body, h.Triggers.Create)
}

func (h *handler) replaceTrigger(ctx context.Context, in *replaceTriggerInput) (*madeTriggerOutput, error) {
	return h.makeTrigger(ctx, "change a trigger", in.Body, func(ctx context.Context, t event.Trigger) (event.Trigger, error) {
		return h.Triggers.Replace(ctx, in.ID, t)
	})
}

// makeTrigger makes a trigger or changes one, and says what it names that is not there.
func (h *handler) makeTrigger(ctx context.Context, doing string, b CreateTrigger, do func(context.Context, event.Trigger) (event.Trigger, error)) (*madeTriggerOutput, error) {
	out := &madeTriggerOutput{}
	t, err := h.triggerOf(ctx, b)
	if err == nil {
		out.Body.Trigger, err = do(ctx, t)
	}
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out.Body.Warnings = h.warnings(ctx, out.Body.Trigger)
	return out, nil
}

func (h *handler) getTrigger(ctx context.Context, in *TriggerPath) (*triggerDetailOutput, error) {
	out := &triggerDetailOutput{}
	var err error
	if out.Body.Trigger, err = h.Triggers.Get(ctx, in.ID); err == nil {
		out.Body.PipelineName, err = h.pipelineName(ctx, map[string]string{}, out.Body.Run.PipelineID)
	}
	if err == nil {
		out.Body.Outlook, err = h.Triggers.Outlook(ctx, in.ID)
	}
	if err != nil {
		return nil, h.problem(ctx, "get a trigger", err)
	}
	out.Body.Warnings = h.warnings(ctx, out.Body.Trigger)
	return out, nil
}

// warnings say what one trigger names that is not there.
func (h *handler) warnings(ctx context.Context, t event.Trigger) []string {
	return h.Triggers.Warnings(ctx, []event.Trigger{t})[0]
}

func (h *handler) pauseTrigger(paused bool) func(context.Context, *TriggerPath) (*triggerOutput, error) {
	return func(ctx context.Context, in *TriggerPath) (*triggerOutput, error) {
		t, err := h.Triggers.SetPaused(ctx, in.ID, paused)
		if err != nil {
			return nil, h.problem(ctx, "change a trigger", err)
		}
		return &triggerOutput{Body: t}, nil
	}
}

func (h *handler) deleteTrigger(ctx context.Context, in *TriggerPath) (*struct{}, error) {
	if err := h.Triggers.Delete(ctx, in.ID); err != nil {
		return nil, h.problem(ctx, "delete a trigger", err)
	}
	return nil, nil
}

func (h *handler) listFirings(ctx context.Context, in *listFiringsInput) (*listFiringsOutput, error) {
	page, err := h.Triggers.Firings(ctx, in.ID, in.query(equals(equals(nil, "state", in.State), "run_id", in.RunID)))
	if err != nil {
		return nil, h.problem(ctx, "list firings", err)
	}
	lines, err := h.firingLines(ctx, page.Items)
	if err != nil {
		return nil, h.problem(ctx, "list firings", err)
	}
	return &listFiringsOutput{Body: firingList{Firings: lines, PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

// firingLines adds to firings, at most a page of them, how their runs are.
func (h *handler) firingLines(ctx context.Context, firings []event.Firing) ([]FiringLine, error) {
	lines := make([]FiringLine, len(firings))
	ids := listing.Predicate{Key: "id", Op: listing.In}
	for i, f := range firings {
		lines[i].Firing = f
		if f.RunID != "" {
			ids.Values = append(ids.Values, f.RunID)
		}
	}
	if len(ids.Values) == 0 {
		return lines, nil
	}
	page, err := h.Service.ListRuns(ctx, listing.Query{Where: []listing.Predicate{ids}, PageSize: len(firings)})
	if err != nil {
		return nil, err
	}
	runs := map[string]*FiredRun{}
	for _, r := range page.Items {
		runs[r.ID] = &FiredRun{DisplayName: r.DisplayName, State: r.State}
	}
	for i, f := range firings {
		lines[i].Run = runs[f.RunID]
	}
	return lines, nil
}

func (h *handler) fireTrigger(ctx context.Context, in *fireInput) (*firingOutput, error) {
	f, err := h.Triggers.Fire(ctx, in.ID, in.Body.Key, in.Body.Data)
	if err != nil {
		return nil, h.problem(ctx, "fire a trigger", err)
	}
	return &firingOutput{Body: f}, nil
}

func (h *handler) testTrigger(ctx context.Context, in *testTriggerInput) (*verdictOutput, error) {
	t, err := h.Triggers.Get(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "test a trigger", err)
	}
	return h.verdict(ctx, t, in.Body.Data)
}

func (h *handler) testNewTrigger(ctx context.Context, in *testNewTriggerInput) (*verdictOutput, error) {
	t, err := h.triggerOf(ctx, in.Body.Trigger)
	if err != nil {
		return nil, h.problem(ctx, "test a trigger", err)
	}
	return h.verdict(ctx, t, in.Body.Data)
}

func (h *handler) verdict(ctx context.Context, t event.Trigger, data map[string]any) (*verdictOutput, error) {
	v, err := h.Triggers.Test(ctx, t, data)
	if err != nil {
		return nil, h.problem(ctx, "test a trigger", err)
	}
	return &verdictOutput{Body: v}, nil
}

func (h *handler) receiveWebhook(ctx context.Context, in *signedInput) (*firingOutput, error) {
	r := event.Signed{ID: in.WebhookID, Timestamp: in.WebhookTimestamp, Signature: in.WebhookSignature, Body: in.RawBody}
	if r.ID == "" {
		r.ID, r.Timestamp, r.Signature = in.MLflowID, in.MLflowTimestamp, in.MLflowSignature
	}
	f, err := h.Triggers.Receive(ctx, in.ID, r)
	if refused, ok := errors.AsType[*event.SignatureError](err); ok {
		return nil, newProblem(http.StatusUnauthorized, refused.Error())
	}
	if err != nil {
		return nil, h.problem(ctx, "receive a webhook", err)
	}
	return &firingOutput{Body: f}, nil
}
