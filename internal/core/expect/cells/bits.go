package cells

import "math/bits"

// Bits is a set of rows of a batch: row i is bit i%64 of word i/64. Bits behind the last row are zero.
type Bits []uint64

// All returns the set of all of n rows.
func All(n int) Bits {
	b := None(n)
	for i := range b {
		b[i] = ^uint64(0)
	}
	if n%64 != 0 {
		b[len(b)-1] = 1<<(n%64) - 1
	}
	return b
}

// None returns an empty set of n rows.
func None(n int) Bits { return make(Bits, (n+63)/64) }

// Has reports whether row i is in the set.
func (b Bits) Has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }

// Set puts row i in.
func (b Bits) Set(i int) { b[i>>6] |= 1 << (i & 63) }

// Count is how many rows are in the set.
func (b Bits) Count() int64 {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return int64(n)
}

// Rows calls do for each row of the set, in order, until it returns false.
func (b Bits) Rows(do func(i int) bool) {
	for k, w := range b {
		for w != 0 {
			if !do(k<<6 + bits.TrailingZeros64(w)) {
				return
			}
			w &= w - 1
		}
	}
}

// And returns the rows that are in both.
func (b Bits) And(other Bits) Bits {
	out := make(Bits, len(b))
	for i := range b {
		out[i] = b[i] & other[i]
	}
	return out
}

// Or returns the rows that are in one or both.
func (b Bits) Or(other Bits) Bits {
	out := make(Bits, len(b))
	for i := range b {
		out[i] = b[i] | other[i]
	}
	return out
}

// Without returns the rows of b that are not in other.
func (b Bits) Without(other Bits) Bits {
	out := make(Bits, len(b))
	for i := range b {
		out[i] = b[i] &^ other[i]
	}
	return out
}
