package search

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
)

// TraceRow is a trace as a filter sees it.
type TraceRow interface {
	Row
	// Assessments returns the JSON values of the valid assessments of a kind that have a name.
	Assessments(kind Entity, name string) []string
	// AnySpan reports whether one of the spans satisfies all conditions.
	AnySpan(conditions func(SpanRow) bool) bool
}

// SpanRow is a span as a filter sees it.
type SpanRow interface {
	// Field returns name, type, status or an attribute ("attributes.x") of the span; of an attribute that is a text the text.
	Field(key string) (string, bool)
	// May reports whether a field may have a value; it is quick, and wrong in one direction alone.
	May(key, value string) bool
	// Content is the span as JSON.
	Content() string
}

// The keys that stand for tags, metadata and spans.
const (
	tagTraceName = "mlflow.traceName"
	tagPrompts   = "mlflow.linkedPrompts"
	metaRun      = "mlflow.sourceRun"
)

// Traces is the grammar of searches for traces.
var Traces = Grammar{
	entities: map[string]Entity{"tag": Tag, "tags": Tag, "request_metadata": Metadata, "metadata": Metadata, "attribute": Attribute,
		"attributes": Attribute, "trace": Attribute, "span": Span, "feedback": Feedback, "expectation": Expectation, "issue": Issue},
	valid: "Valid values are {'tag', 'tags', 'metadata', 'request_metadata', 'attribute', 'attributes', 'trace', 'span', 'feedback', 'expectation', 'issue'}",
	attributes: []string{"request_id", "timestamp", "timestamp_ms", "execution_time", "execution_time_ms", "end_time", "end_time_ms", "status",
		"client_request_id", "name", "run_id", "prompt", "text"},
	orders: []string{"experiment_id", "timestamp", "timestamp_ms", "execution_time", "execution_time_ms", "end_time", "end_time_ms", "status",
		"request_id", "name", "run_id"},
	numbers: []string{"timestamp_ms", "execution_time_ms", "end_time_ms"},
	rename:  renameTrace, compare: compareTrace,
}

// renameTrace maps short names to what they stand for. As in MLflow, the entity before the dot does not matter, unless it is span.
func renameTrace(t Term) Term {
	if t.Entity == Span {
		return t
	}
	switch key := strings.ToLower(t.Key); key {
	case "name":
		return Term{Tag, tagTraceName}
	case "prompt":
		return Term{Tag, tagPrompts}
	case "run_id":
		return Term{Metadata, metaRun}
	case "text":
		return Term{Span, "content"}
	case "timestamp", "execution_time", "end_time":
		t.Key = key + "_ms"
	}
	return t
}

