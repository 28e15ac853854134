package search_test

import (
	"strings"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/search"
)

// traced is a trace as a filter sees it: texts by entity and key, times, values of assessments and spans.
type traced struct {
	row
	judged map[search.Term][]string
	spans  []spanned
}

type spanned map[string]string

func (s spanned) Field(key string) (string, bool) { v, ok := s[key]; return v, ok }
func (s spanned) Content() string                 { return s["content"] }
func (spanned) May(string, string) bool           { return true }

func (r traced) Number(_ search.Entity, key string, _ search.Part) (float64, bool) {
	return r.start, key == "timestamp_ms"
}

func (r traced) Assessments(e search.Entity, name string) []string {
	return r.judged[search.Term{Entity: e, Key: name}]
}

func (r traced) AnySpan(conditions func(search.SpanRow) bool) bool {
	for _, s := range r.spans {
		if conditions(s) {
			return true
		}
	}
	return false
}

var asked = traced{
	row: row{
		text: map[search.Term]string{
			{Entity: search.Tag, Key: "mlflow.traceName"}: "ask", {Entity: search.Tag, Key: "a b"}: "x", {Entity: search.Metadata, Key: "m"}: "1",
			{Entity: search.Attribute, Key: "status"}: "OK", {Entity: search.Metadata, Key: "mlflow.sourceRun"}: "r1",
		},
		start: 1000, dataset: map[string][]string{"mlflow.sourceRun": {"r1", "r2"}, "mlflow.linkedPrompts": {"p/1"}},
	},
	judged: map[search.Term][]string{
		{Entity: search.Feedback, Key: "score"}: {"0.5"}, {Entity: search.Feedback, Key: "good"}: {"true"}, {Entity: search.Expectation, Key: "e"}: {`"want é"`}, {Entity: search.Issue, Key: "i1"}: {"{}"},
	},
	spans: []spanned{
		{"name": "root", "type": "CHAIN", "status": "OK", "content": "needle"},
		{"name": "llm", "type": "LLM", "status": "ERROR", "attributes.model": "gpt-4"},
	},
}

func TestFiltersOfTracesMatchAsInMLflow(t *testing.T) {
	for filter, want := range map[string]bool{
		"": true, "status = 'OK'": true, "trace.status = 'ERROR'": false, "status IN ('OK', 'x')": true, "status NOT IN ('OK')": false,
		"name = 'ask'": true, "trace.name RLIKE '^a'": true, "name IS NULL": false, "tags.none IS NULL": true, "tags.`a b` = 'x'": true,
		"metadata.m = '1'": true, "request_metadata.m != '1'": false,
		"timestamp > 999": true, "timestamp_ms >= '1000'": true, "attributes.timestamp < 1000": false,
		"run_id = 'r2'": true, "run_id != 'r1'": false, "prompt = 'p/1'": true, "prompt = 'p/2'": false,
		"feedback.score >= 0.5": true, "feedback.score > 0.5": false, "feedback.good = 'true'": true, "feedback.good > 0": false, "feedback.none IS NULL": true,
		"expectation.e = 'want é'": true, "expectation.e LIKE '%want%'": true, "issue.id = 'i1'": true, "issue.id = 'i2'": false,
		"span.name = 'llm' AND span.type = 'LLM'":                                       true,
		"span.name = 'llm' AND span.type = 'CHAIN'":                                     false, // each holds, on different spans
		"span.name = 'llm' OR span.type = 'NONE'":                                       true,
		"span.attributes.model LIKE 'gpt%' AND span.status = 'ERROR' AND status = 'OK'": true,
		"trace.text ILIKE '%NEEDLE%'":                                                   true, "text LIKE '%NEEDLE%'": false, "span.content LIKE '%x%'": false,
		"(status = 'OK' AND name = 'no') OR feedback.score < 1": true,
	} {
		e, err := search.Traces.Parse(filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
		} else if got := e.Match(asked); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}

func TestWhatIsNoFilterOfTracesIsRefusedWithAReason(t *testing.T) {
	for filter, part := range map[string]string{
		"none = 'x'": "Invalid attribute key 'none'", "bad.x = 'y'": "Invalid entity type 'bad'", "status > 'a'": "Invalid comparator '>'", "status = 1": "numeric values",
		"timestamp = 'x'": "Expected numeric", "timestamp LIKE '1'": "Invalid comparator", "timestamp = (1)": "list of quoted", "metadata.m IN ('x')": "Expected a quoted string value for request_metadata",
		"span.none = 'x'": "Invalid span attribute 'none'", "span.attributes. = 'x'": "", "span.content = 'x'": "Invalid comparator", "span.name IS NULL": "Invalid comparator",
		"feedback.x = 1": "Expected a quoted string value for feedback", "feedback.x > 'a'": "Expected a numeric value", "issue.x = 'y'": "Invalid issue attribute", "issue.id != 'y'": "Invalid comparator",
		"prompt = 'p'": "Expected format", "prompt LIKE 'p/1'": "prompts filter", "tags.x RLIKE '('": "no regular expression", "status =": "Invalid clause", "status": "Invalid clause",
	} {
		_, err := search.Traces.Parse(filter)
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: error %v, want an Invalid one with %q", filter, err, part)
		}
	}
}

func TestBoundsSayWhereToLook(t *testing.T) {
	e, err := search.Traces.Parse("timestamp > 5 AND timestamp_ms <= 9 AND timestamp_ms <= 12 AND run_id = 'r' AND timestamp != 7")
	if err != nil {
		t.Fatal(err)
	}
	if b := search.BoundsOf(e); *b.From != 5 || *b.To != 9 || b.RunID != "r" {
		t.Errorf("bounds %v to %v, run %q", *b.From, *b.To, b.RunID)
	}
	if e, err = search.Traces.Parse("timestamp > 5 OR run_id = 'r'"); err != nil {
		t.Fatal(err)
	}
	if b := search.BoundsOf(e); b.From != nil || b.RunID != "" {
		t.Errorf("one of two is no bound: %+v", b)
	}
}

func FuzzAFilterOfTracesIsReadOrRefused(f *testing.F) {
	for _, s := range []string{"span.attributes.`a.b` RLIKE '^x$'", "feedback.a >= 0.5 AND text LIKE '%x%'", "name IN ('a')", "timestamp > 1 OR (prompt = 'a/1')", "issue.id = 'x'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		if e, err := search.Traces.Parse(filter); err == nil {
			e.Match(asked)
			search.BoundsOf(e)
		} else if fault.KindOf(err) != fault.Invalid {
			t.Fatalf("%q: %v is no Invalid error", filter, err)
		}
		if o, err := search.Traces.ParseOrder(filter); err == nil {
			o.KeyOf(asked)
		}
	})
}
