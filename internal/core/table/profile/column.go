package profile

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"levada/internal/core/table"
	"levada/internal/core/textual"
)

func onesCount(w uint64) int { return bits.OnesCount64(w) }

const (
	// TopValues is how many of the most frequent values are given.
	TopValues    = 10
	histogramBar = 20
	longestShown = 300 // bytes of a text that are shown
)

// Shares are those of the quantiles that a Column has.
var Shares = [...]float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

// Column is what a column is like.
type Column struct {
	Name     string `json:"name"`
	Declared string `json:"declared,omitempty"`
	// Type is the kind that all values have, "mixed" when they have several, "empty" when there are none. Kinds counts the values of
	// each where it is mixed.
	Type  string           `json:"type"`
	Kinds map[string]int64 `json:"kinds,omitempty"`
	// Count is how many rows were looked at, Nulls in how many of them there is no value.
	Count int64 `json:"count"`
	Nulls int64 `json:"nulls"`
	// Distinct is the number of different values; Estimated says that there were too many to count, and the usual error is 0.8 %.
	Distinct  int64 `json:"distinct"`
	Estimated bool  `json:"distinct_estimated,omitempty"`
	// Min and Max are the lowest and highest value as they are shown, of numbers among the finite ones; empty for kinds without an order.
	Min string `json:"min,omitempty"`
	Max string `json:"max,omitempty"`
	// Low and High are the same as numbers: of times microseconds and of dates days since 1970.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
	// Mean, standard deviation (n-1), skewness and excess kurtosis are those of the finite numbers.
	Mean     *float64 `json:"mean,omitempty"`
	SD       *float64 `json:"sd,omitempty"`
	Skew     *float64 `json:"skew,omitempty"`
	Kurtosis *float64 `json:"kurtosis,omitempty"`
	// Quantiles are those of Shares. RankError, where it is not 0, says that they are estimates, and how far the share may be off.
	Quantiles []Quantile `json:"quantiles,omitempty"`
	RankError float64    `json:"rank_error,omitempty"`
	// NaN and infinities are values; they are no numbers. Zero and Negative count numbers.
	NaN      int64 `json:"nan,omitempty"`
	Infinite int64 `json:"infinite,omitempty"`
	Zero     int64 `json:"zero,omitempty"`
	Negative int64 `json:"negative,omitempty"`
	// Top are the most frequent values. When Bounded not all were counted: each may be there up to TopError times more often.
	Top       []Frequent `json:"top,omitempty"`
	Bounded   bool       `json:"top_bounded,omitempty"`
	TopError  int64      `json:"top_error,omitempty"`
	Histogram *Histogram `json:"histogram,omitempty"`
	// Length is that of texts in characters, of bytes, and of lists in values.
	Length *Length `json:"length,omitempty"`
	// Text is what texts are like: languages, duplicates, personal data. Where values look like personal data, Min, Max and Top show their
	// form alone.
	Text *textual.Summary `json:"text,omitempty"`
}

// Quantile is the value below which a share of all lies.
type Quantile struct {
	Share float64 `json:"share"`
	Value float64 `json:"value"`
	Shown string  `json:"shown"`
}

// Frequent is a value and how often it is there.
type Frequent struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Histogram counts numbers in bars of one width. Times and dates are numbers as in Column.Low.
type Histogram struct {
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Counts []int64 `json:"counts"`
	// Estimated says that the counts come from the sketch of quantiles.
	Estimated bool `json:"estimated,omitempty"`
}

// Length says how long values are.
type Length struct {
	Min  int64   `json:"min"`
	Max  int64   `json:"max"`
	Mean float64 `json:"mean"`
	// Empty counts texts without characters, Broken texts that are not in UTF-8.
	Empty  int64 `json:"empty,omitempty"`
	Broken int64 `json:"broken,omitempty"`
}

