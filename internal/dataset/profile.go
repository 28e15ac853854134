// Package dataset reads whole tables: it sums up their columns and compares two of them row by row.
//
// It spreads the work over the processors, keeps within fixed bounds of memory, and writes what does not fit to a temporary directory.
// It knows tables as core/table has them, and neither formats nor artifacts. Start reading at Read.
package dataset

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"levada/internal/core/fault"
	"levada/internal/core/images"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
)

// Profile is what a table is like.
type Profile struct {
	Rows    int64            `json:"rows"`
	Columns []profile.Column `json:"columns"`
	// Figures is the version of what the profile says, profile.Figures when it was made.
	Figures int `json:"figures,omitempty"`
	// Parts says of how many files the table is, and how many of them were read for this profile; nil where it is one.
	Parts *Parts `json:"parts,omitempty"`
	// Findings say what was read in another way than it is written, or left out.
	Findings []table.Finding `json:"findings,omitempty"`
	// Images is what images are like, where the rows are images.
	Images *images.Report `json:"images,omitempty"`
	// States are what the columns were made of. They merge with those of other parts of the table.
	States []*profile.State `json:"-"`
}

// Choose returns the places of columns by their names; all, where none is named.
func Choose(src table.Source, names []string) ([]int, error) {
	columns := src.Columns()
	if len(names) == 0 {
		all := make([]int, len(columns))
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	at := make(map[string]int, len(columns))
	for i, c := range columns {
		if _, twice := at[c.Name]; !twice {
			at[c.Name] = i
		}
	}
	var out []int
	for _, name := range names {
		i, ok := at[name]
		if !ok {
			return nil, fault.Invalidf("the table has no column %q; it has %s", name, listed(columns))
		}
		out = append(out, i)
	}
	return out, nil
}

// Only returns a profile with columns by their names, in that order.
func (p Profile) Only(names []string) (Profile, error) {
	out := p
	out.Columns, out.States = nil, nil
	for _, name := range names {
		i := slices.IndexFunc(p.Columns, func(c profile.Column) bool { return c.Name == name })
		if i < 0 {
			return p, fault.Invalidf("the table has no column %q; it has %s", name, listed(p.named()))
		}
		out.Columns = append(out.Columns, p.Columns[i])
	}
	return out, nil
}

// listed names the first columns.
func listed(columns []table.Column) string {
	const most = 12
	text := ""
	for i, c := range columns {
		if i == most {
			return text + ", …"
		}
		if i > 0 {
			text += ", "
		}
		text += c.Name
	}
	return text
}

// Read sums up columns of a table, and reads what texts say. The figures do not depend on how many processors there are. Of a table of
// several parts, each is summed up for itself and the sums are merged.
func Read(ctx context.Context, src table.Source, columns []int) (Profile, error) {
	return read(ctx, src, columns, reading{texts: true})
}

// ReadKept is Read of all columns, and hands to keep what is to be kept of each part that was read.
func ReadKept(ctx context.Context, src table.Source, keep func(name string, p *profile.Part) error) (Profile, error) {
	all, err := Choose(src, nil)
	if err != nil {
		return Profile{}, err
	}
	return read(ctx, src, all, reading{texts: true, keep: keep})
}

// reading says how a table is read.
type reading struct {
	texts bool // for what they say, too
	keep  func(name string, p *profile.Part) error
}

// states are fresh ones.
func (r reading) states(n int) []*profile.State {
	out := make([]*profile.State, n)
	for i := range out {
		if out[i] = profile.New(n); r.texts {
			out[i].ReadTexts(n)
		}
	}
	return out
}

func read(ctx context.Context, src table.Source, columns []int, how reading) (Profile, error) {
	p := Profile{Columns: make([]profile.Column, len(columns)), States: how.states(len(columns)), Figures: profile.Figures}
	scan := p.rows
	if parted, ok := src.(table.Parted); ok {
		scan = func(ctx context.Context, _ table.Source, columns []int) ([]table.Finding, error) {
			return p.parts(ctx, parted.Parts(), columns, how)
		}
	} else if table.Columnar(src) {
		scan = p.columns
	}
	found, err := scan(ctx, src, columns)
	if err != nil {
		return p, err
	}
	p.Findings = table.MergeFindings(append(append([]table.Finding{}, table.Findings(src)...), found...))
	p.Rows = max(0, src.Rows())
	if len(columns) > 0 {
		p.Rows = p.States[0].Count()
	}
	if set, ok := src.(interface{ Images() *images.Report }); ok {
		p.Images = set.Images()
	}
	all := src.Columns()
	err = each(ctx, len(columns), func(_ context.Context, i int) error {
		p.Columns[i] = p.States[i].Column(all[columns[i]])
		return nil
	})
	return p, err
}

// each does n things, as many at a time as there are processors.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(n, runtime.GOMAXPROCS(0)) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := do(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// columns reads the columns one by one.
func (p *Profile) columns(ctx context.Context, src table.Source, columns []int) ([]table.Finding, error) {
	found := make([][]table.Finding, len(columns))
	err := each(ctx, len(columns), func(ctx context.Context, i int) error {
		s := src.Scan(columns[i])
		defer s.Close()
		for {
			b, err := s.Next(ctx)
			if errors.Is(err, io.EOF) {
				found[i] = table.Findings(s)
				return nil
			}
			if err != nil {
				return err
			}
			p.States[i].Add(&b.Columns[0])
		}
	})
	var all []table.Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all, err
}

// rows reads all columns together, and adds those of a batch at the same time.
func (p *Profile) rows(ctx context.Context, src table.Source, columns []int) ([]table.Finding, error) {
	s := src.Scan(columns...)
	defer s.Close()
	for {
		b, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return table.Findings(s), nil
		}
		if err != nil {
			return nil, err
		}
		err = each(ctx, len(columns), func(_ context.Context, i int) error {
			p.States[i].Add(&b.Columns[i])
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
}
