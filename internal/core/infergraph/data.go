package infergraph

import (
	"maps"
	"slices"
	"sync"

	"cel.dev/cel-go/cel"

	"levada/internal/core/expr"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// Flow is what goes from step to step: the columns of a table, or tensors. It is never changed.
type Flow struct {
	Tensors []infer.Tensor
	// Content is infer.ContentTable, infer.ContentTensor, or empty where nobody has said.
	Content string
	// Untyped says that conversions are made which keep values: a format without types brought them, or a model made them.
	Untyped bool
	// Answered says that a step made it, and the client did not send it.
	Answered bool
}

// OfRequest is what a client sent.
func OfRequest(r *infer.Request) Flow {
	untyped, _ := r.Parameters[infer.ContentUntyped].(bool)
	return Flow{Tensors: r.Inputs, Content: infer.ContentOf(r.Parameters), Untyped: untyped}
}

// OfResponse is what a step answered.
func OfResponse(r *infer.Response) Flow {
	return Flow{Tensors: r.Outputs, Content: infer.ContentOf(r.Parameters), Untyped: true, Answered: true}
}

// Request asks a model for a prediction for the data, with the parameters of the client's request. It is not yet fitted to the signature of
// the model, which may be nil; but one tensor that a step made goes to the model's one input, whatever the names.
func (f Flow) Request(asked *infer.Request, s *infer.Signature) *infer.Request {
	r := &infer.Request{ID: asked.ID, Inputs: f.Tensors, Parameters: maps.Clone(asked.Parameters)}
	if r.Parameters == nil {
		r.Parameters = map[string]any{}
	}
	delete(r.Parameters, infer.ContentType)
	delete(r.Parameters, infer.ContentUntyped)
	if f.Content != "" {
		r.Parameters[infer.ContentType] = f.Content
	}
	if f.Untyped {
		r.Parameters[infer.ContentUntyped] = true
	}
	if f.Answered && s != nil && len(f.Tensors) == 1 && len(s.Inputs) == 1 && s.Inputs[0].Name != f.Tensors[0].Name {
		only := f.Tensors[0]
		only.Name = ""
		r.Inputs = []infer.Tensor{only}
	}
	return r
}

// Response is the answer that the data is.
func (f Flow) Response() *infer.Response {
	out := &infer.Response{Outputs: slices.Clone(f.Tensors)}
	if f.Content != "" {
		out.Parameters = map[string]any{infer.ContentType: f.Content}
	}
	return out
}

// index is the place of a tensor by its name, or -1.
func (f Flow) index(name string) int {
	return slices.IndexFunc(f.Tensors, func(t infer.Tensor) bool { return t.Name == name })
}

// mostValues is how many values of one column expressions look at: each takes tens of bytes there.
const mostValues = 1 << 20

// values are those of a tensor, for expressions.
func (f Flow) values(i int) (any, error) {
	t := &f.Tensors[i]
	if n, err := infer.Elements(t.Shape); err != nil || n > mostValues {
		return nil, fault.Invalidf("column %q has the shape %v; expressions look at columns of at most %d values", fault.Shorten(t.Name, 100), t.Shape, mostValues)
	}
	return t.Values()
}

// names are those of the tensors, in order.
func (f Flow) names() []string {
	out := make([]string, len(f.Tensors))
	for i := range f.Tensors {
		out[i] = f.Tensors[i].Name
	}
	return out
}

// Asked is what expressions see of the request that a client has sent.
type Asked struct {
	Request *infer.Request
	// Header returns the value of a header; nil where there are none.
	Header func(string) string
	Key    string

	request map[string]any
	mu      sync.Mutex
}

// NewAsked describes a request to expressions.
func NewAsked(r *infer.Request, header func(string) string, key string) *Asked {
	a := &Asked{Request: r, Header: header, Key: key}
	a.request = map[string]any{
		"request":    columns(OfRequest(r), &a.mu),
		"parameters": orEmpty(infer.ModelParameters(r)),
		"key":        key,
		"headers": expr.Lookup(nil, func(name string) (any, bool) {
			if header == nil {
				return "", true
			}
			return header(name), true
		}),
	}
	return a
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// variables are what an expression may name, given the data that it is about.
func (a *Asked) variables(f Flow) map[string]any {
	out := maps.Clone(a.request)
	out["inputs"] = columns(f, &a.mu)
	return out
}

// columns are the values of data by name, each made when it is asked for the first time.
func columns(f Flow, mu *sync.Mutex) any {
	made := map[string]any{}
	return expr.Lookup(f.names(), func(name string) (any, bool) {
		mu.Lock() // steps of an ensemble look at one request
		defer mu.Unlock()
		if v, known := made[name]; known {
			return v, true
		}
		i := f.index(name)
		if i < 0 {
			return nil, false
		}
		v, err := f.values(i)
		if err != nil {
			return err, true
		}
		made[name] = v
		return v, true
	})
}

// environments declare what expressions may name: those of conditions, and those of mappings.
var environments = sync.OnceValues(func() (environment, error) {
	values := cel.MapType(cel.StringType, cel.DynType)
	names := []cel.EnvOption{
		cel.Variable("inputs", values), cel.Variable("request", values), cel.Variable("parameters", values),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)), cel.Variable("key", cel.StringType),
	}
	condition, err := expr.NewEnvironment(names...)
	if err != nil {
		return environment{}, err
	}
	value, err := expr.NewEnvironment(append(names, cel.Variable("row", values))...)
	return environment{condition, value}, err
})

type environment struct{ condition, value *expr.Environment }

// missing says which columns there are instead of one that is not.
func (f Flow) missing(name string) error {
	return fault.Invalidf("there is no column %q; there is %s", fault.Shorten(name, 100), listed(f.names()))
}
