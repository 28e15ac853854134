package v1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/declare"
)

// Declared makes a server have what files declare.
type Declared interface {
	Plan(ctx context.Context, set string, resources []declare.Resource, adopt bool) ([]declare.Change, error)
	Apply(ctx context.Context, set string, resources []declare.Resource, adopt bool) ([]declare.Change, error)
}

type declareInput struct {
	Body struct {
		Set       string             `json:"set" minLength:"1" maxLength:"100" doc:"name of the set: it owns what it declares"`
		Resources []declare.Resource `json:"resources" nullable:"false" maxItems:"1000"`
		Adopt     bool               `json:"adopt,omitempty" doc:"take over what is there already and belongs to no set"`
	}
}

type declareOutput struct {
	Body struct {
		Changes []declare.Change `json:"changes" nullable:"false" doc:"in the order in which they are made; those with the action none are as declared"`
		Changed bool             `json:"changed" doc:"some action is not none"`
	}
}

func (h *handler) registerDeclared(api huma.API) {
	tags := []string{"declarations"}
	for _, op := range []struct {
		id, summary, description string
		do                       func(Declared) func(context.Context, string, []declare.Resource, bool) ([]declare.Change, error)
	}{
		{"plan", "Say what has to change so that the server has what files declare", "Nothing is changed.",
			func(d Declared) func(context.Context, string, []declare.Resource, bool) ([]declare.Change, error) {
				return d.Plan
			}},
		{"apply", "Make the server have what files declare", "What the set owns and does not declare any more is deleted. Applying the same again changes nothing.",
			func(d Declared) func(context.Context, string, []declare.Resource, bool) ([]declare.Change, error) {
				return d.Apply
			}},
	} {
		huma.Register(api, huma.Operation{OperationID: op.id, Method: http.MethodPost, Path: Prefix + "/" + op.id, Summary: op.summary,
			Description: op.description, Tags: tags, MaxBodyBytes: maxSubmitBytes, BodyReadTimeout: time.Minute, Errors: []int{400, 404, 409, 413}},
			func(ctx context.Context, in *declareInput) (*declareOutput, error) {
				changes, err := op.do(h.Declared)(ctx, in.Body.Set, in.Body.Resources, in.Body.Adopt)
				if err != nil {
					return nil, h.declareProblem(ctx, op.id, err)
				}
				out := &declareOutput{}
				out.Body.Changes = orEmpty(changes)
				for _, c := range changes {
					out.Body.Changed = out.Body.Changed || c.Action != declare.None
				}
				return out, nil
			})
	}
}

// declareProblem names each resource that is wrong by where it is declared.
func (h *handler) declareProblem(ctx context.Context, doing string, err error) huma.StatusError {
	p := h.problem(ctx, doing, err)
	if wrong, ok := errors.AsType[declare.Misdeclared](err); ok {
		p.Detail, p.Errors = fmt.Sprintf("%d of the declared resources are wrong", len(wrong)), nil
		for _, w := range wrong {
			where := w.At
			if where == "" {
				where = fmt.Sprintf("body.resources[%d]", w.Resource)
			}
			p.Errors = append(p.Errors, &huma.ErrorDetail{Message: w.Message, Location: where})
		}
	}
	return p
}
