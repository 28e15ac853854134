package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// comparison is what one call found about Levada and its peers.
type comparison struct {
	At       time.Time  `json:"at"`
	Machine  machine    `json:"machine"`
	Limits   limits     `json:"limits"`
	Steps    int        `json:"steps"`
	Sessions []*session `json:"sessions"`
}

// value is how often something was measured, and what came of it, or why there is nothing.
type value struct {
	sample sample
	steps  int
	why    string
}

// of collects what the rounds of a session said of one workload, in seconds, or in MiB for memory.
func (s *session) of(workload string) value {
	var v value
	for _, l := range s.Lines {
		switch {
		case l.Workload != workload:
		case l.None != "":
			v.why = "none"
		case l.Error != "":
			v.why = "failed"
		default:
			v.steps = l.Steps
			v.sample = append(v.sample, max(l.Seconds, l.PSS))
		}
	}
	if v.why == "" && len(v.sample) == 0 {
		v.why = "not measured"
	}
	return v
}

// rate turns seconds into steps a second.
func (v value) rate() value {
	out := value{steps: v.steps, why: v.why}
	for _, s := range v.sample {
		out.sample = append(out.sample, float64(v.steps)/s)
	}
	return out
}

// show writes the median and, in brackets, the least and the most, each multiplied by scale, with three significant digits.
func (v value) show(scale float64) string {
	switch len(v.sample) {
	case 0:
		return v.why
	case 1:
		return short(v.sample[0] * scale)
	}
	return fmt.Sprintf("%s (%s – %s)", short(v.sample.median()*scale), short(slices.Min(v.sample)*scale),
		short(slices.Max(v.sample)*scale))
}

// short writes a number with three significant digits, or all of those before the point.
func short(x float64) string {
	digits := 2
	if x != 0 {
		digits = max(0, 2-int(math.Floor(math.Log10(math.Abs(x)))))
	}
	return fmt.Sprintf("%.*f", min(digits, 4), x)
}

// name is how the tables call a session: what run.py said, or the folder when it said nothing.
func (s *session) name() string {
	if len(s.Lines) == 0 {
		return s.peer.folder
	}
	return s.Lines[0].Peer + " " + s.Lines[0].Version
}

// rounds is how often a session came to measure something.
func (s *session) rounds() int {
	n := 0
	for _, l := range s.Lines {
		if l.Workload == "ready" {
			n++
		}
	}
	return n
}

// markdown writes the tables of docs/performance.md.
func (c *comparison) markdown() string {
	var b strings.Builder
	m := c.Machine
	fmt.Fprintf(&b, "Python %s, %s, %d cores, %s, %s; %s. Median (least – most). bench/peers/README.md says how each was set up.\n\n",
		m.Python, m.CPU, m.Cores, m.Memory, m.System, c.At.Format(time.DateOnly))
	fmt.Fprintf(&b, "Limits of the machine in the same minutes, ms: start Python (`-c pass`) %s, start `true` %s, write 4 KiB and fsync %s.\n\n",
		c.Limits.Python.milliseconds(1), c.Limits.Exec.milliseconds(1), c.Limits.Fsync.milliseconds(1))
	c.speed(&b)
	c.footprint(&b)
	c.ratios(&b)
	c.fastest(&b)
	c.notes(&b)
	return b.String()
}

func (c *comparison) speed(b *strings.Builder) {
	fmt.Fprintf(b, "| | mode | chain of %d no-ops, s | ms a step | chain of %d × 10 ms, s | fan-out, steps a second | of | same, cached, s | rounds |\n",
		c.Steps, c.Steps)
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range c.Sessions {
		chain, fanout := s.of("chain"), s.of("fanout")
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %d |\n", s.name(), s.mode, chain.show(1),
			chain.show(1000/float64(c.Steps)), s.of("chain10ms").show(1), fanout.rate().show(1), count(fanout.steps),
			s.of("cached").show(1), s.rounds())
	}
}

func (c *comparison) footprint(b *strings.Builder) {
	b.WriteString("\n| | mode | submit to first step, ms | server start to ready, s | server idle, MiB | most in a fan-out, MiB |\n")
	b.WriteString("|---|---|---|---|---|---|\n")
	for _, s := range c.Sessions {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", s.name(), s.mode, s.of("first-step").show(1000), s.of("ready").show(1),
			s.of("memory-idle").show(1), s.of("memory-load").show(1))
	}
}

