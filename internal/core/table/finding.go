package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"levada/internal/core/fault"
)

// Finding is something about a table that who uses it should know: what was read in another way than it is written, or left out.
type Finding struct {
	// Column is the name of the column, empty where it is about rows.
	Column string `json:"column,omitempty"`
	What   string `json:"what"`
	// Count is how often it is so, 0 where that is not counted.
	Count int64 `json:"count,omitempty"`
	// Row is the first row where it is so, from 0, -1 where it is about no row.
	Row int64 `json:"row"`
	// Example is the value there.
	Example string `json:"example,omitempty"`
}

// Sentence says what was found, how often and where. The column stands before it where there is one.
func (f Finding) Sentence() string {
	text := f.What
	if f.Count > 0 && f.Row >= 0 {
		text += fmt.Sprintf(", %d ×, first in row %d", f.Count, f.Row+1)
	}
	if f.Example != "" && f.Row >= 0 {
		text += fmt.Sprintf(" (%q)", fault.Shorten(f.Example, 60))
	}
	return text
}

// Findings are those of a Source, found when it was opened, or of a Scanner that has come to its end. Others have none.
func Findings(of any) []Finding {
	if r, ok := of.(interface{ Findings() []Finding }); ok {
		return r.Findings()
	}
	return nil
}

// Columnar reports whether reading the columns of a Source one by one costs no more than reading them together.
func Columnar(s Source) bool {
	c, ok := s.(interface{ Columnar() bool })
	return ok && c.Columnar()
}

// CountRows is how many rows a table has. Where the source does not say so, one of its columns is read.
func CountRows(ctx context.Context, s Source, column int) (int64, error) {
	n := s.Rows()
	if n >= 0 {
		return n, nil
	}
	n = 0
	if len(s.Columns()) == 0 {
		return 0, nil
	}
	scan := s.Scan(column)
	defer scan.Close()
	for {
		b, err := scan.Next(ctx)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		n += int64(b.Size)
	}
}

// MergeFindings adds up findings that say the same, and keeps the first row and example.
func MergeFindings(all []Finding) []Finding {
	type key struct{ column, what string }
	at := map[key]int{}
	var out []Finding
	for _, f := range all {
		k := key{f.Column, f.What}
		i, ok := at[k]
		if !ok {
			at[k] = len(out)
			out = append(out, f)
			continue
		}
		out[i].Count += f.Count
		if f.Row >= 0 && (out[i].Row < 0 || f.Row < out[i].Row) {
			out[i].Row, out[i].Example = f.Row, f.Example
		}
	}
	return slices.Clip(out)
}
