package pylike

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// patience bounds one match of a pattern that backtracks.
const patience = time.Second

// Regex is a regular expression of Python's module re.
type Regex struct {
	// fast runs in linear time. It gives Python's answer for plain texts (see plain); nil for patterns that it cannot express.
	fast *regexp.Regexp
	// full knows lookaround, backreferences and Unicode as Python does, and backtracks; nil for the few patterns it cannot read.
	full *regexp2.Regexp
}

// CompileRegex reads a pattern.
func CompileRegex(pattern string) (*Regex, error) {
	r := &Regex{}
	fast, errFast := regexp.Compile(strings.ReplaceAll(pattern, `\Z`, `\z`))
	if errFast == nil {
		r.fast = fast
	}
	full, errFull := regexp2.Compile(dotNet(pattern), regexp2.None)
	if errFull == nil {
		full.MatchTimeout = patience
		r.full = full
	}
	if r.fast == nil && r.full == nil {
		return nil, fmt.Errorf("regular expression %q: %w", pattern, errFull)
	}
	return r, nil
}

// dotNet writes Python's named groups, references and end of text as .NET writes them.
func dotNet(pattern string) string {
	return strings.NewReplacer(`\\`, `\\`, `\Z`, `\z`, `(?P<`, `(?<`, `(?P=`, `\k<`).Replace(closeReferences(pattern))
}

// closeReferences turns (?P=name) into (?P=name>, whose other half dotNet replaces.
func closeReferences(pattern string) string {
	for from := 0; ; {
		at := strings.Index(pattern[from:], "(?P=")
		if at < 0 {
			return pattern
		}
		at += from
		end := strings.IndexByte(pattern[at:], ')')
		if end < 0 {
			return pattern
		}
		pattern = pattern[:at+end] + ">" + pattern[at+end+1:]
		from = at + end
	}
}

// Search reports whether the pattern matches somewhere in the text. An error says that a match took too long.
func (r *Regex) Search(text string) (bool, error) {
	if r.fast != nil && (r.full == nil || plain(text)) {
		return r.fast.MatchString(text), nil
	}
	found, err := r.full.MatchString(text)
	if err != nil {
		return false, fmt.Errorf("regular expression %q took longer than %v on a text of %d bytes: write it without nested repetition",
			r.full.String(), patience, len(text))
	}
	return found, nil
}

// plain reports whether \w, \d, \s, \b and $ mean the same in Go as in Python: printable ASCII and no line break at the end.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c > 0x7e || c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return text == "" || text[len(text)-1] != '\n'
}

// Like compiles a pattern of SQL's LIKE: % stands for any text, _ for one character, a backslash takes the next character as it is.
func Like(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	quoted := false
	for _, c := range pattern {
		switch {
		case quoted:
			b.WriteString(regexp.QuoteMeta(string(c)))
			quoted = false
		case c == '\\':
			quoted = true
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString(`\z`)
	return regexp.Compile(b.String())
}
