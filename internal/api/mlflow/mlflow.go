// Package mlflow is the door for MLflow's clients: it translates the REST API of an MLflow tracking server to and from the
// tracking and registry services.
//
// It holds no logic and no SQL; it knows the wire format, the error codes, and which request field is of which type. Start
// reading at routes.go. What is answered and what is not is listed in docs/mlflow.md.
package mlflow

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"levada/internal/core/fault"
	"levada/internal/core/search"
	"levada/internal/registry"
	"levada/internal/tracing"
	"levada/internal/tracking"
	"levada/internal/webhook"
)

// Version is what /version answers: the release of MLflow whose API this is, and with whose server it is compared. Clients send
// spans to servers from 3.4 on; for everything else they ask for the call itself, and a bodyless 404 tells them that it is lacking.
const Version = "3.17.2"

// Options are what the door is made of.
type Options struct {
	Tracking *tracking.Service
	Registry *registry.Service
	Webhooks *webhook.Service
	Tracing  *tracing.Service
	Logger   *slog.Logger
	// MaxBodyBytes bounds a JSON request; 0 means 32 MiB. Artifacts are streamed and not bounded.
	MaxBodyBytes int64
}

type door struct {
	Options

	routes map[string]methods
	// buffers holds *output that nobody uses.
	buffers sync.Pool
	// decoding and decodingParts are what requests with spans share: bytes, and what they are decoded into. The first is acquired first.
	decoding, decodingParts *semaphore.Weighted
}

// methods are the calls of one path by HTTP method.
type methods map[string]call

// call answers one request with a value that becomes the JSON body.
type call func(r *request) (any, error)

// empty is the answer of calls that have nothing to say: {}.
type empty struct{}

// New returns the door.
func New(o Options) http.Handler {
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = 32 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &door{Options: o, decoding: semaphore.NewWeighted(maxDecoding), decodingParts: semaphore.NewWeighted(maxDecodingParts)}
	d.routes = d.table()
	return d
}

// Owns reports whether a path belongs to this door. Such paths are not to be cleaned before they come here: what "..", "//"
// or an encoded slash mean in them is the door's business.
func Owns(path string) bool {
	if _, ok := trimPrefix(path); ok {
		return true
	}
	switch path {
	case "/version", "/health", "/get-artifact", "/model-versions/get-artifact", "/v1/traces":
		return true
	}
	return false
}

// trimPrefix cuts what comes before "mlflow/" or "mlflow-artifacts/".
func trimPrefix(path string) (string, bool) {
	for _, prefix := range []string{"/api/2.0/", "/ajax-api/2.0/", "/api/3.0/", "/ajax-api/3.0/"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && (strings.HasPrefix(rest, "mlflow/") || strings.HasPrefix(rest, "mlflow-artifacts/")) {
			return rest, true
		}
	}
	return "", false
}

// ServeHTTP finds the call of a request, and turns its answer or error into a response.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := trimPrefix(r.URL.Path)
	if !ok {
		path = strings.TrimPrefix(r.URL.Path, "/")
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	calls, args := d.find(path)
	if calls == nil {
		calls, args = d.findTrace(path, strings.Contains(r.URL.Path[:len(r.URL.Path)-len(path)], "/3.0/"))
	}
	if calls == nil {
		// No body: that is how clients know a server that lacks a call from a thing that does not exist.
		w.WriteHeader(http.StatusNotFound)
		return
	}
	do := calls[r.Method]
	if do == nil && r.Method == http.MethodHead {
		do = calls[http.MethodGet]
	}
	if do == nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	q := &request{Request: r, w: w, args: args, limit: d.MaxBodyBytes}
	defer q.letGo()
	answer, err := do(q)
	switch {
	case err != nil:
		d.fail(w, r, err)
	case !q.answered:
		d.write(w, r, http.StatusOK, answer)
	}
}

