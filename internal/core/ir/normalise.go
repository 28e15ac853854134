package ir

import "encoding/json"

// primitive maps the deprecated types to today's.
var primitive = map[string]ParameterType{"INT": NumberInteger, "DOUBLE": NumberDouble, "STRING": String}

// normalise replaces the deprecated spellings, so that the rest of the code knows one.
func (s *Spec) normalise() {
	s.Root.normalise()
	for _, c := range s.Components {
		c.normalise()
	}
	s.repair()
	for _, e := range s.DeploymentSpec.Executors {
		if e.Importer != nil {
			e.Importer.ArtifactURI.normalise()
		}
	}
}

func (c *Component) normalise() {
	if c == nil {
		return
	}
	if c.InputDefinitions == nil {
		c.InputDefinitions = &InputDefinitions{}
	}
	if c.OutputDefinitions == nil {
		c.OutputDefinitions = &OutputDefinitions{}
	}
	for _, p := range c.InputDefinitions.Parameters {
		if p.ParameterType == "" {
			p.ParameterType = primitive[p.Type]
		}
		if string(p.DefaultValue) == "null" {
			p.DefaultValue = nil
		}
		p.normaliseNumber()
	}
	for _, p := range c.OutputDefinitions.Parameters {
		if p.ParameterType == "" {
			p.ParameterType = primitive[p.Type]
		}
	}
	if c.DAG == nil {
		return
	}
	if c.DAG.Outputs == nil {
		c.DAG.Outputs = &DAGOutputs{}
	}
	for _, t := range c.DAG.Tasks {
		if t.Inputs == nil {
			t.Inputs = &TaskInputs{}
		}
		for _, p := range t.Inputs.Parameters {
			if p.RuntimeValue != nil {
				p.RuntimeValue.normalise()
			}
		}
	}
}

// normaliseNumber makes a number of a default that was read as text: other YAML writers than PyYAML write 1e-05.
func (p *InputParameter) normaliseNumber() {
	if p.ParameterType != NumberDouble && p.ParameterType != NumberInteger {
		return
	}
	if d, ok := p.Default(); ok {
		if text, isText := d.(string); isText {
			if n, err := Convert(text, p.ParameterType); err == nil {
				p.DefaultValue = json.RawMessage(JSON(n))
			}
		}
	}
}

func (v *ValueOrRuntime) normalise() {
	t := v.ConstantValue
	if t == nil {
		return
	}
	var value any
	switch {
	case t.StringValue != nil:
		value = *t.StringValue
	case t.DoubleValue != nil:
		value = *t.DoubleValue
	case t.IntValue != "":
		value = t.IntValue
	}
	if b, err := json.Marshal(value); err == nil {
		v.Constant, v.ConstantValue = b, nil
	}
}

// Value returns the decoded constant.
func (v *ValueOrRuntime) Value() (any, error) {
	if len(v.Constant) == 0 {
		return nil, nil
	}
	var x any
	err := json.Unmarshal(v.Constant, &x)
	return x, err
}
