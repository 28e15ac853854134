package modelwire

import (
	"encoding/json"
	"fmt"

	"levada/internal/core/infer"
)

// Order is the header of a LOAD.
type Order struct {
	// Path is the folder with the files of the model.
	Path string `json:"path"`
	// Flavors and Example are those of the file MLmodel.
	Flavors   map[string]map[string]any `json:"flavors"`
	Example   map[string]any            `json:"example"`
	Signature Signature                 `json:"signature"`
	// ONNX is for workers that run models with ONNX Runtime; nil for others.
	ONNX *ONNX `json:"onnx,omitempty"`
}

// Signature is that of the file MLmodel, each part JSON.
type Signature struct {
	Inputs  json.RawMessage `json:"inputs"`
	Outputs json.RawMessage `json:"outputs"`
	Params  json.RawMessage `json:"params"`
}

// ONNX says how a model is run with ONNX Runtime.
type ONNX struct {
	// Library is the shared library of ONNX Runtime, an absolute path. Model is the file of the model, within the folder.
	Library string `json:"library"`
	Model   string `json:"model"`
	// Threads is how many an operator may use.
	Threads int `json:"threads"`
}

// Loaded is the header of the answer to a LOAD.
type Loaded struct {
	// Python is the version of the interpreter, ONNXRuntime that of the library; one of them is empty.
	Python      string `json:"python,omitempty"`
	ONNXRuntime string `json:"onnxruntime,omitempty"`
	// Warmed says that the model has predicted its own example; Note, why it has not.
	Warmed bool   `json:"warmed"`
	Note   string `json:"note"`
	// Rows is the only first dimension that the model takes; 0 where it takes any.
	Rows int64 `json:"rows,omitempty"`
}

// Runtime says in words what runs the model.
func (l Loaded) Runtime() string {
	if l.ONNXRuntime != "" {
		return "ONNX Runtime " + l.ONNXRuntime
	}
	return "Python " + l.Python
}

// InputHeader is the header of a prediction.
type InputHeader struct {
	Inputs     []TensorHeader `json:"inputs"`
	Parameters map[string]any `json:"parameters,omitempty"`
	// Content is one of infer's content types of requests; empty where the client did not say.
	Content string `json:"content,omitempty"`
}

// TensorHeader describes a buffer. A first dimension of -1 stands for the rows of the frame.
type TensorHeader struct {
	Name     string         `json:"name"`
	Datatype infer.Datatype `json:"datatype"`
	Shape    []int64        `json:"shape"`
	Content  string         `json:"content,omitempty"`
}

// OutputHeader is the header of an answer to a prediction.
type OutputHeader struct {
	Outputs []TensorHeader `json:"outputs"`
	Content string         `json:"content"`
}

// FailureHeader is the header of RAISED and FAILED.
type FailureHeader struct {
	Error string `json:"error"`
	Trace string `json:"trace"`
	// Unfit says of a LOAD that failed that a worker of another kind may be able to.
	Unfit bool `json:"unfit,omitempty"`
}

// Failure reads the header of a RAISED or FAILED.
func (f Frame) Failure() FailureHeader {
	var h FailureHeader
	if json.Unmarshal(f.Header, &h) != nil || h.Error == "" {
		h.Error = "an error that cannot be read"
	}
	return h
}

// Append appends a whole frame to b, which must be empty.
func Append(b []byte, id uint32, kind uint16, rows uint32, header any, buffers [][]byte) ([]byte, error) {
	text, err := json.Marshal(header)
	if err != nil {
		return b, err
	}
	sizes := make([]uint64, len(buffers))
	total := FixedBytes + 8*len(buffers) + len(text)
	for i, buffer := range buffers {
		sizes[i] = uint64(len(buffer))
		total += len(buffer) + 8
	}
	if len(buffers) > MaxParts || total > MaxFrame {
		return b, fmt.Errorf("%d buffers and %d bytes are more than a frame may have", len(buffers), total)
	}
	b = AppendHead(b, id, kind, rows, text, sizes)
	for _, buffer := range buffers {
		b = append(b, buffer...)
		b = append(b, "\x00\x00\x00\x00\x00\x00\x00"[:Padding(len(buffer))]...)
	}
	return Finish(b), nil
}
