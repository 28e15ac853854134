package infer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
)

// Kind is what a column or a part of one holds, by MLflow's name of it.
type Kind string

// The kinds that MLflow 3 knows (mlflow.types.schema: DataType, Array, Object, Map, AnyType).
const (
	Boolean  Kind = "boolean"
	Integer  Kind = "integer" // 32 bits
	Long     Kind = "long"
	Float    Kind = "float" // 32 bits
	Double   Kind = "double"
	Text     Kind = "string"
	Binary   Kind = "binary"
	Datetime Kind = "datetime"
	Array    Kind = "array"
	Object   Kind = "object"
	Map      Kind = "map"
	Any      Kind = "any"
	// SparkVector is a vector of Spark's ML library; its values are taken as they come.
	SparkVector Kind = "sparkml_vector"
)

// scalar reports whether a value of the kind is one element of a tensor.
func (k Kind) scalar() bool {
	switch k {
	case Boolean, Integer, Long, Float, Double, Text, Binary, Datetime:
		return true
	}
	return false
}

// datatype is that of the tensor which a column of scalars becomes.
func (k Kind) datatype() Datatype {
	switch k {
	case Boolean:
		return Bool
	case Integer:
		return Int32
	case Long, Datetime:
		return Int64
	case Float:
		return FP32
	case Double:
		return FP64
	}
	return Bytes
}

// Type is the type of a column, a property or a parameter.
type Type struct {
	Kind Kind
	// Items is the type of an Array's elements, Values that of a Map's values.
	Items, Values *Type
	// Properties are those of an Object, by name.
	Properties map[string]Property
}

// Property is a field of an Object.
type Property struct {
	Type     Type
	Optional bool
}

// String is the type as error messages write it: long, array of double, object with a and b.
func (t Type) String() string {
	switch t.Kind {
	case Array:
		return "array of " + t.Items.String()
	case Map:
		return "map of " + t.Values.String()
	case Object:
		names := make([]string, 0, len(t.Properties))
		for name := range t.Properties {
			names = append(names, name)
		}
		slices.Sort(names)
		return "object with " + strings.Join(names, ", ")
	}
	return string(t.Kind)
}

// Field is an input or output of a model: a column of a table, or a tensor.
type Field struct {
	// Name is empty where the signature names none.
	Name     string
	Optional bool
	// Column is the type of a column; nil for a tensor.
	Column *Type
	// DType is the type of a tensor by numpy's name, Shape its shape; -1 is any size.
	DType string
	Shape []int64
	// datatype is DType in the words of the protocol; empty for what it cannot carry, such as complex128.
	datatype Datatype
}

// Param is a parameter of a model: a value that goes with a request.
type Param struct {
	Name string
	Type Type
	// List says that the value is a list of the type.
	List bool
	// Default is used where a request names no value: bool, int64, float64, string, map[string]any, []any, or nil.
	Default any
}

// Signature is what a model takes and gives, as MLflow stores it with the model.
type Signature struct {
	Inputs, Outputs []Field
	Params          []Param
	index           map[string]int
}

const (
	mostFields = 100_000
	mostDepth  = 32
)

// ParseSignature reads the three parts of a signature as the file MLmodel has them: JSON lists, each empty where the model has none.
// It returns nil where all are empty.
func ParseSignature(inputs, outputs, params string) (*Signature, error) {
	var s Signature
	var err error
	if s.Inputs, err = parseFields("inputs", inputs); err != nil {
		return nil, err
	}
	if s.Outputs, err = parseFields("outputs", outputs); err != nil {
		return nil, err
	}
	if s.Params, err = parseParams(params); err != nil {
		return nil, err
	}
	if len(s.Inputs)+len(s.Outputs)+len(s.Params) == 0 {
		return nil, nil //nolint:nilnil // a model without a signature is no error
	}
	s.index = make(map[string]int, len(s.Inputs))
	for i, f := range s.Inputs {
		if f.Name == "" {
			continue
		}
		if _, twice := s.index[f.Name]; twice {
			return nil, fault.Invalidf("the signature names the input %q twice", f.Name)
		}
		s.index[f.Name] = i
	}
	return &s, nil
}

// fieldJSON is a column or tensor, a type inside of one, or a parameter. MLflow before 2.7 wrote optional, later ones required.
type fieldJSON struct {
	Name       *string              `json:"name"`
	Type       string               `json:"type"`
	DType      string               `json:"dtype"`
	Required   *bool                `json:"required"`
	Optional   bool                 `json:"optional"`
	Items      *fieldJSON           `json:"items"`
	Values     *fieldJSON           `json:"values"`
	Properties map[string]fieldJSON `json:"properties"`
	Tensor     *struct {
		DType string  `json:"dtype"`
		Shape []int64 `json:"shape"`
	} `json:"tensor-spec"`
	Default json.RawMessage `json:"default"`
	Shape   []int64         `json:"shape"`
}

func (f fieldJSON) optional() bool { return f.Optional || f.Required != nil && !*f.Required }

func decodeList(part, text string) ([]fieldJSON, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var list []fieldJSON
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fault.Invalidf("read the %s of the signature: %w", part, err)
	}
	if len(list) > mostFields {
		return nil, fault.Invalidf("read the %s of the signature: %d are more than %d", part, len(list), mostFields)
	}
	return list, nil
}

