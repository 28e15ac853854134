package tabular

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"levada/internal/core/table"
)

// declared is the type of a column in the words of the format.
func (l leaf) declared() string {
	name := [...]string{"boolean", "int32", "int64", "int96", "float", "double", "bytes", "fixed bytes"}[l.kind]
	if l.meaning.name != "" && l.meaning.name != "integer" {
		name = l.meaning.name
	}
	if l.meaning.unsigned {
		name = "u" + name
	}
	if l.maxRep > 0 {
		name = "list of " + name
	}
	return name
}

// exactly is the largest number up to which a float has all whole numbers.
const exactly = 1 << 53

// convert makes the values that were read what they stand for. Where a float would lose digits of a number, the vector has cells, which
// keep them as text.
func (c *column) convert(n int) (table.Vector, error) {
	v := table.Vector{Size: n, Nulls: c.nulls}
	m := c.leaf.meaning
	switch kind := c.leaf.kind; {
	case kind.isFloat():
		v.Kind, v.Floats = table.Number, c.raw.floats
		return v, nil
	case kind.isInt():
		return c.integers(v), nil
	case kind == int96s || m.name == "decimal" || m.name == "uuid" || m.name == "float16":
		if !c.loose {
			c.undictionary()
		}
		return c.texts(v), nil
	}
	v.Kind, v.Texts = table.Text, c.raw.texts
	if !c.loose {
		v.Texts, v.Codes = c.dict.texts, c.raw.codes
		if len(c.dict.texts) == 0 { // a null has no code, and there is nothing else
			v.Kind, v.Texts, v.Codes = table.Null, nil, nil
		}
	}
	if m.name != "string" && !legibleAll(v.Texts) {
		v.Kind = table.Binary
	}
	return v, nil
}

func legibleAll(texts []string) bool {
	for _, t := range texts {
		if !legible(t) {
			return false
		}
	}
	return true
}

// legible reports whether bytes are a text that a person can read.
func legible(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }) < 0
}

// integers gives what whole numbers stand for.
func (c *column) integers(v table.Vector) table.Vector {
	m, ints := c.leaf.meaning, c.raw.ints
	v.Kind, v.Ints = table.Integer, ints
	switch {
	case c.leaf.kind == boolean:
		v.Kind = table.Boolean
	case m.name == "date":
		v.Kind = table.Date
	case m.name == "timestamp":
		v.Kind = table.Time
		for i, n := range ints {
			ints[i] = c.micros(n)
		}
	case m.name == "time":
		v.Kind, v.Ints, v.Texts = table.Text, nil, make([]string, v.Size)
		for i, n := range ints {
			v.Texts[i] = time.UnixMicro(c.micros(n)).UTC().Format("15:04:05.999999")
		}
	case m.name == "decimal":
		return c.decimals(v, func(i int) (int64, bool) { return ints[i], true }, func(i int) *big.Int { return big.NewInt(ints[i]) })
	case m.unsigned && c.leaf.kind == int32s:
		for i, n := range ints {
			ints[i] = int64(uint32(n))
		}
	case m.unsigned:
		for i, n := range ints {
			if n < 0 && !v.Null(i) {
				c.longDigits = true
				return unsigned(v)
			}
		}
	}
	return v
}

// unsigned has numbers that are too large for an int64.
func unsigned(v table.Vector) table.Vector {
	out := table.Vector{Kind: table.Mixed, Size: v.Size, Cells: make([]table.Cell, v.Size)}
	for i := range out.Cells {
		out.Cells[i] = v.Cell(i)
		if n := out.Cells[i].Int; n < 0 {
			out.Cells[i] = table.Cell{Kind: table.Number, Float: float64(uint64(n)), Text: strconv.FormatUint(uint64(n), 10)}
		}
	}
	return out
}

// texts gives what bytes stand for that are no texts.
func (c *column) texts(v table.Vector) table.Vector {
	texts := c.raw.texts
	switch name := c.leaf.meaning.name; {
	case c.leaf.kind == int96s:
		v.Kind, v.Ints = table.Time, make([]int64, v.Size)
		for i, t := range texts {
			if len(t) == 12 {
				var cut bool
				v.Ints[i], cut = int96(t)
				c.cutNanos = c.cutNanos || cut
			}
		}
	case name == "decimal":
		return c.decimals(v, func(i int) (int64, bool) { return smallBigEndian(texts[i]) }, func(i int) *big.Int { return bigEndian([]byte(texts[i])) })
	case name == "uuid":
		v.Kind, v.Texts = table.Text, make([]string, v.Size)
		for i, t := range texts {
			if h := hex.EncodeToString([]byte(t)); len(t) == 16 {
				v.Texts[i] = h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
			} else {
				v.Texts[i] = h
			}
		}
	case name == "float16":
		v.Kind, v.Floats = table.Number, make([]float64, v.Size)
		for i, t := range texts {
			if len(t) == 2 {
				v.Floats[i] = float16(uint16(t[0]) | uint16(t[1])<<8)
			}
		}
	}
	return v
}