// Column is what the values of a column are like that were added.
func (s *State) Column(c table.Column) Column {
	s.flush()
	kind := s.Kind()
	out := Column{Name: c.Name, Declared: c.Declared, Type: kind.String(), Count: s.count, Nulls: s.nulls}
	if kind == table.Mixed {
		out.Kinds = map[string]int64{}
	}
	bits := 64
	if c.Declared == "float" {
		bits = 32
	}
	for k := range table.Mixed {
		if kind == table.Mixed && s.kinds[k] > 0 {
			out.Kinds[k.String()] = s.kinds[k]
		}
		if p := s.numbers[k]; p != nil {
			n, estimated := p.count()
			out.Distinct, out.Estimated = out.Distinct+n, out.Estimated || estimated
			out.top(p.top(bits), max(p.counter.lost, p.large.lost), p.sketched)
		}
		if p := s.texts[k]; p != nil {
			n, estimated := p.count()
			out.Distinct, out.Estimated = out.Distinct+n, out.Estimated || estimated
			out.top(p.top(), p.counter.lost, p.sketched)
		}
	}
	out.order()
	number, text := s.one()
	if number != nil {
		out.measure(number, kind, bits)
	}
	if text != nil {
		out.texts(text)
		if text.content != nil {
			out.content(text, s.count-s.nulls)
		}
	}
	return out
}

// top adds frequent values. Of estimates those whose count says something are kept.
func (c *Column) top(values []Frequent, lost int64, bounded bool) {
	c.TopError, c.Bounded = max(c.TopError, lost), c.Bounded || bounded
	for _, f := range values {
		if !bounded || f.Count > lost {
			c.Top = append(c.Top, f)
		}
	}
}

// order keeps the most frequent. Of values that are there once each none is more frequent.
func (c *Column) order() {
	if c.Distinct > TopValues {
		c.Top = slices.DeleteFunc(c.Top, func(f Frequent) bool { return f.Count < 2 })
	}
	slices.SortFunc(c.Top, func(a, b Frequent) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	c.Top = slices.Clip(c.Top[:min(TopValues, len(c.Top))])
}

func (c *Column) measure(p *numberPart, kind table.Kind, bits int) {
	if p.ints.any || p.reals.any {
		low, high := p.bounds()
		c.Low, c.High = &low, &high
		c.Min, c.Max = shown(kind, low, bits), shown(kind, high, bits)
		if p.ints.any && float64(p.ints.low) == low {
			c.Min = cell(kind, p.ints.low, bits)
		}
		if p.ints.any && float64(p.ints.high) == high {
			c.Max = cell(kind, p.ints.high, bits)
		}
	}
	m := p.all()
	if m.N > 0 && (kind == table.Integer || kind == table.Number || kind == table.Boolean) {
		c.Mean = pointer(finite(m.Mean, true))
		if kind != table.Boolean {
			c.SD, c.Skew, c.Kurtosis = pointer(m.SD()), pointer(m.Skew()), pointer(m.Kurtosis())
			c.Zero, c.Negative = p.zeros, p.below
		}
	}
	c.NaN, c.Infinite = p.nan, p.up+p.down
	if m.N == 0 || kind == table.Boolean {
		return
	}
	sorted := p.sorted()
	if p.sketched {
		c.RankError = RankError
	}
	for _, share := range Shares {
		v := at(sorted, share)
		if p.sketched {
			v = min(max(v, *c.Low), *c.High)
		}
		c.Quantiles = append(c.Quantiles, Quantile{share, v, shown(kind, v, bits)})
	}
	c.Histogram = p.histogram(kind, sorted, m.N)
}

func pointer(v float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return &v
}

func (p *numberPart) bounds() (low, high float64) {
	all := p.reals
	if p.ints.any {
		all.add(float64(p.ints.low))
		all.add(float64(p.ints.high))
	}
	return all.low, all.high
}

// cell is how an integer is shown.
func cell(kind table.Kind, n int64, bits int) string {
	if kind == table.Number {
		return shown(kind, float64(n), bits)
	}
	return table.Cell{Kind: kind, Int: n}.Shown()
}

func shown(kind table.Kind, v float64, bits int) string {
	switch kind {
	case table.Number, table.Integer: // the quantile of integers may lie between two
		return table.ShownNumber(v, bits)
	case table.Date: // between two days is a time
		if v != math.Trunc(v) {
			return table.Cell{Kind: table.Time, Int: int64(v * 24 * 3600 * 1e6)}.Shown()
		}
	}
	return table.Cell{Kind: kind, Int: int64(v)}.Shown()
}

func (c *Column) texts(p *textPart) {
	l := p.all()
	c.Length = &Length{Min: l.Short, Max: l.Long, Mean: l.Mean, Empty: l.Empty, Broken: l.Bad}
	if p.kind == table.List {
		c.Length.Empty = 0
	}
	if p.kind == table.Text && p.any {
		c.Min, c.Max = shorten(p.low), shorten(p.high)
	}
}

// content is what texts say.
func (c *Column) content(p *textPart, rows int64) {
	c.Text = p.content.Summary(max(0, rows-c.Distinct))
	if len(c.Text.Personal) == 0 {
		return
	}
	c.Min, c.Max = textual.Mask(c.Min), textual.Mask(c.Max)
	for i := range c.Top {
		c.Top[i].Value = textual.Mask(c.Top[i].Value)
	}
}

// top are the most frequent numbers.
func (p *numberPart) top(bits int) []Frequent {
	var out []entry
	whole := map[uint64]bool{}
	for _, e := range p.counter.entries {
		if e.n > 0 {
			out = append(out, e)
		}
	}
	for _, e := range p.large.entries {
		if e.n > 0 {
			out = append(out, e)
			whole[e.key] = true
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.key, b.key)) })
	kind := p.kind
	if kind == table.Number && !p.floats {
		kind = table.Integer
	}
	top := make([]Frequent, 0, TopValues)
	for _, e := range out[:min(len(out), TopValues)] {
		f := Frequent{Count: e.n}
		if whole[e.key] {
			f.Value = table.Cell{Kind: table.Integer, Int: int64(e.key)}.Shown()
		} else {
			f.Value = shown(kind, math.Float64frombits(e.key), bits)
		}
		top = append(top, f)
	}
	return top
}

