// Package cells compares, orders, names and converts the values of tables as pandas does.
//
// It knows values, not columns or expectations. Numbers are equal across kinds (1, 1.0, true), a NaN is a value that is not there, and
// a text beside a time is read as a date. Start reading at Compare.
package cells

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/expect/pylike"
	"levada/internal/core/table"
)

// microsOfDay are the microseconds of a day.
const microsOfDay = 24 * 60 * 60 * 1_000_000

// Missing reports whether a cell holds nothing. A NaN is nothing, as in pandas.
func Missing(c table.Cell) bool {
	return c.Kind == table.Null || c.Kind == table.Number && math.IsNaN(c.Float)
}

// Num is the cell as a number: integers, numbers and booleans are numbers.
func Num(c table.Cell) (float64, bool) {
	switch c.Kind {
	case table.Boolean, table.Integer:
		return float64(c.Int), true
	case table.Number:
		return c.Float, true
	}
	return 0, false
}

// Micros is the cell as microseconds since 1970, where it is a time or a date.
func Micros(c table.Cell) (int64, bool) {
	switch c.Kind {
	case table.Time:
		return c.Int, true
	case table.Date:
		return c.Int * microsOfDay, true
	}
	return 0, false
}

// KindError says that two values have no order.
type KindError struct{ A, B table.Kind }

func (e *KindError) Error() string {
	return fmt.Sprintf("a %s and a %s cannot be compared", e.A, e.B)
}

// Compare orders two values that are there: -1, 0 or 1. Values of different kinds have no order.
func Compare(a, b table.Cell) (int, error) {
	if a.Kind == table.Integer && b.Kind == table.Integer {
		return cmp.Compare(a.Int, b.Int), nil
	}
	if x, ok := Num(a); ok {
		if y, ok := Num(b); ok {
			return cmp.Compare(x, y), nil
		}
	}
	if x, ok := Micros(a); ok {
		if y, ok := Micros(b); ok {
			return cmp.Compare(x, y), nil
		}
	}
	if isText(a.Kind) && isText(b.Kind) {
		return cmp.Compare(a.Text, b.Text), nil
	}
	return 0, &KindError{a.Kind, b.Kind}
}

func isText(k table.Kind) bool { return k == table.Text || k == table.Binary || k == table.List }

// Equal reports whether two values that are there are the same.
func Equal(a, b table.Cell) bool {
	c, err := Compare(a, b)
	return err == nil && c == 0
}

// Key tells values apart: equal values have equal keys. Numbers, times and booleans are exact; texts are told apart by 128 bits of hash.
type Key [2]uint64

// Hasher makes keys. Its zero value is not ready; see NewHasher.
type Hasher struct {
	a, b   maphash.Seed
	secret [4]uint64
}

// NewHasher returns a Hasher. Keys of two hashers have nothing to do with each other.
func NewHasher() Hasher {
	h := Hasher{a: maphash.MakeSeed(), b: maphash.MakeSeed()}
	for i := range h.secret {
		h.secret[i] = maphash.Comparable(h.a, i) | 1
	}
	return h
}

// The first word of a key that is no text says what the second is. A text has such a word by chance once in 2^64.
const (
	keyOfNumber = iota + 1
	keyOfTime
	keyOfNull
)

// Key returns the key of a cell.
func (h Hasher) Key(c table.Cell) Key {
	if Missing(c) {
		return Key{keyOfNull, 0}
	}
	switch c.Kind {
	case table.Integer, table.Boolean:
		return h.Int(c.Int)
	case table.Number:
		return h.Float(c.Float)
	case table.Time, table.Date:
		m, _ := Micros(c)
		return Key{keyOfTime, uint64(m)}
	}
	return h.Text(c.Text)
}

// Exact is Key, but that numbers with more digits than a float keeps are told apart by all of them.
func (h Hasher) Exact(c table.Cell) Key {
	if c.Kind != table.Number || c.Text == "" {
		return h.Key(c)
	}
	digits := c.Text
	if strings.Contains(digits, ".") {
		digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	}
	// The same number may be a float without a text elsewhere in the column.
	if strconv.FormatFloat(c.Float, 'f', -1, 64) == digits {
		return h.Key(c)
	}
	return h.Text(digits)
}

