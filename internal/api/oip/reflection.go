package oip

import (
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"levada/internal/core/fault"
)

// Reflection is how clients such as grpcurl ask a server what it speaks (grpc/grpc, doc/server-reflection.md). Both versions of it have the
// same messages.
var reflectionCalls = map[string]bool{
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      true,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": true,
}

const (
	mostQuestion  = 64 << 10 // bytes of a question
	mostQuestions = 1000     // of one stream
	questionTime  = 30 * time.Second
)

// reflect answers a stream of questions, each when it comes.
func (d *door) reflect(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Trailer", "Grpc-Status, Grpc-Message")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	_ = control.Flush() // a client may wait for the header before it asks
	err := answerQuestions(r.Body, func() { _ = control.SetReadDeadline(time.Now().Add(questionTime)) }, func(message []byte) error {
		frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
		if _, err := w.Write(append(frame, message...)); err != nil {
			return err
		}
		return control.Flush()
	})
	h.Set("Grpc-Status", "0")
	if err != nil {
		code, message := d.grpcStatus(r, err)
		h.Set("Grpc-Status", strconv.Itoa(code))
		h.Set("Grpc-Message", percent(message))
	}
}

// answerQuestions reads questions until there are no more. before is called before each.
func answerQuestions(from io.Reader, before func(), answer func([]byte) error) error {
	for range mostQuestions {
		before()
		var head [5]byte
		if _, err := io.ReadFull(from, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fault.Invalidf("the question could not be read: %w", err)
		}
		size := binary.BigEndian.Uint32(head[1:])
		switch {
		case head[0] != 0:
			return fault.Unimplementedf("compressed questions are not read")
		case size > mostQuestion:
			return fault.TooLargef("the question has %d bytes; at most %d are read", size, mostQuestion)
		}
		question := make([]byte, size)
		if _, err := io.ReadFull(from, question); err != nil {
			return fault.Invalidf("the question could not be read: %w", err)
		}
		message, err := answerQuestion(question)
		if err != nil {
			return err
		}
		if err := answer(message); err != nil {
			return nil //nolint:nilerr // the client has gone
		}
	}
	return fault.Exhaustedf("a stream has at most %d questions: begin another one", mostQuestions)
}

// answerQuestion answers one ServerReflectionRequest.
func answerQuestion(question []byte) ([]byte, error) {
	var host, asked string
	var kind protowire.Number
	err := fields(question, func(n protowire.Number, v value) (err error) {
		switch n {
		case 1:
			host, err = v.text()
		case 3, 4, 6, 7:
			kind = n
			asked, err = v.text()
		case 5:
			kind = n
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := appendMessage(appendText(nil, 1, host), 2, question)
	switch kind {
	case 3, 4:
		for _, f := range files() {
			if kind == 3 && f.name == asked || kind == 4 && f.has(asked) {
				return appendMessage(out, 4, appendMessage(nil, 1, f.bytes)), nil
			}
		}
		return appendMessage(out, 7, notDescribed(fault.Shorten(asked, 200)+" is not described here")), nil
	case 7:
		var list []byte
		for _, f := range files() {
			list = appendMessage(list, 1, appendText(nil, 1, f.service))
		}
		return appendMessage(out, 6, list), nil
	}
	return appendMessage(out, 7, notDescribed("there are no extensions here")), nil
}

// notDescribed is an ErrorResponse with the status NOT_FOUND.
func notDescribed(text string) []byte { return appendText(appendUint(nil, 1, 5), 2, text) }

// has reports whether a file describes a symbol: a message, a service, a call, or a field.
func (f *described) has(symbol string) bool {
	if f.symbols[symbol] {
		return true
	}
	outer := strings.LastIndexByte(symbol, '.')
	return outer > 0 && f.symbols[symbol[:outer]] && symbol[:outer] != f.service
}
