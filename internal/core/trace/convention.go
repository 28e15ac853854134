package trace

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// The attributes that MLflow's clients and user interface read.
const (
	AttrRequestID = "mlflow.traceRequestId"
	AttrType      = "mlflow.spanType"
	AttrInputs    = "mlflow.spanInputs"
	AttrOutputs   = "mlflow.spanOutputs"
	AttrUsage     = "mlflow.chat.tokenUsage"
	AttrCost      = "mlflow.llm.cost"
	AttrModel     = "mlflow.llm.model"
	AttrProvider  = "mlflow.llm.provider"
	AttrTools     = "mlflow.chat.tools"

	attrTag = "mlflow.traceTag."
)

// convention is how one family of libraries names what a span is about.
type convention struct {
	kind                     string            // the attribute that says what the span is
	kinds                    map[string]string // its values, as MLflow's types
	inputs, outputs          []string
	input, output, total     []string // counts of tokens
	cacheRead, cacheCreation []string
	models                   []string
	provider, tools          string
}

// conventions are looked through in this order. Sources: OpenTelemetry's semantic conventions for generative AI, OpenInference's
// specification, and the documentation of Traceloop, Vercel's AI SDK, VoltAgent, Laminar, Langfuse and Google's ADK.
var conventions = []convention{
	{
		kind: "openinference.span.kind",
		kinds: map[string]string{"TOOL": "TOOL", "CHAIN": "CHAIN", "LLM": "LLM", "RETRIEVER": "RETRIEVER", "EMBEDDING": "EMBEDDING", "AGENT": "AGENT",
			"RERANKER": "RERANKER", "UNKNOWN": "UNKNOWN", "GUARDRAIL": "GUARDRAIL", "EVALUATOR": "EVALUATOR"},
		inputs: []string{"input.value"}, outputs: []string{"output.value"},
		input: []string{"llm.token_count.prompt"}, output: []string{"llm.token_count.completion"}, total: []string{"llm.token_count.total"},
		cacheRead: []string{"llm.token_count.prompt_details.cache_read"}, cacheCreation: []string{"llm.token_count.prompt_details.cache_write"},
		models:   []string{"llm.response.model_name", "llm.model_name", "llm.request.model_name", "embedding.model_name"},
		provider: "llm.provider",
	},
	{
		kind: "gen_ai.operation.name",
		kinds: map[string]string{"chat": "CHAT_MODEL", "create_agent": "AGENT", "embeddings": "EMBEDDING", "execute_tool": "TOOL", "generate_content": "LLM",
			"invoke_agent": "AGENT", "text_completion": "LLM", "response": "LLM"},
		inputs: []string{"gen_ai.input.messages", "gen_ai.tool.call.arguments"}, outputs: []string{"gen_ai.output.messages", "gen_ai.tool.call.result"},
		input: []string{"gen_ai.usage.input_tokens"}, output: []string{"gen_ai.usage.output_tokens"},
		cacheRead:     []string{"gen_ai.usage.cache_read.input_tokens"},
		cacheCreation: []string{"gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"},
		models:        []string{"gen_ai.response.model", "gen_ai.request.model"}, provider: "gen_ai.provider.name", tools: "gen_ai.tool.definitions",
	},
	{
		kind:  "traceloop.span.kind",
		kinds: map[string]string{"workflow": "WORKFLOW", "task": "TASK", "agent": "AGENT", "tool": "TOOL", "unknown": "UNKNOWN"},
		// The text of a message has its number in the name.
		inputs:  []string{"traceloop.entity.input", "gen_ai.prompt.#.content", "gen_ai.completion.#.tool_calls.#.arguments"},
		outputs: []string{"traceloop.entity.output", "gen_ai.completion.#.content"},
		input:   []string{"gen_ai.usage.prompt_tokens"}, output: []string{"gen_ai.usage.completion_tokens"}, total: []string{"llm.usage.total_tokens"},
		provider: "gen_ai.system",
	},
	{
		inputs: []string{"gcp.vertex.agent.llm_request", "gcp.vertex.agent.tool_call_args"}, outputs: []string{"gcp.vertex.agent.llm_response", "gcp.vertex.agent.tool_response"},
	},
	{
		kind: "ai.operationId",
		kinds: map[string]string{"ai.generateText": "LLM", "ai.generateText.doGenerate": "LLM", "ai.toolCall": "TOOL", "ai.streamText": "LLM",
			"ai.streamText.doStream": "LLM", "ai.generateObject": "LLM", "ai.generateObject.doGenerate": "LLM", "ai.streamObject": "LLM",
			"ai.streamObject.doStream": "LLM", "ai.embed": "EMBEDDING", "ai.embed.doEmbed": "EMBEDDING", "ai.embedMany": "EMBEDDING"},
		inputs:  []string{"ai.prompt", "ai.prompt.messages", "ai.toolCall.args", "ai.value", "ai.values"},
		outputs: []string{"ai.response.text", "ai.toolCall.result", "ai.response.object", "ai.embedding", "ai.embeddings"},
	},
	{
		kind:   "span.type",
		kinds:  map[string]string{"agent": "AGENT", "llm": "LLM", "tool": "TOOL", "memory": "MEMORY"},
		inputs: []string{"agent.messages", "llm.messages", "input"}, outputs: []string{"output"},
		input: []string{"usage.prompt_tokens", "llm.usage.prompt_tokens"}, output: []string{"usage.completion_tokens", "llm.usage.completion_tokens"},
		total: []string{"usage.total_tokens", "llm.usage.total_tokens"},
	},
	{
		kind: "lmnr.span.type",
		kinds: map[string]string{"LLM": "LLM", "TOOL": "TOOL", "DEFAULT": "CHAIN", "PIPELINE": "CHAIN", "EXECUTOR": "AGENT", "EVALUATOR": "EVALUATOR",
			"HUMAN_EVALUATOR": "EVALUATOR", "EVALUATION": "EVALUATOR", "CACHED": "LLM"},
		inputs: []string{"lmnr.span.input"}, outputs: []string{"lmnr.span.output"},
	},
	{
		kind: "langfuse.observation.type",
		kinds: map[string]string{"generation": "LLM", "embedding": "EMBEDDING", "tool": "TOOL", "retriever": "RETRIEVER", "agent": "AGENT", "chain": "CHAIN",
			"evaluator": "EVALUATOR", "guardrail": "GUARDRAIL", "span": "UNKNOWN"},
		inputs: []string{"langfuse.observation.input"}, outputs: []string{"langfuse.observation.output"},
	},
}

