package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"

	"levada/internal/core/trace"
	"levada/internal/core/track"
)

// Traces is what the tracing service sees of a Store.
type Traces struct{ s *Store }

// Traces returns the part of the store that is for the tracing service.
func (s *Store) Traces() Traces { return Traces{s} }

func scanTrace(scan scanner) (*trace.Trace, error) {
	var t trace.Trace
	var body string
	if err := scan(&body); err != nil {
		return nil, err
	}
	return &t, decode("trace", body, &t)
}

// Trace returns a trace; NotFound when there is none.
func (x Traces) Trace(ctx context.Context, id string) (*trace.Trace, error) {
	// Uses the primary key.
	return readOne(ctx, x.s, "trace", id, `SELECT body FROM traces WHERE id = $1`, scanTrace, id)
}

// Traces returns those of some traces that exist, in the order of the ids.
func (x Traces) Traces(ctx context.Context, ids []string) ([]*trace.Trace, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	// Uses the primary key.
	rows, err := readAll(ctx, x.s, scanTrace, `SELECT body FROM traces WHERE id IN (SELECT value FROM json_each($1))`, string(list))
	if err != nil {
		return nil, err
	}
	found := byKey(rows, func(t *trace.Trace) string { return t.ID })
	out := make([]*trace.Trace, 0, len(found))
	for _, id := range ids {
		if t := found[id]; t != nil {
			out = append(out, t)
			delete(found, id)
		}
	}
	return out, nil
}

// OfRun returns the ids of the traces that belong to a run, the newest first.
func (x Traces) OfRun(ctx context.Context, runID string) ([]string, error) {
	// Uses the primary keys.
	return readAll(ctx, x.s, scanText, `
		SELECT traces.id
		FROM trace_runs JOIN traces ON traces.id = trace_runs.trace_id
		WHERE trace_runs.run_id = $1
		ORDER BY traces.start_ms DESC, traces.id`, runID)
}

// Newest returns at most n traces of an experiment, the newest first and by id where they are equally new: those after a place in
// that order, not older than from and not newer than to.
func (x Traces) Newest(ctx context.Context, experiment string, after trace.Place, from, to int64, n int) ([]*trace.Trace, error) {
	// Uses traces_by_time.
	return readAll(ctx, x.s, scanTrace, `
		SELECT body
		FROM traces
		WHERE experiment_id = $1 AND start_ms <= $2 AND start_ms >= $3 AND (start_ms < $2 OR id > $4)
		ORDER BY start_ms DESC, id
		LIMIT $5`, experiment, min(after.StartMS, to), from, afterID(after, to), n)
}

// afterID is the id that those of the newest moment must be greater than.
func afterID(after trace.Place, to int64) string {
	if after.StartMS > to {
		return ""
	}
	return after.ID
}

// Contents returns the spans of a trace as they are stored, in the order in which they were sent.
func (x Traces) Contents(ctx context.Context, id string) ([][]byte, error) {
	// Uses the index of UNIQUE (trace_id, sum).
	packed, err := readAll(ctx, x.s, scanPacked, `SELECT n, body FROM trace_spans WHERE trace_id = $1`, id)
	if err != nil {
		return nil, err
	}
	return unpackAll(packed)
}

type packedSpans struct {
	n    int64
	body []byte
}

func scanPacked(scan scanner) (packedSpans, error) {
	var p packedSpans
	err := scan(&p.n, &p.body)
	return p, err
}

func unpackAll(packed []packedSpans) ([][]byte, error) {
	slices.SortFunc(packed, func(a, b packedSpans) int { return int(a.n - b.n) })
	var out [][]byte
	for _, p := range packed {
		text, err := unpacker.DecodeAll(p.body, nil)
		if err != nil {
			return nil, fmt.Errorf("decompress stored spans: %w", err)
		}
		for line := range bytes.Lines(text) {
			out = append(out, bytes.TrimSuffix(line, []byte{'\n'}))
		}
	}
	return out, nil
}

// Spans are compressed in one piece each, by coders that may be used from any goroutine.
var (
	packer   = must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20)))
	unpacker = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<30)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options are constants
	}
	return v
}

