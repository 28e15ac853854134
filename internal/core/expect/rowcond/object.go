package rowcond

import (
	"errors"
	"fmt"
	"time"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// mostConditions bounds how many conditions an and or an or joins; Great Expectations has at most 100.
const mostConditions = 1000

// ParseObject reads a condition as Great Expectations writes it since 1.8: an object whose type is comparison (column, operator, parameter),
// nullity (column, is_null), and or or (conditions), or pass_through (a query of pandas).
func ParseObject(object map[string]any, now time.Time) (*Condition, error) {
	b := &builder{now: now, condition: &Condition{}}
	root, err := b.object(object)
	if err != nil {
		return nil, fmt.Errorf("row_condition: %w", err)
	}
	if !root.logical() {
		return nil, errors.New("row_condition: the result is a value; compare it with something")
	}
	b.condition.root = root
	return b.condition, nil
}

func (b *builder) object(o map[string]any) (*node, error) {
	if b.depth++; b.depth > deepest {
		return nil, fmt.Errorf("more than %d levels of nesting", deepest)
	}
	defer func() { b.depth-- }()
	switch kind, _ := o["type"].(string); kind {
	case "comparison":
		return b.comparisonOf(o)
	case "nullity":
		c, err := b.columnOf(o)
		null, ok := o["is_null"].(bool)
		if err == nil && !ok {
			err = errors.New("is_null must be true or false")
		}
		n := &node{op: isNull, operands: []*node{c}}
		if !null {
			n = &node{op: not, operands: []*node{n}}
		}
		return n, err
	case "and":
		return b.joinedOf(and, o)
	case "or":
		return b.joinedOf(or, o)
	case "pass_through":
		text, ok := o["pass_through_filter"].(string)
		if !ok || len(text) > longest {
			return nil, fmt.Errorf("pass_through_filter must be a text of at most %d bytes", longest)
		}
		err := b.query(text)
		return b.condition.root, err
	default:
		return nil, fmt.Errorf("unable to determine the condition: its type is %q; there are comparison, nullity, and, or, pass_through", kind)
	}
}

// columnOf is the column that an object is about.
func (b *builder) columnOf(o map[string]any) (*node, error) {
	c, _ := o["column"].(map[string]any)
	name, ok := c["name"].(string)
	if !ok || name == "" {
		return nil, errors.New(`column must be an object with a name: {"name": "age"}`)
	}
	return b.column(name), nil
}

func (b *builder) comparisonOf(o map[string]any) (*node, error) {
	c, err := b.columnOf(o)
	if err != nil {
		return nil, err
	}
	sign, _ := o["operator"].(string)
	if sign == "IN" || sign == "NOT_IN" {
		n := &node{op: in, operands: []*node{c}}
		list, ok := o["parameter"].([]any)
		if !ok {
			return nil, fmt.Errorf("for the operator %s the parameter must be a list", sign)
		}
		for _, v := range list {
			cell, err := cells.From(v)
			if err != nil {
				return nil, err
			}
			n.list = append(n.list, cell)
		}
		if n, err = b.dated(n, nil); sign == "NOT_IN" {
			n = &node{op: not, operands: []*node{n}}
		}
		return n, err
	}
	for _, known := range comparisons {
		if known.sign != sign {
			continue
		}
		value, err := cells.From(o["parameter"])
		if err == nil && value.Kind == table.Null {
			err = errors.New("the parameter is null; a condition of the type nullity asks whether a value is there")
		}
		if err != nil {
			return nil, err
		}
		return b.dated((&node{op: known.op, operands: []*node{c, {op: literal, value: value}}}).finish())
	}
	return nil, fmt.Errorf("the operator %q is not known; there are ==, !=, <, <=, >, >=, IN, NOT_IN", sign)
}

// joinedOf joins the conditions of an object.
func (b *builder) joinedOf(op operation, o map[string]any) (*node, error) {
	list, _ := o["conditions"].([]any)
	if len(list) == 0 || len(list) > mostConditions {
		return nil, fmt.Errorf("conditions must be a list of 1 to %d conditions, and has %d", mostConditions, len(list))
	}
	var all *node
	for _, v := range list {
		one, _ := v.(map[string]any)
		n, err := b.object(one)
		if err != nil {
			return nil, err
		}
		if all != nil {
			n = &node{op: op, operands: []*node{all, n}}
		}
		all = n
	}
	return all, nil
}
