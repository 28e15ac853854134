// Package rollout decides how a new version of a model takes over the traffic of an endpoint, or loses it again.
//
// It is a pure state machine, as package engine is for runs: Decide takes a command (time has passed, somebody aborts) and returns the events
// that follow, Apply takes an event and advances the state; replaying the events of a rollout gives the state that it was in. What the
// versions did arrives as windows: counts, sums and histograms of a short time. A rollout goes through the stages of its plan: shadow, the
// steps of a canary, an experiment or a bandit, and a watch after promotion. Each stage compares the versions afresh, on what ran at the
// same time, and every decision carries its evidence.
//
// The package must not know gateways, storage or metrics systems. Start reading at Plan, then Decide, then judge.go.
package rollout

import (
	"fmt"
	"time"
)

// EventType names an event.
type EventType string

// The events of a rollout. Each one is stored and never changes its meaning.
const (
	Started        EventType = "rollout_started"         // the plan and the versions
	Observed       EventType = "rollout_observed"        // what the versions did in a window of time
	StageStarted   EventType = "rollout_stage_started"   // traffic has changed; comparison begins afresh
	Judged         EventType = "rollout_judged"          // the metrics of a stage were compared
	StageExtended  EventType = "rollout_stage_extended"  // a judgement was not enough; the stage goes on
	TrafficChanged EventType = "rollout_traffic_changed" // a bandit has moved traffic
	PausedEvent    EventType = "rollout_paused"          // nothing is decided until someone resumes; the guard goes on
	Resumed        EventType = "rollout_resumed"         // the stage takes its time once more
	Promoted       EventType = "rollout_promoted"        // a candidate has the traffic
	RolledBack     EventType = "rollout_rolled_back"     // the baseline has the traffic
	MonitorFound   EventType = "rollout_monitor_found"   // a monitor has looked at the data of the endpoint
	Finished       EventType = "rollout_finished"        // nothing more will happen
)