// decimals gives numbers with a fixed number of digits behind the point.
func (c *column) decimals(v table.Vector, small func(int) (int64, bool), large func(int) *big.Int) table.Vector {
	v, long := decimals(v, c.leaf.meaning.scale, small, large)
	c.longDigits = c.longDigits || long
	return v
}

// decimals gives numbers with so many digits behind the point. Whole number and power of ten are both exact, so that their quotient is
// the float next to the decimal, whose shortest form has the same digits; long says that some have more digits than a float.
func decimals(v table.Vector, scale int, small func(int) (int64, bool), large func(int) *big.Int) (_ table.Vector, long bool) {
	v.Kind, v.Ints, v.Floats = table.Number, nil, make([]float64, v.Size)
	fits := scale >= 0 && scale <= 22
	ten := math.Pow10(max(0, min(scale, 22)))
	for i := 0; i < v.Size && fits; i++ {
		if v.Null(i) {
			continue
		}
		n, ok := small(i)
		if fits = ok && n < 1e15 && n > -1e15; fits {
			v.Floats[i] = float64(n) / ten
		}
	}
	if fits {
		return v, false
	}
	cells := make([]table.Cell, v.Size)
	for i := range cells {
		if !v.Null(i) {
			cells[i] = decimal(large(i), scale)
		}
	}
	return table.Vector{Kind: table.Mixed, Size: v.Size, Cells: cells}, true
}

// smallBigEndian is a signed number that fits into an int64.
func smallBigEndian(s string) (int64, bool) {
	if len(s) == 0 {
		return 0, true
	}
	n := int64(int8(s[0]))
	for i := 1; i < len(s); i++ {
		if n > math.MaxInt64>>8 || n < math.MinInt64>>8 {
			return 0, false
		}
		n = n<<8 | int64(s[i])
	}
	return n, true
}

// micros turns a time into microseconds.
func (c *column) micros(n int64) int64 {
	us, cut := micros(n, c.leaf.meaning.unit)
	c.cutNanos = c.cutNanos || cut
	return us
}

// micros turns a number of parts of a second into microseconds; cut says that there was more to it. What is too large for them is the
// largest there is.
func micros(n, unit int64) (us int64, cut bool) {
	switch {
	case unit == 1e9:
		us = n / 1000
		if cut = us*1000 != n; cut && n < 0 {
			us--
		}
		return us, cut
	case unit == 1e3 || unit == 1:
		factor := 1_000_000 / unit
		if n > math.MaxInt64/factor {
			return math.MaxInt64, false
		}
		if n < math.MinInt64/factor {
			return math.MinInt64, false
		}
		return n * factor, false
	}
	return n, false
}

// int96 is the old form of a time: nanoseconds of the day, then the Julian day.
func int96(s string) (us int64, cut bool) {
	const epoch = 2440588 // Julian day of 1970-01-01
	b := []byte(s)
	day := int64(binary.LittleEndian.Uint32(b[8:])) - epoch
	ns := int64(binary.LittleEndian.Uint64(b))
	return day*24*60*60*1e6 + ns/1000, ns%1000 != 0
}

func bigEndian(b []byte) *big.Int {
	if len(b) > 64 {
		b = b[:64]
	}
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func decimal(n *big.Int, scale int) table.Cell {
	text := n.String()
	if scale > 0 && scale <= 100 {
		sign := ""
		if text[0] == '-' {
			sign, text = "-", text[1:]
		}
		if len(text) <= scale {
			text = strings.Repeat("0", scale+1-len(text)) + text
		}
		text = sign + text[:len(text)-scale] + "." + text[len(text)-scale:]
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return table.Cell{Kind: table.Text, Text: text}
	}
	return table.Cell{Kind: table.Number, Float: f, Text: text}
}

// float16 is a number in IEEE 754's half precision.
func float16(h uint16) float64 {
	sign, exponent, fraction := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// shown gives a single-precision number in a list as many digits as it has.
func (c *column) shown(cell table.Cell) table.Cell {
	if c.leaf.kind == floats {
		cell.Text = strconv.FormatFloat(cell.Float, 'g', -1, 32)
	}
	return cell
}

// listed is how many values of a list are shown.
const listed = 20

// listCell gathers the values of a list.
type listCell struct {
	n    int64
	text []byte
	null bool
	open bool
}

func (c *listCell) add(v table.Cell) {
	if c.n++; c.n > listed {
		return
	}
	if c.n > 1 {
		c.text = append(c.text, ", "...)
	}
	shown := v.Shown()
	if v.Kind == table.Null {
		shown = "null"
	}
	if len(shown) > 60 {
		shown = strings.ToValidUTF8(shown[:60], "") + "…"
	}
	c.text = append(c.text, bytes.ToValidUTF8([]byte(shown), []byte("\uFFFD"))...)
}

func (c *listCell) cell() table.Cell {
	if c.null && c.n == 0 {
		return table.Cell{}
	}
	more := ""
	if c.n > listed {
		more = fmt.Sprintf(", … %d values", c.n)
	}
	return table.Cell{Kind: table.List, Int: c.n, Text: "[" + string(c.text) + more + "]"}
}
