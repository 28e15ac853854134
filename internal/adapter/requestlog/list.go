package requestlog

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/reqlog"
	"levada/internal/core/table"
)

const (
	// mostExamined is after how many rows a page ends at the next hour, though it is not full: what is looked for is rare.
	mostExamined = 2_000_000
	// mostListedBytes is about how large a page becomes.
	mostListedBytes = 4 << 20
)

// List returns logged requests, the newest first, with what became of them: those of a question that come after a position, or the first.
// Limits of the question are those of the page.
func (l *Log) List(ctx context.Context, q reqlog.Query, after *reqlog.Position) (reqlog.LoggedPage, error) {
	if q.Limit < 1 || q.Limit > reqlog.MaxListed {
		return reqlog.LoggedPage{}, fault.Invalidf("list requests: the limit is %d; want 1 to %d", q.Limit, reqlog.MaxListed)
	}
	if _, err := l.synced(ctx); err != nil {
		return reqlog.LoggedPage{}, err
	}
	if after != nil {
		if end := time.UnixMicro(after.At + 1).UTC(); q.Until.IsZero() || end.Before(q.Until) {
			q.Until = end
		}
	}
	s := &lister{log: l, q: q, after: after, limit: q.Limit}
	s.q.Limit = 0
	for _, hour := range l.hours(s.q) {
		if err := s.hour(ctx, hour); err != nil {
			return reqlog.LoggedPage{}, err
		}
		if s.full() || s.examined >= mostExamined {
			break
		}
	}
	return s.page(ctx)
}

// hours are those of which there are requests that a question is about, the newest first.
func (l *Log) hours(q reqlog.Query) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []time.Time
	for _, s := range l.sealed {
		if asked(q, s.endpoint, s.version, s.hour) {
			out = append(out, s.hour)
		}
	}
	for key := range l.journals {
		if asked(q, key.endpoint, key.version, key.hour) {
			out = append(out, key.hour)
		}
	}
	slices.SortFunc(out, func(a, b time.Time) int { return b.Compare(a) })
	return slices.CompactFunc(out, time.Time.Equal)
}

// lister collects the rows of a page, hour by hour.
type lister struct {
	log      *Log
	q        reqlog.Query
	after    *reqlog.Position
	limit    int
	examined int
	// reached is the beginning of the hour that was looked through last.
	reached time.Time
	rows    []listedRow
}

type listedRow struct {
	reqlog.LoggedRequest
	at reqlog.Position
}

func (s *lister) full() bool { return len(s.rows) > s.limit }

// hour adds the rows of an hour. First only the columns that decide are read, then all of the rows that the page has.
func (s *lister) hour(ctx context.Context, hour time.Time) error {
	s.reached = hour
	q := s.q
	if end := hour.Add(time.Hour); q.Until.IsZero() || end.Before(q.Until) {
		q.Until = end
	}
	if hour.After(q.Since) {
		q.Since = hour
	}
	parts, err := s.log.parts(q)
	if err != nil {
		return err
	}
	var found []reqlog.Position
	most := s.limit + 1 - len(s.rows) // one more than the page has, for whether there is more
	perPart := make([][]reqlog.Position, len(parts))
	for i, p := range parts {
		if perPart[i], err = s.positions(ctx, p, most); err != nil {
			return err
		}
		found = append(found, perPart[i]...)
	}
	slices.SortFunc(found, reqlog.Position.Compare)
	found = found[:min(most, len(found))]
	if len(found) == 0 {
		return nil
	}
	last := found[len(found)-1]
	for i, p := range parts {
		if len(perPart[i]) == 0 || slices.MinFunc(perPart[i], reqlog.Position.Compare).Compare(last) > 0 {
			continue
		}
		if err := s.read(ctx, p, last); err != nil {
			return err
		}
	}
	slices.SortStableFunc(s.rows, func(a, b listedRow) int { return a.at.Compare(b.at) })
	s.rows = s.rows[:min(s.limit+1, len(s.rows))]
	return nil
}

// scan calls f with the rows of a part that the question is about, of so many columns; of all without any. f gets the columns by their names.
func (s *lister) scan(ctx context.Context, p part, names []string, f func(at map[string]*table.Vector, row int, where reqlog.Position)) error {
	return p.batches(ctx, names, func(b *table.Batch, at map[string]*table.Vector) error {
		for row := range b.Size {
			where := reqlog.Position{At: at[reqlog.ColumnTime].Cell(row).Int}
			when := time.UnixMicro(where.At)
			if !s.q.Since.IsZero() && when.Before(s.q.Since) || !s.q.Until.IsZero() && !when.Before(s.q.Until) {
				continue
			}
			where.Role = reqlog.Role(at[reqlog.ColumnRole].Cell(row).Text)
			if s.q.Role != "" && where.Role != s.q.Role || s.q.Status != "" && at[reqlog.ColumnStatus].Cell(row).Text != s.q.Status {
				continue
			}
			where.ID, where.Version, where.Row = at[reqlog.ColumnID].Cell(row).Text, p.version, at[reqlog.ColumnRow].Cell(row).Int
			if s.after == nil || where.Compare(*s.after) > 0 {
				f(at, row, where)
			}
		}
		return nil
	})
}

