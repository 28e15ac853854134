package pylike

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// errNoDate says that a text holds no date. Callers know the text.
var errNoDate = errors.New("no date or time")

// jumps are the words and signs that may stand between the parts of a date.
const jumps = "| |.|,|;|-|/|'|at|on|and|ad|m|t|of|st|nd|rd|th|"

// longestDate bounds what is looked at: a date is short.
const longestDate = 200

// moment is what was found of a date so far; -1 where nothing was.
type moment struct {
	hour, minute, second, micro int
	weekday                     int
	zone                        string
	offset                      int // seconds east of UTC
	offsetKnown                 bool
	calendar                    calendar
	any                         bool
}

// ParseDate reads a date or time as dateutil.parser.parse does (python-dateutil; month first where both orders are possible). What
// is missing is taken from the day of base at midnight. The time is that of UTC where the text names no offset.
func ParseDate(text string, base time.Time) (time.Time, error) {
	if len(text) > longestDate {
		return time.Time{}, errNoDate
	}
	m := moment{hour: -1, minute: -1, second: -1, micro: -1, weekday: -1}
	tokens := split(text)
	for i := 0; i < len(tokens); i++ {
		next, err := m.take(tokens, i)
		if err != nil {
			return time.Time{}, err
		}
		i = next
	}
	return m.time(base)
}

// take reads the token at i and returns the place of the last that belongs to it.
func (m *moment) take(tokens []string, i int) (int, error) {
	token := tokens[i]
	if _, err := strconv.ParseFloat(token, 64); err == nil && isNumeric(token) {
		return m.number(tokens, i)
	}
	if day, ok := weekdayOf(token); ok {
		m.weekday, m.any = day, true
		return i, nil
	}
	if month, ok := monthOf(token); ok {
		return m.month(tokens, i, month)
	}
	if pm, ok := half(token); ok {
		if m.hour < 0 || m.hour > 12 {
			return i, errNoDate
		}
		m.hour = onClock(m.hour, pm)
		return i, nil
	}
	if m.mayBeZone(token) {
		m.zone = token
		utc := strings.EqualFold(token, "utc") || strings.EqualFold(token, "gmt") || token == "Z" || token == "z"
		m.offsetKnown = utc
		if i+1 < len(tokens) && (tokens[i+1] == "+" || tokens[i+1] == "-") {
			// "GMT+3" says how UTC differs from the place, not the place from UTC.
			tokens[i+1] = map[string]string{"+": "-", "-": "+"}[tokens[i+1]]
			m.offsetKnown = false
			if utc {
				m.zone = ""
			}
		}
		return i, nil
	}
	if m.hour >= 0 && (token == "+" || token == "-") {
		return m.shift(tokens, i)
	}
	if !jump(token) {
		return i, errNoDate
	}
	return i, nil
}

// month takes the name of a month and what is tied to it: "Jan-01-99", "Jan of 99".
func (m *moment) month(tokens []string, i, month int) (int, error) {
	if err := m.calendar.add(strconv.Itoa(month), 'M'); err != nil {
		return i, err
	}
	at := func(k int) string {
		if i+k < len(tokens) {
			return tokens[i+k]
		}
		return ""
	}
	switch sep := at(1); {
	case sep == "-" || sep == "/":
		if err := m.calendar.add(at(2), 0); err != nil {
			return i, err
		}
		if at(3) != sep {
			return i + 2, nil
		}
		return i + 4, m.calendar.add(at(4), 0)
	case sep == " " && at(3) == " " && strings.EqualFold(at(2), "of") && at(4) != "":
		if isDigits(at(4)) {
			if err := m.calendar.add(at(4), 'Y'); err != nil {
				return i, err
			}
		}
		return i + 4, nil
	}
	return i, nil
}

// shift reads an offset from UTC: "+03", "-0300", "+03:00".
func (m *moment) shift(tokens []string, i int) (int, error) {
	if i+1 >= len(tokens) || !isDigits(tokens[i+1]) {
		return i, errNoDate
	}
	digits, hours, minutes := tokens[i+1], 0, 0
	last := i + 1
	switch {
	case len(digits) == 4:
		hours, minutes = atoi(digits[:2]), atoi(digits[2:])
	case i+3 < len(tokens) && tokens[i+2] == ":" && isDigits(tokens[i+3]):
		hours, minutes, last = atoi(digits), atoi(tokens[i+3]), i+3
	case len(digits) <= 2:
		hours = atoi(digits)
	default:
		return i, errNoDate
	}
	if hours > 23 || minutes > 59 {
		return i, errNoDate
	}
	if m.offset = hours*3600 + minutes*60; tokens[i] == "-" {
		m.offset = -m.offset
	}
	m.offsetKnown = true
	// A name in parentheses may follow: "-0300 (BRST)".
	if k := last + 1; k+3 < len(tokens) && jump(tokens[k]) && tokens[k+1] == "(" && tokens[k+3] == ")" && len(tokens[k+2]) >= 3 {
		return k + 3, nil
	}
	return last, nil
}

