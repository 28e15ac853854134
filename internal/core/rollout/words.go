package rollout

import (
	"fmt"
	"strings"
	"time"
)

// Words say in one sentence what an event is.
func (e Event) Words() string {
	switch e.Type {
	case Started:
		return fmt.Sprintf("a rollout of version %s begins, compared with %s", strings.Join(e.Arms[1:], ", "), e.Arms[0])
	case Observed:
		return fmt.Sprintf("observed until %s", e.At.Format(time.RFC3339))
	case StageStarted:
		text := fmt.Sprintf("%s begins: %s", e.Stage, e.Traffic)
		if e.Reason != "" {
			text += "; " + e.Reason
		}
		return text
	case Judged:
		return fmt.Sprintf("%s is judged: %s%s", e.Stage, e.Verdict, says(e))
	case StageExtended:
		return fmt.Sprintf("%s goes on until %s: %s", e.Stage, e.Until.Format(time.TimeOnly), e.Reason)
	case TrafficChanged:
		text := fmt.Sprintf("traffic moves: %s", e.Traffic)
		if e.Reason != "" {
			text += "; " + e.Reason
		}
		return text
	case MonitorFound:
		return fmt.Sprintf("monitor %s: %s: %s", e.Finding.Monitor, strings.ReplaceAll(string(e.Verdict), "_", " "), e.Reason)
	case PausedEvent:
		return "the rollout is paused: " + e.Reason
	case Resumed:
		return "the rollout goes on"
	case Promoted:
		return fmt.Sprintf("version %s is promoted: %s", e.Arm, e.Reason)
	case RolledBack:
		return "the baseline has the traffic again: " + e.Reason
	case Finished:
		return fmt.Sprintf("the rollout has ended, %s: %s", strings.ReplaceAll(string(e.Outcome), "_", " "), e.Reason)
	}
	return string(e.Type)
}

// says names the metrics of a judgement with their verdicts.
func says(e Event) string {
	var parts []string
	for _, v := range e.Evidence {
		parts = append(parts, fmt.Sprintf("%s %s", v.Metric, strings.ReplaceAll(string(v.Verdict), "_", " ")))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// String names a stage: canary has steps and watch has blocks, which are counted from 1.
func (s Stage) String() string {
	switch s.Phase {
	case PhaseCanary:
		return fmt.Sprintf("step %d of the canary", s.Step+1)
	case PhaseWatch:
		return fmt.Sprintf("block %d of the watch", s.Step+1)
	}
	return "the " + string(s.Phase)
}

// String says who gets how much.
func (t Traffic) String() string {
	var parts []string
	for i, share := range t.Shares {
		switch {
		case share == 0:
		case i == 0:
			parts = append(parts, fmt.Sprintf("%.4g %% baseline", share))
		case len(t.Shares) == 2:
			parts = append(parts, fmt.Sprintf("%.4g %% candidate", share))
		default:
			parts = append(parts, fmt.Sprintf("%.4g %% candidate %d", share, i))
		}
	}
	if t.Rest > 0 {
		parts = append(parts, fmt.Sprintf("%.4g %% baseline that is not compared", t.Rest))
	}
	if t.Mirror > 0 {
		parts = append(parts, fmt.Sprintf("%.4g %% copied to the candidate", t.Mirror))
	}
	return strings.Join(parts, ", ")
}
