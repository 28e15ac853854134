// Package profile sums up the columns of tables: counts, extremes, moments, quantiles, frequent values.
//
// A State takes the vectors of a column one after the other and keeps within fixed bounds of memory. While a column has not too many
// different values, they are counted one by one and every figure is exact; then distinct values, quantiles, histogram and frequent values
// are estimates, and say so. States of parts of a table merge, and can be stored, so that a table that grows is not read again. The
// package is pure: it knows no format and no storage. Start reading at State, then at Column.
package profile

import (
	"math"
	"slices"
	"strings"

	"levada/internal/core/table"
	"levada/internal/core/textual"
)

// The bounds of what is kept of all columns together.
const (
	// MostValues is how many different values of a column are counted, AllValues of all columns together.
	MostValues = 1 << 16
	AllValues  = 1 << 22
	leastValue = 1 << 10
)

// State is what is kept of a column. It is not safe for use by several goroutines.
type State struct {
	limit   int
	columns int // 0 where texts are not read for what they say
	count   int64
	nulls   int64
	kinds   [table.Mixed]int64
	numbers [table.Mixed]*numberPart
	texts   [table.Mixed]*textPart
}

// New returns a State of one of so many columns; the more there are the less is kept of each.
func New(columns int) *State { return newState(MostValues, AllValues, columns) }

func newState(most, all, columns int) *State {
	return &State{limit: max(leastValue, min(most, all/max(1, columns)))}
}

// number is the part of a kind of numbers. Integers and numbers have one.
func (s *State) number(kind table.Kind) *numberPart {
	if kind == table.Integer {
		kind = table.Number
	}
	if s.numbers[kind] == nil {
		s.numbers[kind] = &numberPart{kind: kind, counter: counter{limit: s.limit}}
	}
	return s.numbers[kind]
}

func (s *State) text(kind table.Kind) *textPart {
	if s.texts[kind] == nil {
		s.texts[kind] = &textPart{kind: kind, counter: texts{limit: s.limit}}
		if kind == table.Text && s.columns > 0 {
			s.texts[kind].content = textual.New(s.columns)
		}
	}
	return s.texts[kind]
}

// ReadTexts has a State of one of so many columns read what texts say, too: languages, personal data, near duplicates. It is called before
// the first value is added.
func (s *State) ReadTexts(columns int) { s.columns = max(1, columns) }

// Add takes the next values into account.
func (s *State) Add(v *table.Vector) {
	if v.Kind == table.Mixed {
		s.addCells(v)
		return
	}
	s.count += int64(v.Size)
	nulls := int64(v.Size)
	if v.Kind != table.Null {
		nulls = ones(v.Nulls, v.Size)
	}
	s.nulls += nulls
	if nulls == int64(v.Size) {
		return
	}
	s.kinds[v.Kind] += int64(v.Size) - nulls
	switch v.Kind {
	case table.Number:
		s.number(v.Kind).addFloats(v)
	case table.Text, table.Binary, table.List:
		s.text(v.Kind).add(v)
	default:
		s.number(v.Kind).addInts(v)
	}
}

// addCells takes cells of several kinds into account, those of a kind together.
func (s *State) addCells(v *table.Vector) {
	of := map[table.Kind][]table.Cell{}
	for i := range v.Cells[:v.Size] {
		if c := v.Cells[i]; !v.Null(i) {
			if c.Kind == table.Number {
				c.Text = "" // summed up as the float next to it
			}
			of[c.Kind] = append(of[c.Kind], c)
		}
	}
	there := 0
	for kind := table.Null + 1; kind < table.Mixed; kind++ {
		if cells := of[kind]; len(cells) > 0 {
			part := table.VectorOf(cells)
			s.Add(&part)
			there += len(cells)
		}
	}
	s.count += int64(v.Size - there)
	s.nulls += int64(v.Size - there)
}

