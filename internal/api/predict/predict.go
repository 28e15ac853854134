// Package predict is what the doors of serving share: what they need of the service, how a body is read within its bounds, and JSON
// that is read and written without reflection and without a tree. It knows no protocol; those are in packages oip and invocations.
// Start reading at Service, then reader.go and column.go.
package predict

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"levada/internal/api/status"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/serving"
)

// Service answers requests for predictions.
type Service interface {
	// Infer chooses a version, fits the request to its signature, has it answered, and leaves of the answer the outputs that were asked for.
	Infer(ctx context.Context, c serving.Call) (*infer.Response, error)
	Metadata(ctx context.Context, endpoint, version string) (infer.Metadata, error)
	// Known is nil where there is an endpoint of a name, and a version of it unless none is named.
	Known(endpoint, version string) error
	// Ready is nil when the endpoint answers.
	Ready(ctx context.Context, endpoint, version string) error
	Endpoints(ctx context.Context) ([]string, error)
	// Statistics are those of an endpoint's versions, of one of them, or of all endpoints where none is named.
	Statistics(ctx context.Context, endpoint, version string) ([]infer.Statistics, error)
}

// DefaultMaxBody is the most bytes of a request that are read, where no setting says otherwise.
const DefaultMaxBody = 64 << 20

// A client may take readTime to send a body, and send nothing of it for the time of silence.
const (
	readTime = 60 * time.Second
	silence  = 15 * time.Second
)

// Headers that requests of every protocol may have.
const (
	// KeyHeader names what sticks to a version, such as a user.
	KeyHeader = "X-Levada-Key"
	// TimeoutHeader says how long the client waits: 250ms, 2s, or a number of seconds.
	TimeoutHeader = "X-Levada-Timeout"
	// IDHeader is the id of the request, where its body has none, and of the answer, where the request has an id.
	IDHeader = "X-Request-Id"
)

// SetID says in a header of the answer which id the request has; an id that is no header stays in the body alone.
func SetID(w http.ResponseWriter, id string) {
	if id == "" || len(id) > 200 || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
		return
	}
	w.Header().Set(IDHeader, id)
}

// buffers are reused between requests; one that grew large is left to the collector.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const keepBuffer = 1 << 20

// Buffer takes a buffer; the caller gives it back to Recycle when nothing refers to it.
func Buffer() *[]byte { return buffers.Get().(*[]byte) }

// Recycle takes a buffer back.
func Recycle(b *[]byte) {
	if cap(*b) <= keepBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// Deadline gives the context of a request the deadline that its header asks for.
func Deadline(r *http.Request) (context.Context, context.CancelFunc, error) {
	h := r.Header.Get(TimeoutHeader)
	if h == "" {
		return r.Context(), func() {}, nil
	}
	d, err := time.ParseDuration(h)
	if err != nil {
		seconds, numeric := strconv.ParseFloat(h, 64)
		if numeric != nil {
			return nil, nil, fault.Invalidf("the header %s is %q; it says how long to wait, such as 250ms or 2s", TimeoutHeader, fault.Shorten(h, 40))
		}
		d = time.Duration(min(max(seconds, 0), 1e6) * float64(time.Second))
	}
	if d <= 0 {
		return nil, nil, fault.Invalidf("the header %s is %q; it says how long to wait, such as 250ms or 2s", TimeoutHeader, fault.Shorten(h, 40))
	}
	ctx, cancel := context.WithTimeout(r.Context(), d)
	return ctx, cancel, nil
}

// Call is the call of a service that a request makes; request is nil where it is made later.
func Call(r *http.Request, endpoint, version string, request *infer.Request) serving.Call {
	if request != nil && request.ID == "" {
		request.ID = r.Header.Get(IDHeader)
	}
	return serving.Call{Endpoint: endpoint, Version: version, Key: r.Header.Get(KeyHeader), Header: r.Header.Get, Request: request}
}

// Message is what a client is told of a failure with a status. What went wrong inside is logged, once, under an id.
func Message(r *http.Request, log *slog.Logger, code int, err error) string {
	switch {
	case fault.KindOf(err) != fault.Internal:
		return err.Error()
	case code == http.StatusGatewayTimeout:
		return "the deadline of the request passed before the model answered"
	case code == status.ClientGone:
		return "the request was given up"
	}
	id := rand.Text()[:10]
	log.ErrorContext(r.Context(), "a prediction failed", "error_id", id, "path", fault.Shorten(r.URL.Path, 200), "error", err)
	return "an internal error occurred; the server's log has it under error_id=" + id
}

// Status is the HTTP status of a failure, or status.ClientGone.
func Status(ctx context.Context, err error) int {
	kind := fault.KindOf(err)
	if (kind == fault.Unavailable || kind == fault.Internal) && errors.Is(err, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	if kind == fault.Internal && errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return status.ClientGone
	}
	return status.HTTP(kind)
}
