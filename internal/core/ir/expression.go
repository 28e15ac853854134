package ir

import (
	"sync"

	"cel.dev/cel-go/cel"

	"levada/internal/core/expr"
	"levada/internal/core/fault"
)

// maxExpressions bounds how many different expressions a pipeline has.
const maxExpressions = 10_000

// environment declares what expressions may name. Conditions see "inputs" (inputs.parameter_values["x"]); selectors see the
// value as the fields of google.protobuf.Value: the one of its kind, and string_value, its text, always. Both have parseJson.
// The names are those of kubeflow/pipelines backend/src/v2/expression.
var environment = sync.OnceValues(func() (*expr.Environment, error) {
	return expr.NewEnvironment(
		cel.Variable("inputs", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("string_value", cel.StringType),
		cel.Variable("number_value", cel.DoubleType),
		cel.Variable("bool_value", cel.BoolType),
		cel.Variable("list_value", cel.ListType(cel.DynType)),
		cel.Variable("struct_value", cel.MapType(cel.StringType, cel.DynType)),
	)
})

// compile checks an expression of the pipeline and keeps it: a loop evaluates the same one many times.
func (p *Pipeline) compile(text string) error {
	if p.programs[text] != nil {
		return nil
	}
	if len(p.programs) == maxExpressions {
		return fault.Invalidf("the pipeline has more than %d different expressions", maxExpressions)
	}
	compiled, err := compile(text)
	if err == nil {
		p.programs[text] = compiled
	}
	return err
}

// program returns an expression of the pipeline, ready to run.
func (p *Pipeline) program(text string) (*expr.Program, error) {
	if compiled := p.programs[text]; compiled != nil {
		return compiled, nil
	}
	return compile(text)
}

func compile(text string) (*expr.Program, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	compiled, err := env.Compile(text)
	if err != nil {
		return nil, invalidf("%v", err)
	}
	return compiled, nil
}

// Condition evaluates a trigger condition over a task's input parameters.
func (p *Pipeline) Condition(text string, parameters map[string]any) (bool, error) {
	compiled, err := p.program(text)
	if err != nil {
		return false, err
	}
	holds, err := compiled.Holds(map[string]any{
		"inputs":       map[string]any{"parameter_values": parameters},
		"string_value": "",
	})
	if err != nil {
		return false, invalidf("%v", err)
	}
	return holds, nil
}

// Select evaluates a parameterExpressionSelector over a value.
func (p *Pipeline) Select(text string, value any) (any, error) {
	compiled, err := p.program(text)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{"inputs": map[string]any{}, "string_value": Text(value)}
	switch value := value.(type) {
	case float64:
		fields["number_value"] = value
	case bool:
		fields["bool_value"] = value
	case []any:
		fields["list_value"] = value
	case map[string]any:
		fields["struct_value"] = value
	}
	out, err := compiled.Eval(fields)
	if err != nil {
		return nil, invalidf("selector %q over %s: %v", shorten(text), shorten(JSON(value)), err)
	}
	return out, nil
}
