package tabular

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// csvFile is delimited text. A field may be in quotes, which may hold the delimiter, ends of lines and, doubled, quotes. A quote that
// begins no field, or is followed by more of the field, is a quote.
type csvFile struct {
	*textFile
	comma   byte
	columns []csvColumn
	found   []table.Finding
}

// csvColumn is a column and the kind that its values have, but for a few.
type csvColumn struct {
	name string
	kind table.Kind
}

// longestName bounds the name of a column in bytes.
const longestName = 300

// maxColumns bounds how many columns a text has.
const maxColumns = 100_000

// openCSV finds out from the beginning of a text what parts the columns, what they are called, and of which kinds they are. The first
// row has the names, unless it holds a number.
func openCSV(t *textFile, name string, sample []byte) (*csvFile, error) {
	c := &csvFile{textFile: t, comma: delimiter(sample, name)}
	if c.comma != ',' {
		c.found = append(c.found, table.Finding{What: fmt.Sprintf("columns are parted by %q", string(c.comma)), Row: -1})
	}
	if t.more {
		if end := c.split(sample); end > 0 {
			sample = sample[:end]
		}
	}
	rows := &fields{comma: c.comma}
	var first []string
	var kinds []kindCount
	text := string(sample)
	for at := 0; at < len(text); {
		at = rows.row(text, at)
		if len(rows.out) == 0 {
			continue
		}
		if rows.open && !t.more {
			return nil, openQuote(rows.out)
		}
		if len(rows.out) > maxColumns {
			return nil, fault.Invalidf("a row has %d columns; at most %d are read", len(rows.out), maxColumns)
		}
		if first == nil {
			first = slices.Clone(rows.out)
			continue
		}
		for len(kinds) < len(rows.out) {
			kinds = append(kinds, kindCount{})
		}
		for i, s := range rows.out {
			kinds[i].add(s)
		}
	}
	if first == nil {
		return nil, fault.Invalidf("the file holds no rows")
	}
	if namesOf(first) {
		c.header(first, text)
	} else {
		for len(kinds) < len(first) {
			kinds = append(kinds, kindCount{})
		}
		for i, s := range first {
			kinds[i].add(s)
		}
		c.found = append(c.found, table.Finding{What: "the first row holds values, so the columns have no names", Row: -1})
	}
	for len(c.columns) < len(kinds) {
		c.column("")
	}
	for i := range kinds {
		var why string
		if c.columns[i].kind, why = kinds[i].kind(); why != "" {
			c.found = append(c.found, table.Finding{Column: c.columns[i].name, What: why, Row: -1})
		}
	}
	c.twice()
	return c, nil
}

// openQuote says of the last row of a text that a quote in it is not closed.
func openQuote(row []string) error {
	text, _, _ := strings.Cut(row[len(row)-1], "\n")
	return fault.Invalidf("a quote is opened and not closed, so that all that follows is one value, which begins with %q; the file is cut off, or a quote in a value is not doubled",
		strings.ToValidUTF8(fault.Shorten(text, 40), "\uFFFD"))
}

// header names the columns and goes past the first row of the text, which has the names.
func (c *csvFile) header(names []string, text string) {
	for _, name := range names {
		c.column(strings.TrimSpace(name))
	}
	row := fields{comma: c.comma}
	at := 0
	for len(row.out) == 0 {
		at = row.row(text, at)
	}
	c.skip += int64(at)
}

// twice notes names that several columns have.
func (c *csvFile) twice() {
	seen := map[string]int{}
	for _, k := range c.columns {
		if seen[k.name]++; seen[k.name] == 2 {
			c.found = append(c.found, table.Finding{Column: k.name, What: sameName, Row: -1})
		}
	}
}

func (c *csvFile) column(name string) {
	if name == "" {
		name = fmt.Sprintf("column %d", len(c.columns)+1)
	}
	if !valid(name) {
		c.found = append(c.found, table.Finding{Column: strings.ToValidUTF8(fault.Shorten(name, longestName), "\uFFFD"), What: nameNotUTF8, Row: -1})
	}
	c.columns = append(c.columns, csvColumn{name: fault.Shorten(strings.ToValidUTF8(name, "\uFFFD"), longestName)})
}

