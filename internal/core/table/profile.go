package table

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The bounds of what a Profiler keeps, for all columns together where there are many.
const (
	maxValues    = 10_000  // values counted one by one in a column
	allValues    = 200_000 // in all columns
	maxSample    = 10_000  // numbers kept of a column for its histogram
	allSamples   = 2_000_000
	topValues    = 5
	histogramBar = 20
	longestKey   = 200 // bytes of a text that tell it from others; of a longer one its hash does
	longestShown = 300 // bytes of a text that are shown
)

// Profile is what a column is like.
type Profile struct {
	// Type is the kind that all cells have, "mixed" when they have several, "empty" when all are null.
	Type string
	// Count is how many cells were looked at, Nulls how many of them hold nothing.
	Count, Nulls int64
	// Distinct is the number of different values; Estimated says that it was too large to count and may be off by a few percent.
	Distinct  int64
	Estimated bool
	// Min and Max are the lowest and highest value as they are shown; empty for kinds without an order.
	Min, Max string
	Mean     *float64
	// Top are the most frequent values. When Bounded they are those among the values that came first: too many came to count all.
	Top       []Frequent
	Bounded   bool
	Histogram *Histogram
}

// Frequent is a value and how often it is there.
type Frequent struct {
	Value string
	Count int64
}

// Histogram counts numbers in bars of one width. Times and dates are numbers as in Cell.
type Histogram struct {
	Low, High float64
	Counts    []int64
	// Sampled says that the counts are those of a sample.
	Sampled bool
}

// Profiler sums up columns. The zero value is not ready; see NewProfiler.
type Profiler struct {
	columns int
	state   []*column
}

// NewProfiler returns a Profiler for about so many columns; the more there are the less it keeps of each.
func NewProfiler(columns int) *Profiler { return &Profiler{columns: max(1, columns)} }

// Add takes a chunk into account.
func (p *Profiler) Add(c Chunk) {
	for len(p.state) <= c.Column {
		p.state = append(p.state, &column{
			most: max(20, min(maxValues, allValues/p.columns)), sampled: max(200, min(maxSample, allSamples/p.columns)),
			values: map[string]int64{},
		})
	}
	s := p.state[c.Column]
	s.nulls(c.Row - s.count)
	for _, cell := range c.Cells {
		s.add(cell)
	}
}

// Profile returns what a column of so many rows is like.
func (p *Profiler) Profile(i int, rows int64) Profile {
	if i >= len(p.state) {
		return Profile{Type: Null.String(), Count: rows, Nulls: rows}
	}
	s := p.state[i]
	s.nulls(rows - s.count)
	return s.profile()
}

// column is what is kept of a column.
type column struct {
	most, sampled int
	count, empty  int64
	kinds         [List + 1]int64
	values        map[string]int64
	overflow      bool
	sketch        sketch
	low, high     Cell
	ordered       bool
	sum           float64
	measured      int64
	sample        []float64
	dice          uint64
}

func (s *column) nulls(n int64) {
	if n > 0 {
		s.count, s.empty = s.count+n, s.empty+n
	}
}

func (s *column) add(c Cell) {
	s.count++
	if c.Kind == Null {
		s.empty++
		return
	}
	s.kinds[c.Kind]++
	key := keyOf(c)
	s.sketch.add(key)
	if _, known := s.values[key]; known || len(s.values) < s.most {
		s.values[key]++
	} else {
		s.overflow = true
	}
	if v, ok := c.measure(); ok {
		s.measure(c, v)
		return
	}
	if c.Kind == Text {
		c.Text = shorten(c.Text)
		s.bound(c, func(a, b Cell) int { return cmp.Compare(a.Text, b.Text) })
	}
}

func (s *column) measure(c Cell, v float64) {
	s.bound(c, func(a, b Cell) int {
		x, _ := a.measure()
		y, _ := b.measure()
		return cmp.Compare(x, y)
	})
	s.measured++
	s.sum += v
	if len(s.sample) < s.sampled {
		s.sample = append(s.sample, v)
		return
	}
	// Algorithm R: each number is in the sample with the same chance. The dice are the same each time.
	s.dice = s.dice*6364136223846793005 + 1442695040888963407
	if at := (s.dice >> 33) % uint64(s.measured); at < uint64(len(s.sample)) {
		s.sample[at] = v
	}
}

// bound keeps the lowest and the highest. They mean something only where all cells are of one kind.
func (s *column) bound(c Cell, compare func(a, b Cell) int) {
	if !s.ordered {
		s.low, s.high, s.ordered = c, c, true
		return
	}
	if compare(c, s.low) < 0 {
		s.low = c
	}
	if compare(c, s.high) > 0 {
		s.high = c
	}
}

// kind is the kind of all cells. Integers among numbers are numbers.
func (s *column) kind() (Kind, bool) {
	found, several := Null, false
	for k, n := range s.kinds {
		if n == 0 {
			continue
		}
		if found != Null {
			several = true
		}
		found = Kind(k)
	}
	if several && s.kinds[Integer]+s.kinds[Number] == s.count-s.empty {
		return Number, true
	}
	return found, !several
}

func (s *column) profile() Profile {
	p := Profile{Count: s.count, Nulls: s.empty, Distinct: int64(len(s.values)), Type: "mixed"}
	if s.overflow {
		p.Distinct, p.Estimated, p.Bounded = max(p.Distinct, s.sketch.count()), true, true
	}
	kind, one := s.kind()
	if one {
		p.Type = kind.String()
		if s.ordered {
			p.Min, p.Max = s.low.Shown(), s.high.Shown()
		}
	}
	if one && s.measured > 0 {
		if kind == Integer || kind == Number {
			mean := s.sum / float64(s.measured)
			p.Mean = &mean
		}
		p.Histogram = s.histogram(kind)
	}
	p.Top = s.top()
	return p
}

// top are the most frequent values. Of values that are there once each none is more frequent.
func (s *column) top() []Frequent {
	out := make([]Frequent, 0, len(s.values))
	for key, n := range s.values {
		if n > 1 || len(s.values) <= topValues {
			out = append(out, Frequent{key, n})
		}
	}
	slices.SortFunc(out, func(a, b Frequent) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	out = slices.Clip(out[:min(topValues, len(out))])
	for i := range out {
		out[i].Value = shorten(out[i].Value)
	}
	return out
}

// histogram counts the sample. Few integers have a bar each.
func (s *column) histogram(kind Kind) *Histogram {
	low, _ := s.low.measure()
	high, _ := s.high.measure()
	if len(s.sample) == 0 || math.IsInf(high-low, 0) {
		return nil
	}
	bars, width := histogramBar, high-low
	if kind == Integer && high-low < 2*histogramBar {
		bars, width = int(high-low)+1, high-low+1
	}
	h := &Histogram{Low: low, High: high, Counts: make([]int64, bars), Sampled: s.measured > int64(len(s.sample))}
	for _, v := range s.sample {
		bar := 0
		if high > low {
			bar = min(bars-1, int((v-low)/width*float64(bars)))
		}
		h.Counts[bar]++
	}
	return h
}

// keyOf is what tells a value from others; short values are themselves.
func keyOf(c Cell) string {
	key := c.Shown()
	if len(key) <= longestKey {
		return key
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // a hash never fails
	return cutAt(key, longestKey) + "… " + strconv.FormatUint(h.Sum64(), 16)
}

// shorten cuts a text to what is shown of it.
func shorten(text string) string {
	if len(text) <= longestShown {
		return text
	}
	return cutAt(text, longestShown) + "…"
}

// cutAt cuts a text at the beginning of a character.
func cutAt(text string, n int) string {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
