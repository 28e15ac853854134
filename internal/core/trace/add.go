package trace

import (
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// Batch is what one request brings of one trace.
type Batch struct {
	TraceID string
	Spans   []*Span
	// Shares are what the spans add to the sums of the trace.
	Shares []Share
	// Text is the spans as they are stored, a line each; the service writes it.
	Text []byte
	// Resource describes who sent the spans.
	Resource []Attribute
}

// Rules are what Add has to ask others for.
type Rules struct {
	// Tag checks a tag and returns it as it is kept; an error means that it is left out.
	Tag func(key, value string) (track.KV, error)
	// Sums returns what all spans of the trace add, also those of the batch.
	Sums func() (*Sums, error)
}

// Add makes known what the spans of a batch say about the trace. A trace without a state is a new one. What the client has said
// about the whole trace comes first.
func (t *Trace) Add(b Batch, r Rules) error {
	start, end := times(b.Spans)
	root := rootOf(b.Spans)
	switch {
	case t.State == "":
		t.StartMS, t.State = start, InProgress
		if end != 0 {
			d := end - start
			t.DurationMS = &d
		}
	case !t.Final():
		if end != 0 {
			if t.DurationMS != nil {
				end = max(end, t.EndMS())
			}
			d := end - min(start, t.StartMS)
			t.DurationMS = &d
		}
		t.StartMS = min(start, t.StartMS)
	}
	if root != nil && (t.State == InProgress || t.State == Unspecified) {
		t.State = OK
		if root.Status == SpanErr {
			t.State = Failed
		}
	}
	if err := t.addUsers(b.Spans); err != nil {
		return err
	}
	t.addTags(b, root, r)
	t.addPreviews(root)
	return t.addSums(b.Shares, r)
}

func times(spans []*Span) (start, end int64) {
	for i, s := range spans {
		if at := int64(s.StartNS / 1e6); i == 0 || at < start { //nolint:gosec // nanoseconds divided by a million fit
			start = at
		}
		end = max(end, int64(s.EndNS/1e6)) //nolint:gosec // as above
	}
	return start, end
}

// rootOf returns the last of the spans without parent; nil when all have one.
func rootOf(spans []*Span) *Span {
	for _, s := range slices.Backward(spans) {
		if s.Root() {
			return s
		}
	}
	return nil
}

func (t *Trace) addPreviews(root *Span) {
	if root == nil {
		return
	}
	if v, there := root.Attribute(AttrInputs); there && says(v) && t.RequestPreview == nil {
		p := Preview(v, "user")
		t.RequestPreview = &p
	}
	if v, there := root.Attribute(AttrOutputs); there && says(v) && t.ResponsePreview == nil {
		p := Preview(v, "assistant")
		t.ResponsePreview = &p
	}
}

// addUsers takes the session and the user from the first span that names one.
func (t *Trace) addUsers(spans []*Span) error {
	session, user := "", ""
	for _, s := range spans {
		if session == "" {
			session = s.Session()
		}
		if user == "" {
			user = s.Text("user.id")
		}
	}
	if err := CheckSession(session); err != nil {
		return err
	}
	if _, there := track.Find(t.Metadata, MetaSession); session != "" && !there {
		t.SetMeta(MetaSession, session)
	}
	if _, there := track.Find(t.Metadata, MetaUser); user != "" && !there {
		t.SetMeta(MetaUser, user)
	}
	return nil
}

// Session is the conversation that the span says it belongs to; empty where it says nothing.
func (s *Span) Session() string {
	if id := s.Text("session.id"); id != "" {
		return id
	}
	return s.Text("gen_ai.conversation.id")
}

// CheckSession refuses the id of a session that is too long to be one.
func CheckSession(id string) error {
	if Cut(id, MaxSession) != id {
		return fault.Invalidf("'Session ID' exceeds the maximum length of %d characters", MaxSession)
	}
	return nil
}

func (t *Trace) addTags(b Batch, root *Span, r Rules) {
	tags := []track.KV{{Key: TagSpansLocation, Value: HereLocation}}
	set := func(key, value string) {
		if tag, err := r.Tag(key, value); err == nil {
			tags = append(tags, tag)
		}
	}
	for _, a := range b.Resource {
		if !strings.HasPrefix(a.Key, "telemetry.sdk.") && !strings.HasPrefix(a.Key, "mlflow.") {
			set(a.Key, plain(a.Value))
		}
	}
	if root != nil {
		for _, a := range root.Attributes {
			if key, ok := strings.CutPrefix(a.Key, attrTag); ok && !Fixed(key) {
				set(key, plain(a.Value))
			}
		}
	}
	t.SetTags(tags) // spans count also when the trace has no room for more tags
}

// addSums adds tokens and costs up over all spans, unless the client has said what they are.
func (t *Trace) addSums(batch []Share, r Rules) error {
	for key, x := range map[string]sums{MetaUsage: usage, MetaCost: cost} {
		if _, there := track.Find(t.Metadata, key); there && t.Final() || !has(batch, x) {
			continue
		}
		all, err := r.Sums()
		if err != nil {
			return err
		}
		if text := all.total(x); text != "" {
			t.Metadata = track.Set(t.Metadata, key, text)
		}
	}
	return nil
}

// HasRoot reports whether one of the spans has no parent: then the trace is told.
func HasRoot(spans []*Span) bool { return rootOf(spans) != nil }
