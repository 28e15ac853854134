package remotemodel

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// grpcForm asks over gRPC: HTTP/2 with a frame around each message and the outcome in the trailer (grpc/grpc, doc/PROTOCOL-HTTP2.md).
type grpcForm struct {
	w              *Worker
	server         string // scheme and host
	model, version string
}

// newGRPC takes apart the URL of a model, whose form was checked when it was deployed: HOST/v2/models/NAME[/versions/VERSION].
func newGRPC(w *Worker, raw string) (*grpcForm, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fault.Invalidf("the URL of the remote cannot be used")
	}
	_, path, _ := strings.Cut(u.Path, "/v2/models/")
	f := &grpcForm{w: w, server: u.Scheme + "://" + u.Host}
	f.model, f.version, _ = strings.Cut(path, "/versions/")
	return f, nil
}

const grpcService = "/inference.GRPCInferenceService/"

func (f *grpcForm) ready(ctx context.Context, limit time.Duration) error {
	text := func(b []byte, n protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
	}
	message := text(nil, 1, f.model)
	if f.version != "" {
		message = text(message, 2, f.version)
	}
	answer, err := f.call(ctx, "ModelReady", message, limit)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(answer, []byte{1<<3 | byte(protowire.VarintType), 1}):
		return fault.Unavailablef("the other server says that its model is not ready")
	}
	return nil
}

func (f *grpcForm) infer(ctx context.Context, r *infer.Request, limit time.Duration) (*infer.Response, error) {
	for name, v := range r.Parameters {
		switch v.(type) {
		case bool, int, int64, float64, string:
		default:
			return nil, fault.Invalidf("the parameter %q cannot be sent to the other server over gRPC: want a number, a text, true or false", fault.Shorten(name, 100))
		}
	}
	answer, err := f.call(ctx, "ModelInfer", f.w.host.opt.Encode(f.model, f.version, r), limit)
	if err != nil {
		return nil, err
	}
	out, err := f.w.host.opt.Decode(answer)
	if err != nil {
		return nil, fault.Unavailablef("the other server's answer: %s", fault.Shorten(err.Error(), 500))
	}
	if len(out.Outputs) == 0 {
		return nil, fault.Unavailablef("the other server's answer has no outputs")
	}
	return out, nil
}

// call sends one message and returns the one that comes back.
func (f *grpcForm) call(ctx context.Context, method string, message []byte, limit time.Duration) ([]byte, error) {
	asked := ctx
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.server+grpcService+method, bytes.NewReader(append(frame, message...)))
	if err != nil {
		return nil, fault.Invalidf("the URL of the remote cannot be used")
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	if at, has := ctx.Deadline(); has {
		req.Header.Set("Grpc-Timeout", strconv.FormatInt(min(max(1, time.Until(at).Milliseconds()), 99_999_999), 10)+"m")
	}
	resp, answer, err := f.w.exchange(f.w.host.grpc, req, limit) //nolint:bodyclose // exchange has read and closed it
	if err != nil {
		return nil, f.w.unreached(asked, err)
	}
	status, said := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if status == "" { // without a message everything is in the header
		status, said = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	switch {
	case resp.StatusCode != http.StatusOK || status == "":
		return nil, f.w.lost(fault.Unavailablef("the other server does not speak gRPC here: status %d", resp.StatusCode))
	case status != "0":
		return nil, f.refused(status, said)
	case len(answer) < 5 || answer[0] != 0 || uint64(binary.BigEndian.Uint32(answer[1:])) != uint64(len(answer)-5):
		return nil, fault.Unavailablef("the other server's answer is not one message of gRPC")
	}
	return answer[5:], nil
}

// refused explains a status that is not OK (google.rpc.Code).
func (f *grpcForm) refused(status, said string) error {
	if decoded, err := url.PathUnescape(said); err == nil {
		said = decoded
	}
	text := fmt.Sprintf("gRPC status %s: %s", fault.Shorten(status, 20), fault.Shorten(strings.ToValidUTF8(said, "?"), 500))
	switch status {
	case "3", "11": // INVALID_ARGUMENT, OUT_OF_RANGE
		return fault.Invalidf("the other server refuses the input: %s", text)
	case "7", "16": // PERMISSION_DENIED, UNAUTHENTICATED
		return f.w.lost(fault.Unavailablef("the other server refuses the request: %s", text))
	case "4": // DEADLINE_EXCEEDED
		return fmt.Errorf("%w (%w)", fault.Unavailablef("the other server: %s", text), context.DeadlineExceeded)
	}
	return fault.Unavailablef("the other server: %s", text)
}

// exchange sends a request and reads the answer whole. Errors are those of getting one, whatever it says.
func (w *Worker) exchange(c *http.Client, req *http.Request, limit time.Duration) (*http.Response, []byte, error) {
	req.Header.Set("User-Agent", "levada")
	if w.authorization != "" {
		req.Header.Set("Authorization", w.authorization)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, nil, reaching(req.Context(), err, limit)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, w.host.opt.MaxAnswer+1))
	if err != nil {
		return nil, nil, reaching(req.Context(), err, limit)
	}
	if int64(len(answer)) > w.host.opt.MaxAnswer {
		return nil, nil, fault.Unavailablef("the other server answered more than %d bytes", w.host.opt.MaxAnswer)
	}
	return resp, answer, nil
}

// unreached says what an exchange that failed means: that nobody waits any more, or that the server is lost.
func (w *Worker) unreached(asked context.Context, err error) error {
	if asked.Err() != nil {
		return asked.Err()
	}
	return w.lost(err)
}

// reaching explains an error of the transport, without the URL.
func reaching(ctx context.Context, err error, limit time.Duration) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w (%w)", fault.Unavailablef("the other server gave no answer within %s", limit), context.DeadlineExceeded)
	}
	if fault.KindOf(err) == fault.Invalid {
		return err // an address that must not be reached
	}
	return fault.Unavailablef("the other server cannot be reached: %w", err)
}
