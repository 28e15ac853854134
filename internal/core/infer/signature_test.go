package infer_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

const flights = `[{"type": "string", "name": "carrier", "required": true}, {"type": "long", "name": "hour", "required": true},
	{"type": "double", "name": "distance", "required": true}, {"type": "float", "name": "wind", "required": false}]`

func parse(t testing.TB, inputs, params string) *infer.Signature {
	t.Helper()
	s, err := infer.ParseSignature(inputs, "", params)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tensor makes a tensor [rows] of Go values.
func tensor(name string, d infer.Datatype, values ...any) infer.Tensor {
	t := infer.Tensor{Name: name, Datatype: d, Shape: []int64{int64(len(values))}}
	for _, v := range values {
		switch v := v.(type) {
		case string:
			t.Data = infer.AppendBytes(t.Data, []byte(v))
		case bool:
			t.Data = append(t.Data, map[bool]byte{true: 1}[v])
		case int:
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], uint64(v))
			t.Data = append(t.Data, b[:d.Width()]...)
		case float64:
			switch d {
			case infer.FP64:
				t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(v))
			case infer.FP32:
				t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(v)))
			case infer.FP16:
				t.Data = binary.LittleEndian.AppendUint16(t.Data, infer.FloatToHalf(v))
			}
		}
	}
	return t
}

func jsonTensor(name string, values ...any) infer.Tensor {
	t := tensor(name, infer.Bytes, values...)
	t.Parameters = map[string]any{infer.ContentType: infer.ContentJSON}
	return t
}

func untyped(content string, inputs ...infer.Tensor) *infer.Request {
	return &infer.Request{Inputs: inputs, Parameters: map[string]any{infer.ContentUntyped: true, infer.ContentType: content}}
}