func (p *textPart) top() []Frequent {
	out := make([]textEntry, 0, p.counter.used)
	for _, e := range p.counter.entries {
		if e.n > 0 {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b textEntry) int {
		return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(p.counter.text(a), p.counter.text(b)))
	})
	top := make([]Frequent, 0, TopValues)
	for _, e := range out[:min(len(out), TopValues)] {
		text := p.counter.text(e)
		switch {
		case p.kind == table.Binary:
			text = table.ShownBytes(text)
		case int(e.size) >= longestKept-4:
			text = shorten(text + "…")
		default:
			text = table.Cell{Kind: table.Text, Text: shorten(text)}.Shown()
		}
		top = append(top, Frequent{text, e.n})
	}
	return top
}

// histogram counts numbers. Few integers have a bar each.
func (p *numberPart) histogram(kind table.Kind, sorted []weighted, n int64) *Histogram {
	low, high := p.bounds()
	if math.IsInf(high-low, 0) {
		return nil
	}
	bars, width := histogramBar, high-low
	if kind == table.Integer && high-low < 2*histogramBar {
		bars, width = int(high-low)+1, high-low+1
	}
	h := &Histogram{Low: low, High: high, Counts: make([]int64, bars), Estimated: p.sketched}
	var seen int64
	for _, w := range sorted {
		bar := 0
		if high > low {
			bar = max(0, min(bars-1, int((w.v-low)/width*float64(bars))))
		}
		h.Counts[bar] += w.n
		seen += w.n
	}
	if p.sketched && seen > 0 && seen != n { // what the sketch has not looked at
		var before, given int64
		for i, c := range h.Counts {
			before += c
			upto := int64(math.Round(float64(before) / float64(seen) * float64(n)))
			h.Counts[i], given = upto-given, upto
		}
	}
	return h
}

// shorten cuts a text to what is shown of it, and makes it UTF-8.
func shorten(text string) string {
	if len(text) > longestShown {
		n := longestShown
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