var (
	traceTagOps    = []string{"!=", "=", "LIKE", "ILIKE", "RLIKE", "IS NULL", "IS NOT NULL"}
	traceTextOps   = []string{"!=", "=", "IN", "NOT IN", "LIKE", "ILIKE", "RLIKE"}
	assessmentOps  = []string{"!=", "=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "RLIKE", "IS NULL", "IS NOT NULL"}
	contentOps     = []string{"LIKE", "ILIKE"}
	traceListable  = []string{"name", "status", "request_id", "run_id", "client_request_id"}
	spanAttributes = []string{"name", "type", "status"}
)

func oneOf(op string, ops []string) error {
	if !slices.Contains(ops, op) {
		return fault.Invalidf("Invalid comparator '%s' not one of '{'%s'}'", op, strings.Join(ops, "', '"))
	}
	return nil
}

// compareTrace reads what follows a term and makes the comparison.
func compareTrace(p *parser, t Term, op string) (Expr, error) {
	switch {
	case t.Entity == Attribute && slices.Contains(p.g.numbers, t.Key):
		return p.traceNumber(t, op)
	case t.Entity == Feedback || t.Entity == Expectation:
		return p.assessment(t, op)
	}
	ops, list := traceTagOps, false
	switch t.Entity {
	case Attribute:
		ops, list = traceTextOps, slices.Contains(traceListable, t.Key)
	case Span:
		spanOps, err := opsOfSpan(t, op)
		if err != nil {
			return nil, err
		}
		ops, list = spanOps, true
	case Issue:
		if t.Key != "id" {
			return nil, fault.Invalidf("Invalid issue attribute '%s'. Supported attributes: id", t.Key)
		}
		ops = []string{"="}
	}
	if t == (Term{Tag, tagPrompts}) && op != "=" {
		return nil, fault.Invalidf("Invalid comparator '%s' for prompts filter. Only '=' is supported with format: prompt = \"name/version\"", op)
	}
	if op == "IS NULL" || op == "IS NOT NULL" {
		return present{Term: t, want: op == "IS NOT NULL"}, oneOf(op, ops)
	}
	x, err := p.traceText(t, op, ops, list)
	if err != nil {
		return nil, err
	}
	switch {
	case t == (Term{Tag, tagPrompts}) && strings.Count(x.values[0], "/") != 1:
		return nil, fault.Invalidf("Invalid prompts filter value '%s'. Expected format: prompt = \"name/version\"", x.values[0])
	case t.Entity == Span:
		return spanText{x}, nil
	case t.Entity == Issue:
		return judged{Entity: Issue, name: x.values[0], any: true}, nil
	case t == (Term{Metadata, metaRun}) && op == "=":
		return ofRun{x}, nil
	case t == (Term{Tag, tagPrompts}):
		return ofRun{x}, nil
	}
	return x, nil
}

func opsOfSpan(t Term, op string) ([]string, error) {
	switch {
	case strings.HasPrefix(t.Key, "attributes."):
		if t.Key == "attributes." {
			return nil, fault.Invalidf("Span attribute name cannot be empty after 'attributes.'")
		}
	case t.Key == "content":
		return contentOps, oneOf(op, contentOps)
	case !slices.Contains(spanAttributes, t.Key):
		return nil, fault.Invalidf("Invalid span attribute '%s'. Supported attributes: name, status, type, attributes.<attribute_name>.", t.Key)
	}
	return traceTextOps, oneOf(op, traceTextOps)
}

// traceNumber compares a time.
func (p *parser) traceNumber(t Term, op string) (Expr, error) {
	if err := oneOf(op, numberOps); err != nil {
		return nil, err
	}
	v := p.peek()
	raw := v.raw
	switch {
	case v.kind == stringText || v.kind == identifier && v.raw[0] == '"':
		raw = v.raw[1 : len(v.raw)-1]
	case v.kind == open:
		return nil, fault.Invalidf("Only attributes in {'%s'} supports comparison with a list of quoted string values.", strings.Join(traceListable, "', '"))
	case v.kind != numeric:
		_, err := p.text(t)
		return nil, err
	}
	n, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		return nil, fault.Invalidf("Expected numeric value type for numeric attribute: %s. Found %s", t.Key, v.raw)
	}
	p.take()
	return number{Term: t, op: op, value: n}, nil
}

// traceText reads a text or a list of texts.
func (p *parser) traceText(t Term, op string, ops []string, list bool) (text, error) {
	x := text{Term: t, op: op}
	v := p.peek()
	switch {
	case v.kind == open && t.Entity == Attribute && !list:
		return x, fault.Invalidf("Only attributes in {'%s'} supports comparison with a list of quoted string values.", strings.Join(traceListable, "', '"))
	case v.kind == open && (list || t.Entity == Tag):
		values, err := p.values()
		if err != nil {
			return x, err
		}
		x.values = values
		if err := oneOf(op, ops); err != nil {
			return x, err
		}
		if op != "IN" && op != "NOT IN" {
			return x, fault.Invalidf("Invalid comparator '%s': a list is compared with IN or NOT IN", op)
		}
		return x, nil
	case v.kind == numeric && t.Entity == Attribute:
		return x, fault.Invalidf("Only the '{'%s'}' attributes support comparison with numeric values.", strings.Join(p.g.numbers, "', '"))
	case v.kind == numeric || v.kind == open:
		return x, fault.Invalidf("Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", t.Entity, p.found())
	}
	s, err := p.text(t)
	if err == nil {
		err = oneOf(op, ops)
	}
	if err != nil {
		return x, err
	}
	x.values = []string{s}
	switch op {
	case "IN", "NOT IN":
		return x, p.unexpected()
	case "RLIKE":
		re, wrong := regexp.Compile(s)
		if wrong != nil {
			return x, fault.Invalidf("the pattern %q is no regular expression: %w", fault.Shorten(s, 200), wrong)
		}
		x.like, x.op = re, "LIKE"
	case "LIKE", "ILIKE":
		x.like, err = like(s, op == "ILIKE")
	}
	return x, err
}

