package mlflow

import (
	"encoding/json"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/trace"
	"levada/internal/core/track"
	"levada/internal/tracing"
)

var sourceTypes = []string{"SOURCE_TYPE_UNSPECIFIED", "HUMAN", "LLM_JUDGE", "CODE"}

// readAssessment reads an assessment that a client has sent.
func readAssessment(o object) trace.Assessment {
	source := o.object("source")
	a := trace.Assessment{ID: o.text("assessment_id"), Name: o.text("assessment_name"), CreatedMS: o.instant("create_time"),
		UpdatedMS: o.instant("last_update_time"), SourceType: sourceTypes[0], SourceID: source.text("source_id"),
		Metadata: o.strings("metadata"), SpanID: o.text("span_id"), Overrides: o.text("overrides")}
	if v, there := source.get("source_type"); there {
		s, ok := enum(v, sourceTypes)
		if !ok {
			o.r.wrong(source.path+"source_type", v)
		}
		a.SourceType = s
	}
	if rationale := o.optionalText("rationale"); rationale != nil && *rationale != "" {
		a.Rationale = rationale
	}
	readJudgement(o, &a)
	if a.Kind == trace.Expectation {
		a.Rationale, a.Overrides = nil, ""
	}
	return a
}

// readJudgement reads the value of an assessment, which says what kind it is.
func readJudgement(o object, a *trace.Assessment) {
	has := func(name string) bool {
		_, there := o.get(name)
		return there
	}
	switch {
	case has("expectation"):
		e := o.object("expectation")
		a.Kind, a.Value = trace.Expectation, e.json("value")
		if s := e.object("serialized_value"); s.fields != nil {
			a.Value = s.text("value")
			if format := s.text("serialization_format"); format != "JSON_FORMAT" && o.r.err == nil {
				o.r.err = fault.Invalidf("Unknown serialization format: %s. Only JSON_FORMAT is supported.", fault.Shorten(format, 100))
			}
			if !json.Valid([]byte(a.Value)) && o.r.err == nil {
				o.r.err = fault.Invalidf("The serialized value of expectation '%s' is not JSON", fault.Shorten(a.Name, 100))
			}
		}
	case has("feedback"):
		f := o.object("feedback")
		a.Kind, a.Value = trace.Feedback, f.json("value")
		if e := f.object("error"); e.fields != nil {
			a.Error = &trace.Error{Code: e.text("error_code"), Message: e.text("error_message"), Stack: e.text("stack_trace")}
		}
	case has("issue"):
		a.Kind, a.IssueName = trace.Issue, o.object("issue").text("issue_name")
		a.Value = `{"issue_name": ` + string(trace.AppendQuoted(nil, a.IssueName)) + "}"
	default:
		if o.r.err == nil {
			o.r.err = fault.Invalidf("Unknown assessment type: None")
		}
	}
}

// json is a field as JSON text, as Python writes it; null when it is not there. A number is one with a fraction, as protobuf's values are.
func (o object) json(name string) string {
	v, _ := o.get(name)
	return string(appendPython(nil, v))
}

func appendPython(out []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return trace.AppendQuoted(out, v)
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return append(out, "null"...)
		}
		return trace.AppendFloat(out, f)
	case []any:
		out = append(out, '[')
		for i, item := range v {
			if i > 0 {
				out = append(out, ", "...)
			}
			out = appendPython(out, item)
		}
		return append(out, ']')
	}
	return appendMarshalled(out, v)
}

type sourceWire struct {
	Type string `json:"source_type"`
	ID   string `json:"source_id,omitempty"`
}