// Event is one step forward of a rollout. docs/canary.md lists the fields of each type.
type Event struct {
	Type EventType `json:"type"`
	At   time.Time `json:"at"`
	// Plan, Arms, Seed and Rules are those of Started. Arms are versions: the baseline first. Rules are those by which it was decided; absent is 1.
	Plan  *Plan    `json:"plan,omitempty"`
	Arms  []string `json:"arms,omitempty"`
	Seed  uint64   `json:"seed,omitempty"`
	Rules int      `json:"rules,omitempty"`
	// Window is what was observed.
	Window *Window `json:"window,omitempty"`
	// Stage is which one begins, was judged or goes on, and Until when it is judged next.
	Stage *Stage     `json:"stage,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Traffic is how requests are divided from now on.
	Traffic *Traffic `json:"traffic,omitempty"`
	// Verdict, Score and Evidence are those of a judgement; Evidence is also the reason of a promotion or a rollback.
	Verdict  Verdict    `json:"verdict,omitempty"`
	Score    *float64   `json:"score,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	// Arm is the version that was promoted.
	Arm string `json:"arm,omitempty"`
	// Finding is what a monitor has found.
	Finding *Finding `json:"finding,omitempty"`
	// Outcome is how a rollout ended.
	Outcome Outcome `json:"outcome,omitempty"`
	// Reason says in words why, By who asked for it; empty for what the rollout decided itself.
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

// Rules is the version of the rules by which Decide decides. It is counted up when other events follow from what is observed.
const Rules = 2

// Finding is what a monitor has found once.
type Finding struct {
	Monitor string    `json:"monitor"`
	At      time.Time `json:"at"`
	// Verdict is fail where the data has drifted or is not as expected, and no_data where too little of it was there.
	Verdict Verdict `json:"verdict"`
	// Rows that were looked at, and by which run.
	Rows int64  `json:"rows"`
	Run  string `json:"run,omitempty"`
	// Report is the id of the artifact that says so; empty where it was not kept.
	Report string `json:"report,omitempty"`
	Reason string `json:"reason"`
}

// id tells findings apart.
func (f *Finding) id() string {
	if f.Report != "" {
		return f.Report
	}
	return fmt.Sprintf("%s %s %d", f.Monitor, f.Run, f.At.UnixNano())
}

// Outcome is how a rollout ended.
type Outcome string

// The outcomes.
const (
	OutcomePromoted   Outcome = "promoted"    // a candidate has the traffic
	OutcomeRolledBack Outcome = "rolled_back" // a candidate did harm
	OutcomeKept       Outcome = "kept"        // no candidate was better; the baseline stays
	OutcomeAborted    Outcome = "aborted"     // somebody stopped it
	OutcomeInvalid    Outcome = "invalid"     // the comparison cannot be trusted
)

// Phase is the kind of a stage.
type Phase string

// The phases, in their order.
const (
	PhaseShadow     Phase = "shadow"
	PhaseCanary     Phase = "canary"
	PhaseExperiment Phase = "experiment"
	PhaseBandit     Phase = "bandit"
	PhaseWatch      Phase = "watch"
)

// Stage is a phase, and which step of it, from 0.
type Stage struct {
	Phase Phase `json:"phase"`
	Step  int   `json:"step"`
}

// Traffic is how requests are divided, in percent.
type Traffic struct {
	// Shares are those of the arms, in their order. That of the baseline is the control group: as many requests as the candidate has, where
	// there are as many.
	Shares []float64 `json:"shares"`
	// Rest goes to the baseline and is not compared.
	Rest float64 `json:"rest,omitempty"`
	// Mirror of all requests are sent to the candidate too, without its answers being used.
	Mirror float64 `json:"mirror,omitempty"`
}

// Command is something that happened or that someone asked for. The types below are the commands.
type Command interface{ command() }

// Start begins a rollout. Seed is that of the draws of a bandit.
type Start struct {
	At         time.Time
	Plan       Plan
	Baseline   string
	Candidates []string
	Seed       uint64
	By         string
}

// Observe reports what the versions did in a window of time.
type Observe struct{ Window Window }

// Tick says that time has passed: what is due is decided.
type Tick struct{ At time.Time }

// Broken reports that a version cannot serve: it does not start, or dies again and again.
type Broken struct {
	At     time.Time
	Arm    string
	Reason string
}

// Found reports what a monitor has found. It is decided by while a promoted version is watched, and not at other times.
type Found struct {
	At      time.Time
	Finding Finding
}

// Pause, Resume, Abort and Promote are what people ask for.
type (
	// Pause stops deciding. Traffic stays as it is and harm still ends the rollout.
	Pause struct {
		At         time.Time
		By, Reason string
	}
	// Resume goes on with the stage, which takes its time once more.
	Resume struct {
		At time.Time
		By string
	}
	// Abort gives all traffic to the baseline.
	Abort struct {
		At         time.Time
		By, Reason string
	}
	// Promote gives all traffic to a candidate, without waiting. Arm may be empty where there is one.
	Promote struct {
		At              time.Time
		Arm, By, Reason string
	}
)

func (Start) command()   {}
func (Observe) command() {}
func (Tick) command()    {}
func (Broken) command()  {}
func (Found) command()   {}
func (Pause) command()   {}
func (Resume) command()  {}
func (Abort) command()   {}
func (Promote) command() {}

// State is a rollout as its events so far have made it. Its exported fields are what is shown of it.
type State struct {
	Plan    Plan      `json:"plan"`
	Arms    []string  `json:"arms"`
	Started time.Time `json:"started"`
	Stage   Stage     `json:"stage"`
	// Since and Until are when the stage began and when it is judged next; Until is zero where only evidence ends it.
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Traffic Traffic   `json:"traffic"`
	Paused  bool      `json:"paused"`
	// Failures and Extensions are those of the stage.
	Failures   int `json:"failures"`
	Extensions int `json:"extensions"`
	// Arm is the version that was promoted, empty before.
	Arm     string  `json:"arm,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	// Last is the newest judgement.
	Last []Evidence `json:"last,omitempty"`
	// Requests and Errors are those of the arms since the start.
	Requests []int64 `json:"requests"`
	Errors   []int64 `json:"errors"`

	seed      uint64
	draws     uint64
	data      *stageData
	promoted  time.Time        // when a version was
	heard     map[string]heard // what each monitor has found since
	past      *armData         // what the baseline did since the start
	standards []*armData       // what a promoted arm is held against, the best first
	now       time.Time
}

// heard is what is known of a monitor.
type heard struct {
	findings []string // by id
	newest   time.Time
	judged   bool // one of them had enough rows
}

// New returns the state of a rollout that has no events yet.
func New() *State { return &State{} }

// Done reports whether nothing more will happen.
func (s *State) Done() bool { return s.Outcome != "" }

// stages are those of a plan before promotion, in their order.
func (p *Plan) stages() []Stage {
	var out []Stage
	if p.Shadow != nil {
		out = append(out, Stage{PhaseShadow, 0})
	}
	if p.Canary != nil {
		for i := range p.Canary.Steps {
			out = append(out, Stage{PhaseCanary, i})
		}
	}
	if p.Experiment != nil {
		out = append(out, Stage{PhaseExperiment, 0})
	}
	if p.Bandit != nil {
		out = append(out, Stage{PhaseBandit, 0})
	}
	return out
}

// watches is how many blocks the watch after promotion has.
func (p *Plan) watches() int {
	if p.Watch == nil {
		return 0
	}
	return int((p.Watch.Duration + p.Watch.Window - 1) / p.Watch.Window)
}

// level is the part of the guard's alpha that each guarded metric has in each stage.
func (p *Plan) level() float64 {
	guarded := 0
	for _, m := range p.Metrics {
		if m.Critical {
			guarded++
		}
	}
	if p.Watch != nil && p.Watch.Holdback == 0 && !p.guardsErrors() {
		guarded++
	}
	return p.Guard.Alpha / float64(max(1, guarded)*max(1, len(p.stages())+p.watches()))
}
