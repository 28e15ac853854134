// Package invocations is the door for clients of MLflow's scoring server and of Amazon SageMaker: POST /invocations with JSON or CSV,
// and GET /ping, /health and /version. An endpoint is reached at /endpoints/NAME (where boto3's sagemaker-runtime asks), at
// /serving-endpoints/NAME (where mlflow.deployments asks), or at the root of a port of its own, as a container of SageMaker has it.
//
// The package translates and knows nothing of models, batches or workers. Start reading at ServeHTTP, then request.go.
package invocations

import (
	"cmp"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"levada/internal/api/predict"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/serving"
)

// Options is what the door needs.
type Options struct {
	Service predict.Service
	Logger  *slog.Logger
	// Version is Levada's, for /version.
	Version string
	// MaxBody is the most bytes of a request that are read; 0 means predict.DefaultMaxBody.
	MaxBody int64
	// Room is for large bodies; nil has no bound.
	Room *predict.Room
	// Endpoint is the only one that is served, at the root; empty for a door to all of them, by name.
	Endpoint string
}

type door struct{ Options }

// New returns the handler.
func New(o Options) http.Handler {
	if o.MaxBody == 0 {
		o.MaxBody = predict.DefaultMaxBody
	}
	return &door{o}
}

const (
	sagemakerPrefix  = "/endpoints/"
	databricksPrefix = "/serving-endpoints/"
)

// Owns reports whether a path belongs to a door to all endpoints. Pages of the web interface begin with /endpoints too.
func Owns(path string) bool {
	if rest, ok := strings.CutPrefix(path, databricksPrefix); ok {
		return rest != ""
	}
	if ownsListing(path) {
		return true
	}
	rest, ok := strings.CutPrefix(path, sagemakerPrefix)
	if !ok {
		return false
	}
	_, action, _ := strings.Cut(rest, "/")
	switch action {
	case "invocations", "ping", "health", "version":
		return true
	}
	return false
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, action := d.Endpoint, strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		if ownsListing(r.URL.Path) {
			d.list(w, r)
			return
		}
		rest, found := strings.CutPrefix(r.URL.Path, sagemakerPrefix)
		if !found {
			rest = strings.TrimPrefix(r.URL.Path, databricksPrefix)
		}
		name, action, _ = strings.Cut(rest, "/")
	}
	switch {
	case action == "invocations" && r.Method == http.MethodPost:
		d.invoke(w, r, name)
	case (action == "ping" || action == "health" || action == "version") && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		d.alive(w, r, name, action)
	case action == "invocations", action == "ping", action == "health", action == "version":
		d.write(w, http.StatusMethodNotAllowed, failure("BAD_REQUEST", fmt.Sprintf("%s is not possible for %s", fault.Shorten(r.Method, 20), action)))
	default:
		d.fail(w, r, fault.NotFoundf("there is nothing at %s: an endpoint has /invocations, /ping, /health and /version", fault.Shorten(r.URL.Path, 200)))
	}
}

// alive answers the checks of load balancers, in MLflow's form.
func (d *door) alive(w http.ResponseWriter, r *http.Request, name, action string) {
	if action == "version" {
		d.write(w, http.StatusOK, []byte(d.Version))
		return
	}
	if err := d.Service.Ready(r.Context(), name, ""); err != nil {
		d.fail(w, r, err)
		return
	}
	d.write(w, http.StatusOK, []byte("\n"))
}

// variantHeader is how SageMaker's clients ask for a version, and how they are told which one answered.
const (
	variantWanted   = "X-Amzn-Sagemaker-Target-Variant"
	variantAnswered = "X-Amzn-Invoked-Production-Variant"
)

// withoutHeader names the soft steps of an inference graph that the answer was made without: the bodies have no place for it.
const withoutHeader = "X-Levada-Without"

func (d *door) invoke(w http.ResponseWriter, r *http.Request, name string) {
	place := d.Room.Place()
	defer place.Leave()
	answer, p, err := d.predict(w, r, name, place)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	buf := predict.Buffer()
	defer predict.Recycle(buf)
	text, err := appendAnswer((*buf)[:0], answer, p.bare)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	*buf = text
	w.Header().Set(variantAnswered, answer.Version)
	predict.SetID(w, answer.ID)
	if without, ok := answer.Parameters[serving.ParameterWithout].(string); ok {
		w.Header().Set(withoutHeader, without)
	}
	d.write(w, http.StatusOK, text)
}

