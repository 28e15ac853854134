// Package lookup joins columns of a table to requests for predictions by a key: the simplest form of a feature store.
//
// A Table lies in memory within a bound and is never changed; another version of it is another Table. Where it comes from is not known
// here. Start reading at Build, then Table.Join.
package lookup

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/reqlog"
	"levada/internal/core/table"
	"levada/internal/core/textual"
)

// defaultMB is how much memory a table may take where nothing else is said.
const defaultMB = 256

// Table has rows by their keys.
type Table struct {
	settings endpoint.Lookup
	columns  []column
	rows     map[string]uint32
	// absent are the values of a row that is not there, by column.
	absent [][]byte
	bytes  int64
}

// column has the values of a column as elements of a tensor, one after the other: each its length and a JSON value.
type column struct {
	name string
	data []byte
	ends []uint32
}

// rowOverhead is what a row takes beside its bytes: its place in the map, and the head of its key.
const rowOverhead = 64

// Build reads a table into memory.
func Build(ctx context.Context, s table.Source, l endpoint.Lookup) (*Table, error) {
	t := &Table{settings: l, rows: map[string]uint32{}}
	asked, err := t.choose(s)
	if err != nil {
		return nil, err
	}
	most := int64(l.MaxMB) << 20
	if most == 0 {
		most = defaultMB << 20
	}
	scan := s.Scan(asked...)
	defer scan.Close()
	for {
		b, err := scan.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Size {
			if err := t.add(b, i); err != nil {
				return nil, err
			}
			if t.bytes > most {
				return nil, fault.TooLargef("the lookup table takes more than %d MiB in memory: raise lookup.max_mb, or name fewer lookup.columns", most>>20)
			}
		}
	}
	return t, nil
}

// choose finds the columns: those of the key first.
func (t *Table) choose(s table.Source) ([]int, error) {
	places := map[string]int{}
	var names []string
	for i, c := range s.Columns() {
		if _, twice := places[c.Name]; !twice {
			places[c.Name] = i
			names = append(names, c.Name)
		}
	}
	var asked []int
	find := func(name, what string) error {
		i, ok := places[name]
		if !ok {
			return fault.Invalidf("the lookup table has no column %q, which %s names; it has %s", fault.Shorten(name, 100), what, fault.Shorten(strings.Join(names, ", "), 500))
		}
		asked = append(asked, i)
		return nil
	}
	for _, name := range t.settings.Key {
		if err := find(name, "lookup.key"); err != nil {
			return nil, err
		}
	}
	joined := t.settings.Columns
	if len(joined) == 0 {
		joined = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(t.settings.Key, name) })
	}
	for _, name := range joined {
		if err := find(name, "lookup.columns"); err != nil {
			return nil, err
		}
		t.columns = append(t.columns, column{name: name})
		value, err := json.Marshal(t.settings.Defaults[name])
		if err != nil {
			return nil, err
		}
		t.absent = append(t.absent, infer.AppendBytes(nil, value))
	}
	if len(t.columns) == 0 {
		return nil, fault.Invalidf("the lookup table has no column but its key")
	}
	for name := range t.settings.Defaults {
		if !slices.Contains(joined, name) {
			return nil, fault.Invalidf("lookup.defaults names %q, which is not joined", fault.Shorten(name, 100))
		}
	}
	return asked, nil
}

// add adds a row.
func (t *Table) add(b *table.Batch, row int) error {
	keys := len(t.settings.Key)
	var key []byte
	for i := range keys {
		part, ok := keyOf(b.Columns[i].Cell(row))
		if !ok {
			return fault.Invalidf("row %d of the lookup table has no value in its key column %q", b.Row+int64(row)+1, t.settings.Key[i])
		}
		key = appendKey(key, part)
	}
	if _, twice := t.rows[string(key)]; twice {
		return fault.Invalidf("row %d of the lookup table has a key that a row before has: %s", b.Row+int64(row)+1, strings.Join(t.settings.Key, ", "))
	}
	t.rows[string(key)] = uint32(len(t.rows))
	t.bytes += int64(len(key)) + rowOverhead
	for i := range t.columns {
		c := &t.columns[i]
		before := len(c.data)
		c.data = append(c.data, 0, 0, 0, 0)
		c.data = reqlog.AppendJSON(c.data, b.Columns[keys+i].Cell(row))
		if len(c.data) > math.MaxUint32 {
			return fault.TooLargef("column %q of the lookup table has more than 4 GiB", c.name)
		}
		binary.LittleEndian.PutUint32(c.data[before:], uint32(len(c.data)-before-4))
		c.ends = append(c.ends, uint32(len(c.data)))
		t.bytes += int64(len(c.data)-before) + 4
	}
	return nil
}

