package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// RunAction is something that is to be done with several runs.
type RunAction struct {
	Action string   `json:"action" enum:"cancel,retry,archive,unarchive,delete"`
	RunIDs []string `json:"run_ids" nullable:"false" minItems:"1" maxItems:"200"`
}

// RunActionResult says with which runs it was done, and why not with the others.
type RunActionResult struct {
	Done   []string           `json:"done" nullable:"false"`
	Failed []RunActionFailure `json:"failed" nullable:"false"`
}

// RunActionFailure says why something was not done with a run.
type RunActionFailure struct {
	RunID  string `json:"run_id"`
	Detail string `json:"detail"`
}

type runActionInput struct{ Body RunAction }

type runActionOutput struct{ Body RunActionResult }

func (h *handler) registerRunActions(api huma.API, tags []string) {
	huma.Register(api, huma.Operation{OperationID: "act-on-runs", Method: http.MethodPost, Path: Prefix + "/run-actions",
		Summary: "Cancel, retry, archive or delete several runs", Tags: tags,
		Description: "Each run by itself: what is refused for one is done for the others."}, h.runAction)
}

func (h *handler) runAction(ctx context.Context, in *runActionInput) (*runActionOutput, error) {
	do := map[string]func(context.Context, string) error{
		"cancel": h.Service.CancelRun,
		"retry": func(ctx context.Context, id string) error {
			_, err := h.Service.RetryRun(ctx, id)
			return err
		},
		"archive":   func(ctx context.Context, id string) error { return h.Service.ArchiveRun(ctx, id, true) },
		"unarchive": func(ctx context.Context, id string) error { return h.Service.ArchiveRun(ctx, id, false) },
		"delete":    h.Service.DeleteRun,
	}[in.Body.Action]
	out := &runActionOutput{Body: RunActionResult{Done: []string{}, Failed: []RunActionFailure{}}}
	named := map[string]bool{}
	for _, id := range in.Body.RunIDs {
		if named[id] {
			continue
		}
		named[id] = true
		err := do(ctx, id)
		if err == nil {
			out.Body.Done = append(out.Body.Done, id)
			continue
		}
		if ctx.Err() != nil {
			return nil, h.problem(ctx, in.Body.Action+" runs", ctx.Err())
		}
		problem := h.problem(ctx, in.Body.Action+" a run", err)
		if ctx.Err() != nil {
			return nil, problem
		}
		out.Body.Failed = append(out.Body.Failed, RunActionFailure{RunID: id, Detail: problem.Detail})
	}
	return out, nil
}
