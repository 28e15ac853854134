package engine_test

import (
	"testing"

	"levada/internal/core/engine"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// A specification that the loader accepts must never bring the engine to an error, nor leave a run that does not end.
func FuzzAnAcceptedSpecificationRunsToItsEnd(f *testing.F) {
	for _, root := range []string{diamond, `
  dag:
    tasks:
      loop:
        componentRef: {name: body}
        inputs: {parameters: {n: {runtimeValue: {constant: 2}}}}
        parameterIterator: {itemInput: item, items: {raw: '[1, {"a": [2]}, "x"]'}}
        iteratorPolicy: {parallelismLimit: 2}
        retryPolicy: {maxRetryCount: 1, backoffDuration: 1s}
      after:
        componentRef: {name: list}
        inputs: {parameters: {in: {taskOutputParameter: {producerTask: loop, outputParameterKey: outs}}}}
        triggerPolicy: {condition: "inputs.parameter_values['in'] != []", strategy: ALL_UPSTREAM_TASKS_COMPLETED}
      exit:
        componentRef: {name: status}
        dependentTasks: [loop]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: loop}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
`} {
		f.Add(spec(root, `
  body:
    inputDefinitions: {parameters: {item: {parameterType: STRUCT}, n: {parameterType: NUMBER_INTEGER, isOptional: true}}}
    outputDefinitions: {parameters: {outs: {parameterType: LIST}}}
    dag:
      outputs: {parameters: {outs: {valueFromParameter: {producerSubtask: w, outputParameterKey: out}}}}
      tasks:
        w: {componentRef: {name: op}, triggerPolicy: {condition: "inputs.parameter_values['n'] == 2"}, inputs: {parameters: {n: {componentInputParameter: n}}}}
        v: {componentRef: {name: op1}, dependentTasks: [w], inputs: {parameters: {in: {componentInputParameter: item, parameterExpressionSelector: "string_value"}}}}
`), uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, failing uint8) {
		p, err := ir.Parse([]byte(text))
		if err != nil {
			return
		}
		d := &driver{t: t, pipeline: p, state: engine.New(p), now: start, launches: map[string]int{}, rows: map[string]run.Task{}}
		steps := uint8(0)
		d.outcome = func(step *run.Step) (run.Values, *run.Failure) {
			steps++
			if failing > 0 && steps%failing == 0 {
				return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: "broke", ExitCode: 1}
			}
			if step.Component.OutputDefinitions == nil {
				return run.Values{}, nil
			}
			return succeed(step)
		}
		params, err := p.CheckParameters(nil)
		if err != nil {
			return
		}
		d.decide(engine.Start{Parameters: params, Job: run.Job{RunID: "11111111-1111-1111-1111-111111111111", CreatedAt: start, ScheduledAt: start}})
		for range 2000 {
			if s, _ := d.state.Status(); s.Final() {
				if s, err := engine.Replay(p, d.log); err != nil {
					t.Fatal(err)
				} else if again, _ := s.Status(); !again.Final() {
					t.Fatalf("replayed, the run is %s", again)
				}
				return
			}
			switch due := d.state.Due(); {
			case len(due.Ready) > 0:
				d.attempt(due.Ready[0])
			case !due.WakeAt.IsZero():
				d.now = due.WakeAt
				d.decide(engine.Wake{})
			default:
				t.Fatalf("nothing is due, and the run is not final\n%s", d.states())
			}
		}
	})
}
