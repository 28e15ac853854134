package rowcond

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types/ref"

	"levada/internal/core/expect/cells"
	"levada/internal/core/expect/pylike"
	"levada/internal/core/table"
)

// builder makes a condition.
type builder struct {
	condition *Condition
	now       time.Time
	depth     int
}

// column returns the node of a column.
func (b *builder) column(name string) *node {
	at := slices.Index(b.condition.Columns, name)
	if at < 0 {
		at = len(b.condition.Columns)
		b.condition.Columns = append(b.condition.Columns, name)
	}
	return &node{op: column, place: at}
}

func textOf(s string) table.Cell { return table.Cell{Kind: table.Text, Text: s} }

// gx reads `col("x") > 5`, `col("x") == "a"`, `col("x") >= date("2024-01-01")` and `col("x").notNull()`.
func (b *builder) gx(text string) error {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), `col("`)
	name, rest, closed := strings.Cut(rest, `")`)
	if !ok || !closed || name == "" {
		return errors.New(`unable to parse condition: it must begin with col("NAME")`)
	}
	c := b.column(name)
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(strings.ReplaceAll(rest, " ", "")) {
	case ".notnull()":
		b.condition.root = &node{op: not, operands: []*node{{op: isNull, operands: []*node{c}}}}
		return nil
	case ".isnull()":
		b.condition.root = &node{op: isNull, operands: []*node{c}}
		return nil
	}
	for _, o := range comparisons {
		value, ok := strings.CutPrefix(rest, o.sign)
		if !ok {
			continue
		}
		cell, err := b.gxValue(strings.TrimSpace(value))
		b.condition.root, err = b.dated(&node{op: o.op, operands: []*node{c, {op: literal, value: cell}}}, err)
		return err
	}
	return fmt.Errorf("unable to parse condition: %q is neither a comparison nor .notNull()", rest)
}

func (b *builder) gxValue(text string) (table.Cell, error) {
	if inner, ok := strings.CutPrefix(text, "date("); ok && strings.HasSuffix(inner, ")") {
		c, err := b.gxValue(strings.TrimSpace(strings.TrimSuffix(inner, ")")))
		if err != nil {
			return c, err
		}
		return cells.AsTime(c, b.now)
	}
	if len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		return textOf(text[1 : len(text)-1]), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return table.Cell{Kind: table.Integer, Int: n}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return table.Cell{}, fmt.Errorf("unable to parse condition: %q is neither a number nor a quoted text", text)
	}
	return table.Cell{Kind: table.Number, Float: f}, nil
}

var comparisons = []struct {
	sign string
	op   operation
}{{"==", equal}, {"!=", unequal}, {"<=", atMost}, {">=", atLeast}, {"<", less}, {">", more}}

// celOperators are the operators of CEL that a condition may have.
var celOperators = map[string]operation{
	operators.LogicalAnd: and, operators.LogicalOr: or, operators.LogicalNot: not, operators.Equals: equal, operators.NotEquals: unequal,
	operators.Less: less, operators.LessEquals: atMost, operators.Greater: more, operators.GreaterEquals: atLeast,
	operators.Add: plus, operators.Subtract: minus, operators.Multiply: times, operators.Divide: divided, operators.Modulo: remainder,
	operators.Negate: negative, "startsWith": startsWith, "endsWith": endsWith, "contains": contains, "matches": matches, "size": size,
}

// cel reads a CEL expression in which columns are variables. A column whose name is no identifier is row["its name"].
func (b *builder) cel(text string) error {
	env, err := cel.NewEnv(cel.ClearMacros())
	if err != nil {
		return err
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return issues.Err()
	}
	b.condition.root, err = b.fromCEL(parsed.NativeRep().Expr())
	return err
}

