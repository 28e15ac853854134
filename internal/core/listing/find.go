package listing

import (
	"context"
	"slices"
	"strings"
)

// Find returns up to limit items of a list whose id begins with a text in lower case, then those whose display_name has it in it, each
// once.
func Find[T any](ctx context.Context, text string, limit int, list func(context.Context, Query) (Page[T], error), id func(T) string) ([]T, error) {
	low := strings.ToLower(text)
	named := []Predicate{{Key: "display_name", Op: IsSubstring, Values: []any{text}}}
	began := []Predicate{{Key: "id", Op: GreaterThanEquals, Values: []any{low}}, {Key: "id", Op: LessThan, Values: []any{low + "\U0010FFFF"}}}
	var out []T
	if len(low) < 4 {
		began = []Predicate{{Key: "id", Op: Equals, Values: []any{low}}} // so little stands at the beginning of too many
	}
	for _, where := range [][]Predicate{began, named} {
		if len(out) >= limit {
			break
		}
		page, err := list(ctx, Query{Where: where, PageSize: limit})
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			if len(out) < limit && !slices.ContainsFunc(out, func(o T) bool { return id(o) == id(item) }) {
				out = append(out, item)
			}
		}
	}
	return out, nil
}
