package observe

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"time"

	"levada/internal/core/drift"
	"levada/internal/core/fault"
)

// Kind is what a report is about.
type Kind string

// The kinds of reports.
const (
	Drift Kind = "drift" // of levada data drift
	Check Kind = "check" // of levada data check
)

// Result is what is kept of a report, so that reports of many runs can be seen together.
type Result struct {
	Kind Kind `json:"kind"`
	// Passed says that the table has not drifted, or that all expectations hold.
	Passed bool `json:"passed"`
	// NotJudged says why the table was not looked at: it has too few rows. Passed is true then.
	NotJudged string `json:"not_judged,omitempty"`
	// ReferenceRows are those of the reference of a drift report, Rows those of the table itself.
	ReferenceRows int64 `json:"reference_rows,omitempty"`
	Rows          int64 `json:"rows"`
	// Failed of Compared columns have drifted, or of the expectations do not hold.
	Failed   int `json:"failed"`
	Compared int `json:"compared"`
	// Share is the share of drifted columns and ShareLimit that from which on the table has drifted.
	Share      float64 `json:"share,omitempty"`
	ShareLimit float64 `json:"share_limit,omitempty"`
	// Columns are those of a drift report, the most important first; at most MostColumns.
	Columns []Column `json:"columns,omitempty"`
	// Expectations are those of a check, in their order; at most MostExpectations. Of a check against a schema they are what is other than it
	// says (Anomalies), and all that is not listed holds.
	Expectations []Expectation `json:"expectations,omitempty"`
	Anomalies    bool          `json:"anomalies,omitempty"`
}

// MostColumns is how many columns are kept of a report.
const MostColumns = 200

// MostExpectations is how many expectations are kept of a report. Those that do not hold come before others where there are more.
const MostExpectations = 200

// Expectation is what is kept of an expectation of a check.
type Expectation struct {
	// Column is empty for one about the table.
	Column    string `json:"column,omitempty"`
	Statement string `json:"statement"`
	Passed    bool   `json:"passed"`
	// Error says why it could not be evaluated.
	Error string `json:"error,omitempty"`
	// Unexpected of so many values were not as expected; nil where it is not about each row.
	Unexpected *int64 `json:"unexpected,omitempty"`
	Elements   *int64 `json:"elements,omitempty"`
}

// Column is what is kept of a column of a drift report; the fields are those of drift.Column.
type Column struct {
	Name      string   `json:"name"`
	Role      string   `json:"role,omitempty"`
	Method    string   `json:"method,omitempty"`
	Score     *float64 `json:"score,omitempty"`
	ScoreIs   string   `json:"score_is,omitempty"`
	Threshold float64  `json:"threshold"`
	Drifted   bool     `json:"drifted"`
	Effect    *float64 `json:"effect,omitempty"`
	Priority  float64  `json:"priority"`
}

// Stored is a result with where it is from.
type Stored struct {
	Result
	ArtifactID string    `json:"artifact_id"`
	RunID      string    `json:"run_id"`
	RunName    string    `json:"run_name,omitempty"`
	TaskID     string    `json:"task_id"`
	Pipeline   string    `json:"pipeline"`
	Task       string    `json:"task"`
	At         time.Time `json:"at"`
}

// headSize is how much of a file tells whether it may be a report.
const headSize = 512

// LooksLikeReport says whether a file that begins so may be a report that ParseReport reads.
func LooksLikeReport(head []byte) bool {
	head = bytes.TrimLeft(head[:min(len(head), headSize)], " \t\r\n")
	return bytes.HasPrefix(head, []byte("{")) && (bytes.Contains(head, []byte(`"reference_rows"`)) || bytes.Contains(head, []byte(`"success"`)))
}

// errNoReport says that bytes are no report.
var errNoReport = fault.Invalidf("this is no report of levada data drift or levada data check")

