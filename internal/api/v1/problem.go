package v1

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/api/status"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

// problem turns an error into the answer that the client gets. An internal failure is logged here, once, and the
// client is told only the id under which to find it: its text may hold paths and queries.
func (h *handler) problem(ctx context.Context, doing string, err error) *huma.ErrorModel {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return newProblem(status.ClientGone, "the request was given up")
	}
	kind := fault.KindOf(err)
	if kind != fault.Internal {
		p := newProblem(status.HTTP(kind), err.Error())
		if wrong, ok := errors.AsType[ir.ParameterErrors](err); ok {
			p.Errors = detailsOf(wrong)
		}
		return p
	}
	id := rand.Text()[:10]
	h.Log.ErrorContext(ctx, "request failed", "doing", doing, "error_id", id, "error", err)
	return newProblem(http.StatusInternalServerError,
		fmt.Sprintf("%s: an internal error occurred; the server's log has it under error_id=%s", doing, id))
}

// detailsOf names each parameter that is wrong by its place in the body, so that a form can say it at its field.
func detailsOf(wrong ir.ParameterErrors) []*huma.ErrorDetail {
	out := make([]*huma.ErrorDetail, len(wrong))
	for i, w := range wrong {
		out[i] = &huma.ErrorDetail{Message: w.Message, Location: "body.parameters." + w.Name}
	}
	return out
}

func newProblem(status int, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail}
}

func unknownEndpoint(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusNotFound)
	// The client may have gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(newProblem(http.StatusNotFound, fmt.Sprintf(
		"there is no endpoint %s %s; %s/openapi.json lists them all", r.Method, r.URL.Path, Prefix)))
}

// at names the place in the request that a problem is about, unless it names places already.
func at(err huma.StatusError, location string) huma.StatusError {
	if p, ok := errors.AsType[*huma.ErrorModel](err); ok && len(p.Errors) == 0 {
		p.Errors = []*huma.ErrorDetail{{Message: p.Detail, Location: location}}
	}
	return err
}
