// Package webpage writes reports as web pages that need nothing else: no scripts, no files, no addresses. They can be kept, sent and
// opened anywhere.
//
// Names and values come from others, so they are escaped, and a policy in each page forbids all but its own styles. What a report says is
// not its business. Start reading at Writer.
package webpage

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"

	"levada/internal/core/fault"
)

// Writer writes a page. What could not be written, Flush says.
type Writer struct{ w *bufio.Writer }

// New begins a page with a title, which comes from us, and styles that are added to those that all pages have.
func New(w io.Writer, title, styles string) *Writer {
	p := &Writer{bufio.NewWriter(w)}
	p.Raw(fmt.Sprintf(head, html.EscapeString(title), styles))
	return p
}

const head = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<style>
:root { color-scheme: light dark; --ref: #2f6f9f; --cur: #c8641b; --line: #8884; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 88rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; }
.names { margin: .2rem 0 1rem; overflow-wrap: anywhere; }
.verdict { font-size: 1.1rem; padding: .6rem .9rem; border-left: 4px solid #3a8f4d; background: #3a8f4d18; }
.verdict.bad { border-color: #c0392b; background: #c0392b18; }
table { border-collapse: collapse; width: 100%%; margin-top: 1rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
th.n { text-align: right; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.name { max-width: 22rem; overflow-wrap: anywhere; font-weight: 600; }
.note { font-weight: 400; opacity: .75; }
.yes { color: #c0392b; font-weight: 600; }
.ref { color: var(--ref); } .cur { color: var(--cur); }
svg { display: block; } svg .r { fill: var(--ref); } svg .c { fill: var(--cur); } svg text { font-size: 9px; fill: currentColor; }
%s</style></head><body>
`

// Flush ends the page, and reports what could not be written.
func (p *Writer) Flush() error {
	p.Raw("</body></html>\n")
	return p.w.Flush()
}

// Raw writes markup of ours.
func (p *Writer) Raw(markup string) { _, _ = p.w.WriteString(markup) }

// Rawf writes markup of ours with numbers, or with what Escape has made safe.
func (p *Writer) Rawf(format string, args ...any) { p.Raw(fmt.Sprintf(format, args...)) }

// Text writes words that came from outside, at most 400 bytes of them.
func (p *Writer) Text(s string) { p.Raw("<bdi>" + Escape(fault.Shorten(s, 400)) + "</bdi>") }

// Number writes a cell with a number, empty for nil.
func (p *Writer) Number(v *float64) {
	p.Raw("<td class=n>")
	if v != nil {
		p.Raw(Escape(Figure(*v)))
	}
}

// Escape makes words safe as text and as a quoted attribute; characters that are not shown are replaced.
func Escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '�'
		}
		return r
	}, strings.ToValidUTF8(s, "�")))
}

// Figure is a number with as many digits as people read.
func Figure(v float64) string {
	if v != 0 && math.Abs(v) < 0.0001 {
		return strconv.FormatFloat(v, 'e', 1, 64)
	}
	if a := math.Abs(v); a >= 1000 {
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 4, 64), "0"), ".")
}
