// Package listing describes a page of a list: which rows, in which order, from where on.
//
// Doors translate their own filter syntax into a Query; the store answers it. Paging is by key, so a page
// costs the same wherever it stands in the list.
package listing

import "levada/internal/core/search"

// Op compares a column with the values of a predicate.
type Op string

// The operations, named as in KFP's filter.
const (
	Equals            Op = "EQUALS"
	NotEquals         Op = "NOT_EQUALS"
	GreaterThan       Op = "GREATER_THAN"
	GreaterThanEquals Op = "GREATER_THAN_EQUALS"
	LessThan          Op = "LESS_THAN"
	LessThanEquals    Op = "LESS_THAN_EQUALS"
	In                Op = "IN"
	IsSubstring       Op = "IS_SUBSTRING"
)

// Predicate is one condition; those of a query must all hold.
type Predicate struct {
	// Key is a field name of the listed type's JSON ("display_name", "created_at", "state", …). A key that the
	// store does not know is an Invalid error.
	Key string
	Op  Op
	// Values holds one value, or any number for In: string, int64, bool or time.Time.
	Values []any
}

// Query asks for a page.
type Query struct {
	Where []Predicate
	// Filter must hold as well, where it is not nil. Only lists of runs take one, of the grammar search.PipelineRuns.
	Filter search.Expr
	// CountUpTo bounds the counting of what matches a filter; 0 means no bound. Total is then at most one more than that.
	CountUpTo int
	// SortBy is a field name as in Predicate.Key; empty means created_at, newest first.
	SortBy     string
	Descending bool
	// PageSize is the most rows to return: 0 means 20, more than 200 means 200.
	PageSize int
	// PageToken is the NextPageToken of the page before, made for the same query.
	PageToken string
}

// Page is the answer.
type Page[T any] struct {
	Items []T
	// Total counts the rows that match on all pages, up to where Query.CountUpTo bounds it.
	Total int
	// NextPageToken is empty on the last page.
	NextPageToken string
}
