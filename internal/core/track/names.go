package track

// Names are names of parameters, metrics and tags.
type Names struct {
	Params, Metrics, Tags []string
}
