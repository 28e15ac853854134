package run

// Group is runs that have something in common, counted.
type Group struct {
	// Key is what they have in common: a state, the id of an experiment or the name of a pipeline.
	Key    string        `json:"key"`
	Total  int           `json:"total"`
	States map[State]int `json:"states" doc:"how many of them are in which state"`
}