// Int is the key of an integer.
func (h Hasher) Int(n int64) Key { return Key{keyOfNumber, uint64(n)} }

// Float is the key of a number. A whole number has the key of the integer.
func (h Hasher) Float(f float64) Key {
	if n := int64(f); f > -1<<63 && f < 1<<63 && float64(n) == f {
		return h.Int(n)
	}
	return Key{keyOfNumber << 8, math.Float64bits(f)}
}

// Text is the key of a text.
func (h Hasher) Text(s string) Key { return Key{maphash.String(h.a, s), maphash.String(h.b, s)} }

// Join is the key of several values in order: the halves are folded products with secret factors, as in wyhash.
func (h Hasher) Join(keys []Key) Key {
	a, b := h.secret[0], h.secret[1]
	for _, k := range keys {
		a = fold(a^k[0], h.secret[2]^k[1])
		b = fold(b^k[1], h.secret[3]^k[0])
	}
	return Key{fold(a, h.secret[1]), fold(b, h.secret[0])}
}

func fold(x, y uint64) uint64 {
	high, low := bits.Mul64(x, y)
	return high ^ low
}

// From makes a cell of a value of JSON or YAML. Lists and objects become their JSON text.
func From(v any) (table.Cell, error) {
	switch v := v.(type) {
	case nil:
		return table.Cell{}, nil
	case bool:
		if v {
			return table.Cell{Kind: table.Boolean, Int: 1}, nil
		}
		return table.Cell{Kind: table.Boolean}, nil
	case int:
		return table.Cell{Kind: table.Integer, Int: int64(v)}, nil
	case int64:
		return table.Cell{Kind: table.Integer, Int: v}, nil
	case uint64:
		return table.Cell{Kind: table.Number, Float: float64(v)}, nil
	case float64:
		return table.Cell{Kind: table.Number, Float: v}, nil
	case string:
		return table.Cell{Kind: table.Text, Text: v}, nil
	case time.Time:
		return table.Cell{Kind: table.Time, Int: v.UnixMicro()}, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return table.Cell{}, fmt.Errorf("%v is no value of a table", v)
	}
	return table.Cell{Kind: table.List, Text: string(text)}, nil
}

// JSON is a cell as a value for encoding/json. Numbers that JSON has not (NaN, infinities) are texts.
func JSON(c table.Cell) any {
	switch c.Kind {
	case table.Null:
		return nil
	case table.Boolean:
		return c.Int != 0
	case table.Integer:
		return c.Int
	case table.Number:
		if math.IsNaN(c.Float) {
			return nil
		}
		if math.IsInf(c.Float, 0) {
			return pylike.Float(c.Float)
		}
		return c.Float
	case table.Time:
		return time.UnixMicro(c.Int).UTC().Format("2006-01-02T15:04:05.999999")
	case table.Date:
		return time.UnixMicro(c.Int * microsOfDay).UTC().Format(time.DateOnly)
	}
	return c.Text
}

// Str is the cell as Python's str prints it; patterns are matched against that.
func Str(c table.Cell) string {
	switch c.Kind {
	case table.Null:
		return "None"
	case table.Boolean:
		if c.Int != 0 {
			return "True"
		}
		return "False"
	case table.Integer:
		return strconv.FormatInt(c.Int, 10)
	case table.Number:
		return pylike.Float(c.Float)
	case table.Time, table.Date:
		m, _ := Micros(c)
		t := time.UnixMicro(m).UTC()
		if m%microsOfDay == 0 {
			return t.Format(time.DateOnly)
		}
		return t.Format("2006-01-02 15:04:05.999999")
	}
	return c.Text
}

// AsTime reads a text as a date. Other cells stay what they are.
func AsTime(c table.Cell, now time.Time) (table.Cell, error) {
	if c.Kind != table.Text {
		return c, nil
	}
	t, err := pylike.ParseDate(strings.TrimSpace(c.Text), now)
	if err != nil {
		return c, err
	}
	return table.Cell{Kind: table.Time, Int: t.UnixMicro()}, nil
}
