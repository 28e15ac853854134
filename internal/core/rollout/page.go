package rollout

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"levada/internal/core/webpage"
)

const pageStyles = webpage.ChartStyles + `h2 { font-size: 1.15rem; margin: 2rem 0 .2rem; } h3 { font-size: 1rem; margin: 1.2rem 0 0; }
pre { overflow: auto; max-height: 30rem; padding: .6rem .9rem; background: #8881; }
.wide { overflow-x: auto; } td.why { min-width: 18rem; }
`

// WritePage writes a report as a web page that needs nothing else, with its plots and every decision.
func WritePage(w io.Writer, r Report) error {
	p := &page{webpage.New(w, "Rollout", pageStyles), r}
	p.head()
	for _, s := range r.Stages {
		p.stage(s)
	}
	p.decisions()
	p.plan()
	return p.Flush()
}

type page struct {
	*webpage.Writer
	r Report
}

// Verdict is how a rollout ended and why, in a sentence.
func (r Record) Verdict() string {
	switch r.Outcome {
	case "":
		return "It goes on."
	case OutcomePromoted:
		return fmt.Sprintf("Promoted: %s", r.Reason)
	case OutcomeRolledBack:
		return "Rolled back because " + r.Reason
	case OutcomeKept:
		return fmt.Sprintf("The baseline stays: %s", r.Reason)
	case OutcomeAborted:
		return "Stopped by a person: " + r.Reason
	}
	return "Nothing can be concluded: " + r.Reason
}

