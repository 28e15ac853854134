package partition

import (
	"fmt"
	"time"

	"levada/internal/core/run"
)

// State says how far a partition is.
type State string

// The states.
const (
	Missing State = "missing" // nothing was computed, or what was is deleted
	Running State = "running" // a run is active, or waits in a backfill
	Failed  State = "failed"  // its newest run failed
	Stale   State = "stale"   // computed, but from other content than there is now
	Done    State = "done"    // computed from what there is now
)

// States are all of them, in the order in which they matter to a reader.
func States() []State { return []State{Missing, Failed, Stale, Running, Done} }

// Run is the newest run of a partition that was not cancelled.
type Run struct {
	Key   string
	RunID string
	State run.State
	// SpecDigest is the specification that it ran.
	SpecDigest            string
	CreatedAt, FinishedAt time.Time
}

// Input is what a run imported: the address, the content that was there then, its size in bytes, and what told the content there (run.Artifact).
type Input struct {
	RunID, URI, Digest, Tag string
	Size                    int64
}

// Upstream is content that a run imported by its digest, and that a partition of some pipeline had made which gives other content now.
type Upstream struct {
	// RunID is the run that imported it, Digest what it imported.
	RunID, Digest string
	// Pipeline and Key are the pipeline's name and the partition that made it, Now what the newest run of that partition gave in its place.
	Pipeline, Key, Now string
}

// Status is a partition with its state.
type Status struct {
	Key   string     `json:"key"`
	State State      `json:"state" enum:"missing,running,failed,stale,done"`
	Start *time.Time `json:"start,omitempty" doc:"beginning of the time it is for"`
	End   *time.Time `json:"end,omitempty" doc:"end of the time it is for, excluded"`
	RunID string     `json:"run_id,omitempty" doc:"its newest run that was not cancelled"`
	// Why says in words what makes it stale, or that it waits.
	Why string     `json:"why,omitempty" doc:"what has changed since a stale partition was computed, or that it waits in a backfill"`
	At  *time.Time `json:"at,omitempty" doc:"when its run was created"`
}

// Newest is what a partition would be computed from now.
type Newest struct {
	// SpecDigest is the specification of the pipeline's newest version.
	SpecDigest string
	// Changed says why an input has another content now, or "" when it is the same as far as is known.
	Changed func(in Input, since time.Time) string
	// Upstream is, by run, what it imported that has been computed again with other content.
	Upstream map[string][]Upstream
	// Waiting are the keys that a backfill is about to start.
	Waiting map[string]bool
}

// Judge says in what state each partition is. inputs are those of the runs, by run.
func Judge(all []Partition, runs map[string]Run, inputs map[string][]Input, now Newest) []Status {
	out := make([]Status, len(all))
	for i, p := range all {
		st := Status{Key: p.Key, State: Missing, Start: p.Start, End: p.End}
		if r, ok := runs[p.Key]; ok {
			st.RunID, st.At = r.RunID, &r.CreatedAt
			switch {
			case !r.State.Final():
				st.State = Running
			case r.State == run.Failed:
				st.State = Failed
			default:
				st.State, st.Why = Done, changed(r, inputs[r.RunID], now)
				if st.Why != "" {
					st.State = Stale
				}
			}
		}
		if now.Waiting[p.Key] && st.State != Running {
			st.State, st.Why = Running, "it waits in a backfill"
		}
		out[i] = st
	}
	return out
}

// changed says what of a run's inputs is not the same any more, or "".
func changed(r Run, inputs []Input, now Newest) string {
	if now.SpecDigest != "" && r.SpecDigest != now.SpecDigest {
		return "the pipeline has a newer version"
	}
	for _, in := range inputs {
		if why := now.Changed(in, r.CreatedAt); why != "" {
			return fmt.Sprintf("%s: %s", in.URI, why)
		}
	}
	for _, u := range now.Upstream[r.RunID] {
		return "levada://" + u.Digest + ": partition " + u.Key + " of pipeline " + u.Pipeline + ", which made it, gives levada://" + u.Now + " now"
	}
	return ""
}

// Counts counts partitions by state.
func Counts(all []Status) map[State]int {
	out := map[State]int{}
	for _, s := range all {
		out[s.State]++
	}
	return out
}
