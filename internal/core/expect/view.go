package expect

import (
	"fmt"
	"math"
	"math/bits"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// view is a batch as the checks see it. What several of them need is computed once.
type view struct {
	row  int64
	size int
	// vectors are by the number of the column in the table; nil for columns that are not read.
	vectors []*table.Vector
	// missing are the rows of a column that hold nothing, computed when first asked for.
	missing []cells.Bits
	// chosen are the rows that meet a condition, by the condition's number; failed is why that could not be said. Condition 0 is none.
	chosen []cells.Bits
	failed []error
}

// none is a set of no rows for one of n.
func (v *view) gone(column int) cells.Bits {
	if v.missing[column] != nil {
		return v.missing[column]
	}
	out := cells.None(v.size)
	vector := v.vectors[column]
	switch {
	case vector.Kind == table.Null:
		out = cells.All(v.size)
	case vector.Kind == table.Mixed:
		for i, c := range vector.Cells[:v.size] {
			if cells.Missing(c) {
				out.Set(i)
			}
		}
	default:
		copy(out, vector.Nulls)
		if n := v.size % 64; n != 0 && len(out) > 0 {
			out[len(out)-1] &= 1<<n - 1
		}
		if vector.Kind == table.Number {
			for i, f := range vector.Floats[:v.size] {
				if math.IsNaN(f) {
					out.Set(i)
				}
			}
		}
	}
	v.missing[column] = out
	return out
}

// test says of each of some rows of a vector whether it is as it should be, and returns the rows that are not.
type test func(v *table.Vector, rows cells.Bits) (bad cells.Bits, err error)

// judge returns the rows, among some, that are not good.
func judge(rows cells.Bits, good func(i int) (bool, error)) (bad cells.Bits, failed error) {
	bad = make(cells.Bits, len(rows))
	rows.Rows(func(i int) bool {
		ok, err := good(i)
		if failed = err; err == nil && !ok {
			bad.Set(i)
		}
		return err == nil
	})
	return bad, failed
}

// each makes a test of a function of one value. A value of a dictionary is looked at once.
func each(good func(table.Cell) (bool, error)) test {
	texts := byDictionary(func(s string) (bool, error) { return good(table.Cell{Kind: table.Text, Text: s}) })
	return func(v *table.Vector, rows cells.Bits) (cells.Bits, error) {
		if v.Codes != nil && v.Kind == table.Text {
			return texts(v, rows)
		}
		return judge(rows, func(i int) (bool, error) { return good(v.Cell(i)) })
	}
}

// eachText makes a test of a function of the value's text, as Python's str gives it.
func eachText(good func(string) (bool, error)) test {
	general := each(func(c table.Cell) (bool, error) { return good(cells.Str(c)) })
	texts := byDictionary(good)
	return func(v *table.Vector, rows cells.Bits) (cells.Bits, error) {
		if v.Kind != table.Text {
			return general(v, rows)
		}
		if v.Codes != nil {
			return texts(v, rows)
		}
		return judge(rows, func(i int) (bool, error) { return good(v.Texts[i]) })
	}
}

// byDictionary tests each entry of a dictionary that a row has, once.
func byDictionary(good func(string) (bool, error)) test {
	const unknown, fine, wrong = 0, 1, 2
	var verdicts dictionary[uint8]
	return func(v *table.Vector, rows cells.Bits) (cells.Bits, error) {
		verdicts.begin(v.Texts)
		bad := make(cells.Bits, len(rows))
		for k, word := range rows {
			var out uint64
			for left := word; left != 0; left &= left - 1 {
				i := bits.TrailingZeros64(left)
				code := v.Codes[k<<6+i]
				verdict := verdicts.of[code]
				if verdict == unknown {
					ok, err := good(v.Texts[code])
					if err != nil {
						return bad, err
					}
					if verdict = wrong; ok {
						verdict = fine
					}
					verdicts.of[code] = verdict
				}
				out |= uint64(verdict>>1) << i
			}
			bad[k] = out
		}
		return bad, nil
	}
}

// within makes a test of a range.
func within(s span, mixed func(table.Cell, error) error) test {
	general := each(func(c table.Cell) (bool, error) {
		ok, err := s.holds(c)
		if err != nil {
			err = mixed(c, err)
		}
		return ok, err
	})
	low, high, numbers := s.numeric()
	return func(v *table.Vector, rows cells.Bits) (cells.Bits, error) {
		switch {
		case numbers && v.Kind == table.Number:
			return outside64(v.Floats, rows, s, low, high), nil
		case numbers && v.Kind == table.Integer && wholeBounds(low, high):
			return outsideInts(v.Ints, rows, s, low, high), nil
		}
		return general(v, rows)
	}
}

// wholeBounds reports whether bounds can be compared with integers without loss.
func wholeBounds(low, high float64) bool {
	return (math.IsInf(low, -1) || math.Abs(low) < 1<<53) && (math.IsInf(high, 1) || math.Abs(high) < 1<<53)
}

// outside64 returns the rows whose number lies outside of a range.
func outside64(values []float64, rows cells.Bits, s span, low, high float64) cells.Bits {
	// With the next number as a bound, an open end is a closed one.
	if s.openLow {
		low = math.Nextafter(low, math.Inf(1))
	}
	if s.openHigh {
		high = math.Nextafter(high, math.Inf(-1))
	}
	return beyond(values, rows, low, high)
}

func outsideInts(values []int64, rows cells.Bits, s span, low, high float64) cells.Bits {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !math.IsInf(low, -1) {
		from = int64(math.Ceil(low))
		if s.openLow && float64(from) == low {
			from++
		}
	}
	if !math.IsInf(high, 1) {
		to = int64(math.Floor(high))
		if s.openHigh && float64(to) == high {
			to--
		}
	}
	return beyond(values, rows, from, to)
}

// beyond goes through whole words of rows in a loop without branches.
func beyond[T int64 | float64](values []T, rows cells.Bits, low, high T) cells.Bits {
	bad := make(cells.Bits, len(rows))
	for k, word := range rows {
		if word == 0 {
			continue
		}
		var out uint64
		for i, x := range values[k<<6 : min(len(values), k<<6+64)] {
			var o uint64
			if x < low || x > high {
				o = 1
			}
			out |= o << i
		}
		bad[k] = out & word
	}
	return bad
}

// set is a set of values.
type set struct {
	keys   map[cells.Key]struct{}
	texts  map[string]struct{}
	ints   map[int64]struct{}
	hasher cells.Hasher
}

// setOf makes a set. Texts that are dates stand for their times too, for columns of times.
func (a *args) setOf(values []table.Cell) *set {
	s := &set{keys: map[cells.Key]struct{}{}, texts: map[string]struct{}{}, ints: map[int64]struct{}{}, hasher: cells.NewHasher()}
	for _, c := range values {
		if c.Kind == table.Text {
			s.texts[c.Text] = struct{}{}
			if t, err := cells.AsTime(c, a.now); err == nil {
				s.keys[s.hasher.Key(t)] = struct{}{}
			}
			continue
		}
		s.keys[s.hasher.Key(c)] = struct{}{}
		if f, ok := cells.Num(c); ok && f == math.Trunc(f) && math.Abs(f) < 1<<62 {
			s.ints[int64(f)] = struct{}{}
		}
	}
	return s
}

func (s *set) has(c table.Cell) bool {
	if c.Kind == table.Text {
		_, ok := s.texts[c.Text]
		return ok
	}
	_, ok := s.keys[s.hasher.Key(c)]
	return ok
}

// members makes a test of a set: of being in it, or of not being in it.
func members(s *set, want bool) test {
	texts := eachText(func(text string) (bool, error) {
		_, ok := s.texts[text]
		return ok == want, nil
	})
	general := each(func(c table.Cell) (bool, error) { return s.has(c) == want, nil })
	var wrong [2]bool
	for i := range wrong {
		wrong[i] = s.has(table.Cell{Kind: table.Boolean, Int: int64(i)}) != want
	}
	return func(v *table.Vector, rows cells.Bits) (cells.Bits, error) {
		switch v.Kind {
		case table.Text:
			return texts(v, rows)
		case table.Boolean:
			return truths(v.Ints, rows, wrong), nil
		case table.Integer:
			return judge(rows, func(i int) (bool, error) {
				_, ok := s.ints[v.Ints[i]]
				return ok == want, nil
			})
		}
		return general(v, rows)
	}
}

// truths returns the rows whose truth is a wrong one.
func truths(values []int64, rows cells.Bits, wrong [2]bool) cells.Bits {
	bad := make(cells.Bits, len(rows))
	for k, word := range rows {
		if word == 0 || !wrong[0] && !wrong[1] {
			continue
		}
		var ones, out uint64
		for i, x := range values[k<<6 : min(len(values), k<<6+64)] {
			ones |= uint64(x&1) << i
		}
		if wrong[0] {
			out |= ^ones
		}
		if wrong[1] {
			out |= ones
		}
		bad[k] = out & word
	}
	return bad
}

// columnError says that a column is not there.
func columnError(name string) error {
	return &Failure{"ColumnNotFound", fmt.Sprintf("Error: The column %q in BatchData does not exist; see the columns with `levada data profile`", name)}
}
