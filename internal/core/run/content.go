package run

// Content names what is in an artifact, so that artifacts with equal content have equal names: the digest; for what Levada does not hold
// its address; and for an artifact without content, which says nothing by being equal to others, its own id.
func (a Artifact) Content() string {
	switch {
	case a.Digest != "" && a.Size > 0:
		return a.Digest
	case a.Digest == "" && a.URI != "":
		return a.URI
	}
	return "artifact:" + a.ID
}
