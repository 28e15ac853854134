package tabular

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// jsonFile has a JSON object on each line; its keys are the columns, in the order in which they come first.
type jsonFile struct {
	*textFile
	names []string
	at    map[string]int
	// words says of a column that it has texts which are neither dates nor times; then none of its texts is read as one.
	words []bool
	found []table.Finding
}

// manyBad is how many of the first lines may be no objects.
const manyBad = 20

// openJSON reads all objects for their keys, since any may come first in the last.
func openJSON(t *textFile, r io.ReaderAt) (*jsonFile, error) {
	j := &jsonFile{textFile: t, at: map[string]int{}}
	in, err := t.reader(r)
	if err != nil {
		return nil, err
	}
	good, bad := 0, 0
	block := make([]byte, 0, blockSize)
	for last := false; !last; {
		n, err := io.ReadFull(in, block[len(block):cap(block)])
		block = block[:len(block)+n]
		if last = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !last {
			return nil, damaged(err)
		}
		end := j.split(block)
		if last && !in.cut() {
			end = len(block)
		}
		if end == 0 && !last {
			if len(block) > longestRow {
				return nil, errLongRow
			}
			block = append(make([]byte, 0, 2*cap(block)), block...)
			continue
		}
		for line := range bytes.Lines(block[:end]) {
			line = bytes.TrimSpace(line)
			if len(line) > longestRow {
				return nil, errLongRow
			}
			if len(line) == 0 {
				continue
			}
			if !isObject(line) {
				if bad++; good == 0 && bad >= manyBad {
					return nil, fault.Invalidf("the first %d lines are no JSON objects", manyBad)
				}
				continue
			}
			good++
			if err := j.keys(line); err != nil {
				return nil, err
			}
		}
		block = append(block[:0], block[end:]...)
	}
	if good == 0 && bad > 0 {
		return nil, fault.Invalidf("no line is a JSON object")
	}
	return j, nil
}

func isObject(line []byte) bool { return len(line) > 1 && line[0] == '{' && json.Valid(line) }

func (j *jsonFile) keys(line []byte) error {
	for key, value := range members(line) {
		k, ok := j.at[string(key)]
		if !ok {
			if k = len(j.names); k >= maxColumns {
				return fault.Invalidf("the objects have more than %d different keys", maxColumns)
			}
			name := string(key)
			j.at[name] = k
			j.names, j.words = append(j.names, name), append(j.words, false)
			if !valid(name) {
				j.found = append(j.found, table.Finding{Column: strings.ToValidUTF8(fault.Shorten(name, longestName), "\uFFFD"), What: nameNotUTF8, Row: -1})
			}
		}
		if value[0] == '"' && !j.words[k] {
			_, moment := momentOf(string(value[1 : len(value)-1]))
			j.words[k] = !moment
		}
	}
	return nil
}

// Findings say what was decided.
func (j *jsonFile) Findings() []table.Finding { return j.found }

// members gives the keys of a valid object, as they are written without quotes, and their values.
func members(line []byte) func(yield func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		at := blanks(line, 1)
		for line[at] == '"' {
			end := endOfString(line, at)
			key := line[at+1 : end-1]
			at = blanks(line, blanks(line, end)+1) // the colon
			end = endOfValue(line, at)
			if !yield(key, line[at:end]) {
				return
			}
			if at = blanks(line, end); line[at] == ',' {
				at = blanks(line, at+1)
			}
		}
	}
}

func blanks(b []byte, at int) int {
	for b[at] == ' ' || b[at] == '\t' || b[at] == '\r' || b[at] == '\n' {
		at++
	}
	return at
}