// write sends an answer. A small one is encoded whole before the first byte is sent, so that what goes wrong becomes an error.
func (d *door) write(w http.ResponseWriter, r *http.Request, status int, answer any) {
	out, _ := d.buffers.Get().(*output)
	if out == nil {
		out = &output{}
	}
	out.reset(w, status)
	defer d.buffers.Put(out)
	switch a := answer.(type) {
	case appender:
		a.appendTo(out)
	default:
		body, err := json.Marshal(answer)
		if err != nil {
			out.err = err
		}
		out.bytes = append(out.bytes, body...)
	}
	err := out.end()
	switch {
	case err == nil:
	case errors.Is(err, errGone):
		d.Logger.DebugContext(r.Context(), "client went away before the answer", "path", r.URL.Path, "error", err)
	case out.begun:
		d.Logger.ErrorContext(r.Context(), "an answer was cut off", "path", r.URL.Path, "error", err)
		panic(http.ErrAbortHandler) // the client must not take the beginning for the whole
	default:
		d.Logger.ErrorContext(r.Context(), "an answer cannot be encoded", "path", r.URL.Path, "error", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// failure is the body of an error, from which the client makes an MlflowException.
type failure struct {
	Code     string `json:"error_code"`
	Message  string `json:"message"`
	SQLState string `json:"sqlstate"`
	Class    string `json:"error_class"`
}

// kinds maps kinds of errors to MLflow's codes, statuses and classes.
var kinds = map[fault.Kind]struct {
	status            int
	code, state, name string
}{
	fault.Internal:      {500, "INTERNAL_ERROR", "XXM00", "CLIENT_INTERNAL_ERROR"},
	fault.Invalid:       {400, "INVALID_PARAMETER_VALUE", "KAM00", "INVALID_PARAMETER_VALUE"},
	fault.NotFound:      {404, "RESOURCE_DOES_NOT_EXIST", "KAM00", "RESOURCE_NOT_FOUND"},
	fault.Conflict:      {400, "RESOURCE_ALREADY_EXISTS", "KAM00", "RESOURCE_ALREADY_EXISTS"},
	fault.Unavailable:   {503, "TEMPORARILY_UNAVAILABLE", "XXM00", "CLIENT_INTERNAL_ERROR"},
	fault.Unimplemented: {501, "NOT_IMPLEMENTED", "KAM00", "FEATURE_DISABLED"},
	fault.TooLarge:      {413, "INVALID_PARAMETER_VALUE", "KAM00", "INVALID_PARAMETER_VALUE"},
	fault.Exhausted:     {429, "REQUEST_LIMIT_EXCEEDED", "XXM00", "CLIENT_INTERNAL_ERROR"},
}

func (d *door) fail(w http.ResponseWriter, r *http.Request, err error) {
	kind := fault.KindOf(err)
	var params *paramsError
	var state *tracking.StateError
	var twice *search.DuplicateError
	var archive *registry.ArchiveError
	k := kinds[kind]
	message := err.Error()
	switch {
	case errors.Is(err, tracking.ErrSignature):
		k.status, k.code, k.name = http.StatusForbidden, "PERMISSION_DENIED", "PERMISSION_DENIED"
	case errors.As(err, &params):
		k = kinds[fault.Invalid]
	case errors.As(err, &state):
		k.code = "INVALID_STATE"
	case errors.As(err, &twice), errors.As(err, &archive):
	case r.Context().Err() != nil:
		return // nobody listens
	case kind == fault.Unavailable:
		// What failed is told with the paths of this machine, which are no business of clients.
		d.Logger.ErrorContext(r.Context(), "a call of the MLflow API cannot be answered now", "path", r.URL.Path, "error", err)
		message = "The server cannot do this now; its log says why. Try again later."
	case kind == fault.Internal:
		d.Logger.ErrorContext(r.Context(), "a call of the MLflow API failed", "path", r.URL.Path, "error", err)
		message = "The server failed. Its log says why."
	}
	d.write(w, r, k.status, failure{Code: k.code, Message: message, SQLState: k.state, Class: k.name})
}
