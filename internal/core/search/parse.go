package search

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
)

// The bounds of a filter. More than these come from a program gone wrong.
const (
	maxFilterBytes = 1 << 20
	maxDepth       = 100
)

// Parse reads a filter. An empty one matches everything. Every error is Invalid and says what is wrong in MLflow's words.
func (g *Grammar) Parse(filter string) (Expr, error) {
	if filter == "" {
		return All, nil
	}
	if len(filter) > maxFilterBytes {
		return nil, fault.Invalidf("The filter has %d bytes; at most %d are allowed", len(filter), maxFilterBytes)
	}
	p := parser{g: g, filter: filter, tokens: lex(filter)}
	if len(p.tokens) == 1 {
		return nil, fault.Invalidf("Invalid filter '%s'. Could not be parsed.", filter)
	}
	for i, t := range p.tokens {
		if t.kind == semicolon && i < len(p.tokens)-2 {
			return nil, fault.Invalidf("Search filter contained multiple expression %s. Provide AND-ed expression list.", python(filter))
		}
	}
	e, err := p.either(0)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != end {
		return nil, p.unexpected()
	}
	return e, nil
}

// python shows text as Python's repr does, in the simple cases.
func python(s string) string {
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `\'`) + "'"
}

type parser struct {
	g      *Grammar
	filter string
	tokens []token
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) take() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) unexpected() error {
	rest := strings.TrimSpace(p.filter[min(p.peek().at, len(p.filter)):])
	if rest == "" {
		return fault.Invalidf("Invalid clause(s) in filter string: '%s'", p.filter)
	}
	return fault.Invalidf("Invalid clause(s) in filter string: '%s'", rest)
}

func (p *parser) either(depth int) (Expr, error) {
	if depth > maxDepth {
		return nil, fault.Invalidf("The filter has more than %d parentheses inside each other", maxDepth)
	}
	var any or
	for {
		e, err := p.all(depth)
		if err != nil {
			return nil, err
		}
		any = append(any, e)
		if !p.peek().is("OR") {
			break
		}
		p.take()
	}
	if len(any) == 1 {
		return any[0], nil
	}
	return any, nil
}

// all reads comparisons up to OR, a closing parenthesis or the end. MLflow takes an AND that is missing or one too many.
func (p *parser) all(depth int) (Expr, error) {
	var every and
	for {
		for p.peek().is("AND") {
			p.take()
		}
		t := p.peek()
		if t.kind == end || t.kind == closing || t.is("OR") {
			if len(every) == 0 {
				return nil, p.unexpected()
			}
			return sameSpan(every), nil
		}
		if t.kind == semicolon {
			p.take()
			continue
		}
		e, err := p.clause(depth)
		if err != nil {
			return nil, err
		}
		every = append(every, e)
	}
}

func (p *parser) clause(depth int) (Expr, error) {
	if p.peek().kind != open {
		return p.comparison()
	}
	p.take()
	e, err := p.either(depth + 1)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != closing {
		return nil, p.unexpected()
	}
	p.take()
	return e, nil
}

func (p *parser) comparison() (Expr, error) {
	left := p.peek()
	if left.kind != identifier {
		if (left.kind == numeric || left.kind == stringText) && p.tokens[1].kind == comparator {
			return nil, fault.Invalidf("Invalid comparison clause. Expected 'Identifier' found '%s'", left.raw)
		}
		return nil, p.unexpected()
	}
	rest := p.tokens
	p.take()
	op := p.operator()
	if op == "" {
		p.tokens = rest
		return nil, p.unexpected()
	}
	t, err := p.g.term(left.raw, p.g.attributes)
	if err != nil {
		return nil, err
	}
	if p.g.compare != nil {
		if p.peek().kind == end && op != "IS NULL" && op != "IS NOT NULL" {
			p.tokens = rest
			return nil, p.unexpected()
		}
		return p.g.compare(p, t, op)
	}
	if op == "IS NULL" || op == "IS NOT NULL" {
		if !slices.Contains(p.g.nullable, t.Entity) {
			return nil, p.notNullable(t, rest)
		}
		return present{Term: t, want: op == "IS NOT NULL"}, nil
	}
	if p.peek().kind == end {
		p.tokens = rest
		return nil, p.unexpected()
	}
	return p.value(t, op)
}

func (p *parser) notNullable(t Term, rest []token) error {
	switch len(p.g.nullable) {
	case 0:
		p.tokens = rest
		return p.unexpected()
	case 1:
		return fault.Invalidf("IS NULL / IS NOT NULL is only supported for tags, not for attribute '%s'", t.Key)
	}
	return fault.Invalidf("IS NULL / IS NOT NULL is only supported for tags and params, not for '%s' '%s'", t.Entity, t.Key)
}

// operator takes a comparator, in upper case; it is empty when there is none.
func (p *parser) operator() string {
	t := p.peek()
	words := func(names ...string) bool {
		for i, name := range names {
			if i >= len(p.tokens) || !p.tokens[i].is(name) {
				return false
			}
		}
		p.tokens = p.tokens[len(names):]
		return true
	}
	switch {
	case t.kind == comparator:
		p.take()
		return t.raw
	case words("LIKE"):
		return "LIKE"
	case words("ILIKE"):
		return "ILIKE"
	case words("RLIKE"):
		return "RLIKE"
	case words("IN"):
		return "IN"
	case words("NOT", "IN"):
		return "NOT IN"
	case words("IS", "NOT", "NULL"):
		return "IS NOT NULL"
	case words("IS", "NULL"):
		return "IS NULL"
	}
	return ""
}

