package kfp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"levada/internal/api/status"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// errorBody is the JSON of a failed call. The client shows it as the body of its ApiException; message repeats error,
// because older gateways used the one and newer ones the other.
type errorBody struct {
	Error   string `json:"error"`
	Code    int    `json:"code"`
	Message string `json:"message"`
	Details []any  `json:"details"`
}

// httpError is a failure of HTTP itself, which has no kind in package fault.
type httpError struct {
	status, code int
	message      string
}

func (e *httpError) Error() string { return e.message }

// unknownPath answers for a path that is not part of the API.
func unknownPath(r *http.Request) error {
	switch {
	case strings.HasPrefix(r.URL.Path, "/apis/v2beta1/"):
		return fault.NotFoundf("%s %s is not part of the KFP API v2beta1", r.Method, shorten(r.URL.Path))
	case strings.HasPrefix(r.URL.Path, "/apis/v1"):
		return fault.Unimplementedf("not implemented by Levada: KFP's v1 APIs (%s %s); use kfp 2.0 or newer, which calls v2beta1", r.Method, shorten(r.URL.Path))
	}
	return fault.NotFoundf("there is nothing at %s; the KFP API is below /apis/v2beta1/", shorten(r.URL.Path))
}

func notAllowed(r *http.Request, allowed ...string) error {
	return &httpError{http.StatusMethodNotAllowed, status.Unimplemented,
		r.Method + " is not possible for " + shorten(r.URL.Path) + "; possible: " + strings.Join(allowed, ", ")}
}

// shorten keeps a path that someone else chose from filling an error message.
func shorten(path string) string { return fault.Shorten(path, 200) }

func tooLarge(what string, limit int64) error {
	return fault.TooLargef("%s is larger than the limit of %d bytes; move large notebooks, code or data into an image or an artifact", what, limit)
}

// unreadable explains why a body could not be read to its end.
func unreadable(what string, err error) error {
	var most *http.MaxBytesError
	if errors.As(err, &most) {
		return tooLarge(what, most.Limit)
	}
	return fault.Invalidf("%s could not be read: %w", what, err)
}

// statusOf returns the HTTP status and the gRPC code of a failure.
func statusOf(err error) (answered, code int) {
	var own *httpError
	if errors.As(err, &own) {
		return own.status, own.code
	}
	kind := fault.KindOf(err)
	if kind == fault.Conflict {
		return http.StatusConflict, status.AlreadyExists
	}
	return status.HTTP(kind), status.GRPC(kind)
}

// fail answers with an error. What went wrong inside stays inside: the client gets an id, the log gets the reason.
func (d *door) fail(w http.ResponseWriter, r *http.Request, err error) {
	answered, code := statusOf(err)
	message := err.Error()
	switch {
	case answered == http.StatusRequestEntityTooLarge:
		// Read on to the bound set in serve, so that the client gets to reading the answer; whether that works
		// changes nothing here.
		_, _ = io.Copy(io.Discard, r.Body)
	case answered == http.StatusInternalServerError && errors.Is(err, context.Canceled):
		answered, code, message = http.StatusServiceUnavailable, status.Unavailable, "the request was cancelled before it was answered"
	case answered == http.StatusInternalServerError:
		id := d.ErrorID()
		d.Logger.ErrorContext(r.Context(), "KFP call failed", "id", id, "method", r.Method, "path", shorten(r.URL.Path), "error", err)
		message = "internal error " + id + ": the server's log has the reason under this id"
	}
	d.write(w, r, answered, errorBody{Error: message, Code: code, Message: message, Details: []any{}})
}

// failureCode translates why a step failed into the gRPC code of the error inside a run or task.
func failureCode(reason run.Reason) int {
	switch reason {
	case run.ReasonMemory:
		return status.ResourceExhausted
	case run.ReasonTimeout:
		return status.DeadlineExceeded
	case run.ReasonEnvironment:
		return status.FailedPrecondition
	case run.ReasonInput:
		return status.InvalidArgument
	case run.ReasonUnsupported:
		return status.Unimplemented
	case run.ReasonSystem:
		return status.Internal
	case run.ReasonUpstream:
		return status.Aborted
	case run.ReasonCanceled:
		return status.Canceled
	}
	return status.Unknown
}
