package profile

import (
	"context"
	"errors"

	"levada/internal/core/table"
)

// Figures is the version of what a profile says. A profile with a lower one lacks figures, or has them by other rules: it is made again.
const Figures = 2

// Part is what is kept of a part of a table, so that the profile of the whole needs not read it again. It stands in for the Source that it is
// of, but its rows cannot be read.
type Part struct {
	// Version is Figures at the time when it was made.
	Version int    `json:"version"`
	Format  string `json:"format"`
	// All are the columns, and States what is kept of each.
	All    []table.Column `json:"columns"`
	States []*State       `json:"states"`
	Length int64          `json:"rows"`
	// Opened are the findings of the Source, Found those of its Scanners.
	Opened []table.Finding `json:"opened,omitempty"`
	Found  []table.Finding `json:"found,omitempty"`
}

// Valid reports whether a Part that was stored can be used.
func (p *Part) Valid() bool {
	if p.Version != Figures || len(p.All) == 0 || len(p.States) != len(p.All) || p.Length < 0 {
		return false
	}
	for _, s := range p.States {
		if s == nil || s.Count() != p.Length {
			return false
		}
	}
	return true
}

// Columns are all columns of the part.
func (p *Part) Columns() []table.Column { return p.All }

// Rows is how many rows it has.
func (p *Part) Rows() int64 { return p.Length }

// Columnar is true: nothing of it is read.
func (p *Part) Columnar() bool { return true }

// Findings are those of the Source.
func (p *Part) Findings() []table.Finding { return p.Opened }

// Scan gives an error: the rows are not here.
func (p *Part) Scan(...int) table.Scanner { return noRows{} }

var errKept = errors.New("rows are asked for of which only the profile is kept")

type noRows struct{}

func (noRows) Next(context.Context) (*table.Batch, error) {
	return nil, errKept
}

func (noRows) Close() error { return nil }
