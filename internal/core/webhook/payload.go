package webhook

import (
	"maps"
	"slices"
	"unicode/utf8"
)

// What the events tell, field by field as MLflow 3.17 sends it. A nil description, run or template is sent as null.
type (
	// Model is told of a new registered model or prompt.
	Model struct {
		Name        string            `json:"name"`
		Tags        map[string]string `json:"tags"`
		Description *string           `json:"description"`
	}
	// Version is told of a new version of a model.
	Version struct {
		Name        string            `json:"name"`
		Version     string            `json:"version"`
		Source      string            `json:"source"`
		RunID       *string           `json:"run_id"`
		Tags        map[string]string `json:"tags"`
		Description *string           `json:"description"`
	}
	// PromptVersion is told of a new version of a prompt.
	PromptVersion struct {
		Name        string            `json:"name"`
		Version     string            `json:"version"`
		Template    *string           `json:"template"`
		Tags        map[string]string `json:"tags"`
		Description *string           `json:"description"`
	}
	// Tag is told of a tag; a tag that is gone has no value, and one of a prompt no version.
	Tag struct {
		Name    string  `json:"name"`
		Version string  `json:"version,omitempty"`
		Key     string  `json:"key"`
		Value   *string `json:"value,omitempty"`
	}
	// Alias is told of an alias; one that is gone has no version.
	Alias struct {
		Name    string `json:"name"`
		Alias   string `json:"alias"`
		Version string `json:"version,omitempty"`
	}
	// Budget is told of a budget that was used up. There are none here: it is sent by tests only.
	Budget struct {
		PolicyID      string  `json:"budget_policy_id"`
		Unit          string  `json:"budget_unit"`
		Amount        float64 `json:"budget_amount"`
		Spend         float64 `json:"current_spend"`
		DurationUnit  string  `json:"duration_unit"`
		DurationValue int     `json:"duration_value"`
		Scope         string  `json:"target_scope"`
		Workspace     string  `json:"workspace"`
		Target        string  `json:"target_value"`
		WindowStart   int64   `json:"window_start"`
	}
)

// examples is what a test of each event sends, with MLflow's values.
var examples = func() map[Event]any {
	p := func(s string) *string { return &s }
	tags := map[string]string{"example_key": "example_value"}
	key, value := "example_key", p("example_value")
	return map[Event]any{
		{"registered_model", Created}:    Model{"example_model", tags, p("An example registered model")},
		{"model_version", Created}:       Version{"example_model", "1", "models:/123", p("abcd1234abcd5678"), tags, p("An example model version")},
		{"model_version_tag", Set}:       Tag{"example_model", "1", key, value},
		{"model_version_tag", Deleted}:   Tag{Name: "example_model", Version: "1", Key: key},
		{"model_version_alias", Created}: Alias{"example_model", "example_alias", "1"},
		{"model_version_alias", Deleted}: Alias{Name: "example_model", Alias: "example_alias"},
		{"prompt", Created}:              Model{"example_prompt", tags, p("An example prompt")},
		{"prompt_version", Created}:      PromptVersion{"example_prompt", "1", p("Hello {{name}}!"), tags, p("An example prompt version")},
		{"prompt_tag", Set}:              Tag{Name: "example_prompt", Key: key, Value: value},
		{"prompt_tag", Deleted}:          Tag{Name: "example_prompt", Key: key},
		{"prompt_version_tag", Set}:      Tag{"example_prompt", "1", key, value},
		{"prompt_version_tag", Deleted}:  Tag{Name: "example_prompt", Version: "1", Key: key},
		{"prompt_alias", Created}:        Alias{"example_prompt", "example_alias", "1"},
		{"prompt_alias", Deleted}:        Alias{Name: "example_prompt", Alias: "example_alias"},
		{"budget_policy", "exceeded"}:    Budget{"bp-abc123", "USD", 100, 105.5, "MONTHS", 1, "ENDPOINT", "default", "ep-abc123", 1704067200000},
	}
}()

// Known reports whether there is such an event.
func (e Event) Known() bool { return examples[e] != nil }

// Example is a happening of a kind with made-up data; the event must be known.
func Example(e Event) Happening { return Happening{e, examples[e]} }

// maxText and maxTags bound, in bytes, each text and all tags of a payload. What is stored may be larger; a payload is stored and sent
// once for each webhook.
const (
	maxText = 256 << 10
	maxTags = 256 << 10
)

// bounded is data without what is too much of it: the end of a long text, and tags from the first on, in the order of their keys,
// that has no room.
func bounded(data any) any {
	switch d := data.(type) {
	case Model:
		d.Tags, d.Description = firstTags(d.Tags), beginning(d.Description)
		return d
	case Version:
		d.Tags, d.Description = firstTags(d.Tags), beginning(d.Description)
		return d
	case PromptVersion:
		d.Tags, d.Description, d.Template = firstTags(d.Tags), beginning(d.Description), beginning(d.Template)
		return d
	case Tag:
		d.Value = beginning(d.Value)
		return d
	}
	return data
}

func firstTags(tags map[string]string) map[string]string {
	left := maxTags
	for k, v := range tags {
		left -= len(k) + len(v)
	}
	if left >= 0 {
		return tags
	}
	out := map[string]string{}
	left = maxTags
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		if left -= len(k) + len(tags[k]); left < 0 {
			break
		}
		out[k] = tags[k]
	}
	return out
}

func beginning(text *string) *string {
	if text == nil || len(*text) <= maxText {
		return text
	}
	n := maxText
	for !utf8.RuneStart((*text)[n]) {
		n--
	}
	cut := (*text)[:n]
	return &cut
}
