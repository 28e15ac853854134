package expect

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// metric is a figure of a column that several expectations may need; it is computed once for each column and condition.
type metric interface {
	batch(v *view) error
	about() *domain
}

// shared returns the metric of a kind over a column under the build's condition, and makes it if it is the first to ask.
func shared[M metric](b *build, kind string, column int, make func(d domain) M) M {
	id := fmt.Sprintf("%s %d %d", kind, column, b.condition)
	if m, ok := b.run.metrics[id]; ok {
		return m.(M)
	}
	m := make(domain{column: column, condition: b.condition})
	if b.err != nil {
		return m // of an expectation that is not checked
	}
	measured := &measuring{metric: m}
	b.run.metrics[id], b.run.measured[m] = m, measured
	b.run.order = append(b.run.order, measured)
	return m
}

// domain is the values of a column that a metric is about: those that are there in the rows that are chosen.
type domain struct {
	column, condition int
	// elements counts the rows, missing those without a value.
	elements, missing int64
}

func (d *domain) about() *domain { return d }

// rows returns the rows with a value, and counts.
func (d *domain) rows(v *view) (*table.Vector, cells.Bits, error) {
	if err := v.failed[d.condition]; err != nil {
		return nil, nil, err
	}
	all := v.chosen[d.condition]
	rows := all.Without(v.gone(d.column))
	n := all.Count()
	d.elements += n
	d.missing += n - rows.Count()
	return v.vectors[d.column], rows, nil
}

func (d *domain) count() int64 { return d.elements - d.missing }

// moments are the count, sum, mean and deviation of numbers.
type moments struct {
	domain
	n    int64
	m, s float64 // the mean, and the sum of squared distances from it
	// total is a compensated sum (Neumaier); whole is that of integers, exact while it fits.
	total, lost float64
	whole       int64
	integers    bool
	overflow    bool
	values      []float64 // of a batch
	failed      error
}

func (b *build) moments(column int) *moments {
	return shared(b, "moments", column, func(d domain) *moments { return &moments{domain: d, integers: true} })
}

func (m *moments) batch(v *view) error {
	vector, rows, err := m.rows(v)
	if err != nil || m.failed != nil {
		m.failed = cmp.Or(m.failed, err)
		return m.failed
	}
	values := m.numbers(vector, rows)
	if m.failed != nil || len(values) == 0 {
		return m.failed
	}
	n := float64(len(values))
	mean, squares := center(values)
	// Chan, Golub, LeVeque: two samples' moments make those of both.
	delta := mean - m.m
	both := float64(m.n) + n
	m.s += squares + delta*delta*float64(m.n)*n/both
	m.m += delta * n / both
	m.n += int64(len(values))
	m.add(vector, rows, mean*n, values)
	return nil
}

// center is the mean of numbers and the sum of their squared distances from it, in two passes where the plain mean is good: where it loses no
// digits the two are, to the last one, what pandas computes. The sum of the distances, which is 0 for the true mean, corrects both (Chan, Golub,
// LeVeque 1983: the corrected two-pass algorithm), and a mean that is so far off that the correction loses digits is used no further.
func center(values []float64) (mean, squares float64) {
	n := float64(len(values))
	for _, x := range values {
		mean += x
	}
	mean /= n
	for range 2 {
		off := 0.0
		squares = 0
		for _, x := range values {
			d := x - mean
			off += d
			squares += d * d
		}
		better := mean + off/n
		if better == mean || math.IsNaN(better) {
			break
		}
		mean = better
		if wrong := off * off / n; wrong <= squares*goodMean {
			return mean, squares - wrong
		}
	}
	return mean, squares
}

// goodMean is what a mean may add at most to the sum of the squared distances from it for that to be corrected without the loss of a digit.
const goodMean = 1.0 / (1 << 20)