// numbered are the names with numbers in them.
var numbered = func() map[string]*regexp.Regexp {
	out := map[string]*regexp.Regexp{}
	for _, c := range conventions {
		for _, key := range append(append([]string{}, c.inputs...), c.outputs...) {
			if strings.Contains(key, "#") {
				out[key] = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(key), "#", `\d+`))
			}
		}
	}
	return out
}()

// numberedPrefix is what all of them begin with.
const numberedPrefix = "gen_ai."

// value returns the first of some attributes that says something: an empty text, list or object, 0, false and null do not.
func (s *Span) value(keys ...string) (string, bool) {
	for _, key := range keys {
		if re := numbered[key]; re != nil {
			for _, a := range s.Attributes {
				if strings.HasPrefix(a.Key, numberedPrefix) && re.MatchString(a.Key) && says(a.Value) {
					return a.Value, true
				}
			}
			continue
		}
		if v, there := s.Attribute(key); there && says(v) {
			return v, true
		}
	}
	return "", false
}

func says(v string) bool {
	switch v {
	case "", `""`, "[]", "{}", "null", "false", "0", "0.0":
		return false
	}
	return true
}

// count reads a number of tokens, which some libraries send as text.
func (s *Span) count(keys ...string) (int64, bool) {
	for _, key := range keys {
		if n, err := strconv.ParseInt(s.Text(key), 10, 64); err == nil {
			return n, true
		}
	}
	return 0, false
}