func parseFields(part, text string) ([]Field, error) {
	list, err := decodeList(part, text)
	if err != nil {
		return nil, err
	}
	fields := make([]Field, len(list))
	named, tensors := 0, 0
	for i, in := range list {
		if fields[i], err = in.field(); err != nil {
			return nil, fault.Invalidf("read the %s of the signature: entry %d: %w", part, i+1, err)
		}
		if fields[i].Name != "" {
			named++
		}
		if fields[i].Column == nil {
			tensors++
		}
	}
	switch n := len(list); {
	case named != 0 && named != n:
		return nil, fault.Invalidf("read the %s of the signature: some have names and some have none", part)
	case tensors != 0 && tensors != n:
		return nil, fault.Invalidf("read the %s of the signature: columns and tensors are mixed", part)
	case tensors > 1 && named == 0:
		return nil, fault.Invalidf("read the %s of the signature: several tensors need names", part)
	}
	return fields, nil
}

func (f fieldJSON) field() (Field, error) {
	var out Field
	if f.Name != nil {
		out.Name = *f.Name
	}
	out.Optional = f.optional()
	if f.Type != "tensor" {
		t, err := f.columnType(0)
		out.Column = &t
		return out, err
	}
	if f.Tensor == nil || f.Tensor.DType == "" || f.Tensor.Shape == nil {
		return out, fault.Invalidf("the tensor has no tensor-spec with dtype and shape")
	}
	for _, d := range f.Tensor.Shape {
		if d < -1 {
			return out, fault.Invalidf("the shape %v has a negative size other than -1", f.Tensor.Shape)
		}
	}
	out.DType, out.Shape, out.datatype = f.Tensor.DType, f.Tensor.Shape, numpyTypes[f.Tensor.DType]
	return out, nil
}

func (f fieldJSON) columnType(depth int) (Type, error) {
	if depth > mostDepth {
		return Type{}, fault.Invalidf("the type is nested more than %d deep", mostDepth)
	}
	t := Type{Kind: Kind(f.Type)}
	switch t.Kind {
	case Array:
		return t, inner(&t.Items, f.Items, "array without items", depth)
	case Map:
		return t, inner(&t.Values, f.Values, "map without values", depth)
	case Object:
		if f.Properties == nil {
			return t, fault.Invalidf("object without properties")
		}
		t.Properties = make(map[string]Property, len(f.Properties))
		for name, p := range f.Properties {
			pt, err := p.columnType(depth + 1)
			if err != nil {
				return t, fault.Invalidf("property %q: %w", name, err)
			}
			t.Properties[name] = Property{Type: pt, Optional: p.optional()}
		}
	case Any, SparkVector:
	default:
		if !t.Kind.scalar() {
			return t, fault.Invalidf("the type %q is none of MLflow's", fault.Shorten(f.Type, 40))
		}
	}
	return t, nil
}

func inner(into **Type, from *fieldJSON, missing string, depth int) error {
	if from == nil {
		return fault.Invalidf("%s", missing)
	}
	t, err := from.columnType(depth + 1)
	*into = &t
	return err
}

func parseParams(text string) ([]Param, error) {
	list, err := decodeList("params", text)
	if err != nil {
		return nil, err
	}
	params := make([]Param, len(list))
	for i, in := range list {
		if in.Name == nil || *in.Name == "" {
			return nil, fault.Invalidf("read the params of the signature: entry %d has no name", i+1)
		}
		p := Param{Name: *in.Name, List: in.Shape != nil}
		if in.Type == "" {
			in.Type = in.DType // as MLflow 2.6 wrote it
		}
		if p.Type, err = in.columnType(0); err != nil {
			return nil, fault.Invalidf("read the params of the signature: %s: %w", p.Name, err)
		}
		if len(in.Default) > 0 {
			if p.Default, err = decodeValue(in.Default); err == nil {
				p.Default, err = p.conform(p.Default)
			}
			if err != nil {
				return nil, fault.Invalidf("read the params of the signature: the default of %s: %w", p.Name, err)
			}
		}
		params[i] = p
	}
	return params, nil
}

// numpyTypes are the names that numpy's dtypes go by, with what carries their elements in a request.
var numpyTypes = map[string]Datatype{
	"bool": Bool, "int8": Int8, "int16": Int16, "int32": Int32, "int64": Int64,
	"uint8": Uint8, "uint16": Uint16, "uint32": Uint32, "uint64": Uint64,
	"float16": FP16, "float32": FP32, "float64": FP64,
	"str": Bytes, "bytes": Bytes, "object": Bytes,
}

// Columns reports whether the inputs are the columns of a table and not tensors.
func (s *Signature) Columns() bool { return len(s.Inputs) > 0 && s.Inputs[0].Column != nil }

// Specs are inputs and outputs in the words of the Open Inference Protocol. What has no name in the signature is called input-0,
// input-1, ... and output-0, ..., as MLServer calls it.
func (s *Signature) Specs() (inputs, outputs []Spec) {
	return specs("input", s.Inputs), specs("output", s.Outputs)
}

func specs(what string, fields []Field) []Spec {
	out := make([]Spec, len(fields))
	for i, f := range fields {
		spec := Spec{Name: f.Name, Optional: f.Optional, Shape: f.Shape, Datatype: f.datatype}
		if f.Column != nil {
			spec.Shape, spec.Datatype = []int64{-1}, f.Column.Kind.datatype()
			if f.Column.Kind == Datetime {
				spec.Datatype = Bytes // it is sent as text
			}
		}
		if spec.Name == "" {
			spec.Name = fmt.Sprintf("%s-%d", what, i)
		}
		if spec.Datatype == "" {
			spec.Datatype = Bytes
		}
		out[i] = spec
	}
	return out
}

// decodeValue reads JSON with whole numbers as int64, or uint64 where they are larger, and others as float64.
func decodeValue(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fault.Invalidf("%w", err)
	}
	return numbers(v)
}

func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		if u, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return u, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fault.Invalidf("the number %s cannot be held", fault.Shorten(v.String(), 40))
		}
		return f, nil
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = numbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
