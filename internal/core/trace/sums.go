package trace

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

func sortSpans(spans []*Span) {
	slices.SortStableFunc(spans, func(a, b *Span) int {
		x, y := orderKey(a), orderKey(b)
		return bytes.Compare(x[:], y[:])
	})
}

// sums are named numbers that are added up over a trace: tokens or money.
type sums struct {
	attribute string
	// always are the keys that every total has; sometimes those that it has where a span has them.
	always, sometimes []string
	whole             bool
}

var (
	usage = sums{attribute: AttrUsage, always: []string{"input_tokens", "output_tokens", "total_tokens"},
		sometimes: []string{"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation_input_tokens_above_1hr"}, whole: true}
	cost = sums{attribute: AttrCost, always: []string{"input_cost", "output_cost", "total_cost"}}
)

func sumsOf(metadata string) sums {
	if metadata == MetaUsage {
		return usage
	}
	return cost
}

func (x sums) keys() []string { return append(slices.Clip(x.always), x.sometimes...) }

// parse reads the numbers of a JSON object; nil when it is none. What is no number is left out.
func (x sums) parse(text string) map[string]float64 {
	var raw map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&raw) != nil || raw == nil {
		return nil
	}
	out := map[string]float64{}
	for _, k := range x.keys() {
		var text string
		switch v := raw[k].(type) {
		case json.Number:
			text = v.String()
		case string:
			text = strings.TrimSpace(v)
		default:
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || x.whole && (v != math.Trunc(v) || math.Abs(v) >= 1<<63) {
			continue
		}
		out[k] = v
	}
	return out
}

// write is the JSON object of numbers, in the order of the keys; empty when there are none.
func (x sums) write(values map[string]float64) string {
	var out []byte
	for _, k := range x.keys() {
		v, there := values[k]
		if !there {
			continue
		}
		if out == nil {
			out = append(out, '{')
		} else {
			out = append(out, ", "...)
		}
		out = append(AppendQuoted(out, k), ": "...)
		if x.whole {
			n, _ := big.NewFloat(v).Int(nil)
			out = n.Append(out, 10)
		} else {
			out = AppendFloat(out, v)
		}
	}
	if out == nil {
		return ""
	}
	return string(append(out, '}'))
}

// merge puts the numbers of one object over those of another.
func (x sums) merge(before, text string) string {
	values := x.parse(before)
	if values == nil {
		values = map[string]float64{}
	}
	var given map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &given) != nil {
		given = nil
	}
	now := x.parse(text)
	for k := range given {
		delete(values, k) // what was given and is no number is no longer known
		if v, ok := now[k]; ok {
			values[k] = v
		}
	}
	return x.write(values)
}

// total adds up over the tree of spans. A span that has numbers stands for everything below it: some libraries put sums on the
// parents. It is empty when no span has any.
func (x sums) total(spans []*Span) string {
	data := make(map[[8]byte]map[string]float64, len(spans))
	parent := make(map[[8]byte][8]byte, len(spans))
	for _, s := range spans {
		parent[s.ID] = s.Parent
		if v, there := s.Attribute(x.attribute); there {
			if d := x.parse(plain(v)); d != nil {
				data[s.ID] = d
			}
		}
	}
	if len(data) == 0 {
		return ""
	}
	total := map[string]float64{}
	for _, k := range x.always {
		total[k] = 0
	}
	for _, s := range spans {
		d := data[s.ID]
		if d == nil || covered(s, data, parent) {
			continue
		}
		for k, v := range d {
			total[k] += v
		}
	}
	return x.write(total)
}

// covered reports whether a span above has numbers. A circle of parents ends the search.
func covered(s *Span, data map[[8]byte]map[string]float64, parent map[[8]byte][8]byte) bool {
	at, steps := s.Parent, 0
	for at != ([8]byte{}) && steps <= len(parent) {
		if data[at] != nil {
			return true
		}
		next, there := parent[at]
		if !there {
			return false
		}
		at, steps = next, steps+1
	}
	return false
}

// Preview is what lists show of a request or a response: the last message of the role where it is a chat, else its beginning.
func Preview(text, role string) string {
	content := ""
	var value any
	if json.Unmarshal([]byte(text), &value) == nil {
		if messages := messagesOf(value, 0); len(messages) > 0 {
			content = lastOf(messages, role)
		}
	}
	if content == "" {
		content = text
	}
	if short := cut(content, MaxPreview); short != content {
		return cut(content, MaxPreview-3) + "..."
	}
	return content
}

// messagesOf finds chat messages in the requests and answers of the usual chat interfaces.
func messagesOf(v any, depth int) []map[string]any {
	object, ok := v.(map[string]any)
	if !ok || depth > 10 {
		return nil
	}
	for _, key := range []string{"messages", "choices", "input", "output"} {
		list, _ := object[key].([]any)
		if len(list) == 0 {
			continue
		}
		if key == "choices" {
			first, _ := list[0].(map[string]any)
			if m, ok := message(first["message"]); ok {
				return []map[string]any{m}
			}
			continue
		}
		var out []map[string]any
		for _, item := range list {
			if m, ok := message(item); ok {
				out = append(out, m)
			}
		}
		return out
	}
	if inner, there := object["request"]; there {
		return messagesOf(inner, depth+1)
	}
	return nil
}

func message(v any) (map[string]any, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	_, role := m["role"]
	_, content := m["content"]
	return m, role && content
}

func lastOf(messages []map[string]any, role string) string {
	chosen := messages[len(messages)-1]
	for _, m := range slices.Backward(messages) {
		if m["role"] == role {
			chosen = m
			break
		}
	}
	switch content := chosen["content"].(type) {
	case string:
		return content
	case []any:
		for _, part := range content {
			switch p := part.(type) {
			case string:
				return p
			case map[string]any:
				if p["type"] == "text" || p["type"] == "output_text" {
					text, _ := p["text"].(string)
					return text
				}
			}
		}
	}
	return ""
}
