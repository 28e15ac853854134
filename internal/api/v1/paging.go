package v1

import (
	"strconv"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

// PageRequest holds the query parameters that every list takes. It is exported, like all embedded types here, because
// huma does not look into unexported ones.
type PageRequest struct {
	PageSize  int    `query:"page_size" minimum:"0" maximum:"200" doc:"most items to return; 0 means 20"`
	PageToken string `query:"page_token" doc:"next_page_token of the page before"`
}

func (p PageRequest) query(where []listing.Predicate) listing.Query {
	return listing.Query{Where: where, PageSize: p.PageSize, PageToken: p.PageToken}
}

// PageInfo holds the fields that every list gives besides its items.
type PageInfo struct {
	NextPageToken string `json:"next_page_token,omitempty"`
	Total         int    `json:"total" doc:"number of items on all pages"`
}

// limit is the size of a page of those lists that are paged by offset.
func (p PageRequest) limit() int {
	if p.PageSize == 0 {
		return 20
	}
	return p.PageSize
}

// maxOffset bounds what a token may ask for: no list is that long, and sums with it do not overflow.
const maxOffset = 1 << 40

// offsetOf reads the token of a list that is paged by offset: it has an order of its own for each request.
func offsetOf(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 || n > maxOffset {
		return 0, fault.Invalidf("page_token %q is none that this list gave; leave it out to begin anew", token)
	}
	return n, nil
}

// nextOffset is the token of the page after, empty after the last.
func nextOffset(offset, limit, total int) string {
	if offset+limit >= total {
		return ""
	}
	return strconv.Itoa(offset + limit)
}

// equals adds a condition for a parameter that was given.
func equals(where []listing.Predicate, key, value string) []listing.Predicate {
	if value == "" {
		return where
	}
	return append(where, listing.Predicate{Key: key, Op: listing.Equals, Values: []any{value}})
}

// archivedIs adds the condition for the archived parameter: "any" asks for none.
func archivedIs(where []listing.Predicate, archived string) []listing.Predicate {
	if archived == "any" {
		return where
	}
	return append(where, listing.Predicate{Key: "archived", Op: listing.Equals, Values: []any{archived == "true"}})
}

// contains adds a condition on a part of a text.
func contains(where []listing.Predicate, key, part string) []listing.Predicate {
	if part == "" {
		return where
	}
	return append(where, listing.Predicate{Key: key, Op: listing.IsSubstring, Values: []any{part}})
}

// startsWith adds a condition on the beginning of an id. Ids are hexadecimal digits and hyphens, all of which sort
// before "~".
func startsWith(where []listing.Predicate, key, prefix string) []listing.Predicate {
	if prefix == "" {
		return where
	}
	return append(where,
		listing.Predicate{Key: key, Op: listing.GreaterThanEquals, Values: []any{prefix}},
		listing.Predicate{Key: key, Op: listing.LessThan, Values: []any{prefix + "~"}})
}

// orEmpty makes a missing list an empty one, so that clients always find a list.
func orEmpty[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
