// Package monitor makes pipelines that look after a table: profile it, check it against expectations, compare it with a reference.
//
// They are made of the components in components/data, as kfp compiles these. When they run, and who is told of what they find, is not
// its business. Start reading at Parts.Pipeline.
package monitor

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// component is a component of KFP's first form, as far as those of components/data use it.
type component struct {
	Name           string
	Description    string
	Inputs         []port
	Outputs        []port
	Implementation struct {
		Container struct {
			Image   string
			Command []argument
			Args    []argument
		}
	}
}

// port is an input or an output.
type port struct {
	Name     string
	Type     string
	Default  *string
	Optional bool
}

// argument is a text, or a placeholder for one, or for several that are there with an input.
type argument struct {
	text                              string
	InputPath, InputValue, OutputPath string
	present                           string
	then                              []argument
}

// UnmarshalYAML reads either form.
func (a *argument) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&a.text)
	}
	var p struct {
		InputPath  string `yaml:"inputPath"`
		InputValue string `yaml:"inputValue"`
		OutputPath string `yaml:"outputPath"`
		If         struct {
			Cond struct {
				IsPresent string `yaml:"isPresent"`
			}
			Then []argument
		}
	}
	if err := n.Decode(&p); err != nil {
		return err
	}
	a.InputPath, a.InputValue, a.OutputPath = p.InputPath, p.InputValue, p.OutputPath
	a.present, a.then = p.If.Cond.IsPresent, p.If.Then
	if a.InputPath+a.InputValue+a.OutputPath+a.present == "" {
		return fmt.Errorf("line %d: want a text, inputPath, inputValue, outputPath, or if with cond.isPresent and then", n.Line)
	}
	return nil
}

// parameterTypes are the types of parameters by those of components; what is not among them is an artifact.
func parameterTypes() map[string]string {
	return map[string]string{"String": "STRING", "Float": "NUMBER_DOUBLE", "Integer": "NUMBER_INTEGER", "Boolean": "BOOLEAN"}
}

// object is a mapping of JSON.
type object = map[string]any

// ports are inputs or outputs as a specification has them.
func ports(list []port) (object, error) {
	artifacts, parameters := object{}, object{}
	for _, p := range list {
		kind, simple := parameterTypes()[p.Type]
		if !simple {
			def := object{"artifactType": object{"schemaTitle": "system." + p.Type, "schemaVersion": "0.0.1"}}
			if p.Optional {
				def["isOptional"] = true
			}
			artifacts[p.Name] = def
			continue
		}
		def := object{"parameterType": kind}
		if p.Default != nil {
			var value any = *p.Default
			if kind != "STRING" {
				if err := yaml.Unmarshal([]byte(*p.Default), &value); err != nil {
					return nil, fmt.Errorf("the default of %s: %w", p.Name, err)
				}
			}
			def["defaultValue"], def["isOptional"] = value, true
		}
		parameters[p.Name] = def
	}
	out := object{}
	if len(artifacts) > 0 {
		out["artifacts"] = artifacts
	}
	if len(parameters) > 0 {
		out["parameters"] = parameters
	}
	return out, nil
}

// compiled is a component as a specification has it: its interface, and what executes it.
func (c *component) compiled(executor string) (iface, execution object, err error) {
	iface = object{"executorLabel": executor}
	for name, list := range map[string][]port{"inputDefinitions": c.Inputs, "outputDefinitions": c.Outputs} {
		defs, err := ports(list)
		if err != nil {
			return nil, nil, fmt.Errorf("component %s: %w", c.Name, err)
		}
		if len(defs) > 0 {
			iface[name] = defs
		}
	}
	container := object{"image": c.Implementation.Container.Image}
	for name, list := range map[string][]argument{"command": c.Implementation.Container.Command, "args": c.Implementation.Container.Args} {
		texts := make([]any, len(list))
		for i, a := range list {
			texts[i] = c.placeholder(a)
		}
		container[name] = texts
	}
	return iface, object{"container": container}, nil
}

// placeholder is an argument in the notation of specifications.
func (c *component) placeholder(a argument) string {
	switch {
	case a.present != "":
		then := make([]string, len(a.then))
		for i, inner := range a.then {
			text, _ := json.Marshal(c.placeholder(inner)) // a text always can
			then[i] = string(text)
		}
		return fmt.Sprintf(`{"IfPresent": {"InputName": %q, "Then": [%s]}}`, a.present, strings.Join(then, ", "))
	case a.InputPath != "":
		return fmt.Sprintf("{{$.inputs.artifacts['%s'].path}}", a.InputPath)
	case a.InputValue != "":
		return fmt.Sprintf("{{$.inputs.parameters['%s']}}", a.InputValue)
	case a.OutputPath != "":
		for _, p := range c.Outputs {
			if _, simple := parameterTypes()[p.Type]; simple && p.Name == a.OutputPath {
				return fmt.Sprintf("{{$.outputs.parameters['%s'].output_file}}", a.OutputPath)
			}
		}
		return fmt.Sprintf("{{$.outputs.artifacts['%s'].path}}", a.OutputPath)
	}
	return a.text
}
