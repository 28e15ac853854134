package tabular

import (
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// arrowDictionaryValues are what numbers stand for: texts, or cells where the values are none.
type arrowDictionaryValues struct {
	texts  []string
	cells  []table.Cell
	nulls  []bool
	binary bool
}

func (d *arrowDictionaryValues) size() int { return max(len(d.texts), len(d.cells)) }

// column reads some rows of a column. A row in which a struct around it is null has no value.
func (r *arrowReader) column(l arrowLeaf, from int64, n int) (table.Vector, error) {
	v, err := r.vector(l.field(), from, n)
	if err != nil {
		return v, err
	}
	for _, f := range l.path[:len(l.path)-1] {
		nulls, err := r.nulls(f, from, n)
		if err != nil {
			return v, err
		}
		for i := range n {
			if nulls != nil && nulls[i>>6]&(1<<(i&63)) != 0 {
				v.SetNull(i)
			}
		}
	}
	return v, nil
}

// vector reads some values of a field.
func (r *arrowReader) vector(f *arrowField, from int64, n int) (table.Vector, error) {
	if f.kind == arrowNull && f.index == nil {
		return table.Vector{Size: n}, nil
	}
	v := table.Vector{Kind: table.List, Size: n} // until its kind is known; of Null all would be null
	var err error
	if v.Nulls, err = r.nulls(f, from, n); err != nil {
		return v, err
	}
	if f.index != nil {
		return r.coded(v, f, from, n)
	}
	switch f.kind {
	case arrowInt, arrowDate, arrowTime, arrowTimestamp, arrowDuration, arrowBool:
		return r.whole64(v, f, from, n)
	case arrowFloat:
		v.Kind = table.Number
		v.Floats, err = r.floats(f, from, n)
		return v, err
	case arrowDecimal:
		return r.decimals(v, f, from, n)
	}
	if f.text() {
		return r.textual(v, f, from, n)
	}
	cells, err := r.nested(f, v, from, n)
	if err != nil {
		return v, err
	}
	out := table.VectorOf(cells)
	if out.Kind == table.List {
		out.Ints = make([]int64, n)
		for i, c := range cells {
			out.Ints[i] = c.Int
		}
	}
	return out, nil
}

// whole64 reads what is a whole number: those, truths, dates and times.
func (r *arrowReader) whole64(v table.Vector, f *arrowField, from int64, n int) (table.Vector, error) {
	if f.kind == arrowBool {
		v.Kind, v.Ints = table.Boolean, make([]int64, n)
		first := from / 8
		bits, err := r.bytes(f, 1, first, (from+int64(n)+7)/8-first)
		for i := range v.Ints {
			if err == nil {
				at := int(from%8) + i
				v.Ints[i] = int64(bits[at>>3] >> (at & 7) & 1)
			}
		}
		return v, err
	}
	ints, err := r.ints(f, 1, f.bits, f.signed || f.kind != arrowInt, from, n)
	if err != nil {
		return v, err
	}
	v.Kind, v.Ints = table.Integer, ints
	switch f.kind {
	case arrowDate:
		v.Kind = table.Date
		for i, x := range ints {
			if f.unit == 1000 {
				const day = 86_400_000
				if ints[i] = x / day; x%day < 0 {
					ints[i]--
				}
			}
		}
	case arrowTimestamp:
		v.Kind = table.Time
		for i, x := range ints {
			ints[i] = r.micros(f, x, v.Null(i))
		}
	case arrowTime:
		v.Kind, v.Ints, v.Texts = table.Text, nil, make([]string, n)
		for i, x := range ints {
			if !v.Null(i) {
				v.Texts[i] = time.UnixMicro(r.micros(f, x, false)).UTC().Format("15:04:05.999999")
			}
		}
	case arrowInt:
		for i, x := range ints {
			if x < 0 && !f.signed && !v.Null(i) {
				r.note(&r.long, f)
				return unsigned(v), nil
			}
		}
	}
	return v, nil
}

func (r *arrowReader) micros(f *arrowField, n int64, null bool) int64 {
	us, cut := micros(n, f.unit)
	if cut && !null {
		r.note(&r.cut, f)
	}
	return us
}

func (r *arrowReader) note(in *map[*arrowField]bool, f *arrowField) {
	if *in == nil {
		*in = map[*arrowField]bool{}
	}
	(*in)[f] = true
}

func (r *arrowReader) floats(f *arrowField, from int64, n int) ([]float64, error) {
	wide := int64(f.bits / 8)
	b, err := r.bytes(f, 1, from*wide, int64(n)*wide)
	if err != nil {
		return nil, err
	}
	out := make([]float64, n)
	for i := range out {
		switch f.bits {
		case 16:
			out[i] = float16(binary.LittleEndian.Uint16(b[2*i:]))
		case 32:
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		default:
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	return out, nil
}

func (r *arrowReader) decimals(v table.Vector, f *arrowField, from int64, n int) (table.Vector, error) {
	wide := f.bits / 8
	b, err := r.bytes(f, 1, from*int64(wide), int64(n)*int64(wide))
	if err != nil {
		return v, err
	}
	b = slices.Clone(b) // it may be part of a buffer that is kept
	slices.Reverse(b)   // the last value is first now, and its highest byte
	of := func(i int) []byte { return b[(n-1-i)*wide : (n-i)*wide] }
	v, long := decimals(v, f.scale, func(i int) (int64, bool) { return smallBigEndian(string(of(i))) }, func(i int) *big.Int { return bigEndian(of(i)) })
	if long {
		r.note(&r.long, f)
	}
	return v, nil
}

// textual reads texts and bytes.
func (r *arrowReader) textual(v table.Vector, f *arrowField, from int64, n int) (table.Vector, error) {
	v.Kind = table.Text
	var err error
	switch f.kind {
	case arrowFixed:
		v.Texts, err = r.fixed(f, from, n)
	case arrowUtf8View, arrowBinView:
		v.Texts, err = r.viewed(f, v, from, n)
	default:
		v.Texts, err = r.texts(f, from, n)
	}
	if utf := f.kind == arrowUtf8 || f.kind == arrowLargeUtf8 || f.kind == arrowUtf8View; err == nil && !utf && !legibleAll(v.Texts) {
		v.Kind = table.Binary
	}
	return v, err
}

func (r *arrowReader) texts(f *arrowField, from int64, n int) ([]string, error) {
	offsets, err := r.offsets(f, f.kind == arrowLargeUtf8 || f.kind == arrowLargeBin, from, n)
	if err != nil {
		return nil, err
	}
	first, size := offsets[0], offsets[n]-offsets[0]
	if size > largestStretch && n > 1 {
		return nil, errLarge
	}
	b, err := r.bytes(f, 2, first, size)
	if err != nil {
		return nil, err
	}
	all, out := string(b), make([]string, n)
	for i := range out {
		out[i] = all[offsets[i]-first : offsets[i+1]-first]
	}
	return out, nil
}

func (r *arrowReader) fixed(f *arrowField, from int64, n int) ([]string, error) {
	wide := int64(f.bits / 8)
	if wide*int64(n) > largestStretch && n > 1 {
		return nil, errLarge
	}
	b, err := r.bytes(f, 1, from*wide, wide*int64(n))
	if err != nil {
		return nil, err
	}
	all, out := string(b), make([]string, n)
	for i := range out {
		out[i] = all[int64(i)*wide : int64(i+1)*wide]
	}
	return out, nil
}

// viewed reads texts that lie in buffers of their own, but for short ones.
func (r *arrowReader) viewed(f *arrowField, v table.Vector, from int64, n int) ([]string, error) {
	b, err := r.bytes(f, 1, 16*from, 16*int64(n))
	if err != nil {
		return nil, err
	}
	out, total := make([]string, n), 0
	for i := range out {
		if v.Null(i) {
			continue
		}
		view := b[16*i : 16*i+16]
		size := int(int32(binary.LittleEndian.Uint32(view)))
		if size >= 0 && size <= 12 {
			out[i] = string(view[4 : 4+size])
			continue
		}
		which, at := int(int32(binary.LittleEndian.Uint32(view[8:]))), int(int32(binary.LittleEndian.Uint32(view[12:])))
		if total += size; total > largestStretch && n > 1 {
			return nil, errLarge
		}
		if f.views+1 >= len(r.views) || which < 0 || which >= r.views[f.views+1]-r.views[f.views] {
			return nil, errArrow
		}
		index, err := r.index(f, 2+which)
		if err != nil {
			return nil, err
		}
		data, err := r.all(index)
		if err != nil {
			return nil, err
		}
		if size < 0 || at < 0 || at > len(data) || size > len(data)-at {
			return nil, errArrow
		}
		out[i] = string(data[at : at+size])
	}
	return out, nil
}

// coded reads values that are numbers of a dictionary's.
func (r *arrowReader) coded(v table.Vector, f *arrowField, from int64, n int) (table.Vector, error) {
	codes, err := r.ints(f, 1, f.index.bits, f.index.signed, from, n)
	if err != nil {
		return v, err
	}
	d := r.dictionaries[f.dictionary]
	if d == nil {
		d = &arrowDictionaryValues{}
	}
	out := make([]uint32, n)
	for i, c := range codes {
		if v.Null(i) {
			continue
		}
		if c < 0 || c >= int64(d.size()) {
			return v, errArrow
		}
		out[i] = uint32(c)
		if d.nulls != nil && d.nulls[c] {
			v.SetNull(i)
		}
	}
	if d.size() == 0 { // all are null
		return table.Vector{Size: n}, nil
	}
	if d.texts != nil {
		v.Kind, v.Texts, v.Codes = table.Text, d.texts, out
		if d.binary {
			v.Kind = table.Binary
		}
		return v, nil
	}
	cells := make([]table.Cell, n)
	for i, c := range out {
		if !v.Null(i) {
			cells[i] = d.cells[c]
		}
	}
	return table.VectorOf(cells), nil
}

// dictionary keeps the values of a dictionary, which replace those before or come behind them.
func (r *arrowReader) dictionary(id int64, f *arrowField, rows int64, delta bool) error {
	d := &arrowDictionaryValues{}
	if old := r.dictionaries[id]; delta && old != nil {
		copied := *old
		d = &copied
	}
	most := int64(mostDictionary)
	if !f.text() {
		most = mostCells
	}
	if rows < 0 || rows > most-int64(d.size()) {
		return fault.Invalidf("it would have %d values; at most %d are read", rows, most)
	}
	for from := int64(0); from < rows; {
		n := int(min(batchRows, rows-from))
		v, err := r.vector(f, from, n)
		for errors.Is(err, errLarge) && n > 1 {
			n /= 2
			v, err = r.vector(f, from, n)
		}
		if err != nil {
			return err
		}
		d.add(&v, f)
		from += int64(n)
	}
	r.dictionaries[id] = d
	return nil
}

func (d *arrowDictionaryValues) add(v *table.Vector, f *arrowField) {
	text := f.text()
	for i := range v.Size {
		null := v.Null(i)
		if null && d.nulls == nil {
			d.nulls = make([]bool, d.size(), d.size()+v.Size)
		}
		if d.nulls != nil {
			d.nulls = append(d.nulls, null)
		}
		switch {
		case !text:
			d.cells = append(d.cells, v.Cell(i))
		case null:
			d.texts = append(d.texts, "")
		default:
			d.texts = append(d.texts, v.Text(i))
		}
	}
	d.binary = d.binary || text && v.Kind == table.Binary
}

// nested reads lists and structs as what is shown of them.
func (r *arrowReader) nested(f *arrowField, v table.Vector, from int64, n int) ([]table.Cell, error) {
	if f.kind == arrowStruct {
		return r.structs(f, v, from, n)
	}
	offsets := make([]int64, n+1)
	var err error
	if f.kind == arrowFixedList {
		if f.size > 0 && from+int64(n) > math.MaxInt64/int64(f.size) {
			return nil, errArrow
		}
		for i := range offsets {
			offsets[i] = (from + int64(i)) * int64(f.size)
		}
	} else if offsets, err = r.offsets(f, f.kind == arrowLargeList, from, n); err != nil {
		return nil, err
	}
	if n > 1 && offsets[n]-offsets[0] > largestStretch/64 {
		return nil, errLarge
	}
	// Of one very long list the beginning is shown; its length is known.
	count := int(min(offsets[n]-offsets[0], largestStretch/64))
	values, err := r.cells(&f.children[0], offsets[0], count)
	if err != nil {
		return nil, err
	}
	out := make([]table.Cell, n)
	for i := range out {
		if v.Null(i) {
			continue
		}
		cell := listCell{open: true}
		low, high := offsets[i]-offsets[0], offsets[i+1]-offsets[0]
		for k := low; k < min(high, low+listed, int64(count)); k++ {
			cell.add(values[k])
		}
		cell.n = high - low
		out[i] = cell.cell()
	}
	return out, nil
}

// cells are values inside others.
func (r *arrowReader) cells(f *arrowField, from int64, n int) ([]table.Cell, error) {
	v, err := r.vector(f, from, n)
	if err != nil {
		return nil, err
	}
	out := make([]table.Cell, n)
	for i := range out {
		out[i] = v.Cell(i)
		if f.kind == arrowFloat && f.bits == 32 && f.index == nil && out[i].Kind == table.Number {
			out[i].Text = strconv.FormatFloat(out[i].Float, 'g', -1, 32)
		}
	}
	return out, nil
}

// structs shows the parts of each by their names.
func (r *arrowReader) structs(f *arrowField, v table.Vector, from int64, n int) ([]table.Cell, error) {
	parts := make([][]table.Cell, len(f.children))
	for k := range f.children {
		var err error
		if parts[k], err = r.cells(&f.children[k], from, n); err != nil {
			return nil, err
		}
	}
	out := make([]table.Cell, n)
	for i := range out {
		if v.Null(i) {
			continue
		}
		var b strings.Builder
		for k := range parts {
			if k > 0 {
				b.WriteString(", ")
			}
			shown := parts[k][i].Shown()
			if parts[k][i].Kind == table.Null {
				shown = "null"
			}
			b.WriteString(f.children[k].name + ": " + shown)
			if b.Len() > 200 {
				b.WriteString(", …")
				break
			}
		}
		out[i] = table.Cell{Kind: table.List, Int: int64(len(parts)), Text: "{" + strings.ToValidUTF8(b.String(), "\uFFFD") + "}"}
	}
	return out, nil
}
