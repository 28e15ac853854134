// Package predicttest is a service of predictions for tests of doors: its endpoints compute answers that a test can check. It has
// no models and no processes, and nothing of the product imports it.
package predicttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/serving"
)

// endpoint is a signature and a function.
type endpoint struct {
	inputs, outputs, params string
	predict                 func(ctx context.Context, r *infer.Request) ([]infer.Tensor, map[string]any, error)
}

// endpoints:
//   - sum adds the columns a and b, and the parameter offset;
//   - table gives them back beside their sum, as a table;
//   - matrix adds up the rows of float32 [-1, 4];
//   - upper has a column of texts, one of them optional;
//   - dated has a column of each other type and gives all back;
//   - echo has no signature and gives back what came;
//   - busy, slow, down and broken fail.
var endpoints = map[string]endpoint{
	"sum": {
		inputs:  `[{"type": "double", "name": "a", "required": true}, {"type": "double", "name": "b", "required": true}]`,
		outputs: `[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]`,
		params:  `[{"name": "offset", "type": "double", "default": 0.0, "shape": null}]`,
		predict: sum,
	},
	"table": {
		inputs: `[{"type": "double", "name": "a", "required": true}, {"type": "double", "name": "b", "required": true}]`,
		predict: func(ctx context.Context, r *infer.Request) ([]infer.Tensor, map[string]any, error) {
			out, _, err := sum(ctx, r)
			return append(slices.Clone(r.Inputs), out...), map[string]any{infer.ContentType: infer.ContentTable}, err
		},
	},
	"matrix": {
		inputs:  `[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]`,
		outputs: `[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1]}}]`,
		predict: matrix,
	},
	"upper": {
		inputs: `[{"type": "string", "name": "text", "required": true}, {"type": "string", "name": "more", "required": false}]`,
		predict: func(_ context.Context, r *infer.Request) ([]infer.Tensor, map[string]any, error) {
			t := r.Inputs[0]
			t.Name, t.Data = "output-0", bytes.ToUpper(t.Data) // lengths below 97 stay what they are
			return []infer.Tensor{t}, nil, nil
		},
	},
	"dated": {
		inputs: `[{"type": "datetime", "name": "when"}, {"type": "binary", "name": "raw"}, {"type": "boolean", "name": "is"}, {"type": "integer", "name": "n"},
			{"type": "array", "items": {"type": "double"}, "name": "list"}, {"type": "object", "properties": {"x": {"type": "long"}}, "name": "object"}]`,
		predict: func(_ context.Context, r *infer.Request) ([]infer.Tensor, map[string]any, error) {
			return r.Inputs, map[string]any{infer.ContentType: infer.ContentTable}, nil
		},
	},
	"echo": {predict: func(_ context.Context, r *infer.Request) ([]infer.Tensor, map[string]any, error) {
		var parameters map[string]any
		if c, ok := r.Parameters[infer.ContentType]; ok {
			parameters = map[string]any{infer.ContentType: c}
		}
		return r.Inputs, parameters, nil
	}},
	"busy":   failing(fault.Exhaustedf("the queue of the endpoint busy is full: 100 requests wait")),
	"down":   failing(fault.Unavailablef("the endpoint down has no worker that runs")),
	"broken": failing(errors.New("open /secret/path: permission denied")),
	"slow": {predict: func(ctx context.Context, _ *infer.Request) ([]infer.Tensor, map[string]any, error) {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}},
}

func failing(err error) endpoint {
	return endpoint{predict: func(context.Context, *infer.Request) ([]infer.Tensor, map[string]any, error) { return nil, nil, err }}
}

func sum(_ context.Context, r *infer.Request) ([]infer.Tensor, map[string]any, error) {
	offset, _ := r.Parameters["offset"].(float64)
	a, b := &r.Inputs[0], &r.Inputs[1]
	out := infer.Tensor{Name: "output-0", Datatype: infer.FP64, Shape: a.Shape, Data: make([]byte, 0, len(a.Data))}
	for i := range a.Shape[0] {
		out.Data = binary.LittleEndian.AppendUint64(out.Data, math.Float64bits(a.Element(i).(float64)+b.Element(i).(float64)+offset))
	}
	return []infer.Tensor{out}, nil, nil
}