func (m *moment) mayBeZone(token string) bool {
	if m.hour < 0 || m.zone != "" || m.offsetKnown || len(token) > 5 {
		return false
	}
	upper := strings.IndexFunc(token, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
	return upper || token == "z"
}

// time puts the parts together.
func (m *moment) time(base time.Time) (time.Time, error) {
	if !m.any && len(m.calendar.values) == 0 && m.hour < 0 && m.minute < 0 && m.second < 0 {
		return time.Time{}, errNoDate
	}
	year, month, day, err := m.calendar.resolve()
	if err != nil {
		return time.Time{}, err
	}
	base = base.UTC()
	if year >= 0 && year < 100 && !m.calendar.century {
		year += base.Year() / 100 * 100
		if year >= base.Year()+50 {
			year -= 100
		} else if year < base.Year()-50 {
			year += 100
		}
	}
	noDay := day < 0
	year, month = or(year, base.Year()), or(month, int(base.Month()))
	if year < 1 || year > 9999 || month < 1 || month > 12 {
		return time.Time{}, errNoDate
	}
	if noDay {
		day = min(base.Day(), daysIn(year, month))
	}
	hour, minute, second, micro := or(m.hour, 0), or(m.minute, 0), or(m.second, 0), or(m.micro, 0)
	if day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, errNoDate
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, time.UTC)
	if m.weekday >= 0 && noDay {
		if t = t.AddDate(0, 0, (m.weekday-int(t.Weekday())+7)%7); t.Year() > 9999 {
			return time.Time{}, errNoDate
		}
	}
	return t.Add(-time.Duration(m.offset) * time.Second), nil
}

func or(value, otherwise int) int {
	if value < 0 {
		return otherwise
	}
	return value
}

// split takes a text apart: runs of letters, runs of digits with their points, and single other characters.
func split(text string) []string {
	var out []string
	runes := []rune(strings.ReplaceAll(text, "\x00", ""))
	for i := 0; i < len(runes); {
		start, c := i, runes[i]
		i++
		if !unicode.IsLetter(c) && !isDigit(c) {
			if unicode.IsSpace(c) {
				c = ' '
			}
			out = append(out, string(c))
			continue
		}
		letters, digits, dotted := unicode.IsLetter(c), isDigit(c), false
		seenLetters := letters
		for ; i < len(runes); i++ {
			c := runes[i]
			before := runes[i-1]
			switch {
			case letters && unicode.IsLetter(c), digits && isDigit(c):
			case c == '.', c == ',' && digits && !dotted && i-start >= 2:
				dotted = true
			case dotted && before == '.' && letters && isDigit(c), dotted && before == '.' && digits && unicode.IsLetter(c):
				letters, digits = !letters, !digits
				seenLetters = true
			default:
				goto done
			}
		}
	done:
		out = append(out, parts(string(runes[start:i]), dotted, seenLetters)...)
	}
	return out
}

// parts takes a token with points apart unless it is a number.
func parts(token string, dotted, letters bool) []string {
	if !dotted {
		return []string{token}
	}
	last := token[len(token)-1]
	if !letters && strings.Count(token, ".") <= 1 && last != '.' && last != ',' {
		if !strings.Contains(token, ".") {
			token = strings.ReplaceAll(token, ",", ".")
		}
		return []string{token}
	}
	var out []string
	for token != "" {
		at := strings.IndexAny(token, ".,")
		if at < 0 {
			return append(out, token)
		}
		if at > 0 {
			out = append(out, token[:at])
		}
		out = append(out, token[at:at+1])
		token = token[at+1:]
	}
	return out
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isDigits(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return !isDigit(r) }) < 0
}

// isNumeric leaves out what a float may also be: "inf", "nan", hexadecimal numbers and underscores.
func isNumeric(text string) bool {
	return isDigit(rune(text[0])) && !strings.ContainsAny(text, "xXpP_eE")
}

func atoi(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return math.MaxInt32
	}
	return n
}

func jump(token string) bool { return strings.Contains(jumps, "|"+strings.ToLower(token)+"|") }

func weekdayOf(token string) (int, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(token, d.String()) || strings.EqualFold(token, d.String()[:3]) {
			return int(d), true
		}
	}
	return 0, false
}

func monthOf(token string) (int, bool) {
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(token, m.String()) || strings.EqualFold(token, m.String()[:3]) || m == time.September && strings.EqualFold(token, "sept") {
			return int(m), true
		}
	}
	return 0, false
}

// half reports whether a token says am or pm.
func half(token string) (pm, ok bool) {
	switch strings.ToLower(token) {
	case "am", "a":
		return false, true
	case "pm", "p":
		return true, true
	}
	return false, false
}

func onClock(hour int, pm bool) int {
	if pm && hour < 12 {
		return hour + 12
	}
	if !pm && hour == 12 {
		return 0
	}
	return hour
}