func (p *page) head() {
	r := p.r
	p.Raw("<h1>Rollout of ")
	p.Text(r.Model)
	p.Rawf(" at %s</h1><p class=names>version ", webpage.Escape(r.Endpoint))
	p.Rawf("<b class=cur>%s</b> compared with <b class=ref>%s</b> · %s", webpage.Escape(strings.Join(r.Candidates, ", ")), webpage.Escape(r.Baseline), moment(r.StartedAt))
	if r.FinishedAt != nil {
		p.Rawf(" to %s (%v)", moment(*r.FinishedAt), r.FinishedAt.Sub(r.StartedAt).Round(time.Second))
	}
	if r.By != "" {
		p.Raw(" · asked for by ")
		p.Text(r.By)
	}
	p.Rawf(" · <code>%s</code></p>", webpage.Escape(r.ID))
	class := "verdict"
	if r.Outcome != OutcomePromoted && r.Outcome != OutcomeKept && r.Outcome != "" {
		class += " bad"
	}
	p.Rawf("<p class=\"%s\">%s</p>", class, webpage.Escape(r.Verdict()))
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

func (p *page) stage(s StageReport) {
	p.Rawf("<h2>%s</h2><p>%s; %s to %s", webpage.Escape(capital(s.Name)), webpage.Escape(s.Traffic), moment(s.From), s.To.UTC().Format("15:04:05"))
	if s.Verdict != "" {
		p.Rawf("; judged: <b>%s</b>", webpage.Escape(strings.ReplaceAll(string(s.Verdict), "_", " ")))
	}
	p.Raw("</p>")
	if s.Reason != "" && s.Reason != p.r.Reason {
		p.Rawf("<p class=\"verdict bad\">%s</p>", webpage.Escape(capital(s.Reason)))
	}
	p.Raw("<div class=wide><table><thead><tr><th>version<th class=n>requests<th class=n>errors<th class=n>rate of errors<th class=n>p50 ms<th class=n>p95 ms<th class=n>p99 ms</tr></thead><tbody>")
	for i, a := range s.Arms {
		p.Rawf("<tr><td class=\"name %s\">%s<td class=n>%d<td class=n>%d<td class=n>%s", classOf(i), webpage.Escape(a.Version), a.Requests, a.Errors, webpage.Escape(spanText(a.Rate)))
		p.Number(a.P50)
		p.Number(a.P95)
		p.Number(a.P99)
		p.Raw("</tr>")
	}
	p.Raw("</tbody></table></div><div class=charts>")
	p.shape("Latency, ms", s.Latency, true)
	p.shape("Predictions", s.Predictions, false)
	for _, t := range s.Trails {
		p.trail(s, t)
	}
	p.shares(s)
	p.Raw("</div>")
	p.labels(s)
}

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func classOf(arm int) string {
	if arm == 0 {
		return "ref"
	}
	return "cur"
}

func lineClass(arm int) string { return classOf(arm)[:1] }

func spanText(s *Span) string {
	if s == nil || s.Value == nil {
		return ""
	}
	if s.Low == nil || s.High == nil {
		return webpage.Figure(*s.Value)
	}
	return fmt.Sprintf("%s (%s to %s)", webpage.Figure(*s.Value), webpage.Figure(*s.Low), webpage.Figure(*s.High))
}

// shape draws distributions as the share of each part.
func (p *page) shape(title string, s *Shape, log bool) {
	if s == nil || len(s.Edges) == 0 {
		return
	}
	c := webpage.Chart{Title: title + ": share of the requests", LogX: log}
	for i, counts := range s.Counts {
		total := int64(0)
		for _, n := range counts {
			total += n
		}
		if total == 0 {
			continue
		}
		l := webpage.Line{Name: p.r.Arms[i], Class: lineClass(i)}
		for k, n := range counts {
			share := float64(n) / float64(total)
			l.Points = append(l.Points, webpage.XY{X: s.Edges[k], Y: share}, webpage.XY{X: s.Edges[k+1], Y: share})
		}
		c.Lines = append(c.Lines, l)
	}
	p.Chart(c)
}

// labels has a table of predicted categories.
func (p *page) labels(s StageReport) {
	if s.Predictions == nil || len(s.Predictions.Labels) == 0 {
		return
	}
	p.Raw("<h3>Predictions</h3><div class=wide><table><thead><tr><th>label")
	for i, arm := range p.r.Arms {
		p.Rawf("<th class=%s>%s", classOf(i), webpage.Escape(arm))
	}
	p.Raw("</tr></thead><tbody>")
	for k, l := range s.Predictions.Labels {
		p.Raw("<tr><td class=name>")
		p.Text(l)
		for i := range p.r.Arms {
			p.Rawf("<td class=n>%d", s.Predictions.Counts[i][k])
		}
		p.Raw("</tr>")
	}
	p.Raw("</tbody></table></div>")
}

// trail draws what both arms had, the effect, and the p-value or the chance over time.
func (p *page) trail(s StageReport, t Trail) {
	seconds := func(at time.Time) float64 { return at.Sub(s.From).Seconds() }
	name := t.Label
	if len(p.r.Arms) > 2 {
		name += ", version " + t.Arm
	}
	var base, candidate, effect, ps, chance webpage.Line
	base.Name, base.Class, candidate.Name, candidate.Class = p.r.Arms[0], "r", t.Arm, "c"
	effect.Name, effect.Class, ps.Name, ps.Class, chance.Name, chance.Class = "harm", "c", "p", "c", "chance", "c"
	for _, q := range t.Points {
		x := seconds(q.At)
		extend(&base, x, q.Baseline)
		extend(&candidate, x, q.Candidate)
		extend(&effect, x, q.Effect)
		if q.P != nil {
			ps.Points = append(ps.Points, webpage.XY{X: x, Y: math.Max(*q.P, 1e-12)})
		}
		if q.Chance != nil {
			chance.Points = append(chance.Points, webpage.XY{X: x, Y: *q.Chance})
		}
	}
	p.Chart(webpage.Chart{Title: capital(name), Lines: []webpage.Line{base, candidate}, X: inSeconds})
	harm := webpage.Chart{Title: "Harm by " + name + unitText(t.Unit), Lines: []webpage.Line{effect}, Marks: []webpage.Mark{{Y: 0, Name: "none"}}, X: inSeconds}
	if t.Tolerance != nil {
		harm.Marks = append(harm.Marks, webpage.Mark{Y: *t.Tolerance, Name: "tolerance"})
	}
	p.Chart(harm)
	test := webpage.Chart{Title: "p-value of " + name + ", lowest so far", LogY: true, Lines: []webpage.Line{ps}, X: inSeconds}
	if t.Level != nil {
		test.Marks = []webpage.Mark{{Y: *t.Level, Name: "decided below"}}
	}
	p.Chart(test)
	p.Chart(webpage.Chart{Title: "Chance to be the best by " + name, Lines: []webpage.Line{chance}, X: inSeconds})
}

// extend adds a point with its interval; a point without one has that of no width.
func extend(l *webpage.Line, x float64, s *Span) {
	if s == nil || s.Value == nil {
		return
	}
	l.Points = append(l.Points, webpage.XY{X: x, Y: *s.Value})
	low, high := *s.Value, *s.Value
	if s.Low != nil && s.High != nil {
		low, high = *s.Low, *s.High
	}
	l.Low, l.High = append(l.Low, low), append(l.High, high)
}

func inSeconds(v float64) string {
	return time.Duration(v * float64(time.Second)).Round(100 * time.Millisecond).String()
}

func unitText(unit string) string {
	return map[string]string{"share": " (difference of shares)", "relative": " (relative to the baseline)", "psi": " (stability index)"}[unit]
}

// shares draws how a bandit has divided the requests.
func (p *page) shares(s StageReport) {
	c := webpage.Chart{Title: "Traffic, %", X: inSeconds}
	for i, arm := range p.r.Arms {
		l := webpage.Line{Name: arm, Class: lineClass(i)}
		for _, at := range s.Shares {
			l.Points = append(l.Points, webpage.XY{X: at.At.Sub(s.From).Seconds(), Y: at.Shares[i]})
		}
		c.Lines = append(c.Lines, l)
	}
	p.Chart(c)
}

// decisions are all events but the windows, each with its evidence.
func (p *page) decisions() {
	p.Raw("<h2>Decisions</h2><div class=wide><table><thead><tr><th>time (UTC)<th>what<th>evidence</tr></thead><tbody>")
	for _, e := range p.r.Told {
		p.Rawf("<tr><td>%s<td class=why>%s", e.At.UTC().Format(time.DateTime), webpage.Escape(capital(e.Words)))
		if e.By != "" {
			p.Raw("<div class=note>asked for by ")
			p.Text(e.By)
			p.Raw("</div>")
		}
		p.Raw("<td>")
		p.evidence(e.Evidence)
		p.Raw("</tr>")
	}
	p.Raw("</tbody></table></div>")
}

func (p *page) evidence(list []Evidence) {
	for _, e := range list {
		class := "note"
		if e.Verdict == Fail {
			class = "yes"
		}
		p.Rawf("<p><b>%s</b> <span class=%s>%s</span> · version %s · %s", webpage.Escape(e.Metric), class, webpage.Escape(strings.ReplaceAll(string(e.Verdict), "_", " ")),
			webpage.Escape(e.Arm), webpage.Escape(e.Test))
		if e.Estimate != nil {
			p.Rawf(" · harm %s", webpage.Escape(spanText(&Span{e.Estimate, e.Low, e.High})))
		}
		for _, n := range []struct {
			name  string
			value *float64
		}{{"p", e.P}, {"adjusted", e.Adjusted}, {"tolerance", e.Tolerance}, {"chance", e.Chance}} {
			if n.value != nil {
				p.Rawf(" · %s %s", n.name, webpage.Escape(webpage.Figure(*n.value)))
			}
		}
		p.Rawf("<br>%s</p>", webpage.Escape(e.Reason))
	}
}

func (p *page) plan() {
	text, err := json.MarshalIndent(p.r.Plan, "", "  ")
	if err != nil {
		return // a plan that was read is one that can be written
	}
	p.Rawf("<h2>Plan</h2><p>With all its defaults.</p><pre>%s</pre>", escapeLines(string(text)))
	p.Raw("<p class=note>Export as JSON for all windows of what was observed; <code>levada rollout verify</code> decides again from these.</p>")
}

// escapeLines keeps the line breaks that Escape takes away.
func escapeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = webpage.Escape(l)
	}
	return strings.Join(lines, "\n")
}
