package tabular

import (
	"bytes"
	"fmt"
	"strings"

	"levada/internal/core/table"
)

// csvFormat reads the columns of a scan.
type csvFormat struct {
	*csvFile
	columns []int
	at      []int // of a column of the file in the scan, -1 for none
}

// builder gathers the values of a column in a block.
type builder struct {
	kind   table.Kind
	ints   []int64
	floats []float64
	texts  []string
	nulls  []uint64
	empty  int
	odd    []odd
}

// odd is a value of another kind than its column.
type odd struct {
	row  int
	cell table.Cell
}

func (b *builder) reset(kind table.Kind, rows int) {
	b.kind, b.empty, b.odd = kind, 0, b.odd[:0]
	words := (rows + 63) / 64
	b.nulls = sized(b.nulls, words)
	clear(b.nulls)
	switch kind {
	case table.Number:
		b.floats = sized(b.floats, rows)
	case table.Text:
		b.texts = sized(b.texts, rows)
	case table.Null:
	default:
		b.ints = sized(b.ints, rows)
	}
}

func (b *builder) null(row int) {
	b.nulls[row>>6] |= 1 << (row & 63)
	b.empty++
}

// vector is what was gathered in so many rows.
func (b *builder) vector(rows int) table.Vector {
	v := table.Vector{Kind: b.kind, Size: rows}
	if b.empty > 0 {
		v.Nulls = b.nulls[:(rows+63)/64]
	}
	switch b.kind {
	case table.Number:
		v.Floats = b.floats[:rows]
	case table.Text:
		v.Texts = b.texts[:rows]
	case table.Null:
	default:
		v.Ints = b.ints[:rows]
	}
	if len(b.odd) == 0 {
		return v
	}
	cells := make([]table.Cell, rows)
	next := 0
	widened := b.kind == table.Integer
	for i := range cells {
		if next < len(b.odd) && b.odd[next].row == i {
			cells[i] = b.odd[next].cell
			next++
			widened = widened && cells[i].Kind == table.Number
			continue
		}
		cells[i] = v.Cell(i)
		widened = widened && cells[i].Int <= exactly && cells[i].Int >= -exactly
	}
	if !widened {
		return table.VectorOf(cells)
	}
	// Integers among numbers are numbers, where none loses a digit.
	v.Kind, v.Ints, b.floats = table.Number, nil, sized(b.floats, rows)
	for i, c := range cells {
		if b.floats[i] = c.Float; c.Kind == table.Integer {
			b.floats[i] = float64(c.Int)
		}
	}
	v.Floats = b.floats
	return v
}

// parse reads the rows of a block.
func (f *csvFormat) parse(block []byte, p *parsed) {
	text := string(block)
	most := bytes.Count(block, []byte{'\n'}) + 1
	builders, ok := p.builder.([]builder)
	if !ok {
		builders = make([]builder, len(f.columns))
		p.builder = builders
	}
	for i, c := range f.columns {
		builders[i].reset(f.csvFile.columns[c].kind, most)
	}
	utf := valid(text)
	r := fields{comma: f.comma}
	row := 0
	for at := 0; at < len(text); {
		if at = r.row(text, at); len(r.out) == 0 {
			continue
		}
		if r.open {
			p.err, p.errRow = openQuote(r.out), row+1
			return
		}
		if r.stray {
			p.notes.note("", "a quote within a quoted value is not doubled; the value goes on to the next quote before a delimiter", int64(row), "")
		}
		n := min(len(r.out), len(f.at))
		for i, s := range r.out[:n] {
			if k := f.at[i]; k >= 0 {
				f.add(&builders[k], i, row, s, i < 64 && r.quoted>>i&1 == 1, p)
			}
		}
		if len(r.out) != len(f.at) {
			f.ragged(r.out, row, builders, p)
		}
		if !utf {
			f.encoding(r.out[:n], row, p)
		}
		row++
	}
	p.rows = row
	p.vectors = sized(p.vectors, len(f.columns))
	for i := range builders {
		p.vectors[i] = builders[i].vector(row)
	}
}

// add reads a field of a column.
func (f *csvFormat) add(b *builder, column, row int, s string, quoted bool, p *parsed) {
	switch b.kind {
	case table.Integer:
		if n, ok := integerOf(s); ok {
			b.ints[row] = n
			return
		}
	case table.Number:
		if n, ok := numberOf(s); ok {
			b.floats[row] = n
			return
		}
	case table.Text:
		if !missing(s) || quoted {
			b.texts[row] = s
			return
		}
	case table.Date:
		if n, ok := dateOf(s); ok {
			b.ints[row] = n
			return
		}
	case table.Time:
		if n, cut, ok := timeOf(s); ok && !cut {
			b.ints[row] = n
			return
		}
	case table.Boolean:
		if n, ok := truthOf(s); ok {
			b.ints[row] = n
			return
		}
	}
	f.unusual(b, column, row, s, p)
}

// unusual reads a field that is not of the kind of its column.
func (f *csvFormat) unusual(b *builder, column, row int, s string, p *parsed) {
	if s == "" {
		b.null(row)
		return
	}
	name := f.csvFile.columns[column].name
	word := strings.TrimSpace(s)
	if missing(word) {
		b.null(row)
		p.notes.note(name, fmt.Sprintf("%q is read as no value", word), int64(row), "")
		return
	}
	cell := cellOf(word)
	if us, cut, ok := timeOf(word); ok && cut {
		p.notes.note(name, "times are read to the microsecond; the nanoseconds were cut", int64(row), s)
		cell = table.Cell{Kind: table.Time, Int: us}
	}
	switch {
	case b.kind == table.Null: // nothing was seen of it in the beginning of the file
		if cell.Kind == table.Text {
			cell.Text = s
		}
		b.odd = append(b.odd, odd{row, cell})
		return
	case cell.Kind == b.kind && b.kind != table.Text: // blanks around it
		switch b.kind {
		case table.Number:
			b.floats[row] = cell.Float
		default:
			b.ints[row] = cell.Int
		}
		return
	case cell.Kind == table.Integer && b.kind == table.Number:
		if cell.Int <= exactly && cell.Int >= -exactly {
			b.floats[row] = float64(cell.Int)
			return
		}
	case cell.Kind == table.Text:
		cell.Text = s
	}
	if !(cell.Kind == table.Number && b.kind == table.Integer) {
		p.notes.note(name, fmt.Sprintf("%s where the others are %s", cell.Kind, b.kind), int64(row), s)
	}
	b.odd = append(b.odd, odd{row, cell})
}

// ragged notes a row that has not as many fields as there are columns.
func (f *csvFormat) ragged(row []string, at int, builders []builder, p *parsed) {
	if len(row) > len(f.at) {
		p.notes.note("", "rows have more fields than there are columns; those behind the last were left out", int64(at), row[len(f.at)])
		return
	}
	p.notes.note("", "rows have fewer fields than there are columns; what is not there is null", int64(at), "")
	for _, k := range f.at[len(row):] {
		if k >= 0 {
			builders[k].null(at)
		}
	}
}

// encoding notes values that are not in UTF-8.
func (f *csvFormat) encoding(row []string, at int, p *parsed) {
	for i, s := range row {
		if f.at[i] >= 0 && !valid(s) {
			p.notes.note(f.csvFile.columns[i].name, notUTF8, int64(at), s)
		}
	}
}
