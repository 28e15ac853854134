// Package oip is the door for clients of the Open Inference Protocol v2 (github.com/kserve/open-inference-protocol): REST below /v2
// with the binary tensor data of Triton, and gRPC as inference.GRPCInferenceService on the same port, over HTTP/2 without TLS. A
// model of the protocol is an endpoint here, and its versions are those of the registered model.
//
// The package translates and knows nothing of models, batches or workers. Start reading at ServeHTTP, then request.go for REST and
// grpc.go for gRPC.
package oip

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"levada/internal/api/predict"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// Options is what the door needs.
type Options struct {
	Service predict.Service
	Logger  *slog.Logger
	// Version is Levada's, for the metadata of the server.
	Version string
	// MaxBody is the most bytes of a request that are read; 0 means predict.DefaultMaxBody.
	MaxBody int64
	// Room is for large bodies; nil has no bound.
	Room *predict.Room
}

type door struct{ Options }

// New returns the handler of the protocol.
func New(o Options) http.Handler {
	if o.MaxBody == 0 {
		o.MaxBody = predict.DefaultMaxBody
	}
	return &door{o}
}

// Owns reports whether a path belongs to the protocol.
func Owns(path string) bool {
	return path == "/v2" || strings.HasPrefix(path, "/v2/") || strings.HasPrefix(path, grpcPrefix) || path == healthCheck || reflectionCalls[path]
}

// extensions of the protocol that are spoken here, by Triton's names.
var extensions = []string{"binary_tensor_data", "model_repository", "statistics"}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/v2") {
		d.serveGRPC(w, r)
		return
	}
	var body []byte
	err := fault.NotFoundf("there is nothing at %s: the protocol has /v2, /v2/health/ready, /v2/models/NAME and /v2/models/NAME/infer", fault.Shorten(r.URL.Path, 200))
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/v2"), "/"), "/")
	switch {
	case parts[0] == "" && len(parts) == 1:
		body, err = get(r, func() ([]byte, error) { return d.server(), nil })
	case parts[0] == "health" && len(parts) == 2 && (parts[1] == "live" || parts[1] == "ready"):
		body, err = get(r, func() ([]byte, error) { return fmt.Appendf(nil, `{%q:true}`, parts[1]), nil })
	case parts[0] == "models":
		d.model(w, r, parts[1:])
		return
	case parts[0] == "repository":
		body, err = d.repository(r, parts[1:])
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	d.write(w, r, http.StatusOK, body)
}

// methodError is a request with a method that a path does not have.
type methodError struct{ method, want string }

func (e *methodError) Error() string {
	return fmt.Sprintf("%s is not possible here; use %s", fault.Shorten(e.method, 20), e.want)
}

func get(r *http.Request, answer func() ([]byte, error)) ([]byte, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, &methodError{r.Method, http.MethodGet}
	}
	return answer()
}

// model answers below /v2/models.
func (d *door) model(w http.ResponseWriter, r *http.Request, parts []string) {
	var name, version string
	if len(parts) > 0 {
		name, parts = parts[0], parts[1:]
	}
	if len(parts) > 1 && parts[0] == "versions" {
		version, parts = parts[1], parts[2:]
	}
	if len(parts) == 1 && parts[0] == "infer" && name != "" {
		d.infer(w, r, name, version)
		return
	}
	body, err := get(r, func() ([]byte, error) {
		switch {
		case name == "" && len(parts) == 0:
			return d.list(r.Context())
		case name != "" && len(parts) == 0:
			m, err := d.Service.Metadata(r.Context(), name, version)
			if name == "stats" && version == "" && fault.KindOf(err) == fault.NotFound {
				return d.statistics(r.Context(), "", "") // of all models, unless one has that name
			}
			return appendMetadata(nil, m), err
		case len(parts) == 1 && parts[0] == "ready" && name != "":
			err := d.Service.Ready(r.Context(), name, version)
			return append(append([]byte(`{"name":`), predict.AppendString(nil, name)...), `,"ready":true}`...), err
		case len(parts) == 1 && parts[0] == "stats" && name != "":
			return d.statistics(r.Context(), name, version)
		}
		return nil, fault.NotFoundf("there is nothing at %s: a model has its metadata, /ready, /stats and /infer, each also below /versions/VERSION", fault.Shorten(r.URL.Path, 200))
	})
	if err != nil {
		d.fail(w, r, err)
		return
	}
	d.write(w, r, http.StatusOK, body)
}

