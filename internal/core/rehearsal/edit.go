package rehearsal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"levada/internal/core/ir"
)

const fixtureOutput = "artifact"

// fixtureTask is the name of the task that hands in an input artifact.
func fixtureTask(input string) string { return "levada-fixture-" + normal(input) }

type object = map[string]any

// edit returns the specification of a rehearsal: input artifacts come from tasks that hand in fixtures, and retries do not wait.
// It works on the JSON, so that nothing else of the specification changes.
func edit(p *ir.Pipeline, fixtures map[string]Given) ([]byte, []string, error) {
	var doc object
	if err := json.Unmarshal(p.Canonical, &doc); err != nil {
		return nil, nil, fmt.Errorf("prepare the specification: %w", err)
	}
	spec := child(doc, "pipeline_spec")
	root := child(spec, "root")
	components := child(spec, "components")
	for _, c := range append([]any{root}, slices.Collect(maps.Values(components))...) {
		hurry(c)
	}
	var hidden []string
	declared := child(child(root, "inputDefinitions"), "artifacts")
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		tasks := child(child(root, "dag"), "tasks")
		given, ok := fixtures[name]
		if !ok {
			unbind(tasks, name)
			continue
		}
		task := fixtureTask(name)
		hidden = append(hidden, task)
		bind(tasks, name, task)
		definition := object{"artifactType": declared[name].(object)["artifactType"]}
		if given.List {
			definition["isArtifactList"] = true
		}
		components["comp-"+task] = object{"executorLabel": "exec-" + task,
			"outputDefinitions": object{"artifacts": object{fixtureOutput: definition}}}
		tasks[task] = object{"taskInfo": object{"name": task}, "componentRef": object{"name": "comp-" + task}}
		executors := child(child(spec, "deploymentSpec"), "executors")
		executors["exec-"+task] = object{"container": object{"image": "levada-fixture", "command": []any{"false"}}}
	}
	if in, ok := root["inputDefinitions"].(object); ok {
		delete(in, "artifacts")
	}
	body, err := json.Marshal(doc)
	return body, hidden, err
}

// child returns an object inside another, making it when it is not there.
func child(o object, key string) object {
	c, ok := o[key].(object)
	if !ok {
		c = object{}
		o[key] = c
	}
	return c
}

// hurry takes the pauses between attempts out of a component.
func hurry(component any) {
	c, ok := component.(object)
	if !ok {
		return
	}
	dag, ok := c["dag"].(object)
	if !ok {
		return
	}
	tasks, _ := dag["tasks"].(object)
	for _, t := range tasks {
		if task, ok := t.(object); ok {
			if policy, ok := task["retryPolicy"].(object); ok {
				policy["backoffDuration"] = "0s"
			}
		}
	}
}

// bind makes the tasks that take an input artifact of the pipeline take the output of a task instead.
func bind(tasks object, input, producer string) {
	eachUse(tasks, input, func(artifacts object, key string) {
		artifacts[key] = object{"taskOutputArtifact": object{"producerTask": producer, "outputArtifactKey": fixtureOutput}}
	}, func(task object) {
		before, _ := task["dependentTasks"].([]any)
		task["dependentTasks"] = append(before, producer)
	})
}

// unbind takes an optional input that was not given from the tasks.
func unbind(tasks object, input string) {
	eachUse(tasks, input, func(artifacts object, key string) { delete(artifacts, key) }, func(object) {})
}

func eachUse(tasks object, input string, use func(artifacts object, key string), used func(task object)) {
	for _, t := range tasks {
		task, _ := t.(object)
		inputs, _ := task["inputs"].(object)
		artifacts, _ := inputs["artifacts"].(object)
		found := false
		for key, a := range artifacts {
			if source, _ := a.(object); source["componentInputArtifact"] == input {
				use(artifacts, key)
				found = true
			}
		}
		if found {
			used(task)
		}
	}
}
