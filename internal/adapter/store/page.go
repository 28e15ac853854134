package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/search"
)

// The limits of a page. More predicates or values than these come from a program gone wrong.
const (
	defaultPageSize = 20
	maxPageSize     = 200
	maxPredicates   = 50
	maxInValues     = 1000
)

// list says what one kind of row may be filtered and sorted by. Only the names in columns reach the SQL text;
// values are always bound.
type list struct {
	// name is that of the rows in messages: "runs".
	name    string
	table   string
	columns map[string]column
	// selected are the columns that scan reads.
	selected string
	// countTable holds how many rows there are for each combination of countKeys, which are columns of both.
	countTable string
	countKeys  map[string]bool
	// filter puts a comparison of a filter into SQL, and names the key that it is on; nil where the list takes no filter.
	filter func(c search.Comparison, bind func(any) string) (sql, key string, err error)
}

// statement is one page's query in parts that are put together as SQL.
type statement struct {
	list  *list
	where []string
	args  []any
	sort  string
	// keys are the predicates' keys, to know whether the counts answer the total.
	keys []string
	desc bool
	size int
	// countUpTo bounds the counting of what no table counts; 0 means no bound.
	countUpTo int
	// sparse says that few rows match: it is better to look them all up and sort them than to go through the table in its order.
	sparse bool
}

// fewRows is up to how many rows are sorted rather than looked for among all others. In tables of a million rows the difference is that
// of milliseconds and seconds.
const fewRows = 5000

// bind adds an argument and returns its placeholder.
func (st *statement) bind(v any) string {
	st.args = append(st.args, v)
	return fmt.Sprintf("$%d", len(st.args))
}

func (st *statement) filter() string {
	if len(st.where) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(st.where, " AND ")
}

// plan translates a query, refusing what it does not know.
func (l *list) plan(q listing.Query, scope []listing.Predicate) (*statement, error) {
	st := &statement{list: l, sort: q.SortBy, desc: q.Descending, size: q.PageSize, countUpTo: q.CountUpTo}
	if st.sort == "" {
		st.sort, st.desc = "created_at", true
	}
	if _, ok := l.columns[st.sort]; !ok {
		return nil, fault.Invalidf("list %s: cannot sort by %q; use one of %s", l.name, st.sort, l.keyNames())
	}
	switch {
	case st.size < 0:
		return nil, fault.Invalidf("list %s: page size %d is negative", l.name, st.size)
	case st.size == 0:
		st.size = defaultPageSize
	case st.size > maxPageSize:
		st.size = maxPageSize
	}
	if len(q.Where) > maxPredicates {
		return nil, fault.Invalidf("list %s: %d predicates are more than the %d allowed", l.name, len(q.Where), maxPredicates)
	}
	for _, p := range append(scope, q.Where...) {
		c, ok := l.columns[p.Key]
		if !ok {
			return nil, fault.Invalidf("list %s: cannot filter by %q; use one of %s", l.name, p.Key, l.keyNames())
		}
		condition, err := c.condition(p, st.bind)
		if err != nil {
			return nil, fault.Invalidf("list %s: %w", l.name, err)
		}
		st.where = append(st.where, condition)
		st.keys = append(st.keys, p.Key)
	}
	return st, st.addFilter(q.Filter)
}

// addFilter adds the conditions of a filter.
func (st *statement) addFilter(e search.Expr) error {
	if e == nil {
		return nil
	}
	if st.list.filter == nil {
		return fault.Invalidf("list %s: takes no filter", st.list.name)
	}
	comparisons := 0
	condition, err := search.Fold(e, func(c search.Comparison) (string, error) {
		if comparisons++; comparisons > maxPredicates {
			return "", fault.Invalidf("The filter has more than the %d comparisons allowed", maxPredicates)
		}
		text, key, err := st.list.filter(c, st.bind)
		st.keys = append(st.keys, key)
		return text, err
	}, joined)
	if err == nil && condition != "" {
		st.where = append(st.where, condition)
	}
	return err
}