func (d *door) server() []byte {
	b := append([]byte(`{"name":"levada","version":`), predict.AppendString(nil, d.Version)...)
	b = append(b, `,"extensions":`...)
	return append(appendStrings(b, extensions), '}')
}

func (d *door) list(ctx context.Context) ([]byte, error) {
	names, err := d.Service.Endpoints(ctx)
	return append(appendStrings([]byte(`{"models":`), names), '}'), err
}

// repository answers the extension of that name: its index. Endpoints are loaded by deploying them.
func (d *door) repository(r *http.Request, parts []string) ([]byte, error) {
	switch {
	case len(parts) == 1 && parts[0] == "index":
		if r.Method != http.MethodPost {
			return nil, &methodError{r.Method, http.MethodPost}
		}
		return d.repositoryIndex(r.Context())
	case len(parts) == 3 && parts[0] == "models" && (parts[2] == "load" || parts[2] == "unload"):
		return nil, fault.Unimplementedf("models are not loaded over this protocol: levada deploy makes an endpoint of a registered model, and levada endpoints shows and deletes them")
	}
	return nil, fault.NotFoundf("there is nothing at %s: the model repository has /v2/repository/index", fault.Shorten(r.URL.Path, 200))
}

func (d *door) repositoryIndex(ctx context.Context) ([]byte, error) {
	names, err := d.Service.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	b := []byte{'['}
	for _, name := range names {
		m, err := d.Service.Metadata(ctx, name, "")
		if fault.KindOf(err) == fault.NotFound {
			continue // deleted meanwhile
		}
		state, reason := "READY", ""
		if err == nil {
			err = d.Service.Ready(ctx, name, "")
		}
		if err != nil {
			state, reason = "UNAVAILABLE", err.Error()
		}
		if len(m.Versions) == 0 {
			m.Versions = []string{""}
		}
		for _, v := range m.Versions {
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = predict.AppendString(append(b, `{"name":`...), name)
			b = predict.AppendString(append(b, `,"version":`...), v)
			b = predict.AppendString(append(b, `,"state":`...), state)
			b = predict.AppendString(append(b, `,"reason":`...), reason)
			b = append(b, '}')
		}
	}
	return append(b, ']'), nil
}

// infer answers a request for a prediction over REST.
func (d *door) infer(w http.ResponseWriter, r *http.Request, name, version string) {
	if r.Method != http.MethodPost {
		d.fail(w, r, &methodError{r.Method, http.MethodPost})
		return
	}
	place := d.Room.Place()
	defer place.Leave()
	answer, binary, err := d.predict(w, r, name, version, place)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	predict.SetID(w, answer.ID)
	buf := predict.Buffer()
	defer predict.Recycle(buf)
	text, parts, err := appendResponse((*buf)[:0], answer, binary)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	*buf = text
	if parts == nil {
		d.write(w, r, http.StatusOK, text)
		return
	}
	size := len(text)
	for _, p := range parts {
		size += len(p)
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set(headerLength, strconv.Itoa(len(text)))
	h.Set("Content-Length", strconv.Itoa(size))
	predict.Write(w, append([][]byte{text}, parts...)...)
}

func (d *door) predict(w http.ResponseWriter, r *http.Request, name, version string, place *predict.Place) (*infer.Response, *binaryOutputs, error) {
	if err := d.Service.Known(name, version); err != nil {
		return nil, nil, err
	}
	request, binary, err := d.read(w, r, place)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel, err := predict.Deadline(r)
	if err != nil {
		return nil, nil, err
	}
	defer cancel()
	ctx, cancelToo, err := withTimeout(ctx, request)
	if err != nil {
		return nil, nil, err
	}
	defer cancelToo()
	answer, err := d.Service.Infer(ctx, predict.Call(r, name, version, request))
	return answer, binary, err
}

// fail answers with an error in the protocol's form.
func (d *door) fail(w http.ResponseWriter, r *http.Request, err error) {
	if wrong, ok := err.(*methodError); ok { //nolint:errorlint // made here and wrapped by nobody
		w.Header().Set("Allow", wrong.want)
		d.write(w, r, http.StatusMethodNotAllowed, failure(wrong.Error()))
		return
	}
	status := predict.Status(r.Context(), err)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close")
	}
	d.write(w, r, status, failure(predict.Message(r, d.Logger, status, err)))
}

func failure(message string) []byte {
	return append(predict.AppendString([]byte(`{"error":`), message), '}')
}

func (d *door) write(w http.ResponseWriter, _ *http.Request, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	predict.Write(w, body)
}
