package trace

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// sums are named numbers that are added up over a trace: tokens or money.
type sums struct {
	attribute string
	// always are the keys that every total has; sometimes those that it has where a span has them.
	always, sometimes []string
	whole             bool
	// in is where a Share has them.
	in int
}

var (
	usage = sums{attribute: AttrUsage, always: []string{"input_tokens", "output_tokens", "total_tokens"},
		sometimes: []string{"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation_input_tokens_above_1hr"}, whole: true, in: 0}
	cost = sums{attribute: AttrCost, always: []string{"input_cost", "output_cost", "total_cost"}, in: 1}
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
	if short := Cut(content, MaxPreview); short != content {
		return Cut(content, MaxPreview-3) + "..."
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
