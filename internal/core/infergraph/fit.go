package infergraph

import (
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// Signatures tell what a version of an endpoint takes and gives; nil where that is not known. An empty version is the endpoint itself.
type Signatures func(endpoint, version string) *infer.Signature

// Fits refuses a graph in which a step gets what its model can never take, as far as the signatures tell: columns that are not there, and
// types that no value converts. It sends one made-up row along the ways whose data is known. What depends on values is left to requests.
func (c *Compiled) Fits(of Signatures) error {
	w := walk{c: c, of: of, asked: NewAsked(&infer.Request{}, nil, "")}
	_, err := w.node(c.Root(), nil)
	return err
}

// walk goes through a graph with one made-up row; nil data is not known.
type walk struct {
	c     *Compiled
	of    Signatures
	asked *Asked
}

func (w *walk) node(r *Routing, in *Flow) (*Flow, error) {
	answers := make([]*Flow, len(r.Steps))
	known := true
	last := in
	for i, s := range r.Steps {
		given := in
		if r.Router == Sequence && s.Data != FromRequest {
			given = last
		}
		out, err := w.step(s, given)
		if err != nil {
			return nil, err
		}
		if r.Router == Sequence && (s.Dependency == Soft || s.when != nil) && out != nil {
			out = alike(last, out) // it may be the answer before it that goes on
		}
		answers[i], last = out, out
		known = known && out != nil && s.Dependency != Soft
	}
	switch {
	case r.Router == Sequence:
		return last, nil
	case !known:
		return nil, nil
	case r.Router == Ensemble:
		f, err := r.Merged(answers)
		if err != nil {
			return nil, fault.Invalidf("%w", err)
		}
		return &f, nil
	}
	for _, f := range answers[1:] {
		if alike(answers[0], f) == nil {
			return nil, nil
		}
	}
	return answers[0], nil
}

// alike returns data if other data has the same columns of the same types.
func alike(a, b *Flow) *Flow {
	if a == nil || b == nil || len(a.Tensors) != len(b.Tensors) {
		return nil
	}
	for i := range a.Tensors {
		if a.Tensors[i].Name != b.Tensors[i].Name || a.Tensors[i].Datatype != b.Tensors[i].Datatype {
			return nil
		}
	}
	return a
}

func (w *walk) step(s *Action, in *Flow) (*Flow, error) {
	given, err := w.mapped(s, s.before, in)
	if err != nil {
		return nil, err
	}
	var out *Flow
	switch {
	case s.Node != "":
		out, err = w.node(w.c.Nodes[s.Node], given)
	case s.Endpoint != "":
		signature := w.of(s.Endpoint, s.Version)
		if given != nil && signature != nil && !batched(signature) {
			if _, err := infer.Fit(signature, suited(*given, signature).Request(w.asked.Request, signature)); err != nil {
				return nil, fault.Invalidf("%s: what it gets can never be what endpoint %q takes: %w", s.Place, s.Endpoint, err)
			}
		}
		out = sample(signature)
	default:
		return given, nil
	}
	if err != nil {
		return nil, err
	}
	return w.mapped(s, s.after, out)
}

func (w *walk) mapped(s *Action, m *mapping, in *Flow) (*Flow, error) {
	if m == nil || in == nil {
		return in, nil
	}
	out, err := m.apply(*in, w.asked, func() error { return nil })
	switch {
	case isEvaluation(err):
		return nil, nil // other values may do, or the client's parameters
	case err != nil:
		return nil, fault.Invalidf("%s: %w", s.Place, err)
	}
	return &out, nil
}

// sample is a row of what a model gives, or nil where a row cannot stand for all.
func sample(s *infer.Signature) *Flow {
	if s == nil || len(s.Outputs) == 0 {
		return nil
	}
	f := &Flow{Untyped: true, Answered: true}
	_, specs := s.Specs()
	for i, spec := range specs {
		column := s.Outputs[i].Column
		if column != nil && column.Kind != infer.Text && (spec.Datatype == infer.Bytes || column.Kind == infer.Datetime) {
			return nil // values that only the model knows
		}
		t := infer.Tensor{Name: spec.Name, Datatype: spec.Datatype}
		n := int64(1)
		for j, d := range spec.Shape {
			if d = max(d, 1); j > 0 && spec.Shape[j] < 0 || d > mostElements/n {
				return nil
			}
			t.Shape = append(t.Shape, d)
			n *= d
		}
		t.Data = make([]byte, n*int64(t.Datatype.Width()))
		f.Tensors = append(f.Tensors, written(t, "0"))
	}
	return f
}

const mostElements = 1 << 16 // of a tensor of a made-up row

// written is a tensor of texts with one in all places; another tensor stays as it is.
func written(t infer.Tensor, text string) infer.Tensor {
	n, err := infer.Elements(t.Shape)
	if t.Datatype != infer.Bytes || err != nil {
		return t
	}
	t.Data = nil
	for range n {
		t.Data = infer.AppendBytes(t.Data, []byte(text))
	}
	return t
}

// suited are made-up data whose texts are such as the columns want them, where a text can be one.
func suited(f Flow, s *infer.Signature) Flow {
	f.Tensors = slices.Clone(f.Tensors)
	for i := range f.Tensors {
		for _, field := range s.Inputs {
			if field.Column == nil || field.Name != f.Tensors[i].Name && (len(s.Inputs) > 1 || len(f.Tensors) > 1) {
				continue
			}
			switch field.Column.Kind {
			case infer.Datetime:
				f.Tensors[i] = written(f.Tensors[i], "2000-01-01")
			case infer.Binary:
				f.Tensors[i] = written(f.Tensors[i], "AAAA")
			}
		}
	}
	return f
}

// batched reports whether a model takes a fixed number of rows at once: then one row says nothing.
func batched(s *infer.Signature) bool {
	return slices.ContainsFunc(s.Inputs, func(f infer.Field) bool { return f.Column == nil && len(f.Shape) > 0 && f.Shape[0] > 1 })
}
