package oip

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"levada/internal/api/predict"
	"levada/internal/api/status"
	"levada/internal/core/fault"
)

const (
	grpcPrefix = "/inference.GRPCInferenceService/"
	// healthCheck is what load balancers and Kubernetes ask (grpc.health.v1).
	healthCheck = "/grpc.health.v1.Health/Check"
)

// method answers one call: a message comes in, a message goes out.
type method func(d *door, ctx context.Context, r *http.Request, message []byte) ([]byte, error)

var methods = map[string]method{
	grpcPrefix + "ServerLive": func(*door, context.Context, *http.Request, []byte) ([]byte, error) {
		return appendBool(nil, 1, true), nil
	},
	grpcPrefix + "ServerReady": func(*door, context.Context, *http.Request, []byte) ([]byte, error) {
		return appendBool(nil, 1, true), nil
	},
	grpcPrefix + "ServerMetadata": func(d *door, _ context.Context, _ *http.Request, _ []byte) ([]byte, error) {
		return encodeServer(d.Version), nil
	},
	grpcPrefix + "ModelReady":      (*door).modelReady,
	grpcPrefix + "ModelMetadata":   (*door).modelMetadata,
	grpcPrefix + "ModelInfer":      (*door).modelInfer,
	grpcPrefix + "ModelStatistics": (*door).modelStatistics,
	healthCheck:                    (*door).health,
}

// serveGRPC answers a call. gRPC is HTTP/2 with a frame around each message and the outcome in the trailer
// (grpc/grpc, doc/PROTOCOL-HTTP2.md).
func (d *door) serveGRPC(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusUnsupportedMediaType)
		_, _ = io.WriteString(w, "this address speaks gRPC; the same over REST is below /v2\n") // the client may be gone
		return
	}
	if reflectionCalls[r.URL.Path] {
		d.reflect(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	place := d.Room.Place()
	defer place.Leave()
	answer, err := d.call(w, r, place)
	if err != nil {
		code, message := d.grpcStatus(r, err)
		if code == status.Unimplemented {
			h.Set("Grpc-Accept-Encoding", "identity,deflate,gzip")
		}
		h.Set("Grpc-Status", strconv.Itoa(code))
		h.Set("Grpc-Message", percent(message))
		w.WriteHeader(http.StatusOK)
		return
	}
	h.Set("Trailer", "Grpc-Status")
	frame := make([]byte, 5, 5+len(answer))
	binary.BigEndian.PutUint32(frame[1:], uint32(len(answer)))
	if predict.Write(w, append(frame, answer...)) {
		h.Set("Grpc-Status", "0")
	}
}

func (d *door) call(w http.ResponseWriter, r *http.Request, place *predict.Place) ([]byte, error) {
	do, known := methods[r.URL.Path]
	if !known {
		return nil, fault.Unimplementedf("there is no call %s; those of the Open Inference Protocol are ServerLive, ServerReady, ModelReady, ServerMetadata, ModelMetadata, ModelInfer and ModelStatistics",
			fault.Shorten(r.URL.Path, 200))
	}
	message, err := d.oneMessage(w, r, place)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	if t := r.Header.Get("Grpc-Timeout"); t != "" {
		limit, ok := grpcTimeout(t)
		if !ok {
			return nil, fault.Invalidf("the header grpc-timeout is %q", fault.Shorten(t, 20))
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return do(d, ctx, r, message)
}

// oneMessage reads the one message of a call.
func (d *door) oneMessage(w http.ResponseWriter, r *http.Request, place *predict.Place) ([]byte, error) {
	body, err := predict.Body(w, r, d.MaxBody+5, place, nil)
	if err != nil {
		return nil, err
	}
	if len(body) < 5 {
		return nil, fault.Invalidf("the call has no message")
	}
	size := binary.BigEndian.Uint32(body[1:])
	if uint64(size) != uint64(len(body)-5) {
		return nil, fault.Invalidf("the call has one message that says it has %d bytes, and %d came", size, len(body)-5)
	}
	switch body[0] {
	case 0:
		return body[5:], nil
	case 1:
		return d.unpack(r.Header.Get("Grpc-Encoding"), body[5:], place)
	}
	return nil, fault.Invalidf("the flags of the message are %d", body[0])
}

// unpack unpacks a message that a client has compressed.
func (d *door) unpack(encoding string, message []byte, place *predict.Place) ([]byte, error) {
	z, err := predict.Unpack(encoding, bytes.NewReader(message))
	switch {
	case err != nil:
		return nil, fault.Invalidf("unpack the message: %w", err)
	case z == nil || encoding == "" || encoding == "identity":
		return nil, fault.Unimplementedf("messages compressed as %q are not read; gzip and deflate are", fault.Shorten(encoding, 20))
	}
	out, err := predict.ReadAll(z, d.MaxBody, place, nil)
	if fault.KindOf(err) == fault.Internal && err != nil {
		return nil, fault.Invalidf("unpack the message: %w", err)
	}
	return out, err
}

// grpcTimeout reads up to eight digits and a unit.
func grpcTimeout(s string) (time.Duration, bool) {
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	unit, ok := units[s[len(s)-1]]
	if limit := 365 * 24 * time.Hour; ok && n > uint64(limit/unit) {
		return limit, err == nil
	}
	return time.Duration(n) * unit, err == nil && ok
}

func (d *door) grpcStatus(r *http.Request, err error) (code int, message string) {
	answered := predict.Status(r.Context(), err)
	message = predict.Message(r, d.Logger, answered, err)
	kind := fault.KindOf(err)
	switch {
	case answered == http.StatusGatewayTimeout:
		return status.DeadlineExceeded, message
	case kind == fault.Internal && errors.Is(err, context.Canceled):
		return status.Canceled, "the call was given up"
	}
	return status.GRPC(kind), message
}

// percent writes a message as the header grpc-message has it.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (d *door) modelReady(ctx context.Context, _ *http.Request, message []byte) ([]byte, error) {
	name, version, err := decodeModel(message)
	if err != nil {
		return nil, err
	}
	err = d.Service.Ready(ctx, name, version)
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Exhausted:
		return appendBool(nil, 1, false), nil
	}
	return appendBool(nil, 1, err == nil), err
}

func (d *door) modelMetadata(ctx context.Context, _ *http.Request, message []byte) ([]byte, error) {
	name, version, err := decodeModel(message)
	if err != nil {
		return nil, err
	}
	m, err := d.Service.Metadata(ctx, name, version)
	return encodeMetadata(m), err
}

func (d *door) modelInfer(ctx context.Context, r *http.Request, message []byte) ([]byte, error) {
	c, raw, err := decodeInfer(message)
	if err != nil {
		return nil, err
	}
	ctx, cancel, err := withTimeout(ctx, c.Request)
	if err != nil {
		return nil, err
	}
	defer cancel()
	answer, err := d.Service.Infer(ctx, predict.Call(r, c.Endpoint, c.Version, c.Request))
	if err != nil {
		return nil, err
	}
	return encodeInfer(answer, raw)
}

// health answers for the whole server, or for one endpoint by its name.
func (d *door) health(ctx context.Context, _ *http.Request, message []byte) ([]byte, error) {
	const isServing, isNotServing = 1, 2
	name, _, err := decodeModel(message)
	if err != nil {
		return nil, err
	}
	state := uint64(isServing)
	if name != "" && name != strings.Trim(grpcPrefix, "/") {
		err := d.Service.Ready(ctx, name, "")
		if fault.KindOf(err) == fault.NotFound {
			return nil, err
		}
		if err != nil {
			state = isNotServing
		}
	}
	return appendUint(nil, 1, state), nil
}
