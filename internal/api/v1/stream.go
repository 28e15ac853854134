package v1

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// writeTimeout is how long one event may take to reach the client before the client is given up.
const writeTimeout = 30 * time.Second

// stream writes server-sent events (HTML Living Standard, section 9.2).
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// openStream sends the headers of an event stream. The buffering header is for proxies that would hold events back.
func openStream(ctx huma.Context) (*stream, error) {
	_, w := humago.Unwrap(ctx)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s := &stream{w: w, rc: http.NewResponseController(w)}
	return s, s.flush()
}

// send writes one event; it may stay in a buffer until flush.
func (s *stream) send(event string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return s.sendEncoded(event, body)
}

// sendEncoded writes one event whose data is JSON already, without line breaks, as encoding/json writes it.
func (s *stream) sendEncoded(event string, body []byte) error {
	b := make([]byte, 0, len(event)+len(body)+17)
	b = append(b, "event: "...)
	b = append(b, event...)
	b = append(b, "\ndata: "...)
	b = append(b, body...)
	b = append(b, "\n\n"...)
	return s.write(b)
}

// heartbeat writes a comment, which clients ignore, so that nothing between takes the connection for dead.
func (s *stream) heartbeat() error {
	if err := s.write([]byte(": still here\n\n")); err != nil {
		return err
	}
	return s.flush()
}

func (s *stream) write(b []byte) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_, err := s.w.Write(b)
	return err
}

func (s *stream) flush() error { return s.rc.Flush() }

// eventStreamResponse describes an event stream in OpenAPI, which has no word for its events: description has.
func eventStreamResponse(description string) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
		"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}}}
}
