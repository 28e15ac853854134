// Package param evaluates the parameters of expectation suites: {"$PARAMETER": "now() - timedelta(weeks=4)"}.
//
// It knows Great Expectations' expressions, not expectations. Start reading at Substitute.
package param

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/expect/pylike"
)

// marker marks an argument that is filled in when the suite is checked: {"$PARAMETER": "expression"}.
const marker = "$PARAMETER"

// Substitute returns the arguments with the values of $PARAMETER in them.
func Substitute(v any, parameters map[string]any, now time.Time) (any, error) {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			var err error
			if out[i], err = Substitute(x, parameters, now); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		if expression, ok := v[marker]; ok {
			text := fmt.Sprint(expression)
			if given, ok := v[marker+"."+text]; ok {
				return given, nil
			}
			return evaluate(text, parameters, now)
		}
		out := make(map[string]any, len(v))
		for k, x := range v {
			var err error
			if out[k], err = Substitute(x, parameters, now); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// evaluate evaluates an expression of Great Expectations' parameters: numbers, names, + - * / ^, parentheses, pi, e, and the
// functions sin, cos, tan, exp, abs, trunc, round, sgn, now, datetime and timedelta.
func evaluate(text string, parameters map[string]any, now time.Time) (any, error) {
	name := strings.TrimSpace(text)
	if v, ok := parameters[name]; ok {
		return v, nil
	}
	p := &expression{text: text, parameters: parameters, now: now}
	v, err := p.sum()
	if err == nil && p.peek() != 0 {
		err = fmt.Errorf("%q is not understood", p.text[p.at:])
	}
	if err != nil {
		return nil, fmt.Errorf("$PARAMETER %q: %w", text, err)
	}
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
	case time.Duration:
		return nil, fmt.Errorf("$PARAMETER %q: the value is a span of time, not a time or a number", text)
	}
	return v, nil
}

// expression is a parameter's expression while it is read. Values are float64, time.Time and time.Duration.
type expression struct {
	text       string
	at, depth  int
	parameters map[string]any
	now        time.Time
}

// peek is the next sign that is no space, 0 at the end.
func (p *expression) peek() byte {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t' || p.text[p.at] == '\n') {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *expression) sum() (any, error)     { return p.chain("+-", p.product) }
func (p *expression) product() (any, error) { return p.chain("*/", p.power) }

func (p *expression) chain(signs string, operand func() (any, error)) (any, error) {
	if p.depth++; p.depth > 100 {
		return nil, errors.New("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	left, err := operand()
	for err == nil && p.peek() != 0 && strings.IndexByte(signs, p.peek()) >= 0 {
		sign := p.text[p.at]
		p.at++
		var right any
		if right, err = operand(); err == nil {
			left, err = calculate(sign, left, right)
		}
	}
	return left, err
}

func (p *expression) power() (any, error) {
	base, err := p.atom()
	if err != nil || p.peek() != '^' {
		return base, err
	}
	p.at++
	if p.depth++; p.depth > 100 {
		return nil, errors.New("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	exponent, err := p.power()
	if err != nil {
		return nil, err
	}
	return calculate('^', base, exponent)
}

func (p *expression) atom() (any, error) {
	switch c := p.peek(); {
	case c == '(':
		p.at++
		v, err := p.sum()
		if err == nil && p.peek() != ')' {
			err = errors.New("a parenthesis is not closed")
		}
		p.at++
		return v, err
	case c == '-' || c == '+':
		p.at++
		if p.depth++; p.depth > 100 {
			return nil, errors.New("it is nested too deeply")
		}
		defer func() { p.depth-- }()
		v, err := p.atom()
		if err == nil && c == '-' {
			v, err = calculate('*', v, -1.0)
		}
		return v, err
	case c >= '0' && c <= '9' || c == '.':
		return p.number()
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
		return p.named()
	case c == 0:
		return nil, errors.New("it ends too early")
	}
	return nil, fmt.Errorf("%q is not understood", p.text[p.at:])
}

func (p *expression) number() (any, error) {
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		exponent := (c == '-' || c == '+') && (p.text[p.at-1] == 'e' || p.text[p.at-1] == 'E') && p.at > start
		if (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && !exponent {
			break
		}
		p.at++
	}
	return strconv.ParseFloat(p.text[start:p.at], 64)
}

func (p *expression) named() (any, error) {
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c != '_' && c != '$' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		p.at++
	}
	name := p.text[start:p.at]
	if p.peek() == '(' {
		p.at++
		return p.call(name)
	}
	if v, ok := p.parameters[name]; ok {
		switch v := v.(type) {
		case time.Time:
			return v, nil
		case string:
			if t, err := pylike.ParseDate(v, p.now); err == nil {
				return t, nil
			}
		case int64:
			return float64(v), nil
		case float64:
			return v, nil
		}
		return nil, fmt.Errorf("the value of %s is neither a number nor a date", name)
	}
	switch strings.ToLower(name) {
	case "pi":
		return math.Pi, nil
	case "e":
		return math.E, nil
	}
	return nil, fmt.Errorf("no value found for %s", name)
}

// call reads the arguments of a function and calls it.
func (p *expression) call(name string) (any, error) {
	var values []any
	keys := map[string]any{}
	for p.peek() != ')' {
		key := ""
		if eq := strings.IndexByte(p.text[p.at:], '='); eq > 0 && strings.Trim(p.text[p.at:p.at+eq], "abcdefghijklmnopqrstuvwxyz_ ") == "" {
			key = strings.TrimSpace(p.text[p.at : p.at+eq])
			p.at += eq + 1
		}
		v, err := p.sum()
		if err != nil {
			return nil, err
		}
		if key != "" {
			keys[key] = v
		} else {
			values = append(values, v)
		}
		switch p.peek() {
		case ',':
			p.at++
		case ')':
		default:
			return nil, errors.New("a parenthesis is not closed")
		}
	}
	p.at++
	return apply(name, values, keys, p.now)
}

// units are the arguments of timedelta.
var units = map[string]time.Duration{
	"days": 24 * time.Hour, "seconds": time.Second, "microseconds": time.Microsecond, "milliseconds": time.Millisecond,
	"minutes": time.Minute, "hours": time.Hour, "weeks": 7 * 24 * time.Hour,
}

func apply(name string, values []any, keys map[string]any, now time.Time) (any, error) {
	numbers := make([]float64, 0, len(values))
	for _, v := range values {
		f, ok := v.(float64)
		if !ok {
			return nil, fmt.Errorf("%s takes numbers", name)
		}
		numbers = append(numbers, f)
	}
	switch name {
	case "now":
		return now, nil
	case "timedelta":
		return timedelta(numbers, keys)
	case "datetime":
		return datetime(numbers, keys)
	}
	f, known := map[string]func(float64) float64{"sin": math.Sin, "cos": math.Cos, "tan": math.Tan, "exp": math.Exp, "abs": math.Abs,
		"trunc": math.Trunc, "round": math.RoundToEven, "sgn": func(x float64) float64 {
			switch {
			case x < -1e-12:
				return -1
			case x > 1e-12:
				return 1
			}
			return 0
		}}[name]
	if !known {
		return nil, fmt.Errorf("there is no function %s", name)
	}
	if len(numbers) != 1 || len(keys) > 0 {
		return nil, fmt.Errorf("%s takes one number", name)
	}
	return f(numbers[0]), nil
}

// timedelta is Python's timedelta.
func timedelta(numbers []float64, keys map[string]any) (any, error) {
	total := 0.0
	for i, n := range numbers {
		order := []string{"days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"}
		if i >= len(order) {
			return nil, errors.New("timedelta takes seven numbers at most")
		}
		total += n * float64(units[order[i]])
	}
	for k, v := range keys {
		f, ok := v.(float64)
		if _, known := units[k]; !known || !ok {
			return nil, fmt.Errorf("timedelta has no argument %s, or it is no number", k)
		}
		total += f * float64(units[k])
	}
	if math.Abs(total) > 9e18 {
		return nil, errors.New("a timedelta of more than 290 years")
	}
	return time.Duration(total), nil
}

func datetime(numbers []float64, keys map[string]any) (any, error) {
	order := []string{"year", "month", "day", "hour", "minute", "second", "microsecond"}
	parts := [7]int{1: 1, 2: 1}
	if len(numbers) > len(order) {
		return nil, errors.New("datetime takes seven numbers at most")
	}
	for i, n := range numbers {
		parts[i] = int(n)
	}
	for i, k := range order {
		if f, ok := keys[k].(float64); ok {
			parts[i] = int(f)
		}
	}
	t := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], parts[6]*1000, time.UTC)
	if t.Year() != parts[0] || int(t.Month()) != parts[1] || t.Day() != parts[2] || parts[0] < 1 {
		return nil, errors.New("there is no such day")
	}
	return t, nil
}

func calculate(sign byte, left, right any) (any, error) {
	switch l := left.(type) {
	case float64:
		switch r := right.(type) {
		case float64:
			return numbers(sign, l, r)
		case time.Duration:
			if sign == '*' {
				return time.Duration(l * float64(r)), nil
			}
		}
	case time.Time:
		switch r := right.(type) {
		case time.Duration:
			if sign == '+' {
				return l.Add(r), nil
			}
			if sign == '-' {
				return l.Add(-r), nil
			}
		case time.Time:
			if sign == '-' {
				return l.Sub(r), nil
			}
		}
	case time.Duration:
		switch r := right.(type) {
		case time.Time:
			if sign == '+' {
				return r.Add(l), nil
			}
		case time.Duration:
			if sign == '+' {
				return l + r, nil
			}
			if sign == '-' {
				return l - r, nil
			}
		case float64:
			if sign == '*' {
				return time.Duration(float64(l) * r), nil
			}
			if sign == '/' && r != 0 {
				return time.Duration(float64(l) / r), nil
			}
		}
	}
	return nil, fmt.Errorf("%c does not go with these values", sign)
}

func numbers(sign byte, l, r float64) (any, error) {
	switch sign {
	case '+':
		return l + r, nil
	case '-':
		return l - r, nil
	case '*':
		return l * r, nil
	case '^':
		return math.Pow(l, r), nil
	}
	if r == 0 {
		return nil, errors.New("division by zero")
	}
	return l / r, nil
}
