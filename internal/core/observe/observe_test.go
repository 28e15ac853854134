package observe_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/drift"
	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/core/run"
)

func TestDatasetsAreTablesAndFilesOfNoTypeMayBeReports(t *testing.T) {
	for name, tt := range map[string]struct {
		artifact run.Artifact
		want     observe.Subject
	}{
		"a dataset":                        {run.Artifact{SchemaTitle: "system.Dataset", Digest: "sha256:a", Size: 1}, observe.Table},
		"a dataset in a directory":         {run.Artifact{SchemaTitle: "system.Dataset", Digest: "dir-sha256:a", Size: 1}, observe.Table},
		"a dataset that is kept elsewhere": {run.Artifact{SchemaTitle: "system.Dataset", URI: "s3://b/k", Size: 1}, observe.Nothing},
		"an empty dataset":                 {run.Artifact{SchemaTitle: "system.Dataset", Digest: "sha256:a"}, observe.Nothing},
		"a file with the name of a table":  {run.Artifact{SchemaTitle: "system.Artifact", Digest: "sha256:a", Size: 1, CustomPath: "/x/Rows.CSV.gz"}, observe.Table},
		"a file":                           {run.Artifact{SchemaTitle: "system.Artifact", Digest: "sha256:a", Size: 1}, observe.MaybeReport},
		"a file that is too large":         {run.Artifact{SchemaTitle: "system.Artifact", Digest: "sha256:a", Size: observe.MostReport + 1}, observe.Nothing},
		"a directory":                      {run.Artifact{SchemaTitle: "system.Artifact", Digest: "dir-sha256:a", Size: 1}, observe.Nothing},
		"a model":                          {run.Artifact{SchemaTitle: "system.Model", Digest: "sha256:a", Size: 1}, observe.Nothing},
	} {
		if got := observe.SubjectOf(tt.artifact); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func pointer(v float64) *float64 { return &v }

func TestADriftReportIsReadWithTheColumnsInItsOrder(t *testing.T) {
	r := drift.Report{ReferenceRows: 10, CurrentRows: 20, Drifted: true, DriftedColumns: 1, Compared: 2, Share: 0.5, ShareLimit: 0.5, Columns: []drift.Column{
		{Name: "a", Role: "feature", Method: "ks", Label: "Kolmogorov-Smirnov", Score: pointer(0.01), ScoreIs: "p-value", Threshold: 0.05, Drifted: true, Effect: pointer(0.3), Priority: 0.3},
		{Name: "b", Role: "feature", Method: "ks", Label: "Kolmogorov-Smirnov", Threshold: 0.05},
		{Name: "when", Kind: drift.Other, Note: "not compared"},
	}}
	for i := range 300 {
		r.Columns = append(r.Columns, drift.Column{Name: fmt.Sprint(i), Method: "ks"})
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if !observe.LooksLikeReport(text) {
		t.Error("it does not look like a report")
	}
	got, err := observe.ParseReport(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Columns) != observe.MostColumns {
		t.Errorf("%d columns are kept", len(got.Columns))
	}
	got.Columns = got.Columns[:2]
	want := observe.Result{Kind: observe.Drift, ReferenceRows: 10, Rows: 20, Failed: 1, Compared: 2, Share: 0.5, ShareLimit: 0.5, Columns: []observe.Column{
		{Name: "a", Role: "feature", Method: "Kolmogorov-Smirnov", Score: pointer(0.01), ScoreIs: "p-value", Threshold: 0.05, Drifted: true, Effect: pointer(0.3), Priority: 0.3},
		{Name: "b", Role: "feature", Method: "Kolmogorov-Smirnov", Threshold: 0.05},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestACheckIsReadAndOtherJSONIsNoReport(t *testing.T) {
	got, err := observe.ParseReport([]byte(`{"success": false, "rows": 7, "columns": 2, "passed": 1, "failed": 2, "results": [{}, {}, {}]}`))
	if diff := cmp.Diff(observe.Result{Kind: observe.Check, Rows: 7, Failed: 2, Compared: 3}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, text := range []string{"", "{", "[]", `{"success": true}`, `{"success": true, "results": []}`, `{"success": true, "anomalies": []}`, `{"dataset_drift": true}`, `{"dataset_drift": true, "columns": 3}`,
		`{"dataset_drift": 1, "columns": []}`, `{"success": "yes", "results": [], "passed": 1}`, strings.Repeat("[", 100_000)} {
		if r, err := observe.ParseReport([]byte(text)); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%.40q is read as %+v, %v", text, r, err)
		}
	}
	if observe.LooksLikeReport([]byte(`{"lr": 0.1}`)) || observe.LooksLikeReport([]byte(`["success"]`)) || observe.LooksLikeReport(nil) {
		t.Error("what is no report looks like one")
	}
}

func TestExpectationsThatFailMoreOftenComeFirst(t *testing.T) {
	parse := func(day int, text string) observe.Stored {
		r, err := observe.ParseReport([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return observe.Stored{ArtifactID: fmt.Sprint(day), Result: r}
	}
	rows := func(h observe.CheckHistory) []string {
		var out []string
		for _, x := range h.Expectations {
			signs := ""
			for _, p := range x.Points {
				switch {
				case p == nil:
					signs += "-"
				case p.Error != "":
					signs += "?"
				case p.Passed:
					signs += "."
				default:
					signs += "x"
				}
			}
			out = append(out, fmt.Sprintf("%s %s %d/%d %s", x.Column, x.Statement, x.Failed, x.Checked, signs))
		}
		return out
	}
	h := observe.ChecksOf([]observe.Stored{
		parse(3, `{"success": false, "rows": 9, "passed": 1, "failed": 2, "results": [{"column": "a", "statement": "not_null", "success": true},
			{"column": "a", "statement": "unique", "success": false, "unexpected": 2, "elements": 9}, {"statement": "row_count: 10", "success": false}]}`),
		parse(2, `{"success": false, "rows": 9, "passed": 1, "failed": 1, "results": [{"column": "a", "statement": "unique", "success": false, "error": "no such column"},
			{"column": "a", "statement": "not_null", "success": true}]}`),
		parse(1, `{"success": true, "rows": 9, "passed": 1, "failed": 0, "results": [{"column": "a", "statement": "unique", "success": true}]}`),
	}, 2)
	if diff := cmp.Diff([]string{"a unique 2/3 x?.", " row_count: 10 1/1 x--"}, rows(h)); diff != "" {
		t.Error(diff)
	}
	if h.ExpectationsTotal != 3 || len(h.Reports) != 3 || h.Reports[0].Expectations != nil || *h.Expectations[0].Points[0].Unexpected != 2 {
		t.Errorf("%+v", h)
	}
	// A check against a schema lists what is wrong: what it does not list holds.
	h = observe.ChecksOf([]observe.Stored{
		parse(2, `{"success": false, "rows": 9, "features": 4, "anomalies": [{"feature": "a", "type": "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "description": "x"}]}`),
		parse(1, `{"success": true, "rows": 9, "features": 4, "anomalies": []}`),
		parse(0, `{"success": true, "rows": 1, "not_judged": "the table has 1 row, wanted 5", "features": 0, "anomalies": []}`),
	}, 10)
	if diff := cmp.Diff([]string{"a ENUM_TYPE_UNEXPECTED_STRING_VALUES 1/2 x.-"}, rows(h)); diff != "" {
		t.Error(diff)
	}
	if r := h.Reports[0]; r.Passed || r.Failed != 1 || r.Compared != 4 {
		t.Errorf("%+v", r)
	}
	if r := h.Reports[2]; !r.Passed || r.NotJudged != "the table has 1 row, wanted 5" {
		t.Errorf("%+v", r)
	}
	many := `{"success": false, "rows": 1, "passed": 300, "failed": 1, "results": [` + strings.Repeat(`{"type": "t", "success": true},`, 300) + `{"statement": "last", "success": false}]}`
	if got := parse(1, many).Expectations; len(got) != observe.MostExpectations || got[0].Statement != "last" {
		t.Errorf("%d are kept, the first is %+v", len(got), got[0])
	}
}

func TestColumnsThatDriftMoreOftenComeFirst(t *testing.T) {
	column := func(name string, drifted bool, priority float64) observe.Column {
		return observe.Column{Name: name, Drifted: drifted, Priority: priority}
	}
	report := func(day int, columns ...observe.Column) observe.Stored {
		return observe.Stored{ArtifactID: fmt.Sprint(day), At: time.Unix(int64(day), 0), Result: observe.Result{Kind: observe.Drift, Columns: columns}}
	}
	h := observe.HistoryOf([]observe.Stored{
		report(3, column("often", true, 0.2), column("calm", false, 0.1), column("new", false, 0.9)),
		report(2, column("often", true, 0.4), column("once", true, 0.8), column("often", false, 7)),
		report(1, column("calm", false, 0.3), column("once", false, 0.2)),
	}, 3)
	var order []string
	for _, c := range h.Columns {
		order = append(order, fmt.Sprintf("%s %d/%d %.2f", c.Name, c.Drifted, c.Compared, c.Priority))
	}
	if diff := cmp.Diff([]string{"often 2/2 0.30", "once 1/2 0.50", "new 0/1 0.90"}, order); diff != "" {
		t.Error(diff)
	}
	if h.ColumnsTotal != 4 || len(h.Reports) != 3 || h.Reports[0].Columns != nil {
		t.Errorf("%d columns, %d reports", h.ColumnsTotal, len(h.Reports))
	}
	once := h.Columns[1].Points
	if once[0] != nil || !once[1].Drifted || once[2].Drifted {
		t.Errorf("points %+v", once)
	}
}

func FuzzParseReport(f *testing.F) {
	f.Add([]byte(`{"success": false, "rows": 7, "passed": 1, "failed": 2, "results": [{}]}`))
	f.Add([]byte(`{"dataset_drift": true, "columns": [{"name": "a", "method": "ks", "score": 1e400}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := observe.ParseReport(text)
		if err != nil {
			return
		}
		h := observe.HistoryOf([]observe.Stored{{Result: r}}, 10)
		if _, err := json.Marshal(h); err != nil {
			t.Errorf("a history cannot be sent: %v", err)
		}
		observe.ChecksOf([]observe.Stored{{Result: r}, {Result: r}}, 10)
	})
}
