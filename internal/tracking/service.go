// Package tracking owns what experiments measure: experiments, runs with their parameters, tags and metrics, logged models,
// datasets, and the files below their artifact locations.
//
// Its rules, limits and messages are MLflow's, because MLflow's client is what most callers are. It must not know HTTP, SQL
// or file formats: those are behind the interfaces in ports.go. Start reading at Service.CreateRun and Service.LogBatch.
package tracking

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// Options are what a service is made of.
type Options struct {
	Store  Store
	Series Series
	Blobs  Blobs
	// Now and NewID give the time and new UUIDs.
	Now   func() time.Time
	NewID func() string
	// MaxPartBytes bounds a part of an upload; 0 means 5 GiB.
	MaxPartBytes int64
}

// Service answers everything about experiments. Its methods may be called from any goroutine.
type Service struct {
	deps    Options
	columns columns
}

// New returns a service.
func New(o Options) *Service { return &Service{deps: o} }

// now is the time in the form in which it is stored: UTC, whole microseconds.
func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Microsecond) }

// newHexID is a UUID without hyphens, the form of MLflow's ids.
func (s *Service) newHexID() string {
	id := make([]byte, 0, 32)
	for _, c := range []byte(s.deps.NewID()) {
		if c != '-' {
			id = append(id, c)
		}
	}
	return string(id)
}

// randomName is what a run or model is called that was given no name.
func randomName() string {
	adjectives := [...]string{"amber", "brave", "calm", "clear", "cool", "eager", "fair", "fresh", "gentle", "green", "happy", "keen",
		"kind", "light", "lively", "lucky", "mild", "neat", "noble", "open", "proud", "quick", "quiet", "rapid", "ready", "sharp",
		"silent", "smart", "smooth", "steady", "still", "sunny", "swift", "tidy", "warm", "wise"}
	nouns := [...]string{"bay", "brook", "canal", "cave", "cliff", "cloud", "creek", "dale", "delta", "dune", "falls", "fern", "field",
		"ford", "forest", "glen", "grove", "heath", "hill", "island", "lake", "laurel", "meadow", "mist", "moor", "pass", "path", "peak",
		"pond", "rain", "ridge", "river", "spring", "stream", "valley", "wave"}
	//nolint:gosec // a name, not a secret
	return adjectives[rand.IntN(len(adjectives))] + "-" + nouns[rand.IntN(len(nouns))] + "-" + strconv.Itoa(rand.IntN(1000))
}
