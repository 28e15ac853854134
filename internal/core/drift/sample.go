package drift

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
	"levada/internal/core/table"
)

// The bounds of what is kept of a column of one table, besides its numbers.
const (
	// mostLabels is how many different texts are counted. A column with more is compared as text.
	mostLabels = 100_000
	// mostTexts rows, of so many bytes each at most, are drawn for the methods of text.
	mostTexts   = 20_000
	longestText = 2048
	// longestLabel is how many bytes of a text tell it from others; of a longer one its hash does.
	longestLabel = 200
)

// sample is a column of one table, as it is compared.
type sample struct {
	rows, missing, infinite int64
	// kinds counts the values of each kind, those that are NaN or infinite included.
	kinds [table.Mixed]int64
	// numbers are the finite values of kinds that can be ordered; they are sorted once the column is read.
	numbers []float64
	labels  *labels
	texts   []string
	dice    stats.Dice
}

// labels counts texts.
type labels struct {
	index  map[string]int32
	names  []string
	counts []int64
	// total are all that came; full says that some were not counted.
	total int64
	full  bool
}

func (l *labels) add(text string, n int64) {
	if n == 0 {
		return
	}
	l.total += n
	key := text
	if len(text) > longestLabel {
		key = abridged(text)
	}
	if at, ok := l.index[key]; ok {
		l.counts[at] += n
		return
	}
	if len(l.names) >= mostLabels {
		l.full = true
		return
	}
	key = strings.Clone(key)
	l.index[key] = int32(len(l.names))
	l.names = append(l.names, key)
	l.counts = append(l.counts, n)
}

// abridged is a long text as its beginning and its hash.
func abridged(text string) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, text) // a hash never fails
	return cut(text, longestLabel) + "… " + strconv.FormatUint(h.Sum64(), 16)
}

// cut is the beginning of a text, in whole characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// buffers keeps slices of numbers for the next column.
type buffers struct {
	mu   sync.Mutex
	free [][]float64
}

// get returns an empty slice with room for n numbers.
func (b *buffers) get(n int) []float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, s := range b.free {
		if cap(s) >= n {
			b.free = slices.Delete(b.free, i, i+1)
			return s[:0]
		}
	}
	if len(b.free) > 0 {
		b.free = b.free[1:] // one that is too small for this table
	}
	return make([]float64, 0, n)
}

func (b *buffers) put(s []float64) {
	if cap(s) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = append(b.free, s)
}

// mostReserved bounds the room that is made for a column before its values are seen, in values.
const mostReserved = 16 << 20

// scan reads columns to their end.
func scan(ctx context.Context, source table.Source, columns []int, do func(b *table.Batch)) error {
	scanner := source.Scan(columns...)
	defer scanner.Close()
	for {
		batch, err := scanner.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		do(batch)
	}
}

