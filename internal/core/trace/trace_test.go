package trace_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/core/trace"
	"levada/internal/core/track"
)

func span(id, parent byte, start, end uint64, attributes ...trace.Attribute) *trace.Span {
	s := &trace.Span{Name: "s", StartNS: start * 1e6, EndNS: end * 1e6, Attributes: attributes}
	s.TraceID[15], s.ID[7], s.Parent[7] = 1, id, parent
	return s
}

func TestASpanThatIsReadIsTheOneThatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.Custom(func(t *rapid.T) string { return strings.ToValidUTF8(rapid.String().Draw(t, "text"), "?") })
		value := rapid.Custom(func(t *rapid.T) string { return string(trace.AppendQuoted(nil, text.Draw(t, "value"))) })
		attributes := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) trace.Attribute {
			return trace.Attribute{Key: text.Draw(t, "key"), Value: value.Draw(t, "v")}
		}), 0, 4, func(a trace.Attribute) string { return a.Key })
		s := &trace.Span{Name: text.Draw(t, "name"), StartNS: rapid.Uint64().Draw(t, "start"), EndNS: rapid.Uint64().Draw(t, "end"),
			Status: trace.SpanStatus(rapid.IntRange(0, 2).Draw(t, "status")), Message: text.Draw(t, "message"), Attributes: attributes.Draw(t, "attributes")}
		s.ID[0], s.Parent[3] = rapid.Byte().Draw(t, "id"), rapid.Byte().Draw(t, "parent")
		for range rapid.IntRange(0, 2).Draw(t, "events") {
			s.Events = append(s.Events, trace.Event{Name: text.Draw(t, "event"), TimeNS: rapid.Uint64().Draw(t, "time"), Attributes: attributes.Draw(t, "of the event")})
			s.Links = append(s.Links, trace.Link{TraceID: "tr-1", SpanID: "2", Attributes: attributes.Draw(t, "of the link")})
		}
		got, err := trace.ParseSpan(s.AppendContent(nil))
		if err != nil {
			t.Fatal(err)
		}
		// No attributes and none of them are the same.
		same := cmp.FilterValues(func(a, b []trace.Attribute) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())
		if diff := cmp.Diff(s, got, same); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestNumbersAreWrittenAsPythonWritesThem(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.0", 1: "1.0", -1.5: "-1.5", 1e15: "1000000000000000.0", 1e16: "1e+16", 1e20: "1e+20", 0.0001: "0.0001", 0.00001: "1e-05", 1e-7: "1e-07",
		math.Inf(1): `"Infinity"`, math.MaxFloat64: "1.7976931348623157e+308",
	} {
		if got := string(trace.AppendFloat(nil, v)); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	if got, want := string(trace.AppendQuoted(nil, "a\"\\\n\x01é<\xff\u2028")), "\"a\\\"\\\\\\n\\u0001é<\uFFFD\u2028\""; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSpansOfOtherLibrariesAreUnderstood(t *testing.T) {
	q := func(s string) string { return string(trace.AppendQuoted(nil, s)) }
	for name, c := range map[string]struct {
		have []trace.Attribute
		want map[string]string
	}{
		"generative AI": {
			[]trace.Attribute{{"gen_ai.operation.name", q("execute_tool")}, {"gen_ai.usage.input_tokens", "2"}, {"gen_ai.usage.output_tokens", q("3")}, {"gen_ai.request.model", q("m")}},
			map[string]string{trace.AttrType: `"TOOL"`, trace.AttrUsage: `{"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}`, trace.AttrModel: `"m"`},
		},
		"messages with numbers": {
			[]trace.Attribute{{"gen_ai.prompt.0.content", q("ask")}, {"gen_ai.completion.0.content", q("said")}},
			map[string]string{trace.AttrInputs: `"ask"`, trace.AttrOutputs: `"said"`},
		},
		"JSON in a text": {
			[]trace.Attribute{{trace.AttrInputs, q(`{"model": "m2", "x": 1}`)}, {"n", q("12")}, {"t", q(`"x"`)}},
			map[string]string{trace.AttrInputs: `{"model": "m2", "x": 1}`, trace.AttrModel: `"m2"`, "n": `"12"`, "t": `"x"`},
		},
		"what is said already stays": {
			[]trace.Attribute{{trace.AttrType, q("AGENT")}, {"openinference.span.kind", q("LLM")}, {trace.AttrInputs, q("mine")}, {"input.value", q("theirs")}},
			map[string]string{trace.AttrType: `"AGENT"`, trace.AttrInputs: `"mine"`},
		},
		"what says nothing is no input": {
			[]trace.Attribute{{"input.value", `""`}, {"gen_ai.input.messages", q("[1]")}},
			map[string]string{trace.AttrInputs: "[1]"},
		},
	} {
		s := span(1, 0, 1, 2, c.have...)
		s.Adopt()
		for key, want := range c.want {
			if got, _ := s.Attribute(key); got != want {
				t.Errorf("%s: %s is %s, want %s", name, key, got, want)
			}
		}
	}
	s := span(1, 0, 1, 2)
	s.Events = []trace.Event{{Name: "gen_ai.content.prompt", Attributes: []trace.Attribute{{"gen_ai.prompt", q("asked")}}}}
	if s.Adopt(); s.Text(trace.AttrInputs) != "asked" {
		t.Errorf("inputs in an event are %q", s.Text(trace.AttrInputs))
	}
}

func tokens(n string) trace.Attribute {
	return trace.Attribute{Key: trace.AttrUsage, Value: `{"input_tokens": ` + n + `, "output_tokens": 1, "total_tokens": 1}`}
}

func rules(all ...*trace.Span) trace.Rules {
	return trace.Rules{
		Tag: func(key, value string) (track.KV, error) {
			if key == "bad" {
				return track.KV{}, errors.New("bad")
			}
			return track.KV{Key: key, Value: value}, nil
		},
		Sums: func() (*trace.Sums, error) {
			var sums trace.Sums
			sums.Add(trace.SharesOf(all))
			return &sums, nil
		},
	}
}

// add adds a batch to a trace that has had other spans before.
func add(t *trace.Trace, b trace.Batch, before ...*trace.Span) error {
	b.Shares = trace.SharesOf(b.Spans)
	return t.Add(b, rules(append(before, b.Spans...)...))
}

func TestATraceIsWhatItsSpansSay(t *testing.T) {
	var got trace.Trace
	root := span(1, 0, 1000, 5000, trace.Attribute{trace.AttrInputs, `{"messages": [{"role": "user", "content": "hello"}, {"role": "system", "content": "x"}]}`},
		trace.Attribute{"session.id", `"s"`}, trace.Attribute{"mlflow.traceTag.team", `"a"`}, trace.Attribute{"mlflow.traceTag." + trace.TagLocation, `"s3://x"`}, tokens("2"))
	root.Status = trace.SpanErr
	child, early := span(2, 1, 2000, 3000, tokens("7")), span(3, 9, 500, 600, tokens("4"))
	if err := add(&got, trace.Batch{Spans: []*trace.Span{child}, Resource: []trace.Attribute{{"service.name", `"svc"`}, {"bad", "1"}, {"telemetry.sdk.name", `"x"`}}}); err != nil {
		t.Fatal(err)
	}
	if got.State != trace.InProgress || got.StartMS != 2000 || *got.DurationMS != 1000 {
		t.Errorf("before the root came: %+v", got)
	}
	if err := add(&got, trace.Batch{Spans: []*trace.Span{root, early}}, child); err != nil {
		t.Fatal(err)
	}
	usage, _ := track.Find(got.Metadata, trace.MetaUsage)
	session, _ := track.Find(got.Metadata, trace.MetaSession)
	team, _ := track.Find(got.Tags, "team")
	_, place := track.Find(got.Tags, trace.TagLocation)
	service, _ := track.Find(got.Tags, "service.name")
	// The child's tokens are part of the root's; those of the span whose parent is unknown are not.
	if got.State != trace.Failed || got.StartMS != 500 || *got.DurationMS != 4500 || *got.RequestPreview != "hello" || session != "s" || team != "a" || place || service != "svc" ||
		usage != `{"input_tokens": 6, "output_tokens": 2, "total_tokens": 2}` {
		t.Errorf("%+v, preview %q, usage %s", got, *got.RequestPreview, usage)
	}
	got.SetMeta(trace.MetaFinal, "true")
	if err := add(&got, trace.Batch{Spans: []*trace.Span{span(4, 1, 1, 9000, tokens("100"))}}, child, root, early); err != nil {
		t.Fatal(err)
	}
	if after, _ := track.Find(got.Metadata, trace.MetaUsage); got.StartMS != 500 || *got.DurationMS != 4500 || after != usage {
		t.Errorf("what the client has told was changed: %+v", got)
	}
	long := span(5, 0, 1, 2, trace.Attribute{"session.id", `"` + strings.Repeat("s", 251) + `"`})
	if err := add(&trace.Trace{}, trace.Batch{Spans: []*trace.Span{long}}); err == nil {
		t.Error("a session with 251 characters is taken")
	}
}

func TestSpansInACircleDoNotHoldTheSumUp(t *testing.T) {
	var got trace.Trace
	a, b, c := span(1, 2, 1, 2), span(2, 1, 1, 2), span(3, 1, 1, 2, tokens("5"))
	if err := add(&got, trace.Batch{Spans: []*trace.Span{a, b, c}}); err != nil {
		t.Fatal(err)
	}
	if usage, _ := track.Find(got.Metadata, trace.MetaUsage); !strings.Contains(usage, `"input_tokens": 5`) {
		t.Errorf("usage %s", usage)
	}
}

// The rule, said in the simplest way: a span with numbers counts unless one above it has numbers too.
func TestASpanWithTokensStandsForAllBelowIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "spans")
		var spans []*trace.Span
		parent, numbers := map[byte]byte{}, map[byte]bool{}
		for range n {
			id, above, with := byte(rapid.IntRange(1, 8).Draw(t, "id")), byte(rapid.IntRange(0, 9).Draw(t, "parent")), rapid.Bool().Draw(t, "tokens")
			s := span(id, above, 1, 2)
			if with {
				s.Attributes = append(s.Attributes, tokens("1"))
			}
			spans = append(spans, s)
			parent[id], numbers[id] = above, with
		}
		want, some := 0, false
		for id := range parent {
			if !numbers[id] {
				continue
			}
			some = true
			covered := false
			for at, steps := parent[id], 0; at != 0 && steps < 20; at, steps = parent[at], steps+1 {
				covered = covered || numbers[at]
			}
			if !covered {
				want++
			}
		}
		var got trace.Trace
		if err := add(&got, trace.Batch{Spans: spans}); err != nil {
			t.Fatal(err)
		}
		// A batch all of whose numbers were replaced later in it has none.
		usage, _ := track.Find(got.Metadata, trace.MetaUsage)
		if shown := fmt.Sprintf(`{"input_tokens": %d,`, want); some && !strings.HasPrefix(usage, shown) {
			t.Fatalf("usage %s, want %s", usage, shown)
		}
	})
}

