package infergraph

import (
	"encoding/binary"
	"math"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// Merged makes one answer of those of an ensemble's steps. A step that was done without has none. That answers do not go together is an
// Unavailable error: the models' doing, and not the client's.
func (r *Routing) Merged(answers []*Flow) (Flow, error) {
	var names []string
	var there []Flow
	for i, f := range answers {
		if f != nil {
			names, there = append(names, r.Steps[i].Name), append(there, *f)
		}
	}
	if len(there) == 0 {
		return Flow{}, fault.Unavailablef("node %s: none of its steps has answered", r.Name)
	}
	if r.Merge == "" || r.Merge == MergeAll {
		return side(names, there), nil
	}
	out, err := r.elementwise(names, there)
	if err != nil {
		return Flow{}, fault.Unavailablef("node %s: merge %s: %w", r.Name, r.Merge, err)
	}
	return out, nil
}

// side puts answers side by side: an only output is called by its step, and others by step, dot and output.
func side(names []string, answers []Flow) Flow {
	out := Flow{Untyped: true, Answered: true, Content: infer.ContentTable}
	rows := int64(-1)
	for i, f := range answers {
		for _, t := range f.Tensors {
			if t.Name = names[i] + "." + t.Name; len(f.Tensors) == 1 {
				t.Name = names[i]
			}
			if rows < 0 {
				rows = t.Rows()
			}
			if len(t.Shape) != 1 || t.Shape[0] != rows { // no columns of one table
				out.Content = infer.ContentTensor
			}
			out.Tensors = append(out.Tensors, t)
		}
	}
	return out
}

// elementwise merges outputs that all answers have: the only one of each, or those of the same name.
func (r *Routing) elementwise(names []string, answers []Flow) (Flow, error) {
	out := answers[0]
	out.Tensors = slices.Clone(out.Tensors)
	for i := range out.Tensors {
		same := make([]*infer.Tensor, len(answers))
		for j, f := range answers {
			at := f.index(out.Tensors[i].Name)
			if len(f.Tensors) == 1 && len(out.Tensors) == 1 {
				at = 0
			}
			if at < 0 || len(f.Tensors) != len(out.Tensors) {
				return out, fault.Invalidf("step %s answers %s, and step %s answers %s: want the same outputs, or one of each", names[0], listed(out.names()), names[j],
					listed(f.names()))
			}
			if same[j] = &f.Tensors[at]; !slices.Equal(same[j].Shape, same[0].Shape) {
				return out, fault.Invalidf("output %q has the shape %v in step %s and %v in step %s", out.Tensors[i].Name, same[0].Shape, names[0], same[j].Shape, names[j])
			}
		}
		merge := mean
		if r.Merge == MergeVote {
			merge = vote
		}
		t, err := merge(same)
		if err != nil {
			return out, fault.Invalidf("output %q: %w", out.Tensors[i].Name, err)
		}
		t.Name = out.Tensors[i].Name
		out.Tensors[i] = t
	}
	return out, nil
}

// mean is the arithmetic mean of each element, in doubles.
func mean(same []*infer.Tensor) (infer.Tensor, error) {
	out := infer.Tensor{Datatype: infer.FP64, Shape: same[0].Shape}
	n, err := infer.Elements(out.Shape)
	if err != nil {
		return out, err
	}
	for _, t := range same {
		if t.Datatype == infer.Bytes || t.Datatype == infer.Bool || t.Parameters[infer.ContentType] == infer.ContentDatetime {
			return out, fault.Invalidf("it is %s in one of the steps, and a mean is of numbers; vote is of anything", t.Datatype)
		}
	}
	out.Data = make([]byte, 0, 8*n)
	for i := range n {
		sum := 0.0
		for _, t := range same {
			sum += infer.Number(t.Element(i))
		}
		out.Data = binary.LittleEndian.AppendUint64(out.Data, math.Float64bits(sum/float64(len(same))))
	}
	return out, nil
}

// vote takes of each element what most steps say, and of several with as many votes that of the earliest step. Whole and other numbers are
// the same where their values are; a missing number is a vote of its own.
func vote(same []*infer.Tensor) (infer.Tensor, error) {
	out := *same[0]
	n, err := infer.Elements(out.Shape)
	if err != nil {
		return out, err
	}
	flat := make([][]any, len(same))
	for j, t := range same {
		if (t.Datatype == infer.Bytes) != (out.Datatype == infer.Bytes) || (t.Datatype == infer.Bool) != (out.Datatype == infer.Bool) ||
			infer.ContentOf(t.Parameters) != infer.ContentOf(out.Parameters) {
			return out, fault.Invalidf("it is %s in one step and %s in another", out.Datatype, t.Datatype)
		}
		if t.Datatype != out.Datatype {
			out.Datatype = infer.FP64
		}
		whole := *t
		whole.Shape, whole.Parameters = []int64{n}, nil // the bytes themselves are compared
		v, err := whole.Values()
		if err != nil {
			return out, err
		}
		flat[j], _ = v.([]any)
	}
	out.Data = nil
	for i := range n {
		best, most := 0, 0
		for j := range flat {
			votes := 0
			for k := range flat {
				if agree(flat[j][i], flat[k][i]) {
					votes++
				}
			}
			if votes > most {
				best, most = j, votes
			}
		}
		if width := int64(out.Datatype.Width()); width > 0 && same[best].Datatype == out.Datatype {
			out.Data = append(out.Data, same[best].Data[i*width:(i+1)*width]...)
		} else {
			out.Data = appendValue(out.Data, out.Datatype, flat[best][i])
		}
	}
	return out, nil
}

// agree reports whether two votes are the same.
func agree(a, b any) bool {
	switch a.(type) {
	case int64, uint64, float64:
		x, y := infer.Number(a), infer.Number(b)
		return x == y || math.IsNaN(x) && math.IsNaN(y)
	}
	return a == b
}
