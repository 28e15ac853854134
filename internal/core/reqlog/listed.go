package reqlog

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// The bounds of a page of listed requests.
const (
	// MaxListed is how many rows a page has at most.
	MaxListed = 500
	// ShownText is how many bytes of a text are listed.
	ShownText = 2000
)

// LoggedRequest is a row of a logged request as a list shows it.
type LoggedRequest struct {
	ID        string        `json:"request_id"`
	Row       int64         `json:"row" doc:"of a request with several, from 0"`
	Time      time.Time     `json:"time"`
	Version   string        `json:"version"`
	Role      Role          `json:"role" enum:"served,shadow"`
	Status    string        `json:"status" enum:"ok,rejected,failed,timeout,shed"`
	LatencyMS float64       `json:"latency_ms"`
	Inputs    []LoggedValue `json:"inputs" nullable:"false"`
	Outputs   []LoggedValue `json:"outputs" nullable:"false"`
	// Truth is what became of it, where that is known.
	Truth *LoggedTruth `json:"truth,omitempty" doc:"what became of it, where that is known"`
}

// LoggedValue is a value under a name.
type LoggedValue struct {
	Name  string `json:"name"`
	Value any    `json:"value" doc:"a number, truth value or text; null for what JSON has no word for, such as NaN"`
	// More is how many bytes of a text are left out.
	More int `json:"more,omitempty" doc:"bytes of a long text that are left out"`
}

// LoggedTruth is the truth of a row.
type LoggedTruth struct {
	Actual any        `json:"actual" doc:"a number or a text"`
	Time   *time.Time `json:"time,omitempty" doc:"when it happened, where that was said"`
}

// LoggedPage are logged requests, the newest first.
type LoggedPage struct {
	Requests []LoggedRequest `json:"requests" nullable:"false" doc:"the newest first; rows of a request in their order"`
	// Next continues the list; empty at its end.
	Next string `json:"next_page_token,omitempty"`
	// Back is how far the log was looked through, where there may be more before.
	Back *time.Time `json:"looked_back_to,omitempty" doc:"how far the log was looked through, where there may be more before that"`
}

// Position is the place of a row in the list: by time, the newest first, then by the rest.
type Position struct {
	At      int64  `json:"t"` // microseconds since 1970
	ID      string `json:"i,omitempty"`
	Version string `json:"v,omitempty"`
	Role    Role   `json:"r,omitempty"`
	Row     int64  `json:"n,omitempty"`
}

// Compare says which of two comes first in the list.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(q.At, p.At), strings.Compare(p.ID, q.ID), strings.Compare(p.Version, q.Version),
		strings.Compare(string(p.Role), string(q.Role)), cmp.Compare(p.Row, q.Row))
}

// Token is the position as a text.
func (p Position) Token() string {
	text, err := json.Marshal(p)
	if err != nil {
		return "" // it holds numbers and texts
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// ParsePosition reads a token; nil for an empty one.
func ParsePosition(token string) (*Position, error) {
	if token == "" {
		return nil, nil
	}
	var p Position
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return nil, fault.Invalidf("page_token %q is none that this list gave; leave it out to begin anew", fault.Shorten(token, 100))
	}
	return &p, nil
}

// NamedOf is a cell under a name, as it is listed.
func NamedOf(name string, c table.Cell) LoggedValue {
	n := LoggedValue{Name: name}
	if c.Kind == table.Text && len(c.Text) > ShownText {
		cut := strings.ToValidUTF8(c.Text[:ShownText], "")
		n.More, c.Text = len(c.Text)-len(cut), cut
	}
	n.Value = ValueJSON(c)
	return n
}

// ValueJSON is a cell as a value that encoding/json writes as AppendJSON does.
func ValueJSON(c table.Cell) any { return json.RawMessage(AppendJSON(nil, c)) }
