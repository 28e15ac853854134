package invocations

import (
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"

	"levada/internal/api/predict"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

const (
	mostColumns = 100_000
	// mostPadding bounds the values that records lack because others have them: a small text can ask for very many.
	mostPadding = 8 << 20
)

// table collects the columns of a table, row by row.
type table struct {
	names   []string
	columns []*predict.Column
	index   map[string]int
	rows    int64
	padded  int64
}

func (t *table) column(name string) (int, error) {
	if at, ok := t.index[name]; ok {
		return at, nil
	}
	if len(t.columns) >= mostColumns {
		return 0, fault.TooLargef("the table has more than %d columns", mostColumns)
	}
	if t.index == nil {
		t.index = map[string]int{}
	}
	t.index[name] = len(t.names)
	t.names = append(t.names, name)
	t.columns = append(t.columns, new(predict.Column))
	return len(t.names) - 1, nil
}

// pad gives a column missing values until it has rows of them.
func (t *table) pad(c *predict.Column, rows int64) error {
	t.padded += rows - c.Len()
	if t.padded > mostPadding {
		return fault.TooLargef("the records lack more than %d values that others have: send them as dataframe_split", mostPadding)
	}
	for c.Len() < rows {
		c.Missing()
	}
	return nil
}

func (t *table) tensors() []infer.Tensor {
	out := make([]infer.Tensor, len(t.columns))
	for i, c := range t.columns {
		out[i] = c.Tensor(t.names[i])
	}
	return out
}

// readRecords reads [{"a": 1, "b": 2}, ...]. What a record lacks is a missing value.
func readRecords(r *predict.Reader) (*table, error) {
	t := new(table)
	if r.Peek() != '[' {
		return nil, fault.Invalidf("dataframe_records is a list of records, such as [{\"a\": 1}, {\"a\": 2}]")
	}
	err := r.Array(func(row int) error {
		expected := 0
		return r.Object(func(key []byte) (err error) {
			at := expected
			if at >= len(t.names) || t.names[at] != string(key) {
				if at, err = t.column(string(key)); err != nil {
					return err
				}
			}
			expected = at + 1
			c := t.columns[at]
			if c.Len() > int64(row) {
				return fault.Invalidf("record %d has %q twice", row, fault.Shorten(t.names[at], 100))
			}
			if err := t.pad(c, int64(row)); err != nil {
				return err
			}
			t.rows = int64(row) + 1
			return c.Add(r)
		})
	})
	if err != nil {
		return nil, err
	}
	for _, c := range t.columns {
		if err := t.pad(c, t.rows); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// readSplit reads {"columns": ["a", "b"], "data": [[1, 2], ...]}; columns may come last or not at all, and an index is read over.
func readSplit(r *predict.Reader) (*table, error) {
	t := new(table)
	if r.Peek() != '{' {
		return nil, fault.Invalidf("dataframe_split is an object with columns and data, such as {\"columns\": [\"a\"], \"data\": [[1], [2]]}")
	}
	var names []string
	named, came := false, false
	err := r.Object(func(key []byte) (err error) {
		switch string(key) {
		case "columns":
			named = !r.Null()
			if named {
				names, err = readNames(r)
			}
		case "data":
			came = true
			err = t.readRows(r)
		case "index":
			err = r.Skip()
		default:
			err = fault.Invalidf("dataframe_split has data, columns and index, and not %q", fault.Shorten(string(key), 100))
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !came:
		return nil, fault.Invalidf("dataframe_split has no data")
	case named && t.rows == 0:
		t.columns = t.columns[:0]
		for range names {
			t.columns = append(t.columns, new(predict.Column))
		}
	case named && len(names) != len(t.columns):
		return nil, fault.Invalidf("dataframe_split names %d columns and its rows have %d values", len(names), len(t.columns))
	}
	for i := range t.columns {
		if !named {
			names = append(names, strconv.Itoa(i))
		}
	}
	t.names = names
	return t, nil
}

func readNames(r *predict.Reader) ([]string, error) {
	names := []string{}
	err := r.Array(func(i int) error {
		if i >= mostColumns {
			return fault.TooLargef("the table has more than %d columns", mostColumns)
		}
		if r.Peek() == '"' {
			name, err := r.String()
			names = append(names, name)
			return err
		}
		n, err := r.Whole()
		names = append(names, strconv.FormatInt(n, 10))
		return err
	})
	return names, err
}

func (t *table) readRows(r *predict.Reader) error {
	return r.Array(func(row int) error {
		t.rows = int64(row) + 1
		if r.Peek() != '[' { // one column, without lists around its values
			if len(t.columns) == 0 {
				t.columns = []*predict.Column{new(predict.Column)}
			}
			if len(t.columns) != 1 || t.columns[0].Len() != int64(row) {
				return fault.Invalidf("row %d of dataframe_split is one value, and others are lists", row)
			}
			return t.columns[0].Add(r)
		}
		n := 0
		err := r.Array(func(i int) error {
			if n = i + 1; i == len(t.columns) {
				if row > 0 || i >= mostColumns {
					return fault.Invalidf("row %d of dataframe_split has more values than the row before, or more than %d", row, mostColumns)
				}
				t.columns = append(t.columns, new(predict.Column))
			}
			return t.columns[i].Add(r)
		})
		if err == nil && n != len(t.columns) {
			err = fault.Invalidf("row %d of dataframe_split has %d values and the row before has %d", row, n, len(t.columns))
		}
		return err
	})
}

// readCSV reads a table with a header. Columns that the signature has as texts, bytes or times stay texts, so that 00123 does not
// become a number.
func readCSV(body []byte, s *infer.Signature) (*table, error) {
	texts := map[string]bool{}
	if s != nil {
		for _, f := range s.Inputs {
			if f.Column != nil && (f.Column.Kind == infer.Text || f.Column.Kind == infer.Binary || f.Column.Kind == infer.Datetime) {
				texts[f.Name] = true
			}
		}
	}
	r := csv.NewReader(strings.NewReader(string(body)))
	r.ReuseRecord = true
	t := new(table)
	for {
		record, err := r.Read()
		switch {
		case errors.Is(err, io.EOF) && t.names == nil:
			return nil, fault.Invalidf("the CSV is empty; its first line names the columns")
		case errors.Is(err, io.EOF):
			return t, nil
		case err != nil:
			return nil, fault.Invalidf("the CSV cannot be read: %w", err)
		}
		if t.names == nil {
			for _, name := range record {
				before := len(t.names)
				if at, err := t.column(strings.Clone(name)); err != nil || at != before {
					return nil, fault.Invalidf("the CSV names the column %q twice, or more than %d columns", fault.Shorten(name, 100), mostColumns)
				}
			}
			continue
		}
		t.rows++
		for i, field := range record {
			switch c := t.columns[i]; {
			case texts[t.names[i]] && field != "":
				c.Text(field)
			default:
				c.AddText(field)
			}
		}
	}
}