// endOfString returns the place behind a string that begins at a place.
func endOfString(b []byte, at int) int {
	for at++; b[at] != '"'; at++ {
		if b[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// endOfValue returns the place behind a valid value that begins at a place.
func endOfValue(b []byte, at int) int {
	depth := 0
	for {
		switch b[at] {
		case '"':
			at = endOfString(b, at)
			if depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return at
			}
		}
		at++
	}
}

// Columns are the keys. A key is written as it is in the file, but for escapes.
func (j *jsonFile) Columns() []table.Column {
	out := make([]table.Column, len(j.names))
	for i, name := range j.names {
		out[i] = table.Column{Name: strings.ToValidUTF8(fault.Shorten(stringOf([]byte(`"`+name+`"`)), longestName), "\uFFFD")}
	}
	return out
}

// Rows is not counted.
func (j *jsonFile) Rows() int64 { return -1 }

// Scan reads columns.
func (j *jsonFile) Scan(columns ...int) table.Scanner {
	if len(columns) == 0 {
		for i := range j.names {
			columns = append(columns, i)
		}
	}
	f := &jsonFormat{jsonFile: j, at: slices.Repeat([]int{-1}, len(j.names)), columns: len(columns)}
	for i, c := range columns {
		f.at[c] = i
	}
	return &blockScanner{file: j.textFile, format: f}
}

func (j *jsonFile) split(b []byte) int { return bytes.LastIndexByte(b, '\n') + 1 }

// jsonFormat reads the columns of a scan.
type jsonFormat struct {
	*jsonFile
	at      []int
	columns int
}

// notObjects is the finding of lines that are no rows.
const notObjects = "lines are no JSON objects and were left out"

func (f *jsonFormat) parse(block []byte, p *parsed) {
	cells, ok := p.builder.([][]table.Cell)
	if !ok {
		cells = make([][]table.Cell, f.columns)
		p.builder = cells
	}
	for i := range cells {
		cells[i] = cells[i][:0]
	}
	row, expected, utf := 0, 0, utf8.Valid(block)
	for line := range bytes.Lines(block) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if !isObject(line) {
			p.notes.note("", notObjects, int64(row), string(line))
			continue
		}
		for key, value := range members(line) {
			// Most objects have their keys in one order.
			k := expected
			if k >= len(f.names) || f.names[k] != string(key) {
				if k, ok = f.jsonFile.at[string(key)]; !ok {
					p.err = fault.Conflictf("the file changed while it was read")
					return
				}
			}
			expected = k + 1
			if i := f.at[k]; i >= 0 {
				for len(cells[i]) < row {
					cells[i] = append(cells[i], table.Cell{})
				}
				if len(cells[i]) > row {
					cells[i] = cells[i][:row]
					p.notes.note(f.names[k], "the key is there twice in an object; the last counts", int64(row), "")
				}
				cell := jsonCell(value, f.words[k])
				if cell.Kind == table.Text {
					f.encoding(k, row, value, cell.Text, utf, p)
				}
				if cell.Kind == table.Number && cell.Text != "" {
					p.notes.note(f.names[k], longNumbers, int64(row), cell.Text)
				}
				cells[i] = append(cells[i], cell)
			}
		}
		expected = 0
		row++
	}
	p.rows = row
	p.vectors = sized(p.vectors, f.columns)
	for i := range cells {
		for len(cells[i]) < row {
			cells[i] = append(cells[i], table.Cell{})
		}
		p.vectors[i] = table.VectorOf(cells[i])
		if v := &p.vectors[i]; v.Kind == table.List {
			v.Ints = make([]int64, row)
			for k, c := range cells[i] {
				v.Ints[k] = c.Int
			}
		}
	}
}

// encoding notes texts that are not in UTF-8, and escapes that stand for no character.
func (f *jsonFormat) encoding(column, row int, value []byte, text string, utf bool, p *parsed) {
	switch {
	case !utf && !utf8.Valid(value):
		p.notes.note(f.names[column], notUTF8, int64(row), text)
	case bytes.Contains(value, []byte(`\u`)) && strings.Contains(text, "\uFFFD") && !bytes.Contains(value, []byte("\uFFFD")) && !bytes.Contains(bytes.ToLower(value), []byte(`\ufffd`)):
		p.notes.note(f.names[column], "an escape is half of a character and was replaced", int64(row), string(value))
	}
}

// jsonCell is a value. Words says that a text is no date and no time, whatever it looks like.
func jsonCell(value []byte, words bool) table.Cell {
	switch value[0] {
	case 'n':
		return table.Cell{}
	case 't':
		return table.Cell{Kind: table.Boolean, Int: 1}
	case 'f':
		return table.Cell{Kind: table.Boolean}
	case '"':
		s := stringOf(value)
		if words {
			return table.Cell{Kind: table.Text, Text: s}
		}
		if t, ok := momentOf(s); ok {
			return t
		}
		return table.Cell{Kind: table.Text, Text: s}
	case '[', '{':
		return listOf(value)
	}
	s := string(value)
	if n, ok := integerOf(s); ok {
		return table.Cell{Kind: table.Integer, Int: n}
	}
	if f, ok := numberOf(s); ok {
		return table.Cell{Kind: table.Number, Float: f}
	}
	// An integer with more digits than a number keeps.
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return table.Cell{Kind: table.Number, Float: f, Text: s}
	}
	return table.Cell{Kind: table.Text, Text: s}
}

// stringOf is the text of a valid JSON string.
func stringOf(value []byte) string {
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return string(inner)
	}
	return s
}

// listOf shows an array or an object, and counts what an array has.
func listOf(value []byte) table.Cell {
	var compact bytes.Buffer
	if json.Compact(&compact, value) != nil {
		return table.Cell{Kind: table.List, Text: "…"}
	}
	b := compact.Bytes()
	n := int64(0)
	if b[0] == '[' && len(b) > 2 {
		for at := 1; at < len(b)-1; at++ {
			at = endOfValue(b, at)
			n++
		}
	}
	return table.Cell{Kind: table.List, Int: n, Text: fault.Shorten(string(b), longestName)}
}