// numbers are the values of some rows, valid until the next call.
func (m *moments) numbers(vector *table.Vector, rows cells.Bits) []float64 {
	m.values = m.values[:0]
	switch vector.Kind {
	case table.Number:
		if rows.Count() == int64(vector.Size) {
			return vector.Floats[:vector.Size]
		}
		m.values = chosen(m.values, vector.Floats, rows)
	case table.Integer, table.Boolean:
		rows.Rows(func(i int) bool { m.values = append(m.values, float64(vector.Ints[i])); return true })
	default:
		rows.Rows(func(i int) bool {
			c := vector.Cell(i)
			x, ok := cells.Num(c)
			if !ok {
				m.failed = typeError("could not convert %q to numeric: the column holds %s values, not numbers", c.Shown(), c.Kind)
				return false
			}
			m.values = append(m.values, x)
			return true
		})
	}
	return m.values
}

// add goes on with the sum: of integers exactly, of others compensated.
func (m *moments) add(vector *table.Vector, rows cells.Bits, approximate float64, values []float64) {
	if vector.Kind == table.Integer || vector.Kind == table.Boolean {
		rows.Rows(func(i int) bool {
			before := m.whole
			m.whole += vector.Ints[i]
			if (m.whole > before) != (vector.Ints[i] > 0) && vector.Ints[i] != 0 {
				m.overflow = true
			}
			return true
		})
	} else {
		m.integers = false
	}
	if math.IsInf(approximate, 0) || math.IsNaN(approximate) {
		m.total += approximate
		return
	}
	total, lost := m.total, m.lost
	for _, x := range values {
		t := total + x
		if math.Abs(total) >= math.Abs(x) {
			lost += (total - t) + x
		} else {
			lost += (x - t) + total
		}
		total = t
	}
	m.total, m.lost = total, lost
}

func (m *moments) sum() table.Cell {
	if m.integers && !m.overflow {
		return table.Cell{Kind: table.Integer, Int: m.whole}
	}
	return table.Cell{Kind: table.Number, Float: m.total + m.lost}
}

func (m *moments) mean() float64 {
	if m.n == 0 {
		return math.NaN()
	}
	return (m.total + m.lost) / float64(m.n)
}

// deviation is the sample's standard deviation (n-1).
func (m *moments) deviation() float64 {
	if m.n < 2 {
		return math.NaN()
	}
	return math.Sqrt(m.s / float64(m.n-1))
}

// extremes are the least and the greatest value.
type extremes struct {
	domain
	low, high table.Cell
	failed    error
}

func (b *build) extremes(column int) *extremes {
	return shared(b, "extremes", column, func(d domain) *extremes { return &extremes{domain: d} })
}

func (m *extremes) batch(v *view) error {
	vector, rows, err := m.rows(v)
	if err != nil || m.failed != nil {
		m.failed = cmp.Or(m.failed, err)
		return m.failed
	}
	switch vector.Kind {
	case table.Number:
		low, high, any := math.Inf(1), math.Inf(-1), false
		rows.Rows(func(i int) bool {
			low, high, any = min(low, vector.Floats[i]), max(high, vector.Floats[i]), true
			return true
		})
		if any {
			return m.bounds(table.Cell{Kind: table.Number, Float: low}, table.Cell{Kind: table.Number, Float: high})
		}
		return nil
	case table.Integer, table.Boolean, table.Time, table.Date:
		low, high, any := int64(math.MaxInt64), int64(math.MinInt64), false
		rows.Rows(func(i int) bool {
			low, high, any = min(low, vector.Ints[i]), max(high, vector.Ints[i]), true
			return true
		})
		if any {
			return m.bounds(table.Cell{Kind: vector.Kind, Int: low}, table.Cell{Kind: vector.Kind, Int: high})
		}
		return nil
	}
	_, err = each(func(c table.Cell) (bool, error) { return true, m.bounds(c, c) })(vector, rows)
	return err
}

// bounds takes a least and a greatest value into account.
func (m *extremes) bounds(low, high table.Cell) error {
	if m.low.Kind == table.Null {
		low.Text, high.Text = string([]byte(low.Text)), string([]byte(high.Text)) // the batch's memory is not ours
		m.low, m.high = low, high
		return nil
	}
	k, err := cells.Compare(low, m.low)
	if err != nil {
		m.failed = typeError("%v: %q and %q", err, low.Shown(), m.low.Shown())
		return m.failed
	}
	if k < 0 {
		low.Text = string([]byte(low.Text))
		m.low = low
	}
	if k, _ = cells.Compare(high, m.high); k > 0 {
		high.Text = string([]byte(high.Text))
		m.high = high
	}
	return nil
}

