// Package pylike reads texts the way Python's libraries do: regular expressions, dates, formats of dates and printed numbers.
//
// Suites of Great Expectations are written against these, so that their answers must be the same here. The package knows nothing of
// tables or suites. Start reading at Regex, ParseDate and Strptime.
package pylike

import (
	"math"
	"strconv"
	"strings"
)

// Float is a number as Python's repr prints it: the fewest digits that give the same number, and an exponent below 1e-4 and from 1e16.
func Float(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
