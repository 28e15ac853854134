package predict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"levada/internal/core/fault"
)

// mostDepth bounds how deep JSON may be nested; numpy's arrays have at most 64 dimensions.
const mostDepth = 64

// Reader reads JSON without reflection and without a tree: the caller asks for what it wants to see next. Where something else comes,
// the error says where. Texts that it returns are copies.
type Reader struct {
	data  []byte
	at    int
	depth int
}

// NewReader returns a reader of a text.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

func (r *Reader) fail(format string, args ...any) error {
	near := ""
	if r.at < len(r.data) {
		near = fmt.Sprintf(" near %q", r.data[r.at:min(r.at+20, len(r.data))])
	} else {
		near = ", where the text ends"
	}
	return fault.Invalidf("the JSON is wrong at byte %d%s: %s", r.at, near, fmt.Sprintf(format, args...))
}

// peek skips white space and returns the next byte, or 0 at the end.
func (r *Reader) peek() byte {
	for r.at < len(r.data) {
		switch c := r.data[r.at]; c {
		case ' ', '\n', '\t', '\r':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// take skips a byte if it is the next.
func (r *Reader) take(c byte) bool {
	if r.at < len(r.data) && r.data[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *Reader) literal(word string) bool {
	if len(r.data)-r.at >= len(word) && string(r.data[r.at:r.at+len(word)]) == word {
		r.at += len(word)
		return true
	}
	return false
}

// Peek is the first byte of what comes next, or 0 at the end.
func (r *Reader) Peek() byte { return r.peek() }

// ListOf is the first byte of the first element of the list that comes next, or 0 where no list comes.
func (r *Reader) ListOf() byte {
	if r.peek() != '[' {
		return 0
	}
	at := r.at
	r.at++
	c := r.peek()
	r.at = at
	return c
}

// Null skips null if it is next.
func (r *Reader) Null() bool { return r.peek() == 'n' && r.literal("null") }

func (r *Reader) enter(open byte, what string) error {
	if r.peek() != open {
		return r.fail("%s is wanted", what)
	}
	if r.depth++; r.depth > mostDepth {
		return r.fail("it is nested more than %d deep", mostDepth)
	}
	r.at++
	return nil
}

// next says after an element whether another one follows.
func (r *Reader) next(closing byte) (bool, error) {
	switch r.peek() {
	case ',':
		r.at++
		return true, nil
	case closing:
		r.at++
		r.depth--
		return false, nil
	}
	return false, r.fail("a comma or %c is wanted", closing)
}

// Array calls each at every element, which each has to read.
func (r *Reader) Array(each func(i int) error) error {
	if err := r.enter('[', "a list"); err != nil {
		return err
	}
	if r.peek() == ']' {
		r.at++
		r.depth--
		return nil
	}
	for i := 0; ; i++ {
		if err := each(i); err != nil {
			return err
		}
		if more, err := r.next(']'); err != nil || !more {
			return err
		}
	}
}

// Object calls each at every value, which each has to read. The key is valid until then.
func (r *Reader) Object(each func(key []byte) error) error {
	if err := r.enter('{', "an object"); err != nil {
		return err
	}
	if r.peek() == '}' {
		r.at++
		r.depth--
		return nil
	}
	for {
		key, err := r.text()
		if err != nil {
			return err
		}
		if r.peek() != ':' {
			return r.fail("a colon is wanted")
		}
		r.at++
		if err := each(key); err != nil {
			return err
		}
		if more, err := r.next('}'); err != nil || !more {
			return err
		}
		if r.peek() != '"' {
			return r.fail("a key is wanted")
		}
	}
}

// String reads a text.
func (r *Reader) String() (string, error) {
	b, err := r.text()
	return string(b), err
}

// text reads a text; without escapes it is a part of what is read.
func (r *Reader) text() ([]byte, error) {
	if r.peek() != '"' {
		return nil, r.fail("a text is wanted")
	}
	start := r.at + 1
	for i := start; i < len(r.data); i++ {
		switch c := r.data[i]; {
		case c == '"':
			b := r.data[start:i]
			if !utf8.Valid(b) {
				return nil, r.fail("the text is not UTF-8")
			}
			r.at = i + 1
			return b, nil
		case c == '\\':
			return r.escaped(start, i)
		case c < ' ':
			r.at = i
			return nil, r.fail("a control character stands in a text")
		}
	}
	return nil, r.fail("the text does not end")
}

// escaped reads on in a text at its first backslash.
func (r *Reader) escaped(start, i int) ([]byte, error) {
	out := append([]byte(nil), r.data[start:i]...)
	for i < len(r.data) {
		c := r.data[i]
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return nil, r.fail("the text is not UTF-8")
			}
			r.at = i + 1
			return out, nil
		case c < ' ':
			r.at = i
			return nil, r.fail("a control character stands in a text")
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i+1 >= len(r.data) {
			break
		}
		if r.data[i+1] == 'u' {
			var ok bool
			if out, i, ok = r.unicode(out, i); !ok {
				r.at = min(i, len(r.data))
				return nil, r.fail("\\u needs four hexadecimal digits")
			}
			continue
		}
		at := bytes.IndexByte([]byte(`"\/bfnrt`), r.data[i+1])
		if at < 0 {
			r.at = i
			return nil, r.fail("the escape is none of JSON's")
		}
		out = append(out, "\"\\/\b\f\n\r\t"[at])
		i += 2
	}
	return nil, r.fail("the text does not end")
}

func (r *Reader) unicode(out []byte, i int) ([]byte, int, bool) {
	first, ok := r.hex(i + 2)
	if !ok {
		return out, i, false
	}
	i += 6
	if utf16.IsSurrogate(first) && i+1 < len(r.data) && r.data[i] == '\\' && r.data[i+1] == 'u' {
		if second, ok := r.hex(i + 2); ok {
			if both := utf16.DecodeRune(first, second); both != utf8.RuneError {
				return utf8.AppendRune(out, both), i + 6, true
			}
		}
	}
	return utf8.AppendRune(out, first), i, true // a lone surrogate becomes U+FFFD
}

func (r *Reader) hex(i int) (rune, bool) {
	if i+4 > len(r.data) {
		return 0, false
	}
	var v rune
	for _, c := range r.data[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// Skip reads a value of any kind and forgets it.
func (r *Reader) Skip() error {
	switch r.peek() {
	case '{':
		return r.Object(func([]byte) error { return r.Skip() })
	case '[':
		return r.Array(func(int) error { return r.Skip() })
	case '"':
		_, err := r.text()
		return err
	case 't', 'f', 'n':
		if r.literal("true") || r.literal("false") || r.literal("null") {
			return nil
		}
		return r.fail("a value is wanted")
	}
	_, err := r.number()
	return err
}

// Raw reads a value of any kind and returns its text, as a part of what is read.
func (r *Reader) Raw() ([]byte, error) {
	r.peek()
	start := r.at
	if err := r.Skip(); err != nil {
		return nil, err
	}
	return r.data[start:r.at], nil
}

// Value reads a value of any kind: whole numbers are int64, others float64.
func (r *Reader) Value() (any, error) {
	switch r.peek() {
	case '{':
		m := map[string]any{}
		return m, r.Object(func(key []byte) (err error) {
			k := string(key)
			m[k], err = r.Value()
			return err
		})
	case '[':
		list := []any{}
		return list, r.Array(func(int) error {
			v, err := r.Value()
			list = append(list, v)
			return err
		})
	case '"':
		return r.String()
	case 't', 'f', 'n':
		switch {
		case r.literal("true"):
			return true, nil
		case r.literal("false"):
			return false, nil
		case r.literal("null"):
			return nil, nil //nolint:nilnil // null is the value
		}
		return nil, r.fail("a value is wanted")
	}
	n, err := r.number()
	if err == nil && n.whole && !n.large {
		return int64(n.bits), nil
	}
	return n.float, err
}

// Whole reads an integer.
func (r *Reader) Whole() (int64, error) {
	r.peek()
	start := r.at
	n, err := r.number()
	if err == nil && (!n.whole || n.large) {
		r.at = start
		err = r.fail("a whole number is wanted")
	}
	return int64(n.bits), err
}

// End says that nothing may follow.
func (r *Reader) End() error {
	if r.peek() != 0 || r.at < len(r.data) {
		return r.fail("nothing may follow")
	}
	return nil
}

// AppendString appends a text as JSON.
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			text, err := json.Marshal(s)
			if err != nil {
				panic(err) // a string is always JSON
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