// valueCounts counts the values of a column one by one.
type valueCounts struct {
	domain
	most   int
	hasher cells.Hasher
	at     map[cells.Key]int
	values []counted
	failed error
}

// counted is a value and how often it is there.
type counted struct {
	value table.Cell
	count int64
}

func (b *build) valueCounts(column int) *valueCounts {
	most := b.mostValues()
	return shared(b, "counts", column, func(d domain) *valueCounts {
		return &valueCounts{domain: d, most: most, hasher: cells.NewHasher(), at: map[cells.Key]int{}}
	})
}

func (m *valueCounts) batch(v *view) error {
	vector, rows, err := m.rows(v)
	if err != nil || m.failed != nil {
		m.failed = cmp.Or(m.failed, err)
		return m.failed
	}
	if vector.Codes != nil {
		tally := make([]int64, len(vector.Texts))
		rows.Rows(func(i int) bool { tally[vector.Codes[i]]++; return true })
		for code, n := range tally {
			if n > 0 {
				m.add(table.Cell{Kind: vector.Kind, Text: vector.Texts[code]}, n)
			}
		}
		return m.failed
	}
	rows.Rows(func(i int) bool {
		m.add(vector.Cell(i), 1)
		return m.failed == nil
	})
	return m.failed
}

func (m *valueCounts) add(c table.Cell, n int64) {
	k := m.hasher.Key(c)
	at, known := m.at[k]
	if !known {
		if len(m.values) >= m.most {
			m.failed = &Failure{"MemoryError", fmt.Sprintf("the column has more than %d different values, and this expectation needs them all in memory; "+
				"raise the limit, or use expect_column_unique_value_count_to_be_between", m.most)}
			m.at, m.values = nil, nil
			return
		}
		at = len(m.values)
		c.Text = string([]byte(c.Text))
		m.at[k] = at
		m.values = append(m.values, counted{value: c})
	}
	m.values[at].count += n
}

// sorted are the values in order; those of kinds without a common order by their text.
func (m *valueCounts) sorted() []counted {
	out := slices.Clone(m.values)
	ordered := true
	slices.SortFunc(out, func(a, b counted) int {
		k, err := cells.Compare(a.value, b.value)
		ordered = ordered && err == nil
		return k
	})
	if !ordered {
		slices.SortFunc(out, func(a, b counted) int { return cmp.Compare(cells.Str(a.value), cells.Str(b.value)) })
	}
	return out
}

// distinct counts the different values of a column exactly, in bounded memory.
type distinct struct {
	domain
	keys   *keyTable
	keyer  keyer
	seen   dictionary[bool]
	passes int
	next   int64 // the row after those of the last batch
}

func (b *build) distinct(column int) *distinct {
	most := b.mostKeys()
	return shared(b, "distinct", column, func(d domain) *distinct {
		return &distinct{domain: d, keys: newKeyTable(most), keyer: keyer{hasher: cells.NewHasher()}}
	})
}

func (m *distinct) batch(v *view) error {
	m.next = v.row + int64(v.size)
	elements, missing := m.elements, m.missing
	vector, rows, err := m.rows(v)
	if err != nil {
		return err
	}
	if m.passes > 0 {
		m.elements, m.missing = elements, missing
	}
	if vector.Codes != nil {
		m.seen.begin(vector.Texts)
		rows.Rows(func(i int) bool {
			if seen := &m.seen.of[vector.Codes[i]]; !*seen {
				*seen = true
				m.keys.add(m.keyer.hasher.Text(vector.Texts[vector.Codes[i]]), v.row+int64(i))
			}
			return true
		})
		return nil
	}
	stretches(rows, func(at []int32) {
		for n, k := range m.keyer.keysAt(vector, at) {
			m.keys.add(k, v.row+int64(at[n]))
		}
	})
	return nil
}

func (m *distinct) second() (bool, error) {
	m.passes++
	m.seen = dictionary[bool]{}
	return m.keys.close(), nil
}

func (m *distinct) satisfied() bool { return m.keys.satisfied(m.next) }
