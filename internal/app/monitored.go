package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"levada/internal/adapter/store"
	"levada/internal/core/declare"
	"levada/internal/core/fault"
	"levada/internal/core/monitor"
	"levada/internal/core/observe"
	"levada/internal/core/rollout"
)

// monitorFindings are what rollouts ask of monitors: the pipelines of monitors, and the reports that their steps have made.
type monitorFindings struct{ store *store.Store }

// monitorPipeline is the name of the pipeline that a monitor stands for.
func monitorPipeline(monitor string) string { return declare.MonitorPrefix + monitor }

// Monitored returns a NotFound error where there is no monitor of a name.
func (m monitorFindings) Monitored(ctx context.Context, name string) error {
	_, err := m.store.PipelineByName(ctx, monitorPipeline(name))
	if fault.KindOf(err) == fault.NotFound {
		return fault.NotFoundf("there is no monitor %q: \"levada monitors list\" has their names", fault.Shorten(name, 100))
	}
	return err
}

// mostFindings is how many reports of each kind are looked at.
const mostFindings = 100

// Findings returns what a monitor has found since a time.
func (m monitorFindings) Findings(ctx context.Context, name string, since time.Time) ([]rollout.Finding, error) {
	var out []rollout.Finding
	for kind, step := range map[observe.Kind]string{observe.Drift: monitor.StepDriftReport, observe.Check: monitor.StepCheckReport} {
		reports, err := m.store.Data().ReportsSince(ctx, kind, monitorPipeline(name), step, since, mostFindings)
		if err != nil {
			return nil, err
		}
		for _, r := range reports {
			out = append(out, findingOf(name, r))
		}
	}
	return out, nil
}

// findingOf is a report as rollouts see it.
func findingOf(name string, r observe.Stored) rollout.Finding {
	f := rollout.Finding{Monitor: name, At: r.At, Rows: r.Rows, Run: r.RunID, Report: r.ArtifactID, Verdict: rollout.Pass}
	switch {
	case r.NotJudged != "":
		f.Verdict = rollout.NoData
	case !r.Passed:
		f.Verdict = rollout.Fail
	}
	what, names := "expectations do not hold", []string{}
	for _, e := range r.Expectations {
		if !e.Passed {
			names = append(names, strings.TrimPrefix(e.Column+": "+e.Statement, ": "))
		}
	}
	if r.Kind == observe.Drift {
		what = "columns have drifted"
		for _, c := range r.Columns {
			if c.Drifted {
				names = append(names, c.Name)
			}
		}
	}
	f.Reason = fmt.Sprintf("%d of %d %s", r.Failed, r.Compared, what)
	if r.Anomalies { // a feature may have several
		f.Reason = fmt.Sprintf("%d anomalies by the schema", r.Failed)
		if r.Failed == 1 {
			f.Reason = "1 anomaly by the schema"
		}
	}
	if len(names) > 0 {
		f.Reason += ": " + fault.Shorten(strings.Join(names, ", "), 300)
	}
	if r.NotJudged != "" {
		f.Reason = r.NotJudged
	}
	return f
}
