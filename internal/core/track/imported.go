package track

import (
	"encoding/binary"
	"math"
	"strconv"

	"levada/internal/core/fault"
)

// ImportKind is a kind of things that an import brings.
type ImportKind string

// The kinds of things that imports bring.
const (
	ImportedExperiment      ImportKind = "experiment"
	ImportedRun             ImportKind = "run"
	ImportedLoggedModel     ImportKind = "logged_model"
	ImportedRegisteredModel ImportKind = "registered_model"
	ImportedModelVersion    ImportKind = "model_version"
)

// Imported is what is noted about a thing that an import has brought.
type Imported struct {
	// ID names the thing where it came from, Target here.
	ID     string `json:"id"`
	Target string `json:"target"`
	// Mark says what the thing looked like when it was brought whole. It is empty until then, and MarkChanged while a thing that was
	// whole is brought again.
	Mark string `json:"mark"`
	// Last is what the source had of it when it was sent last, as the store keeps it.
	Last string `json:"-"`
}

// MarkChanged is the mark of a thing that was brought whole once and is being brought again: what is here of it may be older than
// what the source has.
const MarkChanged = "changed"

// ImportKey is the id under which an import notes what has no id that is one everywhere: the id or name that it has where it came
// from, and when it was created there, in milliseconds or microseconds since 1970.
func ImportKey(name string, created int64) string { return name + "@" + strconv.FormatInt(created, 10) }

// Merged is a value after an import: the one of the source where that has changed there since the last import, else the one here.
func Merged[T comparable](here, before, now T) T {
	if now == before {
		return here
	}
	return now
}

// MergedPointer is Merged for values that may be missing.
func MergedPointer[T comparable](here, before, now *T) *T {
	if now == before || now != nil && before != nil && *now == *before {
		return here
	}
	return now
}

// Series are points of one metric as they are sent from an importer to the server: one list for each part of a point. Values are
// the bytes of IEEE 754 numbers of 64 bits, little end first, because JSON has none for NaN.
type Series struct {
	Key    string  `json:"key"`
	Times  []int64 `json:"times"`
	Steps  []int64 `json:"steps"`
	Values []byte  `json:"values"`
}

// ModelSeries are points of a metric of a logged model: of one run, on one dataset.
type ModelSeries struct {
	Series

	RunID         string `json:"run_id"`
	DatasetName   string `json:"dataset_name,omitempty"`
	DatasetDigest string `json:"dataset_digest,omitempty"`
}

// Add appends a point.
func (s *Series) Add(p Point) {
	s.Times, s.Steps = append(s.Times, p.Time), append(s.Steps, p.Step)
	s.Values = binary.LittleEndian.AppendUint64(s.Values, math.Float64bits(p.Value))
}

// Len is the number of points.
func (s *Series) Len() int { return len(s.Times) }

// Points returns the points; lists of different lengths are an Invalid error.
func (s *Series) Points() ([]Point, error) {
	if len(s.Steps) != len(s.Times) || len(s.Values) != 8*len(s.Times) {
		return nil, fault.Invalidf("metric %q has %d times, %d steps and %d bytes of values: want as many of each, and 8 bytes a value",
			fault.Shorten(s.Key, 60), len(s.Times), len(s.Steps), len(s.Values))
	}
	out := make([]Point, len(s.Times))
	for i := range out {
		out[i] = Point{Time: s.Times[i], Step: s.Steps[i], Value: math.Float64frombits(binary.LittleEndian.Uint64(s.Values[8*i:]))}
	}
	return out, nil
}
