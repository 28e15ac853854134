package ir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
)

// place is where a value stands in a document: a step down from the place around it. Nil is the top. Places are made for
// every value that is looked at, so the path is written out only when an error needs it.
type place struct {
	up    *place
	key   string
	index int
	item  bool // index counts, not key
}

// top is a place below the top of a document.
func top(keys ...string) *place { return (*place)(nil).of(keys...) }

// of returns the place below p that the keys lead to.
func (p *place) of(keys ...string) *place {
	for _, k := range keys {
		p = &place{up: p, key: k}
	}
	return p
}

// nth returns the place of an item of the list at p.
func (p *place) nth(i int) *place { return &place{up: p, index: i, item: true} }

// steps lists the places from the top down to p.
func (p *place) steps() []*place {
	var steps []*place
	for ; p != nil; p = p.up {
		steps = append(steps, p)
	}
	slices.Reverse(steps)
	return steps
}

// String renders the place for a person, such as root.dag.tasks.first.inputs[0]. Long keys and long paths are shortened.
func (p *place) String() string {
	if p == nil {
		return "top level"
	}
	var b strings.Builder
	for _, s := range p.steps() {
		switch {
		case s.item:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case s.key == "" || strings.ContainsFunc(s.key, needsQuotes):
			b.WriteString("[" + strconv.Quote(shorten(s.key)) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(shorten(s.key))
		}
	}
	path := b.String()
	if len(path) > maxPath {
		// The end says which value it is, the beginning where to start looking.
		head, tail := path[:maxPath/3], path[len(path)-maxPath*2/3:]
		path = strings.ToValidUTF8(head, "") + " ... " + strings.ToValidUTF8(tail, "")
	}
	return path
}

func needsQuotes(r rune) bool { return strings.ContainsRune(`.[]"' `, r) || !unicode.IsGraphic(r) }

// find returns the node at a place below n, or the deepest one on the way there.
func find(n *yaml.Node, at *place) *yaml.Node {
	for _, s := range at.steps() {
		next := below(n, s)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// below returns the node one step below n, or nil.
func below(n *yaml.Node, step *place) *yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if step.item {
		if n.Kind == yaml.SequenceNode && step.index < len(n.Content) {
			return n.Content[step.index]
		}
		return nil
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step.key {
			return n.Content[i+1]
		}
	}
	return nil
}

// Limits on messages: what a file says is repeated in them, and must not make them long.
const (
	maxWord    = 60  // a key or a value
	maxPath    = 240 // a place
	maxPart    = 300 // a name, a list of names or another error's text
	maxMessage = 600 // what is said about a place
)

// invalidAt is an Invalid error about a place; n, which may be nil, gives the line.
func invalidAt(at *place, n *yaml.Node, format string, args ...any) error {
	where := at.String()
	if n != nil && n.Line > 0 {
		where = fmt.Sprintf("%s (line %d)", where, n.Line)
	}
	return fault.Invalidf("pipeline specification, at %s: %s", where, message(format, args...))
}

// invalidf is an Invalid error whose length is bounded, whatever the arguments hold.
func invalidf(format string, args ...any) error {
	return fault.Invalidf("%s", message(format, args...))
}

func message(format string, args ...any) string {
	short := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case string:
			short[i] = clip(a, maxPart)
		case ParameterType:
			short[i] = clip(string(a), maxWord)
		case error:
			short[i] = clip(a.Error(), maxPart)
		default:
			short[i] = a
		}
	}
	// Control characters would forge lines of logs and terminals.
	visible := strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, clip(fmt.Sprintf(format, short...), maxMessage))
	return clip(visible, maxMessage)
}

// shorten cuts a text from outside to a length that reads well in a sentence.
func shorten(s string) string { return clip(s, maxWord) }

// clip cuts a text to at most limit bytes, and says so with dots.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit-3], "") + "..."
}
