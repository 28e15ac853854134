// Package search reads the filter and order strings of MLflow's search calls and says which rows match, in which order.
//
// The grammar is MLflow's: comparisons joined by AND, "metrics.loss < 0.1 AND tags.`a b` LIKE 'x%'". Beyond it, a filter
// may use OR and parentheses, and ask for more of a metric than its latest value: metrics.loss.min, .max, .best and .count.
// The package knows rows only through the interface Row, and nothing of where they come from. Start reading at Parse.
package search

import (
	"fmt"
	"regexp"
	"strings"

	"levada/internal/core/fault"
)

// Entity is what kind of thing an identifier names.
type Entity int

// The entities.
const (
	Attribute Entity = iota
	Metric
	Param
	Tag
	Dataset
	// The following are of traces alone.
	Metadata
	Span
	Feedback
	Expectation
	Issue
)

// String returns the name that messages use.
func (e Entity) String() string {
	return [...]string{"attribute", "metric", "parameter", "tag", "dataset", "request_metadata", "span", "feedback", "expectation", "issue"}[e]
}

// Part says which number of a metric is meant.
type Part int

// The parts of a metric. Best is the lowest value where low is looked for (<, <=, ASC) and the highest elsewhere.
const (
	Latest Part = iota
	Min
	Max
	Best
	Count
)

var parts = map[string]Part{"min": Min, "max": Max, "best": Best, "count": Count}

// Row is one thing that can match a filter.
type Row interface {
	// Text returns a tag, a parameter or an attribute that is text; false when the row has none.
	Text(e Entity, key string) (string, bool)
	// Number returns an attribute that is a number, or the Min, Max, Count or Latest of a metric.
	Number(e Entity, key string, p Part) (float64, bool)
	// Each returns what the row has of a dataset key (name, digest, context), once for each dataset.
	Each(key string) []string
}

// Term is an entity with a key.
type Term struct {
	Entity Entity
	Key    string
}

// Expr is a parsed filter.
type Expr interface {
	// Match reports whether the row satisfies the filter.
	Match(Row) bool
}

// All is the filter that every row satisfies.
var All Expr = and{}

type (
	and []Expr
	or  []Expr
	// text compares text with one value or a list.
	text struct {
		Term
		op     string
		values []string
		like   pattern
	}
	number struct {
		Term
		op    string
		value float64
	}
	present struct {
		Term
		want bool
	}
)

func (x and) Match(r Row) bool {
	for _, e := range x {
		if !e.Match(r) {
			return false
		}
	}
	return true
}

func (x or) Match(r Row) bool {
	for _, e := range x {
		if e.Match(r) {
			return true
		}
	}
	return false
}

func (x present) Match(r Row) bool {
	_, there := r.Text(x.Entity, x.Key)
	return there == x.want
}

func (x text) Match(r Row) bool {
	if x.Entity == Dataset {
		for _, v := range r.Each(x.Key) {
			if x.holds(v) {
				return true
			}
		}
		return false
	}
	v, there := r.Text(x.Entity, x.Key)
	return there && x.holds(v)
}

func (x text) holds(v string) bool {
	switch x.op {
	case "=":
		return v == x.values[0]
	case "!=":
		return v != x.values[0]
	case "LIKE", "ILIKE":
		return x.like.MatchString(v)
	case ">":
		return v > x.values[0]
	case ">=":
		return v >= x.values[0]
	case "<":
		return v < x.values[0]
	case "<=":
		return v <= x.values[0]
	}
	for _, one := range x.values {
		if v == one {
			return x.op == "IN"
		}
	}
	return x.op == "NOT IN"
}

// Many is a Row that may have several values of a metric, of which one has to match.
type Many interface{ Numbers(key string) []float64 }

func (x number) Match(r Row) bool {
	if m, ok := r.(Many); ok && x.Entity == Metric {
		for _, v := range m.Numbers(x.Key) {
			if x.holds(v) {
				return true
			}
		}
		return false
	}
	v, there := Lookup(r, x.Term, x.op == "<" || x.op == "<=")
	return there && x.holds(v)
}

