package main

import (
	"bytes"
	"cmp"
	"context"
	bits "encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of the messages of the Open Inference Protocol, with the number that each has in its message
// (https://github.com/kserve/open-inference-protocol, open_inference_grpc.proto).
const (
	requestModel, requestInputs, requestRaw = 1, 5, 7
	tensorName, tensorType, tensorShape     = 1, 2, 3
	answerOutputs, answerRaw                = 5, 6
	tensorContents, contentsInt64           = 5, 3
)

// fp64 is an input of numbers.
type fp64 struct {
	name   string
	shape  []uint64
	values []float64
}

// call makes a form that asks over gRPC, and is answered with the label 0.
func call(inputs ...fp64) form {
	text := func(b []byte, n protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
	}
	message := text(nil, requestModel, "iris")
	for _, in := range inputs {
		var shape []byte
		for _, n := range in.shape {
			shape = protowire.AppendVarint(shape, n)
		}
		tensor := text(text(text(nil, tensorName, in.name), tensorType, "FP64"), tensorShape, string(shape))
		message = text(message, requestInputs, string(tensor))
	}
	for _, in := range inputs {
		var raw []byte
		for _, v := range in.values {
			raw = bits.LittleEndian.AppendUint64(raw, math.Float64bits(v))
		}
		message = text(message, requestRaw, string(raw))
	}
	frame := append(bits.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	return form{name: "Open Inference Protocol, gRPC", path: "/inference.GRPCInferenceService/ModelInfer", body: string(frame), grpc: true}
}

// call sends one request over gRPC and checks the answer.
func (f form) call(ctx context.Context, c *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+f.path, strings.NewReader(f.body))
	if err != nil {
		return err
	}
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	switch status := cmp.Or(resp.Trailer.Get("Grpc-Status"), resp.Header.Get("Grpc-Status")); status {
	case "0":
	case "8", "14": // RESOURCE_EXHAUSTED, UNAVAILABLE
		return errRefused
	default:
		return fmt.Errorf("gRPC status %q: %s", status, cmp.Or(resp.Trailer.Get("Grpc-Message"), resp.Header.Get("Grpc-Message")))
	}
	if len(text) < 5 || !saysZero(text[5:]) {
		return fmt.Errorf("%s answered %x", f.path, text)
	}
	return nil
}

// saysZero reports whether an answer has the label 0, as a tensor of INT64 with raw or with typed contents.
func saysZero(answer []byte) bool {
	if bytes.Equal(field(answer, answerRaw), make([]byte, 8)) {
		return true
	}
	return bytes.Equal(field(field(field(answer, answerOutputs), tensorContents), contentsInt64), []byte{0})
}

// field is the first field of a message with a number, which has a length; nil for none.
func field(message []byte, number protowire.Number) []byte {
	for len(message) > 0 {
		n, kind, used := protowire.ConsumeField(message)
		if used < 0 {
			return nil
		}
		if n == number && kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(message)
			value, _ := protowire.ConsumeBytes(message[tag:])
			return value
		}
		message = message[used:]
	}
	return nil
}
