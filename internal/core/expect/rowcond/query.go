package rowcond

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"levada/internal/core/table"
)

// query reads a subset of what pandas' DataFrame.query takes: comparisons (chained too), and, or, not, &, |, ~, in, not in,
// arithmetic, `name with space`, index, and the methods isnull, notnull, isna, notna, str.startswith, str.endswith, str.contains,
// str.match and str.len.
func (b *builder) query(text string) error {
	p := &parser{builder: b}
	if err := p.lex(text); err != nil {
		return err
	}
	root, err := p.either()
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("%q is not understood here", p.tokens[p.at].text)
	}
	b.condition.root = root
	return err
}

// token is a word of a query. Its kind is 'n' for a number, 's' for a text, 'i' for a name, 'b' for a name in backticks, 'o' for a sign.
type token struct {
	kind byte
	text string
}

type parser struct {
	*builder
	tokens []token
	at     int
}

// signs are the signs of a query.
var signs = strings.Fields("== != <= >= ( ) [ ] , . < > & | ~ + - * / %")

func (p *parser) lex(text string) error {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n':
			i++
		case c == '"' || c == '\'' || c == '`':
			end := strings.IndexByte(text[i+1:], c)
			if end < 0 {
				return fmt.Errorf("a text that begins with %c does not end", c)
			}
			kind := byte('s')
			if c == '`' {
				kind = 'b'
			}
			p.tokens = append(p.tokens, token{kind, text[i+1 : i+1+end]})
			i += end + 2
		case c >= '0' && c <= '9' || c == '.' && i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9':
			end := i
			for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.' || text[end] == '_' || text[end] == 'e' || text[end] == 'E' ||
				(text[end] == '-' || text[end] == '+') && (text[end-1] == 'e' || text[end-1] == 'E')) {
				end++
			}
			p.tokens = append(p.tokens, token{'n', text[i:end]})
			i = end
		case c == '_' || c >= 0x80 || unicode.IsLetter(rune(c)):
			end := i
			for end < len(text) && (text[end] == '_' || text[end] >= 0x80 || unicode.IsLetter(rune(text[end])) || text[end] >= '0' && text[end] <= '9') {
				end++
			}
			p.tokens = append(p.tokens, token{'i', text[i:end]})
			i = end
		default:
			sign := text[i : i+1]
			if i+1 < len(text) && slices.Contains(signs, text[i:i+2]) {
				sign = text[i : i+2]
			}
			if !slices.Contains(signs, sign) {
				return fmt.Errorf("%q is not understood in a condition", sign)
			}
			p.tokens = append(p.tokens, token{'o', sign})
			i += len(sign)
		}
	}
	return nil
}

// next takes the next token if it is one of the given signs or words.
func (p *parser) next(words ...string) (string, bool) {
	if p.at >= len(p.tokens) {
		return "", false
	}
	t := p.tokens[p.at]
	if t.kind != 'o' && t.kind != 'i' {
		return "", false
	}
	for _, w := range words {
		if t.text == w {
			p.at++
			return w, true
		}
	}
	return "", false
}

func (p *parser) either() (*node, error) {
	return p.joined(p.both, map[string]operation{"or": or, "|": or})
}

func (p *parser) both() (*node, error) {
	return p.joined(p.negated, map[string]operation{"and": and, "&": and})
}

func (p *parser) sum() (*node, error) {
	return p.joined(p.product, map[string]operation{"+": plus, "-": minus})
}

func (p *parser) product() (*node, error) {
	return p.joined(p.signed, map[string]operation{"*": times, "/": divided, "%": remainder})
}

// joined reads operands with left-associative signs between them.
func (p *parser) joined(operand func() (*node, error), signs map[string]operation) (*node, error) {
	left, err := operand()
	for err == nil && p.at < len(p.tokens) {
		t := p.tokens[p.at]
		op, ok := signs[t.text]
		if !ok || t.kind == 's' || t.kind == 'b' {
			break
		}
		p.at++
		var right *node
		right, err = operand()
		left = &node{op: op, operands: []*node{left, right}}
	}
	return left, err
}

func (p *parser) negated() (*node, error) {
	if p.depth++; p.depth > deepest {
		return nil, fmt.Errorf("more than %d levels of nesting", deepest)
	}
	defer func() { p.depth-- }()
	if _, ok := p.next("not"); ok {
		o, err := p.negated()
		return &node{op: not, operands: []*node{o}}, err
	}
	return p.comparison()
}

// comparison reads a chain: "0 < x <= 5" is "0 < x and x <= 5".
func (p *parser) comparison() (*node, error) {
	left, err := p.sum()
	if err != nil {
		return nil, err
	}
	var chain *node
	for {
		one, right, err := p.compared(left)
		if err != nil {
			return nil, err
		}
		if one == nil {
			break
		}
		if left = right; chain != nil {
			one = &node{op: and, operands: []*node{chain, one}}
		}
		chain = one
	}
	if chain != nil {
		return chain, nil
	}
	return left, nil
}

