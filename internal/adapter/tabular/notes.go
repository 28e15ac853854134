package tabular

import (
	"cmp"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// notes count what was found in rows, by column and by what it is.
type notes struct {
	counts map[note]*noted
}

type note struct{ column, what string }

type noted struct {
	count   int64
	row     int64
	example string
}

// mostNotes bounds how many different things are noted.
const mostNotes = 10_000

// note counts something that is so in a row.
func (n *notes) note(column, what string, row int64, example string) {
	n.many(note{column, what}, 1, row, example)
}

func (n *notes) many(k note, count, row int64, example string) {
	if n.counts == nil {
		n.counts = map[note]*noted{}
	}
	at, ok := n.counts[k]
	switch {
	case ok:
		at.count += count
		if row < at.row {
			at.row, at.example = row, example
		}
	case len(n.counts) < mostNotes:
		n.counts[k] = &noted{count, row, strings.ToValidUTF8(fault.Shorten(strings.Clone(example), 100), "\uFFFD")}
	}
}

// add adds the notes of rows that begin at a row.
func (n *notes) add(o *notes, row int64) {
	for k, v := range o.counts {
		n.many(k, v.count, v.row+row, v.example)
	}
}

func (n *notes) findings() []table.Finding {
	var out []table.Finding
	for k, v := range n.counts {
		out = append(out, table.Finding{Column: k.column, What: k.what, Count: v.count, Row: v.row, Example: v.example})
	}
	slices.SortFunc(out, func(a, b table.Finding) int {
		return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Column, b.Column), cmp.Compare(a.What, b.What))
	})
	return out
}
