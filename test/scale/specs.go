// Package scale measures what a run costs as it grows: pipelines of many tasks are submitted to the real service on the real
// store, run by a runner that does nothing, and shown through the real doors. It prints how the cost of a task changes from one
// size to the next; a linear cost does not.
//
// It must not know how the engine or the store work. Start reading at TestScale.
package scale

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"levada/internal/core/ir"
)

// shape is a form of pipeline that can have any number of tasks.
type shape struct {
	name string
	// most is the largest size that makes sense: a chain's steps come one after the other, each with a sync of the disk.
	most int
	// spec returns a pipeline of n tasks, and the parameters to run it with.
	spec func(n int) ([]byte, map[string]any)
}

func shapes() []shape {
	return []shape{
		{"loop", 100_000, func(n int) ([]byte, map[string]any) { return loopOf(n, 0) }},
		// Each step is a commit of its own beside a parameter as long as the loop: neither may cost the other.
		{"loop, one at a time", 10_000, func(n int) ([]byte, map[string]any) { return loopOf(n, 1) }},
		{"fan-out", 100_000, func(n int) ([]byte, map[string]any) {
			return graphOf(n, func(i int) []int {
				if i == n-1 { // the fan-in
					before := make([]int, n-1)
					for j := range before {
						before[j] = j
					}
					return before
				}
				return nil
			}), nil
		}},
		{"chain", 10_000, func(n int) ([]byte, map[string]any) {
			return graphOf(n, func(i int) []int { return []int{i - 1}[:min(i, 1)] }), nil
		}},
		{"random graph", 100_000, func(n int) ([]byte, map[string]any) {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			return graphOf(n, func(i int) []int {
				var before []int
				for range rng.IntN(4) {
					if i > 0 {
						before = append(before, rng.IntN(i))
					}
				}
				return before
			}), nil
		}},
	}
}

// base is a specification with one component, a step with an input and an output.
func base() *ir.Spec {
	return &ir.Spec{
		SchemaVersion: "2.1.0", PipelineInfo: ir.PipelineInfo{Name: "scale"},
		DeploymentSpec: ir.DeploymentSpec{Executors: map[string]*ir.Executor{"e": {Container: &ir.Container{Image: "image", Command: []string{"true"}}}}},
		Components: map[string]*ir.Component{"op": {
			ExecutorLabel:     "e",
			InputDefinitions:  &ir.InputDefinitions{Parameters: map[string]*ir.InputParameter{"in": {ParameterType: ir.String, IsOptional: true}}},
			OutputDefinitions: &ir.OutputDefinitions{Parameters: map[string]*ir.OutputParameter{"out": {ParameterType: ir.String}}},
		}},
	}
}

// graphOf is one graph of n tasks; before names those that come before the i-th. The first of them gives its output.
func graphOf(n int, before func(int) []int) []byte {
	spec := base()
	tasks := make(map[string]*ir.Task, n)
	for i := range n {
		t := &ir.Task{TaskInfo: ir.TaskInfo{Name: taskName(i)}, ComponentRef: ir.ComponentRef{Name: "op"}, Inputs: &ir.TaskInputs{}}
		for k, j := range before(i) {
			t.DependentTasks = append(t.DependentTasks, taskName(j))
			if k == 0 {
				t.Inputs.Parameters = map[string]*ir.TaskParameter{"in": {TaskOutputParameter: &ir.TaskOutputParameter{ProducerTask: taskName(j), OutputParameterKey: "out"}}}
			}
		}
		tasks[taskName(i)] = t
	}
	spec.Root = &ir.Component{DAG: &ir.DAG{Tasks: tasks}}
	return encode(spec)
}

func taskName(i int) string { return fmt.Sprintf("t%d", i) }

// loopOf is a step for each of n items of a parameter, so many at a time (0 means all).
func loopOf(n, limit int) ([]byte, map[string]any) {
	spec := base()
	item := map[string]*ir.InputParameter{"item": {ParameterType: ir.String}, "items": {ParameterType: ir.List}}
	spec.Components["body"] = &ir.Component{
		InputDefinitions: &ir.InputDefinitions{Parameters: item},
		DAG: &ir.DAG{Tasks: map[string]*ir.Task{"step": {
			TaskInfo: ir.TaskInfo{Name: "step"}, ComponentRef: ir.ComponentRef{Name: "op"},
			Inputs: &ir.TaskInputs{Parameters: map[string]*ir.TaskParameter{"in": {ComponentInputParameter: "item"}}},
		}}},
	}
	spec.Root = &ir.Component{
		InputDefinitions: &ir.InputDefinitions{Parameters: map[string]*ir.InputParameter{"items": {ParameterType: ir.List}}},
		DAG: &ir.DAG{Tasks: map[string]*ir.Task{"loop": {
			TaskInfo: ir.TaskInfo{Name: "loop"}, ComponentRef: ir.ComponentRef{Name: "body"},
			Inputs:            &ir.TaskInputs{Parameters: map[string]*ir.TaskParameter{"items": {ComponentInputParameter: "items"}}},
			ParameterIterator: &ir.ParameterIterator{Items: ir.ParameterItems{InputParameter: "items"}, ItemInput: "item"},
			IteratorPolicy:    &ir.IteratorPolicy{ParallelismLimit: limit},
		}}},
	}
	items := make([]any, n)
	for i := range items {
		items[i] = fmt.Sprintf("item %d", i)
	}
	return encode(spec), map[string]any{"items": items}
}

func encode(spec *ir.Spec) []byte {
	body, err := json.Marshal(spec)
	if err != nil {
		panic(err)
	}
	return body
}
