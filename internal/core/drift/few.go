package drift

import (
	"cmp"
	"context"
	"fmt"

	"levada/internal/core/table"
)

// tooFew says that a table has fewer rows than are wanted, with the report that says so.
func tooFew(ctx context.Context, reference, current table.Source, o Options) (r Report, few bool, err error) {
	if o.MinRows <= 0 {
		return Report{}, false, nil
	}
	r = Report{ShareLimit: cmp.Or(o.Share, DefaultShare), Findings: []Finding{}, Columns: []Column{}}
	for _, t := range []struct {
		source table.Source
		rows   *int64
		name   string
	}{{reference, &r.ReferenceRows, "the reference"}, {current, &r.CurrentRows, "the current table"}} {
		if *t.rows, err = table.CountRows(ctx, t.source, 0); err != nil {
			return Report{}, false, err
		}
		if *t.rows < o.MinRows {
			r.NotJudged = TooFew(t.name, *t.rows, o.MinRows)
		}
	}
	return r, r.NotJudged != "", nil
}

// TooFew says that a table has fewer rows than are wanted to judge it.
func TooFew(name string, rows, wanted int64) string {
	counted := "rows"
	if rows == 1 {
		counted = "row"
	}
	return fmt.Sprintf("%s has %d %s, wanted %d", name, rows, counted, wanted)
}
