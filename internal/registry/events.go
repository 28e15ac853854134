package registry

import (
	"maps"
	"strconv"
	"strings"

	"levada/internal/core/model"
	"levada/internal/core/track"
	"levada/internal/core/webhook"
)

// What webhooks are told of. Which change tells what, and which tags are left out, is as in MLflow: the tags that make a prompt
// of a model are not told, and a tag of a model is told only when the model is a prompt.

const (
	tagPromptType = "_mlflow_prompt_type"
	tagPromptText = "mlflow.prompt.text"
)

func tagMap(tags []track.KV, without ...string) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	maps.DeleteFunc(out, func(key, _ string) bool {
		for _, w := range without {
			if key == w {
				return true
			}
		}
		return false
	})
	return out
}

// entity chooses between the two names that an event has.
func entity(prompt bool, ofPrompt, ofModel webhook.Entity) webhook.Entity {
	if prompt {
		return ofPrompt
	}
	return ofModel
}

func tellModel(m *model.Registered) {
	description := m.Description
	if description == nil {
		description = new(string)
	}
	told := webhook.Model{Name: m.Name, Tags: tagMap(m.Tags), Description: description}
	if m.Prompt() {
		told.Tags = tagMap(m.Tags, model.TagIsPrompt, tagPromptType)
	}
	m.Tell(entity(m.Prompt(), "prompt", "registered_model"), webhook.Created, told)
}

// action is what happened to a tag that has a value, or has none any more.
func action(value *string) webhook.Action {
	if value == nil {
		return webhook.Deleted
	}
	return webhook.Set
}

func tellModelTag(m *model.Registered, key string, value *string) {
	if m.Prompt() {
		m.Tell("prompt_tag", action(value), webhook.Tag{Name: m.Name, Key: key, Value: value})
	}
}

func tellVersionTag(m *model.Registered, version int64, key string, value *string) {
	m.Tell(entity(m.Prompt(), "prompt_version_tag", "model_version_tag"), action(value),
		webhook.Tag{Name: m.Name, Version: strconv.FormatInt(version, 10), Key: key, Value: value})
}

// tellAlias tells of an alias that points to a version, or of one that is gone when version is 0.
func tellAlias(m *model.Registered, alias string, version int64) {
	told := webhook.Alias{Name: m.Name, Alias: alias}
	what := webhook.Deleted
	if version > 0 {
		what, told.Version = webhook.Created, strconv.FormatInt(version, 10)
	}
	m.Tell(entity(m.Prompt(), "prompt_alias", "model_version_alias"), what, told)
}

func tellVersion(m *model.Registered, v model.Version) {
	number, description := strconv.FormatInt(v.Number, 10), orNil(deref(v.Description))
	if prompt, _ := track.Find(v.Tags, model.TagIsPrompt); strings.EqualFold(prompt, "true") {
		told := webhook.PromptVersion{Name: m.Name, Version: number, Tags: tagMap(v.Tags, tagPromptText, model.TagIsPrompt, tagPromptType), Description: description}
		if text, there := track.Find(v.Tags, tagPromptText); there {
			told.Template = &text
		}
		m.Tell("prompt_version", webhook.Created, told)
		return
	}
	m.Tell("model_version", webhook.Created, webhook.Version{Name: m.Name, Version: number, Source: v.Source, RunID: orNil(v.RunID),
		Tags: tagMap(v.Tags), Description: description})
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
