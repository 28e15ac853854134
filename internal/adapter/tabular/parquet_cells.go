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

// cell is what a stored value stands for.
func (l leaf) cell(v raw) table.Cell {
	switch l.kind {
	case boolean:
		return table.Cell{Kind: table.Boolean, Int: v.i}
	case int32s, int64s:
		return l.integer(v.i)
	case int96s:
		return int96(v.b)
	case floats, doubles:
		if l.kind == floats { // as many digits as a float has
			return table.Cell{Kind: table.Number, Float: v.f, Text: strconv.FormatFloat(v.f, 'g', -1, 32)}
		}
		return table.Cell{Kind: table.Number, Float: v.f}
	}
	switch {
	case l.meaning.name == "decimal" && len(v.b) <= 64:
		return decimal(bigEndian(v.b), l.meaning.scale)
	case l.meaning.name == "uuid" && len(v.b) == 16:
		h := hex.EncodeToString(v.b)
		return table.Cell{Kind: table.Text, Text: h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]}
	case l.meaning.name == "float16" && len(v.b) == 2:
		return table.Cell{Kind: table.Number, Float: float16(binary.LittleEndian.Uint16(v.b))}
	case l.meaning.name == "string" || legible(v.b):
		text := strings.ToValidUTF8(string(v.b), "\uFFFD")
		if text == "" {
			text = `""`
		}
		return table.Cell{Kind: table.Text, Text: text}
	}
	return table.Cell{Kind: table.Binary, Int: int64(len(v.b)), Text: fmt.Sprintf("%d bytes: %x", len(v.b), v.b[:min(len(v.b), 16)])}
}

// legible reports whether bytes are a text that a person can read.
func legible(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' })
}

func (l leaf) integer(n int64) table.Cell {
	switch l.meaning.name {
	case "decimal":
		return decimal(big.NewInt(n), l.meaning.scale)
	case "date":
		return table.Cell{Kind: table.Date, Int: n}
	case "timestamp":
		return table.Cell{Kind: table.Time, Int: micros(n, l.meaning.unit)}
	case "time":
		at := time.UnixMicro(micros(n, l.meaning.unit)).UTC()
		return table.Cell{Kind: table.Text, Text: at.Format("15:04:05.999999")}
	}
	if l.meaning.unsigned && l.kind == int32s {
		n = int64(uint32(n))
	}
	if l.meaning.unsigned && n < 0 {
		text := strconv.FormatUint(uint64(n), 10)
		return table.Cell{Kind: table.Number, Float: float64(uint64(n)), Text: text}
	}
	return table.Cell{Kind: table.Integer, Int: n}
}

// micros turns a time into microseconds; unit says how many of it make a second.
func micros(n, unit int64) int64 {
	switch unit {
	case 1e3:
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			return math.MaxInt64
		}
		return n * 1000
	case 1e9:
		return n / 1000
	}
	return n
}

// int96 is the old form of a time: nanoseconds of the day, then the Julian day.
func int96(b []byte) table.Cell {
	const epoch = 2440588 // Julian day of 1970-01-01
	day := int64(binary.LittleEndian.Uint32(b[8:])) - epoch
	return table.Cell{Kind: table.Time, Int: day*24*60*60*1e6 + int64(binary.LittleEndian.Uint64(b))/1000}
}

func bigEndian(b []byte) *big.Int {
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
	c.text = append(c.text, shown...)
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
