package run

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Cause is one reason for which runs failed, with the runs that failed for it.
type Cause struct {
	// Task is the path of the task that failed, with "*" for the numbers of iterations; empty where that makes no difference.
	Task     string `json:"task,omitempty" doc:"path of the task that failed, with * for the number of an iteration"`
	Pipeline string `json:"pipeline,omitempty" doc:"name of the pipeline; empty when the cause lies outside of it"`
	Reason   Reason `json:"reason"`
	Message  string `json:"message" doc:"the message of the newest of the failures, shortened"`
	Count    int    `json:"count" doc:"runs that failed for this cause"`
	// Newest is without its failure, which is this.
	Newest  Brief     `json:"newest" doc:"the run that failed last"`
	FirstAt time.Time `json:"first_at" doc:"when the first of them failed"`
}

// maxCauseMessage is how many bytes of a message are shown: the first lines of an error say what it is.
const maxCauseMessage = 1000

// Causes sorts failed runs by why they failed: the same task of the same pipeline with the same kind of error is one cause. What
// lies outside of pipelines, an environment that cannot be built or a machine that fails, is one cause for all tasks. The causes
// come in the order of their newest failure, the latest first.
func Causes(failed []Brief) []Cause {
	byKey := map[[4]string]*Cause{}
	var order []*Cause
	for _, r := range failed {
		f := Failure{Reason: ReasonSystem, Message: "the reason was not recorded"}
		if r.Failure != nil {
			f = *r.Failure
		}
		r.Failure = nil
		c := Cause{Task: stars(f.Task), Pipeline: r.PipelineName, Reason: f.Reason, Message: shortened(bare(f)), Newest: r, FirstAt: ended(r)}
		if outside(f.Reason) {
			c.Task, c.Pipeline = "", ""
		}
		key := [4]string{c.Pipeline, c.Task, string(c.Reason), errorKind(bare(f))}
		known := byKey[key]
		if known == nil {
			known = &c
			byKey[key] = known
			order = append(order, known)
		}
		known.Count++
		if ended(r).After(ended(known.Newest)) {
			known.Newest, known.Message = r, c.Message
		}
		if ended(r).Before(known.FirstAt) {
			known.FirstAt = ended(r)
		}
	}
	slices.SortStableFunc(order, func(a, b *Cause) int { return ended(b.Newest).Compare(ended(a.Newest)) })
	out := make([]Cause, len(order))
	for i, c := range order {
		out[i] = *c
	}
	return out
}

func ended(r Brief) time.Time {
	if r.FinishedAt != nil {
		return *r.FinishedAt
	}
	return r.CreatedAt
}

// outside reports whether a failure is not the fault of the task that it happened to.
func outside(r Reason) bool {
	return r == ReasonEnvironment || r == ReasonSystem || r == ReasonLost
}

// bare is the message of a failure without the words that name the task.
func bare(f Failure) string {
	if rest, ok := strings.CutPrefix(f.Message, `task "`); ok {
		if _, why, ok := strings.Cut(rest, `" failed: `); ok {
			return why
		}
	}
	return f.Message
}

// stars puts "*" in the place of the numbers of iterations.
func stars(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

func shortened(s string) string {
	if len(s) <= maxCauseMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxCauseMessage], "") + "…"
}

var (
	// varying is what differs between two failures of one kind: quoted texts, paths, ids, numbers.
	varying = regexp.MustCompile("'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`|(?:/[\\w.@+-]+){2,}/?|\\b0x[0-9a-fA-F]+\\b|\\b[0-9a-f]{8}-[0-9a-f-]{27}\\b|\\b[0-9a-f]{12,}\\b|[-+]?\\d+(?:[.,:]\\d+)*(?:e[-+]?\\d+)?")
	blanks  = regexp.MustCompile(`\s+`)
)

// maxKind bounds how much of a message tells kinds of errors apart: what comes later are details.
const maxKind = 400

// errorKind is a message without what differs from one failure to the next of the same kind.
func errorKind(message string) string {
	if len(message) > maxKind {
		message = message[:maxKind]
	}
	return strings.TrimSpace(blanks.ReplaceAllString(varying.ReplaceAllString(message, "…"), " "))
}
