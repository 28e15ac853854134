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
	columns []jsonColumn
	at      map[string]int // by key
	found   []table.Finding
}

// jsonColumn is a key and what its values are like.
type jsonColumn struct {
	// key is as it is written in the file, without quotes; name is how the column is called.
	key, name string
	// moments says that there are texts which are dates or times, words how many there are that are neither, but for empty ones; word is the
	// first of them, wordRow its row. A column that has words has its moments as texts too.
	moments bool
	words   int64
	wordRow int64
	word    string
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
			if err := j.keys(line, int64(good)); err != nil {
				return nil, err
			}
			good++
		}
		block = append(block[:0], block[end:]...)
	}
	if good == 0 && bad > 0 {
		return nil, fault.Invalidf("no line is a JSON object")
	}
	j.decide()
	return j, nil
}

func isObject(line []byte) bool { return len(line) > 1 && line[0] == '{' && json.Valid(line) }

// keys looks at the keys and texts of the object in a row.
func (j *jsonFile) keys(line []byte, row int64) error {
	for key, value := range members(line) {
		k, ok := j.at[string(key)]
		if !ok {
			if k = len(j.columns); k >= maxColumns {
				return fault.Invalidf("the objects have more than %d different keys", maxColumns)
			}
			c := jsonColumn{key: string(key)}
			c.name = strings.ToValidUTF8(fault.Shorten(stringOf([]byte(`"`+c.key+`"`)), longestName), "\uFFFD")
			j.at[c.key] = k
			j.columns = append(j.columns, c)
			if !utf8.Valid(key) {
				j.found = append(j.found, table.Finding{Column: c.name, What: nameNotUTF8, Row: -1})
			}
		}
		if value[0] != '"' || len(value) == len(`""`) {
			continue
		}
		c := &j.columns[k]
		if isMoment(value) {
			c.moments = true
			continue
		}
		if c.words == 0 {
			c.word, c.wordRow = strings.ToValidUTF8(fault.Shorten(stringOf(value), 100), "\uFFFD"), row
		}
		c.words++
	}
	return nil
}

// longestMoment is how many bytes a date or a time has at most.
const longestMoment = 40

// isMoment reports whether a JSON string that is not empty is a date or a time.
func isMoment(value []byte) bool {
	inner := value[1 : len(value)-1]
	if first := inner[0]; first != '\\' && first-'0' > 9 {
		return false
	}
	var moment bool
	if bytes.IndexByte(inner, '\\') >= 0 {
		if len(inner) <= longestMoment*len(`\u0000`) {
			_, moment = momentOf(stringOf(value))
		}
	} else if len(inner) <= longestMoment {
		_, moment = momentOf(string(inner))
	}
	return moment
}

// decide notes what becomes of texts and names, once all were seen.
func (j *jsonFile) decide() {
	seen := map[string]int{}
	for _, c := range j.columns {
		if seen[c.name]++; seen[c.name] == 2 {
			j.found = append(j.found, table.Finding{Column: c.name, What: sameName, Row: -1})
		}
		if c.moments && c.words > 0 {
			j.found = append(j.found, table.Finding{Column: c.name, What: "dates and times are read as text, since there are texts that are neither", Count: c.words, Row: c.wordRow, Example: c.word})
		}
	}
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

// Columns are the keys. A key is written as it is in the file, but for escapes, and for what is not in UTF-8.
func (j *jsonFile) Columns() []table.Column {
	out := make([]table.Column, len(j.columns))
	for i, c := range j.columns {
		out[i] = table.Column{Name: c.name}
	}
	return out
}

// Rows is not counted.
func (j *jsonFile) Rows() int64 { return -1 }

// Scan reads columns.
func (j *jsonFile) Scan(columns ...int) table.Scanner {
	if len(columns) == 0 {
		for i := range j.columns {
			columns = append(columns, i)
		}
	}
	f := &jsonFormat{jsonFile: j, at: slices.Repeat([]int{-1}, len(j.columns)), asked: len(columns)}
	for i, c := range columns {
		f.at[c] = i
	}
	return &blockScanner{file: j.textFile, format: f}
}

func (j *jsonFile) split(b []byte) int { return bytes.LastIndexByte(b, '\n') + 1 }

// jsonFormat reads the columns of a scan.
type jsonFormat struct {
	*jsonFile
	at    []int // of a column of the file in the scan, -1 for none
	asked int   // how many columns the scan has
}

// notObjects is the finding of lines that are no rows.
const notObjects = "lines are no JSON objects and were left out"

func (f *jsonFormat) parse(block []byte, p *parsed) {
	cells, ok := p.builder.([][]table.Cell)
	if !ok {
		cells = make([][]table.Cell, f.asked)
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
			if k >= len(f.columns) || f.columns[k].key != string(key) {
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
					p.notes.note(f.columns[k].name, "the key is there twice in an object; the last counts", int64(row), "")
				}
				cells[i] = append(cells[i], f.cell(value, &f.columns[k], row, utf, p))
			}
		}
		expected = 0
		row++
	}
	p.rows = row
	p.vectors = sized(p.vectors, f.asked)
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

// cell reads the value of a column in a row, and notes what becomes something else.
func (f *jsonFormat) cell(value []byte, c *jsonColumn, row int, utf bool, p *parsed) table.Cell {
	if c.moments && c.words == 0 && len(value) == len(`""`) && value[0] == '"' {
		p.notes.note(c.name, `"" is read as no value`, int64(row), "")
		return table.Cell{}
	}
	cell := jsonCell(value, c.words > 0)
	switch {
	case cell.Kind == table.Text:
		encoding(c, row, value, cell.Text, utf, p)
	case cell.Kind == table.Number && cell.Text != "":
		p.notes.note(c.name, longNumbers, int64(row), cell.Text)
	}
	return cell
}

// encoding notes texts that are not in UTF-8, and escapes that stand for no character.
func encoding(c *jsonColumn, row int, value []byte, text string, utf bool, p *parsed) {
	switch {
	case !utf && !utf8.Valid(value):
		p.notes.note(c.name, notUTF8, int64(row), text)
	case bytes.Contains(value, []byte(`\u`)) && strings.Contains(text, "\uFFFD") && !bytes.Contains(value, []byte("\uFFFD")) && !bytes.Contains(bytes.ToLower(value), []byte(`\ufffd`)):
		p.notes.note(c.name, "an escape is half of a character and was replaced", int64(row), string(value))
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
