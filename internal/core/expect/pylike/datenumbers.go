package pylike

import (
	"math"
	"strconv"
	"strings"
)

// calendar collects the numbers of a date in the order in which they came, and decides at the end which is which.
type calendar struct {
	values            []int
	year, month       int // one more than the place in values of the one that is known to be it; 0 for none
	century           bool
	yearSet, monthSet bool
}

// add takes a number; label is 'Y' or 'M' where it is known what it is.
func (c *calendar) add(digits string, label byte) error {
	if !isDigits(digits) {
		return errNoDate
	}
	return c.put(atoi(digits), len(digits) > 2, label)
}

// put is add for a number; long says that it was written with three digits or more, as years are.
func (c *calendar) put(n int, long bool, label byte) error {
	if long || n > 100 {
		if label == 'M' {
			return errNoDate
		}
		c.century, label = true, 'Y'
	}
	c.values = append(c.values, n)
	switch label {
	case 'Y':
		if c.yearSet {
			return errNoDate
		}
		c.year, c.yearSet = len(c.values), true
	case 'M':
		if c.monthSet {
			return errNoDate
		}
		c.month, c.monthSet = len(c.values), true
	}
	return nil
}

// mayBeDay reports whether a number can be the day of what is known.
func (c *calendar) mayBeDay(n float64) bool {
	switch {
	case !c.monthSet:
		return n >= 1 && n <= 31
	case !c.yearSet:
		return n >= 1 && n <= float64(daysIn(2000, c.values[c.month-1]))
	}
	return n >= 1 && n <= float64(daysIn(c.values[c.year-1], c.values[c.month-1]))
}

// resolve says which number is the year, the month and the day; -1 for what is missing.
func (c *calendar) resolve() (year, month, day int, err error) {
	v := c.values
	switch {
	case len(v) > 3:
		return 0, 0, 0, errNoDate
	case len(v) == 0:
		return -1, -1, -1, nil
	case c.yearSet && c.monthSet:
		day = -1
		for i := range v {
			if i != c.year-1 && i != c.month-1 {
				day = v[i]
			}
		}
		return v[c.year-1], v[c.month-1], day, nil
	case len(v) == 1 || c.monthSet && len(v) == 2:
		year, month, day = c.few()
		return year, month, day, nil
	case len(v) == 2:
		if v[0] > 31 {
			return v[0], v[1], -1, nil
		}
		if v[1] > 31 {
			return v[1], v[0], -1, nil
		}
		return -1, v[0], v[1], nil
	}
	year, month, day = c.three()
	return year, month, day, nil
}

// few resolves one number, or a month and another number.
func (c *calendar) few() (year, month, day int) {
	year, month, day = -1, -1, -1
	other := c.values[0]
	if c.monthSet {
		month = c.values[c.month-1]
		if len(c.values) == 1 {
			return year, month, day
		}
		other = c.values[2-c.month]
	}
	if other > 31 || c.yearSet {
		return other, month, day
	}
	return year, month, other
}

func (c *calendar) three() (year, month, day int) {
	v := c.values
	switch c.month {
	case 1:
		if v[1] > 31 {
			return v[1], v[0], v[2]
		}
		return v[2], v[0], v[1]
	case 2:
		if v[0] > 31 {
			return v[0], v[1], v[2]
		}
		return v[2], v[1], v[0]
	case 3:
		if v[1] > 31 {
			return v[1], v[2], v[0]
		}
		return v[0], v[2], v[1]
	}
	switch {
	case v[0] > 31 || c.year == 1:
		return v[0], v[1], v[2]
	case v[0] > 12:
		return v[2], v[1], v[0]
	}
	return v[2], v[0], v[1]
}

// number takes the number at i with what makes it a time, a date or a part of one.
func (m *moment) number(tokens []string, i int) (int, error) {
	token := tokens[i]
	at := func(k int) string {
		if i+k >= 0 && i+k < len(tokens) {
			return tokens[i+k]
		}
		return ""
	}
	value, err := strconv.ParseFloat(token, 64)
	if err != nil {
		return i, errNoDate
	}
	whole := strings.IndexByte(token, '.')
	_, unitAfter := unitOf(at(1))
	const most = 1e9 // no part of a date is larger
	value = min(value, most)
	switch {
	case len(m.calendar.values) == 3 && (len(token) == 2 || len(token) == 4) && whole < 0 && m.hour < 0 && at(1) != ":" && !unitAfter:
		if m.hour = atoi(token[:2]); len(token) == 4 {
			m.minute = atoi(token[2:])
		}
		return i, nil
	case len(token) == 6 && (whole < 0 || whole == 6), len(token) > 6 && whole == 6:
		return i, m.six(token, whole < 0)
	case whole < 0 && (len(token) == 8 || len(token) == 12 || len(token) == 14):
		return i, m.compact(token)
	}
	if place, unit, ok := findUnit(tokens, i); ok {
		m.assign(token, value, unit)
		return max(place, i), nil
	}
	switch {
	case at(1) == ":" && at(2) != "":
		return m.clock(tokens, i, value)
	case at(1) == "-" || at(1) == "/" || at(1) == ".":
		return m.separated(tokens, i)
	case at(1) == "" || jump(at(1)):
		if pm, ok := half(at(2)); ok {
			m.hour = onClock(int(value), pm)
			return i + 2, nil
		}
		return i + 1, m.calendar.put(int(value), false, 0)
	}
	if pm, ok := half(at(1)); ok && value < 24 {
		m.hour = onClock(int(value), pm)
		return i + 1, nil
	}
	if m.calendar.mayBeDay(value) {
		return i, m.calendar.put(int(value), false, 0)
	}
	return i, errNoDate
}

