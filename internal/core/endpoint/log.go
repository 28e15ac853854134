package endpoint

import (
	"slices"

	"levada/internal/core/fault"
)

// Log says which requests and answers of an endpoint are kept, and for how long.
type Log struct {
	// Sample is the share of the requests that are kept, above 0 and at most 1.
	Sample float64 `json:"sample" minimum:"0" maximum:"1" doc:"share of the requests that are kept, above 0"`
	// Drop are inputs and outputs that are never written.
	Drop []string `json:"drop,omitempty" maxItems:"1000" doc:"inputs and outputs that are never written"`
	// KeepPII writes columns also when values in them look like personal data.
	KeepPII bool `json:"keep_pii,omitempty" doc:"write columns also when values in them look like personal data; by default these are left out"`
	// Prediction is the output that the truth is compared with; the first by default.
	Prediction string `json:"prediction,omitempty" maxLength:"1000" doc:"output that the truth is compared with; the first by default"`
	// KeepDays and KeepMB bound what is kept: 30 days and 1024 MiB by default.
	KeepDays int `json:"keep_days,omitempty" minimum:"0" maximum:"36500" doc:"days that files are kept; 30 by default"`
	KeepMB   int `json:"keep_mb,omitempty" minimum:"0" maximum:"16777216" doc:"MiB of files that are kept, the newest; 1024 by default"`
}

// The most of Log.
const (
	mostDropped  = 1000
	mostKeepDays = 36_500
	mostKeepMB   = 16_777_216
)

// Filled returns the settings with the defaults in place of what is not set.
func (l Log) Filled() Log {
	if l.KeepDays == 0 {
		l.KeepDays = 30
	}
	if l.KeepMB == 0 {
		l.KeepMB = 1024
	}
	return l
}

func (l *Log) check() error {
	switch {
	case l == nil:
		return nil
	case !(l.Sample > 0 && l.Sample <= 1):
		return fault.Invalidf("settings: log.sample is %v; want a share above 0 and at most 1 (leave out log to keep no requests)", l.Sample)
	case len(l.Drop) > mostDropped || slices.Contains(l.Drop, ""):
		return fault.Invalidf("settings: log.drop names at most %d inputs and outputs, none of them empty", mostDropped)
	case l.KeepDays < 0 || l.KeepDays > mostKeepDays:
		return fault.Invalidf("settings: log.keep_days is %d; want a number from 0 to %d", l.KeepDays, mostKeepDays)
	case l.KeepMB < 0 || l.KeepMB > mostKeepMB:
		return fault.Invalidf("settings: log.keep_mb is %d; want a number from 0 to %d", l.KeepMB, mostKeepMB)
	case len(l.Prediction) > mostDropped:
		return fault.Invalidf("settings: log.prediction is longer than %d bytes", mostDropped)
	}
	return nil
}
