package table

import (
	"math"
	"math/bits"
)

// MixHash spreads the bits of a number over all of a hash (the finisher of SplitMix64).
func MixHash(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// HashText is a hash of a text that is the same everywhere: eight bytes at a time, multiplied to 128 bits and folded.
func HashText(s string) uint64 {
	const a, b = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	h := uint64(len(s))*a ^ b
	for ; len(s) >= 8; s = s[8:] {
		high, low := bits.Mul64(h^Load8(s), a)
		h = high ^ low
	}
	if len(s) > 0 {
		last := uint64(0)
		for i := range len(s) {
			last |= uint64(s[i]) << (8 * i)
		}
		high, low := bits.Mul64(h^last, b)
		h = high ^ low
	}
	return MixHash(h)
}

// Load8 is the number that the first eight bytes of a text are, the lowest first.
func Load8(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// ExactInt is the largest integer up to which a float holds all.
const ExactInt = 1 << 53

// FloatKey tells a float from others: 0 and -0 have one, and so have all NaN.
func FloatKey(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

// largeInt makes the hash of an integer that no float holds another than that of the float with its bits.
const largeInt = 0x5bd1e9955bd1e995

// HashInt is a hash of an integer, that of the equal float where there is one.
func HashInt(n int64) uint64 {
	if n > ExactInt || n < -ExactInt {
		return MixHash(uint64(n) ^ largeInt)
	}
	return MixHash(FloatKey(float64(n)))
}

// Hash adds the values of a Vector to hashes of rows, one for each. Equal values have equal hashes, whether they come as integers or as
// numbers, and with a dictionary or without; values of different kinds have different ones.
func (v *Vector) Hash(rows []uint64, seed uint64) {
	value := v.hasher()
	for i := range rows[:v.Size] {
		h := uint64(noHash)
		if !v.Null(i) {
			h = value(i)
		}
		rows[i] = MixHash(rows[i]*0x9e3779b97f4a7c15 + h ^ seed)
	}
}

// noHash is the hash of what is not there.
const noHash = 0x2545f4914f6cdd1d

func (k Kind) salt() uint64 { return uint64(k) * 0xd6e8feb86659fd93 }

// hasher gives the hash of a value that is there.
func (v *Vector) hasher() func(i int) uint64 {
	salt := v.Kind.salt()
	switch v.Kind {
	case Mixed:
		return func(i int) uint64 { return v.Cells[i].hash() }
	case Text, Binary, List:
		if v.Codes == nil || len(v.Texts) > v.Size {
			return func(i int) uint64 { return HashText(v.Text(i)) + salt }
		}
		hashes := make([]uint64, len(v.Texts))
		for i, t := range v.Texts {
			hashes[i] = HashText(t) + salt
		}
		return func(i int) uint64 { return hashes[v.Codes[i]] }
	case Number:
		return func(i int) uint64 { return MixHash(FloatKey(v.Floats[i])) }
	case Integer:
		return func(i int) uint64 { return HashInt(v.Ints[i]) }
	}
	return func(i int) uint64 { return HashInt(v.Ints[i]) + salt }
}

func (c Cell) hash() uint64 {
	switch c.Kind {
	case Number:
		if c.Text != "" {
			return HashText(c.Text)
		}
		return MixHash(FloatKey(c.Float))
	case Text, Binary, List:
		return HashText(c.Text) + c.Kind.salt()
	case Integer:
		return HashInt(c.Int)
	}
	return HashInt(c.Int) + c.Kind.salt()
}
