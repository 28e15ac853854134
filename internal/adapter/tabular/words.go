package tabular

import (
	"math"
	"strconv"
	"strings"

	"levada/internal/core/table"
)

// Words are the values of text formats. Each function here reads a word, or says that it is none of its kind: nothing is read that
// would not be written this way, so 007, +49 and 12345678901234567890 are no numbers.

// missing reports whether a word stands for no value, as pandas reads them.
func missing(s string) bool {
	switch s {
	case "", "NA", "N/A", "NaN", "nan", "null", "NULL", "None":
		return true
	}
	return false
}

// cellOf reads a word by what it looks like.
func cellOf(s string) table.Cell {
	if missing(s) {
		return table.Cell{}
	}
	if n, ok := integerOf(s); ok {
		return table.Cell{Kind: table.Integer, Int: n}
	}
	if f, ok := numberOf(s); ok {
		return table.Cell{Kind: table.Number, Float: f}
	}
	if d, ok := dateOf(s); ok {
		return table.Cell{Kind: table.Date, Int: d}
	}
	if us, _, ok := timeOf(s); ok {
		return table.Cell{Kind: table.Time, Int: us}
	}
	if b, ok := truthOf(s); ok {
		return table.Cell{Kind: table.Boolean, Int: b}
	}
	return table.Cell{Kind: table.Text, Text: s}
}

func truthOf(s string) (int64, bool) {
	switch s {
	case "true", "True", "TRUE":
		return 1, true
	case "false", "False", "FALSE":
		return 0, true
	}
	return 0, false
}

// integerOf reads digits without zeros before them.
func integerOf(s string) (int64, bool) {
	i, negative := 0, false
	if len(s) > 0 && s[0] == '-' {
		i, negative = 1, true
	}
	digits := len(s) - i
	if digits == 0 || digits > 19 || s[i] == '0' && (digits > 1 || negative) {
		return 0, false
	}
	n := uint64(0)
	for ; i < len(s); i++ {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + uint64(d)
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

var tens = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// numberOf reads a number with a fraction or an exponent, or an integer that a float holds exactly.
func numberOf(s string) (float64, bool) {
	i, negative := 0, false
	if len(s) > 0 && s[0] == '-' {
		i, negative = 1, true
	}
	first := i
	n, digits, behind := uint64(0), 0, 0
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		n = n*10 + uint64(s[i]-'0')
		digits++
	}
	if digits > 1 && s[first] == '0' {
		return 0, false
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && s[i]-'0' <= 9; i++ {
			n = n*10 + uint64(s[i]-'0')
			digits++
			behind++
		}
	}
	if i == len(s) && digits > 0 && digits <= 19 && n <= exactly && behind <= 22 {
		// Both are exact, so their quotient is the float next to what is written (Clinger 1990).
		f := float64(n) / tens[behind]
		if negative {
			f = -f
		}
		return f, true
	}
	return slowNumber(s, first, digits, i)
}

// slowNumber reads what is longer than a fraction, once its first digits were seen.
func slowNumber(s string, first, digits, at int) (float64, bool) {
	if digits == 0 {
		switch strings.ToLower(s[first:]) {
		case "inf", "infinity":
			return math.Inf(1 - 2*first), true
		}
		return 0, false
	}
	if len(s) > 400 || at == len(s) && !strings.Contains(s, ".") || at < len(s) && s[at] != 'e' && s[at] != 'E' || strings.Contains(s, "_") {
		return 0, false // an integer with more digits than a float holds, or no number
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func two(s string, i int) (int, bool) {
	a, b := s[i]-'0', s[i+1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// dateOf reads YYYY-MM-DD as days since 1970.
func dateOf(s string) (int64, bool) {
	if len(s) != 10 {
		return 0, false
	}
	return dayOf(s)
}

// dayOf reads the day with which a text of at least ten bytes begins.
func dayOf(s string) (int64, bool) {
	if s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	century, ok1 := two(s, 0)
	year, ok2 := two(s, 2)
	month, ok3 := two(s, 5)
	day, ok4 := two(s, 8)
	if !ok1 || !ok2 || !ok3 || !ok4 || month < 1 || month > 12 || day < 1 {
		return 0, false
	}
	year += century * 100
	if day > 28 && day > daysIn(year, month) {
		return 0, false
	}
	return civil(year, month, day), true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// civil is the number of days from 1970-01-01 to a day of the Gregorian calendar (H. Hinnant, chrono-compatible low-level date algorithms).
func civil(year, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	return int64(era*146097+yearOfEra*365+yearOfEra/4-yearOfEra/100+dayOfYear) - 719468
}

// timeOf reads a day and a time of it as microseconds since 1970 UTC: 2013-01-01 05:17, also with T, seconds, fractions and an offset.
// Cut says that there were digits behind the microsecond.
func timeOf(s string) (us int64, cut, ok bool) {
	if len(s) < 16 || len(s) > 40 || s[10] != ' ' && s[10] != 'T' || s[13] != ':' {
		return 0, false, false
	}
	day, ok := dayOf(s)
	hour, ok1 := two(s, 11)
	minute, ok2 := two(s, 14)
	if !ok || !ok1 || !ok2 || hour > 23 || minute > 59 {
		return 0, false, false
	}
	second, i := 0, 16
	if len(s) >= 19 && s[16] == ':' {
		if second, ok = two(s, 17); !ok || second > 59 {
			return 0, false, false
		}
		i = 19
	}
	fraction, scale := int64(0), int64(100_000)
	if i == 19 && i+1 < len(s) && s[i] == '.' {
		for i++; i < len(s) && s[i]-'0' <= 9; i++ {
			fraction += int64(s[i]-'0') * scale
			cut = cut || scale == 0 && s[i] != '0'
			scale /= 10
		}
	}
	offset, ok := offsetOf(s[i:])
	if !ok {
		return 0, false, false
	}
	return (day*24*3600+int64(hour*3600+minute*60+second)-offset)*1e6 + fraction, cut, true
}

// offsetOf reads what comes after a time: nothing, Z, or hours and minutes before UTC, in seconds.
func offsetOf(s string) (int64, bool) {
	switch {
	case s == "" || s == "Z":
		return 0, true
	case len(s) == 6 && (s[0] == '+' || s[0] == '-') && s[3] == ':':
		hour, ok1 := two(s, 1)
		minute, ok2 := two(s, 4)
		offset := int64(hour*3600 + minute*60)
		if s[0] == '-' {
			offset = -offset
		}
		return offset, ok1 && ok2 && hour < 24 && minute < 60
	}
	return 0, false
}

// momentOf reads a text that is a date or a time.
func momentOf(s string) (table.Cell, bool) {
	if d, ok := dateOf(s); ok {
		return table.Cell{Kind: table.Date, Int: d}, true
	}
	if us, cut, ok := timeOf(s); ok && !cut {
		return table.Cell{Kind: table.Time, Int: us}, true
	}
	return table.Cell{}, false
}