// ParseReport reads the JSON of a report of `levada data drift` or `levada data check`. Anything else is an Invalid error.
func ParseReport(text []byte) (Result, error) {
	var is struct {
		Drift   *bool              `json:"dataset_drift"`
		Columns *json.RawMessage   `json:"columns"`
		Success *bool              `json:"success"`
		Results *[]json.RawMessage `json:"results"`

		Anomalies *[]json.RawMessage `json:"anomalies"`
	}
	if json.Unmarshal(text, &is) != nil {
		return Result{}, errNoReport
	}
	switch {
	case is.Drift != nil && is.Columns != nil:
		var r drift.Report
		if err := json.Unmarshal(text, &r); err != nil {
			return Result{}, fault.Invalidf("read a drift report: %w", err)
		}
		return ofDrift(r), nil
	case is.Success != nil && (is.Results != nil || is.Anomalies != nil):
		return ofCheck(text, is.Anomalies != nil)
	}
	return Result{}, errNoReport
}

// longestName bounds names of columns that are kept, in bytes.
const longestName = 200

func ofDrift(r drift.Report) Result {
	out := Result{Kind: Drift, Passed: !r.Drifted, NotJudged: fault.Shorten(r.NotJudged, longestName), ReferenceRows: r.ReferenceRows, Rows: r.CurrentRows, Failed: r.DriftedColumns, Compared: r.Compared,
		Share: r.Share, ShareLimit: r.ShareLimit}
	for _, c := range r.Columns {
		if len(out.Columns) == MostColumns {
			break
		}
		if c.Method == "" && !c.Drifted {
			continue // not compared
		}
		out.Columns = append(out.Columns, Column{Name: fault.Shorten(c.Name, longestName), Role: c.Role, Method: fault.Shorten(c.Label, longestName), Score: c.Score, ScoreIs: c.ScoreIs,
			Threshold: c.Threshold, Drifted: c.Drifted, Effect: c.Effect, Priority: c.Priority})
	}
	return out
}

// History is how drift went from run to run.
type History struct {
	// Reports are the newest first. Their columns are in Columns.
	Reports []Stored `json:"reports" nullable:"false"`
	// Columns are ranked: those that drifted most often first, then by the mean of their priority.
	Columns []ColumnHistory `json:"columns" nullable:"false"`
	// ColumnsTotal is how many columns there are.
	ColumnsTotal int `json:"columns_total"`
}

// ColumnHistory is a column over the reports of a History.
type ColumnHistory struct {
	Name string `json:"name"`
	Role string `json:"role,omitempty"`
	// Drifted is in how many reports the column drifted, Compared in how many it was compared.
	Drifted  int `json:"drifted"`
	Compared int `json:"compared"`
	// Priority is the mean over the reports in which it was compared.
	Priority float64 `json:"priority"`
	// Points has one for each report, null where the column was not compared.
	Points []*Column `json:"points" nullable:"false"`
}

// HistoryOf ranks the columns of drift reports, which come newest first, and keeps at most so many of them.
func HistoryOf(reports []Stored, most int) History {
	h := History{Reports: make([]Stored, len(reports)), Columns: []ColumnHistory{}}
	at := map[string]int{}
	for i, r := range reports {
		h.Reports[i] = r
		h.Reports[i].Columns = nil
		for k := range r.Columns {
			c := &r.Columns[k]
			place, ok := at[c.Name]
			if !ok {
				place = len(h.Columns)
				at[c.Name] = place
				h.Columns = append(h.Columns, ColumnHistory{Name: c.Name, Role: c.Role, Points: make([]*Column, len(reports))})
			}
			column := &h.Columns[place]
			if column.Points[i] != nil {
				continue // two columns of one name: the first counts
			}
			column.Points[i] = c
			column.Compared++
			column.Priority += c.Priority
			if c.Drifted {
				column.Drifted++
			}
		}
	}
	for i := range h.Columns {
		h.Columns[i].Priority /= float64(h.Columns[i].Compared)
		if p := h.Columns[i].Priority; math.IsNaN(p) || math.IsInf(p, 0) {
			h.Columns[i].Priority = 0
		}
	}
	slices.SortFunc(h.Columns, func(a, b ColumnHistory) int {
		return cmp.Or(cmp.Compare(b.Drifted, a.Drifted), cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Name, b.Name))
	})
	h.ColumnsTotal = len(h.Columns)
	h.Columns = slices.Clip(h.Columns[:min(most, len(h.Columns))])
	return h
}
