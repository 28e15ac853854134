package tabular

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// jsonRows reads a JSON object from each line; its keys are the columns, in the order in which they come first.
type jsonRows struct {
	text  *text
	table *rowsReader
	at    map[string]int
	line  int64
	over  map[string]bool
}

func openJSON(t *text, l table.Limits) table.Reader {
	r := &rowsReader{limits: l}
	j := &jsonRows{text: t, table: r, at: map[string]int{}, over: map[string]bool{}}
	r.read = j.read
	r.whole = func() bool { return !t.full() }
	return r
}

// manyBad is how many of the first lines may be no objects.
const manyBad = 20

func (j *jsonRows) read(cells []table.Cell) ([]table.Cell, error) {
	for {
		line, err := j.next()
		if err != nil {
			return cells, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		row, ok := j.row(cells, line)
		if ok {
			return row, nil
		}
		cells = row[:0]
		j.table.end.Bad++
		if j.table.end.Rows == 0 && j.table.end.Bad >= manyBad {
			return cells, fault.Invalidf("the first %d lines are no JSON objects", manyBad)
		}
	}
}

// next returns the next line, or io.EOF. A last line that the limit of bytes has cut is none.
func (j *jsonRows) next() ([]byte, error) {
	var line []byte
	for {
		part, err := j.text.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			j.line++
			j.text.row()
			return line, nil
		case errors.Is(err, io.EOF) && len(line) > 0 && !j.text.full():
			j.line++
			return line, nil
		case errors.Is(err, io.EOF):
			if j.table.end.Rows == 0 && j.table.end.Bad > 0 {
				return nil, fault.Invalidf("no line is a JSON object")
			}
			return nil, io.EOF
		case len(line) > longestRow:
			return nil, errLongRow
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			return nil, csvError(err)
		}
	}
}

func (j *jsonRows) row(cells []table.Cell, line []byte) ([]table.Cell, bool) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return cells, false
	}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return cells, false
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return cells, false
		}
		i, ok := j.column(key)
		if !ok {
			continue
		}
		for len(cells) <= i {
			cells = append(cells, table.Cell{})
		}
		cells[i] = jsonCell(value)
	}
	_, err := d.Token()
	return cells, err == nil
}

func (j *jsonRows) column(key string) (int, bool) {
	if i, ok := j.at[key]; ok {
		return i, true
	}
	if len(j.table.columns) >= j.table.limits.Columns {
		if len(j.over) < maxOver && !j.over[key] {
			j.over[strings.Clone(key)] = true
			j.table.more++
		}
		return 0, false
	}
	i := len(j.table.columns)
	j.at[key] = i
	j.table.columns = append(j.table.columns, table.Column{Name: fault.Shorten(key, longestName)})
	return i, true
}

// maxOver bounds how many columns beyond the limit are told apart.
const maxOver = 100_000

func jsonCell(value any) table.Cell {
	switch v := value.(type) {
	case nil:
		return table.Cell{}
	case bool:
		if v {
			return table.Cell{Kind: table.Boolean, Int: 1}
		}
		return table.Cell{Kind: table.Boolean}
	case json.Number:
		if n, ok := numberOf(v.String()); ok {
			return n
		}
		return table.Cell{Kind: table.Text, Text: v.String()}
	case string:
		if t, ok := momentOf(v); ok {
			return t
		}
		if v == "" {
			v = `""`
		}
		return table.Cell{Kind: table.Text, Text: v}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return table.Cell{Kind: table.List, Text: "…"}
	}
	return table.Cell{Kind: table.List, Text: fault.Shorten(string(text), longestName)}
}