func (x number) holds(v float64) bool {
	switch x.op {
	case "=":
		return v == x.value
	case "!=":
		return v != x.value // holds for NaN, as it should
	case ">":
		return v > x.value
	case ">=":
		return v >= x.value
	case "<":
		return v < x.value
	}
	return v <= x.value
}

// Lookup returns the number that a term means. A metric that has the whole key as its name comes first; only where there is
// none, a last part such as ".min" is taken off. low says which of the two is the best.
func Lookup(r Row, t Term, low bool) (float64, bool) {
	v, there := r.Number(t.Entity, t.Key, Latest)
	if there || t.Entity != Metric {
		return v, there
	}
	dot := strings.LastIndexByte(t.Key, '.')
	if dot < 0 {
		return 0, false
	}
	p, ok := parts[t.Key[dot+1:]]
	if !ok {
		return 0, false
	}
	if p == Best {
		p = Max
		if low {
			p = Min
		}
	}
	return r.Number(Metric, t.Key[:dot], p)
}

// pattern is what text is compared with by LIKE or by a regular expression.
type pattern interface{ MatchString(s string) bool }

// like translates a pattern in which % stands for any text and _ for one character.
func like(text string, foldCase bool) (pattern, error) {
	if !strings.Contains(text, "_") {
		if foldCase {
			text = strings.ToLower(text)
		}
		return pieces{strings.Split(text, "%"), foldCase}, nil
	}
	var b strings.Builder
	b.WriteString("(?s")
	if foldCase {
		b.WriteString("i")
	}
	b.WriteString(")^")
	for _, r := range text {
		switch r {
		case '%':
			b.WriteString(".*")
		case '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteString("$")
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fault.Invalidf("the pattern %q cannot be used: %w", fault.Shorten(text, 200), err)
	}
	return re, nil
}

// pieces are the texts between the % of a pattern, which is many times faster than a regular expression in long texts.
type pieces struct {
	list     []string
	foldCase bool
}

func (p pieces) MatchString(s string) bool {
	if p.foldCase {
		s = strings.ToLower(s)
	}
	last := len(p.list) - 1
	if last == 0 {
		return s == p.list[0]
	}
	s, ok := strings.CutPrefix(s, p.list[0])
	if !ok {
		return false
	}
	for _, piece := range p.list[1:last] {
		at := strings.Index(s, piece)
		if at < 0 {
			return false
		}
		s = s[at+len(piece):]
	}
	return strings.HasSuffix(s, p.list[last])
}

// quoted is a list of names as messages show them.
func quoted(names []string) string {
	return fmt.Sprintf("['%s']", strings.Join(names, "', '"))
}

// WantsTag reports whether a filter asks for rows whose tag is "true", by = 'true' or != 'false'.
func WantsTag(e Expr, key string) bool {
	switch x := e.(type) {
	case and:
		for _, part := range x {
			if WantsTag(part, key) {
				return true
			}
		}
	case or:
		for _, part := range x {
			if WantsTag(part, key) {
				return true
			}
		}
	case text:
		return x.Entity == Tag && x.Key == key &&
			(x.op == "=" && strings.EqualFold(x.values[0], "true") || x.op == "!=" && strings.EqualFold(x.values[0], "false"))
	}
	return false
}

// WithoutTag returns the filter without its comparisons of a tag.
func WithoutTag(e Expr, key string) Expr {
	switch x := e.(type) {
	case and:
		out := make(and, len(x))
		for i, part := range x {
			out[i] = WithoutTag(part, key)
		}
		return out
	case or:
		out := make(or, len(x))
		for i, part := range x {
			out[i] = WithoutTag(part, key)
		}
		return out
	case text:
		if x.Entity == Tag && x.Key == key {
			return All
		}
	}
	return e
}