// assessment compares a feedback or an expectation.
func (p *parser) assessment(t Term, op string) (Expr, error) {
	if t.Key == "" {
		return nil, fault.Invalidf("Assessment field name cannot be empty")
	}
	x := judged{Entity: t.Entity, name: t.Key}
	switch op {
	case "IS NULL", "IS NOT NULL":
		x.any, x.none = op == "IS NOT NULL", op == "IS NULL"
		return x, nil
	case ">", ">=", "<", "<=":
		v := p.peek()
		if v.kind != numeric {
			return nil, fault.Invalidf("Expected a numeric value for %s when using comparator '%s'. Got value %s", t.Entity, op, p.found())
		}
		n, err := strconv.ParseFloat(v.raw, 64)
		if err != nil {
			return nil, fault.Invalidf("The number %s in the filter is out of range", v.raw)
		}
		p.take()
		x.number = &number{Term: t, op: op, value: n}
		return x, nil
	}
	if k := p.peek().kind; k == numeric || k == open {
		return nil, fault.Invalidf("Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", t.Entity, p.found())
	}
	value, err := p.traceText(t, op, assessmentOps, false)
	x.text = value
	return x, err
}

// ofRun holds where a trace has a value among several, such as the runs that it is linked to.
type ofRun struct{ text }

func (x ofRun) Match(r Row) bool { return slices.Contains(r.Each(x.Key), x.values[0]) }

// judged compares the values of assessments.
type judged struct {
	Entity
	name      string
	text      text
	number    *number
	any, none bool
}

func (x judged) Match(r Row) bool {
	values := r.(TraceRow).Assessments(x.Entity, x.name) //nolint:forcetypeassert // the grammar of traces is for traces
	if x.any || x.none {
		return x.any == (len(values) > 0)
	}
	return slices.ContainsFunc(values, x.holds)
}

func (x judged) holds(value string) bool {
	if x.number != nil {
		n, err := strconv.ParseFloat(value, 64)
		return err == nil && x.number.holds(n)
	}
	if x.text.op != "=" && x.text.op != "!=" {
		return x.text.holds(value)
	}
	same := value == x.text.values[0]
	var s string
	if json.Unmarshal([]byte(value), &s) == nil && strings.HasPrefix(value, `"`) {
		same = same || s == x.text.values[0]
	}
	return same == (x.text.op == "=")
}

// spanText is a condition on a span, and spans are those that one span has to satisfy.
type (
	spanText struct{ text }
	spans    []spanText
)

func (x spanText) Match(r Row) bool { return spans{x}.Match(r) }

func (x spans) Match(r Row) bool {
	return r.(TraceRow).AnySpan(func(s SpanRow) bool { //nolint:forcetypeassert // as above
		for _, c := range x {
			if c.Key == "content" { // no need to decode the span for that
				if !c.holds(s.Content()) {
					return false
				}
				continue
			}
			if c.op == "=" && !s.May(c.Key, c.values[0]) {
				return false
			}
			if value, there := s.Field(c.Key); !there || !c.holds(value) {
				return false
			}
		}
		return true
	})
}

// sameSpan makes the conditions on spans that are joined by AND conditions on the same span. They come last: they cost the most.
func sameSpan(every and) and {
	var rest and
	var onSpans spans
	for _, e := range every {
		if s, ok := e.(spanText); ok {
			onSpans = append(onSpans, s)
			continue
		}
		rest = append(rest, e)
	}
	if len(onSpans) == 0 {
		return every
	}
	return append(rest, onSpans)
}

// Bounds are what the conditions that are joined by AND say about where to look: the times and the one run that a trace must have.
// Nil and empty mean anything.
type Bounds struct {
	From, To *float64
	RunID    string
}

// BoundsOf reads the bounds of a filter of traces.
func BoundsOf(e Expr) Bounds {
	var b Bounds
	every, ok := e.(and)
	if !ok {
		return b
	}
	for _, part := range every {
		switch x := part.(type) {
		case ofRun:
			if x.Term == (Term{Metadata, metaRun}) {
				b.RunID = x.values[0]
			}
		case number:
			if x.Term == (Term{Attribute, "timestamp_ms"}) {
				if x.op != "<" && x.op != "<=" && x.op != "!=" && (b.From == nil || x.value > *b.From) {
					b.From = &x.value
				}
				if x.op != ">" && x.op != ">=" && x.op != "!=" && (b.To == nil || x.value < *b.To) {
					b.To = &x.value
				}
			}
		}
	}
	return b
}
