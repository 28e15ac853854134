package onnxworker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"levada/internal/adapter/modelwire"
	"levada/internal/core/fault"
)

// worker is the state of a connection.
type worker struct {
	conn    io.ReadWriter
	session *session
	headers map[string]*modelwire.InputHeader // parsed, by their bytes: few clients send many shapes, and none is long
	buf     []byte
}

// longHeader is from how many bytes on a header is parsed each time it comes, and not kept: a client may send what fills it.
const longHeader = 16 << 10

// Serve answers frames until the server closes its end, which is nil.
func Serve(conn io.ReadWriter) error {
	w := &worker{conn: conn, headers: map[string]*modelwire.InputHeader{}}
	head := make([]byte, 4)
	for {
		f, err := modelwire.Read(conn, head)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := w.answer(f); err != nil {
			return err
		}
	}
	if w.session != nil {
		w.session.close()
	}
	return nil
}

// answer answers one frame. Its error is one of the connection.
func (w *worker) answer(f modelwire.Frame) error {
	kind, rows, header, buffers, err := w.do(f)
	if err != nil {
		failure := modelwire.FailureHeader{Error: fault.Shorten(err.Error(), 2000), Unfit: errors.Is(err, errUnfit)}
		kind = modelwire.KindFailed
		if bad := (badInput{}); errors.As(err, &bad) {
			kind, failure.Error = modelwire.KindRaised, "an error: "+failure.Error
		}
		header = failure
		rows, buffers = 0, nil
	}
	out, err := modelwire.Append(w.buf[:0], f.ID, kind, rows, header, buffers)
	if err != nil {
		header = modelwire.FailureHeader{Error: "the answer cannot be sent: " + err.Error()}
		if out, err = modelwire.Append(w.buf[:0], f.ID, modelwire.KindFailed, 0, header, nil); err != nil {
			return err
		}
	}
	if cap(out) <= 1<<20 {
		w.buf = out // a large one is not kept
	}
	_, err = w.conn.Write(out)
	return err
}

func (w *worker) do(f modelwire.Frame) (kind uint16, rows uint32, header any, buffers [][]byte, err error) {
	switch f.Kind {
	case modelwire.KindLoad:
		said, err := w.load(f.Header)
		return modelwire.KindOK, 0, said, nil, err
	case modelwire.KindCheck:
		return modelwire.KindOK, 0, struct{}{}, nil, nil
	case modelwire.KindPredict:
		if w.session == nil {
			return 0, 0, nil, nil, errors.New("there is no model yet")
		}
		out, buffers, err := w.predict(f)
		return modelwire.KindOK, f.Rows, out, buffers, err
	}
	return 0, 0, nil, nil, fmt.Errorf("%w: a frame of the kind %d", modelwire.ErrGarbage, f.Kind)
}

func (w *worker) load(header []byte) (modelwire.Loaded, error) {
	var o modelwire.Order
	if err := json.Unmarshal(header, &o); err != nil {
		return modelwire.Loaded{}, err
	}
	if o.ONNX == nil || w.session != nil {
		return modelwire.Loaded{}, errors.New("a worker loads one ONNX model")
	}
	lib, err := openLibrary(o.ONNX.Library)
	if err != nil {
		return modelwire.Loaded{}, fmt.Errorf("%w: %w", errUnfit, err)
	}
	local, err := filepath.Localize(o.ONNX.Model)
	if err != nil {
		return modelwire.Loaded{}, fmt.Errorf("the file %q: %w", o.ONNX.Model, err)
	}
	if w.session, err = lib.open(filepath.Join(o.Path, local), o); err != nil {
		return modelwire.Loaded{}, err
	}
	said := modelwire.Loaded{ONNXRuntime: lib.version, Rows: w.session.rows}
	said.Warmed, said.Note = w.session.warmUp(o)
	return said, nil
}

func (w *worker) predict(f modelwire.Frame) (modelwire.OutputHeader, [][]byte, error) {
	h := w.headers[string(f.Header)]
	if h == nil {
		h = &modelwire.InputHeader{}
		if err := json.Unmarshal(f.Header, h); err != nil {
			return modelwire.OutputHeader{}, nil, fmt.Errorf("%w: %w", modelwire.ErrGarbage, err)
		}
		if len(w.headers) < 100 && len(f.Header) < longHeader {
			w.headers[string(f.Header)] = h
		}
	}
	if len(h.Parameters) > 0 {
		return modelwire.OutputHeader{}, nil, badInput{errors.New("an ONNX model takes no parameters")}
	}
	tensors, err := tensorsOf(f, h)
	if err != nil {
		return modelwire.OutputHeader{}, nil, err
	}
	return w.session.predict(tensors, w.session.isTable(h))
}