// value reads the right side and makes the comparison.
func (p *parser) value(t Term, op string) (Expr, error) {
	v := p.peek()
	if p.g.isNumber(t) {
		if inside := strip(v.raw, "'\""); p.g.quotedNumbers && inside != v.raw {
			if n, whole := numberLength(inside + " "); n == len(inside) && n > 0 {
				v = token{kind: numeric, raw: inside, whole: whole}
			}
		}
		if v.kind != numeric {
			if t.Entity == Metric {
				return nil, fault.Invalidf("Expected numeric value type for metric. Found %s", p.found())
			}
			return nil, fault.Invalidf("Expected numeric value type for numeric attribute: %s. Found %s", t.Key, p.found())
		}
		if err := p.g.checkOp(t, op); err != nil {
			return nil, err
		}
		p.take()
		if p.g.whole && !v.whole {
			return nil, fault.Invalidf("Invalid value for numeric attribute '%s': '%s'", t.Key, v.raw)
		}
		n, err := strconv.ParseFloat(v.raw, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) { // one that is too large is infinite, as in Python
			return nil, fault.Invalidf("The number %s in the filter cannot be read", v.raw)
		}
		return number{Term: t, op: op, value: n}, nil
	}
	if v.kind == open {
		return p.list(t, op)
	}
	s, err := p.text(t)
	if err != nil {
		return nil, err
	}
	if err := p.g.checkOp(t, op); err != nil {
		return nil, err
	}
	if op == "IN" || op == "NOT IN" {
		return nil, p.unexpected()
	}
	x := text{Term: t, op: op, values: []string{s}}
	if op == "LIKE" || op == "ILIKE" {
		x.like, err = like(s, op == "ILIKE")
	}
	return x, err
}

// found is the offending value as messages show it.
func (p *parser) found() string {
	t := p.peek()
	if t.kind != open {
		return t.raw
	}
	if n := strings.IndexByte(p.filter[t.at:], ')'); n >= 0 {
		return p.filter[t.at : t.at+n+1]
	}
	return p.filter[t.at:]
}

func (p *parser) text(t Term) (string, error) {
	v := p.peek()
	quotedValue := v.kind == stringText || v.kind == identifier && v.raw[0] == '"' && quotedLength(v.raw) == len(v.raw)
	switch {
	case quotedValue:
		p.take()
		return v.raw[1 : len(v.raw)-1], nil
	case p.g.lax && (v.kind == identifier || v.kind == numeric):
		p.take()
		return v.raw, nil
	case v.kind == identifier:
		return "", fault.Invalidf("Parameter value is either not quoted or unidentified quote types used for string value %s. "+
			"Use either single or double quotes.", v.raw)
	}
	switch t.Entity {
	case Param, Tag:
		return "", fault.Invalidf("Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", t.Entity, p.found())
	case Dataset:
		return "", fault.Invalidf("Expected a quoted string value for dataset attributes. Got value %s", p.found())
	}
	if len(p.g.nullable) > 0 {
		return "", fault.Invalidf("Expected a quoted string value for attributes. Got value %s", p.found())
	}
	return "", fault.Invalidf("Expected a quoted string value or a list of quoted string values for attributes. Got value %s", p.found())
}

func (p *parser) list(t Term, op string) (Expr, error) {
	if t.Entity == Attribute && p.g.lists != nil && !slices.Contains(p.g.lists, t.Key) {
		return nil, fault.Invalidf("Only %s attributes support comparison with a list of quoted string values.", quoted(p.g.lists))
	}
	if (t.Entity == Param || t.Entity == Tag) && !p.g.lax {
		return nil, fault.Invalidf("Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", t.Entity, p.found())
	}
	values, err := p.values()
	if err != nil {
		return nil, err
	}
	if err := p.g.checkOp(t, op); err != nil {
		return nil, err
	}
	if op != "IN" && op != "NOT IN" {
		return nil, fault.Invalidf("Invalid comparator '%s': a list is compared with IN or NOT IN", op)
	}
	return text{Term: t, op: op, values: values}, nil
}

// values reads a list of quoted texts in parentheses.
func (p *parser) values() ([]string, error) {
	whole := p.found()
	p.take()
	var values []string
	for p.peek().kind != closing {
		v := p.take()
		switch {
		case v.kind == stringText || v.kind == identifier && v.raw[0] == '"':
			values = append(values, v.raw[1:len(v.raw)-1])
		case v.kind == numeric:
			return nil, fault.Invalidf("While parsing a list in the query, expected string value, punctuation, or whitespace, "+
				"but got different type in list: %s", whole)
		default:
			return nil, illFormed()
		}
		if p.peek().kind == comma {
			p.take()
		} else if p.peek().kind != closing {
			return nil, illFormed()
		}
	}
	p.take()
	if len(values) == 0 {
		return nil, fault.Invalidf("While parsing a list in the query, expected a non-empty list of string values, but got empty list")
	}
	return values, nil
}

func illFormed() error {
	return fault.Invalidf("While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.")
}
