package model

// ChangeKind says what happened to a registered model.
type ChangeKind string

// What is kept of a model's history.
const (
	ModelCreated   ChangeKind = "model_created"
	ModelRenamed   ChangeKind = "model_renamed"
	ModelDeleted   ChangeKind = "model_deleted"
	VersionCreated ChangeKind = "version_created"
	VersionDeleted ChangeKind = "version_deleted"
	AliasSet       ChangeKind = "alias_set"
	AliasRemoved   ChangeKind = "alias_removed"
	StageChanged   ChangeKind = "stage_changed"
)

// ChangeKinds returns all of them.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{ModelCreated, ModelRenamed, ModelDeleted, VersionCreated, VersionDeleted, AliasSet, AliasRemoved, StageChanged}
}

// Change is something that happened to a registered model. Only the fields that its kind needs are set.
type Change struct {
	// AtUS is when, in microseconds since 1970.
	AtUS  int64      `json:"at_us"`
	Kind  ChangeKind `json:"kind"`
	Model string     `json:"model"`
	// Version is the version that was made, deleted or moved, or that an alias points to now.
	Version int64 `json:"version,omitempty"`
	// Alias is the alias that was set or removed; Before is the version that it pointed to, 0 for none.
	Alias  string `json:"alias,omitempty"`
	Before int64  `json:"before,omitempty"`
	// From and To are stages, or names of a model that was renamed.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Prompt says that the model is a prompt.
	Prompt bool `json:"prompt,omitempty"`
}

// Note notes a change of the model that is being made, for its history.
func (r *Registered) Note(c Change) {
	if c.Model == "" {
		c.Model = r.Name
	}
	c.Prompt = r.Prompt()
	r.Noted = append(r.Noted, c)
}

// Alias returns the version that an alias points to, 0 for none.
func (r Registered) Alias(name string) int64 {
	for _, a := range r.Aliases {
		if a.Name == name {
			return a.Version
		}
	}
	return 0
}