// A long chain with many leaves at its end: each leaf has the whole chain above it.
func BenchmarkSumOfAChainWithLeaves(b *testing.B) {
	const n = 50_000
	spans := make([]*trace.Span, 2*n)
	id := func(i int) (out [8]byte) { return [8]byte(binary.BigEndian.AppendUint64(nil, uint64(i))) }
	for i := range spans {
		s := &trace.Span{ID: id(i + 1), Parent: id(min(i, n))}
		if i >= n {
			s.Attributes = []trace.Attribute{tokens("1")}
		}
		spans[i] = s
	}
	batch := trace.Batch{Spans: spans}
	for b.Loop() {
		if err := add(&trace.Trace{}, batch); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTokensAndCostsAreKeptInOneSpelling(t *testing.T) {
	var got trace.Trace
	for _, text := range []string{`{"total_tokens": "7", "input_tokens": 1.5, "other": 2}`, `{"output_tokens": 3}`} {
		got.SetMeta(trace.MetaUsage, text)
	}
	got.SetMeta(trace.MetaCost, `{"total_cost": 1, "input_cost": "NaN"}`)
	usage, _ := track.Find(got.Metadata, trace.MetaUsage)
	cost, _ := track.Find(got.Metadata, trace.MetaCost)
	if usage != `{"output_tokens": 3, "total_tokens": 7}` || cost != `{"total_cost": 1.0}` {
		t.Errorf("usage %s, cost %s", usage, cost)
	}
	got.SetMeta(trace.MetaCost, "no JSON")
	if cost, _ := track.Find(got.Metadata, trace.MetaCost); cost != `{"total_cost": 1.0}` {
		t.Errorf("cost %s after a text that is none", cost)
	}
}

func TestAPreviewIsTheLastMessageOfTheRole(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", `"quoted"`: `"quoted"`, `{"messages": []}`: `{"messages": []}`, `{"messages": [{"role": "user", "content": [{"type": "text", "text": "part"}]}]}`: "part",
		`{"choices": [{"message": {"role": "assistant", "content": "said"}}]}`: "said", `{"request": {"input": [{"role": "user", "content": "in"}]}}`: "in",
		strings.Repeat("é", 1001): strings.Repeat("é", 997) + "...", strings.Repeat("é", 1000): strings.Repeat("é", 1000),
	} {
		if got := trace.Preview(text, "user"); got != want {
			t.Errorf("%.60s: %.60s, want %.60s", text, got, want)
		}
	}
}

func FuzzAStoredSpanIsReadOrRefused(f *testing.F) {
	f.Add(span(1, 0, 1, 2, trace.Attribute{Key: "a", Value: `"b"`}).AppendContent(nil))
	f.Add([]byte(`{"attributes": {"a": 1}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := trace.ParseSpan(content)
		if err != nil {
			return
		}
		s.Adopt()
		if _, err := trace.ParseSpan(s.AppendContent(nil)); err != nil {
			t.Errorf("%q cannot be read when it was written: %v", content, err)
		}
	})
}
