package monitor

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/expect"
	"levada/internal/core/fault"
	"levada/internal/core/schema"
)

// Spec says what is looked at, and what it is held against.
type Spec struct {
	// Name is that of the pipeline.
	Name        string
	Description string
	// Suite are expectations in either form, Schema is what columns should be like in either form; at most one of them is there.
	// Environment leaves out what is of other environments.
	Suite, Schema string
	Environment   string
	// Reference is where the table is that the data is compared with; empty for no comparison. Earlier says that it is what the data
	// were before, from which a schema measures drift, and not training data, from which it measures skew.
	Reference string
	Earlier   bool
	Drift     Drift
	// MinRows is how many rows there must be for a judgement; 0 for any.
	MinRows int64
	// Requests says that the data are requests of an endpoint: columns of the reference that these have not, such as the target, are
	// then no drift.
	Requests bool
}

// Drift narrows the comparison with the reference.
type Drift struct {
	Ignore     string  `json:"ignore,omitempty" maxLength:"10000" doc:"columns that are not compared, by NAME,NAME"`
	Target     string  `json:"target,omitempty" maxLength:"1000" doc:"column of the target; features are then ranked by how much of it they explain"`
	Prediction string  `json:"prediction,omitempty" maxLength:"1000" doc:"column of the model's prediction"`
	Share      float64 `json:"share,omitempty" minimum:"0" maximum:"1" doc:"share of drifted columns from which on the table has drifted; default 0.5"`
}

// The steps that make reports, in the pipelines of Parts.
const (
	StepCheckReport = "check-report"
	StepDriftReport = "drift-report"
)

// Parts are the components that pipelines are made of.
type Parts struct{ profile, check, drift, gate component }

// Load reads the components of components/data.
func Load(files fs.FS) (*Parts, error) {
	p := &Parts{}
	for name, into := range map[string]*component{"profile": &p.profile, "check": &p.check, "drift": &p.drift, "gate": &p.gate} {
		text, err := fs.ReadFile(files, path.Join("data", name+".yaml"))
		if err == nil {
			err = yaml.Unmarshal(text, into)
		}
		if err != nil {
			return nil, fmt.Errorf("read component %s: %w", name, err)
		}
	}
	return p, nil
}

// Check refuses what cannot be looked at so.
func (s Spec) Check() error {
	if s.Suite != "" {
		if _, err := expect.Parse([]byte(s.Suite)); err != nil {
			return fault.Invalidf("suite: %w", err)
		}
	}
	if s.Schema != "" {
		is, err := schema.Parse([]byte(s.Schema))
		if err != nil {
			return fault.Invalidf("schema: %w", err)
		}
		if err := is.CheckEnvironment(s.Environment); err != nil {
			return err
		}
	}
	switch {
	case s.Suite != "" && s.Schema != "":
		return fault.Invalidf("it has a suite and a schema, and a table is checked against one of them; leave out the other, or make a second monitor")
	case s.Suite+s.Schema == "" && s.Environment != "":
		return fault.Invalidf("environment is that of a suite or a schema, and there is neither")
	case s.Reference == "" && s.Drift != Drift{}:
		return fault.Invalidf("drift is against a reference, and there is no reference")
	case s.MinRows < 0:
		return fault.Invalidf("min_rows is %d; want 0 or more", s.MinRows)
	case s.Drift.Share < 0 || s.Drift.Share > 1:
		return fault.Invalidf("drift.share is %v; want 0 to 1", s.Drift.Share)
	}
	return nil
}

// Pipeline makes the pipeline, as the JSON text of a specification. Its parameter data says where the table is; its run fails when an
// expectation does not hold, or when the table has drifted. Each of its steps is done also when another one fails. What a failed step has
// made is not kept, so one step makes the report and another one, which has the name that people know, fails.
func (p *Parts) Pipeline(s Spec) (string, error) {
	if err := s.Check(); err != nil {
		return "", err
	}
	b := &builder{fresh: s.Requests, executors: object{}, components: object{}, tasks: object{}, inputs: object{"data": object{"parameterType": "STRING",
		"description": "Where the table is: a path on the machine of the server, a pattern for the newest of several files, or an address levada:// of an artifact or of requests to an endpoint."}}}
	b.importer("data")
	b.step("profile", &p.profile, object{"data": from("data")}, nil)
	if s.Suite+s.Schema != "" {
		p.addCheck(b, s)
	}
	if s.Reference != "" {
		b.input("reference", s.Reference, "Where the table is that the data is compared with.")
		b.importer("reference")
		params := object{"on_failure": constant("warn")}
		for name, value := range map[string]string{"ignore": s.Drift.Ignore, "target": s.Drift.Target, "prediction": s.Drift.Prediction} {
			if value != "" {
				params[name] = constant(value)
			}
		}
		if s.Drift.Share != 0 {
			params["share"] = constant(s.Drift.Share)
		}
		if s.MinRows > 0 {
			params["min_rows"] = constant(s.MinRows)
		}
		if s.Requests {
			params["vanished"] = constant("note")
		}
		b.step(StepDriftReport, &p.drift, object{"reference": from("reference"), "current": from("data")}, params)
		b.step("drift", &p.gate, nil, object{"why": found(StepDriftReport)})
	}
	if b.err != nil {
		return "", b.err
	}
	info := object{"name": s.Name}
	if s.Description != "" {
		info["description"] = s.Description
	}
	text, err := json.Marshal(object{
		"schemaVersion": "2.1.0", "pipelineInfo": info, "components": b.components, "deploymentSpec": object{"executors": b.executors},
		"root": object{"inputDefinitions": object{"parameters": b.inputs}, "dag": object{"tasks": b.tasks}},
	})
	return string(text), err
}

