package engine_test

import (
	"strings"
	"testing"
	"time"

	"levada/internal/core/engine"
	"levada/internal/core/run"
)

const hurry = "\n---\nplatforms: {kubernetes: {pipelineConfig: {activeDeadlineSeconds: 60}}}\n"

func TestARunThatMissesItsDeadlineStopsAndFails(t *testing.T) {
	d := newDriver(t, spec(diamond, "")+hurry)
	d.start(nil)
	if at := d.state.WakeAt(); !at.Equal(start.Add(time.Minute)) {
		t.Fatalf("wakes at %s", at)
	}
	d.attempt("a")
	d.decide(engine.Launch{Task: "b"})
	d.now = start.Add(59 * time.Second)
	if got := d.decide(engine.Wake{}); got != nil {
		t.Errorf("too early: %v", got)
	}
	d.now = start.Add(time.Minute)
	if got := d.decide(engine.Wake{}); len(got) == 0 || got[0].Type != engine.RunTimedOut {
		t.Fatalf("at the deadline: %v", got)
	}
	if at := d.state.WakeAt(); !at.IsZero() {
		t.Errorf("a run that is being stopped wakes again at %s", at)
	}
	if got := d.decide(engine.Cancel{}); got != nil {
		t.Errorf("cancelled while it is stopped: %v", got)
	}
	// The log alone gives the same state.
	replayed, err := engine.Replay(d.pipeline, d.log)
	if err != nil {
		t.Fatal(err)
	}
	if s, canceling := replayed.Status(); s != run.Canceling || !canceling {
		t.Errorf("replayed run is %s", s)
	}
	d.decide(engine.Stopped{Task: "b", Attempt: 1})
	var r run.Run
	d.state.Describe(&r)
	if r.State != run.Failed || r.Failure == nil || r.Failure.Reason != run.ReasonTimeout || !strings.Contains(r.Failure.Message, "1m0s") {
		t.Errorf("run is %s: %+v", r.State, r.Failure)
	}
	d.wantStates("a SUCCEEDED\nb CANCELED\nc CANCELED\nd CANCELED")
	if got := d.task("b").Reason; !strings.Contains(got, "deadline of 1m0s") {
		t.Errorf("b was stopped because: %s", got)
	}
	// A retry has the whole time again.
	d.now = start.Add(time.Hour)
	d.decide(engine.Retry{})
	if at := d.state.WakeAt(); !at.Equal(start.Add(time.Hour + time.Minute)) {
		t.Errorf("a retried run wakes at %s", at)
	}
	if s := d.finish(); s != run.Succeeded {
		t.Errorf("the retried run is %s", s)
	}
}

func TestARunThatEndsInTimeHasNoDeadlineAnyMore(t *testing.T) {
	d := newDriver(t, spec(diamond, "")+hurry)
	d.start(nil)
	if s := d.finish(); s != run.Succeeded {
		t.Fatalf("run is %s", s)
	}
	if at := d.state.WakeAt(); !at.IsZero() {
		t.Errorf("wakes at %s", at)
	}
	d.now = start.Add(time.Hour)
	if got := d.decide(engine.Wake{}); got != nil {
		t.Errorf("after the end: %v", got)
	}
}

func TestSettingsGivenByParametersAreFilledIn(t *testing.T) {
	d := newDriver(t, spec(`
  inputDefinitions: {parameters: {name: {parameterType: STRING, defaultValue: given}, none: {parameterType: STRING, isOptional: true}, tolerate: {parameterType: LIST, isOptional: true}}}
  dag:
    tasks:
      a: {componentRef: {name: op}, taskInfo: {name: a}}
      loop:
        componentRef: {name: body}
        taskInfo: {name: loop}
        dependentTasks: [a]
        parameterIterator: {items: {raw: '["x", "y"]'}, itemInput: item}
        inputs: {parameters: {pipelinechannel--name: {componentInputParameter: name}}}
`, `
  body:
    inputDefinitions: {parameters: {item: {parameterType: STRING}, pipelinechannel--name: {parameterType: STRING}}}
    dag: {tasks: {b: {componentRef: {name: set}, taskInfo: {name: b}}}}
  set: {executorLabel: set}
`)+`
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        set:
          secretAsEnv:
          - {secretNameParameter: {componentInputParameter: item}, keyToEnv: [{secretKey: k, envVar: A}]}
          - {secretName: old, secretNameParameter: {componentInputParameter: pipelinechannel--name}, keyToEnv: [{secretKey: k, envVar: B}]}
          - {secretNameParameter: {componentInputParameter: none}, optional: true, keyToEnv: [{secretKey: k, envVar: C}]}
          - {secretNameParameter: {runtimeValue: {constant: "{{$.pipeline_job_uuid}}"}}, keyToEnv: [{secretKey: k, envVar: D}]}
          pvcMount:
          - {mountPath: /a, taskOutputParameter: {producerTask: a, outputParameterKey: out}}
          - {mountPath: /b, constant: fixed}
          tolerations:
          - {key: gpu}
          - {tolerationJson: {componentInputParameter: tolerate}}
          nodeSelector: {nodeSelectorJson: {runtimeValue: {constant: {disk: ssd}}}}
`)
	d.start(map[string]any{"tolerate": []any{map[string]any{"key": "one"}, map[string]any{"key": "two"}}})
	d.attempt("a")
	step := d.state.Step("loop/1/b")
	if step.Invalid != nil {
		t.Fatal(step.Invalid.Message)
	}
	k := step.Kubernetes
	var names []string
	for _, s := range k.SecretAsEnv {
		names = append(names, s.Name())
	}
	if got := strings.Join(names, ","); got != "y,given,,11111111-1111-1111-1111-111111111111" {
		t.Errorf("secret names: %s", got)
	}
	if k.PVCMount[0].Constant != "a-out" || k.PVCMount[1].Constant != "fixed" || k.NodeSelector.Labels["disk"] != "ssd" {
		t.Errorf("%+v %+v", k.PVCMount, k.NodeSelector)
	}
	if len(k.Tolerations) != 3 || k.Tolerations[2]["key"] != "two" {
		t.Errorf("tolerations: %v", k.Tolerations)
	}
}
