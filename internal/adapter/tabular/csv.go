package tabular

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// openCSV reads delimited text. Its first row names the columns, unless it holds a number.
func openCSV(t *text, name string, l table.Limits) (table.Reader, error) {
	c := csv.NewReader(t.in)
	c.Comma = delimiter(t.sample, name)
	c.FieldsPerRecord, c.LazyQuotes, c.ReuseRecord = -1, true, true
	r := &rowsReader{limits: l}
	first, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, fault.Invalidf("the file holds no rows")
	}
	if err != nil {
		return nil, csvError(err)
	}
	t.row()
	f := &csvRows{csv: c, text: t, table: r}
	if f.names(first) {
		for i, name := range first {
			f.column(i, name)
		}
	} else {
		f.first = append([]string{}, first...)
	}
	r.read = f.read
	r.whole = func() bool { return !t.full() }
	return r, nil
}

type csvRows struct {
	csv   *csv.Reader
	text  *text
	table *rowsReader
	first []string // a first row that is data
}

// names reports whether a row holds names of columns.
func (f *csvRows) names(row []string) bool {
	for _, s := range row {
		if k := cellOf(s).Kind; k != table.Text && k != table.Null {
			return false
		}
	}
	return true
}

func (f *csvRows) column(i int, name string) {
	if i >= f.table.limits.Columns {
		f.table.more = max(f.table.more, i+1-f.table.limits.Columns)
		return
	}
	if name == "" {
		name = fmt.Sprintf("column %d", i+1)
	}
	f.table.columns = append(f.table.columns, table.Column{Name: fault.Shorten(strings.ToValidUTF8(name, "\uFFFD"), longestName)})
}

// longestName bounds the name of a column in bytes.
const longestName = 300

func (f *csvRows) read(cells []table.Cell) ([]table.Cell, error) {
	row := f.first
	f.first = nil
	if row == nil {
		var err error
		if row, err = f.csv.Read(); err != nil {
			return cells, csvError(err)
		}
		f.text.row()
	}
	for i := len(f.table.columns) + f.table.more; i < len(row); i++ {
		f.column(i, "")
	}
	for _, s := range row[:min(len(row), len(f.table.columns))] {
		cells = append(cells, cellOf(strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD")))
	}
	return cells, nil
}

// csvError tells a text that is no table from a failure to read it.
func csvError(err error) error {
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return fault.Invalidf("line %d is no row of a CSV file: %w", bad.Line, bad.Err)
	}
	if errors.Is(err, io.EOF) || fault.KindOf(err) == fault.Invalid {
		return err
	}
	return fault.Invalidf("the file is damaged: %w", err)
}

// delimiter is the character that parts the columns: the one that is in each of the first lines, most often.
func delimiter(sample []byte, name string) rune {
	if strings.EqualFold(path.Ext(name), ".tsv") {
		return '\t'
	}
	lines := strings.Split(string(sample), "\n")
	if len(lines) > 1 {
		lines = lines[:min(len(lines)-1, 10)] // the last one may be cut
	}
	best, most := ',', 0
	for _, d := range []rune{',', '\t', ';', '|'} {
		least := -1
		for _, line := range lines {
			if n := strings.Count(line, string(d)); line != "" && (least < 0 || n < least) {
				least = n
			}
		}
		if least > most {
			best, most = d, least
		}
	}
	return best
}