// deciding are the columns that say whether a row is on a page.
var deciding = []string{reqlog.ColumnID, reqlog.ColumnRow, reqlog.ColumnTime, reqlog.ColumnRole, reqlog.ColumnStatus}

// positions are the first so many of a part, in any order.
func (s *lister) positions(ctx context.Context, p part, most int) ([]reqlog.Position, error) {
	s.examined += int(p.source.Rows())
	var out []reqlog.Position
	keep := func() {
		slices.SortFunc(out, reqlog.Position.Compare)
		out = out[:min(most, len(out))]
	}
	err := s.scan(ctx, p, deciding, func(_ map[string]*table.Vector, _ int, where reqlog.Position) {
		where.ID = strings.Clone(where.ID) // not the batch that it is in
		if out = append(out, where); len(out) >= 2*most+1000 {
			keep()
		}
	})
	keep()
	return out, err
}

// read adds the rows of a part up to a position.
func (s *lister) read(ctx context.Context, p part, last reqlog.Position) error {
	columns := p.source.Columns()
	return s.scan(ctx, p, nil, func(at map[string]*table.Vector, row int, where reqlog.Position) {
		if where.Compare(last) > 0 {
			return
		}
		r := listedRow{at: where, LoggedRequest: reqlog.LoggedRequest{ID: where.ID, Row: where.Row, Time: time.UnixMicro(where.At).UTC(), Version: where.Version,
			Role: where.Role, Status: at[reqlog.ColumnStatus].Cell(row).Text, LatencyMS: at[reqlog.ColumnLatency].Cell(row).Float,
			Inputs: []reqlog.LoggedValue{}, Outputs: []reqlog.LoggedValue{}}}
		for _, c := range columns {
			cell := at[c.Name].Cell(row)
			if cell.Kind == table.Null {
				continue
			}
			if name, ok := strings.CutPrefix(c.Name, reqlog.InputPrefix); ok {
				r.Inputs = append(r.Inputs, reqlog.NamedOf(name, cell))
			} else if name, ok := strings.CutPrefix(c.Name, reqlog.OutputPrefix); ok {
				r.Outputs = append(r.Outputs, reqlog.NamedOf(name, cell))
			}
		}
		s.rows = append(s.rows, r)
	})
}

// page gives the rows with their truths, as many as there is room for.
func (s *lister) page(ctx context.Context) (reqlog.LoggedPage, error) {
	out := reqlog.LoggedPage{Requests: []reqlog.LoggedRequest{}}
	more := s.full()
	rows := s.rows[:min(s.limit, len(s.rows))]
	size := 0
	for i, r := range rows {
		if size += r.size(); size > mostListedBytes && i > 0 {
			rows, more = rows[:i], true
			break
		}
	}
	ids := make([]string, 0, len(rows))
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	truths, err := s.log.index.truthsOf(ctx, s.q.Endpoint, slices.Compact(ids))
	if err != nil {
		return out, err
	}
	for _, r := range rows {
		if k, ok := truths[rowKey{r.ID, r.Row}]; ok {
			r.Truth = &reqlog.LoggedTruth{Actual: reqlog.ValueJSON(k.value.Cell())}
			if k.at.Valid {
				at := time.UnixMicro(k.at.Int64).UTC()
				r.Truth.Time = &at
			}
		}
		out.Requests = append(out.Requests, r.LoggedRequest)
	}
	switch {
	case more:
		out.Next = rows[len(rows)-1].at.Token()
	case s.examined >= mostExamined:
		out.Next = reqlog.Position{At: s.reached.UnixMicro() - 1}.Token()
	default:
		return out, nil
	}
	back := s.reached
	if more {
		back = rows[len(rows)-1].Time
	}
	out.Back = &back
	return out, nil
}

// size is about how many bytes a row takes on a page.
func (r *listedRow) size() int {
	n := 200
	for _, list := range [][]reqlog.LoggedValue{r.Inputs, r.Outputs} {
		for _, v := range list {
			n += len(v.Name) + 30
			if text, ok := v.Value.(json.RawMessage); ok {
				n += len(text)
			}
		}
	}
	return n
}