// joined joins conditions of which all must hold, or any.
func joined(all bool, parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	if all {
		return "(" + strings.Join(parts, " AND ") + ")"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// readPage answers a query. scan reads the selected columns of one row.
func readPage[T any](ctx context.Context, s *Store, l *list, q listing.Query, scope []listing.Predicate, scan func(scanner) (T, error)) (listing.Page[T], error) {
	var page listing.Page[T]
	st, err := l.plan(q, scope)
	if err != nil {
		return page, err
	}
	digest := st.digest()
	from, err := st.decodeToken(q.PageToken, digest)
	if err != nil {
		return page, err
	}
	// One read transaction, so that the total belongs to the page.
	snapshot, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return page, s.readError(err)
	}
	defer func() { _ = snapshot.Rollback() }() // nothing was written
	if page.Total, err = st.total(ctx, snapshot); err != nil {
		return page, s.readError(fmt.Errorf("count %s: %w", l.name, err))
	}
	if st.sparse, err = st.isSparse(ctx, snapshot, page.Total); err != nil {
		return page, s.readError(fmt.Errorf("count %s: %w", l.name, err))
	}
	query := st.rows(from)
	rows, err := snapshot.QueryContext(ctx, query, st.args...)
	if err != nil {
		return page, s.readError(fmt.Errorf("list %s: %w", l.name, err))
	}
	var last position
	err = drain(rows, func(rows *sql.Rows) error {
		if len(page.Items) == st.size {
			page.NextPageToken = st.encodeToken(last, digest)
			return nil
		}
		item, err := scan(func(dest ...any) error { return rows.Scan(append([]any{&last.key, &last.id}, dest...)...) })
		page.Items = append(page.Items, item)
		return err
	})
	if err != nil {
		return listing.Page[T]{}, s.readError(fmt.Errorf("list %s: %w", l.name, err))
	}
	return page, nil
}

// scanner reads the columns of the present row, as sql.Row.Scan does.
type scanner func(dest ...any) error

// total counts the rows of all pages: from the table of counts where that can answer, else by counting.
func (st *statement) total(ctx context.Context, db *sql.Tx) (int, error) {
	if st.countable() {
		return sumOf(ctx, db, st.list.countTable, st.filter(), st.args...)
	}
	query := `SELECT COUNT(*) FROM ` + st.list.table + st.filter()
	if st.countUpTo > 0 {
		query = fmt.Sprintf(`SELECT COUNT(*) FROM (SELECT 1 FROM %s%s LIMIT %d)`, st.list.table, st.filter(), st.countUpTo+1)
	}
	var n int
	err := db.QueryRowContext(ctx, query, st.args...).Scan(&n)
	return n, err
}

// isSparse reports whether the rows that match are few, and few among the others: where most rows match, the page is soon found in the
// order of the table.
func (st *statement) isSparse(ctx context.Context, db *sql.Tx, matching int) (bool, error) {
	if !st.countable() || matching > fewRows {
		return false, nil
	}
	all, err := sumOf(ctx, db, st.list.countTable, "")
	return 2*matching < all, err
}

// sumOf sums up a table of counts.
func sumOf(ctx context.Context, db *sql.Tx, table, where string, args ...any) (int, error) {
	var n int
	err := db.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM `+table+where, args...).Scan(&n)
	return n, err
}

func (st *statement) countable() bool {
	if st.list.countTable == "" {
		return false
	}
	for _, key := range st.keys {
		if !st.list.countKeys[key] {
			return false
		}
	}
	return true
}

// rows is the query of the page that begins after a position. It asks for one row more than the page holds,
// which tells whether there is another page.
func (st *statement) rows(from *position) string {
	column, order, after := st.list.columns[st.sort].name, "ASC", ">"
	if st.desc {
		order, after = "DESC", "<"
	}
	sorted := column
	if st.sparse {
		// A plus keeps SQLite from choosing an index for the order, and for what nearly every row has.
		sorted = "+" + column
		for i, w := range st.where {
			if strings.HasPrefix(w, "archived ") {
				st.where[i] = "+" + w
			}
		}
	}
	if from != nil {
		st.where = append(st.where, fmt.Sprintf("(%s, id) %s (%s, %s)", sorted, after, st.bind(from.key), st.bind(from.id)))
	}
	return fmt.Sprintf("SELECT %s, id, %s FROM %s%s ORDER BY %s %s, id %s LIMIT %s",
		column, st.list.selected, st.list.table, st.filter(), sorted, order, order, st.bind(st.size+1))
}