func TestColumnsComeOutInTheOrderAndTypesOfTheSignature(t *testing.T) {
	s := parse(t, flights, "")
	got, err := s.Enforce(&infer.Request{ID: "7", Inputs: []infer.Tensor{
		tensor("distance", infer.FP32, 100.5, 200.0), tensor("extra", infer.Bool, true, false),
		tensor("hour", infer.Int16, 5, -6), tensor("carrier", infer.Bytes, "UA", "AA"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	carrier := tensor("carrier", infer.Bytes, "UA", "AA")
	carrier.Parameters = map[string]any{infer.ContentType: infer.ContentText}
	want := &infer.Request{
		ID: "7", Parameters: map[string]any{infer.ContentType: infer.ContentTable},
		Inputs: []infer.Tensor{carrier, tensor("hour", infer.Int64, 5, -6), tensor("distance", infer.FP64, 100.5, 200.0)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestErrorsNameTheColumnAndWhatCame(t *testing.T) {
	good := []infer.Tensor{tensor("carrier", infer.Bytes, "UA"), tensor("hour", infer.Int64, 5), tensor("distance", infer.FP64, 1.5)}
	with := func(change ...infer.Tensor) *infer.Request {
		r := &infer.Request{}
		for _, g := range good {
			for _, c := range change {
				if c.Name == g.Name {
					g = c
				}
			}
			r.Inputs = append(r.Inputs, g)
		}
		return r
	}
	wide := tensor("hour", infer.Int64, 1, 2)
	wide.Shape = []int64{1, 2}
	tests := map[string]struct {
		request *infer.Request
		want    string
	}{
		"missing":  {&infer.Request{Inputs: append([]infer.Tensor{tensor("hours", infer.Int64, 5)}, good[0])}, `"hour", "distance"; these came, and it does not know them: "hours"`},
		"twice":    {&infer.Request{Inputs: append(good, good[1])}, `the input "hour" came twice`},
		"float":    {with(tensor("hour", infer.FP64, 5.0)), `column "hour": long is wanted and FP64 came`},
		"nan":      {with(tensor("hour", infer.FP64, math.NaN())), `integer columns hold no missing values`},
		"bool":     {with(tensor("distance", infer.Bool, true)), `column "distance": double is wanted and BOOL came`},
		"integer":  {with(tensor("distance", infer.Int64, 5)), `column "distance": double is wanted and INT64 came, which cannot be converted safely: send it as FP64`},
		"number":   {with(tensor("carrier", infer.Int64, 5)), `column "carrier": string is wanted and INT64 came`},
		"not text": {with(tensor("carrier", infer.Bytes, "\xff")), `column "carrier": row 0: string is wanted and bytes that are not UTF-8 came`},
		"rows":     {with(tensor("hour", infer.Int64, 5, 6)), `column "carrier" has 1 rows and column "hour" has 2`},
		"shape":    {with(wide), `column "hour": long is wanted as a tensor of shape [rows] or [rows, 1], and one of shape [1 2] came`},
		"missing value": {untyped(infer.ContentTable, good[0], tensor("hour", infer.FP64, math.NaN()), good[2]),
			`column "hour": row 0: long is wanted and a missing value (NaN) came`},
		"fraction": {untyped(infer.ContentTable, good[0], tensor("hour", infer.FP64, 1.5), good[2]), `row 0: long is wanted and the number 1.5 came`},
		"text":     {untyped(infer.ContentTable, good[0], tensor("hour", infer.Bytes, "noon"), good[2]), `row 0: long is wanted and the text "noon" came`},
	}
	s := parse(t, flights, "")
	for name, tt := range tests {
		_, err := s.Enforce(tt.request)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s", name, err, tt.want)
		}
	}
}

func TestUntypedValuesAreConvertedWhereThatKeepsThem(t *testing.T) {
	tests := map[string]struct {
		kind string
		in   infer.Tensor
		want infer.Tensor // no datatype: an error
	}{
		"integers to double":     {"double", tensor("a", infer.Int64, 1, -5), tensor("a", infer.FP64, 1.0, -5.0)},
		"whole floats to long":   {"long", tensor("a", infer.FP64, 1.0, -5.0), tensor("a", infer.Int64, 1, -5)},
		"small ones to integer":  {"integer", tensor("a", infer.Int64, 1<<31-1), tensor("a", infer.Int32, 1<<31-1)},
		"large ones to integer":  {"integer", tensor("a", infer.Int64, 1<<31), infer.Tensor{}},
		"doubles to float":       {"float", tensor("a", infer.FP64, 0.5), tensor("a", infer.FP32, 0.5)},
		"too large for float":    {"float", tensor("a", infer.FP64, 1e300), infer.Tensor{}},
		"booleans to double":     {"double", tensor("a", infer.Bool, true, false), tensor("a", infer.FP64, 1.0, 0.0)},
		"one and zero to truth":  {"boolean", tensor("a", infer.Int64, 1, 0), tensor("a", infer.Bool, true, false)},
		"two to truth":           {"boolean", tensor("a", infer.Int64, 2), infer.Tensor{}},
		"a text to truth":        {"boolean", tensor("a", infer.Bytes, "true"), infer.Tensor{}},
		"texts that are numbers": {"double", tensor("a", infer.Bytes, " 1.5", "2"), tensor("a", infer.FP64, 1.5, 2.0)},
		"hexadecimal":            {"double", tensor("a", infer.Bytes, "0x10"), infer.Tensor{}},
		"null among numbers":     {"double", jsonTensor("a", "null", `"2"`), tensor("a", infer.FP64, math.NaN(), 2.0)},
		"null among texts":       {"string", jsonTensor("a", "null", `"b"`), jsonTensor("a", "null", `"b"`)},
		"only null for texts":    {"string", tensor("a", infer.FP64, math.NaN()), jsonTensor("a", "null")},
		"only null for times":    {"datetime", tensor("a", infer.FP64, math.NaN()), tensor("a", infer.Int64, math.MinInt64)},
		"a number among times":   {"datetime", jsonTensor("a", `"2013-01-31"`, "1"), infer.Tensor{}},
		"a number among texts":   {"string", jsonTensor("a", "1", `"b"`), infer.Tensor{}},
		"base64":                 {"binary", tensor("a", infer.Bytes, "aGVs\nbG8=\n"), tensor("a", infer.Bytes, "hello")},
		"days":                   {"datetime", tensor("a", infer.Bytes, "1970-01-02", "1970-01-01T00:00:01Z"), tensor("a", infer.Int64, 86_400_000_000_000, 1_000_000_000)},
		"no time":                {"datetime", tensor("a", infer.Bytes, "tomorrow"), infer.Tensor{}},
		"a list of integers":     {`array", "items": {"type": "double"}, "x": "`, jsonTensor("a", "[1, 2]", "[]"), jsonTensor("a", "[1.0,2.0]", "[]")},
		"a list with a text":     {`array", "items": {"type": "double"}, "x": "`, jsonTensor("a", `[1, "b"]`), infer.Tensor{}},
		"an object":              {`object", "properties": {"b": {"type": "long"}, "c": {"type": "string", "required": false}}, "x": "`, jsonTensor("a", `{"b": 1}`), jsonTensor("a", `{"b":1}`)},
		"an object that lacks":   {`object", "properties": {"b": {"type": "long"}}, "x": "`, jsonTensor("a", `{}`), infer.Tensor{}},
		"an object with more":    {`object", "properties": {"b": {"type": "long"}}, "x": "`, jsonTensor("a", `{"b": 1, "d": 1}`), infer.Tensor{}},
		"a map":                  {`map", "values": {"type": "string"}, "x": "`, jsonTensor("a", `{"b": "c"}`), jsonTensor("a", `{"b":"c"}`)},
		"anything":               {`any`, jsonTensor("a", `[1, "b"]`, "null"), jsonTensor("a", `[1,"b"]`, "null")},
	}
	for name, tt := range tests {
		s := parse(t, `[{"type": "`+tt.kind+`", "name": "a"}]`, "")
		got, err := s.Enforce(untyped(infer.ContentTable, tt.in))
		if tt.want.Datatype == "" {
			if fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), `column "a": `) {
				t.Errorf("%s: %v, %v; want an error that names the column", name, got, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		have := got.Inputs[0]
		if have.Datatype != tt.want.Datatype || string(have.Data) != string(tt.want.Data) || !cmp.Equal(have.Shape, tt.want.Shape) {
			t.Errorf("%s: %v, want %v", name, have, tt.want)
		}
	}
}

func TestTensorsNeedTheirTypeAndShape(t *testing.T) {
	unnamed := parse(t, `[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]`, "")
	named := parse(t, `[{"name": "x", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}, {"name": "y", "type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}}]`, "")
	of := func(name string, d infer.Datatype, shape []int64, values ...any) infer.Tensor {
		x := tensor(name, d, values...)
		x.Shape = shape
		return x
	}
	ok, err := unnamed.Enforce(&infer.Request{Inputs: []infer.Tensor{of("whatever", infer.FP32, []int64{1, 2}, 1.0, 2.0)}})
	if err != nil || ok.Inputs[0].Name != "" || len(ok.Inputs[0].Data) != 8 {
		t.Errorf("%v, %v", ok, err)
	}
	table, err := unnamed.Enforce(untyped(infer.ContentTable, tensor("a", infer.Int64, 1, 3), tensor("b", infer.FP64, 2.0, 4.0)))
	if err != nil || !cmp.Equal(table.Inputs[0], of("", infer.FP32, []int64{2, 2}, 1.0, 2.0, 3.0, 4.0)) {
		t.Errorf("a table: %v, %v", table, err)
	}
	list, err := unnamed.Enforce(untyped(infer.ContentTensor, of("", infer.Int64, []int64{1, 2}, 1, 2)))
	if err != nil || !cmp.Equal(list.Inputs[0], of("", infer.FP32, []int64{1, 2}, 1.0, 2.0)) {
		t.Errorf("lists: %v, %v", list, err)
	}
	for want, r := range map[string]*infer.Request{
		`input "a": shape [-1 2] is wanted and [1 3] came`:                    {Inputs: []infer.Tensor{of("a", infer.FP32, []int64{1, 3}, 1.0, 2.0, 3.0)}},
		`input "a": float32 is wanted, which is FP32, and FP64 came`:          {Inputs: []infer.Tensor{of("a", infer.FP64, []int64{1, 2}, 1.0, 2.0)}},
		`the model's signature has one tensor without a name, and 2 inputs`:   {Inputs: []infer.Tensor{tensor("a", infer.FP32, 1.0), tensor("b", infer.FP32, 1.0)}},
		`the model's signature requires one tensor, and none came`:            {},
		`input "": shape [-1 2] is wanted and [2] came (-1 is any size)`:      untyped(infer.ContentTensor, tensor("", infer.Int64, 1, 2)),
		`has one tensor, float32 of shape [-1 2], and a table of 3 columns c`: untyped(infer.ContentTable, tensor("a", infer.FP32), tensor("b", infer.FP32), tensor("c", infer.FP32)),
	} {
		if _, err := unnamed.Enforce(r); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	_, err = named.Enforce(&infer.Request{Inputs: []infer.Tensor{of("x", infer.FP32, []int64{1, 2}, 1.0, 2.0)}})
	if err == nil || !strings.Contains(err.Error(), `requires inputs that did not come: "y"`) {
		t.Errorf("a missing tensor: %v", err)
	}
}

func TestParametersHaveDefaultsAndTypes(t *testing.T) {
	s := parse(t, "", `[{"name": "temperature", "type": "double", "default": 1, "shape": null}, {"name": "stop", "type": "string", "default": ["a"], "shape": [-1]},
		{"name": "top", "type": "integer", "default": null, "shape": null}]`)
	got, err := s.Enforce(&infer.Request{Parameters: map[string]any{"top": int64(5), "unknown": true, "binary_data_output": true}})
	want := map[string]any{"temperature": 1.0, "stop": []any{"a"}, "top": int64(5)}
	if err != nil || !cmp.Equal(got.Parameters, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, p := range []map[string]any{{"top": 1.0}, {"top": int64(1) << 40}, {"top": true}, {"temperature": "hot"}, {"stop": "a"}, {"stop": []any{int64(1)}}} {
		if _, err := s.Enforce(&infer.Request{Parameters: p}); fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), "parameter ") {
			t.Errorf("%v: %v", p, err)
		}
	}
}

func TestSignaturesThatAreNoneAreRefused(t *testing.T) {
	if s, err := infer.ParseSignature("", " ", ""); s != nil || err != nil {
		t.Errorf("no signature: %v, %v", s, err)
	}
	for _, inputs := range []string{
		"{", `[{"type": "number", "name": "a"}]`, `[{"type": "long", "name": "a"}, {"type": "long"}]`, `[{"type": "long", "name": "a"}, {"type": "long", "name": "a"}]`,
		`[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-2]}}]`, `[{"type": "tensor"}]`, `[{"type": "array", "name": "a"}]`,
		`[{"type": "long", "name": "a"}, {"name": "b", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1]}}]`, `[{"type": "object", "name": "a"}]`,
		`[` + strings.Repeat(`{"type": "array", "name": "a", "items": `, 50) + `{"type": "long"}` + strings.Repeat("}", 50) + `]`,
	} {
		if _, err := infer.ParseSignature(inputs, "", ""); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", inputs, err)
		}
	}
}

func TestHalvesAreWhatIEEE754Says(t *testing.T) {
	for h := range 1 << 16 {
		f := infer.HalfToFloat(uint16(h))
		if math.IsNaN(f) {
			continue
		}
		if back := infer.FloatToHalf(f); back != uint16(h) {
			t.Fatalf("%#04x is %g, and that is %#04x", h, f, back)
		}
	}
	for f, want := range map[float64]uint16{1: 0x3c00, -2: 0xc000, 65504: 0x7bff, 65519: 0x7bff, 65520: 0x7c00, 1.0 / 3: 0x3555, 1 + 1.0/2048: 0x3c00, 1 + 3.0/2048: 0x3c02, 6e-8: 0x0001, 2e-8: 0, 2047.9999: 0x6800} {
		if got := infer.FloatToHalf(f); got != want {
			t.Errorf("%g is %#04x, want %#04x", f, got, want)
		}
	}
}

// TestWhateverComesEnforceAnswers gives tensors of every type and shape to signatures of every kind.
func TestWhateverComesEnforceAnswers(t *testing.T) {
	kinds := []string{"boolean", "integer", "long", "float", "double", "string", "binary", "datetime", "any"}
	datatypes := []infer.Datatype{
		infer.Bool, infer.Uint8, infer.Uint16, infer.Uint32, infer.Uint64, infer.Int8, infer.Int16, infer.Int32, infer.Int64, infer.FP16, infer.FP32, infer.FP64, infer.Bytes,
	}
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		s, err := infer.ParseSignature(`[{"type": "`+kind+`", "name": "a", "required": `+rapid.SampledFrom([]string{"true", "false"}).Draw(t, "required")+`}]`, "", "")
		if err != nil {
			t.Fatal(err)
		}
		in := infer.Tensor{Name: "a", Datatype: rapid.SampledFrom(datatypes).Draw(t, "datatype"), Shape: rapid.SliceOfN(rapid.Int64Range(0, 3), 0, 3).Draw(t, "shape")}
		n, _ := infer.Elements(in.Shape)
		if in.Datatype == infer.Bytes {
			for range n {
				in.Data = infer.AppendBytes(in.Data, []byte(rapid.SampledFrom([]string{"", "1", "null", "[1]", `{"a":1}`, `"x"`, "2013-01-01", "\xff", "aGk="}).Draw(t, "text")))
			}
			if rapid.Bool().Draw(t, "json") {
				in.Parameters = map[string]any{infer.ContentType: infer.ContentJSON}
			}
		} else {
			in.Data = rapid.SliceOfN(rapid.Byte(), int(n)*in.Datatype.Width(), int(n)*in.Datatype.Width()).Draw(t, "data")
		}
		if err := in.Check(); err != nil {
			t.Fatal(err)
		}
		before := string(in.Data)
		r := &infer.Request{Inputs: []infer.Tensor{in}}
		if rapid.Bool().Draw(t, "untyped") {
			r = untyped(infer.ContentTable, in)
		}
		out, err := s.Enforce(r)
		if before != string(in.Data) {
			t.Fatal("the request was changed")
		}
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		if err := out.Inputs[0].Check(); err != nil {
			t.Fatalf("what comes out is broken: %v", err)
		}
		// Text that is not UTF-8 becomes JSON with an escape, which is written as the character the next time.
		escaped := kind == "any" && strings.Contains(before, "\xff")
		if again, err := s.Enforce(out); err == nil && kind != "binary" && !escaped && !cmp.Equal(again.Inputs, out.Inputs, cmpopts.EquateEmpty()) {
			t.Fatalf("enforced again it is another: %s", cmp.Diff(out.Inputs, again.Inputs, cmpopts.EquateEmpty()))
		}
	})
}
