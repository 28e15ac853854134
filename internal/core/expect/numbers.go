package expect

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// numbersOf keeps all numbers of a column, for quantiles and distributions.
type numbersOf struct {
	domain
	most, hint int // hint is how many there will be, as far as that is known
	values     []float64
	sorted     bool
	asked      int // how many values were looked for without sorting all
	// kind is Time where the values are microseconds, Integer where all are whole.
	kind   table.Kind
	failed error
}

func (b *build) numbers(column int) *numbersOf {
	most, hint := b.run.options.MostValues, 0
	if rows := b.run.source.Rows(); rows > 0 && b.condition == 0 {
		hint = int(min(rows, int64(most)))
	}
	return shared(b, "numbers", column, func(d domain) *numbersOf { return &numbersOf{domain: d, most: most, hint: hint} })
}

func (m *numbersOf) batch(v *view) error {
	vector, rows, err := m.rows(v)
	if err != nil || m.failed != nil {
		m.failed = cmp.Or(m.failed, err)
		return m.failed
	}
	if m.count() > int64(m.most) {
		m.values = nil
		m.failed = &Failure{"MemoryError", fmt.Sprintf("the column has more than %d values, and this expectation needs them all in memory; "+
			"raise the limit, check a sample, or use a row_condition", m.most)}
		return m.failed
	}
	if m.values == nil {
		m.values = make([]float64, 0, m.hint)
	}
	if vector.Kind == table.Number {
		before := len(m.values)
		if m.values = chosen(m.values, vector.Floats, rows); len(m.values) > before {
			m.kind = table.Number
		}
		return nil
	}
	rows.Rows(func(i int) bool {
		c := vector.Cell(i)
		x, ok := cells.Num(c)
		kind := c.Kind
		if micros, time := cells.Micros(c); time {
			x, ok, kind = float64(micros), true, table.Time
		}
		if !ok {
			m.failed = typeError("could not convert %q to numeric: the column holds %s values, not numbers", c.Shown(), c.Kind)
			return false
		}
		if kind == table.Boolean || kind == table.Integer && m.kind == table.Number {
			kind = cmp.Or(m.kind, table.Number)
		}
		m.kind = kind
		m.values = append(m.values, x)
		return true
	})
	return m.failed
}

// chosen appends the values of some rows, stretches of 64 at once where all of them are meant.
func chosen[T any](out, values []T, rows cells.Bits) []T {
	for k, word := range rows {
		if word == ^uint64(0) {
			out = append(out, values[k<<6:k<<6+64]...)
			continue
		}
		for ; word != 0; word &= word - 1 {
			out = append(out, values[k<<6+bits.TrailingZeros64(word)])
		}
	}
	return out
}

func (m *numbersOf) sort() {
	if !m.sorted {
		slices.Sort(m.values)
		m.sorted = true
	}
}

// mostSelected is how many values are looked for before all are sorted: to find one takes about a tenth of the time.
const mostSelected = 8

// at is the value at a place of the sorted numbers.
func (m *numbersOf) at(place int) float64 {
	if m.asked++; m.asked > mostSelected {
		m.sort()
	}
	if !m.sorted {
		selectNth(m.values, place)
	}
	return m.values[place]
}

// selectNth puts the value that belongs to a place of the sorted values there, those that are not above it before it, and the others
// behind it (C. A. R. Hoare's Find, 1961). NaN must not be among them.
func selectNth(values []float64, place int) {
	const few = 64
	low, high := 0, len(values) // the value is among values[low:high]
	for patience := 4 * bits.Len(uint(len(values))); high-low > few && patience > 0; patience-- {
		pivot := middleOf(values[low:high])
		i, j := low, high-1
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i++
				j--
			}
		}
		switch {
		case place <= j:
			high = j + 1
		case place >= i:
			low = i
		default:
			return // between the two all are the pivot
		}
	}
	slices.Sort(values[low:high])
}

// middleOf is about the median of many values: the middle one of 33.
func middleOf(values []float64) float64 {
	var sample [33]float64
	for i := range sample {
		sample[i] = values[i*(len(values)-1)/(len(sample)-1)]
	}
	slices.Sort(sample[:])
	return sample[len(sample)/2]
}

// quantile is the value at q of the sorted numbers, by one of numpy's ways where it falls between two.
func (m *numbersOf) quantile(q float64, way string) float64 {
	if len(m.values) == 0 {
		return math.NaN()
	}
	at := q * float64(len(m.values)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(m.values)-1)
	share := at - float64(low)
	if way == "nearest" {
		return m.at(int(math.RoundToEven(at)))
	}
	a := m.at(low)
	b := a
	switch {
	case m.sorted:
		b = m.values[high]
	case high > low:
		b = slices.Min(m.values[high:]) // at has put all that are above a there
	}
	switch way {
	case "lower":
		return a
	case "higher":
		if share == 0 {
			return a
		}
		return b
	case "midpoint":
		if share == 0 {
			return a
		}
		return (a + b) / 2
	}
	if share >= 0.5 { // as numpy does, so that rounding is the same
		return b - (b-a)*(1-share)
	}
	return a + (b-a)*share
}
