package oip

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"levada/internal/api/predict"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// headerLength says how many bytes of a body are JSON; the data of tensors follows them.
const headerLength = "Inference-Header-Content-Length"

const (
	mostTensors    = 100_000
	mostDimensions = 64 // as numpy
)

// binaryOutputs says which outputs are wanted as bytes after the JSON.
type binaryOutputs struct {
	// all is for outputs that were not named.
	all   bool
	named map[string]bool
}

func (b *binaryOutputs) wants(name string) bool {
	if v, ok := b.named[name]; ok {
		return v
	}
	return b.all
}

// read reads the body of a request for a prediction.
func (d *door) read(w http.ResponseWriter, r *http.Request, place *predict.Place) (*infer.Request, *binaryOutputs, error) {
	length := r.Header.Get(headerLength)
	if length == "" {
		// Everything in JSON is decoded into memory of its own, so that the text can be read into a shared buffer.
		buf := predict.Buffer()
		defer predict.Recycle(buf)
		var err error
		if *buf, err = predict.Body(w, r, d.MaxBody, place, *buf); err != nil {
			return nil, nil, err
		}
		return readRequest(*buf, nil)
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return nil, nil, fault.Invalidf("the header %s is %q and says how many bytes of the body are JSON", headerLength, fault.Shorten(length, 40))
	}
	body, err := predict.Body(w, r, d.MaxBody, place, nil)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(body)) {
		return nil, nil, fault.Invalidf("the header %s says %d and the body has %d bytes", headerLength, n, len(body))
	}
	return readRequest(body[:n], body[n:])
}

