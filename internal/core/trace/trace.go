// Package trace holds the vocabulary of traces: what an application did for one request, as spans inside each other, with the
// judgements that were passed on it later.
//
// The words are MLflow's and OpenTelemetry's. The package is pure and knows no wire format but the JSON of a stored span: the
// tracing service decides with these types, adapters keep them, doors translate them. Start reading at Trace, then at Add.
package trace

import "levada/internal/core/track"

// State is how far a trace is.
type State string

// The states, as MLflow names them.
const (
	Unspecified State = "STATE_UNSPECIFIED"
	OK          State = "OK"
	Failed      State = "ERROR"
	InProgress  State = "IN_PROGRESS"
)

// Tags and metadata that clients and Levada give a meaning.
const (
	TagName          = "mlflow.traceName"
	TagLocation      = "mlflow.artifactLocation"
	TagSpansLocation = "mlflow.trace.spansLocation"
	TagPrompts       = "mlflow.linkedPrompts"

	TagArchiveLocation = "mlflow.trace.archiveLocation"
	TagArchivalFailure = "mlflow.trace.archivalFailure"

	MetaRun       = "mlflow.sourceRun"
	MetaSession   = "mlflow.trace.session"
	MetaUser      = "mlflow.trace.user"
	MetaUsage     = "mlflow.trace.tokenUsage"
	MetaCost      = "mlflow.trace.cost"
	MetaSizeStats = "mlflow.trace.sizeStats"
	// MetaFinal says that the client has told the whole trace: spans that come later no longer change its times.
	MetaFinal = "mlflow.trace.infoFinalized"
)

// HereLocation is the value of TagSpansLocation for traces whose spans came here one by one, and not as a file.
const HereLocation = "TRACKING_STORE"

// Fixed reports whether a tag says where the data of a trace is, which clients must not change.
func Fixed(tag string) bool {
	return tag == TagLocation || tag == TagSpansLocation || tag == TagArchiveLocation || tag == TagArchivalFailure
}

// The bounds of what a trace says about itself, in characters.
const (
	MaxPreview  = 1000
	MaxName     = 4096
	MaxSession  = 250
	MaxTagKey   = 250
	MaxTagValue = 8000
)

// MaxEntries bounds the tags of a trace, its metadata, and the runs and prompts that it is linked to, each by itself.
const MaxEntries = 1000

// Trace is what is known about one trace, without its spans. A Trace that was handed out is not changed any more.
type Trace struct {
	ID           string `json:"id"`
	ExperimentID string `json:"experiment_id"`
	// StartMS is in milliseconds since 1970; DurationMS is nil while there is no end.
	StartMS         int64   `json:"start_ms"`
	DurationMS      *int64  `json:"duration_ms,omitempty"`
	State           State   `json:"state"`
	ClientRequestID *string `json:"client_request_id,omitempty"`
	RequestPreview  *string `json:"request_preview,omitempty"`
	ResponsePreview *string `json:"response_preview,omitempty"`

	Tags        []track.KV   `json:"tags,omitempty"`
	Metadata    []track.KV   `json:"metadata,omitempty"`
	Assessments []Assessment `json:"assessments,omitempty"`
	// Runs were linked to the trace after it was made; Prompts are versions of prompts, as "name/version".
	Runs    []string `json:"runs,omitempty"`
	Prompts []string `json:"prompts,omitempty"`
	// Spans and Bytes count what is stored, before compression. A batch that is sent again counts once; a span that comes again with
	// others counts twice.
	Spans int64 `json:"spans,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`
}

// EndMS is when the trace ended; its start where no end is known.
func (t *Trace) EndMS() int64 {
	if t.DurationMS == nil {
		return t.StartMS
	}
	return t.StartMS + *t.DurationMS
}

// Final reports whether the client has told the whole trace.
func (t *Trace) Final() bool {
	_, final := track.Find(t.Metadata, MetaFinal)
	return final
}

// SetMeta sets one entry of the metadata. Token counts and costs are kept in one spelling, and what is no number in them is left out.
func (t *Trace) SetMeta(key, value string) {
	switch key {
	case MetaUsage, MetaCost:
		before, _ := track.Find(t.Metadata, key)
		text := sumsOf(key).merge(before, value)
		t.Metadata = track.Without(t.Metadata, key)
		if text != "" {
			t.Metadata = append(t.Metadata, track.KV{Key: key, Value: text})
		}
	default:
		t.Metadata = track.Set(t.Metadata, key, value)
	}
}

// SetTags sets tags; new ones come last. At most MaxEntries are kept; all says whether those are all.
func (t *Trace) SetTags(tags []track.KV) (all bool) {
	t.Tags, all = setAll(t.Tags, tags)
	return all
}

// SetMetadata does with entries of the metadata what SetTags does with tags, and what SetMeta does with counts and costs.
func (t *Trace) SetMetadata(entries []track.KV) (all bool) {
	var plain []track.KV
	for _, m := range entries {
		if m.Key == MetaUsage || m.Key == MetaCost {
			t.SetMeta(m.Key, m.Value)
			continue
		}
		plain = append(plain, m)
	}
	t.Metadata, all = setAll(t.Metadata, plain)
	return all
}

// setAll sets many entries in a copy of list, in time that grows with their number alone.
func setAll(list, entries []track.KV) (out []track.KV, all bool) {
	out = append(make([]track.KV, 0, len(list)+len(entries)), list...)
	at := make(map[string]int, len(out))
	for i, kv := range out {
		at[kv.Key] = i
	}
	all = true
	for _, kv := range entries {
		i, there := at[kv.Key]
		switch {
		case there:
			out[i] = kv
		case len(out) < MaxEntries:
			at[kv.Key] = len(out)
			out = append(out, kv)
		default:
			all = false
		}
	}
	return out, all
}

// Clone returns a copy whose lists can be changed.
func (t *Trace) Clone() *Trace {
	c := *t
	c.Tags = append([]track.KV(nil), t.Tags...)
	c.Metadata = append([]track.KV(nil), t.Metadata...)
	c.Assessments = append([]Assessment(nil), t.Assessments...)
	c.Runs = append([]string(nil), t.Runs...)
	c.Prompts = append([]string(nil), t.Prompts...)
	return &c
}

// Assessment is a judgement on a trace or one of its spans. Times are milliseconds since 1970.
type Assessment struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Kind       Kind   `json:"kind"`
	SourceType string `json:"source_type"`
	SourceID   string `json:"source_id,omitempty"`
	CreatedMS  int64  `json:"created_ms"`
	UpdatedMS  int64  `json:"updated_ms"`
	// Value is a JSON text.
	Value string `json:"value"`
	Error *Error `json:"error,omitempty"`
	// IssueName is for issues alone.
	IssueName string     `json:"issue_name,omitempty"`
	Rationale *string    `json:"rationale,omitempty"`
	Metadata  []track.KV `json:"metadata,omitempty"`
	SpanID    string     `json:"span_id,omitempty"`
	// Overrides is the id of an assessment that this one stands for from now on; that one is Invalid then.
	Overrides string `json:"overrides,omitempty"`
	Invalid   bool   `json:"invalid,omitempty"`
}

// Kind says what an assessment is.
type Kind string

// The kinds of assessments.
const (
	Feedback    Kind = "feedback"
	Expectation Kind = "expectation"
	Issue       Kind = "issue"
)

// Error says why a feedback has no value.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
	Stack   string `json:"stack,omitempty"`
}
