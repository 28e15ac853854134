package modelhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"levada/internal/adapter/modelwire"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// batch writes the frames of predictions and takes their answers apart. It remembers the header of the requests before: one client after
// the other sends the same columns.
type batch struct {
	buf    []byte
	sizes  []uint64
	header []byte
	// last is the request that header was made for, without its data.
	last infer.Request
}

// encode writes requests that can be joined as one frame.
func (b *batch) encode(id uint32, requests []*infer.Request) ([]byte, error) {
	first := requests[0]
	if len(first.Inputs) > modelwire.MaxParts {
		return nil, fault.Invalidf("the request has %d inputs; at most %d are possible", len(first.Inputs), modelwire.MaxParts)
	}
	rows, rowed := infer.BatchRows(first)
	if !rowed && len(requests) > 1 {
		return nil, errors.New("requests without a common first dimension were joined")
	}
	total := rows
	for _, r := range requests[1:] {
		n, _ := infer.BatchRows(r)
		total += n
	}
	header, err := b.headerOf(first, rowed)
	if err != nil {
		return nil, err
	}
	b.sizes = b.sizes[:0]
	bytes := modelwire.FixedBytes + len(header)
	for i := range first.Inputs {
		size := 0
		for _, r := range requests {
			size += len(r.Inputs[i].Data)
		}
		b.sizes = append(b.sizes, uint64(size))
		bytes += size + 16
	}
	if bytes > modelwire.MaxFrame {
		return nil, fault.TooLargef("the inputs have %d bytes; at most %d are possible in one request", bytes, modelwire.MaxFrame)
	}
	out := modelwire.AppendHead(b.buf[:0], id, modelwire.KindPredict, uint32(total), header, b.sizes)
	for i := range first.Inputs {
		for _, r := range requests {
			out = append(out, r.Inputs[i].Data...)
		}
		out = append(out, "\x00\x00\x00\x00\x00\x00\x00"[:modelwire.Padding(int(b.sizes[i]))]...)
	}
	out = modelwire.Finish(out)
	if cap(out) <= 1<<20 {
		b.buf = out // a large one is not kept
	}
	return out, nil
}

// headerOf is the header of a request, with -1 in place of the rows where it has them.
func (b *batch) headerOf(r *infer.Request, rowed bool) ([]byte, error) {
	if rowed && b.header != nil && infer.Joinable(&b.last, r) {
		return b.header, nil
	}
	h := modelwire.InputHeader{Inputs: make([]modelwire.TensorHeader, len(r.Inputs)), Content: infer.ContentOf(r.Parameters), Parameters: infer.ModelParameters(r)}
	for i, t := range r.Inputs {
		shape := append([]int64{}, t.Shape...)
		if rowed {
			shape[0] = -1
		}
		h.Inputs[i] = modelwire.TensorHeader{Name: t.Name, Datatype: t.Datatype, Shape: shape, Content: infer.ContentOf(t.Parameters)}
	}
	header, err := json.Marshal(h)
	if err != nil {
		return nil, fault.Invalidf("the parameters of the request cannot be given to the model: %w", err)
	}
	if b.header = nil; rowed {
		b.header, b.last = header, infer.Request{Parameters: r.Parameters, Inputs: make([]infer.Tensor, len(r.Inputs))}
		for i, t := range r.Inputs {
			b.last.Inputs[i] = infer.Tensor{Name: t.Name, Datatype: t.Datatype, Shape: slices.Clone(t.Shape), Parameters: t.Parameters}
		}
	}
	return header, nil
}

// split takes an answer apart: each request gets its rows of each output.
func split(f modelwire.Frame, requests []*infer.Request) ([]*infer.Response, error) {
	var h modelwire.OutputHeader
	if err := json.Unmarshal(f.Header, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", modelwire.ErrGarbage, err)
	}
	if len(h.Outputs) != len(f.Buffers) {
		return nil, fmt.Errorf("%w: %d outputs and %d buffers", modelwire.ErrGarbage, len(h.Outputs), len(f.Buffers))
	}
	out := make([]*infer.Response, len(requests))
	tensors := make([]infer.Tensor, len(requests)*len(h.Outputs))
	for i, r := range requests {
		out[i] = &infer.Response{ID: r.ID, Outputs: tensors[i*len(h.Outputs) : (i+1)*len(h.Outputs) : (i+1)*len(h.Outputs)]}
		if h.Content != "" {
			out[i].Parameters = map[string]any{infer.ContentType: h.Content}
		}
	}
	for i, o := range h.Outputs {
		parts, err := splitOutput(o, f.Buffers[i], requests)
		if err != nil {
			return nil, err
		}
		for r, t := range parts {
			out[r].Outputs[i] = t
		}
	}
	return out, nil
}

func splitOutput(o modelwire.TensorHeader, data []byte, requests []*infer.Request) ([]infer.Tensor, error) {
	t := infer.Tensor{Name: o.Name, Datatype: o.Datatype, Shape: o.Shape, Data: data}
	if o.Content != "" {
		t.Parameters = map[string]any{infer.ContentType: o.Content}
	}
	if err := modelwire.Check(&t); err != nil {
		return nil, fmt.Errorf("%w: output %q: %w", modelwire.ErrGarbage, fault.Shorten(o.Name, 100), err)
	}
	return infer.Parts(t, requests)
}
