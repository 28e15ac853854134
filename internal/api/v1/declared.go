package v1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/declare"
)

// Declared makes a server have what files declare.
type Declared interface {
	Plan(ctx context.Context, set string, resources []declare.Resource, adopt bool) ([]declare.Change, error)
	Apply(ctx context.Context, set string, resources []declare.Resource, adopt bool) ([]declare.Change, error)
	// Describe returns what is there as it would be declared, and its set.
	Describe(ctx context.Context, kind declare.Kind, name string) (declare.Resource, string, error)
}

type declareInput struct {
	Body struct {
		Set       string             `json:"set,omitempty" maxLength:"100" doc:"name of the set: it owns what it declares; without one nothing is owned and nothing deleted"`
		Resources []declare.Resource `json:"resources,omitempty" nullable:"false" maxItems:"1000" doc:"what is declared; or give text"`
		Text      string             `json:"text,omitempty" maxLength:"4194304" doc:"what is declared as documents of YAML, as in files; mistakes name their line as body.text:LINE"`
		Adopt     bool               `json:"adopt,omitempty" doc:"take over what is there already and belongs to no set"`
	}
}

type declaredTextInput struct {
	Kind string `path:"kind" enum:"trigger,recurring_run,endpoint,graph"`
	Name string `path:"name"`
}

// DeclaredText is something as a file declares it.
type DeclaredText struct {
	Text string `json:"text" doc:"one document of YAML"`
	Set  string `json:"set,omitempty" doc:"name of the set that it belongs to"`
}

type declaredTextOutput struct{ Body DeclaredText }

type declareOutput struct {
	Body struct {
		Changes []declare.Change `json:"changes" nullable:"false" doc:"in the order in which they are made; those with the action none are as declared"`
		Changed bool             `json:"changed" doc:"some action is not none"`
	}
}

func (h *handler) registerDeclared(api huma.API) {
	tags := []string{"declarations"}
	huma.Register(api, huma.Operation{OperationID: "describe", Method: http.MethodGet, Path: Prefix + "/declared/{kind}/{name}",
		Summary: "Say how a file would declare what is there", Tags: tags, Errors: []int{404, 409}}, h.describe)
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
				resources, problem := declaredBy(in)
				if problem != nil {
					return nil, problem
				}
				changes, err := op.do(h.Declared)(ctx, in.Body.Set, resources, in.Body.Adopt)
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

// linePlace is a line of the text of a request in sentences, and place where that is in the body.
func linePlace(line int) string { return fmt.Sprintf("line %d", line) }

func place(at string) string {
	if line, is := strings.CutPrefix(at, "line "); is {
		return "body.text:" + line
	}
	return at
}

// declaredBy returns what a request declares, in either form.
func declaredBy(in *declareInput) ([]declare.Resource, huma.StatusError) {
	b := in.Body
	if (b.Text == "") == (b.Resources == nil) {
		return nil, newProblem(http.StatusBadRequest, "want resources or text, one of them; an empty list of resources declares nothing")
	}
	if b.Text == "" {
		return b.Resources, nil
	}
	out, wrong := declare.Parse(b.Text, linePlace, declare.Beside{})
	if len(wrong) == 0 && len(out) == 0 {
		wrong = append(wrong, declare.Problem{Line: 1, Message: "nothing is declared; want documents with kind and name"})
	}
	if len(wrong) == 0 {
		return out, nil
	}
	p := newProblem(http.StatusBadRequest, fmt.Sprintf("%d of the declared resources are wrong", len(wrong)))
	for _, w := range wrong {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Message: w.Message, Location: place(linePlace(w.Line))})
	}
	return nil, p
}

func (h *handler) describe(ctx context.Context, in *declaredTextInput) (*declaredTextOutput, error) {
	r, set, err := h.Declared.Describe(ctx, declare.Kind(in.Kind), in.Name)
	out := &declaredTextOutput{Body: DeclaredText{Set: set}}
	if err == nil {
		out.Body.Text, err = declare.Text(r)
	}
	if err != nil {
		return nil, h.problem(ctx, "describe a "+in.Kind, err)
	}
	return out, nil
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
			p.Errors = append(p.Errors, &huma.ErrorDetail{Message: w.Message, Location: place(where)})
		}
	}
	return p
}