// ones counts the bits of the first n.
func ones(words []uint64, n int) int64 {
	if words == nil {
		return 0
	}
	total := 0
	for _, w := range words[:n>>6] {
		total += onesCount(w)
	}
	if n&63 != 0 {
		total += onesCount(words[n>>6] & (1<<(n&63) - 1))
	}
	return int64(total)
}

// Nulls adds rows in which the column has no value.
func (s *State) Nulls(rows int64) { s.count, s.nulls = s.count+rows, s.nulls+rows }

// Count is how many values were looked at, nulls among them.
func (s *State) Count() int64 { return s.count }

// flush counts what waits.
func (s *State) flush() {
	for _, p := range s.texts {
		if p != nil {
			p.flush()
		}
	}
}

// Merge takes the values that another State has seen into account, which stays as it is.
func (s *State) Merge(o *State) {
	s.flush()
	o.flush()
	s.limit = min(s.limit, o.limit)
	if s.count == 0 && s.columns == 0 {
		s.columns = o.columns
	}
	s.count, s.nulls = s.count+o.count, s.nulls+o.nulls
	for kind, n := range o.kinds {
		s.kinds[kind] += n
	}
	for kind := range table.Mixed {
		if p := o.numbers[kind]; p != nil {
			s.number(kind).merge(p)
		}
		if p := o.texts[kind]; p != nil {
			s.text(kind).merge(p)
		}
	}
}

// Kind is the kind of all values: Null where there are none, Mixed where they have several. Integers among numbers are numbers.
func (s *State) Kind() table.Kind {
	found := table.Null
	for k, n := range s.kinds {
		if n == 0 {
			continue
		}
		if found != table.Null {
			if s.kinds[table.Integer]+s.kinds[table.Number] == s.count-s.nulls {
				return table.Number
			}
			return table.Mixed
		}
		found = table.Kind(k)
	}
	return found
}

// one is the part with all values, where they are of one kind.
func (s *State) one() (*numberPart, *textPart) {
	switch kind := s.Kind(); kind {
	case table.Null, table.Mixed:
		return nil, nil
	case table.Integer:
		return s.numbers[table.Number], nil
	default:
		return s.numbers[kind], s.texts[kind]
	}
}

// Moments are those of all finite numbers, of the times or the dates of a column of one kind.
func (s *State) Moments() (Moments, bool) {
	if p, _ := s.one(); p != nil {
		return p.all(), true
	}
	return Moments{}, false
}

// Quantile is the value below which a share of all lies, and whether that is an estimate. A column that is not of numbers, times or
// dates has none.
func (s *State) Quantile(share float64) (value float64, estimated, ok bool) {
	p, _ := s.one()
	if p == nil {
		return 0, false, false
	}
	sorted := p.sorted()
	if len(sorted) == 0 {
		return 0, false, false
	}
	v := at(sorted, share)
	return v, p.sketched, !math.IsNaN(v)
}

// sorted are the numbers in order, or those of the sketch.
func (p *numberPart) sorted() []weighted {
	if p.sketched {
		return p.order.sorted()
	}
	return p.values()
}

// Values are the texts or truths of a column with the number of rows of each, in the order of the texts; all says that there are no
// others. A column of another kind has none (nil). Of a column with too many values they are the frequent ones, and of long texts the
// beginning stands for the text.
func (s *State) Values() (values []Frequent, all bool) {
	s.flush()
	kind := s.Kind()
	values = []Frequent{}
	switch p, t := s.one(); {
	case kind == table.Text:
		all = !t.sketched
		for _, e := range t.counter.entries {
			if e.n > 0 {
				values = append(values, Frequent{t.counter.text(e), e.n})
			}
		}
	case kind == table.Boolean:
		values, all = p.top(64), true
	default:
		return nil, false
	}
	slices.SortFunc(values, func(a, b Frequent) int { return strings.Compare(a.Value, b.Value) })
	return values, all
}
