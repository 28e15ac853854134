// Package leak looks for what a test table should not share with its training table.
//
// It finds rows that are in both, exactly and nearly, features that alone tell the target suspiciously well, and test rows that are
// older than training rows where tables are split by time. The package is pure and keeps a bounded amount. Start reading at Find.
package leak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/expect/cells"
	"levada/internal/core/fault"
	"levada/internal/core/table"
	"levada/internal/core/textual"
)

// Options say what to look for.
type Options struct {
	// Target is the column that a model is to predict; empty where features are not compared with it.
	Target string
	// Time is the column that the tables are split by; empty where they are not.
	Time string
	// Ignore names columns that do not tell rows apart, such as row numbers.
	Ignore []string
	// MostRows bounds the rows of the training table that are kept for comparison; the default is 20 million.
	MostRows int
	// Suspicious is the AUC, or the square root of R², from which a feature is suspicious; the default is 0.98.
	Suspicious float64
}

const (
	defaultRows       = 20_000_000
	defaultSuspicious = 0.98
	// examples is how many rows are named.
	examples = 10
	// digits are the significant digits that near rows have in common.
	digits = 3
)

// Pair is a row of the test table and one of the training table, both from 0.
type Pair struct {
	Test  int64 `json:"test_row"`
	Train int64 `json:"train_row"`
	// Alike is the share of word shingles the texts have in common, for near rows with long texts; 1 where numbers were rounded.
	Alike float64 `json:"alike,omitempty"`
}

// Shared are rows of the test table that are in the training table.
type Shared struct {
	Rows     int64  `json:"rows"`
	Of       int64  `json:"of"`
	Examples []Pair `json:"examples,omitempty"`
}

// Feature is how well a column alone tells the target.
type Feature struct {
	Column string `json:"column"`
	// Measure is "AUC" for a target of two values, "accuracy" for few, "R²" for numbers. Score is that on the half that was not learned from.
	Measure string  `json:"measure"`
	Score   float64 `json:"score"`
	// Chance is the score of a column that tells nothing.
	Chance     float64 `json:"chance"`
	Suspicious bool    `json:"suspicious"`
}

// Future is what a split by time has in the wrong place.
type Future struct {
	// Rows of the test table are not after the last of the training table.
	Rows      int64  `json:"rows"`
	Of        int64  `json:"of"`
	LastTrain string `json:"last_train"`
	FirstTest string `json:"first_test"`
}

// Report is what was found.
type Report struct {
	Exact Shared `json:"exact"`
	// Near are rows that are equal once numbers are rounded to three significant digits and texts are compared by their words.
	Near     Shared    `json:"near"`
	Features []Feature `json:"features,omitempty"`
	Future   *Future   `json:"future,omitempty"`
	// Notes say what was left out and why.
	Notes []string `json:"notes,omitempty"`
}

// Leaks reports whether anything was found.
func (r *Report) Leaks() bool {
	return r.Exact.Rows+r.Near.Rows > 0 || r.Future != nil && r.Future.Rows > 0 || slices.ContainsFunc(r.Features, func(f Feature) bool { return f.Suspicious })
}

// finder holds what is kept of the training table.
type finder struct {
	options  Options
	report   *Report
	columns  []string // of both tables, without those that are ignored
	target   int
	time     int
	hasher   cells.Hasher
	exact    map[cells.Key]int64
	near     map[cells.Key]int64
	bands    map[cells.Key][]int64
	kept     map[int64]textual.Sketch // sketches of long texts
	last     table.Cell
	first    table.Cell
	features []*feature
	full     bool
}

// Find compares a test table with the training table.
func Find(ctx context.Context, train, test table.Source, o Options) (*Report, error) {
	if o.MostRows <= 0 {
		o.MostRows = defaultRows
	}
	if o.Suspicious <= 0 {
		o.Suspicious = defaultSuspicious
	}
	f := &finder{options: o, report: &Report{}, hasher: cells.NewHasher(), target: -1, time: -1, exact: map[cells.Key]int64{}, near: map[cells.Key]int64{},
		bands: map[cells.Key][]int64{}, kept: map[int64]textual.Sketch{}}
	if err := f.choose(train, test); err != nil {
		return nil, err
	}
	if err := f.read(ctx, train, f.learn); err != nil {
		return nil, err
	}
	if err := f.read(ctx, test, f.compare); err != nil {
		return nil, err
	}
	f.scores()
	if f.time >= 0 {
		f.report.Future.LastTrain, f.report.Future.FirstTest = f.last.Shown(), f.first.Shown()
	}
	return f.report, nil
}

// choose finds the columns that both tables have.
func (f *finder) choose(train, test table.Source) error {
	in := func(s table.Source, name string) bool {
		return slices.ContainsFunc(s.Columns(), func(c table.Column) bool { return c.Name == name })
	}
	for _, c := range train.Columns() {
		if !slices.Contains(f.options.Ignore, c.Name) && in(test, c.Name) {
			f.columns = append(f.columns, c.Name)
		} else if !in(test, c.Name) {
			f.report.Notes = append(f.report.Notes, fmt.Sprintf("the test table has no column %q; rows are compared without it", c.Name))
		}
	}
	if len(f.columns) == 0 {
		return fault.Invalidf("the tables have no column in common")
	}
	for _, name := range f.options.Ignore {
		if !in(train, name) {
			return fault.Invalidf("the training table has no column %q to ignore", name)
		}
	}
	for _, c := range []struct {
		name string
		at   *int
		what string
	}{{f.options.Target, &f.target, "target"}, {f.options.Time, &f.time, "time"}} {
		if c.name == "" {
			continue
		}
		if *c.at = slices.Index(f.columns, c.name); *c.at < 0 {
			return fault.Invalidf("the %s %q is not a column of both tables", c.what, c.name)
		}
	}
	if f.time >= 0 {
		f.report.Future = &Future{}
	}
	if f.target >= 0 {
		for i, name := range f.columns {
			if i != f.target {
				f.features = append(f.features, newFeature(name, i))
			}
		}
	}
	return nil
}

