package console

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Size returns the columns and rows of the terminal behind w; ok is false when w is not a terminal.
func Size(w io.Writer) (columns, rows int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, 0, false
	}
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24, true
	}
	return columns, rows, true
}

// Screen redraws a block of lines in place at the bottom of a terminal. It is used from one goroutine.
type Screen struct {
	w     io.Writer
	lines int
}

// NewScreen makes a screen that writes to a terminal.
func NewScreen(w io.Writer) *Screen { return &Screen{w: w} }

// Draw replaces the block. Lines must fit the terminal's width: a line that wraps would break the count.
func (s *Screen) Draw(lines []string) error {
	var b strings.Builder
	b.WriteString("\x1b[?25l") // hide the cursor, which would flicker along
	s.rewind(&b)
	for _, l := range lines {
		b.WriteString(l)
		b.WriteString("\x1b[K\n")
	}
	b.WriteString("\x1b[J\x1b[?25h")
	s.lines = len(lines)
	_, err := io.WriteString(s.w, b.String())
	return err
}

// Erase takes the block away, so that what is printed next stands in its place.
func (s *Screen) Erase() error {
	var b strings.Builder
	s.rewind(&b)
	b.WriteString("\x1b[J")
	s.lines = 0
	_, err := io.WriteString(s.w, b.String())
	return err
}

func (s *Screen) rewind(b *strings.Builder) {
	if s.lines > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r", s.lines)
	}
}
