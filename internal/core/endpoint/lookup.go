package endpoint

import (
	"slices"

	"levada/internal/core/fault"
)

// Missing says what happens to a request whose key the table does not have.
type Missing string

// The ways.
const (
	MissingError   Missing = "error"   // the request is refused; the default
	MissingNull    Missing = "null"    // its columns have no value
	MissingDefault Missing = "default" // they have those of Defaults, and none where that names none
)

// Lookup joins columns of a table to each request by a key, before the model gets it.
type Lookup struct {
	// Artifact is the id of the Dataset artifact that is the table.
	Artifact string `json:"artifact" maxLength:"200" doc:"id of the artifact that is the table: Parquet, Arrow, CSV or JSON lines"`
	// Digest is that of its content; the service sets it.
	Digest string `json:"digest,omitempty" maxLength:"200" doc:"set by the server: the content of the artifact"`
	// Key are the columns that find a row, in requests and in the table.
	Key []string `json:"key" minItems:"1" maxItems:"10" nullable:"false" doc:"columns of requests and of the table that find a row"`
	// Columns are those that are joined; none means all others.
	Columns []string `json:"columns,omitempty" maxItems:"1000" doc:"columns that are joined; all but the key by default"`
	Missing Missing  `json:"missing,omitempty" enum:"error,null,default" doc:"what happens to a key that the table does not have; error by default"`
	// Defaults are values by column.
	Defaults map[string]any `json:"defaults,omitempty" doc:"values by column, for missing: default"`
	// MaxMB bounds the memory of the table; 256 by default.
	MaxMB int `json:"max_mb,omitempty" minimum:"0" maximum:"1048576" doc:"MiB that the table may take in memory; 256 by default"`
}

func (l *Lookup) check() error {
	switch {
	case l == nil:
		return nil
	case l.Artifact == "" || len(l.Artifact) > 200:
		return fault.Invalidf("settings: lookup.artifact names the artifact that is the table")
	case len(l.Key) == 0 || len(l.Key) > 10 || len(l.Columns) > 1000 || slices.Contains(l.Key, "") || slices.Contains(l.Columns, ""):
		return fault.Invalidf("settings: lookup.key names from 1 to 10 columns, and lookup.columns at most 1000")
	case !slices.Contains([]Missing{"", MissingError, MissingNull, MissingDefault}, l.Missing):
		return fault.Invalidf("settings: lookup.missing is %q; want error, null or default", fault.Shorten(string(l.Missing), 40))
	case (l.Missing == MissingDefault) != (len(l.Defaults) > 0):
		return fault.Invalidf("settings: lookup.defaults are for lookup.missing: default, which needs them")
	case l.MaxMB < 0 || l.MaxMB > 1<<20:
		return fault.Invalidf("settings: lookup.max_mb is %d; want a number from 0 to %d", l.MaxMB, 1<<20)
	}
	for i, name := range l.Key {
		if slices.Contains(l.Key[:i], name) || slices.Contains(l.Columns, name) {
			return fault.Invalidf("settings: lookup: column %q is there twice", fault.Shorten(name, 100))
		}
	}
	for name, v := range l.Defaults {
		switch v.(type) {
		case nil, bool, float64, string:
		default:
			return fault.Invalidf("settings: lookup.defaults: that of %q is no text, number, truth value or null", fault.Shorten(name, 100))
		}
	}
	return nil
}