type assessmentWire struct {
	ID          string            `json:"assessment_id"`
	Name        string            `json:"assessment_name"`
	TraceID     string            `json:"trace_id"`
	SpanID      string            `json:"span_id,omitempty"`
	Source      sourceWire        `json:"source"`
	Created     json.RawMessage   `json:"create_time"`
	Updated     json.RawMessage   `json:"last_update_time"`
	Feedback    map[string]any    `json:"feedback,omitzero"`
	Expectation map[string]any    `json:"expectation,omitzero"`
	Issue       map[string]any    `json:"issue,omitzero"`
	Rationale   *string           `json:"rationale,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Overrides   string            `json:"overrides,omitempty"`
	Valid       bool              `json:"valid"`
}

func wireAssessment(traceID string, a trace.Assessment) assessmentWire {
	w := assessmentWire{ID: a.ID, Name: a.Name, TraceID: traceID, SpanID: a.SpanID, Source: sourceWire{a.SourceType, a.SourceID},
		Created: appendInstant(nil, a.CreatedMS), Updated: appendInstant(nil, a.UpdatedMS), Rationale: a.Rationale, Overrides: a.Overrides, Valid: !a.Invalid}
	if len(a.Metadata) > 0 {
		w.Metadata = map[string]string{}
		for _, m := range a.Metadata {
			w.Metadata[m.Key] = m.Value
		}
	}
	value := json.RawMessage(a.Value)
	switch a.Kind {
	case trace.Feedback:
		w.Feedback = map[string]any{"value": value}
		if e := a.Error; e != nil {
			w.Feedback["error"] = wireError(e)
		}
	case trace.Expectation:
		w.Expectation = map[string]any{"value": value}
		if strings.HasPrefix(a.Value, "{") || strings.HasPrefix(a.Value, "[") {
			w.Expectation = map[string]any{"serialized_value": map[string]string{"serialization_format": "JSON_FORMAT", "value": a.Value}}
		}
	case trace.Issue:
		w.Issue = map[string]any{"issue_name": a.IssueName}
	}
	return w
}

// maxStack is how much of a stack trace is shown, from its end.
const maxStack = 10_000

func wireError(e *trace.Error) map[string]string {
	out := map[string]string{"error_code": e.Code}
	if e.Message != "" {
		out["error_message"] = e.Message
	}
	if e.Stack != "" {
		out["stack_trace"] = e.Stack
		if n := len([]rune(e.Stack)); n > maxStack {
			const head = "[Stack trace is truncated]\n...\n"
			out["stack_trace"] = head + string([]rune(e.Stack)[n-maxStack+len(head):])
		}
	}
	return out
}

type assessmentAnswer struct {
	Assessment assessmentWire `json:"assessment"`
}

func (d *door) createAssessment(r *request) (any, error) {
	r.take("assessment", required)
	a := readAssessment(r.object("assessment"))
	if r.err != nil {
		return nil, r.err
	}
	stored, err := d.Tracing.Assess(r.Context(), r.args[0], a)
	return assessmentAnswer{wireAssessment(r.args[0], stored)}, err
}

func (d *door) getAssessment(r *request) (any, error) {
	a, err := d.Tracing.Assessment(r.Context(), r.args[0], r.args[2])
	return assessmentAnswer{wireAssessment(r.args[0], a)}, err
}

func (d *door) updateAssessment(r *request) (any, error) {
	r.take("assessment", required)
	mask := r.text("update_mask", required)
	o := r.object("assessment")
	var u tracing.Update
	for _, field := range strings.Split(mask, ",") {
		switch field {
		case "assessmentName", "assessment_name":
			name := o.text("assessment_name")
			u.Name = &name
		case "rationale":
			rationale := o.text("rationale")
			u.Rationale = &rationale
		case "metadata":
			u.Metadata = append([]track.KV{}, o.strings("metadata")...)
		case "feedback", "expectation":
			var a trace.Assessment
			readJudgement(o, &a)
			if field == "feedback" {
				u.Feedback = &a
			} else {
				u.Expectation = &a
			}
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	a, err := d.Tracing.UpdateAssessment(r.Context(), r.args[0], r.args[2], u)
	return assessmentAnswer{wireAssessment(r.args[0], a)}, err
}

func (d *door) deleteAssessment(r *request) (any, error) {
	return empty{}, d.Tracing.DeleteAssessment(r.Context(), r.args[0], r.args[2])
}