// namesOf reports whether a row holds names of columns.
func namesOf(row []string) bool {
	for _, s := range row {
		if k := cellOf(strings.TrimSpace(s)).Kind; k != table.Text && k != table.Null {
			return false
		}
	}
	return true
}

// kindCount counts what the values of a column look like.
type kindCount struct {
	kinds [table.List + 1]int
	zeros string // a number with zeros before it
	large string // an integer that is too large
	odd   string // the first text
}

func (k *kindCount) add(s string) {
	s = strings.TrimSpace(s)
	cell := cellOf(s)
	k.kinds[cell.Kind]++
	if cell.Kind != table.Text {
		return
	}
	if k.odd == "" {
		k.odd = s
	}
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return
	}
	if (digits[0] == '0' || s[0] == '+') && k.zeros == "" {
		k.zeros = s
	} else if k.large == "" && digits[0] != '0' {
		k.large = s
	}
}

// kind decides. Of the values that are there, nine in ten must have a kind for it to be the column's; the others stay what they are.
func (k *kindCount) kind() (table.Kind, string) {
	all := 0
	for kind, n := range k.kinds {
		if kind != int(table.Null) {
			all += n
		}
	}
	numbers := k.kinds[table.Integer] + k.kinds[table.Number]
	best, most := table.Text, k.kinds[table.Text]
	for kind, n := range map[table.Kind]int{table.Boolean: k.kinds[table.Boolean], table.Number: numbers, table.Date: k.kinds[table.Date], table.Time: k.kinds[table.Time]} {
		if n > most {
			best, most = kind, n
		}
	}
	if best == table.Number && k.kinds[table.Number] == 0 {
		best = table.Integer
	}
	short := fault.Shorten(k.odd, 40)
	switch {
	case all == 0:
		return table.Null, ""
	case numbers > 0 && k.zeros != "":
		return table.Text, fmt.Sprintf("read as text: as a number, %q would lose what is written before it", fault.Shorten(k.zeros, 40))
	case numbers > 0 && k.large != "":
		return table.Text, fmt.Sprintf("read as text: %q has more digits than a number keeps", fault.Shorten(k.large, 40))
	case best == table.Text || most*10 < all*9:
		if other := all - k.kinds[table.Text]; best != table.Text || other*10 >= all && other < all {
			return table.Text, fmt.Sprintf("read as text: its values are of several kinds, %q among them", short)
		}
		return table.Text, ""
	}
	return best, ""
}

// Columns are named by the first row.
func (c *csvFile) Columns() []table.Column {
	out := make([]table.Column, len(c.columns))
	for i, k := range c.columns {
		out[i] = table.Column{Name: k.name}
	}
	return out
}

// Rows is not known before all is read.
func (c *csvFile) Rows() int64 { return -1 }

// Findings say what was decided.
func (c *csvFile) Findings() []table.Finding { return c.found }

// Scan reads columns.
func (c *csvFile) Scan(columns ...int) table.Scanner {
	if len(columns) == 0 {
		for i := range c.columns {
			columns = append(columns, i)
		}
	}
	f := &csvFormat{csvFile: c, columns: columns, at: slices.Repeat([]int{-1}, len(c.columns))}
	for i, k := range columns {
		f.at[k] = i
	}
	return &blockScanner{file: c.textFile, format: f}
}

// split returns the end of the last row of a block that begins with a row.
func (c *csvFile) split(b []byte) int {
	end, at := 0, 0
	for {
		next := bytes.IndexByte(b[at:], '"')
		if next < 0 {
			if line := bytes.LastIndexByte(b[at:], '\n'); line >= 0 {
				end = at + line + 1
			}
			return end
		}
		quote := at + next
		if line := bytes.LastIndexByte(b[at:quote], '\n'); line >= 0 {
			end = at + line + 1
		}
		at = quote + 1
		if quote == 0 || b[quote-1] == c.comma || b[quote-1] == '\n' {
			closing, _, _ := closingQuote(b, at, c.comma)
			if closing < 0 {
				return end
			}
			at = closing + 1
		}
	}
}