// TraceTx is what a write of traces sees of its transaction.
type TraceTx struct {
	ctx context.Context //nolint:containedctx // it lives as long as the transaction
	tx  *tx
}

// Change compresses spans, then stores them with what fn changes, in one transaction. A batch that is there already stays, and
// fresh says which were not.
func (x Traces) Change(ctx context.Context, batches []trace.Batch, fn func(tx trace.Tx, fresh []bool) error) error {
	type packed struct {
		id        string
		sum, body []byte
	}
	list := make([]packed, len(batches))
	for i, b := range batches {
		sum := sha256.Sum256(b.Text)
		list[i] = packed{b.TraceID, sum[:16], packer.EncodeAll(b.Text, nil)}
	}
	return x.s.update(ctx, func(ctx context.Context, tx *tx) error {
		fresh := make([]bool, len(list))
		for i, p := range list {
			// Uses the index of UNIQUE (trace_id, sum).
			n, err := tx.exec(ctx, `INSERT INTO trace_spans (trace_id, sum, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, p.id, p.sum, p.body)
			if err != nil {
				return err
			}
			fresh[i] = n > 0
		}
		return fn(TraceTx{ctx, tx}, fresh)
	})
}

// Trace returns a trace, which may be changed; nil when there is none.
func (t TraceTx) Trace(id string) (*trace.Trace, error) {
	// Uses the primary key.
	found, err := scanTrace(func(dest ...any) error {
		return t.tx.get(t.ctx, `SELECT body FROM traces WHERE id = $1`, []any{id}, dest)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // it is no error here
	}
	return found, err
}

// Put stores a trace.
func (t TraceTx) Put(v *trace.Trace) error {
	body, err := encode("trace", v)
	if err != nil {
		return err
	}
	// Uses the primary key.
	_, err = t.tx.exec(t.ctx, `
		INSERT INTO traces (id, experiment_id, start_ms, body)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET experiment_id = excluded.experiment_id, start_ms = excluded.start_ms, body = excluded.body`,
		v.ID, v.ExperimentID, v.StartMS, body)
	if err != nil {
		return err
	}
	runs := v.Runs
	if run, there := track.Find(v.Metadata, trace.MetaRun); there {
		runs = append(slices.Clip(runs), run)
	}
	for _, run := range runs {
		// Uses the primary key.
		if _, err := t.tx.exec(t.ctx, `INSERT OR IGNORE INTO trace_runs (run_id, trace_id) VALUES ($1, $2)`, run, v.ID); err != nil {
			return err
		}
	}
	return nil
}

// Spans returns the spans that are stored of a trace, in the order in which they were sent.
func (t TraceTx) Spans(id string) ([]*trace.Span, error) {
	var packed []packedSpans
	// Uses the index of UNIQUE (trace_id, sum).
	err := t.tx.each(t.ctx, `SELECT n, body FROM trace_spans WHERE trace_id = $1`, []any{id}, func(rows *sql.Rows) error {
		p, err := scanPacked(rows.Scan)
		packed = append(packed, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	contents, err := unpackAll(packed)
	if err != nil {
		return nil, err
	}
	return trace.ParseSpans(contents)
}

// Oldest returns the ids of the oldest traces of an experiment, up to a time and a number; a number below 0 means all.
func (t TraceTx) Oldest(experiment string, upTo int64, most int64) ([]string, error) {
	var out []string
	// Uses traces_by_time.
	err := t.tx.each(t.ctx, `
		SELECT id
		FROM traces
		WHERE experiment_id = $1 AND start_ms <= $2
		ORDER BY start_ms, id
		LIMIT $3`, []any{experiment, upTo, most}, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}

// Delete removes a trace with its spans.
func (t TraceTx) Delete(id string) error {
	for _, query := range []string{
		`DELETE FROM trace_spans WHERE trace_id = $1`, // uses the index of UNIQUE (trace_id, sum)
		`DELETE FROM trace_runs WHERE trace_id = $1`,  // uses trace_runs_by_trace
		`DELETE FROM traces WHERE id = $1`,            // uses the primary key
	} {
		if _, err := t.tx.exec(t.ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}