// read gathers columns, each with a seed. Rows are taken where keep has their bit; nil stands for all. Where target is not
// nil, the values on its rows are picked too.
func read(ctx context.Context, source table.Source, columns []int, keep rowSet, free *buffers, seed func(i int) uint64,
	target *association) ([]*sample, []*picked, error) {
	out, picks := make([]*sample, len(columns)), make([]*picked, len(columns))
	for i := range out {
		out[i] = &sample{labels: &labels{index: map[string]int32{}}, dice: stats.Dice(seed(i))}
		if target != nil {
			picks[i] = target.pick(keep)
		}
	}
	rows := source.Rows()
	err := scan(ctx, source, columns, func(b *table.Batch) {
		for i, s := range out {
			v := &b.Columns[i]
			if s.numbers == nil && v.Kind != table.Text && v.Kind != table.Boolean {
				s.numbers = free.get(int(max(int64(v.Size), min(rows, mostReserved))))
			}
			if picks[i] != nil {
				picks[i].add(v, b.Row)
			}
			if keep != nil {
				chosen := keep.pick(v, b.Row)
				v = &chosen
			}
			s.add(v)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	for _, s := range out {
		if len(s.numbers) > 0 {
			scratch := free.get(len(s.numbers))
			var room []float64
			s.numbers, room = stats.Sort(s.numbers, scratch[:len(s.numbers)])
			free.put(room)
		}
	}
	return out, picks, nil
}

// add takes a stretch of the column into account.
func (s *sample) add(v *table.Vector) {
	s.rows += int64(v.Size)
	switch v.Kind {
	case table.Null:
		s.missing += int64(v.Size)
	case table.Integer, table.Time, table.Date:
		for i, n := range v.Ints[:v.Size] {
			if v.Null(i) {
				s.missing++
				continue
			}
			s.kinds[v.Kind]++
			s.numbers = append(s.numbers, float64(n))
		}
	case table.Number:
		s.addFloats(v)
	case table.Text:
		s.addTexts(v)
	default:
		for i := range v.Size {
			s.addCell(v.Cell(i))
		}
	}
}

func (s *sample) addFloats(v *table.Vector) {
	for i, f := range v.Floats[:v.Size] {
		switch {
		case v.Nulls != nil && v.Null(i), math.IsNaN(f):
			s.missing++
		case math.IsInf(f, 0):
			s.infinite++
			s.kinds[table.Number]++
		default:
			s.kinds[table.Number]++
			s.numbers = append(s.numbers, f)
		}
	}
}

func (s *sample) addTexts(v *table.Vector) {
	var tally []int64
	if v.Codes != nil && len(v.Texts) <= v.Size {
		tally = make([]int64, len(v.Texts))
	}
	for i := range v.Size {
		if v.Null(i) {
			s.missing++
			continue
		}
		s.kinds[table.Text]++
		text := v.Text(i)
		s.draw(text)
		if tally != nil {
			tally[v.Codes[i]]++
			continue
		}
		s.labels.add(text, 1)
	}
	for code, n := range tally {
		s.labels.add(v.Texts[code], n)
	}
}

// draw keeps a text with the same chance as each other (algorithm R).
func (s *sample) draw(text string) {
	if len(s.texts) < mostTexts {
		s.texts = append(s.texts, strings.Clone(cut(text, longestText)))
		return
	}
	if at := s.dice.Below(int(s.kinds[table.Text])); at < mostTexts {
		s.texts[at] = strings.Clone(cut(text, longestText))
	}
}

func (s *sample) addCell(c table.Cell) {
	switch c.Kind {
	case table.Null:
		s.missing++
	case table.Number:
		s.addFloats(&table.Vector{Kind: table.Number, Size: 1, Floats: []float64{c.Float}})
	case table.Integer, table.Time, table.Date:
		s.kinds[c.Kind]++
		s.numbers = append(s.numbers, float64(c.Int))
	case table.Text:
		s.kinds[c.Kind]++
		s.draw(c.Text)
		s.labels.add(c.Text, 1)
	default:
		s.kinds[c.Kind]++
		s.labels.add(c.Shown(), 1)
	}
}

// form is what the values of a column have in common.
type form string

const (
	formEmpty   form = "empty"
	formNumbers form = "numbers"
	formTexts   form = "texts"
	formTruth   form = "booleans"
	formTimes   form = "times"
	formOther   form = "binary or lists"
	formMixed   form = "values of several types"
)

// form says what a column holds. Integers and numbers are the same, times and dates too.
func (s *sample) form() form {
	groups := map[form]int64{
		formNumbers: s.kinds[table.Integer] + s.kinds[table.Number],
		formTexts:   s.kinds[table.Text],
		formTruth:   s.kinds[table.Boolean],
		formTimes:   s.kinds[table.Time] + s.kinds[table.Date],
		formOther:   s.kinds[table.Binary] + s.kinds[table.List],
	}
	found := formEmpty
	for f, n := range groups {
		if n == 0 {
			continue
		}
		if found != formEmpty {
			return formMixed
		}
		found = f
	}
	return found
}

// mixed turns the numbers of a column of several types into labels, so that all its values can be compared.
func (s *sample) mixed() {
	for i := 0; i < len(s.numbers); {
		to := i
		for to < len(s.numbers) && s.numbers[to] == s.numbers[i] {
			to++
		}
		s.labels.add(strconv.FormatFloat(s.numbers[i], 'g', -1, 64), int64(to-i))
		i = to
	}
	s.numbers = s.numbers[:0]
}

// fewIntegers is the number of different integers up to which a column of them holds categories, as in Evidently.
const fewIntegers = 10

// kindOf says how a reference column is compared: numbers as numbers, but few different integers as categories; texts as
// text where more than half of them are different.
func kindOf(s *sample) Kind {
	switch s.form() {
	case formNumbers:
		if s.kinds[table.Number] == 0 && stats.Distinct(s.numbers) <= fewIntegers {
			return Categorical
		}
		return Numerical
	case formTexts:
		if s.labels.full || int64(len(s.labels.names))*2 > s.labels.total {
			return Text
		}
		return Categorical
	case formTruth, formMixed:
		return Categorical
	}
	return Other
}

// values is how many values there are that can be compared.
func (s *sample) values() int64 { return int64(len(s.numbers)) + s.labels.total }

// paired brings the labels of two samples into one order and counts them.
func paired(a, b *labels) (stats.Counts, []string) {
	names := slices.Clone(a.names)
	for _, n := range b.names {
		if _, known := a.index[n]; !known {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	c := stats.Counts{A: make([]float64, len(names)), B: make([]float64, len(names))}
	for i, n := range names {
		if at, ok := a.index[n]; ok {
			c.A[i] = float64(a.counts[at])
		}
		if at, ok := b.index[n]; ok {
			c.B[i] = float64(b.counts[at])
		}
	}
	return c, names
}

// rowSet has a bit for each row of a table.
type rowSet []uint64

func (r rowSet) has(row int64) bool {
	word := int(row >> 6)
	return word < len(r) && r[word]&(1<<(row&63)) != 0
}

// pick copies the values of chosen rows. First is the row of the first value.
func (r rowSet) pick(v *table.Vector, first int64) table.Vector {
	cells := make([]table.Cell, 0, v.Size)
	for i := range v.Size {
		if r.has(first + int64(i)) {
			cells = append(cells, v.Cell(i))
		}
	}
	return table.VectorOf(cells)
}

func invalidColumn(name, role string) error {
	return fault.Invalidf("%s %q is a column of neither table", role, fault.Shorten(name, 100))
}