// six reads YYMMDD, or HHMMSS[.ss] once the date is known.
func (m *moment) six(token string, digits bool) error {
	if digits && len(m.calendar.values) == 0 {
		for k := 0; k < 6; k += 2 {
			if err := m.calendar.add(token[k:k+2], 0); err != nil {
				return err
			}
		}
		return nil
	}
	m.hour, m.minute = atoi(token[:2]), atoi(token[2:4])
	m.seconds(token[4:])
	return nil
}

// compact reads YYYYMMDD[hhmm[ss]].
func (m *moment) compact(token string) error {
	if err := m.calendar.add(token[:4], 'Y'); err != nil {
		return err
	}
	for _, two := range []string{token[4:6], token[6:8]} {
		if err := m.calendar.add(two, 0); err != nil {
			return err
		}
	}
	if len(token) > 8 {
		m.hour, m.minute = atoi(token[8:10]), atoi(token[10:12])
	}
	if len(token) > 12 {
		m.second = atoi(token[12:])
	}
	return nil
}

// clock reads HH:MM[:SS[.ss]].
func (m *moment) clock(tokens []string, i int, hour float64) (int, error) {
	minutes, err := strconv.ParseFloat(tokens[i+2], 64)
	if err != nil || !isNumeric(tokens[i+2]) {
		return i, errNoDate
	}
	m.hour = int(hour)
	m.minutes(minutes)
	if i+4 < len(tokens) && tokens[i+3] == ":" {
		if !isNumeric(tokens[i+4]) {
			return i, errNoDate
		}
		m.seconds(tokens[i+4])
		return i + 4, nil
	}
	return i + 2, nil
}

// separated reads 01-02-03 and 01-Jan-03.
func (m *moment) separated(tokens []string, i int) (int, error) {
	if err := m.calendar.add(tokens[i], 0); err != nil {
		return i, err
	}
	sep := tokens[i+1]
	if i+2 >= len(tokens) || jump(tokens[i+2]) {
		return i + 1, nil
	}
	if err := m.calendar.part(tokens[i+2]); err != nil {
		return i, err
	}
	if i+3 >= len(tokens) || tokens[i+3] != sep {
		return i + 2, nil
	}
	if i+4 >= len(tokens) {
		return i, errNoDate
	}
	return i + 4, m.calendar.part(tokens[i+4])
}

// part takes a number or the name of a month.
func (c *calendar) part(token string) error {
	if month, ok := monthOf(token); ok {
		return c.add(strconv.Itoa(month), 'M')
	}
	return c.add(token, 0)
}

func (m *moment) minutes(n float64) {
	m.minute, m.second = int(n), -1
	if rest := n - math.Trunc(n); rest > 0 {
		m.second = int(60 * rest)
	}
}

func (m *moment) seconds(text string) {
	before, after, dotted := strings.Cut(text, ".")
	if before == "" {
		before = "0"
	}
	m.second, m.micro = atoi(before), 0
	if dotted {
		m.micro = atoi((after + "000000")[:6])
	}
}

// assign takes a number with a unit: "10 h", "5m", "3.5 s".
func (m *moment) assign(token string, value float64, unit int) {
	switch unit {
	case 0:
		m.hour = int(value)
		if rest := value - math.Trunc(value); rest > 0 {
			m.minute = int(60 * rest)
		}
	case 1:
		m.minutes(value)
	case 2:
		m.seconds(token)
	}
}

// findUnit looks for the unit of the number at i: behind it, or before it ("h 10" is followed by minutes).
func findUnit(tokens []string, i int) (place, unit int, ok bool) {
	at := func(k int) (int, bool) {
		if k < 0 || k >= len(tokens) {
			return 0, false
		}
		return unitOf(tokens[k])
	}
	if u, ok := at(i + 1); ok {
		return i + 1, u, true
	}
	if i+2 < len(tokens) && tokens[i+1] == " " {
		if u, ok := at(i + 2); ok {
			return i + 2, u, true
		}
	}
	if u, ok := at(i - 1); ok {
		return i - 1, u + 1, true
	}
	if i > 1 && i == len(tokens)-1 && tokens[i-1] == " " {
		if u, ok := at(i - 2); ok {
			return i - 2, u + 1, true
		}
	}
	return 0, 0, false
}

// unitOf is 0 for hours, 1 for minutes and 2 for seconds.
func unitOf(token string) (int, bool) {
	switch strings.ToLower(token) {
	case "h", "hour", "hours":
		return 0, true
	case "m", "minute", "minutes":
		return 1, true
	case "s", "second", "seconds":
		return 2, true
	}
	return 0, false
}
