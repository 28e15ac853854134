package mlflow

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"

	"levada/internal/core/track"
)

// keyed is a point with the name of its metric.
type keyed struct {
	key string
	track.Point
}

// Points reads the points of a run. In SQLite a query that is open holds a lock, which keeps the writer from tidying up and, in some
// modes, from writing; so no query is open while points are sent. In PostgreSQL readers hold up nobody.
func (d *database) Points(ctx context.Context, r Run, some func(string, []track.Point) error) error {
	columns := d.pick("metrics", "key", "timestamp", "step", "value", "is_nan")
	if d.sqlite {
		return d.pointsByRow(ctx, r.ID, columns, some)
	}
	var pts []keyed
	// Uses the index on run_uuid.
	query := `SELECT 0, ` + columns + ` FROM metrics WHERE run_uuid = $1 ORDER BY key, timestamp`
	err := d.each(ctx, query, []any{r.ID}, func(scan func(...any) error) error {
		_, p, err := scanPoint(scan)
		if err != nil {
			return err
		}
		if pts = append(pts, p); len(pts) < chunk {
			return nil
		}
		err = byMetric(pts, some)
		pts = pts[:0]
		return err
	})
	if err != nil {
		return err
	}
	return byMetric(pts, some)
}

// pointsByRow reads a chunk after the other, in the order in which the points were written.
func (d *database) pointsByRow(ctx context.Context, run, columns string, some func(string, []track.Point) error) error {
	// Uses the index on run_uuid, in which rows are in this order.
	query := `SELECT rowid, ` + columns + ` FROM metrics WHERE run_uuid = $1 AND rowid > $2 ORDER BY rowid LIMIT ` + strconv.Itoa(chunk)
	for last := int64(-1 << 63); ; {
		var pts []keyed
		err := d.each(ctx, query, []any{run, last}, func(scan func(...any) error) error {
			row, p, err := scanPoint(scan)
			last, pts = row, append(pts, p)
			return err
		})
		if err == nil {
			err = byMetric(pts, some)
		}
		if err != nil || len(pts) < chunk {
			return err
		}
	}
}

func scanPoint(scan func(...any) error) (row int64, p keyed, err error) {
	var at, step sql.NullInt64
	var value sql.NullFloat64
	var nan sql.NullBool
	err = scan(&row, &p.key, &at, &step, &value, &nan)
	p.Point = track.Point{Time: at.Int64, Step: step.Int64, Value: number(value, nan.Bool)}
	return row, p, err
}

// byMetric gives points on, those of one metric together.
func byMetric(pts []keyed, some func(string, []track.Point) error) error {
	slices.SortStableFunc(pts, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	for len(pts) > 0 {
		var of []track.Point
		key := pts[0].key
		for len(pts) > 0 && pts[0].key == key {
			of, pts = append(of, pts[0].Point), pts[1:]
		}
		if err := some(key, of); err != nil {
			return err
		}
	}
	return nil
}
