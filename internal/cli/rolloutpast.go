package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/quality"
	"levada/internal/core/reqlog"
	"levada/internal/core/rollout"
)

// loggedLine is a line of "levada requests -o jsonl".
type loggedLine struct {
	ID      string    `json:"request_id"`
	Row     int       `json:"row"`
	Time    time.Time `json:"time"`
	Version string    `json:"version"`
	Status  string    `json:"status"`
	Latency float64   `json:"latency_ms"`
	Actual  any       `json:"actual"`
}

// logged are requests of the past, of each its first row.
type logged struct{ requests []rollout.Past }

// add takes a line in.
func (l *logged) add(line json.RawMessage) error {
	var r loggedLine
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	predicted, err := firstOutput(line)
	if err != nil {
		return err
	}
	value, isValue := jsonValue(predicted)
	values := map[string]float64{}
	if actual, known := jsonValue(r.Actual); known && isValue {
		values = quality.Losses(quality.Pair{Predicted: value, Actual: actual})
	}
	if r.Row > 0 {
		return nil // the gateway compares the first row of a request
	}
	p := rollout.Past{ID: r.ID, At: r.Time, Version: r.Version, Values: values,
		Answer: rollout.Answer{Milliseconds: r.Latency, Failed: r.Status != endpoint.OK.String(), TimedOut: r.Status == endpoint.TimedOut.String()}}
	switch {
	case isValue && value.IsText:
		p.Label = value.Text
	case isValue:
		p.Prediction = &value.Number
	}
	l.requests = append(l.requests, p)
	return nil
}

// jsonValue is a number or a text of JSON, of a list its first.
func jsonValue(v any) (out reqlog.Value, ok bool) {
	for list, is := v.([]any); is && len(list) > 0; list, is = v.([]any) {
		v = list[0]
	}
	switch v := v.(type) {
	case float64:
		return reqlog.Value{Number: v}, true
	case bool:
		if v {
			out.Number = 1
		}
		return out, true
	case string:
		return reqlog.Value{Text: v, IsText: true}, v != ""
	}
	return out, false
}

// firstOutput is the first column of what a model answered.
func firstOutput(line json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() { // in the order of the columns
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if strings.HasPrefix(fmt.Sprint(key), reqlog.OutputPrefix) && value != nil {
			return value, nil
		}
	}
	return nil, nil //nolint:nilnil // it has none
}

// past divides the requests into windows of the versions that are named, the baseline first.
func (l *logged) past(versions []string, every time.Duration) (past, error) {
	var there []string
	for _, r := range l.requests {
		if !slices.Contains(there, r.Version) {
			there = append(there, r.Version)
		}
	}
	slices.SortFunc(there, func(a, b string) int { return strings.Compare(fmt.Sprintf("%20s", a), fmt.Sprintf("%20s", b)) })
	switch {
	case len(versions) == 0 && len(there) == 1:
		versions = there
	case len(versions) == 0:
		return past{}, fault.Invalidf("the requests are of versions %[1]s: say which are compared, the baseline first: --versions %[2]s, or one against itself: --versions %[3]s",
			strings.Join(there, ", "), strings.Join(there[:2], ","), there[0])
	}
	for _, v := range versions {
		if !slices.Contains(there, v) {
			return past{}, fault.Invalidf("there are no requests of version %q: the versions are %s", v, strings.Join(there, ", "))
		}
	}
	out := past{arms: versions, windows: rollout.Windows(l.requests, versions, every)}
	if len(versions) == 1 {
		out.arms = []string{versions[0], versions[0] + " (the other half)"}
	}
	return out, nil
}
