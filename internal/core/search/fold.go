package search

import "fmt"

// Comparison is one comparison of a filter, for those who put filters into another language.
type Comparison struct {
	Term
	// Op is a comparator in upper case: =, !=, <, <=, >, >=, LIKE, ILIKE, IN, NOT IN, IS NULL or IS NOT NULL.
	Op string
	// Values are what text is compared with: one value, or those of a list.
	Values []string
	// Number is what a number is compared with; a time is microseconds since 1970.
	Number float64
}

// Fold puts a filter into another language: leaf says what a comparison is there, and join what several parts are of which all must hold,
// or any.
func Fold[T any](e Expr, leaf func(Comparison) (T, error), join func(all bool, parts []T) T) (T, error) {
	several := func(all bool, list []Expr) (out T, err error) {
		parts := make([]T, len(list))
		for i, one := range list {
			if parts[i], err = Fold(one, leaf, join); err != nil {
				return out, err
			}
		}
		return join(all, parts), nil
	}
	switch x := e.(type) {
	case and:
		return several(true, x)
	case or:
		return several(false, x)
	case text:
		return leaf(Comparison{Term: x.Term, Op: x.op, Values: x.values})
	case number:
		return leaf(Comparison{Term: x.Term, Op: x.op, Number: x.value})
	case present:
		op := "IS NULL"
		if x.want {
			op = "IS NOT NULL"
		}
		return leaf(Comparison{Term: x.Term, Op: op})
	}
	panic(fmt.Sprintf("search: a filter of %T", e)) // the grammars that are folded make no others
}
