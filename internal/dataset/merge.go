package dataset

import (
	"context"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
)

// Parts counts the files of a table. Read are those whose rows were read; of the others the sums were kept from before.
type Parts struct {
	Files int64 `json:"files"`
	Read  int64 `json:"read"`
}

// parts sums up the parts of a table one by one, or takes the sums that are kept of them, and merges the sums in the order of the parts.
func (p *Profile) parts(ctx context.Context, all []table.Part, columns []int, how reading) ([]table.Finding, error) {
	p.Parts = &Parts{Files: int64(len(all))}
	var found []table.Finding
	for _, part := range all {
		base := int64(0)
		if len(p.States) > 0 {
			base = p.States[0].Count()
		}
		states, rows, notes, err := p.part(ctx, part, columns, how)
		if fault.KindOf(err) == fault.Invalid {
			return nil, fault.Invalidf("read table %q: %w", part.Name, err)
		}
		if err != nil {
			return nil, err
		}
		for _, f := range notes {
			if f.Row >= 0 {
				f.Row += base
			}
			found = append(found, f)
		}
		err = each(ctx, len(columns), func(_ context.Context, i int) error {
			if states[i] == nil {
				p.States[i].Nulls(rows)
			} else {
				p.States[i].Merge(states[i])
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// part gives the sums of columns of the whole, nil for one that the part lacks, its rows and what was found.
func (p *Profile) part(ctx context.Context, part table.Part, columns []int, how reading) ([]*profile.State, int64, []table.Finding, error) {
	states := make([]*profile.State, len(columns))
	if known, ok := part.Source.(*profile.Part); ok {
		var names []string
		for i, c := range columns {
			if at := part.At[c]; at >= 0 {
				states[i], names = known.States[at], append(names, known.All[at].Name)
			}
		}
		return states, known.Length, about(known.Found, names), nil
	}
	p.Parts.Read++
	one, places, err := readPart(ctx, part, columns, how)
	if err != nil {
		return nil, 0, nil, err
	}
	for i, at := range places {
		if at >= 0 {
			states[i] = one.States[at]
		}
	}
	if how.keep != nil {
		err = how.keep(part.Name, &profile.Part{Version: profile.Figures, Format: part.Format, All: part.Columns(), States: one.States, Length: one.Rows,
			Opened: table.Findings(part.Source), Found: one.Findings})
	}
	return states, one.Rows, one.Findings, err
}

// about are the findings about some columns, or about rows.
func about(found []table.Finding, names []string) []table.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f table.Finding) bool { return f.Column != "" && !slices.Contains(names, f.Column) })
}

// readPart reads the columns of a part that are asked for; all, where it is to be kept. places says where each of the asked ones is, -1 where
// the part lacks it. Of a part that has none of them the first column is read, where only that tells how many rows there are.
func readPart(ctx context.Context, part table.Part, columns []int, how reading) (one Profile, places []int, err error) {
	var chosen []int
	places = make([]int, len(columns))
	for i, c := range columns {
		if places[i] = -1; part.At[c] >= 0 {
			places[i], chosen = len(chosen), append(chosen, part.At[c])
		}
	}
	if how.keep != nil {
		for i, c := range columns {
			places[i] = part.At[c]
		}
		if chosen, err = Choose(part.Source, nil); err != nil {
			return one, nil, err
		}
	}
	if len(chosen) == 0 {
		if one.Rows = part.Rows(); one.Rows >= 0 {
			return one, places, nil
		}
		chosen = []int{0}
	}
	one = Profile{States: how.states(len(chosen))}
	scan := one.rows
	if table.Columnar(part.Source) {
		scan = one.columns
	}
	one.Findings, err = scan(ctx, part.Source, chosen)
	one.Rows = one.States[0].Count()
	return one, places, err
}
