package pylike

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// directives are the forms that Python's strptime reads (the C locale), without regard to case.
var directives = map[byte]string{
	'd': `3[0-1]|[1-2]\d|0[1-9]|[1-9]| [1-9]`, 'f': `\d{1,6}`, 'H': `2[0-3]|[0-1]\d|\d`, 'I': `1[0-2]|0[1-9]|[1-9]`,
	'j': `36[0-6]|3[0-5]\d|[1-2]\d\d|0[1-9]\d|00[1-9]|[1-9]\d|0[1-9]|[1-9]`, 'm': `1[0-2]|0[1-9]|[1-9]`, 'M': `[0-5]\d|\d`,
	'S': `6[0-1]|[0-5]\d|\d`, 'U': `5[0-3]|[0-4]\d|\d`, 'W': `5[0-3]|[0-4]\d|\d`, 'w': `[0-6]`, 'u': `[1-7]`,
	'V': `5[0-3]|0[1-9]|[1-4]\d|\d`, 'y': `\d\d`, 'Y': `\d\d\d\d`, 'G': `\d\d\d\d`,
	'z': `[+-]\d\d:?[0-5]\d(?::?[0-5]\d(?:\.\d{1,6})?)?|Z`, 'Z': `utc|gmt`, 'p': `am|pm`,
	'a': "mon|tue|wed|thu|fri|sat|sun", 'A': "monday|tuesday|wednesday|thursday|friday|saturday|sunday",
	'b': "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec",
	'B': "january|february|march|april|may|june|july|august|september|october|november|december",
}

// composed are the directives that stand for several.
var composed = strings.NewReplacer("%%", "%%", "%c", "%a %b %d %H:%M:%S %Y", "%x", "%m/%d/%y", "%X", "%H:%M:%S")

// Strptime is a format of dates as Python's datetime.strptime takes it.
type Strptime struct {
	form   *regexp.Regexp
	fields []byte
}

// CompileStrptime reads a format. What strptime refuses is an error.
func CompileStrptime(format string) (*Strptime, error) {
	p := &Strptime{}
	var b strings.Builder
	b.WriteString(`(?i)\A`)
	rest := composed.Replace(format)
	seen := map[byte]bool{}
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			for i+1 < len(rest) && (rest[i+1] == ' ' || rest[i+1] >= '\t' && rest[i+1] <= '\r') {
				i++
			}
			b.WriteString(`\s+`)
		case c != '%':
			b.WriteString(regexp.QuoteMeta(rest[i : i+1]))
		case i+1 == len(rest):
			return nil, fmt.Errorf("stray %% in format %q", format)
		case rest[i+1] == '%':
			b.WriteString("%")
			i++
		default:
			i++
			form, known := directives[rest[i]]
			if !known {
				return nil, fmt.Errorf("%q is a bad directive in format %q", rest[i], format)
			}
			if seen[rest[i]] {
				return nil, fmt.Errorf("%%%c is twice in format %q", rest[i], format)
			}
			seen[rest[i]] = true
			p.fields = append(p.fields, rest[i])
			b.WriteString("(" + form + ")")
		}
	}
	b.WriteString(`\z`)
	weekday := seen['a'] || seen['A'] || seen['w'] || seen['u']
	switch {
	case seen['G'] && !(seen['V'] && weekday), seen['V'] && !(seen['G'] && weekday):
		return nil, fmt.Errorf("format %q: %%G, %%V and a weekday go together", format)
	case seen['j'] && seen['G']:
		return nil, fmt.Errorf("format %q: %%j needs %%Y, not %%G", format)
	}
	form, err := regexp.Compile(b.String())
	p.form = form
	return p, err
}

// Matches reports whether strptime reads the text.
func (p *Strptime) Matches(text string) bool {
	found := p.form.FindStringSubmatch(text)
	if found == nil {
		return false
	}
	year, month, day, week := 1900, 1, 1, 0
	yearSet, dayOfYear, iso := false, 0, false
	for i, f := range p.fields {
		value := found[i+1]
		n, _ := strconv.Atoi(strings.TrimSpace(value)) // names are no numbers; they are taken apart below
		switch f {
		case 'Y':
			year, yearSet = n, true
		case 'y':
			if year = 2000 + n; n > 68 {
				year = 1900 + n
			}
			yearSet = true
		case 'm':
			month = n
		case 'd':
			day = n
		case 'j':
			dayOfYear = n
		case 'G':
			year, iso = n, true
		case 'V':
			week = n
		case 'S':
			if n > 59 {
				return false // a datetime has no leap seconds
			}
		case 'b', 'B':
			month = strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(value[:3]))/3 + 1
		}
	}
	switch {
	case iso:
		return year > 0 && week > 0 && (week < 53 || longYear(year))
	case dayOfYear > 0 && yearSet:
		return year > 0 && (dayOfYear < 366 || leap(year))
	}
	return year > 0 && day <= daysIn(year, month)
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// longYear reports whether an ISO year has 53 weeks.
func longYear(year int) bool {
	_, week := time.Date(year, 12, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
	return week == 53
}