// readRequest reads the JSON of a request, and the data that tensors have after it.
func readRequest(text, data []byte) (*infer.Request, *binaryOutputs, error) {
	r := predict.NewReader(text)
	request := new(infer.Request)
	binary := new(binaryOutputs)
	inputs := false
	err := r.Object(func(key []byte) (err error) {
		switch string(key) {
		case "id":
			request.ID, err = r.String()
		case "parameters":
			request.Parameters, err = parameters(r)
		case "inputs":
			inputs = true
			return r.Array(func(i int) error {
				if i >= mostTensors {
					return fault.TooLargef("the request has more than %d inputs", mostTensors)
				}
				t, err := readInput(r, &data)
				request.Inputs = append(request.Inputs, t)
				return err
			})
		case "outputs":
			return r.Array(func(i int) error {
				if i >= mostTensors {
					return fault.TooLargef("the request has more than %d outputs", mostTensors)
				}
				o, err := readOutput(r, binary)
				request.Outputs = append(request.Outputs, o)
				return err
			})
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil {
		err = r.End()
	}
	switch {
	case err != nil:
		return nil, nil, err
	case !inputs:
		return nil, nil, fault.Invalidf("the request has no inputs")
	case len(data) > 0:
		return nil, nil, fault.Invalidf("%d bytes are left after the data of all inputs", len(data))
	}
	if all, ok := request.Parameters["binary_data_output"].(bool); ok {
		binary.all = all
		delete(request.Parameters, "binary_data_output")
	}
	return request, binary, nil
}

func parameters(r *predict.Reader) (map[string]any, error) {
	if r.Null() {
		return nil, nil
	}
	m := map[string]any{}
	return m, r.Object(func(key []byte) (err error) {
		k := string(key)
		m[k], err = r.Value()
		return err
	})
}

// readInput reads a tensor. Its values come as JSON, or are the next bytes of data.
func readInput(r *predict.Reader, data *[]byte) (infer.Tensor, error) {
	var t infer.Tensor
	var values *predict.Reader // where the values stand, if they came before their datatype
	var dims []int64
	came, shaped := false, false
	err := r.Object(func(key []byte) (err error) {
		switch string(key) {
		case "name":
			t.Name, err = r.String()
		case "datatype":
			var d string
			d, err = r.String()
			t.Datatype = infer.Datatype(d)
		case "shape":
			shaped = true
			t.Shape, err = readShape(r)
		case "parameters":
			t.Parameters, err = parameters(r)
		case "data":
			if came {
				return fault.Invalidf("input %q has data twice", t.Name)
			}
			if came = true; t.Datatype == "" {
				raw, err := r.Raw()
				values = predict.NewReader(raw)
				return err
			}
			t.Data, dims, err = elements(r, &t)
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil && values != nil {
		t.Data, dims, err = elements(values, &t)
	}
	switch {
	case err != nil:
		return t, fault.Invalidf("input %q: %w", fault.Shorten(t.Name, 100), err)
	case t.Name == "" || t.Datatype == "" || !shaped:
		return t, fault.Invalidf("input %q: a tensor needs name, shape and datatype", fault.Shorten(t.Name, 100))
	}
	return t, place(&t, data, came, dims)
}

// place gives a tensor the bytes that binary_data_size says are its, or checks the values that came as JSON.
func place(t *infer.Tensor, data *[]byte, came bool, dims []int64) error {
	size, ok := t.Parameters["binary_data_size"].(int64)
	if ok {
		delete(t.Parameters, "binary_data_size")
	}
	switch {
	case ok && came:
		return fault.Invalidf("input %q has both data and binary_data_size", t.Name)
	case ok && (size < 0 || size > int64(len(*data))):
		return fault.Invalidf("input %q: binary_data_size is %d, and %d bytes are left after the JSON (the header %s says where it ends)", t.Name, size, len(*data), headerLength)
	case ok:
		t.Data, *data = (*data)[:size:size], (*data)[size:]
		return t.Check()
	case !came:
		if t.Parameters["shared_memory_region"] != nil {
			return fault.Unimplementedf("input %q: tensors in shared memory are not read; send the data", t.Name)
		}
		return fault.Invalidf("input %q has neither data nor binary_data_size", t.Name)
	}
	if err := predict.Shaped(dims, t.Shape); err != nil {
		return fault.Invalidf("input %q: %w", t.Name, err)
	}
	return nil
}

func elements(r *predict.Reader, t *infer.Tensor) ([]byte, []int64, error) {
	width := t.Datatype.Width()
	if width < 0 {
		return nil, nil, fault.Invalidf("the datatype %q is none of the protocol's (BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64, BYTES)", fault.Shorten(string(t.Datatype), 40))
	}
	var buf []byte
	if n, err := infer.Elements(t.Shape); err == nil && t.Shape != nil && n < 64<<10 {
		buf = make([]byte, 0, int(n)*max(width, 8)) // a shape that lies about more than this does not get the memory
	}
	return r.Elements(t.Datatype, buf)
}

func readShape(r *predict.Reader) ([]int64, error) {
	shape := []int64{}
	err := r.Array(func(i int) error {
		if i >= mostDimensions {
			return fault.Invalidf("a shape has at most %d dimensions", mostDimensions)
		}
		n, err := r.Whole()
		shape = append(shape, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := infer.Elements(shape); err != nil {
		return nil, fault.Invalidf("%w", err)
	}
	return shape, nil
}

func readOutput(r *predict.Reader, binary *binaryOutputs) (infer.Output, error) {
	var o infer.Output
	err := r.Object(func(key []byte) (err error) {
		switch string(key) {
		case "name":
			o.Name, err = r.String()
		case "parameters":
			o.Parameters, err = parameters(r)
		default:
			err = r.Skip()
		}
		return err
	})
	switch {
	case err != nil:
		return o, err
	case o.Name == "":
		return o, fault.Invalidf("an output that is wanted has no name")
	}
	return o, extensionsOf(&o, binary)
}

// extensionsOf takes from an output what the door does itself.
func extensionsOf(o *infer.Output, binary *binaryOutputs) error {
	for _, extension := range []string{"classification", "shared_memory_region"} {
		if o.Parameters[extension] != nil {
			return fault.Unimplementedf("output %q: %s is an extension that is not offered here", fault.Shorten(o.Name, 100), extension)
		}
	}
	if b, ok := o.Parameters["binary_data"].(bool); ok {
		if binary.named == nil {
			binary.named = map[string]bool{}
		}
		binary.named[o.Name] = b
		delete(o.Parameters, "binary_data")
	}
	return nil
}

// withTimeout gives a request the deadline that its parameter timeout asks for, in microseconds as with Triton.
func withTimeout(ctx context.Context, r *infer.Request) (context.Context, context.CancelFunc, error) {
	v, ok := r.Parameters["timeout"]
	if !ok {
		return ctx, func() {}, nil
	}
	us, ok := v.(int64)
	if !ok || us < 0 {
		return nil, nil, fault.Invalidf("the parameter timeout is a number of microseconds")
	}
	if us == 0 || us > int64(24*time.Hour/time.Microsecond) {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(us)*time.Microsecond)
	return ctx, cancel, nil
}
