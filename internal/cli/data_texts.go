package cli

import (
	"fmt"
	"strings"

	"levada/internal/cli/console"
	"levada/internal/core/table/profile"
	"levada/internal/core/textual"
)

// leastTold is the share of texts that tell their language from which on languages are printed: names and codes tell none.
const leastTold = 0.5

// printTexts prints what the texts of columns say, where they say something, and which numbers are none.
func (a *app) printTexts(columns []profile.Column) {
	title := false
	say := func(column, format string, args ...any) {
		if !title {
			fmt.Fprintln(a.deps.Stdout, "\nTexts:")
			title = true
		}
		fmt.Fprintf(a.deps.Stdout, "  %s: %s\n", short(column, 30), fmt.Sprintf(format, args...))
	}
	for _, c := range columns {
		if c.NaN+c.Infinite > 0 {
			fmt.Fprintf(a.deps.Stdout, "\n%s: NaN in %s, infinite in %s; the figures are those of the other numbers\n", short(c.Name, 30), counted(c.NaN, "row"), counted(c.Infinite, "row"))
		}
	}
	for _, c := range columns {
		if c.Text == nil {
			continue
		}
		if text := languages(c.Text); text != "" {
			say(c.Name, "%s", text)
		}
		if n := c.Text.Near; n != nil && n.Texts > 0 {
			which := ""
			if !n.All {
				which = " of the first"
			}
			say(c.Name, "%s nearly the same as one before,%s %s", counted(n.Texts, "text"), which, grouped(n.Of))
		}
		for _, p := range c.Text.Personal {
			say(c.Name, "%s in %s, such as %s", strings.ReplaceAll(p.Kind, "_", " "), counted(p.Rows, "row"), console.Clean(p.Example))
		}
	}
}

// languages lists the languages of texts, empty where most do not tell.
func languages(s *textual.Summary) string {
	var parts []string
	told := 0.0
	for _, l := range s.Languages {
		if l.Language == textual.Undetermined {
			continue
		}
		told += l.Share
		if len(parts) < 5 {
			parts = append(parts, fmt.Sprintf("%s %.1f %%", l.Language, 100*l.Share))
		}
	}
	if told < leastTold {
		return ""
	}
	sign := ""
	if s.Sampled {
		sign = "≈"
	}
	return "language " + sign + strings.Join(parts, ", ")
}
