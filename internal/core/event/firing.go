package event

import (
	"encoding/json"
	"strings"
	"time"
)

// FiringState says what came of an event.
type FiringState string

// The states. The first two are not final.
const (
	Waiting  FiringState = "WAITING"  // for other events, for the rate, or for a run to end
	Starting FiringState = "STARTING" // its run has an id and may be there already
	Started  FiringState = "STARTED"  // its run is there
	Sent     FiringState = "SENT"     // the message is sent
	Ignored  FiringState = "IGNORED"  // it does not count
	Failed   FiringState = "FAILED"   // its run was refused
)

// Firing is what a trigger made of an event.
type Firing struct {
	ID        string      `json:"id"`
	TriggerID string      `json:"trigger_id"`
	Event     Event       `json:"event"`
	State     FiringState `json:"state" enum:"WAITING,STARTING,STARTED,SENT,IGNORED,FAILED"`
	// Reason says why it was ignored or failed, or what it waits for.
	Reason string `json:"reason,omitempty"`
	// RunID is the run that was started for it, and maybe for others.
	RunID string `json:"run_id,omitempty"`
	// Key is what the trigger's dedup_key gave.
	Key string `json:"key,omitempty"`
	// CreatedAt is when the event was noticed.
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Hold says what keeps the firings of a trigger that wait.
type Hold string

// The holds.
const (
	HoldQuiet  Hold = "quiet"  // nothing more may happen for a while (debounce)
	HoldMore   Hold = "more"   // further events are gathered (batch)
	HoldRate   Hold = "rate"   // as many runs have started as may in that time
	HoldRuns   Hold = "runs"   // as many of its runs are active as may be
	HoldPaused Hold = "paused" // the trigger is paused
	HoldRetry  Hold = "retry"  // what was tried failed, and is tried again
)

// Outlook is what a trigger will do next if nothing more happens.
type Outlook struct {
	// Waiting is how many of its firings wait, Active how many of its runs have not ended.
	Waiting int `json:"waiting" doc:"how many of its firings wait"`
	Active  int `json:"active" doc:"how many of its runs have not ended"`
	// Hold says what those that wait wait for; empty when nothing waits, or when they are about to be dealt with.
	Hold Hold `json:"hold,omitempty" enum:"quiet,more,rate,runs,paused,retry" doc:"what those that wait wait for"`
	// NextAt is when they are dealt with; nil when that is not a question of time.
	NextAt *time.Time `json:"next_at,omitempty" doc:"when a run starts, or a message is sent, for what waits"`
	// LookAt is when it looks for events again; nil for a trigger that is told of them.
	LookAt *time.Time `json:"look_at,omitempty" doc:"when it looks for events again; absent for one that is told of them"`
}

// Mark is what is remembered of a thing that a trigger looks at: a file as it was seen, a run whose metric is beyond the line.
type Mark struct {
	Name  string
	Value string
}

// FileState is a file as it was seen.
type FileState struct {
	Path string `json:"-"`
	Size int64  `json:"size"`
	// ModifiedNS is in nanoseconds since 1970.
	ModifiedNS int64 `json:"modified_ns"`
	// Digest is that of its content: sha256:HEX of a file that was read, etag:TAG of an object in a bucket, which tells it without being read.
	Digest string `json:"digest,omitempty"`
}

// Same reports whether two looks at a file saw the same size and time, and the same content where both know it.
func (f FileState) Same(o FileState) bool {
	return f.Size == o.Size && f.ModifiedNS == o.ModifiedNS && (f.Digest == "" || o.Digest == "" || f.Digest == o.Digest)
}

// Unfinished reports whether a file of such a name is not meant to be read yet, or not by others.
func Unfinished(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".part")
}

// MetricValue is the newest value of a metric in a run.
type MetricValue struct {
	RunID  string
	Value  float64
	Step   int64
	TimeMS int64
}

// text is a value of an expression as text.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "" // values of expressions are values of JSON
	}
	return string(b)
}

// Verdict is what a trigger would make of an event.
type Verdict struct {
	// Matches says that the event is one of its source, Wanted that it would count.
	Matches bool `json:"matches" doc:"the event is one of the trigger's source"`
	Wanted  bool `json:"wanted" doc:"it would start a run, alone or with others"`
	// Reason says why it would not count, or why its run would be refused.
	Reason     string         `json:"reason,omitempty"`
	Key        string         `json:"key,omitempty" doc:"what dedup_key gives"`
	Parameters map[string]any `json:"parameters,omitempty" doc:"those of the run, before macros are filled in"`
	Text       string         `json:"text,omitempty" doc:"the message, of a trigger that notifies"`
}

// Signed is a request of a webhook. Signature is that of core/webhook over the other three with the shared secret; there may be several,
// with spaces between, of secrets old and new.
type Signed struct {
	// ID is the sender's own id of what it sends: what comes twice fires once.
	ID string
	// Timestamp is when it was sent, in seconds since 1970.
	Timestamp string
	Signature string
	Body      []byte
}

// LateRun is a run that has not ended.
type LateRun struct {
	RunID, Name, Pipeline, ExperimentID string
	// Since is the time that it was for.
	Since time.Time
}

// SignatureError says that a request is not signed as it must be.
type SignatureError struct{ Reason string }

// Error says what is wrong.
func (e *SignatureError) Error() string { return "the request is refused: " + e.Reason }
