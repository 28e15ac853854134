package predict

import (
	"math"
	"strconv"
	"unsafe"
)

// number is a JSON number: whole ones that 64 bits hold as an integer too.
type number struct {
	float float64
	whole bool
	// bits are those of an int64, or of a uint64 where large is set.
	bits  uint64
	large bool
}

// powers of ten that a float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// number reads a number, and the words NaN, Infinity and -Infinity that Python writes. The bytes are looked at once; only numbers
// whose digits or exponent a float64 does not hold exactly are read a second time, by strconv.
func (r *Reader) number() (number, error) {
	start := r.at
	negative := r.take('-')
	if r.at < len(r.data) && (r.data[r.at] == 'N' || r.data[r.at] == 'I') {
		return r.word(negative)
	}
	mantissa, digits, ok := r.digits(0, 0)
	if !ok || r.data[r.at-digits] == '0' && digits > 1 {
		r.at = start
		return number{}, r.fail("a number is wanted")
	}
	whole, exponent := true, 0
	if r.take('.') {
		var all int
		whole = false
		mantissa, all, ok = r.digits(mantissa, digits)
		if !ok {
			return number{}, r.fail("a digit is wanted after the point")
		}
		exponent, digits = digits-all, all
	}
	if r.at < len(r.data) && r.data[r.at]|0x20 == 'e' {
		r.at++
		whole = false
		minus := r.take('-')
		if !minus {
			r.take('+')
		}
		e, n, ok := r.digits(0, 0)
		if !ok {
			return number{}, r.fail("a digit is wanted in the exponent")
		}
		if n > 6 {
			e = 999_999
		}
		if minus {
			exponent -= int(e)
		} else {
			exponent += int(e)
		}
	}
	return r.valued(start, mantissa, digits, exponent, whole, negative)
}

// digits reads on in a number with the digits read so far. With more than 19 digits the value is meaningless; valued sees that.
func (r *Reader) digits(value uint64, n int) (uint64, int, bool) {
	start := r.at
	for r.at < len(r.data) {
		c := r.data[r.at] - '0'
		if c > 9 {
			break
		}
		value = value*10 + uint64(c)
		r.at++
	}
	return value, n + r.at - start, r.at > start
}

func (r *Reader) valued(start int, mantissa uint64, digits, exponent int, whole, negative bool) (number, error) {
	var n number
	text := r.data[start:r.at]
	switch {
	case whole && digits <= 18:
		n = number{float: float64(mantissa), whole: true, bits: mantissa}
		if negative {
			n.float, n.bits = -n.float, -mantissa
		}
		return n, nil
	case !whole && digits <= 19 && mantissa < 1<<53 && exponent >= -22 && exponent <= 22:
		n.float = float64(mantissa)
		if exponent < 0 {
			n.float /= powers[-exponent]
		} else {
			n.float *= powers[exponent]
		}
		if negative {
			n.float = -n.float
		}
		return n, nil
	}
	s := unsafe.String(&text[0], len(text)) // strconv keeps it only in an error, whose text is not used
	if whole {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return number{float: float64(i), whole: true, bits: uint64(i)}, nil
		}
		if u, err := strconv.ParseUint(s, 10, 64); err == nil {
			return number{float: float64(u), whole: true, bits: u, large: true}, nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		r.at = start
		return n, r.fail("the number is larger than 64 bits hold")
	}
	return number{float: f}, nil
}

func (r *Reader) word(negative bool) (number, error) {
	for word, value := range map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1)} {
		if r.literal(word) {
			if negative {
				value = -value
			}
			return number{float: value}, nil
		}
	}
	return number{}, r.fail("a number is wanted")
}