// Adopt makes a span that some library sent into one that MLflow's clients understand: it finds type, inputs, outputs, model and
// counts of tokens under the names of that library. What the span says in MLflow's own names stays.
func (s *Span) Adopt() {
	for i := range s.Attributes {
		s.Attributes[i].Value = unwrap(s.Attributes[i].Value)
	}
	if t := s.Type(); t == "UNKNOWN" {
		if kind := s.kind(); kind != "" {
			s.setAttribute(AttrType, string(AppendQuoted(nil, kind)))
		}
	}
	s.first(AttrInputs, func(c *convention) []string { return c.inputs })
	s.first(AttrOutputs, func(c *convention) []string { return c.outputs })
	s.fromEvents()
	s.adoptUsage()
	s.first(AttrTools, func(c *convention) []string { return []string{c.tools} })
	s.first(AttrModel, func(c *convention) []string { return c.models })
	s.adoptModel()
	s.first(AttrProvider, func(c *convention) []string { return []string{c.provider} })
}

// unwrap takes one layer off a string that holds the JSON of a string, a list or an object: MLflow's client puts JSON into the
// attributes of OpenTelemetry.
func unwrap(v string) string {
	if !strings.HasPrefix(v, `"`) {
		return v
	}
	inner := plain(v)
	trimmed := strings.TrimLeft(inner, " \t\r\n")
	if trimmed != "" && strings.ContainsRune(`"[{`, rune(trimmed[0])) && json.Valid([]byte(inner)) {
		return inner
	}
	return v
}

func (s *Span) kind() string {
	for _, c := range conventions {
		if c.kind == "" {
			continue
		}
		if kind := c.kinds[s.Text(c.kind)]; kind != "" {
			return kind
		}
	}
	return ""
}

// first sets an attribute to the first value that a convention has for it.
func (s *Span) first(attribute string, keys func(*convention) []string) {
	if _, there := s.Attribute(attribute); there {
		return
	}
	for i := range conventions {
		if v, there := s.value(keys(&conventions[i])...); there {
			s.setAttribute(attribute, v)
			return
		}
	}
}

// fromEvents finds inputs and outputs in the events that carry them in older conventions.
func (s *Span) fromEvents() {
	for event, names := range map[string][2]string{
		"gen_ai.content.prompt": {AttrInputs, "gen_ai.prompt"}, "gen_ai.content.completion": {AttrOutputs, "gen_ai.completion"},
	} {
		if _, there := s.Attribute(names[0]); there {
			continue
		}
		for _, e := range s.Events {
			if e.Name != event {
				continue
			}
			for _, a := range e.Attributes {
				if a.Key == names[1] && says(a.Value) {
					s.setAttribute(names[0], a.Value)
				}
			}
			break
		}
	}
}

func (s *Span) adoptUsage() {
	if _, there := s.Attribute(AttrUsage); there {
		return
	}
	for _, c := range conventions {
		in, hasIn := s.count(c.input...)
		out, hasOut := s.count(c.output...)
		total, hasTotal := s.count(c.total...)
		if !hasTotal && hasIn && hasOut {
			total, hasTotal = in+out, true
		}
		if !hasIn && !hasOut && !hasTotal {
			continue
		}
		values := map[string]float64{}
		for key, v := range map[string]int64{"input_tokens": in, "output_tokens": out, "total_tokens": total} {
			if key == "input_tokens" && hasIn || key == "output_tokens" && hasOut || key == "total_tokens" && hasTotal {
				values[key] = float64(v)
			}
		}
		if n, there := s.count(c.cacheRead...); there {
			values["cache_read_input_tokens"] = float64(n)
		}
		if n, there := s.count(c.cacheCreation...); there {
			values["cache_creation_input_tokens"] = float64(n)
		}
		s.setAttribute(AttrUsage, usage.write(values))
		return
	}
}

// adoptModel takes the model from the request or the answer, where they name it.
func (s *Span) adoptModel() {
	if _, there := s.Attribute(AttrModel); there {
		return
	}
	for _, from := range []string{AttrInputs, AttrOutputs} {
		v, _ := s.Attribute(from)
		var named struct {
			Model any `json:"model"`
		}
		if strings.HasPrefix(v, "{") && json.Unmarshal([]byte(v), &named) == nil {
			if model, ok := named.Model.(string); ok && model != "" {
				s.setAttribute(AttrModel, string(AppendQuoted(nil, model)))
				return
			}
		}
	}
}
