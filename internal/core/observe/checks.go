package observe

import (
	"cmp"
	"encoding/json"
	"slices"

	"levada/internal/core/fault"
)

// longestStatement bounds what is kept of the words of an expectation, in bytes.
const longestStatement = 300

// ofCheck reads a report of levada data check, against a suite or a schema.
func ofCheck(text []byte, schema bool) (Result, error) {
	var r struct {
		Success  bool  `json:"success"`
		Rows     int64 `json:"rows"`
		Failed   int   `json:"failed"`
		Passed   *int  `json:"passed"`
		Features *int  `json:"features"`
		// NotJudged says that nothing was evaluated.
		NotJudged string `json:"not_judged"`
		Results   []struct {
			Column     string `json:"column"`
			Type       string `json:"type"`
			Statement  string `json:"statement"`
			Success    bool   `json:"success"`
			Error      string `json:"error"`
			Elements   *int64 `json:"elements"`
			Unexpected *int64 `json:"unexpected"`
		} `json:"results"`
		Anomalies []struct {
			Feature string `json:"feature"`
			Type    string `json:"type"`
		} `json:"anomalies"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return Result{}, errNoReport
	}
	out := Result{Kind: Check, Passed: r.Success, Rows: r.Rows, Failed: r.Failed, Compared: len(r.Results), NotJudged: fault.Shorten(r.NotJudged, longestName)}
	if schema {
		if r.Features == nil {
			return Result{}, errNoReport
		}
		out.Anomalies, out.Failed, out.Compared = true, len(r.Anomalies), *r.Features
		for _, a := range r.Anomalies {
			out.Expectations = append(out.Expectations, Expectation{Column: fault.Shorten(a.Feature, longestName), Statement: fault.Shorten(a.Type, longestStatement)})
		}
		out.Expectations = out.Expectations[:min(len(out.Expectations), MostExpectations)]
		return out, nil
	}
	if r.Passed == nil {
		return Result{}, errNoReport
	}
	for _, x := range r.Results {
		if x.Statement+x.Type == "" {
			continue
		}
		out.Expectations = append(out.Expectations, Expectation{Column: fault.Shorten(x.Column, longestName), Statement: fault.Shorten(cmp.Or(x.Statement, x.Type), longestStatement),
			Passed: x.Success, Error: fault.Shorten(x.Error, longestStatement), Unexpected: x.Unexpected, Elements: x.Elements})
	}
	if len(out.Expectations) > MostExpectations {
		slices.SortStableFunc(out.Expectations, func(a, b Expectation) int { return cmp.Compare(truth(a.Passed), truth(b.Passed)) })
		out.Expectations = slices.Clip(out.Expectations[:MostExpectations])
	}
	return out, nil
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CheckHistory is how checks went from run to run.
type CheckHistory struct {
	// Reports are the newest first. Their expectations are in Expectations.
	Reports []Stored `json:"reports" nullable:"false"`
	// Expectations are ranked: those that failed most often first, then in the order in which the newest report has them.
	Expectations []ExpectationHistory `json:"expectations" nullable:"false"`
	// ExpectationsTotal is how many there are.
	ExpectationsTotal int `json:"expectations_total"`
}

// ExpectationHistory is an expectation over the reports of a CheckHistory.
type ExpectationHistory struct {
	Column    string `json:"column,omitempty"`
	Statement string `json:"statement"`
	// Failed is in how many reports it did not hold, or could not be evaluated; Checked in how many it was looked at.
	Failed  int `json:"failed"`
	Checked int `json:"checked"`
	// Points has one for each report, null where it was not looked at.
	Points []*Expectation `json:"points" nullable:"false"`
}

// ChecksOf ranks the expectations of check reports, which come newest first, and keeps at most so many of them. An expectation is known by
// its column and its words: one whose bounds have changed is another.
func ChecksOf(reports []Stored, most int) CheckHistory {
	h := CheckHistory{Reports: make([]Stored, len(reports)), Expectations: []ExpectationHistory{}}
	type key struct{ column, statement string }
	at := map[key]int{}
	for i, r := range reports {
		h.Reports[i] = r
		h.Reports[i].Expectations = nil
		for k := range r.Expectations {
			e := &r.Expectations[k]
			id := key{e.Column, e.Statement}
			place, ok := at[id]
			if !ok {
				place = len(h.Expectations)
				at[id] = place
				h.Expectations = append(h.Expectations, ExpectationHistory{Column: e.Column, Statement: e.Statement, Points: make([]*Expectation, len(reports))})
			}
			x := &h.Expectations[place]
			if was := x.Points[i]; was == nil || was.Passed {
				x.Points[i] = e // of two with the same words the one that does not hold counts
			}
		}
	}
	for k := range h.Expectations {
		x := &h.Expectations[k]
		for i, r := range reports {
			if x.Points[i] == nil && r.Anomalies && r.NotJudged == "" {
				x.Points[i] = &Expectation{Column: x.Column, Statement: x.Statement, Passed: true}
			}
			if p := x.Points[i]; p != nil {
				x.Checked++
				x.Failed += 1 - truth(p.Passed)
			}
		}
	}
	slices.SortStableFunc(h.Expectations, func(a, b ExpectationHistory) int { return cmp.Compare(b.Failed, a.Failed) })
	h.ExpectationsTotal = len(h.Expectations)
	h.Expectations = slices.Clip(h.Expectations[:min(most, len(h.Expectations))])
	return h
}
