package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The shortest secrets that are masked: a shorter value would make a log unreadable and would be given away by its mask. A line
// of a secret of several lines must be longer, because lines such as "{" are in any log.
const (
	leastMasked     = 4
	leastMaskedLine = 12
)

const masked = "***"

// mask hides secret values in what a step prints.
type mask struct {
	replacer *strings.Replacer
	longest  int
}

func newMask(values [][]byte) *mask {
	var words []string
	for _, v := range values {
		v = bytes.TrimRight(v, "\r\n")
		if len(v) >= leastMasked {
			words = append(words, string(v))
			words = append(words, quoted(string(v))...)
		}
		if !bytes.ContainsRune(v, '\n') {
			continue
		}
		for line := range bytes.Lines(v) {
			if line = bytes.TrimSpace(line); len(line) >= leastMaskedLine {
				words = append(words, string(line))
			}
		}
	}
	if len(words) == 0 {
		return nil
	}
	// At one place the first word that matches counts: of two secrets, one the beginning of the other, the longer must.
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	words = slices.Compact(words)
	pairs := make([]string, 0, 2*len(words))
	for _, w := range words {
		pairs = append(pairs, w, masked)
	}
	return &mask{strings.NewReplacer(pairs...), len(words[0])}
}

// quoted returns the forms that a value takes inside JSON, with and without characters beyond ASCII, in Python's repr and in URLs,
// as far as they differ from the value.
func quoted(v string) []string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return nil
	}
	plain := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
	var forms []string
	for _, form := range []string{
		plain, ascii(plain), strings.ReplaceAll(v, `\`, `\\`), strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v), url.QueryEscape(v), url.PathEscape(v),
	} {
		if form != v {
			forms = append(forms, form)
		}
	}
	return forms
}

// ascii writes characters beyond ASCII as JSON's \u escapes.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// text hides the values in a text; a nil mask hides nothing.
func (m *mask) text(b []byte) []byte {
	if m == nil {
		return b
	}
	return []byte(m.replacer.Replace(string(b)))
}
