package scale

import (
	"testing"
	"time"

	"levada/internal/core/engine"
	"levada/internal/core/ir"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// BenchmarkEngine measures state transitions a second with steps that do nothing: "decided" is the engine alone, "durable" the
// service around it, with every event on disk before the next thing happens. An operation is a run of 1,000 tasks. make bench
// runs it.
func BenchmarkEngine(b *testing.B) {
	for _, s := range shapes() {
		if s.name != "chain" && s.name != "fan-out" {
			continue
		}
		body, _ := s.spec(1000)
		p, err := ir.Parse(body)
		if err != nil {
			b.Fatal(err)
		}
		transitions := 0
		b.Run(s.name+"/decided", func(b *testing.B) {
			for b.Loop() {
				transitions = decideAll(b, p)
			}
			b.ReportMetric(float64(transitions)*float64(b.N)/b.Elapsed().Seconds(), "transitions/s")
		})
		if transitions == 0 {
			transitions = decideAll(b, p)
		}
		b.Run(s.name+"/durable", func(b *testing.B) {
			h := open(b, &idle{})
			for b.Loop() {
				r, err := h.svc.Submit(b.Context(), pipeline.Submission{Spec: body})
				if err != nil {
					b.Fatal(err)
				}
				if r = h.wait(b, r.ID); r.State != run.Succeeded {
					b.Fatalf("the run is %s", r.State)
				}
			}
			b.ReportMetric(float64(transitions)*float64(b.N)/b.Elapsed().Seconds(), "transitions/s")
		})
	}
}

// decideAll runs a pipeline whose steps succeed at once through the engine and returns how many events that took.
func decideAll(b *testing.B, p *ir.Pipeline) (events int) {
	b.Helper()
	s := engine.New(p)
	now := time.Unix(0, 0)
	var ready []string
	decide := func(c engine.Command) {
		out, err := s.Decide(c, now)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range out {
			if e.Type == engine.TaskReady {
				ready = append(ready, e.Task)
			}
		}
		events += len(out)
	}
	decide(engine.Start{Job: run.Job{RunID: "11111111-1111-1111-1111-111111111111"}})
	for len(ready) > 0 {
		task := ready[0]
		ready = ready[1:]
		decide(engine.Launch{Task: task})
		decide(engine.Succeeded{Task: task, Attempt: 1, Outputs: run.Values{Parameters: map[string]any{"out": "value"}}})
	}
	if state, _ := s.Status(); state != run.Succeeded {
		b.Fatalf("the run is %s", state)
	}
	return events
}
