package ir

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Duration is a google.protobuf.Duration: in JSON a string of seconds with an "s", such as "1.5s".
type Duration time.Duration

// UnmarshalJSON reads the protojson form.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil || !strings.HasSuffix(s, "s") {
		return fmt.Errorf("want a duration in seconds such as \"30s\", got %s", clip(string(b), maxWord))
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("want a duration in seconds such as \"30s\", got %s", clip(string(b), maxWord))
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON writes the protojson form.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(fmt.Sprintf("%gs", time.Duration(d).Seconds()))
}
