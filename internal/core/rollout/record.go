package rollout

import (
	"slices"
	"time"
)

// Record is a rollout as it is kept, beside its events.
type Record struct {
	ID       string `json:"id"`
	Endpoint string `json:"endpoint"`
	Model    string `json:"model"`
	// Alias of the model names the version that has the traffic, once a candidate is promoted; empty for none.
	Alias      string     `json:"alias,omitempty"`
	Baseline   string     `json:"baseline"`
	Candidates []string   `json:"candidates" nullable:"false"`
	By         string     `json:"by,omitempty"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	Outcome    Outcome    `json:"outcome,omitempty" doc:"how it ended: promoted, rolled_back, kept, aborted or invalid; absent while it goes on"`
	Reason     string     `json:"reason,omitempty"`
	// Settled says that traffic and alias are as the outcome wants them.
	Settled bool `json:"settled"`
}

// View is a copy of what is shown of a state.
func (s *State) View() State {
	out := *s
	out.Traffic.Shares = slices.Clone(s.Traffic.Shares)
	out.Requests, out.Errors = slices.Clone(s.Requests), slices.Clone(s.Errors)
	out.data, out.past, out.standards, out.heard = nil, nil, nil, nil
	return out
}

// EndForm is the form that ends of rollouts are kept in. It is counted up when a report gets other contents: those of an earlier form are made again.
const EndForm = 1

// End is what a rollout that has ended came to, as it is kept. All of it follows from the events.
type End struct {
	State  State  `json:"state"`
	Report Report `json:"report"`
}