// read calls do for each row of a table, with the columns in the finder's order.
func (f *finder) read(ctx context.Context, s table.Source, do func(row int64, values []table.Cell) error) error {
	places := make([]int, len(f.columns))
	for i, name := range f.columns {
		places[i] = slices.IndexFunc(s.Columns(), func(c table.Column) bool { return c.Name == name })
	}
	scan := s.Scan(places...)
	defer scan.Close()
	values := make([]table.Cell, len(places))
	for {
		b, err := scan.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range b.Size {
			for k := range b.Columns {
				values[k] = b.Columns[k].Cell(i)
			}
			if err := do(b.Row+int64(i), values); err != nil {
				return err
			}
		}
	}
}

// learn keeps a row of the training table.
func (f *finder) learn(row int64, values []table.Cell) error {
	if f.time >= 0 {
		if err := f.later(values[f.time], &f.last, 1); err != nil {
			return err
		}
	}
	for _, x := range f.features {
		x.add(values[x.at], values[f.target])
	}
	if len(f.exact) >= f.options.MostRows {
		if !f.full {
			f.full = true
			f.report.Notes = append(f.report.Notes, fmt.Sprintf("rows are compared with the first %d of the training table", f.options.MostRows))
		}
		return nil
	}
	exact, near, long := f.keys(values)
	if _, known := f.exact[exact]; !known {
		f.exact[exact] = row
	}
	if _, known := f.near[near]; !known {
		f.near[near] = row
	}
	if sketch := textual.SketchOf(long); sketch != nil {
		f.kept[row] = sketch
		for _, band := range f.bandsOf(sketch) {
			if len(f.bands[band]) < mostInBand {
				f.bands[band] = append(f.bands[band], row)
			}
		}
	}
	return nil
}

// later keeps the later (sign 1) or the earlier (-1) of two times.
func (f *finder) later(c table.Cell, most *table.Cell, sign int) error {
	if cells.Missing(c) {
		return nil
	}
	if most.Kind == table.Null {
		*most = c
		return nil
	}
	k, err := cells.Compare(c, *most)
	if err != nil {
		return fault.Invalidf("the column %q has no order: %w", f.options.Time, err)
	}
	if k*sign > 0 {
		*most = c
	}
	return nil
}

// compare looks for a row of the test table among those of the training table.
func (f *finder) compare(row int64, values []table.Cell) error {
	f.report.Exact.Of++
	f.report.Near.Of++
	if f.time >= 0 {
		if err := f.future(values[f.time]); err != nil {
			return err
		}
	}
	exact, near, long := f.keys(values)
	if train, ok := f.exact[exact]; ok {
		f.report.Exact.found(Pair{Test: row, Train: train})
		return nil
	}
	if train, ok := f.near[near]; ok {
		f.report.Near.found(Pair{Test: row, Train: train, Alike: 1})
		return nil
	}
	if sketch := textual.SketchOf(long); sketch != nil {
		best, at := 0.0, int64(0)
		for _, band := range f.bandsOf(sketch) {
			for _, train := range f.bands[band] {
				if a := sketch.Alike(f.kept[train]); a > best {
					best, at = a, train
				}
			}
		}
		if best >= textual.LeastAlike {
			f.report.Near.found(Pair{Test: row, Train: at, Alike: best})
		}
	}
	return nil
}

func (f *finder) future(c table.Cell) error {
	f.report.Future.Of++
	if cells.Missing(c) {
		return nil
	}
	if err := f.later(c, &f.first, -1); err != nil {
		return err
	}
	if f.last.Kind == table.Null {
		return nil
	}
	k, err := cells.Compare(c, f.last)
	if err != nil {
		return fault.Invalidf("the column %q is of another kind in the test table: %w", f.options.Time, err)
	}
	if k < 0 {
		f.report.Future.Rows++
	}
	return nil
}

func (s *Shared) found(p Pair) {
	s.Rows++
	if len(s.Examples) < examples {
		s.Examples = append(s.Examples, p)
	}
}

// keys are the key of a row, that of the row with rounded numbers and folded texts, and its long texts.
func (f *finder) keys(values []table.Cell) (exact, near cells.Key, long string) {
	all, rounded := make([]cells.Key, len(values)), make([]cells.Key, len(values))
	for i, c := range values {
		all[i] = f.hasher.Key(c)
		rounded[i] = all[i]
		switch x, number := cells.Num(c); {
		case number && c.Kind == table.Number && !cells.Missing(c):
			rounded[i] = f.hasher.Float(significant(x))
		case c.Kind == table.Text:
			folded := textual.Folded(c.Text)
			rounded[i] = f.hasher.Text(folded)
			if strings.Count(folded, " ") >= textual.ShortText {
				long += folded + " "
			}
		}
	}
	return f.hasher.Join(all), f.hasher.Join(rounded), long
}

// significant is a number with three significant digits.
func significant(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) {
		return x
	}
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64)
	if err != nil {
		return x
	}
	return y
}

// mostInBand is how many rows of a band are compared.
const mostInBand = 50

func (f *finder) bandsOf(sketch textual.Sketch) []cells.Key {
	var out []cells.Key
	for b, band := range sketch.Bands() {
		keys := []cells.Key{{uint64(b), 0}}
		for _, h := range band {
			keys = append(keys, cells.Key{uint64(h), 0})
		}
		out = append(out, f.hasher.Join(keys))
	}
	return out
}
