package reqlog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/table"
	"levada/internal/core/textual"
)

// MaxTruths bounds the truths that are taken at once.
const MaxTruths = 1_000_000

// ReadTruths reads truths from a table of Parquet with the columns request_id and actual, and where they are there row and time.
func ReadTruths(ctx context.Context, s table.Source) ([]Truth, error) {
	places := map[string]int{ColumnID: -1, ColumnActual: -1, ColumnRow: -1, ColumnTime: -1}
	var asked []int
	for i, c := range s.Columns() {
		if at, wanted := places[c.Name]; wanted && at < 0 {
			places[c.Name] = len(asked)
			asked = append(asked, i)
		}
	}
	if places[ColumnID] < 0 || places[ColumnActual] < 0 {
		return nil, errColumns()
	}
	var out []Truth
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
		if len(out)+b.Size > MaxTruths {
			return nil, fault.TooLargef("read the truth: it has more than %d rows; send it in parts", MaxTruths)
		}
		for i := range b.Size {
			t, err := readTruth(func(name string) table.Cell {
				if places[name] < 0 {
					return table.Cell{}
				}
				return b.Columns[places[name]].Cell(i)
			})
			if err != nil {
				return nil, fault.Invalidf("read the truth: row %d: %w", b.Row+int64(i)+1, err)
			}
			out = append(out, t)
		}
	}
	return out, nil
}

func readTruth(cell func(name string) table.Cell) (t Truth, err error) {
	id := cell(ColumnID)
	if t.ID = id.Text; id.Kind != table.Text {
		t.ID = id.Shown()
	}
	if t.ID == "" || len(t.ID) > 10_000 {
		return t, fault.Invalidf("%s is empty or too long", ColumnID)
	}
	var ok bool
	if t.Actual, ok = ValueOf(cell(ColumnActual)); !ok {
		return t, fault.Invalidf("%s of request %q is missing", ColumnActual, fault.Shorten(t.ID, 60))
	}
	if len(t.Actual.Text) > 256 {
		return t, fault.Invalidf("%s of request %q has more than 256 bytes", ColumnActual, fault.Shorten(t.ID, 60))
	}
	if kind := textual.PersonalKind(t.Actual.Text); kind != "" {
		return t, fault.Invalidf("%s of request %q looks like personal data (%s), which is not kept", ColumnActual, fault.Shorten(t.ID, 60), kind)
	}
	// What is kept of a million truths must not be what their file was in memory.
	t.ID, t.Actual.Text = strings.Clone(Key(t.ID)), strings.Clone(t.Actual.Text)
	switch row := cell(ColumnRow); {
	case row.Kind == table.Null:
	case row.Kind == table.Integer && row.Int >= 0 && row.Int < MaxRows:
		t.Row = int(row.Int)
	default:
		return t, fault.Invalidf("%s is %q; it is the place of a row in its request, from 0", ColumnRow, fault.Shorten(row.Shown(), 40))
	}
	switch at := cell(ColumnTime); at.Kind {
	case table.Null:
	case table.Time:
		t.At = time.UnixMicro(at.Int).UTC()
	case table.Text:
		if t.At, err = time.Parse(time.RFC3339Nano, at.Text); err != nil {
			return t, fault.Invalidf("%s is %q; want a time such as 2026-11-30T12:00:00Z", ColumnTime, fault.Shorten(at.Text, 40))
		}
	default:
		return t, fault.Invalidf("%s is %q; want a time such as 2026-11-30T12:00:00Z", ColumnTime, fault.Shorten(at.Shown(), 40))
	}
	return t, nil
}

// maxLine bounds a line of JSON.
const maxLine = 64 << 10

// ReadTruthLines reads truths from JSON lines: objects with request_id and actual, and where they are there row and time.
func ReadTruthLines(r io.Reader) ([]Truth, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	return readRows(func() (func(string) table.Cell, error) {
		for lines.Scan() {
			text := bytes.TrimSpace(lines.Bytes())
			if len(text) == 0 {
				continue
			}
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(text, &fields); err != nil {
				return nil, fault.Invalidf("it is no JSON object: %w", err)
			}
			return func(name string) table.Cell {
				c := jsonCell(fields[name])
				if name == ColumnID && c.Kind != table.Text && c.Kind != table.Null {
					return table.Cell{Kind: table.Text, Text: string(fields[name])} // a number, with all of its digits
				}
				return c
			}, nil
		}
		if err := lines.Err(); err != nil {
			return nil, fault.Invalidf("it has more than %d bytes", maxLine)
		}
		return nil, io.EOF
	})
}

// ReadTruthCSV reads truths from CSV with a head.
func ReadTruthCSV(r io.Reader) ([]Truth, error) {
	rows := csv.NewReader(r)
	head, err := rows.Read()
	if err != nil {
		return nil, fault.Invalidf("read the truth: the CSV has no head: %w", err)
	}
	if !slices.Contains(head, ColumnID) || !slices.Contains(head, ColumnActual) {
		return nil, errColumns()
	}
	return readRows(func() (func(string) table.Cell, error) {
		row, err := rows.Read()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				err = fault.Invalidf("%w", err)
			}
			return nil, err
		}
		return func(name string) table.Cell {
			at := slices.Index(head, name)
			switch {
			case at < 0 || row[at] == "":
				return table.Cell{}
			case name == ColumnRow:
				if n, err := strconv.ParseInt(row[at], 10, 64); err == nil {
					return table.Cell{Kind: table.Integer, Int: n}
				}
			}
			return table.Cell{Kind: table.Text, Text: row[at]}
		}, nil
	})
}

// readRows reads truths until next says io.EOF.
func readRows(next func() (func(name string) table.Cell, error)) ([]Truth, error) {
	var out []Truth
	for {
		cell, err := next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		var t Truth
		if err == nil {
			t, err = readTruth(cell)
		}
		if err != nil {
			return nil, fault.Invalidf("read the truth: row %d: %w", len(out)+1, err)
		}
		if len(out) == MaxTruths {
			return nil, fault.TooLargef("read the truth: it has more than %d rows; send it in parts", MaxTruths)
		}
		out = append(out, t)
	}
}

func errColumns() error {
	return fault.Invalidf("read the truth: it needs the columns %s and %s (and may have %s and %s)", ColumnID, ColumnActual, ColumnRow, ColumnTime)
}
