package rowcond

import (
	"testing"
	"time"

	"levada/internal/core/table"
)

// FuzzConditions looks for conditions that break the readers or the evaluation.
func FuzzConditions(f *testing.F) {
	for _, s := range []string{`a > 1 and (b in ["x", 2] or not c.isnull())`, `0 < a <= 5 & ~(b == "x")`, `b.str.match("^a") | -a % 3 == 1`, `col("a") >= date("2024-01-01")`,
		`a > 1.0 && b.startsWith("x") || !(c in [1, "y"])`, `row["a"] == null ? a : b`, "`a b` == 'x'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, language := range []string{Pandas, GX, CEL} {
			c, err := Parse(text, language, time.Unix(0, 0))
			if err != nil {
				continue
			}
			kinds := []table.Vector{
				table.VectorOf([]table.Cell{{Kind: table.Integer, Int: 1}, {}, {Kind: table.Integer, Int: -7}}),
				table.VectorOf([]table.Cell{{Kind: table.Text, Text: "x"}, {Kind: table.Text, Text: "2024-01-01"}, {}}),
				table.VectorOf([]table.Cell{{Kind: table.Time, Int: 1}, {Kind: table.Number, Float: 2.5}, {Kind: table.Boolean, Int: 1}}),
			}
			columns := make([]*table.Vector, len(c.Columns))
			for i := range columns {
				columns[i] = &kinds[i%len(kinds)]
			}
			rows, err := c.Evaluate(columns, 3, 0)
			if err == nil && rows.Count() > 3 {
				t.Errorf("%q: %d rows of 3", text, rows.Count())
			}
		}
	})
}