// addCheck adds the steps that check the table against a suite or a schema.
func (p *Parts) addCheck(b *builder, s Spec) {
	tables, params := object{"data": from("data")}, object{"environment": given("environment"), "on_failure": constant("warn")}
	b.input("environment", s.Environment, "Leave out what is of other environments.")
	if s.Suite != "" {
		b.input("suite", s.Suite, "The expectations.")
		params["suite"] = given("suite")
	} else {
		b.input("schema", s.Schema, "What the columns should be like.")
		params["schema"] = given("schema")
		switch {
		case s.Reference != "" && s.Earlier:
			tables["previous"] = from("reference")
		case s.Reference != "":
			tables["training"] = from("reference")
		}
	}
	if s.MinRows > 0 {
		params["min_rows"] = constant(s.MinRows)
	}
	b.step(StepCheckReport, &p.check, tables, params)
	b.step("check", &p.gate, nil, object{"why": found(StepCheckReport)})
}

// builder gathers the parts of a specification.
type builder struct {
	executors, components, tasks, inputs object
	// fresh has the steps done each time, also with the same data: a window without requests follows another one.
	fresh bool
	err   error
}

// input adds a parameter of the pipeline with its value.
func (b *builder) input(name, value, description string) {
	b.inputs[name] = object{"parameterType": "STRING", "defaultValue": value, "isOptional": true, "description": description}
}

// importer adds a task that brings the table which the parameter of its name says.
func (b *builder) importer(name string) {
	dataset := object{"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}
	b.executors["exec-"+name] = object{"importer": object{"artifactUri": object{"runtimeParameter": "uri"}, "reimport": true, "typeSchema": dataset}}
	b.components["comp-"+name] = object{"executorLabel": "exec-" + name,
		"inputDefinitions":  object{"parameters": object{"uri": object{"parameterType": "STRING"}}},
		"outputDefinitions": object{"artifacts": object{"artifact": object{"artifactType": dataset}}}}
	b.task(name, nil, object{"uri": given(name)})
}

// step adds a task of a component.
func (b *builder) step(name string, c *component, artifacts, parameters object) {
	iface, execution, err := c.compiled("exec-" + name)
	if err != nil {
		b.err = err
		return
	}
	b.components["comp-"+name], b.executors["exec-"+name] = iface, execution
	b.task(name, artifacts, parameters)
}

func (b *builder) task(name string, artifacts, parameters object) {
	inputs, after := object{}, []any{}
	for _, p := range parameters {
		if source, ok := p.(object)["taskOutputParameter"].(object); ok {
			after = append(after, source["producerTask"])
		}
	}
	if len(artifacts) > 0 {
		inputs["artifacts"] = artifacts
	}
	if len(parameters) > 0 {
		inputs["parameters"] = parameters
	}
	t := object{"taskInfo": object{"name": name}, "componentRef": object{"name": "comp-" + name}, "cachingOptions": object{"enableCache": !b.fresh}, "inputs": inputs}
	for _, tables := range []string{"data", "reference"} {
		for _, a := range artifacts {
			if source, ok := a.(object)["taskOutputArtifact"].(object); ok && source["producerTask"] == tables {
				after = append(after, tables)
			}
		}
	}
	if len(after) > 0 {
		t["dependentTasks"] = after
	}
	b.tasks[name] = t
}

func from(task string) object {
	return object{"taskOutputArtifact": object{"producerTask": task, "outputArtifactKey": "artifact"}}
}

// found is what the step of a task says against its data.
func found(task string) object {
	return object{"taskOutputParameter": object{"producerTask": task, "outputParameterKey": "why"}}
}

func given(parameter string) object { return object{"componentInputParameter": parameter} }

func constant(v any) object { return object{"runtimeValue": object{"constant": v}} }
