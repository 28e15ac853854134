package tracking

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// MLflow's limits. Lengths count characters.
const (
	maxBatchMetrics   = 1000
	maxBatchParams    = 100 // and tags
	maxBatchTotal     = 1000
	maxKey            = 250
	maxParam          = 6000
	maxTag            = 8000
	maxExperimentName = 500
	maxExperimentTag  = 20000
	maxLocation       = 2048
)

// StateError is a request that the state of a thing forbids, where MLflow has a code of its own for that (INVALID_STATE).
type StateError struct{ Message string }

// Error returns the message.
func (e *StateError) Error() string { return e.Message }

// InvalidValue is MLflow's sentence about a wrong value.
func InvalidValue(where string, value any, why string) error {
	text, err := json.Marshal(value)
	if err != nil {
		text = []byte(fmt.Sprintf("%q", value))
	}
	if why != "" {
		return fault.Invalidf("Invalid value %s for parameter '%s' supplied: %s", text, where, why)
	}
	return fault.Invalidf("Invalid value %s for parameter '%s' supplied.", text, where)
}

func tooLong(where string, limit int) error {
	return fault.Invalidf("'%s' exceeds the maximum length of %d characters", where, limit)
}

// maxRunID bounds the id of a run, in characters. It does not stand in the form: a class of that size, repeated so often, compiles to
// ten megabytes.
const maxRunID = 256

var (
	// nameForm is what MLflow allows in the names of parameters, metrics and tags; \w of Python takes all letters.
	nameForm  = regexp.MustCompile(`^[/\pL\pN\pM_.\- :]*\n?$`)
	runIDForm = regexp.MustCompile(`^[a-zA-Z0-9][\pL\pN_\-]*$`)
)

// CheckName refuses names of metrics, parameters and tags that could be taken for other paths.
func CheckName(where, name string) error {
	if !nameForm.MatchString(name) {
		return InvalidValue(where, name, "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), "+
			"colon(:) and slashes (/).")
	}
	if clean := normal(name); clean != name || clean == "." || strings.HasPrefix(clean, "..") || strings.HasPrefix(clean, "/") {
		return InvalidValue(where, name, "Names may be treated as files in certain cases, and must not resolve to other names when "+
			"treated as such. This name would resolve to '"+clean+"'")
	}
	return nil
}

// normal is Python's posixpath.normpath: two leading slashes stay.
func normal(name string) string {
	clean := path.Clean(name)
	if strings.HasPrefix(name, "//") && !strings.HasPrefix(name, "///") {
		return "/" + clean
	}
	return clean
}

func checkLength(where, text string, limit int) error {
	if len(text) > limit && utf8.RuneCountInString(text) > limit {
		return tooLong(where, limit)
	}
	return nil
}

// cut shortens a text to a number of characters, as MLflow does with long values.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	n := 0
	for i := range text {
		if n == limit {
			return text[:i]
		}
		n++
	}
	return text
}

func checkParam(prefix string, p *track.KV) error {
	if err := CheckName(join(prefix, "key"), p.Key); err != nil {
		return err
	}
	p.Value = cut(p.Value, maxParam)
	return checkLength("Param key", p.Key, maxKey)
}

func checkTag(prefix string, t *track.KV) error {
	if err := CheckName(join(prefix, "key"), t.Key); err != nil {
		return err
	}
	t.Value = cut(t.Value, maxTag)
	return checkLength(join(prefix, "key"), t.Key, maxKey)
}

func checkMetric(prefix string, m track.Metric) error {
	if err := CheckName(join(prefix, "name"), m.Key); err != nil {
		return err
	}
	if m.Time < 0 {
		return InvalidValue(join(prefix, "timestamp"), m.Time,
			fmt.Sprintf("metric '%s' (value=%s). Timestamp must be a nonnegative long (64-bit integer) ", m.Key, pythonFloat(m.Value)))
	}
	return checkLength("Metric name", m.Key, maxKey)
}

// pythonFloat shows a number as Python does, in the usual cases.
func pythonFloat(v float64) string {
	text := strings.ToLower(fmt.Sprintf("%v", v))
	if !strings.ContainsAny(text, ".en") {
		text += ".0"
	}
	return text
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

func checkExperimentTag(t track.KV) error {
	if err := CheckName("key", t.Key); err != nil {
		return err
	}
	if err := checkLength("key", t.Key, maxKey); err != nil {
		return err
	}
	return checkLength("value", t.Value, maxExperimentTag)
}

func checkExperimentName(name string) error {
	if name == "" {
		return fault.Invalidf("Invalid experiment name: '%s'", name)
	}
	return checkLength("name", name, maxExperimentName)
}

// checkLocation refuses artifact locations that no client could use safely. What a location names is never opened by the
// server: it serves only what clients put there through it.
func checkLocation(location string) error {
	if strings.ContainsAny(location, "#;") {
		return fault.Invalidf("'artifact_location' URL can't include fragments or params.")
	}
	if _, query, found := strings.Cut(location, "?"); found && strings.Contains(query, "..") {
		return fault.Invalidf("Invalid query string: %s", query)
	}
	if strings.HasPrefix(location, "runs:") {
		return fault.Invalidf("Artifact location cannot be a runs:/ URI. Given: '%s'", location)
	}
	if len(location) > maxLocation {
		return fault.Invalidf("Invalid artifact path length. The length of the artifact path cannot be greater than %d characters.", maxLocation)
	}
	return nil
}

func checkBatch(metrics, params, tags int) error {
	for _, c := range []struct {
		what     string
		n, limit int
	}{
		{"metrics", metrics, maxBatchMetrics}, {"params", params, maxBatchParams}, {"tags", tags, maxBatchParams},
		{"metrics, params, and tags", metrics + params + tags, maxBatchTotal},
	} {
		if c.n > c.limit {
			return fault.Invalidf("A batch logging request can contain at most %d %s. Got %d %s. Please split up %s across multiple "+
				"requests and try again.", c.limit, c.what, c.n, c.what, c.what)
		}
	}
	return nil
}