func (d *door) predict(w http.ResponseWriter, r *http.Request, name string, place *predict.Place) (*infer.Response, parsed, error) {
	ctx, cancel, err := predict.Deadline(r)
	if err != nil {
		return nil, parsed{}, err
	}
	defer cancel()
	version := r.Header.Get(variantWanted)
	if err := d.Service.Known(name, version); err != nil {
		return nil, parsed{}, err
	}
	// All values are decoded into memory of their own, so that the text can be read into a shared buffer.
	buf := predict.Buffer()
	defer predict.Recycle(buf)
	p, err := d.read(w, r, place, buf)
	if err != nil {
		return nil, p, err
	}
	call := predict.Call(r, name, version, nil)
	call.Read = func(s *infer.Signature) (*infer.Request, error) {
		if p.csv != nil {
			t, err := readCSV(p.csv, s)
			if err != nil {
				return nil, err
			}
			p.request = &infer.Request{Inputs: t.tensors()}
			mark(p.request, infer.ContentTable)
		}
		p.request.ID = cmp.Or(r.Header.Get("X-Amzn-Sagemaker-Inference-Id"), r.Header.Get(predict.IDHeader))
		return p.request, nil
	}
	answer, err := d.Service.Infer(ctx, call)
	return answer, p, err
}

// mediaError is a body of a type that is not read.
type mediaError struct{ message string }

func (e *mediaError) Error() string { return e.message }

// read reads the body into a buffer, and what it says as far as that can be known without a signature.
func (d *door) read(w http.ResponseWriter, r *http.Request, place *predict.Place, buf *[]byte) (parsed, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch charset := params["charset"]; {
	case err != nil && r.Header.Get("Content-Type") != "":
		return parsed{}, &mediaError{"The Content-Type cannot be read; it is application/json or text/csv"}
	case charset != "" && !strings.EqualFold(charset, "utf-8"):
		return parsed{}, &mediaError{"The scoring server only supports UTF-8"}
	}
	if *buf, err = predict.Body(w, r, d.MaxBody, place, *buf); err != nil {
		return parsed{}, err
	}
	switch media {
	case "application/json", "", "application/x-www-form-urlencoded", "application/octet-stream": // the last are what curl and boto3 send where nothing is said
		return readJSON(*buf)
	case "text/csv":
		return parsed{csv: *buf}, nil
	}
	return parsed{}, &mediaError{fmt.Sprintf("This predictor only supports the content types application/json and text/csv. Got '%s'.", fault.Shorten(media, 60))}
}

// codes are MLflow's error codes and SageMaker's error types by status.
var codes = map[int]struct{ mlflow, sagemaker string }{
	http.StatusBadRequest:            {"BAD_REQUEST", "ModelError"},
	http.StatusNotFound:              {"RESOURCE_DOES_NOT_EXIST", "ValidationError"},
	http.StatusConflict:              {"RESOURCE_CONFLICT", "ValidationError"},
	http.StatusRequestEntityTooLarge: {"INVALID_PARAMETER_VALUE", "ValidationError"},
	http.StatusTooManyRequests:       {"RESOURCE_EXHAUSTED", "ThrottlingException"},
	http.StatusServiceUnavailable:    {"TEMPORARILY_UNAVAILABLE", "ServiceUnavailable"},
	http.StatusGatewayTimeout:        {"DEADLINE_EXCEEDED", "ModelError"},
	http.StatusNotImplemented:        {"NOT_IMPLEMENTED", "ValidationError"},
	http.StatusInternalServerError:   {"INTERNAL_ERROR", "InternalFailure"},
}

// fail answers with an error whose body MLflow's clients read, and boto3 too; the type of the error, of which boto3 makes its exception, goes in a header.
func (d *door) fail(w http.ResponseWriter, r *http.Request, err error) {
	if media, ok := err.(*mediaError); ok { //nolint:errorlint // made here and wrapped by nobody
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusUnsupportedMediaType)
		_, _ = w.Write([]byte(media.message)) // the client may have gone
		return
	}
	status := predict.Status(r.Context(), err)
	message := predict.Message(r, d.Logger, status, err)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	code := codes[status]
	body := failure(code.mlflow, message)
	if code.sagemaker != "" {
		w.Header().Set("x-amzn-ErrorType", code.sagemaker)
	}
	if code.sagemaker == "ModelError" {
		body = append(body[:len(body)-1], `,"OriginalStatusCode":`...)
		body = append(strconv.AppendInt(body, int64(status), 10), `,"OriginalMessage":`...)
		body = append(predict.AppendString(body, message), '}')
	}
	d.write(w, status, body)
}

func failure(code, message string) []byte {
	b := predict.AppendString([]byte(`{"error_code":`), code)
	return append(predict.AppendString(append(b, `,"message":`...), message), '}')
}

func (d *door) write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	predict.Write(w, body)
}
