// Package suggest writes expectations for a table that are likely to hold for the next clean one.
//
// It looks at the table in stretches of rows and takes the differences between them as the measure of what may change by itself. The
// package is pure and keeps a bounded amount for each column. Start reading at Suite.
package suggest

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// The bounds of what is kept.
const (
	firstStretch  = 100     // rows of a stretch at the beginning; it doubles when there are too many stretches
	mostStretches = 32      // for each column
	sampleSize    = 2000    // numbers kept of a stretch
	allSamples    = 4 << 20 // numbers kept of all columns and stretches
	mostValues    = 200     // different values of a column that may be a set
	mostKeys      = 200_000 // values that are looked at to tell whether all differ
)

// stretch is what is kept of some rows of a column.
type stretch struct {
	rows, nulls int64
	low, high   float64
	sample      []float64
	seen        int64 // numbers that the sample stands for
}

// value is one of few different values of a column.
type value struct {
	cell  table.Cell
	count int64
	// born is the share of rows that had been read when it came.
	born int64
}

// column is what is kept of a column.
type column struct {
	name, declared  string
	kinds           [table.Mixed + 1]int64
	stretches       []*stretch
	values          map[cells.Key]*value
	many            bool // too many different values for a set
	keys            map[cells.Key]struct{}
	repeats         bool
	shortest, long  int64
	rows, nulls     int64
	hasher          cells.Hasher
	dice            uint64
	samples         int
	infinite, whole bool
}

// collector reads tables.
type collector struct {
	columns []*column
	step    int64 // rows of a stretch
	rows    int64
	// batches are the rows of each table that was read.
	batches []int64
}

func newCollector(columns []table.Column) *collector {
	c := &collector{step: firstStretch}
	samples := max(100, min(sampleSize, allSamples/max(1, len(columns))/mostStretches))
	for _, of := range columns {
		c.columns = append(c.columns, &column{name: of.Name, declared: of.Declared, values: map[cells.Key]*value{}, keys: map[cells.Key]struct{}{},
			hasher: cells.NewHasher(), shortest: math.MaxInt64, samples: samples, whole: true})
	}
	return c
}

// read adds a table. Its columns are those of the collector, in any order.
func (c *collector) read(ctx context.Context, source table.Source) error {
	places := make([]int, len(c.columns))
	var wanted []int
	names := source.Columns()
	for i, col := range c.columns {
		places[i] = -1
		if at := slices.IndexFunc(names, func(n table.Column) bool { return n.Name == col.name }); at >= 0 {
			places[i] = len(wanted)
			wanted = append(wanted, at)
		}
	}
	var rows int64
	if len(wanted) > 0 {
		scan := source.Scan(wanted...)
		defer scan.Close()
		for {
			b, err := scan.Next(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			rows += int64(b.Size)
			c.batch(b, places)
		}
	}
	c.batches = append(c.batches, rows)
	return nil
}

// batch adds a batch, stretch by stretch.
func (c *collector) batch(b *table.Batch, places []int) {
	for from := 0; from < b.Size; {
		in := c.rows % c.step
		if in == 0 {
			c.begin()
		}
		to := min(b.Size, from+int(c.step-in))
		for i, col := range c.columns {
			if places[i] < 0 {
				s := col.stretches[len(col.stretches)-1]
				s.rows += int64(to - from)
				s.nulls += int64(to - from)
				col.rows += int64(to - from)
				col.nulls += int64(to - from)
				continue
			}
			col.add(&b.Columns[places[i]], from, to, c.rows)
		}
		c.rows += int64(to - from)
		from = to
	}
}

// begin opens a stretch. When there are too many, two become one each.
func (c *collector) begin() {
	for _, col := range c.columns {
		if len(col.stretches) == mostStretches {
			for i := range mostStretches / 2 {
				col.stretches[i] = join(col.stretches[2*i], col.stretches[2*i+1], col.samples)
			}
			col.stretches = col.stretches[:mostStretches/2]
		}
		col.stretches = append(col.stretches, &stretch{low: math.Inf(1), high: math.Inf(-1)})
	}
	if len(c.columns) > 0 && len(c.columns[0].stretches) == mostStretches/2+1 && c.rows == c.step*mostStretches {
		c.step *= 2
	}
}

// join makes one stretch of two; of both samples each number stays with the same chance.
func join(a, b *stretch, most int) *stretch {
	out := &stretch{rows: a.rows + b.rows, nulls: a.nulls + b.nulls, low: min(a.low, b.low), high: max(a.high, b.high), seen: a.seen + b.seen}
	out.sample = append(out.sample, a.sample...)
	out.sample = append(out.sample, b.sample...)
	if len(out.sample) > most {
		half := out.sample[:0]
		for i, x := range out.sample {
			if i%2 == 0 {
				half = append(half, x)
			}
		}
		out.sample = half
	}
	return out
}

func (col *column) add(v *table.Vector, from, to int, row int64) {
	s := col.stretches[len(col.stretches)-1]
	for i := from; i < to; i++ {
		s.rows++
		col.rows++
		c := v.Cell(i)
		if cells.Missing(c) {
			s.nulls++
			col.nulls++
			continue
		}
		col.kinds[c.Kind]++
		col.value(c, row+int64(i-from))
		if c.Kind == table.Text {
			n := int64(utf8.RuneCountInString(c.Text))
			col.shortest, col.long = min(col.shortest, n), max(col.long, n)
		}
		x, ok := cells.Num(c)
		if !ok {
			continue
		}
		if math.IsInf(x, 0) {
			col.infinite = true
			continue
		}
		col.whole = col.whole && x == math.Trunc(x)
		s.low, s.high = min(s.low, x), max(s.high, x)
		s.seen++
		if len(s.sample) < col.samples {
			s.sample = append(s.sample, x)
			continue
		}
		// Algorithm R, with dice that are the same each time.
		col.dice = col.dice*6364136223846793005 + 1442695040888963407
		if at := (col.dice >> 33) % uint64(s.seen); at < uint64(len(s.sample)) {
			s.sample[at] = x
		}
	}
}

// value counts a value while there are few, and looks whether it was there before.
func (col *column) value(c table.Cell, row int64) {
	if col.many && (col.repeats || len(col.keys) >= mostKeys) {
		return
	}
	k := col.hasher.Key(c)
	if !col.repeats && len(col.keys) < mostKeys {
		if _, known := col.keys[k]; known {
			col.repeats, col.keys = true, nil
		} else {
			col.keys[k] = struct{}{}
		}
	}
	if col.many {
		return
	}
	if v := col.values[k]; v != nil {
		v.count++
		return
	}
	if len(col.values) == mostValues {
		col.many, col.values = true, nil
		return
	}
	c.Text = string([]byte(c.Text))
	col.values[k] = &value{c, 1, row}
}

// kind is the kind of all values; integers among numbers are numbers.
func (col *column) kind() table.Kind {
	kind := table.Null
	for k, n := range col.kinds {
		switch {
		case n == 0:
		case kind == table.Null:
			kind = table.Kind(k)
		case kind == table.Integer && table.Kind(k) == table.Number:
			kind = table.Number
		default:
			return table.Mixed
		}
	}
	return kind
}