func (b *builder) fromCEL(e ast.Expr) (*node, error) {
	if b.depth++; b.depth > deepest {
		return nil, fmt.Errorf("more than %d levels of nesting", deepest)
	}
	defer func() { b.depth-- }()
	switch e.Kind() {
	case ast.LiteralKind:
		c, err := celValue(e.AsLiteral())
		return &node{op: literal, value: c}, err
	case ast.IdentKind:
		return b.column(e.AsIdent()), nil
	case ast.CallKind:
		return b.celCall(e.AsCall())
	}
	return nil, errors.New("only comparisons, arithmetic, &&, ||, !, in [...], size, startsWith, endsWith, contains, matches, timestamp and row[\"NAME\"] are known")
}

func celValue(v ref.Val) (table.Cell, error) {
	if v.Type().TypeName() == "null_type" {
		return table.Cell{}, nil
	}
	return cells.From(v.Value())
}

func (b *builder) celCall(call ast.CallExpr) (*node, error) {
	name, args := call.FunctionName(), call.Args()
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	switch {
	case name == operators.Index && len(args) == 2 && args[0].Kind() == ast.IdentKind && args[0].AsIdent() == "row" && args[1].Kind() == ast.LiteralKind:
		name, ok := args[1].AsLiteral().Value().(string)
		if !ok {
			return nil, errors.New("row[...] takes the name of a column in quotes")
		}
		return b.column(name), nil
	case name == "timestamp" && len(args) == 1 && args[0].Kind() == ast.LiteralKind:
		c, err := celValue(args[0].AsLiteral())
		if err == nil {
			c, err = cells.AsTime(c, b.now)
		}
		return &node{op: literal, value: c}, err
	case name == operators.In && len(args) == 2 && args[1].Kind() == ast.ListKind:
		return b.celIn(args[0], args[1].AsList().Elements())
	}
	op, known := celOperators[name]
	if !known {
		return nil, fmt.Errorf("function %q is not known in conditions", name)
	}
	n := &node{op: op}
	for _, a := range args {
		o, err := b.fromCEL(a)
		if err != nil {
			return nil, err
		}
		n.operands = append(n.operands, o)
	}
	return b.dated(n.finish())
}

func (b *builder) celIn(value ast.Expr, elements []ast.Expr) (*node, error) {
	v, err := b.fromCEL(value)
	if err != nil {
		return nil, err
	}
	n := &node{op: in, operands: []*node{v}}
	for _, e := range elements {
		if e.Kind() != ast.LiteralKind {
			return nil, errors.New("a list after in holds plain values only")
		}
		c, err := celValue(e.AsLiteral())
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, c)
	}
	return b.dated(n, nil)
}

// dated notes what time a text in a comparison stands for, in case that it is compared with a time.
func (b *builder) dated(n *node, err error) (*node, error) {
	if err != nil {
		return n, err
	}
	for _, o := range n.operands {
		if o.op == literal && o.value.Kind == table.Text {
			if t, err := cells.AsTime(o.value, b.now); err == nil {
				n.when = t
			}
		}
	}
	for _, c := range slices.Clone(n.list) {
		if t, err := cells.AsTime(c, b.now); err == nil && c.Kind == table.Text {
			n.list = append(n.list, t)
		}
	}
	return n, nil
}

// finish checks a node's operands and prepares it.
func (n *node) finish() (*node, error) {
	want := 2
	switch n.op {
	case not, negative, isNull, size:
		want = 1
	}
	if len(n.operands) != want {
		return nil, fmt.Errorf("a part of the condition has %d operands, not %d", len(n.operands), want)
	}
	switch n.op {
	case equal, unequal:
		// A comparison with null asks whether a value is there.
		if o := n.operands[1]; o.op == literal && o.value.Kind == table.Null {
			ask := &node{op: isNull, operands: n.operands[:1]}
			if n.op == unequal {
				return &node{op: not, operands: []*node{ask}}, nil
			}
			return ask, nil
		}
	case startsWith, endsWith, contains, matches:
		o := n.operands[1]
		if o.op != literal || o.value.Kind != table.Text {
			return nil, errors.New("startsWith, endsWith, contains and matches take a text in quotes")
		}
		if n.op == matches {
			r, err := pylike.CompileRegex(o.value.Text)
			n.regex = r
			return n, err
		}
	}
	return n, nil
}
