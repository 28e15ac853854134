package search

import (
	"cmp"
	"math"
	"strings"

	"levada/internal/core/fault"
)

// Order is one key of a sort.
type Order struct {
	Term
	Desc   bool
	number bool
}

// ParseOrder reads one clause such as "metrics.loss DESC".
func (g *Grammar) ParseOrder(clause string) (Order, error) {
	tokens := lex(clause)
	invalid := fault.Invalidf("Invalid order_by clause '%s'. Could not be parsed.", clause)
	if tokens[0].kind != identifier || len(tokens) > 3 {
		return Order{}, invalid
	}
	var o Order
	if len(tokens) == 3 {
		switch word := strings.ToLower(tokens[1].raw); {
		case tokens[1].kind != identifier:
			return Order{}, invalid
		case word == "desc":
			o.Desc = true
		case word != "asc":
			return Order{}, fault.Invalidf("Invalid ordering key in order_by clause '%s'.", clause)
		}
	}
	var err error
	if o.Term, err = g.term(tokens[0].raw, g.orders); err != nil {
		return Order{}, err
	}
	if o.Entity == Dataset || o.Entity > Metadata {
		return Order{}, fault.Invalidf("Invalid identifier type '%s'", o.Entity)
	}
	o.number = g.isNumber(o.Term)
	return o, nil
}

// ParseOrders reads several clauses; a key may come only once.
func (g *Grammar) ParseOrders(clauses []string) ([]Order, error) {
	out := make([]Order, 0, len(clauses))
	seen := map[Term]bool{}
	for _, c := range clauses {
		o, err := g.ParseOrder(c)
		if err != nil {
			return nil, err
		}
		if seen[o.Term] && !g.repeats {
			return nil, &DuplicateError{Clauses: clauses}
		}
		seen[o.Term] = true
		out = append(out, o)
	}
	return out, nil
}

// DuplicateError says that a key of a sort comes twice. MLflow calls that an internal error, so it has a type of its own.
type DuplicateError struct{ Clauses []string }

// Error returns MLflow's words.
func (e *DuplicateError) Error() string {
	return "`order_by` contains duplicate fields: " + quoted(e.Clauses)
}

// Has reports whether the orders sort by an attribute.
func Has(orders []Order, attribute string) bool {
	for _, o := range orders {
		if o.Entity == Attribute && o.Key == attribute {
			return true
		}
	}
	return false
}

// Key is what a row is sorted by.
type Key struct {
	// rank is 0 for a value, 1 for NaN, 2 for none: those come last in this order, whichever way the values go.
	rank   int8
	number float64
	text   string
}

// KeyOf returns a row's key.
func (o Order) KeyOf(r Row) Key {
	if o.number {
		v, there := Lookup(r, o.Term, !o.Desc)
		switch {
		case !there:
			return Key{rank: 2}
		case math.IsNaN(v):
			return Key{rank: 1}
		}
		return Key{number: v}
	}
	s, there := r.Text(o.Entity, o.Key)
	if !there {
		return Key{rank: 2}
	}
	return Key{text: s}
}

// Compare compares two keys of this order.
func (o Order) Compare(a, b Key) int {
	if c := cmp.Compare(a.rank, b.rank); c != 0 {
		return c
	}
	c := cmp.Compare(a.number, b.number)
	if c == 0 {
		c = strings.Compare(a.text, b.text)
	}
	if o.Desc {
		return -c
	}
	return c
}

// MetricOrder sorts by a metric whose whole key is given.
func MetricOrder(key string, desc bool) Order {
	return Order{Term: Term{Metric, key}, Desc: desc, number: true}
}
