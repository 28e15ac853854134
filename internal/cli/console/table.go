package console

import (
	"io"
	"strings"
)

// gap stands between two columns.
const gap = "  "

// Table collects rows and writes them aligned.
type Table struct {
	header []string
	rows   [][]string
	// Flexible is the index of the column that gives way when a line is too wide; the last one when negative.
	Flexible int
}

// NewTable starts a table with the given column titles.
func NewTable(header ...string) *Table { return &Table{header: header, Flexible: -1} }

// Add adds a row. A cell may hold colours; text from outside must have gone through Clean.
func (t *Table) Add(cells ...string) { t.rows = append(t.rows, cells) }

// Write writes the table. With a width above 0 lines are cut to it, first by shortening the flexible column.
func (t *Table) Write(w io.Writer, width int, style Style) error {
	widths := t.widths(width)
	var b strings.Builder
	if len(t.header) > 0 {
		head := make([]string, len(t.header))
		for i, h := range t.header {
			head[i] = style.Dim(h)
		}
		writeRow(&b, head, widths, width)
	}
	for _, r := range t.rows {
		writeRow(&b, r, widths, width)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *Table) widths(width int) []int {
	widths := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, c := range row {
			widths[i] = max(widths[i], Width(c))
		}
	}
	if width <= 0 || len(widths) == 0 {
		return widths
	}
	total := len(gap) * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	flexible := t.Flexible
	if flexible < 0 {
		flexible = len(widths) - 1
	}
	if over := total - width; over > 0 {
		widths[flexible] = max(widths[flexible]-over, min(widths[flexible], 8))
	}
	return widths
}

func writeRow(b *strings.Builder, cells []string, widths []int, width int) {
	var line strings.Builder
	for i, c := range cells {
		if i > 0 {
			line.WriteString(gap)
		}
		c = Cut(c, widths[i])
		if i < len(cells)-1 {
			c = Pad(c, widths[i])
		}
		line.WriteString(c)
	}
	text := strings.TrimRight(line.String(), " ")
	if width > 0 {
		text = Cut(text, width)
	}
	b.WriteString(text)
	b.WriteByte('\n')
}
