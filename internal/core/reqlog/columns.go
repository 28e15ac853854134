package reqlog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/table"
	"levada/internal/core/textual"
)

// The bounds of what is kept of a request.
const (
	// MaxRows is how many rows of a request are kept.
	MaxRows = 10_000
	// maxElements is how many elements a row of a tensor may have.
	maxElements = 1024
	// maxText is how many bytes a text may have.
	maxText = 64 << 10
	// maxColumns is how many inputs and outputs are kept.
	maxColumns = 2000
	// maxName is how many bytes the name of an input or output may have.
	maxName = 1000
	// maxID is how many bytes of an id are kept.
	maxID = 200
)

// Key is the id under which a request is kept and its truth is looked for: the id itself, or its SHA-256 where it is long or looks like
// personal data.
func Key(id string) string {
	if len(id) <= maxID && textual.PersonalKind(id) == "" && utf8.ValidString(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Reasons for which columns or values are left out, beside the kinds of personal data.
const (
	reasonDropped = "dropped by the settings"
	reasonShape   = "its rows are not those of the request, or have more than 1024 elements"
	reasonBinary  = "holds bytes that are no text"
	reasonLong    = "values of more than 65536 bytes are missing"
	reasonName    = "its name has more than 1000 bytes"
	reasonMany    = "the request has more than 2000 inputs and outputs"
)

// RecordOf is what is kept of a request, without the columns that left says are out. What must be left out from now on is given to note,
// by the name of the column with its prefix; a column that looks personal is not in the record any more.
func RecordOf(e *Entry, left func(column string) bool, note func(column, reason string)) Record {
	r := Record{ID: Key(e.ID), At: e.At.UnixMicro(), Version: e.Version, Role: e.Role, Nanos: int64(e.Latency), Status: e.Outcome.String(), Rows: 1,
		Prediction: e.Log.Prediction, KeepPII: e.Log.KeepPII}
	n, rowed := infer.BatchRows(e.Request)
	if rowed {
		r.Rows = int(min(n, MaxRows))
	}
	add := func(prefix string, tensors []infer.Tensor) {
		for i := range tensors {
			t := &tensors[i]
			name := prefix + strings.ToValidUTF8(t.Name, "\uFFFD")
			switch kind := textual.PersonalKind(t.Name); {
			case len(t.Name) > maxName:
				note(fault.Shorten(prefix+textual.Mask(name[len(prefix):]), maxID), reasonName)
			case kind != "" && !e.Log.KeepPII:
				note(prefix+textual.Mask(t.Name), Personal+kind)
			case slices.Contains(e.Log.Drop, t.Name) || slices.Contains(e.Log.Drop, name):
				note(name, reasonDropped)
			case left(name):
			case len(r.Columns) >= maxColumns:
				note(name, reasonMany)
				return
			default:
				c, why := columnOf(t, name, n, rowed, r.Rows)
				if why != "" {
					note(name, why)
				}
				if kind := personal(&c); kind != "" && !e.Log.KeepPII {
					note(name, Personal+kind)
				} else if c.Kind != table.Null {
					r.Columns = append(r.Columns, c)
				}
			}
		}
	}
	add(InputPrefix, e.Request.Inputs)
	add(OutputPrefix, e.Outputs)
	return r
}

// Personal begins the reason for which a column is left out by what its values look like.
const Personal = "looks like "

// personal is the kind of personal data that a text of a column looks like.
func personal(c *Column) string {
	for _, t := range c.Texts {
		if kind := textual.PersonalKind(t); kind != "" {
			return kind
		}
	}
	return ""
}

// columnOf gives a tensor as a column of so many rows, at most the first keep. The kind is Null where nothing can be kept.
func columnOf(t *infer.Tensor, name string, rows int64, rowed bool, keep int) (c Column, why string) {
	c.Name = name
	all, err := infer.Elements(t.Shape)
	if err != nil || all > int64(len(t.Data)) {
		return c, reasonShape
	}
	each := all
	if rowed && rows > 0 {
		if t.Rows() != rows || all%rows != 0 {
			return c, reasonShape
		}
		each = all / rows
	}
	list := !rowed && len(t.Shape) > 0 || rowed && len(t.Shape) > 1 && each != 1
	if each > maxElements {
		return c, reasonShape
	}
	if infer.ContentOf(t.Parameters) == infer.ContentBinary {
		return c, reasonBinary
	}
	var cells []table.Cell
	if list {
		cells, why = lists(t, keep, each)
	} else {
		cells, why = cellsOf(t, int64(keep)*each)
	}
	c.fill(cells)
	return c, why
}

// cellsOf are the first n elements of a tensor.
func cellsOf(t *infer.Tensor, n int64) (cells []table.Cell, why string) {
	cells = make([]table.Cell, n)
	why = eachCell(t, n, func(i int64, c table.Cell) { cells[i] = c })
	return cells, why
}

// eachCell calls f with the first n elements of a tensor, in their order; those that cannot be kept have no value.
func eachCell(t *infer.Tensor, n int64, f func(i int64, c table.Cell)) (why string) {
	if t.Datatype != infer.Bytes {
		when := infer.ContentOf(t.Parameters) == infer.ContentDatetime
		for i := range n {
			f(i, cellOf(t.Element(i), when))
		}
		return ""
	}
	isJSON := infer.ContentOf(t.Parameters) == infer.ContentJSON
	rest := t.Data
	for i := range n {
		if len(rest) < 4 {
			return reasonShape
		}
		size := int64(binary.LittleEndian.Uint32(rest))
		if size > int64(len(rest)-4) {
			return reasonShape
		}
		b := rest[4 : 4+size]
		rest = rest[4+size:]
		var c table.Cell
		switch {
		case size > maxText:
			why = reasonLong
		case !utf8.Valid(b):
			why = reasonBinary
		case isJSON:
			c = jsonCell(b)
		default:
			c = table.Cell{Kind: table.Text, Text: string(b)}
		}
		f(i, c)
	}
	return why
}

func cellOf(e any, when bool) table.Cell {
	switch e := e.(type) {
	case bool:
		c := table.Cell{Kind: table.Boolean}
		if e {
			c.Int = 1
		}
		return c
	case int64:
		if when {
			if e == math.MinInt64 {
				return table.Cell{}
			}
			return table.Cell{Kind: table.Time, Int: e / 1000}
		}
		return table.Cell{Kind: table.Integer, Int: e}
	case uint64:
		if e > math.MaxInt64 {
			return table.Cell{Kind: table.Text, Text: strconv.FormatUint(e, 10)}
		}
		return table.Cell{Kind: table.Integer, Int: int64(e)}
	case float64:
		return table.Cell{Kind: table.Number, Float: e}
	}
	return table.Cell{}
}

// jsonCell is a JSON value: a text without its quotes, a number, a truth value; what has parts stays JSON.
func jsonCell(b []byte) table.Cell {
	var v any
	if len(b) == 0 {
		return table.Cell{}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return table.Cell{Kind: table.Text, Text: string(b)}
	}
	switch v := v.(type) {
	case nil:
		return table.Cell{}
	case string:
		return table.Cell{Kind: table.Text, Text: v}
	case bool:
		return cellOf(v, false)
	case float64:
		if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
			return table.Cell{Kind: table.Integer, Int: n}
		}
		return table.Cell{Kind: table.Number, Float: v}
	}
	return table.Cell{Kind: table.Text, Text: string(b)}
}

// lists joins the elements of each row to a JSON list, one after the other: as cells they would take forty times their bytes.
func lists(t *infer.Tensor, rows int, each int64) (out []table.Cell, why string) {
	out = make([]table.Cell, rows)
	for r := range out {
		out[r] = table.Cell{Kind: table.Text, Text: "[]"}
	}
	b := []byte{'['}
	why = eachCell(t, int64(rows)*each, func(i int64, c table.Cell) {
		if b = AppendJSON(b, c); i%each < each-1 {
			b = append(b, ',')
			return
		}
		out[i/each].Text = string(append(b, ']'))
		b = b[:1]
	})
	return out, why
}

// AppendJSON appends a cell as a JSON value; what is not there, and numbers that JSON has no word for (NaN), are null.
func AppendJSON(b []byte, c table.Cell) []byte {
	switch c.Kind {
	case table.Boolean:
		return strconv.AppendBool(b, c.Int != 0)
	case table.Integer:
		return strconv.AppendInt(b, c.Int, 10)
	case table.Number:
		if math.IsNaN(c.Float) || math.IsInf(c.Float, 0) {
			return append(b, "null"...)
		}
		return strconv.AppendFloat(b, c.Float, 'g', -1, 64)
	case table.Text, table.Time, table.Date:
		text, err := json.Marshal(c.Shown())
		if c.Kind == table.Text {
			text, err = json.Marshal(c.Text)
		}
		if err == nil {
			return append(b, text...)
		}
	}
	return append(b, "null"...)
}

// fill takes up cells; those of several kinds become numbers where they are all numbers, and texts otherwise.
func (c *Column) fill(cells []table.Cell) {
	for _, cell := range cells {
		c.Kind = Unified(c.Kind, cell.Kind)
	}
	for i, cell := range cells {
		if cell.Kind == table.Null {
			c.Missing = append(c.Missing, i)
		}
		switch c.Kind {
		case table.Null:
		case table.Text:
			text := cell.Text
			if cell.Kind != table.Text {
				text = cell.Shown()
			}
			c.Texts = append(c.Texts, text)
		case table.Number:
			f := cell.Float
			if cell.Kind == table.Integer {
				f = float64(cell.Int)
			}
			c.Ints = append(c.Ints, int64(math.Float64bits(f)))
		default:
			c.Ints = append(c.Ints, cell.Int)
		}
	}
}

// Unified is the kind of a column that has values of both kinds.
func Unified(a, b table.Kind) table.Kind {
	number := func(k table.Kind) bool { return k == table.Integer || k == table.Number }
	switch {
	case a == b || b == table.Null:
		return a
	case a == table.Null:
		return b
	case number(a) && number(b):
		return table.Number
	}
	return table.Text
}

// Cell is the value of a row.
func (c *Column) Cell(row int) table.Cell {
	if _, missing := slices.BinarySearch(c.Missing, row); missing {
		return table.Cell{}
	}
	switch {
	case c.Kind == table.Text && row < len(c.Texts):
		return table.Cell{Kind: table.Text, Text: c.Texts[row]}
	case row >= len(c.Ints):
		return table.Cell{}
	case c.Kind == table.Number:
		return table.Cell{Kind: table.Number, Float: math.Float64frombits(uint64(c.Ints[row]))}
	}
	return table.Cell{Kind: c.Kind, Int: c.Ints[row]}
}

// Cells are the elements of a tensor as cells.
func Cells(t *infer.Tensor) ([]table.Cell, error) {
	n, err := infer.Elements(t.Shape)
	if err != nil {
		return nil, fault.Invalidf("%w", err)
	}
	if n > int64(len(t.Data)) { // every element has a byte at the least
		return nil, fault.Invalidf("%s", reasonShape)
	}
	cells, why := cellsOf(t, n)
	if why != "" {
		return nil, fault.Invalidf("%s", why)
	}
	return cells, nil
}