// compared reads one comparison of a chain; nil where there is none.
func (p *parser) compared(left *node) (one, right *node, err error) {
	for _, o := range comparisons {
		if _, ok := p.next(o.sign); !ok {
			continue
		}
		if list, ok, err := p.list(); ok || err != nil {
			// pandas reads "x == [1, 2]" as "x in [1, 2]".
			n, err := p.dated(&node{op: in, operands: []*node{left}, list: list}, err)
			if o.op == unequal {
				n = &node{op: not, operands: []*node{n}}
			}
			return n, left, err
		}
		if right, err = p.sum(); err != nil {
			return nil, nil, err
		}
		one, err = p.dated((&node{op: o.op, operands: []*node{left, right}}).finish())
		return one, right, err
	}
	start := p.at
	_, negated := p.next("not")
	if _, ok := p.next("in"); !ok {
		p.at = start
		return nil, nil, nil
	}
	list, ok, err := p.list()
	if err == nil && !ok {
		err = errors.New("a list in brackets must follow in")
	}
	one, err = p.dated(&node{op: in, operands: []*node{left}, list: list}, err)
	if negated {
		one = &node{op: not, operands: []*node{one}}
	}
	return one, left, err
}

// list reads values in brackets or parentheses.
func (p *parser) list() ([]table.Cell, bool, error) {
	start := p.at
	open, ok := p.next("[", "(")
	if !ok {
		return nil, false, nil
	}
	end := map[string]string{"[": "]", "(": ")"}[open]
	out := []table.Cell{}
	for {
		if _, ok := p.next(end); ok {
			return out, true, nil
		}
		o, err := p.signed()
		if err != nil || o.op != literal {
			if open == "(" {
				p.at = start // an expression in parentheses
				return nil, false, nil
			}
			return nil, false, errors.New("a list holds plain values only")
		}
		out = append(out, o.value)
		if _, ok := p.next(","); !ok {
			if _, ok := p.next(end); ok && (open == "[" || len(out) > 1) {
				return out, true, nil
			}
			if open == "(" {
				p.at = start
				return nil, false, nil
			}
			return nil, false, errors.New("a list does not end")
		}
	}
}

func (p *parser) signed() (*node, error) {
	if sign, ok := p.next("-", "+", "~"); ok {
		if p.depth++; p.depth > deepest {
			return nil, fmt.Errorf("more than %d levels of nesting", deepest)
		}
		defer func() { p.depth-- }()
		o, err := p.signed()
		switch {
		case err != nil || sign == "+":
			return o, err
		case sign == "~":
			return &node{op: not, operands: []*node{o}}, nil
		case o.op == literal && o.value.Kind != table.Text:
			o.value.Int, o.value.Float = -o.value.Int, -o.value.Float
			return o, nil
		}
		return &node{op: negative, operands: []*node{o}}, nil
	}
	o, err := p.atom()
	if err != nil {
		return nil, err
	}
	for {
		if _, ok := p.next("."); !ok {
			return o, nil
		}
		if o, err = p.method(o); err != nil {
			return nil, err
		}
	}
}

func (p *parser) atom() (*node, error) {
	if p.at >= len(p.tokens) {
		return nil, errors.New("the condition ends too early")
	}
	t := p.tokens[p.at]
	p.at++
	switch {
	case t.kind == 's':
		return &node{op: literal, value: textOf(t.text)}, nil
	case t.kind == 'b':
		return p.column(t.text), nil
	case t.kind == 'n':
		digits := strings.ReplaceAll(t.text, "_", "")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return &node{op: literal, value: table.Cell{Kind: table.Integer, Int: n}}, nil
		}
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", t.text)
		}
		return &node{op: literal, value: table.Cell{Kind: table.Number, Float: f}}, nil
	case t.text == "(":
		o, err := p.either()
		if err != nil {
			return nil, err
		}
		if _, ok := p.next(")"); !ok {
			return nil, errors.New("a parenthesis is not closed")
		}
		return o, nil
	case t.kind != 'i':
		return nil, fmt.Errorf("%q is not understood here", t.text)
	}
	switch t.text {
	case "True", "False", "true", "false":
		return &node{op: literal, value: truth(strings.EqualFold(t.text, "true"))}, nil
	case "None":
		return &node{op: literal}, nil
	case "index":
		return &node{op: rowNumber}, nil
	}
	return p.column(t.text), nil
}

// method reads the name and the arguments of a method after its point.
func (p *parser) method(of *node) (*node, error) {
	name, ok := p.next("isnull", "isna", "notnull", "notna", "str", "isin")
	if !ok {
		return nil, errors.New("only the methods isnull, notnull, isna, notna, isin and those of str are known")
	}
	if name == "str" {
		if _, ok := p.next("."); !ok {
			return nil, errors.New("a method must follow str")
		}
		if name, ok = p.next("startswith", "endswith", "contains", "match", "len"); !ok {
			return nil, errors.New("of str, only startswith, endswith, contains, match and len are known")
		}
	}
	if _, ok := p.next("("); !ok {
		return nil, fmt.Errorf("%s needs parentheses", name)
	}
	n := &node{operands: []*node{of}}
	switch name {
	case "isin":
		list, ok, err := p.list()
		if err == nil && !ok {
			err = errors.New("isin takes a list in brackets")
		}
		if n.op, n.list = in, list; err != nil {
			return nil, err
		}
	case "isnull", "isna", "notnull", "notna":
		if n.op = isNull; strings.HasPrefix(name, "not") {
			n = &node{op: not, operands: []*node{n}}
		}
	case "len":
		n.op = size
	default:
		arg, err := p.atom()
		if err != nil {
			return nil, err
		}
		if name == "match" && arg.op == literal {
			arg.value.Text = `\A(?:` + arg.value.Text + ")"
		}
		n.op = map[string]operation{"startswith": startsWith, "endswith": endsWith, "contains": matches, "match": matches}[name]
		n.operands = append(n.operands, arg)
		if n, err = n.finish(); err != nil {
			return nil, err
		}
	}
	if _, ok := p.next(")"); !ok {
		return nil, fmt.Errorf("the parenthesis after %s is not closed", name)
	}
	return n, nil
}
