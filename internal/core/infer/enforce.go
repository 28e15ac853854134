package infer

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"levada/internal/core/fault"
)

// Enforce gives a request as the model's signature wants it, or says what does not fit: the rules are those of MLflow
// (mlflow.models.utils._enforce_schema, version 3.17). Inputs come out in the signature's order, each as the type it has there, and
// what the signature does not know is left out. A column is a tensor [rows]; a column of arrays with one length may stay [rows,
// length]; text, datetimes, and values that no tensor holds are marked with a content type. The input of a signature without names is
// called "". Parameters come out as those of the signature, with defaults, and a content type: ContentTable for columns,
// ContentTensor for tensors.
//
// A typed request gets MLflow's safe conversions: to a wider type of the same sort, and of integers with up to 32 bits to double.
// One that is marked as ContentUntyped gets every conversion that keeps the value.
//
// The request itself is not changed; unconverted data is shared with it.
func (s *Signature) Enforce(r *Request) (*Request, error) {
	params, err := s.params(r.Parameters)
	if err != nil {
		return nil, err
	}
	out := &Request{ID: r.ID, Outputs: r.Outputs, Parameters: params, Inputs: r.Inputs}
	if len(s.Inputs) == 0 {
		if c, ok := r.Parameters[ContentType]; ok {
			params[ContentType] = c
		}
		return out, nil
	}
	untyped, _ := r.Parameters[ContentUntyped].(bool)
	if s.Columns() {
		params[ContentType] = ContentTable
		out.Inputs, err = s.columns(r.Inputs, untyped)
		return out, err
	}
	params[ContentType] = ContentTensor
	table := r.Parameters[ContentType] == ContentTable
	out.Inputs, err = s.tensors(r.Inputs, table, untyped)
	return out, err
}

// params gives the parameters of the signature: those of a request, or their defaults. Others are left out.
func (s *Signature) params(given map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(s.Params)+1)
	for _, p := range s.Params {
		v, there := given[p.Name]
		if !there {
			out[p.Name] = p.Default
			continue
		}
		v, err := p.conform(v)
		if err != nil {
			return nil, fault.Invalidf("parameter %q: %w", p.Name, err)
		}
		out[p.Name] = v
	}
	return out, nil
}