// closingQuote returns the quote that ends a field, -1 when none does, whether there are quotes in the field, and whether one of them is not
// doubled.
func closingQuote[T string | []byte](b T, at int, comma byte) (end int, inside, stray bool) {
	for ; at < len(b); at++ {
		if b[at] != '"' {
			continue
		}
		if at+1 == len(b) {
			return at, inside, stray
		}
		switch next := b[at+1]; {
		case next == comma || next == '\n' || next == '\r' && (at+2 == len(b) || b[at+2] == '\n'):
			return at, inside, stray
		case next == '"':
			at++
		default:
			stray = true
		}
		inside = true
	}
	return -1, inside, stray
}

// fields reads rows of text.
type fields struct {
	comma byte
	out   []string
	// quoted has bit i set where field i was in quotes, of the first 64.
	quoted uint64
	// open says that a quote of the row is not closed, stray that one within a field is not doubled.
	open, stray bool
}

// row reads the row that begins at a place and returns where the next begins. A line with nothing in it is no row.
func (f *fields) row(s string, at int) int {
	f.out, f.quoted, f.open, f.stray = f.out[:0], 0, false, false
	for {
		start := at
		if at < len(s) && s[at] == '"' {
			end, inside, stray := closingQuote(s, at+1, f.comma)
			if f.stray = f.stray || stray; end < 0 {
				f.open, end = true, len(s)
			}
			text := s[at+1 : end]
			if inside {
				text = strings.ReplaceAll(text, `""`, `"`)
			}
			if len(f.out) < 64 {
				f.quoted |= 1 << len(f.out)
			}
			f.out = append(f.out, text)
			at = min(end+1, len(s))
			if at < len(s) && s[at] == '\r' {
				at++
			}
		} else {
			for at < len(s) && s[at] != f.comma && s[at] != '\n' {
				at++
			}
			end := at
			if end > start && s[end-1] == '\r' && (at == len(s) || s[at] == '\n') {
				end--
			}
			if len(f.out) == 0 && end == start && (at == len(s) || s[at] == '\n') {
				return min(at+1, len(s))
			}
			f.out = append(f.out, s[start:end])
		}
		if at >= len(s) || s[at] == '\n' {
			return min(at+1, len(s))
		}
		at++
	}
}

// delimiter is the character that parts the columns: the one that is in each of the first lines, most often.
func delimiter(sample []byte, name string) byte {
	if strings.EqualFold(path.Ext(name), ".tsv") {
		return '\t'
	}
	lines := strings.Split(string(sample[:min(len(sample), 64<<10)]), "\n")
	if len(lines) > 1 {
		lines = lines[:min(len(lines)-1, 10)] // the last one may be cut
	}
	best, most := byte(','), 0
	for _, d := range []byte{',', '\t', ';', '|'} {
		least := -1
		for _, line := range lines {
			if n := outside(line, d); line != "" && (least < 0 || n < least) {
				least = n
			}
		}
		if least > most {
			best, most = d, least
		}
	}
	return best
}

// outside counts a character where it is not in quotes.
func outside(line string, d byte) int {
	n, quoted := 0, false
	for i := range len(line) {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == d && !quoted:
			n++
		}
	}
	return n
}

// The findings of bytes that are no text in UTF-8.
const (
	notUTF8     = "values are not in UTF-8; the file may be in Latin-1 or Windows-1252, convert it first"
	nameNotUTF8 = "its name is not in UTF-8; the file may be in Latin-1 or Windows-1252, convert it first"
)

// sameName is the finding of columns that are called alike.
const sameName = "several columns have this name"

// valid reports whether a text is in UTF-8.
func valid(s string) bool { return utf8.ValidString(s) }