// keyOf is a value of a key as text. A whole number is the same whether it came as an integer, a float or a text.
func keyOf(c table.Cell) (string, bool) {
	switch c.Kind {
	case table.Null:
		return "", false
	case table.Number:
		if c.Float == math.Trunc(c.Float) && math.Abs(c.Float) < 1<<53 {
			return strconv.FormatInt(int64(c.Float), 10), true
		}
		return strconv.FormatFloat(c.Float, 'g', -1, 64), !math.IsNaN(c.Float)
	case table.Text:
		return c.Text, true
	}
	return c.Shown(), true
}

// appendKey appends a part of a key so that no two keys are the same by chance.
func appendKey(key []byte, part string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(part))), part...)
}

// Rows and Bytes are how many rows the table has, and about how much memory it takes.
func (t *Table) Rows() int { return len(t.rows) }

// Bytes is about how much memory the table takes.
func (t *Table) Bytes() int64 { return t.bytes }

// jsonContent is never written to.
var jsonContent = map[string]any{infer.ContentType: infer.ContentJSON}

// maxJoined is how many bytes are joined to a request: the same long row may be asked for again and again.
const maxJoined = 256 << 20

// Join returns the request with the columns of the table. A column that the request has is left as it came; the request itself is not
// changed.
func (t *Table) Join(r *infer.Request) (*infer.Request, error) {
	if t.complete(r) {
		return r, nil
	}
	keys := make([]*infer.Tensor, len(t.settings.Key))
	for i, name := range t.settings.Key {
		if keys[i] = input(r, name); keys[i] == nil {
			return nil, fault.Invalidf("the request has no input %q, which is the key of the endpoint's lookup table", fault.Shorten(name, 100))
		}
	}
	rows, err := t.find(keys)
	if err != nil {
		return nil, err
	}
	out := *r
	out.Inputs = slices.Clone(r.Inputs)
	left := maxJoined
	for i := range t.columns {
		c := &t.columns[i]
		if input(r, c.name) != nil {
			continue
		}
		size := 0
		for _, row := range rows {
			size += len(t.value(i, row))
		}
		if left -= size; left < 0 {
			return nil, fault.TooLargef("the lookup table would add more than %d MiB to the request's %d rows: send it in parts", maxJoined>>20, len(rows))
		}
		joined := infer.Tensor{Name: c.name, Datatype: infer.Bytes, Shape: []int64{int64(len(rows))}, Parameters: jsonContent, Data: make([]byte, 0, size)}
		for _, row := range rows {
			joined.Data = append(joined.Data, t.value(i, row)...)
		}
		out.Inputs = append(out.Inputs, joined)
	}
	return &out, nil
}

// complete says whether a request has all columns already.
func (t *Table) complete(r *infer.Request) bool {
	return !slices.ContainsFunc(t.columns, func(c column) bool { return input(r, c.name) == nil })
}

func input(r *infer.Request, name string) *infer.Tensor {
	for i := range r.Inputs {
		if r.Inputs[i].Name == name {
			return &r.Inputs[i]
		}
	}
	return nil
}

// nowhere is the row of a key that is not there.
const nowhere = math.MaxUint32

// find returns the row of each key.
func (t *Table) find(keys []*infer.Tensor) ([]uint32, error) {
	n := keys[0].Rows()
	parts := make([][]table.Cell, len(keys))
	for i, k := range keys {
		all, err := infer.Elements(k.Shape)
		if err != nil || all != n {
			return nil, fault.Invalidf("the input %q is the key of the endpoint's lookup table: want one value for each row, and its shape is %v", t.settings.Key[i], k.Shape)
		}
		if parts[i], err = reqlog.Cells(k); err != nil {
			return nil, fault.Invalidf("the input %q is the key of the endpoint's lookup table: %w", t.settings.Key[i], err)
		}
	}
	rows := make([]uint32, n)
	var key []byte
	for r := range rows {
		key = key[:0]
		there := true
		for i := range parts {
			part, ok := keyOf(parts[i][r])
			there = there && ok
			key = appendKey(key, part)
		}
		row, ok := t.rows[string(key)]
		switch {
		case ok && there:
			rows[r] = row
		case t.settings.Missing == endpoint.MissingError || t.settings.Missing == "":
			return nil, fault.Invalidf("row %d: the endpoint's lookup table has no row where %s", r, t.said(parts, r))
		default:
			rows[r] = nowhere
		}
	}
	return rows, nil
}

// said is a key as people read it.
func (t *Table) said(parts [][]table.Cell, row int) string {
	var out []string
	for i, name := range t.settings.Key {
		value := "null"
		if c := parts[i][row]; c.Kind != table.Null {
			value = strconv.Quote(fault.Shorten(textual.Mask(c.Shown()), 60)) // the message may be kept
		}
		out = append(out, name+" is "+value)
	}
	return strings.Join(out, " and ")
}

// value is an element of a column.
func (t *Table) value(i int, row uint32) []byte {
	if row == nowhere {
		return t.absent[i]
	}
	c := &t.columns[i]
	from := uint32(0)
	if row > 0 {
		from = c.ends[row-1]
	}
	return c.data[from:c.ends[row]]
}