func matrix(_ context.Context, r *infer.Request) ([]infer.Tensor, map[string]any, error) {
	in := &r.Inputs[0]
	out := infer.Tensor{Name: "output-0", Datatype: infer.FP32, Shape: in.Shape[:1], Data: make([]byte, 0, len(in.Data)/4)}
	for row := range in.Shape[0] {
		s := 0.0
		for i := range in.Shape[1] {
			s += in.Element(row*in.Shape[1] + i).(float64)
		}
		out.Data = binary.LittleEndian.AppendUint32(out.Data, math.Float32bits(float32(s)))
	}
	return []infer.Tensor{out}, nil, nil
}

// Service answers for the endpoints.
type Service struct{ signatures map[string]*infer.Signature }

// New returns the service.
func New() *Service {
	s := &Service{map[string]*infer.Signature{}}
	for name, e := range endpoints {
		signature, err := infer.ParseSignature(e.inputs, e.outputs, e.params)
		if err != nil {
			panic(err)
		}
		s.signatures[name] = signature
	}
	return s
}

func find(name, version string) (endpoint, error) {
	e, ok := endpoints[name]
	if !ok {
		return e, fault.NotFoundf("there is no endpoint %q; levada endpoints lists them", fault.Shorten(name, 100))
	}
	if version != "" && version != "3" {
		return e, fault.NotFoundf("the endpoint %s has no version %s", name, fault.Shorten(version, 20))
	}
	return e, nil
}

// Infer answers a request.
func (s *Service) Infer(ctx context.Context, c serving.Call) (*infer.Response, error) {
	e, err := find(c.Endpoint, c.Version)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	request, signature := c.Request, s.signatures[c.Endpoint]
	if c.Read != nil {
		if request, err = c.Read(signature); err != nil {
			return nil, err
		}
	}
	if request, err = infer.Fit(signature, request); err != nil {
		return nil, err
	}
	outputs, parameters, err := e.predict(ctx, request)
	if err != nil {
		return nil, err
	}
	out := &infer.Response{Model: c.Endpoint, Version: "3", ID: request.ID, Outputs: outputs, Parameters: parameters}
	return out, out.Keep(request.Outputs)
}

// Metadata says what an endpoint takes and gives.
func (s *Service) Metadata(_ context.Context, name, version string) (infer.Metadata, error) {
	if _, err := find(name, version); err != nil {
		return infer.Metadata{}, err
	}
	m := infer.Metadata{Name: name, Versions: []string{"3"}, Platform: "mlflow_pyfunc"}
	if signature := s.signatures[name]; signature != nil {
		m.Inputs, m.Outputs = signature.Specs()
		m.Columns = signature.Columns()
	}
	return m, nil
}

// Known is nil where there is such an endpoint.
func (s *Service) Known(name, version string) error {
	_, err := find(name, version)
	return err
}

// Ready is nil for all endpoints but down.
func (s *Service) Ready(_ context.Context, name, version string) error {
	if _, err := find(name, version); err != nil {
		return err
	}
	if name == "down" {
		return fault.Unavailablef("the endpoint down has no worker that runs")
	}
	return nil
}

// Endpoints lists the names.
func (s *Service) Endpoints(context.Context) ([]string, error) {
	names := make([]string, 0, len(endpoints))
	for name := range endpoints {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Statistics are the same for all endpoints but their name: 7 rows in 3 batches, and 2 requests that failed.
func (s *Service) Statistics(ctx context.Context, name, version string) ([]infer.Statistics, error) {
	names := []string{name}
	if name == "" {
		names, _ = s.Endpoints(ctx)
	} else if _, err := find(name, version); err != nil {
		return nil, err
	}
	out := make([]infer.Statistics, len(names))
	for i, n := range names {
		out[i] = infer.Statistics{
			Name: n, Version: "3", Last: time.UnixMilli(1_700_000_000_123), Inferences: 7, Executions: 3, MemoryBytes: 1 << 20,
			Success: infer.Spent{Count: 5, Time: 5 * time.Millisecond}, Fail: infer.Spent{Count: 2, Time: time.Millisecond},
			Queue: infer.Spent{Count: 5, Time: time.Microsecond}, Compute: infer.Spent{Count: 5, Time: 4 * time.Millisecond},
		}
	}
	return out, nil
}