// ratios compares each peer with Levada in the same class: modes that isolate steps with its default mode, modes that call
// functions with its mode of that kind, or, while there is none, with the default.
func (c *comparison) ratios(b *strings.Builder) {
	b.WriteString("\n| times as long as Levada (medians) | mode | against | chain | chain of 10 ms | fan-out, a step | cached | first step |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, s := range c.Sessions {
		own := c.own(s.inProcess())
		if s.peer.folder == levada || own == nil {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | Levada %s |", s.name(), s.mode, own.mode)
		for _, workload := range []string{"chain", "chain10ms", "fanout", "cached", "first-step"} {
			fmt.Fprintf(b, " %s |", ratio(s.of(workload), own.of(workload)))
		}
		b.WriteString("\n")
	}
}

// fastest names, for each class, the peer that needs the least time a step, and how Levada compares with it.
func (c *comparison) fastest(b *strings.Builder) {
	b.WriteString("\n")
	for _, class := range []struct {
		inProcess bool
		name      string
	}{{false, "that isolate steps"}, {true, "that call functions"}} {
		own := c.own(class.inProcess)
		for _, workload := range []string{"chain", "chain10ms", "fanout"} {
			best, least := (*session)(nil), math.Inf(1)
			for _, s := range c.Sessions {
				if s.peer.folder == levada || s.inProcess() != class.inProcess {
					continue
				}
				if v := s.of(workload); len(v.sample) > 0 && v.perStep() < least {
					best, least = s, v.perStep()
				}
			}
			if best == nil || own == nil {
				continue
			}
			fmt.Fprintf(b, "- Fastest of the peers %s in %s: %s, %s, %s ms a step; %s times as long as Levada %s.\n", class.name,
				workload, best.name(), best.mode, short(least*1000), ratio(best.of(workload), own.of(workload)), own.mode)
		}
	}
}

// own is the session of Levada with which peers of that class are compared.
func (c *comparison) own(inProcess bool) *session {
	var found *session
	for _, s := range c.Sessions {
		if s.peer.folder == levada && (found == nil || (s.inProcess() == inProcess && found.inProcess() != inProcess)) {
			found = s
		}
	}
	return found
}

// ratio says how many times as long the first takes as the second, per step.
func ratio(v, own value) string {
	if len(v.sample) == 0 || len(own.sample) == 0 {
		return "–"
	}
	return short(v.perStep() / own.perStep())
}

// perStep is the median time of one step.
func (v value) perStep() float64 { return v.sample.median() / float64(v.steps) }

// notes list what was not measured, and why.
func (c *comparison) notes(b *strings.Builder) {
	said := map[string]bool{}
	note := func(s *session, workload, why string) {
		text := fmt.Sprintf("- %s, %s, %s: %s\n", s.name(), s.mode, workload, strings.ReplaceAll(why, "\n", " "))
		if !said[text] {
			said[text] = true
			b.WriteString(text)
		}
	}
	b.WriteString("\n")
	for _, s := range c.Sessions {
		if s.Broken != "" {
			note(s, "session", s.Broken)
		}
		for _, l := range s.Lines {
			if why := l.None + l.Error; why != "" && l.Workload != "memory-idle" {
				note(s, l.Workload, why)
			}
		}
	}
}

func count(n int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprint(n)
}

// MarshalJSON writes the session with what the tables need to be made again.
func (s *session) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Peer   string `json:"peer"`
		Mode   string `json:"mode"`
		Broken string `json:"broken,omitempty"`
		Lines  []line `json:"lines"`
	}{s.peer.folder, s.mode, s.Broken, s.Lines})
}

// save writes the comparison as JSON and as Markdown and returns the path of the first.
func (c *comparison) save(folder string) (string, error) {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "peers-"+c.At.Format("20060102-150405"))
	if err := os.WriteFile(path+".md", []byte(c.markdown()), 0o644); err != nil {
		return "", err
	}
	return path + ".json", os.WriteFile(path+".json", append(text, '\n'), 0o644)
}
