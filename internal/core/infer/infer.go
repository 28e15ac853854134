// Package infer holds the words of inference: tensors, requests and responses as the Open Inference Protocol v2 means them
// (github.com/kserve/open-inference-protocol). Doors translate their wire formats into these, workers out of them; it knows no
// wire format, no model and no network.
package infer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"levada/internal/core/fault"
)

// Datatype is the type of a tensor's elements, by its name in the Open Inference Protocol.
type Datatype string

// The types of the protocol.
const (
	Bool   Datatype = "BOOL"
	Uint8  Datatype = "UINT8"
	Uint16 Datatype = "UINT16"
	Uint32 Datatype = "UINT32"
	Uint64 Datatype = "UINT64"
	Int8   Datatype = "INT8"
	Int16  Datatype = "INT16"
	Int32  Datatype = "INT32"
	Int64  Datatype = "INT64"
	FP16   Datatype = "FP16"
	FP32   Datatype = "FP32"
	FP64   Datatype = "FP64"
	// Bytes is a string of bytes, text among them.
	Bytes Datatype = "BYTES"
)

// Width is the size of one element in bytes: 0 for Bytes, whose elements differ, and -1 for what is no type of the protocol.
func (d Datatype) Width() int {
	switch d {
	case Bool, Uint8, Int8:
		return 1
	case Uint16, Int16, FP16:
		return 2
	case Uint32, Int32, FP32:
		return 4
	case Uint64, Int64, FP64:
		return 8
	case Bytes:
		return 0
	}
	return -1
}

// Tensor is an array of one type, row-major.
type Tensor struct {
	Name     string
	Datatype Datatype
	// Shape has the size of each dimension; the first is the batch.
	Shape []int64
	// Data has the elements in little-endian order, one after the other; a Bytes element is its length as a uint32 and then the
	// bytes. It is the form of raw_input_contents and of binary tensor data.
	Data       []byte
	Parameters map[string]any
}

// Elements is the product of a shape, or an error where a dimension is negative or the product is out of range. The other dimensions of a
// tensor without elements are bounded by 2,147,483,647 only: nothing may be made for each of them.
func Elements(shape []int64) (int64, error) {
	n := int64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("dimension %d of shape %v is negative", d, shape)
		}
		if d > 0 && n > math.MaxInt64/d {
			return 0, fmt.Errorf("shape %v has more elements than can be counted", shape)
		}
		n *= d
	}
	if n == 0 && slices.Max(shape) > math.MaxInt32 {
		return 0, fmt.Errorf("shape %v has no elements and a dimension beyond %d", shape, math.MaxInt32)
	}
	return n, nil
}

// Output is a wish for one output.
type Output struct {
	Name       string
	Parameters map[string]any
}

// Request asks a model for a prediction. Inputs are the columns of a table (shape [rows] or [rows, 1] each) for a model whose
// signature has columns, and tensors for one whose signature has tensors.
type Request struct {
	// ID is what the client calls the request; it is given back.
	ID     string
	Inputs []Tensor
	// Outputs are those wanted; none means all.
	Outputs    []Output
	Parameters map[string]any
}

// Response is a prediction.
type Response struct {
	// Model and Version say what answered: the endpoint's name and the version of the registered model.
	Model, Version string
	ID             string
	Outputs        []Tensor
	Parameters     map[string]any
}

// Keep leaves only the outputs that were asked for, in that order; all where none were. One that the model does not have is Invalid.
func (r *Response) Keep(asked []Output) error {
	if len(asked) == 0 {
		return nil
	}
	kept := make([]Tensor, len(asked))
	for i, o := range asked {
		at := slices.IndexFunc(r.Outputs, func(t Tensor) bool { return t.Name == o.Name })
		if at < 0 {
			names := make([]string, len(r.Outputs))
			for i, t := range r.Outputs {
				names[i] = t.Name
			}
			return fault.Invalidf("the output %q was asked for, and the model has none of that name; it has %s", fault.Shorten(o.Name, 100), fault.Shorten(strings.Join(names, ", "), 500))
		}
		kept[i] = r.Outputs[at]
	}
	r.Outputs = kept
	return nil
}

// Spec is the name, type and shape of an input or output of a model; -1 in a shape is any size.
type Spec struct {
	Name     string
	Datatype Datatype
	Shape    []int64
	// Optional says that a request may leave the input out.
	Optional bool
}

// Metadata is what a model says about itself.
type Metadata struct {
	Name     string
	Versions []string
	// Platform is the kind of model, such as mlflow_sklearn or onnx.
	Platform        string
	Inputs, Outputs []Spec
	// Columns says that inputs are the columns of a table and not tensors.
	Columns bool
}