// matched gives for each input of the signature the tensor that came for it, nil for an optional one that did not come.
func (s *Signature) matched(inputs []Tensor) ([]*Tensor, error) {
	found := make([]*Tensor, len(s.Inputs))
	var extra []string
	for i := range inputs {
		at, known := s.index[inputs[i].Name]
		switch {
		case !known:
			extra = append(extra, inputs[i].Name)
		case found[at] != nil:
			return nil, fault.Invalidf("the input %q came twice", inputs[i].Name)
		default:
			found[at] = &inputs[i]
		}
	}
	var missing []string
	required, only := 0, 0
	for i, f := range s.Inputs {
		if f.Optional {
			continue
		}
		required, only = required+1, i
		if found[i] == nil {
			missing = append(missing, f.Name)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	// A bare array goes to the one input that has to be there.
	if required == 1 && len(inputs) == 1 && inputs[0].Name == "" {
		found[only] = &inputs[0]
		return found, nil
	}
	err := fmt.Sprintf("the model's signature requires inputs that did not come: %s", quoted(missing))
	if len(extra) > 0 {
		err += fmt.Sprintf("; these came, and it does not know them: %s", quoted(extra))
	}
	return nil, fault.Invalidf("%s", err)
}

// quoted lists names; of many the first twenty.
func quoted(names []string) string {
	more := ""
	if len(names) > 20 {
		more = fmt.Sprintf(" and %d more", len(names)-20)
		names = names[:20]
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strconv.Quote(fault.Shorten(n, 100))
	}
	return strings.Join(out, ", ") + more
}

// columns fits inputs to a signature of columns.
func (s *Signature) columns(inputs []Tensor, untyped bool) ([]Tensor, error) {
	var found []*Tensor
	var err error
	if s.Inputs[0].Name != "" {
		found, err = s.matched(inputs)
	} else {
		found, err = s.counted(inputs)
	}
	if err != nil {
		return nil, err
	}
	out := make([]Tensor, 0, len(found))
	for i, t := range found {
		if t == nil {
			continue
		}
		name := s.Inputs[i].Name
		if name == "" {
			name = t.Name
		}
		c, err := column(t, s.Inputs[i], untyped)
		if err != nil {
			return nil, fault.Invalidf("column %q: %w", name, err)
		}
		c.Name = name
		if len(out) > 0 && c.Shape[0] != out[0].Shape[0] {
			return nil, fault.Invalidf("column %q has %d rows and column %q has %d: all columns need the same number", out[0].Name, out[0].Shape[0], name, c.Shape[0])
		}
		out = append(out, c)
	}
	return out, nil
}

// counted matches columns without names by their position. A table may come as one tensor.
func (s *Signature) counted(inputs []Tensor) ([]*Tensor, error) {
	if len(inputs) == 1 && len(inputs[0].Shape) == 2 && inputs[0].Datatype != Bytes && s.Inputs[0].Column.Kind.scalar() {
		inputs = split(&inputs[0])
	}
	if len(inputs) < len(s.Inputs) {
		return nil, fault.Invalidf("the model's signature has %d columns, without names, and %d came", len(s.Inputs), len(inputs))
	}
	found := make([]*Tensor, len(s.Inputs))
	for i := range found {
		found[i] = &inputs[i]
	}
	return found, nil
}

// split makes columns of a tensor [rows, columns] whose elements have one size.
func split(t *Tensor) []Tensor {
	rows, n, width := int(t.Shape[0]), int(t.Shape[1]), t.Datatype.Width()
	if rows == 0 {
		n = min(n, mostFields) // nothing came that would bound it
	}
	out := make([]Tensor, n)
	for c := range out {
		data := make([]byte, 0, rows*width)
		for r := range rows {
			at := (r*n + c) * width
			data = append(data, t.Data[at:at+width]...)
		}
		out[c] = Tensor{Name: strconv.Itoa(c), Datatype: t.Datatype, Shape: []int64{t.Shape[0]}, Data: data, Parameters: t.Parameters}
	}
	return out
}

// column fits a tensor to a column.
func column(t *Tensor, f Field, untyped bool) (Tensor, error) {
	k := f.Column.Kind
	if d := k.datatype(); untyped && (d == Bytes || k == Datetime) && onlyMissing(t) {
		t = nulls(t) // nothing came that would say the type
	}
	if !k.scalar() {
		return nestedColumn(t, f, untyped)
	}
	rows := t.Rows()
	if len(t.Shape) > 2 || len(t.Shape) == 2 && t.Shape[1] != 1 {
		return Tensor{}, fault.Invalidf("%s is wanted as a tensor of shape [rows] or [rows, 1], and one of shape %v came", k, t.Shape)
	}
	out := Tensor{Datatype: k.datatype(), Shape: []int64{rows}, Data: t.Data}
	if !untyped && !safe(t, k) {
		return Tensor{}, fault.Invalidf("%s is wanted and %s came, which cannot be converted safely%s", k, t.Datatype, hint(t, k))
	}
	switch k {
	case Text:
		return textColumn(t, out)
	case Binary, Datetime:
		return markedColumn(t, out, k, untyped)
	}
	if t.Datatype == out.Datatype {
		return out, nil
	}
	var err error
	out.Data, err = converted(t, out.Datatype, rows, string(k))
	return out, err
}

// onlyMissing reports whether a tensor [rows] holds nothing but NaN, as a column of nulls does in a format without types.
func onlyMissing(t *Tensor) bool {
	if t.Datatype != FP64 || len(t.Shape) != 1 {
		return false
	}
	for i := range t.Shape[0] {
		if v, _ := t.Element(i).(float64); !math.IsNaN(v) {
			return false
		}
	}
	return true
}

func nulls(t *Tensor) *Tensor {
	out := &Tensor{Name: t.Name, Datatype: Bytes, Shape: t.Shape, Parameters: jsonContent}
	for range t.Shape[0] {
		out.Data = AppendBytes(out.Data, []byte("null"))
	}
	return out
}

// converted gives the data of a tensor as another datatype with elements of a fixed size.
func converted(t *Tensor, d Datatype, n int64, want string) ([]byte, error) {
	data := make([]byte, 0, int(n)*d.Width())
	err := t.eachCell(n, func(i int64, c any) (err error) {
		if data, err = appendCell(data, d, c, want); err != nil {
			return fault.Invalidf("row %d: %w", i, err)
		}
		return nil
	})
	return data, err
}

// safe reports whether MLflow converts the type of a tensor to that of a column.
func safe(t *Tensor, k Kind) bool {
	d := t.Datatype
	if d == Bytes && t.content() == ContentJSON {
		return true // each value says its type
	}
	switch k {
	case Boolean:
		return d == Bool
	case Integer:
		return slices.Contains([]Datatype{Int8, Int16, Int32, Uint8, Uint16}, d)
	case Long:
		return slices.Contains([]Datatype{Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32}, d)
	case Float:
		return d == FP16 || d == FP32 || zerosAndOnes(t)
	case Double:
		return slices.Contains([]Datatype{FP16, FP32, FP64, Int8, Int16, Int32, Uint8, Uint16, Uint32}, d) || zerosAndOnes(t)
	case Datetime:
		return d == Bytes || d == Int64 && t.content() == ContentDatetime
	}
	return d == Bytes
}

// zerosAndOnes is MLflow's exception: int64 becomes a float where it holds nothing else.
func zerosAndOnes(t *Tensor) bool {
	if t.Datatype != Int64 {
		return false
	}
	for i := range len(t.Data) / 8 {
		if v := t.Element(int64(i)).(int64); v != 0 && v != 1 {
			return false
		}
	}
	return true
}

// hint says what to do about a conversion that is not made.
func hint(t *Tensor, k Kind) string {
	switch {
	case (k == Integer || k == Long) && (t.Datatype == FP32 || t.Datatype == FP64):
		for i := range len(t.Data) / t.Datatype.Width() {
			if v, _ := t.Element(int64(i)).(float64); math.IsNaN(v) {
				return ": integer columns hold no missing values (NaN); a model whose column may lack values has to be logged with a signature that says double"
			}
		}
	case (k == Double || k == Float) && t.Datatype == Int64:
		return fmt.Sprintf(": send it as %s", k.datatype())
	}
	return ""
}

// textColumn leaves texts as they are; a column that lacks values stays JSON.
func textColumn(t *Tensor, out Tensor) (Tensor, error) {
	out.Parameters = textContent
	if t.Datatype != Bytes {
		if t.Rows() == 0 {
			out.Data = nil
			return out, nil
		}
		return out, fault.Invalidf("string is wanted and %s came", t.Datatype)
	}
	plain, missing := make([]byte, 0, len(t.Data)), false
	err := t.eachCell(t.Rows(), func(i int64, c any) error {
		text, ok := c.([]byte)
		switch {
		case c == nil:
			missing = true
		case !ok:
			return fault.Invalidf("row %d: %w", i, wrong("string", c))
		case !utf8.Valid(text):
			return fault.Invalidf("row %d: string is wanted and bytes that are not UTF-8 came", i)
		default:
			plain = AppendBytes(plain, text)
		}
		return nil
	})
	switch {
	case err != nil:
		return out, err
	case missing:
		out.Parameters = jsonContent
	default:
		out.Data = plain
	}
	return out, nil
}

// markedColumn makes a column of bytes or of times.
func markedColumn(t *Tensor, out Tensor, k Kind, untyped bool) (Tensor, error) {
	out.Parameters = binaryContent
	if k == Datetime {
		out.Parameters = datetimeContent
		if t.Datatype == Int64 {
			return out, nil
		}
	} else if !untyped && t.content() != ContentJSON {
		return out, nil // bytes as they are
	}
	var data []byte
	err := t.eachCell(t.Rows(), func(i int64, c any) error {
		if k == Datetime {
			at, err := nanoseconds(c)
			if err != nil {
				return fault.Invalidf("row %d: %w", i, err)
			}
			data, err = appendWhole(data, Int64, at, 0, string(k))
			return err
		}
		b, err := unbase64(c)
		if err != nil {
			return fault.Invalidf("row %d: %w", i, err)
		}
		data = AppendBytes(data, b)
		return nil
	})
	out.Data = data
	return out, err
}

// nestedColumn fits a tensor to a column of arrays, objects or maps.
func nestedColumn(t *Tensor, f Field, untyped bool) (Tensor, error) {
	items, depth := f.Column, 0
	for items.Kind == Array {
		items, depth = items.Items, depth+1
	}
	if depth > 0 && items.Kind.scalar() && t.content() != ContentJSON && items.Kind != Binary && items.Kind != Datetime {
		return arrayColumn(t, *items, f.Column, depth, untyped)
	}
	rows := t.Rows()
	if len(t.Shape) > 1 {
		return Tensor{}, fault.Invalidf("%s is wanted, one JSON value for each row in a tensor of shape [rows], and one of shape %v came", f.Column, t.Shape)
	}
	out := Tensor{Datatype: Bytes, Shape: []int64{rows}, Parameters: jsonContent}
	err := t.eachCell(rows, func(i int64, c any) error {
		text, err := f.Column.conformJSON(c, f.Optional)
		if err != nil {
			return fault.Invalidf("row %d: %w", i, err)
		}
		out.Data = AppendBytes(out.Data, text)
		return nil
	})
	return out, err
}

// arrayColumn fits a tensor [rows, length, ...] to a column of arrays. In an untyped request one array alone is one row.
func arrayColumn(t *Tensor, items Type, whole *Type, depth int, untyped bool) (Tensor, error) {
	shape := t.Shape
	if untyped && len(shape) == depth {
		shape = append([]int64{1}, shape...)
	}
	n, err := Elements(shape)
	if err != nil || len(shape) != depth+1 {
		return Tensor{}, fault.Invalidf("%s is wanted, a tensor with %d dimensions, and one of shape %v came", whole, depth+1, t.Shape)
	}
	flat := *t
	flat.Shape = []int64{n}
	out, err := column(&flat, Field{Column: &items}, untyped)
	out.Shape = shape
	return out, err
}

// tensors fits inputs to a signature of tensors.
func (s *Signature) tensors(inputs []Tensor, table, untyped bool) ([]Tensor, error) {
	if s.Inputs[0].Name == "" {
		t, err := s.unnamed(inputs, table, untyped)
		return []Tensor{t}, err
	}
	found, err := s.matched(inputs)
	if err != nil {
		return nil, err
	}
	out := make([]Tensor, 0, len(found))
	for i, t := range found {
		if t == nil {
			continue
		}
		fitted, err := s.Inputs[i].tensor(t, table, untyped)
		if err != nil {
			return nil, fault.Invalidf("input %q: %w", s.Inputs[i].Name, err)
		}
		out = append(out, fitted)
	}
	return out, nil
}

func (s *Signature) unnamed(inputs []Tensor, table, untyped bool) (Tensor, error) {
	f := s.Inputs[0]
	switch {
	case len(inputs) == 0:
		return Tensor{}, fault.Invalidf("the model's signature requires one tensor, and none came")
	case len(inputs) == 1:
		t, err := f.tensor(&inputs[0], table, untyped)
		if err != nil {
			err = fault.Invalidf("input %q: %w", inputs[0].Name, err)
		}
		return t, err
	case !table:
		return Tensor{}, fault.Invalidf("the model's signature has one tensor without a name, and %d inputs came", len(inputs))
	case len(f.Shape) != 2 || f.Shape[0] != -1 || f.Shape[1] != int64(len(inputs)) || f.datatype.Width() < 1:
		return Tensor{}, fault.Invalidf("the model's signature has one tensor, %s of shape %v, and a table of %d columns came", f.DType, f.Shape, len(inputs))
	}
	rows := inputs[0].Rows()
	columns := make([][]byte, len(inputs))
	for i := range inputs {
		c, err := Field{DType: f.DType, datatype: f.datatype, Shape: []int64{-1}}.tensor(&inputs[i], true, untyped)
		if err != nil {
			return Tensor{}, fault.Invalidf("column %q: %w", inputs[i].Name, err)
		}
		if c.Rows() != rows {
			return Tensor{}, fault.Invalidf("column %q has %d rows and column %q has %d: all columns need the same number", inputs[0].Name, rows, inputs[i].Name, c.Rows())
		}
		columns[i] = c.Data
	}
	width := f.datatype.Width()
	out := Tensor{Datatype: f.datatype, Shape: []int64{rows, f.Shape[1]}, Data: make([]byte, 0, int(rows)*width*len(columns))}
	for r := range int(rows) {
		for _, c := range columns {
			out.Data = append(out.Data, c[r*width:(r+1)*width]...)
		}
	}
	return out, nil
}

// tensor fits a tensor, or a column of a table, to one of the signature's.
func (f Field) tensor(t *Tensor, table, untyped bool) (Tensor, error) {
	out := *t
	out.Name, out.Parameters = f.Name, nil
	if f.DType == "object" && len(f.Shape) == 1 && f.Shape[0] == -1 {
		out.Parameters = t.Parameters
		return out, nil // a sign of MLflow's for what fits no rectangle
	}
	if f.datatype == "" {
		return out, fault.Unimplementedf("the signature has the numpy type %q, which the protocols cannot carry", f.DType)
	}
	if table {
		out.Shape = f.reshaped(t.Shape)
	}
	if t.content() == ContentJSON {
		return out, fault.Invalidf("%s of shape %v is wanted and values of several types or lengths came", f.DType, f.Shape)
	}
	fits := len(f.Shape) == len(out.Shape)
	for i := 0; fits && i < len(f.Shape); i++ {
		fits = f.Shape[i] == -1 || f.Shape[i] == out.Shape[i]
	}
	if !fits {
		return out, fault.Invalidf("shape %v is wanted and %v came (-1 is any size)", f.Shape, t.Shape)
	}
	if t.Datatype != f.datatype {
		n, err := Elements(out.Shape)
		if err != nil {
			return out, fault.Invalidf("%w", err)
		}
		if !untyped || f.datatype == Bytes && n > 0 {
			return out, fault.Invalidf("%s is wanted, which is %s, and %s came", f.DType, f.datatype, t.Datatype)
		}
		out.Datatype, out.Data = f.datatype, nil
		if f.datatype != Bytes {
			if out.Data, err = converted(t, f.datatype, n, f.DType); err != nil {
				return out, err
			}
		}
	}
	switch f.DType {
	case "str":
		return textTensor(out)
	case "bytes":
		out.Parameters = binaryContent
	}
	return out, nil
}

// reshaped gives the column of a table, whose cells are values or flat lists, the shape that the signature wants where the number of
// elements in a row is right, as MLflow does.
func (f Field) reshaped(shape []int64) []int64 {
	if len(f.Shape) == 0 || len(shape) == 0 || f.Shape[0] != -1 || slices.Contains(f.Shape[1:], -1) {
		return shape
	}
	wanted, err := Elements(f.Shape[1:])
	came, err2 := Elements(shape[1:])
	if err != nil || err2 != nil || wanted != came {
		return shape
	}
	return append([]int64{shape[0]}, f.Shape[1:]...)
}

func textTensor(t Tensor) (Tensor, error) {
	n, err := Elements(t.Shape)
	if err != nil {
		return t, fault.Invalidf("%w", err)
	}
	t.Parameters = textContent
	return t, t.eachBytes(n, func(i int64, b []byte) error {
		if !utf8.Valid(b) {
			return fault.Invalidf("element %d: str is wanted and bytes that are not UTF-8 came", i)
		}
		return nil
	})
}
