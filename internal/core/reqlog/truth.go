package reqlog

import (
	"math"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/table"
)

// Value is what was predicted or what is true: a number, or a text.
type Value struct {
	Number float64
	// Text is set where the value is no number.
	Text   string
	IsText bool
}

// ValueOf is a cell as a Value; ok is false where it holds none. A text that is a number is a number, true is 1.
func ValueOf(c table.Cell) (v Value, ok bool) {
	switch c.Kind {
	case table.Null:
		return v, false
	case table.Boolean, table.Integer:
		return Value{Number: float64(c.Int)}, true
	case table.Number:
		return Value{Number: c.Float}, !math.IsNaN(c.Float)
	case table.Text:
		text := strings.TrimSpace(c.Text)
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return Value{Number: f}, true
		}
		return Value{Text: text, IsText: true}, text != ""
	}
	return Value{Text: c.Shown(), IsText: true}, true
}

// String is the value as people read it.
func (v Value) String() string {
	if v.IsText {
		return v.Text
	}
	return strconv.FormatFloat(v.Number, 'g', -1, 64)
}

// Cell is the value as a cell.
func (v Value) Cell() table.Cell {
	if v.IsText {
		return table.Cell{Kind: table.Text, Text: v.Text}
	}
	return table.Cell{Kind: table.Number, Float: v.Number}
}

// Truth is what became known of a row of a request.
type Truth struct {
	ID     string
	Row    int
	Actual Value
	// At is when it became true; zero where nobody says.
	At time.Time
}

// Taken says what became of truths that were handed in.
type Taken struct {
	Taken int `json:"taken" doc:"values that were read"`
	New   int `json:"new" doc:"of requests whose truth was not known"`
	// Replaced had another value before; Unchanged the same.
	Replaced  int `json:"replaced" doc:"that had another value before"`
	Unchanged int `json:"unchanged" doc:"that had the same value before"`
	// Matched are of requests that are in the log; the others wait for theirs.
	Matched int `json:"matched" doc:"of requests that are in the log; the others are kept and joined if theirs comes"`
}

// Match is a prediction whose truth is known.
type Match struct {
	Endpoint, Version string
	Role              Role
	At                time.Time // of the request
	Received          time.Time // of the truth
	Predicted, Actual Value
}

// Coverage says of how many logged predictions the truth is known.
type Coverage struct {
	// Age is the largest age of the requests that are counted; empty for all others.
	Age       string `json:"age" doc:"requests up to this age, and older than the one before; empty for older ones"`
	Requests  int64  `json:"requests" doc:"rows that were predicted and logged"`
	WithTruth int64  `json:"with_truth"`
}
