package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	end        kind = iota
	identifier      // a, a.b, a.`b c`, "x": words and quoted parts, joined by dots
	stringText      // 'x'
	numeric
	comparator // any run of < = > ! ~
	open
	closing
	comma
	semicolon
	other
)

type token struct {
	kind  kind
	raw   string
	at    int
	whole bool // a number without point or exponent
}

// is reports whether the token is a word, in any case.
func (t token) is(word string) bool { return t.kind == identifier && strings.EqualFold(t.raw, word) }

// lex cuts a filter into tokens; the last one is of kind end.
func lex(s string) []token {
	var out []token
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.IsSpace(r) {
			i += size
			continue
		}
		t := next(s[i:])
		t.at = i
		out = append(out, t)
		i += len(t.raw)
	}
	return append(out, token{kind: end, at: len(s)})
}

func next(s string) token {
	switch s[0] {
	case '(':
		return token{kind: open, raw: s[:1]}
	case ')':
		return token{kind: closing, raw: s[:1]}
	case ',':
		return token{kind: comma, raw: s[:1]}
	case ';':
		return token{kind: semicolon, raw: s[:1]}
	case '\'':
		if n := quotedLength(s); n > 0 {
			return token{kind: stringText, raw: s[:n]}
		}
	case '<', '=', '>', '!', '~':
		return token{kind: comparator, raw: s[:span(s, func(r rune) bool { return strings.ContainsRune("<=>!~", r) })]}
	}
	if n, whole := numberLength(s); n > 0 {
		return token{kind: numeric, raw: s[:n], whole: whole}
	}
	if n := identifierLength(s); n > 0 {
		return token{kind: identifier, raw: s[:n]}
	}
	_, size := utf8.DecodeRuneInString(s)
	return token{kind: other, raw: s[:size]}
}

func span(s string, in func(rune) bool) int {
	if n := strings.IndexFunc(s, func(r rune) bool { return !in(r) }); n >= 0 {
		return n
	}
	return len(s)
}

// quotedLength is the length of the quoted text that s begins with; a doubled quote does not end it. It is 0 when nothing does.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] != s[0] {
			continue
		}
		if i+1 < len(s) && s[i+1] == s[0] {
			i++
			continue
		}
		return i + 1
	}
	return 0
}

func wordRune(r rune) bool {
	return r == '_' || r == '$' || r == '#' || r == '@' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

func identifierLength(s string) int {
	n := 0
	for {
		part := 0
		if n < len(s) && (s[n] == '`' || s[n] == '"' || n > 0 && s[n] == '\'') {
			part = quotedLength(s[n:])
		} else {
			part = span(s[n:], wordRune)
		}
		if part == 0 {
			return max(0, n-1) // a dot with nothing behind it is not part of the name
		}
		n += part
		if n >= len(s) || s[n] != '.' {
			return n
		}
		n++
	}
}

// numberLength recognises 12, -1, 1.5, .5, 1., 1e-3. A number that runs into a word is none.
func numberLength(s string) (n int, whole bool) {
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	if s[0] == '-' {
		n++
	}
	front := span(s[n:], digit)
	n += front
	whole = true
	back := 0
	if n < len(s) && s[n] == '.' {
		back = span(s[n+1:], digit)
		if front+back > 0 {
			n += 1 + back
			whole = false
		}
	}
	if front+back == 0 {
		return 0, false
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '-' || s[e] == '+') {
			e++
		}
		if d := span(s[e:], digit); d > 0 {
			n, whole = e+d, false
		}
	}
	if r, _ := utf8.DecodeRuneInString(s[n:]); n < len(s) && wordRune(r) {
		return 0, false
	}
	return n, whole
}
