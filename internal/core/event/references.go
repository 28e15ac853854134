package event

import (
	"cmp"
	"fmt"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// Reference is a thing that a trigger names and that has to be there for it to do its work. It may come later than the trigger.
type Reference struct {
	// Field is where the trigger names it.
	Field string
	Kind  ReferenceKind
	Name  string
	// Keys are what a secret has to have. KeysWith are further ones, each by the key without which it is not needed.
	Keys     []string
	KeysWith map[string]string
}

// ReferenceKind says what sort of thing is named.
type ReferenceKind string

// The kinds.
const (
	ToSecret     ReferenceKind = "secret"
	ToPipeline   ReferenceKind = "pipeline" // by the name that its runs have
	ToUploaded   ReferenceKind = "uploaded" // a pipeline, by its id
	ToModel      ReferenceKind = "model"
	ToExperiment ReferenceKind = "experiment"
)

// References are the things that a trigger names.
func (t Trigger) References() []Reference {
	var out []Reference
	add := func(kind ReferenceKind, field, name string, keys ...string) {
		if name != "" {
			out = append(out, Reference{Field: field, Kind: kind, Name: name, Keys: keys})
		}
	}
	switch on := t.On; {
	case on.Webhook != nil:
		add(ToSecret, "on.webhook.secret", on.Webhook.Secret, cmp.Or(on.Webhook.Key, "secret"))
	case on.Run != nil:
		add(ToPipeline, "on.run.pipeline", on.Run.Pipeline)
	case on.Artifact != nil:
		add(ToPipeline, "on.artifact.pipeline", on.Artifact.Pipeline)
	case on.Late != nil:
		add(ToPipeline, "on.late.pipeline", on.Late.Pipeline)
	case on.Registry != nil:
		add(ToModel, "on.registry.model", on.Registry.Model)
	case on.Metric != nil:
		add(ToExperiment, "on.metric.experiment", on.Metric.Experiment)
	}
	if n := t.Notify; n != nil {
		switch {
		case n.Slack != nil:
			add(ToSecret, "notify.slack.secret", n.Slack.Secret, n.Slack.Of("url"))
		case n.Webhook != nil && n.Webhook.Signed != nil:
			add(ToSecret, "notify.webhook.signed.secret", n.Webhook.Signed.Secret, n.Webhook.Signed.Of("secret"))
		case n.Email != nil && n.Email.Secret != "":
			out = append(out, Reference{Field: "notify.email.secret", Kind: ToSecret, Name: n.Email.Secret, Keys: []string{"server", "from"},
				KeysWith: map[string]string{"user": "password"}})
		}
	} else {
		out = append(out, Uploaded(t.Run)...)
	}
	return out
}

// Uploaded is the pipeline that has to be there for runs to be started from a submission: none where that has a specification of its own.
func Uploaded(sub run.Submission) []Reference {
	if sub.PipelineID == "" || sub.SpecDigest != "" {
		return nil
	}
	return []Reference{{Field: "pipeline", Kind: ToUploaded, Name: sub.PipelineID}}
}

// NamedOtherwise says that no run of a pipeline has its name.
func NamedOtherwise(pipeline, runs string) string {
	return fmt.Sprintf("runs of the pipeline %q have the name %q, which its specification gives them: write that", fault.Shorten(pipeline, 200), fault.Shorten(runs, 200))
}
